//! What the owner of an audited job asks for, as a scenario says it.
use crate::{Scenario, draws::share_of, scenario::Kind, truth};
use coordinator_free_scheduler::{
    AuditTerms, DELEGATE_AFTER_S, Hash, Host, JobId, LeastCheckers, Link, PeerKey, SignedManifest,
    Span, UnitIndex, seed_before, verify::audited::PASSES_MAX,
};
use serde::Deserialize;

/// Units of an earlier job, for each peer.
const EARLIER_UNITS: u32 = 20;

/// What the owner of an audited job asks for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Wrong units among the released at most, as a share.
    pub max_error: f64,
    /// Right answers by which a peer becomes trusted.
    pub proofs: u8,
    /// Whether the owner knows its peers from an earlier job.
    #[serde(default)]
    pub warm: bool,
    /// Whether this is that earlier job.
    #[serde(skip)]
    pub earlier: bool,
    /// Peers that may decide in the owner's stead, by number.
    #[serde(default)]
    pub delegates: Vec<usize>,
    /// Silence after which the first of them does, s.
    #[serde(default = "delegate_after_s")]
    pub delegate_after_s: u16,
    /// Peers with another class of processors, by number.
    #[serde(default)]
    pub other_arch: Vec<usize>,
    /// Share of the other peers that have it, too.
    #[serde(default)]
    pub arch_mix: f64,
    /// Share of units that come to something else there: the module is at fault.
    #[serde(default)]
    pub splits: f64,
    /// Peers that are one donor's, by number.
    #[serde(default)]
    pub kin: Vec<usize>,
    /// The first so many units have so many checkers at least.
    #[serde(default)]
    pub least: (u32, u8),
    /// The owner knows the outputs of the first so many units …
    #[serde(default)]
    pub ringers: u32,
    /// … of which it has the first so many wrong.
    #[serde(default)]
    pub ringers_off: u32,
}

fn delegate_after_s() -> u16 {
    DELEGATE_AFTER_S
}

impl Default for Audit {
    fn default() -> Audit {
        Audit {
            max_error: 1e-3,
            proofs: 5,
            warm: false,
            earlier: false,
            delegates: Vec::new(),
            delegate_after_s: DELEGATE_AFTER_S,
            other_arch: Vec::new(),
            arch_mix: 0.0,
            splits: 0.0,
            kin: Vec::new(),
            least: (0, 0),
            ringers: 0,
            ringers_off: 0,
        }
    }
}

impl Scenario {
    /// The job with this salt, and what its owner knows of it beforehand.
    pub fn job(&self, owner: PeerKey, salt: u64) -> (SignedManifest, Vec<(UnitIndex, Hash)>) {
        let (profile, urgency) = (self.profile(owner, salt), self.urgency(salt as usize));
        let manifest = truth::urgent(owner, self.units, self.lot_units, profile, salt, urgency);
        let checkers = self.audit.as_ref().map(Audit::checkers).unwrap_or_default();
        let manifest = truth::with_checkers(manifest, checkers);
        let known = self.audit.as_ref().map(|audit| audit.known(manifest.id()));
        (truth::stamped(manifest, self.work_factor), known.unwrap_or_default())
    }

    /// The earlier job by which a warm owner knows its peers, in a grid at peace: who was good until now
    /// behaves, and who is new is not there yet.
    pub fn earlier(&self) -> Option<Scenario> {
        let audit = self.audit.as_ref().filter(|audit| audit.warm)?;
        let known =
            (0..self.peers).rev().find(|peer| self.kind(*peer).is_none_or(Kind::is_trusted));
        let peers = known.map_or(0, |last| last + 1);
        let audit = Audit { warm: false, earlier: true, ..audit.clone() };
        Some(Scenario {
            peers,
            units: EARLIER_UNITS * peers as u32,
            audit: Some(audit),
            churn: None,
            partition: Vec::new(),
            late: Vec::new(),
            freeze: Vec::new(),
            attacker: Vec::new(),
            ..self.clone()
        })
    }
}

impl Scenario {
    /// Share of units that come to something else on a peer's class of processors.
    pub fn splits(&self, peer: usize) -> f64 {
        let by_votes = f64::from(u8::from(self.other_arch.contains(&peer)));
        let audit = self.audit.as_ref().filter(|audit| audit.is_elsewhere(peer));
        audit.map_or(by_votes, |audit| audit.splits)
    }

    /// The machine of a peer.
    pub fn host(&self, peer: usize) -> Host {
        let (elsewhere, kin) = match &self.audit {
            Some(audit) => (audit.is_elsewhere(peer), &audit.kin),
            None => (self.other_arch.contains(&peer), &self.kin),
        };
        let donor = truth::key(usize::MAX);
        let link = Link { donor, signature: truth::SIGNATURE.0.into() };
        Host { arch: 1 + u8::from(elsewhere), link: kin.contains(&peer).then_some(link) }
    }
}

impl Audit {
    /// Units that have some checkers in any case.
    pub fn checkers(&self) -> Vec<LeastCheckers> {
        let (count, least) = self.least;
        let some = LeastCheckers { units: Span { first: 0, count }, least };
        if count > 0 { vec![some] } else { Vec::new() }
    }

    /// What the owner knows beforehand.
    pub fn known(&self, job: JobId) -> Vec<(UnitIndex, Hash)> {
        let known = |unit| match unit < self.ringers_off {
            true => truth::colluding(job, unit),
            false => truth::right(job, unit, 0),
        };
        (0..self.ringers).filter_map(|unit| Some((unit, known(unit).output()?))).collect()
    }

    /// Whether a peer has the other class of processors. The owner has not.
    pub fn is_elsewhere(&self, peer: usize) -> bool {
        let drawn = share_of(truth::number(0, "arch", &[peer as u64])) < self.arch_mix;
        self.other_arch.contains(&peer) || drawn && peer > 0
    }

    /// A signer's seeds of the job with this salt, which are no other job's.
    pub fn seeds(&self, salt: u64, signer: PeerKey) -> [Hash; PASSES_MAX as usize] {
        let earlier = u64::from(self.earlier) << 63;
        truth::seeds(salt | earlier, signer)
    }

    /// What the manifest of the job with this salt says.
    pub fn terms(&self, owner: PeerKey, salt: u64) -> AuditTerms {
        let seeds = seed_before(&self.seeds(salt, owner)[0]);
        let mut terms = AuditTerms::new((self.max_error * 1e9) as u32, seeds);
        terms.proofs = self.proofs;
        terms.delegate_after_s = self.delegate_after_s;
        for (delegate, number) in terms.delegates.iter_mut().zip(&self.delegates) {
            *delegate = Some(truth::key(*number));
        }
        terms
    }
}
