//! The committed modules are the ones their `.b3` files name.
use std::path::Path;

#[test]
fn every_committed_module_has_the_name_that_stands_beside_it() {
    let tasks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let modules = [
        "nothing/nothing",
        "narrowband/narrowband",
        "narrowband/merge",
        "fold/fold",
        "fold/folds",
        "mersenne/mersenne",
        "mersenne/factors",
        "align/align",
        "render/render",
    ];
    for module in modules {
        let module = tasks.join(module);
        let bytes = std::fs::read(module.with_extension("wasm")).unwrap();
        let name = std::fs::read_to_string(module.with_extension("b3")).unwrap();
        assert_eq!(blake3::hash(&bytes).to_hex().as_str(), name.trim(), "{module:?}");
        assert!(bytes.len() < 200 << 10, "{module:?} grew to {} bytes", bytes.len());
    }
}

#[test]
fn the_empty_task_hands_back_every_index() {
    let golden = include_str!("../../../nothing/golden.txt");
    for line in golden.lines().filter(|line| !line.starts_with('#')) {
        let (units, digest) = line.split_once(' ').unwrap();
        let outputs: String =
            (0..units.parse().unwrap()).map(|unit: u32| format!("{unit}\n")).collect();
        assert_eq!(blake3::hash(outputs.as_bytes()).to_hex().as_str(), digest, "{units} units");
    }
}
