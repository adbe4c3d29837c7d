//! A job's signed description. Small by rule: it travels by gossip to everybody.
//!
//! [`Work`] is what is computed and has its own name, so that nothing a guest sees depends on who
//! asks; the rest says who asks and how much proof they want.
use crate::{
    About, AboutError, CHECKERS_MAX, CHECKERS_SPANS_MAX, Hash, JobId, LeastCheckers, LotIndex,
    PeerKey, Span, Stamp, UnitIndex, WorkId, wire::WireError,
};
use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// The contract of execution that this version keeps; nodes vote only with nodes of the same one.
pub const ENGINE: &str = "dugnad-1";

/// What is computed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Work {
    /// The contract of execution, [`ENGINE`].
    pub engine: String,
    /// The wasm module.
    pub module: Hash,
    /// The units.
    pub units: Units,
    /// Seeds what the guest draws at random.
    pub seed: u64,
    /// Arguments that every unit gets, before its own.
    pub args: Vec<String>,
    /// The environment, sorted by name.
    pub env: Vec<(String, String)>,
    /// What a run may use.
    pub limits: RunLimits,
}

/// The units of a job.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub enum Units {
    /// Units 0..count; standard input is the index in decimal and a newline.
    Range {
        /// How many.
        count: u32,
    },
    /// Units listed in a table.
    Table {
        /// How many.
        count: u32,
        /// The blob of the table's [directory](crate::TableDirectory).
        directory: Hash,
    },
}

/// What one run may use.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct RunLimits {
    /// Instructions.
    pub fuel: u64,
    /// Linear memory, MiB.
    pub memory_mib: u32,
    /// Standard output, bytes.
    pub output_bytes: u64,
}

impl Default for RunLimits {
    fn default() -> Self {
        RunLimits { fuel: 100_000_000_000, memory_mib: 512, output_bytes: 16 << 20 }
    }
}

/// How much proof makes a unit verified.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub enum Profile {
    /// `n` equal answers by distinct peers, none of whom could have copied.
    Quorum {
        /// Equal answers wanted, 1 to [`QUORUM_MAX`].
        n: u8,
        /// Opened answers, equal ones counted once, after which a unit without a quorum has failed.
        max_executions: u8,
        /// Units that the owner computes again itself, percent, 0 to 100, drawn when their answers are
        /// fixed; with any its word goes before a quorum's.
        recheck_percent: u8,
    },
    /// One answer, by a peer that the owner trusts, and as many more of peers that it draws after the
    /// fact as keep wrong ones rare.
    Audited(AuditTerms),
    /// One answer whose output the module's own `verify` finds right, on the owner's node: for work that is
    /// dear to do and cheap to check.
    Checked,
}

/// What the owner of an audited job promises, in whole numbers.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct AuditTerms {
    /// Wrong units among the released on average, at most, in billionths; 1 to [`ERROR_PPB_MAX`].
    pub max_error_ppb: u32,
    /// Share of the roster's weight that may agree on lies, percent; 1 to [`FRIENDS_PERCENT_MAX`].
    pub friends_percent: u8,
    /// Executions a unit on average after which the job is released with what is achieved; 2 to 100.
    pub cost_max: u8,
    /// Answers that the owner finds right by its own computation before it trusts a peer; 1 to 100.
    pub proofs: u8,
    /// The end of the hash chain of the seeds: the seed of the first pass hashes to it, that of each
    /// later pass to the one before (Lamport, *Password Authentication with Insecure
    /// Communication*, 1981). So none can be chosen after the answers are known.
    pub seeds: Hash,
    /// Who may decide in the owner's stead, in this order, when it is silent.
    pub delegates: [Option<PeerKey>; DELEGATES_MAX],
    /// Silence of the owner after which the first of them steps in, and of both after which the next
    /// does, and so on, seconds; not 0.
    pub delegate_after_s: u16,
}

/// Most peers that an owner may name to decide in its stead.
pub const DELEGATES_MAX: usize = 4;
/// How long an owner is silent before a delegate steps in, where nothing else is said, seconds.
pub const DELEGATE_AFTER_S: u16 = 600;

impl AuditTerms {
    /// The usual terms for an error of so many billionths.
    pub fn new(max_error_ppb: u32, seeds: Hash) -> AuditTerms {
        AuditTerms {
            max_error_ppb,
            friends_percent: 30,
            cost_max: 8,
            proofs: 20,
            seeds,
            delegates: [None; DELEGATES_MAX],
            delegate_after_s: DELEGATE_AFTER_S,
        }
    }

