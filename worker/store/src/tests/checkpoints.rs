//! Work in progress is kept, replaced, listed and let go of.
use super::*;
use crate::{CHECKPOINTS_MAX, StoreError};

#[test]
fn checkpoints_are_replaced_and_survive_and_the_oldest_go_first() -> Result<(), StoreError> {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path())?;
    assert_eq!(store.checkpoints()?, []);
    assert_eq!(store.checkpoint(group(1), 7)?, None);
    store.put_checkpoint(group(1), 7, b"one")?;
    store.put_checkpoint(group(1), 7, &bytes(1, 100_000))?;
    store.put_checkpoint(group(2), 7, b"other")?;
    drop(store);
    let store = Store::open(dir.path())?;
    assert_eq!(store.checkpoint(group(1), 7)?, Some(bytes(1, 100_000)));
    assert_eq!(store.checkpoint(group(2), 7)?, Some(b"other".to_vec()));
    store.drop_checkpoint(group(2), 7)?;
    store.drop_checkpoint(group(2), 7)?;
    assert_eq!(store.checkpoints()?, [(group(1), 7)]);
    // What is no checkpoint is no trouble.
    std::fs::write(dir.path().join("checkpoints/notes.txt"), b"mine").expect("written");
    for number in 0..CHECKPOINTS_MAX as u32 + 3 {
        store.put_checkpoint(group(3), number, b"many")?;
    }
    assert!(store.checkpoints()?.len() <= CHECKPOINTS_MAX);
    assert_eq!(store.checkpoint(group(1), 7)?, None, "the oldest");
    assert_eq!(store.checkpoint(group(3), CHECKPOINTS_MAX as u32)?, Some(b"many".to_vec()));
    assert!(dir.path().join("checkpoints/notes.txt").exists(), "that is nobody's to remove");
    Ok(())
}
