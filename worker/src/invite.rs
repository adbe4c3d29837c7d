//! Invites: one line that lets another machine join this node's grid.
//!
//! `dugnad1` and base32 of: length of the body (2 bytes, big-endian), body, check. The body is the
//! postcard of an [`Invite`]; the check is 8 bytes of BLAKE3 over all before it, so that a line cut
//! short or mistyped is found out and never half understood. The `1` is the version: another
//! layout gets another digit. An invite of a private grid holds its key: who has the line is in.
use crate::keys::NetworkKey;
use coordinator_free_scheduler::PeerKey;
use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::SystemTime};

/// Most addresses in an invite.
pub const ADDRESSES_MAX: usize = 16;
/// Longest address in an invite, bytes.
pub const ADDRESS_BYTES_MAX: usize = 256;
/// Longest line that is looked at, bytes.
pub const INVITE_BYTES_MAX: usize = 8 << 10;

const NAME: &str = "dugnad";
const VERSION: char = '1';
const CHECK_BYTES: usize = 8;

/// How to reach a grid.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// Multiaddresses of the inviting node, best first.
    pub addresses: Vec<String>,
    /// The inviting node.
    pub peer: PeerKey,
    /// The key of a private grid.
    pub network_key: Option<[u8; 32]>,
    /// When the invite ends, seconds since 1970.
    pub expires_unix_s: u64,
}

/// Why a line is no invite, or no longer one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InviteError {
    #[error(
        "an invite starts with `{NAME}{VERSION}`; copy the whole line that `dugnad invite` printed"
    )]
    NoInvite,
    #[error("the invite was made by a newer version (format {0}); update this program")]
    NewerVersion(char),
    #[error("the invite is cut short; copy the whole line")]
    Truncated,
    #[error("the invite is mistyped; copy the line instead of typing it")]
    Mistyped,
    #[error("the invite expired {ago_s} seconds ago; ask for a new one (`dugnad invite`)")]
    Expired { ago_s: u64 },
    #[error(
        "an invite holds 1 to {ADDRESSES_MAX} addresses of at most {ADDRESS_BYTES_MAX} bytes each"
    )]
    Addresses,
}

impl Invite {
    /// The line.
    ///
    /// # Errors
    /// There is no address, or one too many or too long.
    pub fn encode(&self) -> Result<String, InviteError> {
        self.check_addresses()?;
        let body = postcard::to_allocvec(self).map_err(|_| InviteError::Addresses)?;
        let length = u16::try_from(body.len()).map_err(|_| InviteError::Addresses)?;
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend_from_slice(&body);
        bytes.extend_from_slice(&check_of(&bytes));
        Ok(format!("{NAME}{VERSION}{}", BASE32_NOPAD.encode(&bytes).to_lowercase()))
    }

    /// Reads a line at the moment `now_unix_s`. Upper case and line breaks do no harm.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(text: &str, now_unix_s: u64) -> Result<Invite, InviteError> {
        if text.len() > INVITE_BYTES_MAX {
            return Err(InviteError::NoInvite);
        }
        let text: String = text.split_ascii_whitespace().collect();
        let text = text.to_ascii_uppercase();
        let coded = text.strip_prefix(&NAME.to_ascii_uppercase()).ok_or(InviteError::NoInvite)?;
        let coded = match coded.chars().next() {
            Some(VERSION) => &coded[VERSION.len_utf8()..],
            Some(version @ '2'..='9') => return Err(InviteError::NewerVersion(version)),
            Some(_) => return Err(InviteError::NoInvite),
            None => return Err(InviteError::Truncated),
        };
        let invite: Invite =
            postcard::from_bytes(&body_of(coded)?).map_err(|_| InviteError::Mistyped)?;
        invite.check_addresses()?;
        match now_unix_s.checked_sub(invite.expires_unix_s) {
            None | Some(0) => Ok(invite),
            Some(ago_s) => Err(InviteError::Expired { ago_s }),
        }
    }

    fn check_addresses(&self) -> Result<(), InviteError> {
        let fits = (1..=ADDRESSES_MAX).contains(&self.addresses.len())
            && self.addresses.iter().all(|address| address.len() <= ADDRESS_BYTES_MAX);
        if fits { Ok(()) } else { Err(InviteError::Addresses) }
    }
}

