//! The body of a simulated node: a disk that takes its time, slots that run units, and perhaps a
//! habit of lying.
use crate::{
    draws::share_of,
    scenario::{Attacker, Kind, Scenario},
    truth,
};
use coordinator_free_scheduler::{
    Answer, Config, Hash, Host, JobId, Level, Millis, Node, Nonce, Pace, PeerKey, Record,
    Signature, SignedBatch, UnitIndex,
};
use std::collections::VecDeque;

/// A running node and what it has in hand.
pub struct Body {
    /// Its mind.
    pub node: Node,
    /// When it is to be woken, microseconds.
    pub wake_us: Option<u64>,
    /// What is being written, if anything.
    pub writing: Option<Writing>,
    /// Units that wait for a slot.
    pub runs: VecDeque<(JobId, UnitIndex)>,
    /// Units that run, and since when, microseconds.
    pub running: Vec<(JobId, UnitIndex, u64)>,
    /// What it told of the levels of its own job's units.
    pub levels: Vec<Told>,
}

/// What a node told of the level of a unit.
#[derive(Clone, PartialEq, Debug)]
pub struct Told {
    /// The unit.
    pub unit: UnitIndex,
    /// The level of its best answer, and the hash of that.
    pub best: Option<(Level, Hash)>,
    /// Whether what was told before holds no longer.
    pub revised: bool,
}

/// A record on a disk. Nearly all are batches, which nodes share; a grid holds very many.
#[derive(Clone)]
pub enum Stored {
    /// A batch.
    Batch(SignedBatch),
    /// Anything else.
    Other(Box<Record>),
}

impl From<Record> for Stored {
    fn from(record: Record) -> Stored {
        match record {
            Record::Batch(signed) => Stored::Batch(signed),
            other => Stored::Other(Box::new(other)),
        }
    }
}

impl Stored {
    /// As it was written.
    pub fn record(&self) -> Record {
        match self {
            Stored::Batch(signed) => Record::Batch(signed.clone()),
            Stored::Other(record) => (**record).clone(),
        }
    }
}

/// Records on their way to the disk.
pub struct Writing {
    /// To be named in the answer.
    pub ticket: u64,
    /// As they are stored.
    pub records: Vec<Stored>,
    /// For the node's own batches among them.
    pub signatures: Vec<Signature>,
}

/// How a node answers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Honesty {
    /// Share of units that it lies about.
    pub share: f64,
    /// Lies it has left.
    pub budget: u64,
    /// Whether it lies as all colluders do, not in its own way.
    pub together: bool,
    /// Share of units that come to something else on its class of processors.
    pub splits: f64,
}

impl Body {
    /// Starts a node on what its disk holds.
    pub fn start(
        (me, host): (PeerKey, Host),
        scenario: &Scenario,
        life: u64,
        journal: &[Stored],
        now: Millis,
    ) -> Body {
        let incarnation = truth::number(scenario.seed, "incarnation", &[life, me_number(me)]);
        let config = Config {
            me,
            incarnation,
            seed: incarnation.rotate_left(9),
            pace: Pace::default(),
            host,
            work_factor: scenario.work_factor,
            open: false,
        };
        let mut node = Node::new(config);
        for record in journal {
            node.replay(now, record.record()).expect("a node reads what it wrote");
        }
        node.resume(now);
        let (runs, running, levels) = (VecDeque::new(), Vec::new(), Vec::new());
        Body { node, wake_us: None, writing: None, runs, running, levels }
    }

    /// Signs and hands to the disk.
    pub fn write(&mut self, ticket: u64, records: Vec<Record>) {
        let mut signatures = Vec::new();
        let sign = |record| match record {
            Record::Own(bytes) => {
                signatures.push(truth::SIGNATURE);
                Record::Batch(SignedBatch::new(bytes, truth::SIGNATURE))
            }
            Record::Manifest(_)
            | Record::Forgotten { .. }
            | Record::Batch(_)
            | Record::Answers { .. }
            | Record::Ringers { .. }
            | Record::Unsealed { .. } => record,
        };
        let records = records.into_iter().map(sign).map(Stored::from).collect();
        self.writing = Some(Writing { ticket, records, signatures });
    }
}

impl Honesty {
    /// That of a peer which does this harm, and where this share of units comes to something else.
    pub fn of(harm: Option<&Attacker>, splits: f64) -> Honesty {
        let lies = harm.filter(|harm| harm.kind.always_lies());
        Honesty {
            share: lies.map_or(0.0, |harm| harm.rate),
            budget: lies.map_or(0, |harm| harm.budget),
            together: lies.is_some_and(|harm| harm.kind == Kind::Colluder),
            splits,
        }
    }

    /// What a node of this kind says that a unit comes to, where the right answer took `fuel`.
    pub fn answer(
        &mut self,
        me: PeerKey,
        job: JobId,
        unit: UnitIndex,
        fuel: u64,
    ) -> (Answer, Nonce) {
        let who = if self.together { 0 } else { me_number(me) };
        let dice = share_of(truth::number(who, "lie", &[job.0.prefix(), unit.into()]));
        let lies = dice < self.share && self.budget > 0;
        let split = share_of(truth::number(0, "split", &[job.0.prefix(), unit.into()]));
        self.budget -= u64::from(lies);
        let answer = match (lies, self.together) {
            (true, true) => truth::colluding(job, unit),
            (true, false) => truth::wrong(me, job, unit),
            (false, _) if split < self.splits => truth::elsewhere(job, unit, fuel),
            (false, _) => truth::right(job, unit, fuel),
        };
        (answer, truth::nonce(me, job, unit))
    }
}

fn me_number(me: PeerKey) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&me.0[..8]);
    u64::from_le_bytes(first)
}
