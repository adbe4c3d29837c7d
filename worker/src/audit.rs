//! The secrets of audited jobs: the seeds of an owner's passes, and answers sealed to the owner.
//!
//! Invariant: a seed follows from the owner's key and from all else that its manifest says, so two
//! jobs never share one, and a restart has them again. What it is not: when a seed is told; that is
//! for the mind to decide.
use crate::keys::Identity;
use chacha20poly1305::{
    ChaCha20Poly1305, Key, KeyInit, Nonce as BoxNonce,
    aead::{Aead, Payload},
};
use coordinator_free_scheduler::{
    Answer, Hash, JobId, Manifest, Nonce, PeerKey, Profile, SEALED_BYTES_MAX, UnitIndex, Unsealed,
    seed_before, verify::audited::PASSES_MAX, wire,
};

/// Bytes of the nonce before what is encrypted.
const NONCE_BYTES: usize = 12;

/// The seed of a pass of one of this node's own jobs.
pub fn seed(keys: &Identity, manifest: &Manifest, pass: u8) -> Hash {
    let mut blank = manifest.clone();
    if let Profile::Audited(terms) = &mut blank.profile {
        terms.seeds = Hash::default();
    }
    let last = blake3::keyed_hash(keys.audit_secret(), &wire::encode(&blank));
    let later = PASSES_MAX.saturating_sub(pass.saturating_add(1));
    (0..later).fold(Hash(*last.as_bytes()), |seed, _| seed_before(&seed))
}

/// A manifest that names the end of its chain of seeds.
pub fn with_seeds(keys: &Identity, mut manifest: Manifest) -> Manifest {
    let end = seed_before(&seed(keys, &manifest, 0));
    if let Profile::Audited(terms) = &mut manifest.profile {
        terms.seeds = end;
    }
    manifest
}

/// Seals an answer so that the job's owner alone can read it.
///
/// The key is that of X25519 (RFC 7748) between the two identities, for this job alone; the cipher is
/// ChaCha20-Poly1305 (RFC 8439), its nonce a hash of what is sealed: the same answer sealed again is
/// the same bytes, and another one never shares its nonce.
pub fn seal(
    keys: &Identity,
    owner: PeerKey,
    job: JobId,
    unit: UnitIndex,
    answer: &(Answer, Nonce),
) -> Vec<u8> {
    let Some(key) = key(keys, owner, keys.peer(), owner, job) else { return Vec::new() };
    let plain = wire::encode(answer);
    let mut hasher = blake3::Hasher::new_keyed(&key);
    hasher.update(&unit.to_le_bytes()).update(&plain);
    let mut sealed = vec![0; NONCE_BYTES];
    hasher.finalize_xof().fill(&mut sealed);
    let cipher = ChaCha20Poly1305::new(Key::from_slice(&key));
    let payload = Payload { msg: &plain, aad: &unit.to_le_bytes() };
    match cipher.encrypt(BoxNonce::from_slice(&sealed), payload) {
        Ok(bytes) => sealed.extend(bytes),
        Err(_) => sealed.clear(),
    }
    sealed
}

/// Reads what was sealed to this node, as the owner of the job.
pub fn unseal(
    keys: &Identity,
    job: JobId,
    (peer, unit, bytes): (PeerKey, UnitIndex, Vec<u8>),
) -> Unsealed {
    let answer = || {
        let key = key(keys, peer, peer, keys.peer(), job)?;
        let (nonce, bytes) = bytes.split_at_checked(NONCE_BYTES)?;
        let cipher = ChaCha20Poly1305::new(Key::from_slice(&key));
        let payload = Payload { msg: bytes, aad: &unit.to_le_bytes() };
        let plain = cipher.decrypt(BoxNonce::from_slice(nonce), payload).ok()?;
        wire::decode(&plain, SEALED_BYTES_MAX).ok()
    };
    Unsealed { peer, unit, answer: answer() }
}

/// The key between this node and `other` for what `executor` seals to `owner` about a job; none if the
/// other's key is no key.
fn key(
    keys: &Identity,
    other: PeerKey,
    executor: PeerKey,
    owner: PeerKey,
    job: JobId,
) -> Option<[u8; 32]> {
    let mut hasher = blake3::Hasher::new_derive_key("dugnad 1 sealed answer");
    hasher.update(&keys.shared_secret(other)?);
    hasher.update(&executor.0).update(&owner.0).update(&job.0.0);
    Some(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use coordinator_free_scheduler::Outcome;

    fn identity() -> (tempfile::TempDir, Identity) {
        let dir = tempfile::tempdir().unwrap();
        let keys = Identity::load_or_create(dir.path()).unwrap();
        (dir, keys)
    }

    #[test]
    fn the_owner_alone_reads_what_is_sealed_to_it() {
        let ((_a, executor), (_b, owner), (_c, other)) = (identity(), identity(), identity());
        let job = JobId(Hash::of(b"job"));
        let answer = (Answer::new(Outcome::OutOfFuel, 7), [9; 16]);
        let sealed = seal(&executor, owner.peer(), job, 3, &answer);
        assert!(sealed.len() <= SEALED_BYTES_MAX && !sealed.is_empty());
        let read = |keys: &Identity, job, unit, bytes: &[u8]| {
            unseal(keys, job, (executor.peer(), unit, bytes.to_vec())).answer
        };
        assert_eq!(read(&owner, job, 3, &sealed), Some(answer.clone()));
        assert_eq!(sealed, seal(&executor, owner.peer(), job, 3, &answer), "after a restart");
        assert_eq!(read(&other, job, 3, &sealed), None, "another node");
        assert_eq!(read(&owner, job, 4, &sealed), None, "another unit");
        assert_eq!(read(&owner, JobId(Hash::of(b"other")), 3, &sealed), None, "another job");
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert_eq!(read(&owner, job, 3, &damaged), None, "byte {at}");
            assert_eq!(read(&owner, job, 3, &sealed[..at]), None, "cut at {at}");
        }
        assert!(seal(&executor, PeerKey([2; 32]), job, 3, &answer).len() <= SEALED_BYTES_MAX);
    }
}
