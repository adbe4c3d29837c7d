//! Task programs in the sandbox against the same work done outside it.
use crate::{
    harness::{Place, dugnad, text},
    modules::{PROTEINS, SEA_HORSES, output, tasks},
};
use fasttree_host::{
    synthetic::{gene, species_tree},
    tree::{Tree, distance},
};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

/// What a task's `build` says when there is no compiler or no source here.
const NOT_HERE: i32 = 3;

#[test]
fn guests_in_rust_give_the_bytes_of_native_code() {
    let place = Place::new();
    let aligned = output(&place, &tasks().join("align/align.wasm"), &[], PROTEINS);
    assert_eq!(Ok(&aligned), align::unit::run(PROTEINS, |_, _| ()).as_ref());
    let lines = String::from_utf8_lossy(&aligned).lines().count();
    assert_eq!(lines, 2, "the size of the chunk, and one hit");
    let rendered = output(&place, &tasks().join("render/render.wasm"), &[], SEA_HORSES);
    assert_eq!(Ok(&rendered), render::tile::run(SEA_HORSES, |_, _| ()).as_ref());
    assert!(render::tile::read(&rendered).is_some_and(|tile| tile.pixels.len() == 24 * 16));
}

#[test]
fn a_module_in_c_tests_numbers_and_checks_factors() {
    let place = Place::new();
    let mersenne = tasks().join("mersenne/mersenne.wasm");
    let tested = output(&place, &mersenne, &["1", "10"], b"1\n");
    assert_eq!(
        tested,
        b"11\tcomposite\t00000000000006C8\n13\tprime\t0000000000000000\n\
        17\tprime\t0000000000000000\n19\tprime\t0000000000000000\n"
    );
    let late = output(&place, &mersenne, &["4423", "1"], b"0\n");
    assert_eq!(late, b"4423\tprime\t0000000000000000\n");
    let factors = tasks().join("mersenne/factors.wasm");
    let unit = ["71", "3", "28"];
    let found = output(&place, &factors, &unit, b"0\n");
    assert_eq!(found, b"71\t228479 48544121 212885833\n73\t439 2298041\n");
    let check = |output: &[u8]| {
        let (input, output) = (place.file("index", b"0\n"), place.file("output", output));
        let arguments = unit.iter().flat_map(|argument| ["--arg", argument]);
        let check = ["--stdin", text(&input), "--verify", text(&output)];
        let mut command = dugnad();
        let done = command.args(["exec", text(&factors)]).args(check).args(arguments).output();
        done.expect("it runs").status.code()
    };
    assert_eq!(check(&found), Some(0));
    assert_eq!(check(b"71\t228479 48544121 212885833\n73\t439 2298043\n"), Some(1));
    assert_eq!(check(b"71\t228479 48544121\n73\t439 2298041\n"), Some(0), "none can be missed");
}

/// Builds a module and its native twin from the same source, or says why not.
fn fasttree(place: &Place) -> Option<(PathBuf, PathBuf)> {
    let out = place.path("built");
    let build = Command::new("sh")
        .arg(tasks().join("fasttree/build"))
        .arg("--out")
        .arg(&out)
        .output()
        .expect("sh is there");
    let said = String::from_utf8_lossy(&build.stderr);
    if build.status.code() == Some(NOT_HERE) {
        eprintln!("FastTree is left out: {said}");
        return None;
    }
    assert!(build.status.success(), "{said}");
    let said = String::from_utf8_lossy(&build.stdout);
    let (_, source) = said.trim_end().rsplit_once(" from ").expect("it says where its source is");
    let native = place.path("native");
    let compiled = Command::new("cc")
        .args(["-O2", "-w", "-DUSE_DOUBLE", "-DNO_SSE", "-o", text(&native)])
        .arg(source)
        .arg("-lm")
        .status();
    assert!(compiled.expect("a C compiler is there").success());
    Some((out.join("fasttree.wasm"), native))
}

/// A program that knows nothing of grids runs as a unit, unchanged: it says what it says natively, and
/// finds the tree that the gene came from.
#[test]
fn a_program_of_others_runs_unchanged() {
    let place = Place::new();
    let Some((module, native)) = fasttree(&place) else { return };
    let species = species_tree(1);
    let alignment = gene(&species, 1, 0);
    let arguments = ["-nt", "-gtr", "-nopr"];
    let found = output(&place, &module, &arguments, alignment.as_bytes());
    let outside = by_itself(&native, &arguments, &place.file("gene", &alignment));
    let read = |text: &[u8]| Tree::parse(&String::from_utf8_lossy(text)).expect("a tree").splits();
    assert_eq!(distance(&read(&found), &read(&outside)), 0);
    assert_eq!(distance(&read(&found), &species.splits()), 0);
}

fn by_itself(program: &Path, arguments: &[&str], input: &Path) -> Vec<u8> {
    let input = File::open(input).expect("written");
    let done = Command::new(program).args(arguments).stdin(input).output().expect("it runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}
