//! A grid in virtual time: what its nodes want done is done here, late, lossy and sometimes not at
//! all, in an order that follows from the seed alone.
mod attackers;
mod carry;
mod peers;

use crate::{
    body::{Body, Honesty, Stored},
    report::{Counters, JobCount, Report},
    rogue::{Harm, Rogue},
    scenario::{Kind, Scenario},
    sessions::{NEVER_US, Sessions},
    tricks::Friends,
    truth,
};
use coordinator_free_scheduler::{
    CommandError, Hash, Input, JobId, LotIndex, Message, Millis, Node, Notice, Output, PeerKey,
    Query, Record, Rng, SignedBatch, SignedManifest, Statement, UnitIndex, Verdict, Void,
    statement::Batch, wire,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

/// A simulated grid.
pub struct World {
    /// What the scenario is called.
    pub name: String,
    /// As asked for.
    pub scenario: Rc<Scenario>,
    /// Everybody, by number.
    pub peers: Vec<Peer>,
    /// The jobs submitted so far.
    pub jobs: Vec<JobId>,
    /// What happened so far, in figures.
    pub count: Counters,
    /// What must never be, and was.
    pub violations: Vec<String>,
    now_us: u64,
    events: BinaryHeap<Reverse<Event>>,
    next_event: u64,
    rng: Rng,
    by_key: BTreeMap<PeerKey, usize>,
    groups: usize,
    said: Said,
    opened: HashMap<Hash, Arc<Batch>>,
    attending: BTreeMap<(JobId, LotIndex), BTreeSet<usize>>,
    attended: HashSet<(usize, JobId, LotIndex)>,
    pub(crate) executed: HashMap<(JobId, UnitIndex), u8>,
    /// Honest peers that others blame, and how often.
    pub(crate) blamed: BTreeMap<usize, usize>,
    /// What friends among the attackers lie about.
    friends: Friends,
    /// Jobs of attackers' own, with their salts.
    owns: BTreeMap<JobId, u64>,
    /// Answers that attackers copied.
    pub(crate) copied: HashSet<(PeerKey, JobId, UnitIndex)>,
    /// Who has said two things of a job.
    forked: HashSet<(usize, JobId)>,
    /// Set when all is decided: who publishes for ever would keep nodes from agreeing for ever.
    rogues_rest: bool,
}

/// One peer.
pub struct Peer {
    /// Who.
    pub key: PeerKey,
    /// How it answers.
    pub honesty: Honesty,
    /// What it is just now.
    pub mind: Mind,
    /// What its disk holds.
    pub journal: Vec<Stored>,
    neighbours: Vec<usize>,
    life: u64,
    frozen_until_us: u64,
    speed: f64,
    session: u64,
}

/// What a peer is just now.
pub enum Mind {
    /// Not there.
    Down,
    /// A running node.
    Up(Box<Body>),
    /// No node at all.
    Rogue(Box<Rogue>),
}

/// What every node has ever said: it must not contradict itself, whatever it forgot.
#[derive(Default)]
struct Said {
    places: HashMap<(usize, JobId, u32, u64, u32), coordinator_free_scheduler::Hash>,
    commits: HashMap<(usize, JobId, UnitIndex), coordinator_free_scheduler::Hash>,
    openings: HashMap<(usize, JobId, UnitIndex), coordinator_free_scheduler::Opening>,
}

struct Event {
    at_us: u64,
    number: u64,
    peer: usize,
    what: What,
}

enum What {
    Mail { from: PeerKey, cargo: Cargo },
    Wake,
    Flushed { life: u64, ticket: u64 },
    Ran { life: u64, job: JobId, unit: UnitIndex, began_us: u64, took_us: u64 },
    Act,
    Kill,
    Start,
    Submit { salt: u64 },
    Freeze { for_us: u64 },
    Cut { groups: usize },
}

/// What travels.
#[derive(Clone)]
enum Cargo {
    Manifest(Box<SignedManifest>),
    Batch(SignedBatch, Arc<Batch>),
    Query(Box<Query>),
}

impl Cargo {
    fn bytes(&self) -> u64 {
        let bytes = match self {
            Cargo::Manifest(signed) => signed.bytes.len() + signed.signature.len(),
            Cargo::Batch(signed, _) => signed.bytes().len() + signed.signature().0.len(),
            Cargo::Query(query) => wire::encode(query).len(),
        };
        bytes as u64
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_us, self.number).cmp(&(other.at_us, other.number))
    }
}
impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Event {}

