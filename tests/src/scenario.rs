//! A scenario: what grid is simulated, as data. Every field has a default, unknown ones are errors.
use serde::Deserialize;

/// A grid, its work and its troubles.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Peers, attackers and late ones included.
    pub peers: usize,
    /// Units of each job.
    pub units: u32,
    /// Units of a gossip lot.
    pub lot_units: u32,
    /// Jobs; the n-th is submitted by the n-th peer, two seconds after the one before.
    pub jobs: usize,
    /// Everything random follows from it.
    pub seed: u64,
    /// Equal answers wanted.
    pub quorum: u8,
    /// Units that a peer runs at once.
    pub slots: usize,
    /// Neighbours of a peer.
    pub neighbours: usize,
    /// Time after which the run has failed, seconds.
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
}

/// What units cost.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cost {
    /// Mean time of a unit on a peer of speed 1, microseconds.
    pub mean_us: u64,
    /// Units cost the mean, more or less up to this share of it, percent.
    pub spread_percent: u64,
}

/// How unlike peers are.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Speed {
    /// The fastest peer is so many times as fast as the slowest.
    pub fastest: u64,
}

/// What lies between peers.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// Least and greatest time of a message, milliseconds.
    pub latency_ms: [u64; 2],
    /// Messages lost, per mille.
    pub loss_permille: u64,
    /// Whether there is gossip; without it anti-entropy is alone.
    pub gossip: bool,
    /// Time of a flush to disk, microseconds.
    pub disk_us: u64,
}

/// How peers come and go. A peer that goes is killed and loses what was not on disk.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Churn {
    /// Mean time that a peer stays, seconds.
    pub mean_session_s: u64,
    /// Mean time that it is away, seconds.
    pub mean_absence_s: u64,
    /// When all this ends and everybody is back, seconds.
    pub until_s: u64,
}

/// A time when the network falls into groups that do not hear each other.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// When, seconds.
    pub at_s: u64,
    /// For how long, seconds.
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
    /// When, seconds.
    pub at_s: u64,
}

/// A peer that stands still, then goes on.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// Which.
    pub peer: usize,
    /// When, seconds.
    pub at_s: u64,
    /// For how long, seconds.
    pub for_s: u64,
}

/// Peers that do harm; the last ones by number.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attacker {
    /// What harm.
    pub kind: Kind,
    /// How many.
    pub peers: usize,
    /// Share of units that a liar lies about, percent.
    #[serde(default = "all")]
    pub rate_percent: u64,
}

fn all() -> u64 {
    100
}

/// What harm a peer does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Runs a node that answers wrong, each liar in its own way.
    Liar,
    /// Runs a node that answers wrong, all in the same way.
    Colluder,
    /// Commits and never opens.
    Silent,
    /// Repeats others' openings and commits as its own.
    Copier,
    /// Keeps two logs, one for each half of the grid.
    Forker,
    /// Opens two answers for one unit.
    Equivocator,
    /// Sends what cannot be.
    Garbage,
    /// Claims all it can and delivers nothing.
    Squatter,
}

impl Default for Scenario {
    fn default() -> Self {
        Scenario {
            peers: 4,
            units: 100,
            lot_units: 16_384,
            jobs: 1,
            seed: 1,
            quorum: 2,
            slots: 1,
            neighbours: 12,
            limit_s: 3_600,
            check_every: 97,
            cost: Cost::default(),
            speed: Speed::default(),
            network: Network::default(),
            churn: None,
            partition: Vec::new(),
            late: Vec::new(),
            freeze: Vec::new(),
            attacker: Vec::new(),
        }
    }
}

impl Default for Cost {
    fn default() -> Self {
        Cost { mean_us: 1_000_000, spread_percent: 0 }
    }
}

impl Default for Speed {
    fn default() -> Self {
        Speed { fastest: 1 }
    }
}

impl Default for Network {
    fn default() -> Self {
        Network { latency_ms: [50, 500], loss_permille: 10, gossip: true, disk_us: 4_000 }
    }
}

impl Scenario {
    /// Reads a scenario from TOML.
    ///
    /// # Errors
    /// It is not one; the error names the line.
    pub fn parse(text: &str) -> Result<Scenario, toml::de::Error> {
        toml::from_str(text)
    }

    /// What harm a peer does, if any.
    pub fn kind(&self, peer: usize) -> Option<(Kind, u64)> {
        let mut first = self.peers;
        for attacker in &self.attacker {
            first -= attacker.peers;
            if (first..first + attacker.peers).contains(&peer) {
                return Some((attacker.kind, attacker.rate_percent));
            }
        }
        None
    }

    /// Peers that do no harm: the first ones.
    pub fn honest(&self) -> usize {
        self.peers - self.attacker.iter().map(|attacker| attacker.peers).sum::<usize>()
    }

    /// When a peer first starts, seconds.
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
}
