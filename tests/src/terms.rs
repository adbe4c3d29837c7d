//! What the owner of an audited job asks for, as a scenario says it.
use crate::truth;
use coordinator_free_scheduler::{AuditTerms, DELEGATE_AFTER_S, Host, Link, seed_before};
use serde::Deserialize;

/// What the owner of an audited job asks for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Wrong units among the released at most, as a share.
    pub max_error: f64,
    /// Right answers by which a peer becomes trusted.
    pub proofs: u8,
    /// Peers that may decide in the owner's stead, by number.
    #[serde(default)]
    pub delegates: Vec<usize>,
    /// Silence after which the first of them does, s.
    #[serde(default = "delegate_after_s")]
    pub delegate_after_s: u16,
    /// Peers with another class of processors, by number.
    #[serde(default)]
    pub other_arch: Vec<usize>,
    /// Share of units that come to something else there: the module is at fault.
    #[serde(default)]
    pub splits: f64,
    /// Peers that are one donor's, by number.
    #[serde(default)]
    pub kin: Vec<usize>,
}

fn delegate_after_s() -> u16 {
    DELEGATE_AFTER_S
}

impl Default for Audit {
    fn default() -> Audit {
        Audit {
            max_error: 1e-3,
            proofs: 5,
            delegates: Vec::new(),
            delegate_after_s: DELEGATE_AFTER_S,
            other_arch: Vec::new(),
            splits: 0.0,
            kin: Vec::new(),
        }
    }
}

impl Audit {
    /// The machine of a peer.
    pub fn host(&self, peer: usize) -> Host {
        let donor = truth::key(usize::MAX);
        let link = Link { donor, signature: truth::SIGNATURE.0.into() };
        let arch = 1 + u8::from(self.other_arch.contains(&peer));
        Host { arch, link: self.kin.contains(&peer).then_some(link) }
    }

    /// What the manifest of the job with this salt says.
    pub fn terms(&self, salt: u64) -> AuditTerms {
        let seeds = seed_before(&truth::seeds(salt, truth::key(salt as usize))[0]);
        let mut terms = AuditTerms::new((self.max_error * 1e9) as u32, seeds);
        terms.proofs = self.proofs;
        terms.delegate_after_s = self.delegate_after_s;
        for (delegate, number) in terms.delegates.iter_mut().zip(&self.delegates) {
            *delegate = Some(truth::key(*number));
        }
        terms
    }
}
