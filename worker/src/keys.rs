//! Secrets of a node: its identity, its grid's network key, its API token; and signatures.
//!
//! Invariants: a secret never shows in a `Debug` or an error; its file is readable by its owner
//! alone, and whole or not there at all; a damaged key file is an error and never a new identity.
//! Nothing here knows what is signed.
use crate::store::disk::{self, Access};
use coordinator_free_scheduler::{LINK_CONTEXT, Link, PeerKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Largest key file, bytes.
pub const KEY_FILE_BYTES_MAX: u64 = 4 << 10;
/// The first line of a network key file as libp2p writes it.
const SWARM_KEY_HEAD: &str = "/key/swarm/psk/1.0.0/";

/// Why a key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(
        "{} is no key ({why}); restore it from a backup, or move it away for a new one",
        path.display()
    )]
    DamagedIdentity { path: PathBuf, why: &'static str },
    #[error(
        "{} is no link of this node to its donor; make it anew with `dugnad key link`, or take it away with `dugnad key unlink`",
        path.display()
    )]
    DamagedLink { path: PathBuf },
    #[error("{} holds no network key: {why}", path.display())]
    NoNetworkKey { path: PathBuf, why: NotANetworkKey },
    #[error("cannot {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// Why a text is no network key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotANetworkKey {
    #[error(
        "expected 64 hexadecimal digits, alone or after the lines `{SWARM_KEY_HEAD}` and `/base16/`"
    )]
    Words,
    #[error("its encoding is not `/base16/`, the only one known here")]
    Encoding,
}

/// Who this node is: the key that signs, and the secret behind its commitments.
pub struct Identity {
    signing: SigningKey,
    commit_secret: [u8; 32],
    audit_secret: [u8; 32],
    cache_secret: [u8; 32],
}

impl Identity {
    /// Reads the identity of a data directory from its file `key`, or makes one there for good.
    ///
    /// # Errors
    /// The file is damaged, or the disk failed.
    pub fn load_or_create(dir: &Path) -> Result<Identity, KeyError> {
        signing_key(dir.join("key")).map(Identity::new)
    }

    fn new(signing: SigningKey) -> Identity {
        let derive = |context| blake3::derive_key(context, signing.as_bytes());
        let commit_secret = derive("dugnad 1 commit secret");
        let audit_secret = derive("dugnad 1 audit seeds");
        let cache_secret = derive("dugnad 1 compiled modules");
        Identity { signing, commit_secret, audit_secret, cache_secret }
    }

    /// The name of this node among its peers.
    pub fn peer(&self) -> PeerKey {
        PeerKey(self.signing.verifying_key().to_bytes())
    }

    /// The Ed25519 secret, for the handshakes of the network.
    pub fn secret(&self) -> [u8; 32] {
        self.signing.to_bytes()
    }

    /// The key of the nonces that hide this node's answers; the same after a restart.
    pub fn commit_secret(&self) -> &[u8; 32] {
        &self.commit_secret
    }

    /// The key of the seeds by which this node's audited jobs are drawn.
    pub fn audit_secret(&self) -> &[u8; 32] {
        &self.audit_secret
    }

    /// What this node and a peer alone know: X25519 (RFC 7748) between their identities, each mapped from
    /// its Ed25519 form; none if the peer's key is no key.
    pub fn shared_secret(&self, peer: PeerKey) -> Option<[u8; 32]> {
        let key = VerifyingKey::from_bytes(&peer.0).ok().filter(|key| !key.is_weak())?;
        Some((key.to_montgomery() * self.signing.to_scalar()).to_bytes())
    }

    /// The key by which this node knows its own compiled modules.
    pub fn cache_secret(&self) -> [u8; 32] {
        self.cache_secret
    }

    /// Signs `bytes` as a statement of the kind that `context` names.
    pub fn sign(&self, context: &[u8], bytes: &[u8]) -> [u8; 64] {
        self.signing.sign(&[context, bytes].concat()).to_bytes()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.peer()).finish()
    }
}

/// Who a donor is, whatever machines it lends: the key that says which nodes are its own.
pub struct DonorKey(SigningKey);

impl DonorKey {
    /// Reads a donor's key file, or makes one for good.
    ///
    /// # Errors
    /// The file is damaged, or the disk failed.
    pub fn load_or_create(path: &Path) -> Result<DonorKey, KeyError> {
        signing_key(path.into()).map(DonorKey)
    }

