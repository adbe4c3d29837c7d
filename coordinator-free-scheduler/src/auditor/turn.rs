//! Which of the signers of an audited job acts: its owner, or where that is silent a delegate.
//!
//! Each decides for itself, by when it last heard another signer, so that two may act at a time: then
//! each has its own draws, units are checked by both, and what it costs is work. What it is not: a
//! lock, or an election.
use super::Auditor;
use crate::{AuditStep, AuditTerms, Hash, Millis, PeerKey, seed_before};
use alloc::vec::Vec;

/// Whoever acts says something at least so many times within the time that others wait.
const BEATS: u64 = 4;

/// One signer's part.
#[derive(Clone, Debug)]
pub struct Turn {
    /// 0 is the owner.
    rank: usize,
    /// All of them.
    signers: Vec<PeerKey>,
    after_ms: u64,
    phase: Part,
    /// Another signer acts, or the job is over without this one.
    waits: bool,
    /// When another signer was last heard, or waited for first.
    heard: Option<Millis>,
    spoke: Millis,
}

/// How far a signer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Dormant,
    /// It asks for its own seeds, to fix their end first.
    SteppingIn,
    Begun,
}

impl Turn {
    /// That of the owner is 0.
    pub fn new(terms: &AuditTerms, signers: Vec<PeerKey>, rank: usize) -> Turn {
        Turn {
            rank,
            signers,
            after_ms: u64::from(terms.delegate_after_s) * 1_000,
            phase: if rank == 0 { Part::Begun } else { Part::Dormant },
            waits: false,
            heard: None,
            spoke: Millis(0),
        }
    }

    /// Whose turn it is about: this signer.
    pub fn me(&self) -> PeerKey {
        self.signers.get(self.rank).copied().unwrap_or_default()
    }

    /// Whether it is the job's owner's.
    pub fn is_owner(&self) -> bool {
        self.rank == 0
    }

    /// Whether it decides about the job.
    pub fn has_begun(&self) -> bool {
        self.phase == Part::Begun
    }

    /// Whether it is to act now.
    pub fn is_mine(&self) -> bool {
        self.has_begun() && !self.waits
    }

    /// Whether it waits for its first seed, to begin.
    pub fn steps_in(&self) -> bool {
        self.phase == Part::SteppingIn
    }

    /// How long others are silent before it acts. An owner waits for nobody: who decides in its stead may
    /// be slow, or mean to stop it.
    fn patience_ms(&self) -> u64 {
        self.after_ms.saturating_mul(self.rank as u64)
    }
}

impl Auditor {
    /// Whether a peer has a say in the job.
    pub fn is_signer(&self, peer: PeerKey) -> bool {
        self.turn.signers.contains(&peer)
    }

    /// Another signer said something.
    pub fn heard_signer(&mut self, now: Millis) {
        self.turn.heard = Some(now);
    }

    /// Looks at the clock: steps in, stands by, or gives a sign of life, which is the answer. `over` tells
    /// whether the job is decided, `whole` whether this node is in all of its lots.
    pub fn keep_turn(&mut self, now: Millis, over: bool, whole: bool) -> Option<AuditStep> {
        if self.turn.signers.len() < 2 {
            return None;
        }
        let done_by_others = over && !self.has_released_all();
        // If nothing was heard yet, others are silent since now.
        let heard = *self.turn.heard.get_or_insert(now);
        let silent = now.since(heard) >= self.turn.patience_ms();
        if self.turn.phase == Part::Dormant && silent && !over && whole {
            self.turn.phase = Part::SteppingIn;
            self.news = true;
        }
        self.turn.waits = done_by_others || !silent && !self.has_released_all();
        let beat = self.turn.is_mine()
            && !over
            && now.since(self.turn.spoke) >= self.turn.after_ms / BEATS;
        beat.then_some(AuditStep::Beat)
    }

    /// This node said something as a signer.
    pub fn spoke(&mut self, now: Millis) {
        self.turn.spoke = now;
    }

    /// The first step of a delegate, once it has its first seed.
    pub(super) fn step_in(&mut self) -> Option<AuditStep> {
        let seeds = seed_before(self.seeds.get(&0).filter(|_| self.turn.steps_in())?);
        self.begin(seeds).then_some(AuditStep::Began { seeds })
    }

    /// A delegate fixes its seeds, once.
    pub(super) fn begin(&mut self, seeds: Hash) -> bool {
        if self.turn.rank == 0 || self.turn.has_begun() && self.terms.seeds != seeds {
            return false;
        }
        self.terms.seeds = seeds;
        self.turn.phase = Part::Begun;
        true
    }
}