const SECOND_US: u64 = 1_000_000;
/// Seconds without anything new after which nobody has anything left to say.
const CALM_S: u64 = 4;
/// How often nodes are weighed, and how many.
const WEIGHED_EVERY_S: u64 = 10;
const WEIGHED: usize = 8;
/// How often a rogue acts.
const ACT_US: u64 = 500_000;
/// Opened batches that are remembered, so that not every receiver opens them again.
const OPENED_MAX: usize = 1 << 18;
/// Neighbours in a lot that the body finds for a node which joins it.
const MATES: usize = 6;
/// Peers that a rogue tells something where there is no gossip.
const TOLD: usize = 3;

impl World {
    /// A grid before its first event.
    pub fn new(scenario: Scenario) -> World {
        let peers: Vec<Peer> = (0..scenario.peers).map(|n| Peer::new(n, &scenario)).collect();
        let by_key = peers.iter().enumerate().map(|(n, peer)| (peer.key, n)).collect();
        let mut world = World {
            rng: Rng::new(truth::number(scenario.seed, "world", &[])),
            peers,
            jobs: Vec::new(),
            count: Counters::default(),
            executed: HashMap::new(),
            blamed: BTreeMap::new(),
            violations: Vec::new(),
            now_us: 0,
            events: BinaryHeap::new(),
            next_event: 0,
            by_key,
            groups: 1,
            said: Said::default(),
            opened: HashMap::new(),
            attending: BTreeMap::new(),
            attended: HashSet::new(),
            friends: Friends::default(),
            owns: BTreeMap::new(),
            copied: HashSet::new(),
            forked: HashSet::new(),
            rogues_rest: false,
            name: String::new(),
            scenario: Rc::new(scenario),
        };
        world.befriend();
        world.plan();
        world
    }

    /// The time, milliseconds.
    pub fn now(&self) -> Millis {
        Millis(self.now_us / 1_000)
    }

    /// The node of a peer, if it runs one.
    pub fn node(&self, peer: usize) -> Option<&Node> {
        match &self.peers[peer].mind {
            Mind::Up(body) => Some(&body.node),
            Mind::Down | Mind::Rogue(_) => None,
        }
    }

    /// The nodes of peers that do no harm and are up, with their numbers.
    pub fn honest_nodes(&self) -> impl Iterator<Item = (usize, &Node)> {
        (0..self.scenario.honest()).filter_map(|peer| Some((peer, self.node(peer)?)))
    }

    // ---- the plan --------------------------------------------------------------------------

    /// Everybody gets neighbours, both ways.
    fn befriend(&mut self) {
        let count = self.peers.len();
        for peer in 0..count {
            let wanted = self.scenario.neighbours.min(count - 1);
            while self.peers[peer].neighbours.len() < wanted {
                let other = self.rng.below(count as u64) as usize;
                if other != peer && !self.peers[peer].neighbours.contains(&other) {
                    self.peers[peer].neighbours.push(other);
                    self.peers[other].neighbours.push(peer);
                }
            }
        }
    }

    fn plan(&mut self) {
        for peer in 0..self.peers.len() {
            self.plan_session(peer);
        }
        for job in 0..self.scenario.jobs {
            let at_us = 1_000 + job as u64 * self.scenario.jobs_apart_s * SECOND_US;
            self.at(at_us, job, What::Submit { salt: job as u64 });
        }
        self.plan_own_jobs();
        for freeze in self.scenario.freeze.clone() {
            let what = What::Freeze { for_us: freeze.for_s * SECOND_US };
            self.at(freeze.at_s * SECOND_US, freeze.peer, what);
        }
        for cut in self.scenario.partition.clone() {
            self.at(cut.at_s * SECOND_US, 0, What::Cut { groups: cut.groups });
            self.at((cut.at_s + cut.for_s) * SECOND_US, 0, What::Cut { groups: 1 });
        }
    }

    /// Has a peer come and go once more.
    fn plan_session(&mut self, peer: usize) {
        let number = self.peers[peer].session;
        self.peers[peer].session += 1;
        let Some((on_us, off_us)) = Sessions::of(&self.scenario, peer).nth(number as usize) else {
            return;
        };
        self.at(on_us, peer, What::Start);
        if off_us < NEVER_US {
            self.at(off_us, peer, What::Kill);
        }
    }

    fn at(&mut self, at_us: u64, peer: usize, what: What) {
        self.next_event += 1;
        self.events.push(Reverse(Event { at_us, number: self.next_event, peer, what }));
    }

    // ---- the run ---------------------------------------------------------------------------

    /// Runs until every unit is decided everywhere and all nodes agree; the report.
    ///
    /// # Errors
    /// The time limit came first; what was still open.
    pub fn run(&mut self) -> Result<Report, String> {
        let mut calm_s = 0;
        self.run_until_all(|world| {
            let over = world.planned_us() <= world.now_us && world.ended();
            world.rogues_rest |= over;
            calm_s = if over && world.settled() { calm_s + 1 } else { 0 };
            calm_s >= CALM_S
        })
    }