    /// The word that a node is this donor's.
    pub fn link(&self, node: PeerKey) -> Link {
        let signature = self.0.sign(&[LINK_CONTEXT, &node.0].concat()).to_bytes().into();
        Link { donor: PeerKey(self.0.verifying_key().to_bytes()), signature }
    }
}

/// Reads a key file, or makes one.
fn signing_key(path: PathBuf) -> Result<SigningKey, KeyError> {
    match disk::read_bounded(&path, KEY_FILE_BYTES_MAX) {
        Ok(Some(bytes)) => signing_key_of(&path, &bytes),
        Ok(None) => {
            let signing = SigningKey::from_bytes(&random()?);
            disk::write_atomic(&path, &signing.to_keypair_bytes(), Access::Private)
                .map_err(|source| KeyError::Io { doing: "write", path, source })?;
            Ok(signing)
        }
        Err(source) => Err(KeyError::Io { doing: "read", path, source }),
    }
}

/// The file holds secret and public key, so that a damaged one is told from another's.
fn signing_key_of(path: &Path, bytes: &[u8]) -> Result<SigningKey, KeyError> {
    let damaged = |why| KeyError::DamagedIdentity { path: path.into(), why };
    let pair = bytes.try_into().map_err(|_| damaged("it has not 64 bytes"))?;
    SigningKey::from_keypair_bytes(pair)
        .map_err(|_| damaged("its public key does not belong to its secret key"))
}

/// Whether `signature` is `peer`'s over `bytes` as a statement of the kind that `context` names.
///
/// Strict: no weak key, and one signature has one form, so peers never differ on what is valid.
pub fn verify(peer: PeerKey, context: &[u8], bytes: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(&peer.0) else { return false };
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    key.verify_strict(&[context, bytes].concat(), &signature).is_ok()
}

/// The key that members of a private grid share; strangers cannot complete a handshake without.
#[derive(Clone, PartialEq, Eq)]
pub struct NetworkKey(pub [u8; 32]);

impl NetworkKey {
    /// A fresh one.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn generate() -> Result<NetworkKey, KeyError> {
        random().map(NetworkKey)
    }

    /// Reads a key file: 64 hexadecimal digits, or libp2p's `swarm.key`.
    ///
    /// # Errors
    /// It cannot be read, or is neither.
    pub fn read(path: &Path) -> Result<NetworkKey, KeyError> {
        let io = |source| KeyError::Io { doing: "read", path: path.into(), source };
        let bytes = disk::read_bounded(path, KEY_FILE_BYTES_MAX)
            .and_then(|bytes| bytes.ok_or_else(|| io::ErrorKind::NotFound.into()))
            .map_err(io)?;
        std::str::from_utf8(&bytes)
            .map_err(|_| NotANetworkKey::Words)
            .and_then(str::parse)
            .map_err(|why| KeyError::NoNetworkKey { path: path.into(), why })
    }

    /// Writes a key file, readable by its owner alone, as libp2p's tools read it.
    ///
    /// # Errors
    /// The disk failed.
    pub fn write(&self, path: &Path) -> Result<(), KeyError> {
        let text = format!("{SWARM_KEY_HEAD}\n/base16/\n{}\n", hex::encode(self.0));
        disk::write_atomic(path, text.as_bytes(), Access::Private).map_err(|source| KeyError::Io {
            doing: "write",
            path: path.into(),
            source,
        })
    }
}

impl FromStr for NetworkKey {
    type Err = NotANetworkKey;

    fn from_str(text: &str) -> Result<NetworkKey, NotANetworkKey> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let digits = match lines.next() {
            Some(SWARM_KEY_HEAD) => match lines.next() {
                Some("/base16/") => lines.next(),
                Some(_) | None => return Err(NotANetworkKey::Encoding),
            },
            first => first,
        };
        let mut key = [0; 32];
        match (digits, lines.next()) {
            (Some(digits), None) => hex::decode_to_slice(digits, &mut key)
                .map(|()| NetworkKey(key))
                .map_err(|_| NotANetworkKey::Words),
            (Some(_), Some(_)) | (None, _) => Err(NotANetworkKey::Words),
        }
    }
}

