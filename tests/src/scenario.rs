//! A scenario: what grid is simulated, as data. Every field has a default, unknown ones are errors.
use crate::draws::Draw;
pub use crate::{
    harm::{Attacker, Kind},
    terms::Audit,
};
use coordinator_free_scheduler::{PRIORITY_MAX, PeerKey, Profile};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use std::{collections::BTreeMap, path::Path};

/// A grid, its work and its troubles. Times are seconds unless their name says otherwise.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Peers, attackers and late ones included. The first one submits, and is always there.
    pub peers: usize,
    /// Units of each job.
    pub units: u32,
    /// Units of a gossip lot.
    pub lot_units: u32,
    /// Jobs; the n-th is submitted by the n-th peer.
    pub jobs: usize,
    /// How much each job weighs; those beyond the list weigh 1.
    pub priorities: Vec<u8>,
    /// When each job should be done, counted from its submission; 0 and beyond the list: whenever.
    pub deadlines_s: Vec<u32>,
    /// Everything random follows from it.
    pub seed: u64,
    /// How the owner of an audited job is; without it answers are voted on.
    pub audit: Option<Audit>,
    /// Whether answers are checked by the module's own `verify`, instead.
    pub checked: bool,
    /// Units that the owner computes again after a vote, percent.
    pub recheck_percent: u8,
    /// Peers that are one donor's, by number, where answers are voted on.
    pub kin: Vec<usize>,
    /// Peers with another class of processors, by number, where answers are voted on: all that they compute
    /// comes to something else.
    pub other_arch: Vec<usize>,
    /// Equal answers wanted, as `quorum=N`; one in an audited job.
    #[serde(deserialize_with = "quorum")]
    pub profile: u8,
    /// Seconds between two submissions.
    pub jobs_apart_s: u64,
    /// Units that a peer runs at once.
    pub slots: usize,
    /// Neighbours of a peer.
    pub neighbours: usize,
    /// Time after which the run has failed.
    pub limit_s: u64,
    /// One in so many inputs is followed by a check of the node's invariants; 0 for none.
    pub check_every: u64,
    /// What units cost.
    pub cost: Cost,
    /// How unlike peers are.
    pub speed: Speed,
    /// What lies between peers.
    pub network: Network,
    /// How peers come and go, if they do.
    pub churn: Option<Churn>,
    /// Times when the network is cut.
    pub partition: Vec<Partition>,
    /// Peers that come later.
    pub late: Vec<Late>,
    /// Peers that stand still for a while.
    pub freeze: Vec<Freeze>,
    /// Peers that do harm.
    pub attacker: Vec<Attacker>,
    /// What each unit of a manifest costs, hashes.
    pub work_factor: u32,
}

/// How a figure is spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dist {
    /// Not at all.
    Const,
    /// As products of many small causes are.
    Lognormal,
}

/// What units cost: seconds on a peer of speed 1.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cost {
    /// How costs are spread.
    pub dist: Dist,
    /// Their mean.
    pub mean: f64,
    /// Their coefficient of variation.
    pub cv: f64,
    /// Whether the manifest tells what units cost, for ordering.
    pub hints: bool,
}

/// How unlike peers are.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Speed {
    /// How speeds are spread, around a median of 1.
    pub dist: Dist,
    /// The 99th percentile over the first.
    pub p99_over_p1: f64,
}

/// What lies between peers.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// Least and greatest time of a message, milliseconds.
    pub latency_ms: [u64; 2],
    /// Share of messages lost.
    pub loss: f64,
    /// Whether there is gossip; without it anti-entropy is alone.
    pub gossip: bool,
    /// Time of a flush to disk, microseconds.
    pub disk_us: u64,
}

/// How peers come and go: exponential times, or a trace. A peer that goes is killed and loses what
/// was not on disk.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Churn {
    /// Mean time that a peer stays.
    pub mean_session_s: f64,
    /// Mean time that it is away.
    pub mean_absence_s: f64,
    /// A CSV file beside the scenario instead: `peer,on_s,off_s`.
    pub trace: Option<String>,
    /// When all this ends and everybody is back, if ever.
    pub until_s: Option<u64>,
    /// What the trace says, by peer.
    #[serde(skip)]
    pub traced: BTreeMap<usize, Vec<(f64, f64)>>,
}

/// A time when the network falls into groups that do not hear each other.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// When.
    pub at_s: u64,
    /// For how long.
    pub for_s: u64,
    /// Into how many groups.
    pub groups: usize,
}

/// Peers that come later, counted from the end of the honest ones.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Late {
    /// How many.
    pub peers: usize,
    /// When.
    pub at_s: u64,
}

/// A peer that stands still, then goes on.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// Which.
    pub peer: usize,
    /// When.
    pub at_s: u64,
    /// For how long.
    pub for_s: u64,
}