    /// Runs until every unit is decided on its submitter's node; the report. `watch` looks on,
    /// second by second.
    ///
    /// # Errors
    /// The time limit came first; what was still open.
    pub fn run_to_verdicts(&mut self, mut watch: impl FnMut(&World)) -> Result<Report, String> {
        self.run_until_all(|world| {
            watch(world);
            world.decided()
        })
    }

    fn run_until_all(
        &mut self,
        mut is_over: impl FnMut(&mut World) -> bool,
    ) -> Result<Report, String> {
        for second in self.now_us / SECOND_US + 1..=self.scenario.limit_s {
            self.run_until(second * SECOND_US);
            if second.is_multiple_of(WEIGHED_EVERY_S) {
                self.weigh();
            }
            if is_over(self) {
                self.weigh();
                return Ok(self.report());
            }
        }
        Err(format!("not at an end after {} s: {}", self.scenario.limit_s, self.left_over()))
    }

    /// Notes how much state the nodes of a few peers hold.
    fn weigh(&mut self) {
        let first = self.scenario.jobs.min(self.peers.len() - 1);
        let nodes = (first..self.peers.len()).take(WEIGHED).filter_map(|peer| self.node(peer));
        let most = nodes.map(Node::state_bytes).max().unwrap_or_default();
        self.count.state_bytes = self.count.state_bytes.max(most);
    }

    /// Runs on for a while.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now_us + time.as_micros() as u64);
    }

    /// Runs up to a moment.
    fn run_until(&mut self, end_us: u64) {
        while self.events.peek().is_some_and(|Reverse(event)| event.at_us <= end_us) {
            let Some(Reverse(event)) = self.events.pop() else { break };
            self.now_us = event.at_us;
            let frozen_until_us = self.peers[event.peer].frozen_until_us;
            match frozen_until_us > self.now_us {
                true => self.at(frozen_until_us, event.peer, event.what),
                false => self.happen(event.peer, event.what),
            }
        }
        self.now_us = end_us;
    }

    /// When the last of the planned troubles is over.
    fn planned_us(&self) -> u64 {
        let scenario = &self.scenario;
        let cuts = scenario.partition.iter().map(|cut| cut.at_s + cut.for_s);
        let late = scenario.late.iter().map(|late| late.at_s);
        let freezes = scenario.freeze.iter().map(|freeze| freeze.at_s + freeze.for_s);
        let churn = scenario.churn.iter().filter_map(|churn| Some(churn.until_s? + 1));
        let jobs = scenario.jobs_apart_s * scenario.jobs as u64;
        SECOND_US * cuts.chain(late).chain(freezes).chain(churn).max().unwrap_or(0).max(jobs)
    }

    fn happen(&mut self, peer: usize, what: What) {
        match what {
            What::Mail { from, cargo } => self.deliver(peer, from, cargo),
            What::Wake => self.wake(peer),
            What::Flushed { life, ticket } => self.flushed(peer, life, ticket),
            What::Ran { life, job, unit, began_us, took_us } => {
                if life == self.peers[peer].life {
                    self.ran(peer, (job, unit, began_us), took_us);
                }
            }
            What::Act => self.act(peer),
            What::Kill => {
                self.kill(peer);
                self.plan_session(peer);
            }
            What::Start => self.start(peer),
            What::Submit { salt } => self.submit(peer, salt),
            What::Freeze { for_us } => self.peers[peer].frozen_until_us = self.now_us + for_us,
            What::Cut { groups } => self.groups = groups,
        }
    }

    fn body(&mut self, peer: usize) -> Option<&mut Body> {
        match &mut self.peers[peer].mind {
            Mind::Up(body) => Some(body),
            Mind::Down | Mind::Rogue(_) => None,
        }
    }

    // ---- inputs ----------------------------------------------------------------------------

    fn feed(&mut self, peer: usize, input: Input) {
        let now = self.now();
        let Some(body) = self.body(peer) else { return };
        body.node.handle(now, input);
        self.count.events += 1;
        self.drain(peer);
        let every = self.scenario.check_every;
        if every > 0 && self.count.events.is_multiple_of(every) {
            self.check(peer);
        }
    }

    fn check(&mut self, peer: usize) {
        if let Some(Err(broken)) = self.node(peer).map(Node::check) {
            let now = self.now();
            self.violations.push(format!("{now:?}: peer {peer} breaks an invariant: {broken}"));
        }
    }
}

impl Peer {
    fn new(number: usize, scenario: &Scenario) -> Peer {
        Peer {
            key: truth::key(number),
            honesty: Honesty::of(scenario.harm(number), scenario.splits(number)),
            mind: Mind::Down,
            journal: Vec::new(),
            neighbours: Vec::new(),
            life: 0,
            frozen_until_us: 0,
            speed: scenario.speed(number),
            session: 0,
        }
    }
}
