//! Blobs: what is put is what is read, whatever its size; damage is found; the cap holds.
use super::*;
use crate::{SMALL_BLOB_BYTES_MAX, StoreError, blobs::UNFLUSHED_BYTES_MAX};
use bao_tree::{
    BaoTree, BlockSize, ByteRanges,
    io::{
        outboard::{EmptyOutboard, PreOrderMemOutboard},
        round_up_to_chunks,
        sync::{decode_ranges, encode_ranges_validated},
    },
};

type Damage<'a> = (&'a str, &'a dyn Fn(&std::path::Path));

const SIZES: [usize; 7] =
    [0, 1, SMALL_BLOB_BYTES_MAX, SMALL_BLOB_BYTES_MAX + 1, 100_000, 1 << 20, (3 << 20) + 77];

#[test]
fn a_blob_of_any_size_is_read_as_it_was_put_also_by_the_next_process() {
    let dir = tempfile::tempdir().unwrap();
    let blobs: Vec<_> = (0..).zip(SIZES).map(|(seed, size)| bytes(seed, size)).collect();
    let store = Store::open(dir.path()).unwrap();
    let names = store.put_blobs(&blobs).unwrap();
    let usage = store.usage().unwrap();
    assert_eq!(store.put_blobs(&blobs).unwrap(), names);
    assert_eq!(store.usage().unwrap(), usage, "a blob put twice is kept once");
    assert_eq!((usage.small_blobs, usage.large_blobs), (3, 4));
    assert_eq!(usage.bytes(), SIZES.iter().sum::<usize>() as u64);
    drop(store);

    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.usage().unwrap(), usage);
    for (blob, name) in blobs.iter().zip(&names) {
        assert_eq!(*name, Hash::of(blob));
        assert_eq!(store.blob_size(*name).unwrap(), Some(blob.len() as u64));
        assert!(store.read_blob(*name).unwrap().as_ref() == Some(blob));
        for (offset, length) in [(0, 10), (blob.len() / 2, 70_000), (blob.len() + 5, 9)] {
            let from = offset.min(blob.len());
            let expected = &blob[from..(from + length).min(blob.len())];
            let read = store.read_blob_range(*name, offset as u64, length).unwrap();
            assert!(read.as_deref() == Some(expected), "{offset} {length}");
        }
        store.delete_blob(*name).unwrap();
        assert!(!store.has_blob(*name).unwrap());
        assert!(store.read_blob(*name).unwrap().is_none());
        assert!(!blob_file(dir.path(), *name).exists());
    }
    assert_eq!(store.usage().unwrap(), Default::default());
}

#[test]
fn a_slice_made_from_the_kept_hash_tree_verifies_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let blob = bytes(1, (1 << 20) + 12_345);
    let name = store.put_blob(&blob).unwrap();
    let computed = store.outboard(name).unwrap().unwrap();
    let file = blob_file(dir.path(), name).with_extension("outboard");
    let kept = std::fs::read(&file).unwrap();
    assert_eq!(store.outboard(name).unwrap().unwrap(), computed);
    let mut damaged = kept.clone();
    damaged[200] ^= 1;
    std::fs::write(&file, damaged).unwrap();
    assert_eq!(store.outboard(name).unwrap().unwrap(), computed, "computed again");
    assert_eq!(std::fs::read(&file).unwrap(), kept, "and kept again");

    let tree = BaoTree::new(blob.len() as u64, BlockSize::from_chunk_log(4));
    let root = name.0.into();
    let outboard = PreOrderMemOutboard { root, tree, data: computed };
    let ranges = round_up_to_chunks(&ByteRanges::from(300_000..400_000));
    let mut slice = Vec::new();
    encode_ranges_validated(blob.as_slice(), outboard, &ranges, &mut slice).unwrap();
    let mut copy = vec![0; blob.len()];
    decode_ranges(slice.as_slice(), &ranges, &mut copy, EmptyOutboard { tree, root }).unwrap();
    assert!(copy[300_000..400_000] == blob[300_000..400_000]);
    assert!(store.outboard(Hash([9; 32])).unwrap().is_none());
}

#[test]
fn a_blob_that_the_disk_damaged_is_named_set_aside_and_can_be_fetched_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let blob = bytes(7, 200_000);
    let name = Hash::of(&blob);
    let mut flipped = blob.clone();
    flipped[150_000] ^= 4;
    let damages: [Damage; 3] = [
        ("flipped", &|file| std::fs::write(file, &flipped).unwrap()),
        ("truncated", &|file| std::fs::write(file, &blob[..1_000]).unwrap()),
        ("gone", &|file| std::fs::remove_file(file).unwrap()),
    ];
    for (what, damage) in damages {
        for by_its_hash_tree in [false, true] {
            store.put_blob(&blob).unwrap();
            damage(&blob_file(dir.path(), name));
            let found = match by_its_hash_tree {
                true => store.outboard(name).map(|_| ()),
                false => store.read_blob(name).map(|_| ()),
            };
            assert!(
                matches!(&found, Err(error @ StoreError::CorruptBlob { hash, .. })
                    if *hash == name && error.to_string().contains(&name.to_string())),
                "{what}: {found:?}"
            );
            assert!(store.read_blob(name).unwrap().is_none(), "{what}");
            assert_eq!(store.usage().unwrap(), Default::default(), "{what}");
        }
    }
    store.append_partial(name, 0, &blob).unwrap();
    store.finish_partial(name).unwrap();
    assert!(store.read_blob(name).unwrap() == Some(blob));
}

