//! Facts about the store, on real directories: what survives, what is refused, what is found out.
mod blobs;
mod checkpoints;
mod damage;
mod journal;
mod killed;

use super::{Group, Store};
use coordinator_free_scheduler::Hash;

/// Bytes that look random and are the same for the same seed and length.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn group(number: u8) -> Group {
    [number; 32]
}

type Records = Vec<(Group, Vec<u8>)>;

fn replayed(store: &Store) -> Records {
    let mut records = Vec::new();
    store.replay(|group, bytes| records.push((group, bytes))).unwrap();
    records
}

/// Where the file of a large blob lies.
fn blob_file(dir: &std::path::Path, hash: Hash) -> std::path::PathBuf {
    let name = hash.to_string();
    dir.join("blobs").join(&name[..2]).join(name)
}
