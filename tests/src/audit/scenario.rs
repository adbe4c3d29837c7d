//! A trial as data. Every field has a default, unknown ones are errors.
use crate::scenario::{first_wrong, read_with};
use coordinator_free_scheduler::verify::audited::{
    FRIENDS_USUAL, Level, Terms, first_level, survival,
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::path::Path;

/// How units are verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// By draws after the close.
    Audited,
    /// By so many equal answers.
    Quorum(u8),
    /// As BOINC's adaptive replication does it: whoever was right ten times in a row is mostly believed
    /// (Anderson, *BOINC: A Platform for Volunteer Computing*, 2019).
    Adaptive,
}

/// A crowd, its work and a policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trial {
    /// `audited`, `quorum=N` or `adaptive`.
    #[serde(deserialize_with = "policy")]
    pub profile: Policy,
    /// Peers, attackers included.
    pub peers: usize,
    /// Units of the job, which is one verification lot.
    pub units: u32,
    /// Wrong units among the released, at most, as a share.
    pub max_error: f64,
    /// Share of the roster's weight that is taken to be friends at most.
    pub friends: f64,
    /// Whether the owner knows the peers from before; if not it has to learn whom to trust.
    pub warm: bool,
    /// Units right by the owner's own computation that make a peer trusted.
    pub k0: u32,
    /// Share of peers with the second class of processors.
    pub arch_mix: f64,
    /// Classes of processors that the owner can compute on, 1 or 2.
    pub owner_archs: u8,
    /// Share of honest peers that nobody knows yet.
    pub newcomers: f64,
    /// Share of the units that newcomers compute beside, to become known.
    pub bonus: f64,
    /// Probability that a checker is gone when it is drawn.
    pub churn: f64,
    /// Share of units that are executed twice, by chance or because messages cross.
    pub duplicates: f64,
    /// Whether what the convicted vouched for is open again.
    pub backtracking: bool,
    /// Whether lies make the lot climb the ladder.
    pub escalation: bool,
    /// Everything random follows from it.
    pub seed: u64,
    /// Peers that do harm.
    pub attacker: Vec<Attacker>,
}

/// Peers that do harm; `fraction` is their share of all weight, or of peers where they have none, and a
/// `budget` of 0 the number of lies that pays best.
pub type Attacker = crate::scenario::Attacker<Kind>;

/// What harm a peer does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Answers wrong from its first day, each in its own way.
    Naive,
    /// Trusted; answers wrong and vouches for its friends' lies.
    Colluder,
    /// The same, for no more than `budget` lies.
    Sleeper,
    /// Comes back under a new key whenever it is found out.
    Whitewasher,
    /// A sleeper that takes as many of the units as it may.
    LotCapturer,
    /// A sleeper that says it has other processors than the owner.
    ForeignArch,
    /// A sleeper, some of whose friends lie often, so that the many who lie once seem to be few.
    Decoy,
    /// Checks by repeating what is public.
    Copier,
    /// Checks by agreeing with whatever it is told; a few others lie.
    LazyChecker,
    /// Says of right answers that they are wrong.
    Accuser,
    /// Says nothing when it is drawn.
    Withholder,
    /// Says two things of one unit.
    Equivocator,
    /// Names more fuel than there was, all the same.
    GreedyFuel,
    /// Has keys and jobs of its own that praise it.
    SelfDealer,
    /// Made a module that computes other things on other processors.
    ArchSplitter,
    /// An owner that closes before all is computed, and twice.
    EarlyCloser,
}

/// All kinds, for a matrix.
pub const KINDS: [Kind; 16] = [
    Kind::Naive,
    Kind::Colluder,
    Kind::Sleeper,
    Kind::Whitewasher,
    Kind::LotCapturer,
    Kind::Decoy,
    Kind::ForeignArch,
    Kind::Copier,
    Kind::LazyChecker,
    Kind::Accuser,
    Kind::Withholder,
    Kind::Equivocator,
    Kind::GreedyFuel,
    Kind::SelfDealer,
    Kind::ArchSplitter,
    Kind::EarlyCloser,
];

impl Kind {
    /// Whether the owner trusts it: it was good until now.
    pub fn is_trusted(self) -> bool {
        !matches!(self, Kind::Naive | Kind::Whitewasher | Kind::SelfDealer)
    }