#[test]
fn a_fetch_goes_on_where_it_stopped_and_only_the_right_bytes_become_a_blob() {
    let dir = tempfile::tempdir().unwrap();
    for size in [0, 5_000, 100_000] {
        let store = Store::open(dir.path()).unwrap();
        let blob = bytes(size as u64, size);
        let name = Hash::of(&blob);
        let half = size / 2;
        store.append_partial(name, 0, &blob[..half]).unwrap();
        assert_eq!(store.usage().unwrap().partial_bytes, half as u64);
        assert!(!store.has_blob(name).unwrap());
        drop(store);

        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.partial_len(name).unwrap(), half as u64);
        assert_eq!(store.usage().unwrap().partial_bytes, half as u64);
        let again = store.append_partial(name, half as u64 + 1, b"elsewhere");
        assert!(matches!(again, Err(StoreError::WrongOffset { .. })), "{again:?}");
        let quarter = half / 2;
        store.append_partial(name, quarter as u64, &blob[quarter..half]).unwrap();
        assert_eq!(store.usage().unwrap().partial_bytes, store.partial_len(name).unwrap());
        store.append_partial(name, half as u64, &blob[half..]).unwrap();
        store.finish_partial(name).unwrap();
        assert!(store.read_blob(name).unwrap() == Some(blob));
        assert_eq!(
            (store.partial_len(name).unwrap(), store.usage().unwrap().partial_bytes),
            (0, 0)
        );

        let wrong = Hash([3; 32]);
        store.append_partial(wrong, 0, &bytes(1, size)).unwrap();
        let refused = store.finish_partial(wrong);
        assert!(matches!(refused, Err(StoreError::NotItsHash { .. })), "{refused:?}");
        assert!(!store.has_blob(wrong).unwrap());
        assert_eq!(
            (store.partial_len(wrong).unwrap(), store.usage().unwrap().partial_bytes),
            (0, 0)
        );
        store.delete_blob(name).unwrap();
    }
}

#[test]
fn the_cap_holds_for_every_way_in_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_with_cap(dir.path(), 150_000).unwrap();
    let kept = store.put_blob(&bytes(1, 100_000)).unwrap();
    let small: Vec<_> = (2..8).map(|seed| bytes(seed, 10_000)).collect();
    let fetched = Hash([5; 32]);
    let refusals = [
        store.put_blob(&bytes(9, 60_000)).map(|_| ()),
        store.put_blobs(&small).map(|_| ()),
        store.append_partial(fetched, 0, &bytes(9, 60_000)),
    ];
    for refused in refusals {
        assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
        assert_eq!(store.usage().unwrap().bytes(), 100_000);
    }
    assert_eq!(std::fs::read_dir(dir.path().join("blobs/tmp")).unwrap().count(), 0);
    store.append_partial(fetched, 0, &bytes(9, 50_000)).unwrap();
    assert!(matches!(store.put_blob(b"one more"), Err(StoreError::Full { .. })));
    store.delete_blob(kept).unwrap();
    store.put_blobs(&small).unwrap();
}

#[test]
fn small_blobs_outlast_the_process_without_any_journal_record() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let count = 2 * UNFLUSHED_BYTES_MAX / SMALL_BLOB_BYTES_MAX as u64;
    let names: Vec<_> = (0..count)
        .map(|seed| store.put_blob(&bytes(seed, SMALL_BLOB_BYTES_MAX)).unwrap())
        .collect();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert!(names.iter().all(|name| store.has_blob(*name).unwrap()));
}

#[test]
fn what_a_crash_left_between_files_and_index_is_cleared_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let (kept, lost) = (bytes(1, 50_000), bytes(2, 60_000));
    let names = store.put_blobs(&[&kept, &lost]).unwrap();
    drop(store);
    let orphan = blob_file(dir.path(), Hash([0xab; 32]));
    std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    std::fs::write(&orphan, b"named by no index").unwrap();
    std::fs::write(orphan.with_extension("outboard"), b"of no blob").unwrap();
    std::fs::write(dir.path().join("blobs/tmp/0"), b"half an upload").unwrap();
    std::fs::remove_file(blob_file(dir.path(), names[1])).unwrap();

    let store = Store::open(dir.path()).unwrap();
    assert!(!orphan.exists() && !orphan.with_extension("outboard").exists());
    assert_eq!(std::fs::read_dir(dir.path().join("blobs/tmp")).unwrap().count(), 0);
    assert!(!store.has_blob(names[1]).unwrap());
    assert!(store.read_blob(names[0]).unwrap() == Some(kept));
    assert_eq!(store.usage().unwrap().bytes(), 50_000);
}