impl Default for Scenario {
    fn default() -> Self {
        Scenario {
            peers: 4,
            units: 100,
            lot_units: 16_384,
            jobs: 1,
            jobs_apart_s: 2,
            priorities: Vec::new(),
            deadlines_s: Vec::new(),
            seed: 1,
            audit: None,
            checked: false,
            recheck_percent: 0,
            kin: Vec::new(),
            other_arch: Vec::new(),
            profile: 2,
            slots: 1,
            neighbours: 12,
            limit_s: 3_600,
            check_every: 0,
            cost: Cost::default(),
            speed: Speed::default(),
            network: Network::default(),
            churn: None,
            partition: Vec::new(),
            late: Vec::new(),
            freeze: Vec::new(),
            attacker: Vec::new(),
            work_factor: 0,
        }
    }
}

impl Default for Cost {
    fn default() -> Self {
        Cost { dist: Dist::Const, mean: 1.0, cv: 1.0, hints: false }
    }
}

impl Default for Speed {
    fn default() -> Self {
        Speed { dist: Dist::Const, p99_over_p1: 100.0 }
    }
}

impl Default for Network {
    fn default() -> Self {
        Network { latency_ms: [50, 500], loss: 0.01, gossip: true, disk_us: 4_000 }
    }
}

fn quorum<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let text = String::deserialize(deserializer)?;
    let n =
        text.strip_prefix("quorum=").and_then(|n| n.parse().ok()).filter(|n| (1..=8).contains(n));
    n.ok_or_else(|| D::Error::custom(format!("`{text}`: expected quorum=1 to quorum=8")))
}

impl Scenario {
    /// Reads a scenario file, with some keys set to other values: `cost.mean=2.5`.
    ///
    /// # Errors
    /// Where it is not one, in a sentence.
    pub fn load(path: &Path, set: &[String]) -> Result<Scenario, String> {
        let mut scenario: Scenario = read_with(path, set)?;
        if let Some(churn) = &mut scenario.churn
            && let Some(trace) = &churn.trace
        {
            churn.traced = read_trace(&path.with_file_name(trace))?;
        }
        scenario.check().map_err(|why| format!("{}: {why}", path.display()))?;
        Ok(scenario)
    }

    /// Whether a grid can be made of it.
    fn check(&self) -> Result<(), String> {
        let harmful: usize = self.attacker.iter().map(|attacker| self.count(attacker)).sum();
        let late: usize = self.late.iter().map(|late| late.peers).sum();
        let [least, most] = self.network.latency_ms;
        let wrong = [
            (
                self.peers == 0 || self.units == 0 || self.jobs == 0,
                "peers, units and jobs: at least 1",
            ),
            (self.slots == 0 || self.lot_units == 0, "slots and lot_units: at least 1"),
            (
                harmful + late >= self.peers,
                "at least one peer must be honest and there from the start",
            ),
            (self.jobs > self.peers, "a job is submitted by a peer of its own: too few peers"),
            (
                self.priorities.iter().any(|priority| !(1..=PRIORITY_MAX).contains(priority)),
                "priorities: 1 to 100 each",
            ),
            (self.cost.mean <= 0.0 || self.cost.cv < 0.0, "cost: mean above 0, cv at least 0"),
            (self.speed.p99_over_p1 < 1.0, "speed.p99_over_p1: at least 1"),
            (!(0.0..1.0).contains(&self.network.loss), "network.loss: a share below 1"),
            (least > most, "network.latency_ms: the least comes first"),
            (self.partition.iter().any(|cut| cut.groups == 0), "partition.groups: at least 1"),
            (
                self.freeze.iter().any(|freeze| freeze.peer >= self.peers),
                "freeze.peer: no such peer",
            ),
        ];
        first_wrong(&wrong)
    }

    fn count(&self, attacker: &Attacker) -> usize {
        (attacker.fraction.clamp(0.0, 1.0) * self.peers as f64).round() as usize
    }

    /// The profile of an owner's job with this salt.
    pub fn profile(&self, owner: PeerKey, salt: u64) -> Profile {
        match &self.audit {
            None if self.checked => Profile::Checked,
            None => Profile::rechecked(self.profile, self.recheck_percent),
            Some(audit) => Profile::Audited(audit.terms(owner, salt)),
        }
    }

    /// The units of a lot.
    pub fn lot_range(&self, lot: u32) -> std::ops::Range<u32> {
        let first = lot * self.lot_units;
        first..self.units.min(first + self.lot_units)
    }

    /// The priority and the deadline of a job.
    pub fn urgency(&self, job: usize) -> (u8, u32) {
        let priority = self.priorities.get(job).copied().unwrap_or(1);
        (priority, self.deadlines_s.get(job).copied().unwrap_or(0))
    }

    /// What harm a peer does, if any.
    pub fn harm(&self, peer: usize) -> Option<&Attacker> {
        let mut first = self.peers;
        self.attacker.iter().find(|attacker| {
            let end = first;
            first -= self.count(attacker);
            (first..end).contains(&peer)
        })
    }

    /// What harm a peer does, by kind.
    pub fn kind(&self, peer: usize) -> Option<Kind> {
        self.harm(peer).map(|attacker| attacker.kind)
    }