/// The body of an invite whose length and check are right.
fn body_of(coded: &str) -> Result<Vec<u8>, InviteError> {
    let is_digit = |byte: u8| matches!(byte, b'A'..=b'Z' | b'2'..=b'7');
    if !coded.bytes().all(is_digit) {
        return Err(InviteError::Mistyped);
    }
    // The first eight digits are five whole bytes, of which two are the length of the rest.
    let head = coded.as_bytes().get(..8).ok_or(InviteError::Truncated)?;
    let head = BASE32_NOPAD.decode(head).map_err(|_| InviteError::Mistyped)?;
    let body_bytes = usize::from(u16::from_be_bytes([head[0], head[1]]));
    let digits = ((2 + body_bytes + CHECK_BYTES) * 8).div_ceil(5);
    if coded.len() < digits {
        return Err(InviteError::Truncated);
    }
    let bytes = BASE32_NOPAD.decode(coded.as_bytes()).map_err(|_| InviteError::Mistyped)?;
    let (checked, check) = bytes.split_at(bytes.len() - CHECK_BYTES);
    match coded.len() == digits && check == check_of(checked) {
        true => Ok(checked[2..].to_vec()),
        false => Err(InviteError::Mistyped),
    }
}

fn check_of(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    blake3::Hasher::new_derive_key("dugnad 1 invite").update(bytes).finalize_xof().fill(&mut check);
    check
}

/// Reads an invite as of this moment.
impl FromStr for Invite {
    type Err = InviteError;

    fn from_str(text: &str) -> Result<Invite, InviteError> {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Invite::decode(text, since_1970.map_or(0, |time| time.as_secs()))
    }
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invite")
            .field("addresses", &self.addresses)
            .field("peer", &self.peer)
            .field("network_key", &self.network_key.map(NetworkKey))
            .field("expires_unix_s", &self.expires_unix_s)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn invite() -> impl Strategy<Value = Invite> {
        let addresses = proptest::collection::vec("/ip4/[0-9.]{7,15}/tcp/[0-9]{1,5}", 1..5);
        let key = any::<Option<[u8; 32]>>();
        (addresses, any::<[u8; 32]>(), key, 1..u64::MAX).prop_map(
            |(addresses, peer, network_key, expires_unix_s)| Invite {
                addresses,
                peer: PeerKey(peer),
                network_key,
                expires_unix_s,
            },
        )
    }

    proptest! {
        #[test]
        fn an_invite_is_read_as_it_was_made_and_no_wrong_line_is_one(
            invite in invite(),
            place in any::<prop::sample::Index>(),
            typed in "[a-z0-9]",
        ) {
            let now = invite.expires_unix_s;
            let line = invite.encode().unwrap();
            prop_assert!(line.len() <= INVITE_BYTES_MAX);
            prop_assert_eq!(Invite::decode(&line, now), Ok(invite.clone()));
            let wrapped = format!(" {}\n{} ", &line[..9], line[9..].to_uppercase());
            prop_assert_eq!(Invite::decode(&wrapped, now), Ok(invite.clone()));
            let late = Invite::decode(&line, now.saturating_add(1));
            let expired = Err(InviteError::Expired { ago_s: 1 });
            prop_assert!(now == u64::MAX || late == expired);

            let place = place.index(line.len());
            let cut = Invite::decode(&line[..place], now);
            let is_named = place >= NAME.len();
            let error = if is_named { InviteError::Truncated } else { InviteError::NoInvite };
            prop_assert_eq!(cut, Err(error));
            let mut mistyped = line.clone();
            mistyped.replace_range(place..=place, &typed);
            prop_assert!(mistyped == line || Invite::decode(&mistyped, now).is_err());
            let longer = line + &typed;
            prop_assert!(Invite::decode(&longer, now).is_err());
        }
    }

    #[test]
    fn an_invite_of_another_kind_says_what_it_is() {
        let mut invite = Invite {
            addresses: vec!["/ip4/127.0.0.1/tcp/4001".into()],
            peer: PeerKey([1; 32]),
            network_key: Some([0x5a; 32]),
            expires_unix_s: 10,
        };
        let line = invite.encode().unwrap();
        assert_eq!(
            Invite::decode(&line.replace("dugnad1", "dugnad2"), 0),
            Err(InviteError::NewerVersion('2'))
        );
        assert_eq!(Invite::decode("/ip4/127.0.0.1/tcp/4001", 0), Err(InviteError::NoInvite));
        assert_eq!(Invite::decode(&"é".repeat(INVITE_BYTES_MAX), 0), Err(InviteError::NoInvite));
        assert_eq!(Invite::decode("dugnad1éé", 0), Err(InviteError::Mistyped));
        assert!(!format!("{invite:?}").contains("90, 90"), "the key does not show");
        invite.addresses = vec!["/ip4/127.0.0.1/tcp/1".into(); ADDRESSES_MAX + 1];
        assert_eq!(invite.encode(), Err(InviteError::Addresses));
        invite.addresses.clear();
        assert_eq!(invite.encode(), Err(InviteError::Addresses));
    }
}
