//! A few attacks of the nodes' matrix, in small: the whole is `tests/nodes-matrix.toml`. And of the rules'
//! own matrix a few results, once more.
use std::path::{Path, PathBuf};
use tests::audit::{Block, Cell, Line, Matrix, Subject};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn no_attack_on_nodes_gets_anything_wrong_released_nor_an_honest_peer_banned() {
    let small = ["peers=16", "units=300", "lot_units=150"].map(String::from);
    let peaceful = Subject::load(&file("scenarios/audited-nodes.toml"), &small).expect("nodes");
    for kind in ["sleeper", "lot_capturer", "copier", "withholder", "equivocator", "whitewasher"] {
        // As many lies as would be seen if they were not found: one may be lost among other answers.
        let attacked = peaceful.attacked(kind, 0.25, 20).expect("a kind");
        let cell =
            Cell::of(&attacked, &small, 1, || {}).unwrap_or_else(|bug| panic!("{kind}: {bug}"));
        assert_eq!(cell.wrong.mean, 0.0, "{kind}: {cell:?}");
        assert_eq!((cell.honest_banned, cell.copies_accepted), (0, 0), "{kind}: {cell:?}");
        assert_eq!((cell.released, cell.replayed), (1, Some(1)), "{kind}: {cell:?}");
    }
}

/// The cheapest cell of a block whose results are committed, as it comes out now, and as it is committed.
fn again(file: &Path, block: &Block, attack: usize) -> (String, Vec<String>) {
    let subject = block.subjects(file).expect("of the matrix").swap_remove(attack);
    let cell = Cell::of(&subject, &block.set, block.runs, || {}).expect("no bug");
    let line = Line { block: block.name.clone(), cell };
    let known = Matrix::load(file).expect("a matrix").known(file);
    let same = known.iter().filter(|known| {
        known.block == block.name && known.cell.is_of(&subject, &block.set, block.runs)
    });
    let text = |line: &Line| serde_json::to_string(line).expect("a line");
    (text(&line), same.map(text).collect())
}

/// Whoever changes a rule makes the matrix anew, or finds out here that it does not hold any more.
#[test]
fn committed_results_of_the_rules_are_what_the_rules_come_to() {
    let file = file("audited-matrix.toml");
    let matrix = Matrix::load(&file).expect("a matrix");
    let text = std::fs::read_to_string(file.with_file_name(&matrix.out)).expect("its results");
    for (name, attack) in [("quorum=2", 0), ("no escalation, 40 lies", 2), ("a mix", 0)] {
        let block = matrix.block.iter().find(|block| block.name == name).expect("a block");
        let (now, committed) = again(&file, block, attack);
        assert_eq!(committed, [now.as_str()], "{name}");
        assert!(text.lines().any(|line| line == now), "{name}, byte by byte: {now}");
    }
}
