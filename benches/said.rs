//! What peers say of a job at `quorum = 2` in which nobody errs: two commits and two citing openings
//! a unit. Shared by the benches of the mind.
use coordinator_free_scheduler::{
    Answer, Commit, Hash, JobId, Nonce, Opening, Outcome, PeerKey, Place, Signature, SignedBatch,
    SignedManifest, Statement, UnitIndex, commitment, statement::Batch, wire,
};
use tests::truth;

/// A gossip lot of the usual size.
pub const UNITS: u32 = 16_384;
/// Peers that share it.
const AUTHORS: u8 = 4;
/// Entries in a batch: openings with one citation each stay within a batch's bytes.
const BATCH_ENTRIES: usize = 200;

/// Its owner, who does none of it.
pub fn owner() -> PeerKey {
    PeerKey([u8::MAX; 32])
}

/// The job as its owner signed it.
pub fn manifest() -> SignedManifest {
    truth::manifest(owner(), UNITS, UNITS, 2, 0)
}

/// Its name.
pub fn job() -> JobId {
    manifest().id()
}

fn peer(number: u8) -> PeerKey {
    PeerKey([number; 32])
}

/// The two peers that run a unit: every pair of neighbours gets its share.
fn runners(unit: UnitIndex) -> [u8; 2] {
    let first = (unit % u32::from(AUTHORS)) as u8;
    [first, (first + 1) % AUTHORS]
}

fn opening(job: JobId, unit: UnitIndex, author: u8) -> (Opening, Hash) {
    let digest = Hash::of(&unit.to_le_bytes());
    let outcome = Outcome::Exit { code: 0, digest, bytes: 4 };
    let answer = Answer::new(outcome, 1_000_000 + u64::from(unit));
    let mut nonce = Nonce::default();
    nonce[..4].copy_from_slice(&unit.to_le_bytes());
    nonce[4] = author;
    let hash = commitment(job, unit, peer(author), &answer, &nonce);
    (Opening { unit, answer, nonce, cites: Vec::new() }, hash)
}

/// All that is said: first every author's commits, then every author's openings.
pub fn batches() -> [Vec<SignedBatch>; 2] {
    let job = job();
    let [mut first, mut then] = [Vec::new(), Vec::new()];
    for author in 0..AUTHORS {
        let (mut commits, mut openings) = (Vec::new(), Vec::new());
        for unit in (0..UNITS).filter(|unit| runners(*unit).contains(&author)) {
            let (mut opening, hash) = opening(job, unit, author);
            let others = runners(unit).into_iter().filter(|runner| *runner != author);
            opening.cites = others.map(|other| self::opening(job, unit, other).1).collect();
            commits.push(Commit { unit, hash });
            openings.push(opening);
        }
        let commits = commits.chunks(BATCH_ENTRIES).map(|part| Statement::Commits(part.to_vec()));
        let openings =
            openings.chunks(BATCH_ENTRIES).map(|part| Statement::Openings(part.to_vec()));
        let opened_from = commits.len();
        let mut log = log(job, author, commits.chain(openings));
        then.extend(log.split_off(opened_from));
        first.extend(log);
    }
    [first, then]
}

/// One author's log.
fn log(job: JobId, author: u8, statements: impl Iterator<Item = Statement>) -> Vec<SignedBatch> {
    let mut previous = Hash::default();
    let signed = statements.enumerate().map(|(at, statement)| {
        let place = Place { incarnation: 1, sequence: at as u32 };
        let (author, statements) = (peer(author), vec![statement]);
        let batch = Batch { job, lot: 0, author, place, previous, statements };
        let bytes = wire::encode(&batch).into();
        let signed = SignedBatch::new(bytes, Signature([0; 64]));
        previous = signed.hash();
        signed
    });
    signed.collect()
}