    /// Who may decide in the owner's stead.
    pub fn delegates(&self) -> impl Iterator<Item = PeerKey> {
        self.delegates.into_iter().flatten()
    }

    fn check(self) -> Result<(), ManifestError> {
        let AuditTerms { max_error_ppb, friends_percent, cost_max, proofs, .. } = self;
        let error = |what, got: u32, most| Err(ManifestError::Audit { what, got, most });
        match self {
            _ if !(1..=ERROR_PPB_MAX).contains(&max_error_ppb) => {
                error("billionths of error", max_error_ppb, ERROR_PPB_MAX)
            }
            _ if !(1..=FRIENDS_PERCENT_MAX).contains(&friends_percent) => {
                error("percent of friends", friends_percent.into(), FRIENDS_PERCENT_MAX.into())
            }
            _ if !(2..=100).contains(&cost_max) => error("executions a unit", cost_max.into(), 100),
            _ if !(1..=100).contains(&proofs) => error("proofs", proofs.into(), 100),
            _ if self.delegate_after_s == 0 => error("seconds of silence", 0, u16::MAX.into()),
            _ => Ok(()),
        }
    }
}

/// The seed before a seed in its chain.
pub fn seed_before(seed: &Hash) -> Hash {
    Hash::derive("dugnad 1 seed chain", &[&seed.0])
}

/// Largest error that an audited job may ask for, billionths: a tenth.
pub const ERROR_PPB_MAX: u32 = 100_000_000;
/// Largest share of friends: with more, most checkers are liars.
pub const FRIENDS_PERCENT_MAX: u8 = 49;

impl Profile {
    /// Answers to a unit that are wanted at once.
    pub fn wanted(self) -> u8 {
        match self {
            Profile::Quorum { n, .. } => n,
            Profile::Audited(_) | Profile::Checked => 1,
        }
    }
}

/// Largest quorum that a manifest may ask for; bounds the citations of an opening.
pub const QUORUM_MAX: u8 = 8;

impl Profile {
    /// The profile with its default cap of four executions for each one wanted.
    pub fn quorum(n: u8) -> Profile {
        Profile::rechecked(n, 0)
    }

    /// The same with so many percent of the units computed again by the owner.
    pub fn rechecked(n: u8, recheck_percent: u8) -> Profile {
        Profile::Quorum { n, max_executions: n.saturating_mul(4).max(4), recheck_percent }
    }

    /// Units that the owner computes again after a quorum, percent.
    pub fn recheck_percent(self) -> u8 {
        match self {
            Profile::Quorum { recheck_percent, .. } => recheck_percent,
            Profile::Audited(_) | Profile::Checked => 0,
        }
    }
}

/// A job's description, as its owner signs it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Manifest {
    /// Who asks.
    pub owner: PeerKey,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub about: About,
    /// What is computed.
    pub work: Work,
    /// How much proof is wanted.
    pub profile: Profile,
    /// Module that merges the outputs in unit order, if any; run where they are fetched.
    pub merge: Option<Hash>,
    /// Units in a gossip lot.
    pub lot_units: u32,
    /// Tells one job from another with the same work.
    pub salt: u64,
    /// How much it weighs beside other jobs, 1 to [`PRIORITY_MAX`]; nodes share their time by it.
    pub priority: u8,
    /// Seconds after its submission by which its owner wants it done; 0 for whenever. It is counted
    /// from when a node hears of the job.
    pub deadline_s: u32,
    /// Units of an audited job that have some checkers in any case; at most [`CHECKERS_SPANS_MAX`].
    pub checkers: Vec<LeastCheckers>,
}

/// A manifest's bytes with its owner's signature over them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct SignedManifest {
    /// Postcard of a [`Manifest`].
    pub bytes: Vec<u8>,
    /// Ed25519 over [`MANIFEST_CONTEXT`] and `bytes`, 64 bytes.
    pub signature: Vec<u8>,
    /// The work that was done for it; no part of what the job is.
    pub stamp: Stamp,
}

/// What is signed before a manifest's bytes, so that no other statement can be taken for one.
pub const MANIFEST_CONTEXT: &[u8] = b"dugnad 1 manifest\0";

