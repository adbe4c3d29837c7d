//! What is true in a simulated world: who is who, which jobs there are, which answers are right.
use coordinator_free_scheduler::{
    About, Answer, ENGINE, Hash, JobId, LeastCheckers, Manifest, Nonce, Outcome, PeerKey, Profile,
    RunLimits, Signature, SignedManifest, Stamp, UnitIndex, Units, Work, seed_before, stamp_hashes,
    verify::audited::PASSES_MAX,
};

/// The signature of everybody: the door's business, not simulated.
pub const SIGNATURE: Signature = Signature([7; 64]);

/// The key of the n-th peer.
pub fn key(peer: usize) -> PeerKey {
    PeerKey(Hash::of(&(peer as u64).to_le_bytes()).0)
}

/// A number that follows from a seed and a few others.
pub fn number(seed: u64, what: &str, parts: &[u64]) -> u64 {
    let mut bytes = Vec::from(seed.to_le_bytes());
    bytes.extend_from_slice(what.as_bytes());
    parts.iter().for_each(|part| bytes.extend_from_slice(&part.to_le_bytes()));
    Hash::of(&bytes).prefix()
}

/// A signed manifest of a job that counts to `units`.
pub fn manifest(
    owner: PeerKey,
    units: u32,
    lot_units: u32,
    quorum: u8,
    salt: u64,
) -> SignedManifest {
    urgent(owner, units, lot_units, Profile::quorum(quorum), salt, (1, 0))
}

/// The same with a priority, and a deadline in seconds.
pub fn urgent(
    owner: PeerKey,
    units: u32,
    lot_units: u32,
    profile: Profile,
    salt: u64,
    (priority, deadline_s): (u8, u32),
) -> SignedManifest {
    let work = Work {
        engine: ENGINE.into(),
        module: Hash::of(b"module"),
        units: Units::Range { count: units },
        seed: salt,
        args: Vec::new(),
        env: Vec::new(),
        limits: RunLimits::default(),
    };
    let manifest = Manifest {
        owner,
        name: "simulated".into(),
        about: About::default(),
        work,
        profile,
        merge: None,
        lot_units,
        salt,
        priority,
        deadline_s,
        checkers: Vec::new(),
    };
    let bytes = manifest.encode().expect("a manifest within its limits");
    SignedManifest { bytes, signature: SIGNATURE.0.into(), stamp: Stamp::default() }
}

/// A manifest with the work that a grid asks for.
pub fn stamped(signed: SignedManifest, work_factor: u32) -> SignedManifest {
    let units = signed.open().expect("a manifest").work.units.count();
    let hashes = stamp_hashes(work_factor, units);
    let stamp = Stamp::search(signed.id(), hashes, 0..u64::MAX).expect("one in so many");
    SignedManifest { stamp, ..signed }
}

/// The same manifest, where some units have some checkers in any case.
pub fn with_checkers(signed: SignedManifest, checkers: Vec<LeastCheckers>) -> SignedManifest {
    let manifest = Manifest { checkers, ..signed.open().expect("a manifest") };
    SignedManifest { bytes: manifest.encode().expect("a sound one"), ..signed }
}

/// A signer's seeds of a job's passes, of which each hashes to the one before.
pub fn seeds(salt: u64, signer: PeerKey) -> [Hash; PASSES_MAX as usize] {
    let last = Hash::derive("dugnad simulator", &[b"seeds", &salt.to_le_bytes(), &signer.0]);
    let mut seeds = [last; PASSES_MAX as usize];
    for pass in (1..seeds.len()).rev() {
        seeds[pass - 1] = seed_before(&seeds[pass]);
    }
    seeds
}

fn exit(digest: Hash, fuel: u64) -> Answer {
    Answer::new(Outcome::Exit { code: 0, digest, bytes: 8 }, fuel)
}

fn named(what: &[u8], job: JobId, unit: UnitIndex) -> Hash {
    Hash::derive("dugnad simulator", &[what, &job.0.0, &unit.to_le_bytes()])
}

/// The right answer of a unit that costs so much.
pub fn right(job: JobId, unit: UnitIndex, fuel: u64) -> Answer {
    exit(named(b"right", job, unit), fuel)
}

/// What a unit of a module that is not exact comes to on another class of processors.
pub fn elsewhere(job: JobId, unit: UnitIndex, fuel: u64) -> Answer {
    exit(named(b"elsewhere", job, unit), fuel)
}

/// A wrong answer of one liar's own.
pub fn wrong(liar: PeerKey, job: JobId, unit: UnitIndex) -> Answer {
    exit(named(&liar.0, job, unit), 1_000)
}

/// The wrong answer that all colluders give.
pub fn colluding(job: JobId, unit: UnitIndex) -> Answer {
    exit(named(b"colluding", job, unit), 1_000)
}

/// What hides a peer's answer; the same after a restart.
pub fn nonce(peer: PeerKey, job: JobId, unit: UnitIndex) -> Nonce {
    let hash = named(&[b"nonce".as_slice(), &peer.0].concat(), job, unit);
    let mut nonce = Nonce::default();
    let len = nonce.len();
    nonce.copy_from_slice(&hash.0[..len]);
    nonce
}
