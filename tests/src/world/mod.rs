//! A grid in virtual time: what its nodes want done is done here, late, lossy and sometimes not at
//! all, in an order that follows from the seed alone.
mod carry;

use crate::{
    body::{Body, Honesty},
    report::Report,
    rogue::{Harm, Rogue},
    scenario::{Kind, Scenario},
    truth,
};
use coordinator_free_scheduler::{
    CommandError, Input, JobId, Message, Millis, Node, Notice, Output, PeerKey, Query, Record, Rng,
    SignedBatch, SignedManifest, Statement, UnitIndex, Verdict, Void,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
    time::Duration,
};

/// A simulated grid.
pub struct World {
    /// As asked for.
    pub scenario: Scenario,
    /// Everybody, by number.
    pub peers: Vec<Peer>,
    /// The jobs submitted so far.
    pub jobs: Vec<JobId>,
    /// What happened so far, in figures.
    pub report: Report,
    /// What must never be, and was.
    pub violations: Vec<String>,
    now_us: u64,
    events: BinaryHeap<Reverse<Event>>,
    next_event: u64,
    rng: Rng,
    by_key: BTreeMap<PeerKey, usize>,
    groups: usize,
    said: Said,
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
    pub journal: Vec<Record>,
    neighbours: Vec<usize>,
    life: u64,
    frozen_until_us: u64,
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
    Ran { life: u64, job: JobId, unit: UnitIndex, took_us: u64 },
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
    Manifest(SignedManifest),
    Batch(SignedBatch),
    Query(Query),
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
/// How often a rogue acts.
const ACT_US: u64 = 500_000;
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
            report: Report::default(),
            violations: Vec::new(),
            now_us: 0,
            events: BinaryHeap::new(),
            next_event: 0,
            by_key,
            groups: 1,
            said: Said::default(),
            rogues_rest: false,
            scenario,
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
            let starts_us = self.scenario.starts_at_s(peer) * SECOND_US;
            self.at(starts_us, peer, What::Start);
        }
        for job in 0..self.scenario.jobs {
            let at_us = 1_000 + job as u64 * 2 * SECOND_US;
            self.at(at_us, job, What::Submit { salt: job as u64 });
        }
        for freeze in self.scenario.freeze.clone() {
            let what = What::Freeze { for_us: freeze.for_s * SECOND_US };
            self.at(freeze.at_s * SECOND_US, freeze.peer, what);
        }
        for cut in self.scenario.partition.clone() {
            self.at(cut.at_s * SECOND_US, 0, What::Cut { groups: cut.groups });
            self.at((cut.at_s + cut.for_s) * SECOND_US, 0, What::Cut { groups: 1 });
        }
        self.plan_churn();
    }

    fn plan_churn(&mut self) {
        let Some(churn) = self.scenario.churn else { return };
        for peer in 0..self.scenario.honest() {
            let mut at_s = self.scenario.starts_at_s(peer) + 1;
            loop {
                let (stays_s, away_s) =
                    (self.about(churn.mean_session_s), self.about(churn.mean_absence_s));
                let (goes_s, comes_s) = (at_s + stays_s, at_s + stays_s + away_s);
                if goes_s >= churn.until_s {
                    break;
                }
                self.at(goes_s * SECOND_US, peer, What::Kill);
                self.at(comes_s.min(churn.until_s) * SECOND_US, peer, What::Start);
                at_s = comes_s;
            }
        }
    }

    /// A number between nothing and twice the mean.
    fn about(&mut self, mean: u64) -> u64 {
        self.rng.below(2 * mean + 1).max(1)
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
        let most = self.scenario.limit_s;
        for second in 1..=most {
            self.run_until(second * SECOND_US);
            if self.planned_s() <= second && self.ended() {
                self.rogues_rest = true;
                if self.report.settled_ms == 0 {
                    self.report.settled_ms = second * 1_000;
                }
                if self.settled() {
                    return Ok(self.sum_up());
                }
            }
        }
        Err(format!("not at an end after {most} s: {}", self.left_over()))
    }

    fn sum_up(&mut self) -> Report {
        let tallies = self.node(0).map(|node| node.jobs()).unwrap_or_default();
        let tallies: Vec<_> = tallies.into_iter().map(|job| job.tally()).collect();
        self.report.verified = tallies.iter().map(|tally| tally.verified).sum();
        self.report.failed = tallies.iter().map(|tally| tally.failed).sum();
        let units = u64::from(self.scenario.units) * self.scenario.jobs as u64;
        let slots = (self.scenario.slots * self.peers.len()) as u64;
        let work_us = units * u64::from(self.scenario.quorum) * self.scenario.cost.mean_us;
        self.report.ideal_ms = work_us / slots / 1_000;
        self.report.clone()
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

    /// When the last of the planned troubles is over, seconds.
    fn planned_s(&self) -> u64 {
        let scenario = &self.scenario;
        let cuts = scenario.partition.iter().map(|cut| cut.at_s + cut.for_s);
        let late = scenario.late.iter().map(|late| late.at_s);
        let freezes = scenario.freeze.iter().map(|freeze| freeze.at_s + freeze.for_s);
        let churn = scenario.churn.iter().map(|churn| churn.until_s + 1);
        let jobs = 2 * scenario.jobs as u64;
        cuts.chain(late).chain(freezes).chain(churn).max().unwrap_or(0).max(jobs)
    }

    fn happen(&mut self, peer: usize, what: What) {
        match what {
            What::Mail { from, cargo } => self.deliver(peer, from, cargo),
            What::Wake => self.wake(peer),
            What::Flushed { life, ticket } => self.flushed(peer, life, ticket),
            What::Ran { life, job, unit, took_us } => {
                if life == self.peers[peer].life {
                    self.ran(peer, job, unit, took_us);
                }
            }
            What::Act => self.act(peer),
            What::Kill => self.kill(peer),
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

    // ---- peers -----------------------------------------------------------------------------

    /// Starts a peer that is down, on what its disk holds.
    pub fn start(&mut self, peer: usize) {
        let (seed, now, slots) = (self.scenario.seed, self.now(), self.scenario.slots);
        let one = &mut self.peers[peer];
        if !matches!(one.mind, Mind::Down) {
            return;
        }
        one.life += 1;
        if let Some((kind, _)) = self.scenario.kind(peer)
            && !matches!(kind, Kind::Liar | Kind::Colluder)
        {
            let draw = truth::number(seed, "rogue", &[peer as u64]);
            one.mind = Mind::Rogue(Box::new(Rogue::new(one.key, kind, draw)));
            self.at(self.now_us + draw % ACT_US, peer, What::Act);
        } else {
            let body = Body::start(one.key, seed, one.life, &one.journal, now);
            one.mind = Mind::Up(Box::new(body));
            self.feed(peer, Input::Slots(slots));
        }
        for other in self.peers[peer].neighbours.clone() {
            if !matches!(self.peers[other].mind, Mind::Down) {
                let (key, other_key) = (self.peers[peer].key, self.peers[other].key);
                self.feed(peer, Input::Connected(other_key));
                self.feed(other, Input::Connected(key));
            }
        }
    }

    /// Kills a node; what is just being written may or may not reach the disk.
    pub fn kill(&mut self, peer: usize) {
        let lucky = self.rng.below(2) == 0;
        let one = &mut self.peers[peer];
        let Mind::Up(body) = core::mem::replace(&mut one.mind, Mind::Down) else { return };
        if let Some(writing) = body.writing.filter(|_| lucky) {
            one.journal.extend(writing.records);
        }
        self.report.kills += 1;
        let key = one.key;
        for other in one.neighbours.clone() {
            self.feed(other, Input::Disconnected(key));
        }
    }

    fn submit(&mut self, peer: usize, salt: u64) {
        let Scenario { units, lot_units, quorum, .. } = self.scenario;
        let manifest = truth::manifest(self.peers[peer].key, units, lot_units, quorum, salt);
        let now = self.now();
        let Some(body) = self.body(peer) else {
            self.at(self.now_us + SECOND_US, peer, What::Submit { salt });
            return;
        };
        match body.node.submit(now, manifest) {
            Ok(job) => self.jobs.push(job),
            Err(error) => self.violations.push(format!("submit was refused: {error}")),
        }
        self.drain(peer);
    }

    /// Ends a job by the command of a peer.
    ///
    /// # Errors
    /// As the node says.
    pub fn cancel(&mut self, peer: usize, job: JobId) -> Result<(), CommandError> {
        let now = self.now();
        let done = self.body(peer).map_or(Ok(()), |body| body.node.cancel(now, job));
        self.drain(peer);
        done
    }

    // ---- inputs ----------------------------------------------------------------------------

    fn feed(&mut self, peer: usize, input: Input) {
        let now = self.now();
        let Some(body) = self.body(peer) else { return };
        body.node.handle(now, input);
        self.report.events += 1;
        self.drain(peer);
        let every = self.scenario.check_every;
        if every > 0 && self.report.events.is_multiple_of(every) {
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
        let honesty = match scenario.kind(number) {
            Some((Kind::Liar, percent)) => Honesty::Lies(percent),
            Some((Kind::Colluder, percent)) => Honesty::Colludes(percent),
            Some(_) | None => Honesty::Honest,
        };
        Peer {
            key: truth::key(number),
            honesty,
            mind: Mind::Down,
            journal: Vec::new(),
            neighbours: Vec::new(),
            life: 0,
            frozen_until_us: 0,
        }
    }
}
