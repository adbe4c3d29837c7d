//! Who may decide about an audited job of this node when it is silent.
use super::{backend::Handle, event::Command};
use crate::{api::Refusal, net};
use coordinator_free_scheduler::{DELEGATES_MAX, PeerKey, Profile};

/// Delegates of a job that names none, where this node knows as many peers well.
const DELEGATES_USUAL: usize = 2;

impl Handle {
    /// An audited profile with those who may decide in this node's stead: who is named, or else whom it
    /// knows well.
    pub(super) async fn with_delegates(
        &self,
        profile: Profile,
        named: Option<Vec<String>>,
    ) -> Result<Profile, Refusal> {
        let Profile::Audited(mut terms) = profile else {
            return match named {
                None => Ok(profile),
                Some(_) => Err(Refusal::Invalid("delegates go with audited jobs alone".into())),
            };
        };
        let delegates = match named {
            Some(named) => named.iter().map(|id| delegate(id)).collect::<Result<Vec<_>, _>>()?,
            None => {
                let known = self.ask(Command::KnownWell).await?;
                known.into_iter().take(DELEGATES_USUAL).collect()
            }
        };
        if delegates.len() > DELEGATES_MAX {
            let problem =
                format!("{} delegates; a job has at most {DELEGATES_MAX}", delegates.len());
            return Err(Refusal::Invalid(problem));
        }
        let places = terms.delegates.iter_mut();
        places.zip(delegates).for_each(|(place, delegate)| *place = Some(delegate));
        Ok(Profile::Audited(terms))
    }
}

fn delegate(id: &str) -> Result<PeerKey, Refusal> {
    net::peer_key(id).ok_or_else(|| {
        let shown = id.escape_debug();
        Refusal::Invalid(format!(
            "the delegate \"{shown}\" is no peer id; `dugnad peers` shows them"
        ))
    })
}