impl fmt::Debug for NetworkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetworkKey(…)")
    }
}

/// What a program shows to a node's API to be let in; a new one at every start.
#[derive(Clone)]
pub struct ApiToken(String);

impl ApiToken {
    /// 256 random bits in hexadecimal.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn generate() -> Result<ApiToken, KeyError> {
        random().map(|bits| ApiToken(hex::encode(bits)))
    }

    /// The token itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiToken(…)")
    }
}

fn random() -> Result<[u8; 32], KeyError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(KeyError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn an_identity_is_made_once_and_a_damaged_one_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let first = Identity::load_or_create(dir.path()).unwrap();
        let again = Identity::load_or_create(dir.path()).unwrap();
        assert_eq!(first.peer(), again.peer());
        assert_eq!(first.commit_secret(), again.commit_secret());
        assert_ne!(first.secret(), *first.commit_secret());
        let path = dir.path().join("key");
        #[cfg(unix)]
        assert_eq!(mode(&path), 0o600);
        let whole = std::fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[3] ^= 1;
        for damaged in [&whole[..40], &[], &flipped[..], &[7; 5_000]] {
            std::fs::write(&path, damaged).unwrap();
            let refused = Identity::load_or_create(dir.path()).unwrap_err().to_string();
            assert!(refused.contains(path.to_str().unwrap()), "{refused}");
            assert_eq!(std::fs::read(&path).unwrap(), damaged, "left as it was");
        }
    }

    #[test]
    fn a_signature_holds_for_its_author_its_context_and_its_bytes_only() {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [one, other] = dirs.map(|dir| Identity::load_or_create(dir.path()).unwrap());
        let signature = one.sign(b"context\0", b"bytes");
        assert!(verify(one.peer(), b"context\0", b"bytes", &signature));
        assert!(!verify(other.peer(), b"context\0", b"bytes", &signature));
        assert!(!verify(one.peer(), b"another\0", b"bytes", &signature));
        assert!(!verify(one.peer(), b"context\0", b"byte!", &signature));
        assert!(!verify(one.peer(), b"context\0", b"bytes", &signature[..63]));
        assert!(!verify(PeerKey([0xff; 32]), b"context\0", b"bytes", &signature));
        // The neutral point as a key would make this signature valid for every message.
        let mut weak = [0; 32];
        weak[0] = 1;
        let mut forged = [0; 64];
        forged[0] = 1;
        assert!(!verify(PeerKey(weak), b"context\0", b"bytes", &forged));
    }

    #[test]
    fn a_network_key_is_read_in_both_forms_and_nothing_else_is_taken_for_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("swarm.key");
        let key = NetworkKey::generate().unwrap();
        key.write(&path).unwrap();
        #[cfg(unix)]
        assert_eq!(mode(&path), 0o600);
        assert_eq!(NetworkKey::read(&path).unwrap(), key);
        let digits = hex::encode(key.0);
        assert_eq!(format!(" {digits}\r\n").parse(), Ok(key.clone()));
        let swarm = format!("{SWARM_KEY_HEAD}\r\n/base16/\r\n{}", digits.to_uppercase());
        assert_eq!(swarm.parse(), Ok(key.clone()));
        for wrong in ["", &digits[1..], &format!("{digits}0"), &format!("{digits}\n{digits}")] {
            assert_eq!(wrong.parse::<NetworkKey>(), Err(NotANetworkKey::Words), "{wrong:?}");
        }
        let other = format!("{SWARM_KEY_HEAD}\n/base64/\nAAAA");
        assert_eq!(other.parse::<NetworkKey>(), Err(NotANetworkKey::Encoding));
        assert!(!format!("{key:?}").contains(&digits[..4]));
        std::fs::write(&path, "nothing").unwrap();
        let refused = NetworkKey::read(&path).unwrap_err().to_string();
        assert!(refused.contains(path.to_str().unwrap()), "{refused}");
    }

    #[test]
    fn a_token_is_never_the_same_and_does_not_show() {
        let tokens = [(); 2].map(|()| ApiToken::generate().unwrap());
        assert_ne!(tokens[0].reveal(), tokens[1].reveal());
        assert_eq!(tokens[1].reveal().len(), 64);
        assert!(!format!("{tokens:?}").contains(tokens[0].reveal()));
    }
}
