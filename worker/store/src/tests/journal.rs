//! The journal against a list.
use super::*;
use crate::{StoreError, journal::RECORD_BYTES_MAX};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Deed {
    Append(Vec<(u8, usize)>),
    Forget(u8),
    Reopen,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => proptest::collection::vec((0..4u8, 0..5_000usize), 0..6).prop_map(Deed::Append),
        1 => (0..4u8).prop_map(Deed::Forget),
        1 => Just(Deed::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn replay_gives_what_was_appended_in_order_but_for_forgotten_groups(
        deeds in proptest::collection::vec(deed(), 1..30),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        let mut expected: Records = Vec::new();
        for (number, deed) in deeds.into_iter().enumerate() {
            match deed {
                Deed::Append(records) => {
                    let records: Vec<_> = records
                        .into_iter()
                        .map(|(g, length)| (group(g), bytes(number as u64, length)))
                        .collect();
                    store.append(&records).unwrap();
                    expected.extend(records);
                }
                Deed::Forget(forgotten) => {
                    store.forget(group(forgotten)).unwrap();
                    expected.retain(|(of, _)| *of != group(forgotten));
                }
                Deed::Reopen => {
                    drop(store);
                    store = Store::open(dir.path()).unwrap();
                }
            }
            prop_assert!(replayed(&store) == expected);
        }
    }
}

#[test]
fn an_oversized_record_keeps_its_whole_commit_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let records = [(group(1), b"small".to_vec()), (group(1), vec![0; RECORD_BYTES_MAX + 1])];
    let refused = store.append(&records);
    assert!(matches!(refused, Err(StoreError::RecordTooLarge { .. })), "{refused:?}");
    assert!(replayed(&store).is_empty());
}
