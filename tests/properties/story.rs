//! What authors may say, drawn at random.
use coordinator_free_scheduler::{
    Answer, AuditStep, Call, ClaimedUnits, Commit, Hash, JobId, Opening, Outcome, Place, Release,
    SignedBatch, Span, Statement, Void, commitment, statement::Batch, wire,
};
use proptest::{collection::vec, prelude::*};
use tests::truth;

/// Authors that speak, by number.
pub const AUTHORS: usize = 5;
/// Units of the job, in two gossip lots.
pub const UNITS: u32 = 4;

/// One thing said, still without its author.
#[derive(Clone, Debug)]
enum Said {
    Claim(Span),
    Commit {
        unit: u32,
        answer: u64,
    },
    Call {
        unit: u32,
        cites: Vec<(usize, u64)>,
        declines: Vec<(usize, u64)>,
    },
    Open {
        unit: u32,
        answer: u64,
        cites: Vec<(usize, u64)>,
    },
    Void(u32, Void),
    Cancel,
    /// Its author takes somebody's word no more, or releases an answer of its own.
    Lost {
        place: u32,
        whom: usize,
        convicted: bool,
    },
    Release {
        place: u32,
        unit: u32,
        answer: u64,
    },
}

/// The batches of an author: one log, and perhaps a second one that leaves it somewhere.
#[derive(Clone, Debug)]
struct Log {
    lot: u32,
    incarnation: u64,
    batches: Vec<Vec<Said>>,
    fork: Option<(usize, Vec<Said>)>,
}

/// A story: signed batches of all authors, in some order.
pub fn stories(job: JobId) -> impl Strategy<Value = Vec<SignedBatch>> {
    let logs = (0..AUTHORS).map(|author| logs(author).prop_map(move |logs| (author, logs)));
    let told = logs.collect::<Vec<_>>().prop_map(move |authors| {
        let of = |(author, logs): (usize, Vec<Log>)| {
            logs.into_iter().flat_map(move |log| write(job, author, log)).collect::<Vec<_>>()
        };
        authors.into_iter().flat_map(of).collect::<Vec<_>>()
    });
    told.prop_shuffle()
}

/// A batch that says something.
pub fn plain(job: JobId) -> SignedBatch {
    let said = vec![Said::Commit { unit: 0, answer: 0 }, Said::Void(1, Void::Engine)];
    let log = Log { lot: 0, incarnation: 1, batches: vec![said], fork: None };
    write(job, 1, log).remove(0)
}

fn logs(author: usize) -> impl Strategy<Value = Vec<Log>> {
    // The first four mostly keep to the rules, so that there are verdicts to disagree about.
    let rules = if author < 4 { 8 } else { 1 };
    let log = (0..2u32, 0..2u64, vec(vec(said(), 0..4), 0..4), fork());
    let any_log =
        log.prop_map(|(lot, incarnation, batches, fork)| Log { lot, incarnation, batches, fork });
    let good = (0..UNITS, 2..u64::MAX, vec(0..4usize, 1..4));
    let good = good.prop_map(move |(unit, incarnation, with)| {
        let cites = with.into_iter().filter(|with| *with != author).map(|with| (with, 0)).collect();
        let commit = Said::Commit { unit, answer: 0 };
        let (mut call, mut open) = (cites, Vec::new());
        if incarnation % 2 == 0 {
            core::mem::swap(&mut call, &mut open);
        }
        let call = Said::Call { unit, cites: call, declines: Vec::new() };
        let open = Said::Open { unit, answer: 0, cites: open };
        let (lot, batches) = (unit / (UNITS / 2), vec![vec![commit, call], vec![open]]);
        Log { lot, incarnation, batches, fork: None }
    });
    // The owner takes words back, and releases what it has answered.
    let signs = if author == 0 { 4 } else { 1 };
    let signer = (0..2u32, 2..u64::MAX, vec(vec(order(), 1..4), 1..4), fork());
    let signer = signer.prop_map(|(lot, incarnation, batches, fork)| Log {
        lot,
        incarnation,
        batches,
        fork,
    });
    vec(prop_oneof![rules => good, signs => signer, 1 => any_log], 0..4)
}

fn fork() -> impl Strategy<Value = Option<(usize, Vec<Said>)>> {
    prop_oneof![6 => Just(None), 1 => (0..4usize, vec(said(), 0..3)).prop_map(Some)]
}

