//! Every threshold of the mind, with its reason. A `Config` cannot hold nonsense: it is a preset.
use crate::{Host, PeerKey};

/// Who this node is, and its pace.
#[derive(Clone, Debug)]
pub struct Config {
    /// This node.
    pub me: PeerKey,
    /// Drawn by the body at each start; names this process's own logs.
    pub incarnation: u64,
    /// Seeds everything this node draws.
    pub seed: u64,
    /// Its pace.
    pub pace: Pace,
    /// The machine that it is on.
    pub host: Host,
    /// Hashes that a manifest's [`Stamp`](crate::Stamp) takes for each unit, on the average; the same on
    /// all nodes of a grid, and 0 where whoever gets in is known.
    pub work_factor: u32,
    /// Whether anybody may join the grid; where nobody may, a single answer can be believed.
    pub open: bool,
}

impl Config {
    /// A node at the usual pace, of a private grid that asks for no work, on a machine of which nothing is known.
    pub fn new(me: PeerKey, incarnation: u64, seed: u64) -> Config {
        let (pace, host) = (Pace::default(), Host::default());
        Config { me, incarnation, seed, pace, host, work_factor: 0, open: false }
    }
}

/// How long things take, milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Commits wait this long for company in a batch; short against a run, long against a flush.
    pub commit_ms: u64,
    /// Openings wait this long; a verdict hangs on them, so shorter.
    pub opening_ms: u64,
    /// Openings wait this long for others who are on the same unit, so that one vote has them all.
    pub gather_ms: u64,
    /// Others' batches wait this long to be written; they can be had again from others.
    pub record_ms: u64,
    /// Between two rounds of anti-entropy, each with one neighbour, ± a quarter.
    pub sync_ms: u64,
    /// A claim holds at least this long; then its units are anybody's again.
    pub lease_ms: u64,
    /// An opening is overdue this long after its unit had its commits.
    pub silence_ms: u64,
    /// Work that a node claims at once lasts at most this long by its own measure.
    pub span_ms: u64,
    /// Work handed to the body ahead of need, so that short units do not wait for the mind.
    pub ahead_ms: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            commit_ms: 250,
            opening_ms: 100,
            gather_ms: 1_500,
            record_ms: 500,
            sync_ms: 2_000,
            lease_ms: 30_000,
            silence_ms: 30_000,
            span_ms: 10_000,
            ahead_ms: 60,
        }
    }
}

/// What bounds the state. Reaching one sheds load and is told as
/// [`Fault::OverLimit`](crate::Fault::OverLimit).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Units of all lots looked into; bounds the memory of boards.
    pub units: u64,
    /// Jobs known at once.
    pub jobs: usize,
    /// Authors in a gossip lot.
    pub authors: usize,
    /// Incarnations of one author in a gossip lot.
    pub incarnations: usize,
    /// Batches in one incarnation's log.
    pub batches: usize,
    /// Batches kept that came before the one they follow.
    pub waiting: usize,
    /// Units claimed at once.
    pub span_units: u32,
    /// Units that one peer may hold claimed in a lot.
    pub claim_units: u32,
    /// Units handed to the body at once, for each slot.
    pub ahead_units: usize,
}

/// The limits that every node keeps. Node-wide: 256 jobs, some 300 MB of statements at worst use
/// by honest peers.
pub const LIMITS: Limits = Limits {
    units: 4_000_000,
    jobs: 256,
    authors: 1_024,
    incarnations: 64,
    batches: 65_536,
    waiting: 64,
    span_units: 1_024,
    claim_units: 8_192,
    ahead_units: 128,
};

/// Peers that could not run a unit before it has failed.
pub const VOID_PEERS_MAX: usize = 3;
/// Openings overdue in one job before its author is not counted on there.
pub const SILENT_MAX: u32 = 3;
/// Units of all jobs together that a node holds as somebody's delegate: anybody may name it.
pub const DELEGATED_UNITS_MAX: u64 = 200_000;
/// … and jobs of others: what a node decides it does not let go of for strangers.
pub const DELEGATED_JOBS_MAX: usize = 16;
/// Submitters whose jobs must speak against a peer before it is barred from all; this node's own suffice.
pub const STRIKES_MAX: usize = 2;
/// Peers whose network is remembered, for the rosters of this node's audited jobs.
pub const NETWORKS_MAX: usize = 10_000;
/// Wrong answers in one submitter's jobs before a peer is barred from them.
pub const WRONG_MAX: u64 = 3;
/// … if they are at least this share of its answers (one in so many): hardware errs too.
pub const WRONG_SHARE: u64 = 100;
/// Claims of the same block that come this close together are ordered by hash, not by receipt.
pub const NEAR_TIE_MS: u64 = 500;
/// A run is given up for an earlier claim within this time from its begin; later it is as good as
/// the other.
pub const YIELD_MS: u64 = 1_500;
/// Live claims on one unit that are remembered; more than any quorum wants.
pub const CLAIMS_MAX: usize = 32;
/// The longest lease, milliseconds: whoever announces next to no speed holds nothing for days.
pub const LEASE_MS_MAX: u64 = 4 * 3_600 * 1_000;
/// Who holds units of a lot is not silent there for longer, or than half a unit takes, milliseconds …
pub const BEAT_MS: u64 = 10_000;
/// … and taken to be gone after so many times as long.
pub const BEATS_MISSED: u64 = 3;
/// A unit that has been decided this long is put away: copies that were under way have come by then,
/// milliseconds.
pub const ARCHIVE_MS: u64 = 30_000;
/// Undone units that an idle node looks at before it copies one.
pub const RESCUE_SAMPLE: usize = 16;
/// Claims on a unit beyond the wanted ones, above which nobody copies it once more.
pub const RESCUES_MAX: usize = 8;
/// A copy must be done in this share of the time that it would take without it, percent.
pub const RESCUE_PERCENT: u64 = 70;
/// How long an idle node waits before it looks for somebody to rescue again, milliseconds.
pub const RESCUE_PAUSE_MS: u64 = 500;
/// A lot's first commits wait so many times shorter for company than later ones.
pub const FIRST_TIMES: u64 = 8;
/// An announced speed counts up to so many times what the author was seen to deliver: fuel is known
/// only when a unit is verified, so what is seen lags behind what is there …
pub const SPEED_TRUST: u64 = 2;
/// … which is known after so many verified units.
pub const RELEASED_KNOWN: u64 = 3;
/// Units that any author may hold claimed in a lot …
pub const UNRELEASED_MIN: usize = 32;
/// … or so many for each verified one …
pub const UNRELEASED_TIMES: usize = 4;
/// … or so much work for each slot at the usual speed, milliseconds: of tiny units many are claimed
/// at once …
pub const UNRELEASED_WORK_MS: u64 = 10_000;
/// … but of a large lot one in so many.
pub const UNRELEASED_SHARE: usize = 20;
/// Each lease that ends undelivered doubles the time for which the author's claims bind nobody, so
/// often at most (some two hours).
pub const BACK_OFF_DOUBLINGS: u32 = 8;
/// Units in a block: what is picked and ordered together, so that claims stay ranges.
pub const BLOCK_UNITS: u32 = 64;