/// Largest manifest, bytes.
pub const MANIFEST_BYTES_MAX: usize = 8 << 10;
/// Most units in a job.
pub const UNITS_MAX: u32 = 10_000_000;
/// The highest priority; the usual one is 1.
pub const PRIORITY_MAX: u8 = 100;
/// Units in a gossip lot where nothing else is said.
pub const LOT_UNITS_DEFAULT: u32 = 16_384;
/// Most units in a gossip lot; with [`UNITS_MAX`] it bounds a board's memory.
pub const LOT_UNITS_MAX: u32 = 65_536;

/// Most gossip lots in a job; nodes remember what they heard of each.
pub const LOTS_MAX: u32 = 4_096;

impl Work {
    /// The name of what is computed.
    pub fn id(&self) -> WorkId {
        let bytes = postcard::to_allocvec(self).unwrap_or_default();
        WorkId(Hash::derive("dugnad 1 work", &[&bytes]))
    }
}

impl Units {
    /// How many there are.
    pub fn count(&self) -> u32 {
        match self {
            Units::Range { count } | Units::Table { count, .. } => *count,
        }
    }
}

impl Manifest {
    /// Who may say what becomes of a job that is audited, checked or computed again by its owner, who is the
    /// first: each is a *signer*. Of any other job nobody may.
    pub fn signers(&self) -> Vec<PeerKey> {
        match &self.profile {
            Profile::Quorum { recheck_percent: 0, .. } => Vec::new(),
            Profile::Quorum { .. } | Profile::Checked => Vec::from([self.owner]),
            Profile::Audited(terms) => [self.owner].into_iter().chain(terms.delegates()).collect(),
        }
    }

    /// The lot that a unit belongs to.
    pub fn lot_of(&self, unit: UnitIndex) -> LotIndex {
        unit / self.lot_units
    }

    /// How many gossip lots the job is cut into.
    pub fn lots(&self) -> u32 {
        self.work.units.count().div_ceil(self.lot_units)
    }

    /// The units of a lot.
    pub fn lot_range(&self, lot: LotIndex) -> core::ops::Range<UnitIndex> {
        let first = lot.saturating_mul(self.lot_units).min(self.work.units.count());
        first..first.saturating_add(self.lot_units).min(self.work.units.count())
    }

    /// Postcard bytes, ready to be signed.
    ///
    /// # Errors
    /// What [`check`](Self::check) finds, or that it is too large.
    pub fn encode(&self) -> Result<Vec<u8>, ManifestError> {
        self.check()?;
        let bytes = postcard::to_allocvec(self).map_err(|_| ManifestError::TooLarge)?;
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLarge);
        }
        Ok(bytes)
    }

    /// Whether every figure lies within the named limits.
    ///
    /// # Errors
    /// The first figure that does not.
    pub fn check(&self) -> Result<(), ManifestError> {
        let count = self.work.units.count();
        if self.work.engine != ENGINE {
            return Err(ManifestError::Engine);
        }
        if count == 0 || count > UNITS_MAX {
            return Err(ManifestError::UnitCount(count));
        }
        if self.lot_units == 0 || self.lot_units > LOT_UNITS_MAX || self.lots() > LOTS_MAX {
            return Err(ManifestError::LotUnits(self.lot_units));
        }
        self.check_checkers()?;
        self.about.check()?;
        if self.priority == 0 || self.priority > PRIORITY_MAX {
            return Err(ManifestError::Priority(self.priority));
        }
        match self.profile {
            Profile::Quorum { n, max_executions, .. }
                if n == 0 || n > QUORUM_MAX || max_executions < n =>
            {
                Err(ManifestError::Quorum { n, max_executions })
            }
            Profile::Quorum { recheck_percent: percent @ 101.., .. } => {
                Err(ManifestError::Recheck(percent))
            }
            Profile::Quorum { .. } | Profile::Checked => Ok(()),
            Profile::Audited(terms) => {
                let mut signers = self.signers();
                signers.sort_unstable();
                match signers.windows(2).any(|two| two[0] == two[1]) {
                    true => Err(ManifestError::DelegateTwice),
                    false => terms.check(),
                }
            }
        }
    }
}

impl Manifest {
    fn check_checkers(&self) -> Result<(), ManifestError> {
        let audited = matches!(self.profile, Profile::Audited(_));
        let fits = |one: &LeastCheckers| {
            let Span { first, count } = one.units;
            let within = first.checked_add(count).is_some_and(|end| end <= self.work.units.count());
            within && count > 0 && (1..=CHECKERS_MAX).contains(&one.least)
        };
        match self.checkers.as_slice() {
            [] => Ok(()),
            _ if !audited => Err(ManifestError::NoCheckers),
            some if some.len() > CHECKERS_SPANS_MAX || !some.iter().all(fits) => {
                Err(ManifestError::Checkers)
            }
            _ => Ok(()),
        }
    }
}

