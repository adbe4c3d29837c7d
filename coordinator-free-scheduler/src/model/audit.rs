//! What the owner of an audited job says of it, and what its executors tell the owner alone.
//!
//! The owner's steps, in the order in which it said them, are the whole course of the audit: from
//! them and the answers anybody comes to what the owner came to. They are facts about its own job
//! and about nothing else. A delegate whom the manifest names may say the same in a course of its own.
use crate::Hash;
use crate::{
    Answer, Nonce, PeerKey, Span, UnitIndex,
    verify::audited::{Check, Member, MemberIndex},
};
use alloc::{boxed::Box, vec::Vec};
use serde::{Deserialize, Serialize};

/// Largest sealed answer, bytes.
pub const SEALED_BYTES_MAX: usize = 256;
/// Members that one step names at most: more do not fit a batch.
pub const ROSTER_PART: usize = 512;

/// Units of an audited job that matter more than others.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct LeastCheckers {
    /// Which.
    pub units: Span,
    /// Checkers that each of them has at least, 1 to [`CHECKERS_MAX`].
    pub least: u8,
}

/// Most checkers that a unit can be promised.
pub const CHECKERS_MAX: u8 = 16;
/// Most entries of [`LeastCheckers`] in a manifest.
pub const CHECKERS_SPANS_MAX: usize = 64;
/// Most units of a job whose answers its owner may know beforehand.
pub const RINGERS_MAX: usize = 4_096;

/// An answer that was committed to, for the owner's eyes alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct SealedAnswer {
    /// The unit.
    pub unit: UnitIndex,
    /// Answer and nonce, encrypted to the owner; at most [`SEALED_BYTES_MAX`].
    pub bytes: Vec<u8>,
}

/// A unit's answer, taken to be right, with the voucher that shows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Release {
    /// The unit.
    pub unit: UnitIndex,
    /// Whose commit it opens; the owner's own if nobody's.
    pub member: Option<MemberIndex>,
    /// The answer.
    pub answer: Answer,
    /// What hid it.
    pub nonce: Nonce,
}

/// What a unit came to on one of a signer's own machines: its node's, or another one's of the same donor.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Witness {
    /// The unit.
    pub unit: UnitIndex,
    /// The machine's node.
    pub peer: PeerKey,
    /// The class of its processor.
    pub arch: u8,
    /// Its answer.
    pub answer: Answer,
    /// What hid it.
    pub nonce: Nonce,
}

/// Why a module is at fault: a unit that comes to different things on a signer's own machines. Whoever
/// runs it on both classes of processors sees the same.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Reproducer {
    /// What the signer's node computed.
    pub own: Witness,
    /// What another machine of the same donor did, of another class.
    pub other: Witness,
}

impl Reproducer {
    /// Whether it is what it should be: two answers to one unit, a signer's and that of another machine of
    /// another class.
    pub fn is_of(&self, signer: PeerKey) -> bool {
        let Reproducer { own, other } = self;
        let machines = own.peer == signer && other.peer != signer && own.arch != other.arch;
        machines && own.unit == other.unit && own.answer != other.answer
    }
}

/// Most units that a signer has its other machines compute, of one job.
pub const ASKED_MAX: usize = 256;

/// What the owner came to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub enum AuditStep {
    /// Some of those whom it trusts with this job; all of them are said before any unit counts.
    Roster {
        /// The place of the first of these.
        first: MemberIndex,
        /// How many there are in all.
        of: u32,
        /// From there on.
        members: Vec<Member>,
    },
    /// Commits that do not count: somebody else is to run the unit.
    Refused(Vec<(UnitIndex, PeerKey)>),
    /// Units that the owner computed itself, which is final.
    Own(Vec<UnitIndex>),
    /// Whose answers are the units' first ones.
    Counted(Vec<Check>),
    /// Nothing more counts in this pass; its seed draws the checkers.
    Closed {
        /// From 0.
        pass: u8,
        /// See [`AuditTerms::seeds`](crate::AuditTerms::seeds).
        seed: Hash,
    },
    /// Who is to compute which units again.
    Drawn(Vec<Check>),
    /// Whose checks came in.
    Checked(Vec<Check>),
    /// Who was drawn and did not answer.
    Silent(Vec<Check>),
    /// Disputed units that the owner computed itself.
    Ruled(Vec<UnitIndex>),
    /// Whose word counts no more: proved wrong, or in doubt.
    Lost {
        /// Who.
        peer: PeerKey,
        /// Whether it is proved.
        convicted: bool,
    },
    /// The pass is over, and another follows.
    Settled {
        /// Which.
        pass: u8,
    },
    /// The answers.
    Released(Vec<Release>),
    /// Other answers that counted, and whose authors have not shown them since.
    Revealed(Vec<Release>),
    /// A delegate steps in, as the first thing that it says. Answers are sealed to it from then on, so
    /// that it has fixed its seeds before it could read any.
    Began {
        /// The end of its own chain, as [`AuditTerms::seeds`](crate::AuditTerms::seeds) is that of the
        /// owner's.
        seeds: Hash,
    },
    /// Units to which a stranger had another answer, which the owner found right: they are in dispute.
    Doubted(Vec<UnitIndex>),
    /// "I am still here": said where delegates wait, if nothing else is to be said.
    Beat,
    /// Units that other machines of the signer's donor are to compute, as somebody on another class of
    /// processors has another answer than the signer's own.
    Asked(Vec<(UnitIndex, PeerKey)>),
    /// Answers of such machines that are the signer's own: they hold on two classes.
    Witnessed(Vec<Witness>),
    /// Such a machine has another answer: the job is at its end, and nobody is to blame.
    Quarantined(Box<Reproducer>),
}

impl AuditStep {
    /// Unit entries in it, for the limit of a batch.
    pub fn entries(&self) -> usize {
        let entries = match self {
            AuditStep::Roster { members, .. } => members.len(),
            AuditStep::Refused(refused) => refused.len(),
            AuditStep::Own(units) | AuditStep::Ruled(units) | AuditStep::Doubted(units) => {
                units.len()
            }
            AuditStep::Counted(checks)
            | AuditStep::Drawn(checks)
            | AuditStep::Checked(checks)
            | AuditStep::Silent(checks) => checks.len(),
            AuditStep::Closed { .. }
            | AuditStep::Lost { .. }
            | AuditStep::Settled { .. }
            | AuditStep::Began { .. }
            | AuditStep::Beat => 1,
            AuditStep::Released(all) | AuditStep::Revealed(all) => all.len(),
            AuditStep::Asked(asked) => asked.len(),
            AuditStep::Witnessed(witnesses) => witnesses.len(),
            AuditStep::Quarantined(_) => 2,
        };
        entries.max(1)
    }
}

/// Largest answer that an owner reads, bytes; no outcome of an honest run takes more.
pub const ANSWER_BYTES_MAX: usize = 145;