fn order() -> impl Strategy<Value = Said> {
    let place = || 0..6u32;
    prop_oneof![
        3 => (place(), 0..AUTHORS, any::<bool>())
            .prop_map(|(place, whom, convicted)| Said::Lost { place, whom, convicted }),
        2 => (place(), 0..UNITS, 0..2u64)
            .prop_map(|(place, unit, answer)| Said::Release { place, unit, answer }),
        2 => (0..UNITS, 0..2u64).prop_map(|(unit, answer)| Said::Commit { unit, answer }),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    let (unit, answer) = (|| 0..UNITS + 1, || prop_oneof![5 => Just(0u64), 1 => 1..3u64]);
    let named = || vec((0..AUTHORS, 0..2u64), 0..10);
    prop_oneof![
        1 => (unit(), 0..4u32).prop_map(|(first, count)| Said::Claim(Span { first, count })),
        5 => (unit(), answer()).prop_map(|(unit, answer)| Said::Commit { unit, answer }),
        3 => (unit(), named(), named())
            .prop_map(|(unit, cites, declines)| Said::Call { unit, cites, declines }),
        5 => (unit(), answer(), named())
            .prop_map(|(unit, answer, cites)| Said::Open { unit, answer, cites }),
        4 => unit().prop_map(|unit| Said::Void(unit, Void::Engine)),
        4 => unit().prop_map(|unit| Said::Void(unit, Void::HostMemory)),
        1 => Just(Said::Cancel),
        2 => order(),
    ]
}

fn answer(unit: u32, number: u64) -> Answer {
    let digest = Hash::of(&[unit.to_le_bytes(), (number as u32).to_le_bytes()].concat());
    Answer::new(Outcome::Exit { code: 0, digest, bytes: 8 }, 10 + number)
}

fn commit(job: JobId, unit: u32, author: usize, number: u64) -> Hash {
    let author = truth::key(author);
    commitment(job, unit, author, &answer(unit, number), &truth::nonce(author, job, unit))
}

fn statement(job: JobId, author: usize, said: Said) -> Statement {
    let commits = |unit: u32, named: Vec<(usize, u64)>| {
        named.into_iter().map(|(who, what)| commit(job, unit, who, what)).collect()
    };
    match said {
        Said::Claim(span) => {
            Statement::Claim(ClaimedUnits { spans: vec![span], ..Default::default() })
        }
        Said::Commit { unit, answer } => {
            Statement::Commits(vec![Commit { unit, hash: commit(job, unit, author, answer) }])
        }
        Said::Call { unit, cites, declines } => {
            let (cites, declines) = (commits(unit, cites), commits(unit, declines));
            Statement::Calls(vec![Call { unit, cites, declines }])
        }
        Said::Open { unit, answer: number, cites } => {
            let cites = commits(unit, cites);
            let nonce = truth::nonce(truth::key(author), job, unit);
            Statement::Openings(vec![Opening { unit, answer: answer(unit, number), nonce, cites }])
        }
        Said::Lost { place: first, whom, convicted } => {
            let peer = truth::key(whom);
            Statement::Audit { first, steps: vec![AuditStep::Lost { peer, convicted }] }
        }
        Said::Release { place: first, unit, answer: number } => {
            let nonce = truth::nonce(truth::key(author), job, unit);
            let release = Release { unit, member: None, answer: answer(unit, number), nonce };
            Statement::Audit { first, steps: vec![AuditStep::Released(vec![release])] }
        }
        Said::Void(unit, void) => Statement::Voids(vec![(unit, void)]),
        Said::Cancel => Statement::Cancel,
    }
}

fn write(job: JobId, author: usize, log: Log) -> Vec<SignedBatch> {
    let (lot, incarnation) = (log.lot, log.incarnation);
    let sign = |sequence: usize, previous: Hash, said: Vec<Said>| {
        let statements = said.into_iter().map(|said| statement(job, author, said)).collect();
        let place = Place { incarnation, sequence: sequence as u32 };
        let batch = Batch { job, lot, author: truth::key(author), place, previous, statements };
        SignedBatch::new(wire::encode(&batch).into(), truth::SIGNATURE)
    };
    let mut tips = vec![Hash::default()];
    let mut batches = Vec::new();
    for (sequence, said) in log.batches.into_iter().enumerate() {
        batches.push(sign(sequence, tips[sequence], said));
        tips.push(batches[sequence].hash());
    }
    if let Some((at, said)) = log.fork
        && at < batches.len()
    {
        batches.push(sign(at, tips[at], said));
    }
    batches
}
