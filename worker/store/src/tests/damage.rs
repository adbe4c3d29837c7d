//! Directories that are in use, foreign, newer, truncated or damaged: a named error, or the truth.
use super::*;
use crate::StoreError;
use std::{fs, path::Path};

/// A store with a journal and blobs, closed properly; and what is in it.
fn laid_out(dir: &Path) -> (Records, Vec<Vec<u8>>) {
    let store = Store::open(dir).unwrap();
    let blobs: Vec<_> = (0..40).map(|seed| bytes(seed, 3_000)).collect();
    store.put_blobs(&blobs).unwrap();
    for number in 0..20u8 {
        store.append(&[(group(number % 3), bytes(u64::from(number), 2_000))]).unwrap();
    }
    (replayed(&store), blobs)
}

/// Whether a store tells the truth or says that it cannot.
fn is_honest(dir: &Path, records: &[(Group, Vec<u8>)], blobs: &[Vec<u8>]) -> bool {
    let Ok(store) = Store::open(dir) else { return true };
    let mut found = Vec::new();
    let replay = store.replay(|group, bytes| found.push((group, bytes)));
    let journal = replay.is_err() || found == records;
    journal
        && blobs.iter().all(|blob| match store.read_blob(Hash::of(blob)) {
            Ok(Some(read)) => read == *blob,
            Ok(None) | Err(_) => true,
        })
}

#[test]
fn a_second_holder_is_refused_by_name_until_the_first_lets_go() {
    let dir = tempfile::tempdir().unwrap();
    let first = Store::open(dir.path()).unwrap();
    let refused = Store::open(dir.path()).err().unwrap();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused:?}");
    let words = refused.to_string();
    assert!(words.contains(&std::process::id().to_string()), "{words}");
    assert!(words.contains(dir.path().to_str().unwrap()), "{words}");
    drop(first);
    Store::open(dir.path()).unwrap();
}

#[test]
fn a_store_of_another_making_is_refused_and_its_file_named() {
    let cases: [(&str, &[u8], &str); 6] = [
        ("format", b"dugnad store 2\n", "newer version"),
        ("format", b"somebody else's\n", "does not belong"),
        ("format", &[0xff; 100], "does not belong"),
        ("store.redb", b"SQLite format 3\0 and so on, and so on", "does not belong"),
        ("store.redb", b"", "does not belong"),
        ("store.redb", &[0; 70_000], "does not belong"),
    ];
    for (file, content, words) in cases {
        let dir = tempfile::tempdir().unwrap();
        laid_out(dir.path());
        let path = dir.path().join(file);
        fs::write(&path, content).unwrap();
        let refused = Store::open(dir.path()).err().unwrap().to_string();
        assert!(refused.contains(words) && refused.contains(path.to_str().unwrap()), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), content, "{file} was left as it was");
    }
}

#[test]
fn a_lost_journal_is_never_taken_for_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    laid_out(dir.path());
    fs::remove_file(dir.path().join("store.redb")).unwrap();
    let refused = Store::open(dir.path()).err().unwrap().to_string();
    assert!(refused.contains("store.redb is damaged: it is missing"), "{refused}");

    let dir = tempfile::tempdir().unwrap();
    laid_out(dir.path());
    fs::remove_file(dir.path().join("format")).unwrap();
    let refused = Store::open(dir.path()).err().unwrap().to_string();
    assert!(refused.contains("no file `format`"), "{refused}");
}

#[test]
fn a_crash_while_the_store_is_first_laid_out_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("store.redb.new"), b"half a database").unwrap();
    drop(Store::open(dir.path()).unwrap());
    let (database, fresh) = (dir.path().join("store.redb"), dir.path().join("store.redb.new"));
    fs::rename(&database, &fresh).unwrap();
    Store::open(dir.path()).unwrap();
    assert!(database.exists() && !fresh.exists());
}

#[test]
fn a_truncated_or_damaged_store_never_gives_a_wrong_answer() {
    let dir = tempfile::tempdir().unwrap();
    let (records, blobs) = laid_out(dir.path());
    let database = dir.path().join("store.redb");
    let whole = fs::read(&database).unwrap();
    let mut refused = 0;
    for part in 0..40 {
        fs::write(&database, &whole[..whole.len() * part / 40]).unwrap();
        assert!(Store::open(dir.path()).is_err(), "cut to {part}/40");
        let mut damaged = whole.clone();
        let place = u64::from_le_bytes(bytes(part as u64, 8).try_into().unwrap());
        for byte in damaged.iter_mut().skip(place as usize % whole.len()).take(64) {
            *byte ^= 0x5a;
        }
        fs::write(&database, &damaged).unwrap();
        assert!(is_honest(dir.path(), &records, &blobs), "damaged, seed {part}");
        refused += usize::from(Store::open(dir.path()).is_err());
    }
    assert!(refused > 0, "damage was found, and still is at the second try");
    fs::write(&database, &whole).unwrap();
    assert_eq!(replayed(&Store::open(dir.path()).unwrap()), records);
}