impl SignedManifest {
    /// The name of the job.
    pub fn id(&self) -> JobId {
        JobId(Hash::derive("dugnad 1 job", &[&self.bytes, &self.signature]))
    }

    /// The manifest, checked against the named limits. The signature is the body's to check.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(&self) -> Result<Manifest, ManifestError> {
        if self.bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLarge);
        }
        let manifest: Manifest = crate::wire::decode(&self.bytes, MANIFEST_BYTES_MAX)?;
        manifest.check()?;
        Ok(manifest)
    }
}

/// What is wrong with a manifest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ManifestError {
    /// Over [`MANIFEST_BYTES_MAX`].
    TooLarge,
    /// Not the bytes of a manifest.
    Malformed(WireError),
    /// Made for another contract of execution.
    Engine,
    /// None, or over [`UNITS_MAX`].
    UnitCount(u32),
    /// None, over [`LOT_UNITS_MAX`], or so few that there are over [`LOTS_MAX`] lots.
    LotUnits(u32),
    /// None, or over [`PRIORITY_MAX`].
    Priority(u8),
    /// A quorum of none, over [`QUORUM_MAX`], or over its own cap.
    Quorum {
        /// Equal answers asked for.
        n: u8,
        /// Executions allowed.
        max_executions: u8,
    },
    /// What is said of it is too long, or not for people's eyes.
    About(AboutError),
    /// More than all units, percent.
    Recheck(u8),
    /// A figure of [`AuditTerms`] outside its limits.
    Audit {
        /// Which.
        what: &'static str,
        /// As asked for.
        got: u32,
        /// The most allowed.
        most: u32,
    },
    /// A delegate that is named twice, or is the owner.
    DelegateTwice,
    /// Checkers are asked for of a job that has none.
    NoCheckers,
    /// [`Manifest::checkers`] names units that are not there, none or too many checkers, or is too long.
    Checkers,
}

impl From<AboutError> for ManifestError {
    fn from(error: AboutError) -> Self {
        ManifestError::About(error)
    }
}

impl From<WireError> for ManifestError {
    fn from(error: WireError) -> Self {
        ManifestError::Malformed(error)
    }
}

impl core::fmt::Display for ManifestError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            ManifestError::TooLarge => write!(
                f,
                "the manifest is over {MANIFEST_BYTES_MAX} bytes; shorten args, env or name (inputs belong in files)"
            ),
            ManifestError::Malformed(error) => write!(f, "not a manifest: {error}"),
            ManifestError::Engine => write!(f, "made for another engine than {ENGINE}"),
            ManifestError::UnitCount(count) => {
                write!(f, "{count} units; a job has 1 to {UNITS_MAX}")
            }
            ManifestError::LotUnits(units) => {
                write!(
                    f,
                    "{units} units in a gossip lot; 1 to {LOT_UNITS_MAX} are allowed, and at most {LOTS_MAX} lots"
                )
            }
            ManifestError::Priority(priority) => {
                write!(f, "priority {priority}; 1 to {PRIORITY_MAX} are allowed, 1 is usual")
            }
            ManifestError::Quorum { n, max_executions } => write!(
                f,
                "quorum={n} with at most {max_executions} executions; a quorum is 1 to {QUORUM_MAX} and within its executions"
            ),
            ManifestError::About(error) => write!(f, "{error}"),
            ManifestError::Recheck(percent) => {
                write!(f, "{percent} % of the units to be computed again; 0 to 100 are possible")
            }
            ManifestError::Audit { what, got, most } => {
                write!(f, "audited with {got} {what}; some are needed, and at most {most} allowed")
            }
            ManifestError::NoCheckers => {
                f.write_str("least checkers go with profile = \"audited\" alone; others draw none")
            }
            ManifestError::Checkers => write!(
                f,
                "least checkers name units of the job, 1 to {CHECKERS_MAX} checkers, in at most {CHECKERS_SPANS_MAX} entries"
            ),
            ManifestError::DelegateTwice => f.write_str(
                "a delegate is named twice, or is the submitter's own node; name each once",
            ),
        }
    }
}

impl core::error::Error for ManifestError {}
