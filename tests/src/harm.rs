//! Peers that do harm among real nodes, as a scenario names them.
//!
//! Kinds that the rules' own trials have ([`audit::Kind`](crate::audit::Kind)) bear the same names here.
//! Most run a node, which keeps to the rules but for what it answers; others are no nodes at all, and
//! play by hand what no node does ([`Rogue`](crate::rogue::Rogue)).
use serde::{Deserialize, Serialize};

/// Peers that do harm; the last ones by number.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attacker<K = Kind> {
    /// What harm.
    pub kind: K,
    /// Their share of all peers.
    pub fraction: f64,
    /// Share of units that one lies about; of others how much it does of what it does.
    #[serde(default = "one")]
    pub rate: f64,
    /// Lies in all of each, where the kind lies; of friends, of all of them.
    #[serde(default = "unbounded")]
    pub budget: u64,
}

fn one() -> f64 {
    1.0
}

fn unbounded() -> u64 {
    u64::MAX
}

/// What harm a peer does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Answers wrong from its first day, each in its own way.
    Naive,
    /// Answers wrong, all in the same way.
    Colluder,
    /// Trusted; then places `budget` lies with its friends, and vouches for theirs.
    Sleeper,
    /// Answers wrong, and comes back under a new key whenever it is found out.
    Whitewasher,
    /// A sleeper that takes as many of the units as it may, as it computes none.
    LotCapturer,
    /// Checks by agreeing with its friends, of whom a few lie.
    LazyChecker,
    /// Trusted; says of right answers that it is to check that they are wrong.
    Accuser,
    /// Names more fuel than there was, as its friends do.
    GreedyFuel,
    /// Has jobs of its own where its friends are praised, and answers wrong in those of others.
    SelfDealer,
    /// An owner that closes before all is computed, and says two things of it.
    EarlyCloser,
    /// Where signers decide: says nothing when it is drawn. Where peers vote: commits and never opens.
    Withholder,
    /// Where signers decide: checks by repeating what is public. Where peers vote: repeats others' openings
    /// and commits as its own.
    Copier,
    /// Where signers decide: says two things of the same units. Where peers vote: opens two answers for one.
    Equivocator,
    /// Keeps two logs, one for each half of the grid.
    Forker,
    /// Sends what cannot be.
    Garbage,
    /// Takes itself for much faster than it is.
    SpeedLiar,
    /// Claims all it can and delivers nothing.
    Squatter,
    /// Commits to as many units as it can and delivers nothing.
    CommitFlooder,
    /// Submits as many jobs as it can pay for, each with a key of its own, and as many that it does not
    /// pay for.
    ManifestFlooder,
}

/// The kinds that the rules' trials have, too.
pub const AUDITED_KINDS: [Kind; 13] = [
    Kind::Naive,
    Kind::Colluder,
    Kind::Sleeper,
    Kind::Whitewasher,
    Kind::LotCapturer,
    Kind::Copier,
    Kind::LazyChecker,
    Kind::Accuser,
    Kind::Withholder,
    Kind::Equivocator,
    Kind::GreedyFuel,
    Kind::SelfDealer,
    Kind::EarlyCloser,
];

impl Kind {
    /// Whether it runs no node; `audited` tells whether signers decide.
    pub fn is_rogue(self, audited: bool) -> bool {
        match self {
            Kind::Withholder | Kind::Copier | Kind::Equivocator => !audited,
            Kind::Forker
            | Kind::Garbage
            | Kind::Squatter
            | Kind::CommitFlooder
            | Kind::ManifestFlooder => true,
            _ => false,
        }
    }

    /// Whether it was good until now, where the owner knows peers from before.
    pub fn is_trusted(self) -> bool {
        !matches!(self, Kind::Naive | Kind::Whitewasher | Kind::SelfDealer | Kind::EarlyCloser)
    }

    /// Whether those who do it agree on lies, and vouch for each other's.
    pub fn has_friends(self) -> bool {
        matches!(self, Kind::Sleeper | Kind::LotCapturer | Kind::LazyChecker | Kind::GreedyFuel)
    }

    /// Whether it lies whether or not anybody trusts it.
    pub fn always_lies(self) -> bool {
        matches!(self, Kind::Naive | Kind::Colluder | Kind::Whitewasher | Kind::SelfDealer)
    }

    /// Whether it has a job of its own.
    pub fn submits(self) -> bool {
        matches!(self, Kind::SelfDealer | Kind::EarlyCloser)
    }
}
