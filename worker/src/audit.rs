//! The secrets of audited jobs: the seeds of a signer's passes, and answers sealed to a signer.
//!
//! Invariant: a seed follows from the signer's key and from all else that the manifest says, so two
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
use std::collections::BTreeMap;

/// Bytes of the nonce before what is encrypted.
const NONCE_BYTES: usize = 12;

/// The seed of a pass of a job of which this node is a signer.
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

/// What one executor of an audited job tells one signer of it alone.
///
/// The key is that of X25519 (RFC 7748) between the two identities, for this job alone; the cipher is
/// ChaCha20-Poly1305 (RFC 8439), its nonce a hash of what is sealed: the same answer sealed again is
/// the same bytes, and another one never shares its nonce.
pub struct Seal {
    key: [u8; 32],
}

impl Seal {
    /// For answers of this node; none if the signer's key is no key.
    pub fn to_signer(keys: &Identity, signer: PeerKey, job: JobId) -> Option<Seal> {
        Seal::between(keys, signer, keys.peer(), signer, job)
    }

    /// For answers of another that this node may read; none if its key is no key.
    pub fn of_executor(keys: &Identity, executor: PeerKey, job: JobId) -> Option<Seal> {
        Seal::between(keys, executor, executor, keys.peer(), job)
    }

    fn between(
        keys: &Identity,
        other: PeerKey,
        executor: PeerKey,
        signer: PeerKey,
        job: JobId,
    ) -> Option<Seal> {
        let mut hasher = blake3::Hasher::new_derive_key("dugnad 1 sealed answer");
        hasher.update(&keys.shared_secret(other)?);
        hasher.update(&executor.0).update(&signer.0).update(&job.0.0);
        Some(Seal { key: *hasher.finalize().as_bytes() })
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(Key::from_slice(&self.key))
    }

    /// At most [`SEALED_BYTES_MAX`] bytes.
    pub fn seal(&self, unit: UnitIndex, answer: &Answer, nonce: &Nonce) -> Vec<u8> {
        let plain = wire::encode(&(answer, nonce));
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&unit.to_le_bytes()).update(&plain);
        let mut sealed = vec![0; NONCE_BYTES];
        hasher.finalize_xof().fill(&mut sealed);
        let payload = Payload { msg: &plain, aad: &unit.to_le_bytes() };
        match self.cipher().encrypt(BoxNonce::from_slice(&sealed), payload) {
            Ok(bytes) => sealed.extend(bytes),
            Err(_) => sealed.clear(),
        }
        sealed
    }

    /// What was sealed; none if it was for somebody else, of another unit or changed.
    pub fn unseal(&self, unit: UnitIndex, bytes: &[u8]) -> Option<(Answer, Nonce)> {
        let (nonce, bytes) = bytes.split_at_checked(NONCE_BYTES)?;
        let payload = Payload { msg: bytes, aad: &unit.to_le_bytes() };
        let plain = self.cipher().decrypt(BoxNonce::from_slice(nonce), payload).ok()?;
        wire::decode(&plain, SEALED_BYTES_MAX).ok()
    }
}

/// Reads what executors sealed to this node, as a signer of the job.
pub fn unseal_all(
    keys: &Identity,
    job: JobId,
    sealed: Vec<(PeerKey, UnitIndex, Vec<u8>)>,
) -> Vec<Unsealed> {
    let mut seals: BTreeMap<PeerKey, Option<Seal>> = BTreeMap::new();
    let unseal = |(peer, unit, bytes): (PeerKey, UnitIndex, Vec<u8>)| {
        let seal = seals.entry(peer).or_insert_with(|| Seal::of_executor(keys, peer, job));
        let answer = seal.as_ref().and_then(|seal| seal.unseal(unit, &bytes));
        Unsealed { peer, unit, answer }
    };
    sealed.into_iter().map(unseal).collect()
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
    fn a_signer_alone_reads_what_is_sealed_to_it() {
        let ((_a, executor), (_b, signer), (_c, other)) = (identity(), identity(), identity());
        let job = JobId(Hash::of(b"job"));
        let (answer, nonce) = (Answer::new(Outcome::OutOfFuel, 7), [9; 16]);
        let seal = || Seal::to_signer(&executor, signer.peer(), job).unwrap();
        let sealed = seal().seal(3, &answer, &nonce);
        assert!(sealed.len() <= SEALED_BYTES_MAX && !sealed.is_empty());
        let read = |keys: &Identity, job, unit, bytes: &[u8]| {
            let read = unseal_all(keys, job, vec![(executor.peer(), unit, bytes.to_vec())]);
            read.into_iter().next().unwrap().answer
        };
        assert_eq!(read(&signer, job, 3, &sealed), Some((answer.clone(), nonce)));
        assert_eq!(sealed, seal().seal(3, &answer, &nonce), "after a restart");
        assert_eq!(read(&other, job, 3, &sealed), None, "another node");
        assert_eq!(read(&signer, job, 4, &sealed), None, "another unit");
        assert_eq!(read(&signer, JobId(Hash::of(b"other")), 3, &sealed), None, "another job");
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert_eq!(read(&signer, job, 3, &damaged), None, "byte {at}");
            assert_eq!(read(&signer, job, 3, &sealed[..at]), None, "cut at {at}");
        }
        // A key that is no point of the curve stops nothing.
        let odd = Seal::to_signer(&executor, PeerKey([2; 32]), job);
        assert!(odd.is_none_or(|odd| odd.seal(3, &answer, &nonce).len() <= SEALED_BYTES_MAX));
    }
}