    /// Whether those who do it vouch for each other's lies.
    pub fn has_friends(self) -> bool {
        matches!(
            self,
            Kind::Colluder
                | Kind::Sleeper
                | Kind::LotCapturer
                | Kind::Decoy
                | Kind::ForeignArch
                | Kind::LazyChecker
                | Kind::GreedyFuel
        )
    }

    /// Whether it is done by some of the peers that compute.
    pub fn is_a_peer(self) -> bool {
        !matches!(self, Kind::ArchSplitter | Kind::EarlyCloser)
    }
}

impl Default for Trial {
    fn default() -> Self {
        Trial {
            profile: Policy::Audited,
            peers: 200,
            units: 20_000,
            max_error: 1e-4,
            friends: FRIENDS_USUAL,
            warm: true,
            k0: 5,
            arch_mix: 0.0,
            owner_archs: 2,
            newcomers: 0.0,
            bonus: 0.03,
            churn: 0.0,
            duplicates: 0.0,
            backtracking: true,
            escalation: true,
            seed: 1,
            attacker: Vec::new(),
        }
    }
}

/// The number of lies that pays best at a level: with more the whole is all but sure to be found out.
pub fn best_budget(level: Level, friends: f64) -> u64 {
    let found = 1.0 - survival(level, friends);
    (1.0 / found.max(1e-9)).max(1.0) as u64
}

fn policy<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Policy, D::Error> {
    let text = String::deserialize(deserializer)?;
    let quorum = text.strip_prefix("quorum=").and_then(|n| n.parse().ok());
    match (text.as_str(), quorum) {
        ("audited", _) => Ok(Policy::Audited),
        ("adaptive", _) => Ok(Policy::Adaptive),
        (_, Some(n @ 1..=8)) => Ok(Policy::Quorum(n)),
        _ => Err(D::Error::custom(format!(
            "`{text}`: expected audited, adaptive, or quorum=1 to quorum=8"
        ))),
    }
}

impl Trial {
    /// Whether a scenario file is about the rules alone: it says how much error is allowed.
    pub fn is_one(text: &str) -> bool {
        text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("max_error"))
    }

    /// Reads a scenario file, with some keys set to other values.
    ///
    /// # Errors
    /// Where it is not one, in a sentence.
    pub fn load(path: &Path, set: &[String]) -> Result<Trial, String> {
        let trial: Trial = read_with(path, set)?;
        trial.check().map_err(|why| format!("{}: {why}", path.display()))?;
        Ok(trial)
    }

    fn check(&self) -> Result<(), String> {
        let share = |share: f64| (0.0..=1.0).contains(&share);
        let harm: f64 = self.attacker.iter().map(|attacker| attacker.fraction).sum();
        let wrong = [
            (self.peers < 2 || self.units == 0, "peers at least 2, units at least 1"),
            (!share(self.max_error) || self.max_error == 0.0, "max_error: above 0, at most 1"),
            (
                !(self.friends > 0.0 && self.friends < 1.0),
                "friends: a share between 0 and 1, neither of them",
            ),
            (!(1..=2).contains(&self.owner_archs), "owner_archs: 1 or 2"),
            (harm >= 1.0, "attacker.fraction: together below 1"),
            (
                ![self.arch_mix, self.newcomers, self.bonus, self.churn, self.duplicates]
                    .into_iter()
                    .all(share),
                "arch_mix, newcomers, bonus, churn and duplicates: shares from 0 to 1",
            ),
        ];
        first_wrong(&wrong)
    }

    /// What the owner asks for.
    pub fn terms(&self) -> Terms {
        Terms {
            friends: self.friends,
            backtracking: self.backtracking,
            escalation: self.escalation,
            ..Terms::new(self.max_error)
        }
    }

    /// How hard the lot is checked before anybody was caught.
    pub fn first_level(&self) -> Level {
        first_level(self.units, self.max_error, self.friends)
    }

    /// The number of lies that pays best where all have to survive the first level: with more the whole is
    /// all but sure to be found out.
    pub fn best_budget(&self) -> u64 {
        best_budget(self.first_level(), self.friends)
    }

    /// Lies that attackers place in all.
    pub fn budget(&self) -> u64 {
        match self.attacker.iter().map(|attacker| attacker.budget).max() {
            Some(0) => self.best_budget(),
            Some(budget) => budget,
            None => 0,
        }
    }

    /// Whether somebody does this.
    pub fn has(&self, kind: Kind) -> bool {
        self.attacker.iter().any(|attacker| attacker.kind == kind)
    }
}