    /// Peers that do no harm: the first ones.
    pub fn honest(&self) -> usize {
        self.peers - self.attacker.iter().map(|attacker| self.count(attacker)).sum::<usize>()
    }

    /// When a peer first starts.
    pub fn starts_at_s(&self, peer: usize) -> u64 {
        let mut first = self.honest();
        for late in &self.late {
            first -= late.peers;
            if (first..first + late.peers).contains(&peer) {
                return late.at_s;
            }
        }
        0
    }

    /// What a unit costs on a peer of speed 1, microseconds.
    pub fn cost_us(&self, job: usize, unit: u32) -> f64 {
        let draw = Draw { seed: self.seed, what: "cost" };
        let cost_s = match self.cost.dist {
            Dist::Const => self.cost.mean,
            Dist::Lognormal => {
                draw.lognormal(self.cost.mean, self.cost.cv, &[job as u64, unit.into()])
            }
        };
        cost_s * 1e6
    }

    /// The fuel that a unit takes: a unit of it for each microsecond at speed 1.
    pub fn fuel(&self, job: usize, unit: u32) -> u64 {
        self.cost_us(job, unit) as u64 + 1
    }

    /// What the manifest says that a lot's units cost, milliseconds at speed 1.
    pub fn hints(&self, job: usize, units: std::ops::Range<u32>) -> Vec<u32> {
        units.map(|unit| (self.cost_us(job, unit) / 1e3) as u32).collect()
    }

    /// How fast a peer is.
    pub fn speed(&self, peer: usize) -> f64 {
        let draw = Draw { seed: self.seed, what: "speed" };
        match self.speed.dist {
            Dist::Const => 1.0,
            Dist::Lognormal => draw.spread(self.speed.p99_over_p1, &[peer as u64]),
        }
    }
}

/// What a scenario file says, with some keys set to other values.
///
/// # Errors
/// Where it is not one, in a sentence.
pub fn read_with<T: DeserializeOwned>(path: &Path, set: &[String]) -> Result<T, String> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
    let mut table = text.parse().map_err(|error: toml::de::Error| named(&error))?;
    // The file alone first: its errors have lines.
    toml::from_str::<T>(&text).map_err(|error| named(&error))?;
    set.iter().try_for_each(|pair| override_key(&mut table, pair))?;
    table.try_into().map_err(|error| format!("--set: {error}"))
}

/// The first sentence whose condition holds.
///
/// # Errors
/// There is one.
pub fn first_wrong(wrong: &[(bool, &str)]) -> Result<(), String> {
    wrong.iter().find(|(wrong, _)| *wrong).map_or(Ok(()), |(_, why)| Err((*why).to_owned()))
}

fn override_key(table: &mut toml::Table, pair: &str) -> Result<(), String> {
    let (keys, value) = pair.split_once('=').ok_or(format!("--set {pair}: expected KEY=VALUE"))?;
    // What is no TOML value is a string without its quotes.
    let parsed = format!("value = {value}").parse::<toml::Table>().ok();
    let value = parsed.and_then(|mut parsed| parsed.remove("value"));
    let value = value.unwrap_or_else(|| pair[keys.len() + 1..].into());
    let mut keys: Vec<&str> = keys.split('.').collect();
    let last = keys.pop().unwrap_or_default();
    let mut place = &mut *table;
    let mut keys = keys.into_iter();
    while let Some(key) = keys.next() {
        let inner = place.entry(key).or_insert_with(|| toml::Table::new().into());
        let none = || format!("--set {pair}: {key} is no table");
        place = match inner {
            // One of a list of tables, such as `attacker.0.fraction`.
            toml::Value::Array(list) => {
                let index = keys.next().and_then(|index| index.parse::<usize>().ok());
                let one = index.and_then(|index| list.get_mut(index));
                one.and_then(toml::Value::as_table_mut).ok_or_else(none)?
            }
            one => one.as_table_mut().ok_or_else(none)?,
        };
    }
    place.insert(last.to_owned(), value);
    Ok(())
}

fn read_trace(path: &Path) -> Result<BTreeMap<usize, Vec<(f64, f64)>>, String> {
    let named = |line: usize, why: &str| format!("{}:{line}: {why}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| named(0, &error.to_string()))?;
    let mut traced: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        if number == 0 && fields == ["peer", "on_s", "off_s"] {
            continue;
        }
        let parsed = match fields[..] {
            [peer, on, off] => peer.parse().ok().zip(on.parse().ok()).zip(off.parse().ok()),
            _ => None,
        };
        let Some(((peer, on), off)) = parsed else {
            return Err(named(number + 1, "expected peer,on_s,off_s"));
        };
        let sessions = traced.entry(peer).or_default();
        if on >= off || sessions.last().is_some_and(|(_, last)| on < *last) {
            return Err(named(
                number + 1,
                "sessions of a peer follow one another, and end after they begin",
            ));
        }
        sessions.push((on, off));
    }
    Ok(traced)
}
