//! The committed task modules are those of the sources beside them: built again, by whatever
//! compiler is here, they give the same outputs.
use crate::harness::{Place, dugnad, text};
use narrowband_host::{Filterbank, Settings, Split, synthetic};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What `tasks/build` says when there is no compiler for WebAssembly.
const NO_TOOLCHAIN: i32 = 3;
/// Two kin and one that is none.
pub const PROTEINS: &[u8] = b">q\nMKVLAWHEEKCGGSTPLIVNDRQFYWAAGHEEKCMKVL\n//\n\
    >kin\nPPMKVLAWHEKCGGSTPLIVNDKQFYWAAGHEEKCMKILPP\n>stranger\nGGGGSGGGGSGGGGS\n";
/// A tile that reaches far in, but does not take long.
pub const SEA_HORSES: &[u8] = b"3 tile 24 width 60 height 40 limit 20000";
const CHANNELS: u32 = 1 << 16;
const CHUNKS: u32 = 3;

pub fn tasks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tasks")
}

/// Runs one unit in the sandbox and answers what it wrote.
pub fn output(place: &Place, module: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let input = place.file("input", input);
    let arguments = arguments.iter().flat_map(|argument| ["--arg", argument]);
    let mut command = dugnad();
    let done =
        command.args(["exec", text(module), "--stdin", text(&input)]).args(arguments).output();
    let done = done.expect("it runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// Chunks of an observation with tones in it.
fn chunks(place: &Place) -> Vec<Vec<u8>> {
    let path = place.path("observation.fil");
    synthetic::write(&path, 3, CHANNELS).expect("written");
    let mut fil = Filterbank::open(&path).expect("a filterbank file");
    let mut split = Split::new(&mut fil, Settings::default(), CHUNKS).expect("three chunks");
    (0..CHUNKS).map(|chunk| split.chunk(chunk).expect("read")).collect()
}

#[test]
fn rebuilt_modules_give_the_outputs_of_the_committed_ones() {
    let place = Place::new();
    let rebuilt = place.path("rebuilt");
    let build = Command::new("sh").arg(tasks().join("build")).arg("--out").arg(&rebuilt).output();
    let build = build.expect("sh is there");
    if build.status.code() == Some(NO_TOOLCHAIN) {
        eprintln!("not rebuilt: {}", String::from_utf8_lossy(&build.stderr));
        return;
    }
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    let pair = |folder: &str, name: &str| [tasks().join(folder).join(name), rebuilt.join(name)];
    let alike = |[committed, rebuilt]: &[PathBuf; 2], arguments: &[&str], input: &[u8]| {
        let expected = output(&place, committed, arguments, input);
        let found = output(&place, rebuilt, arguments, input);
        assert_eq!(found, expected, "{}", rebuilt.display());
        expected
    };
    let same = |modules: &[PathBuf; 2], input: &[u8]| alike(modules, &[], input);
    let nothing = pair("nothing", "nothing.wasm");
    for index in ["0\n", "7\n", "4294967295\n"] {
        same(&nothing, index.as_bytes());
    }
    let narrowband = pair("narrowband", "narrowband.wasm");
    let outputs: Vec<Vec<u8>> =
        chunks(&place).iter().map(|chunk| same(&narrowband, chunk)).collect();
    assert!(outputs.iter().any(|output| !output.is_empty()), "there are tones in it");
    let framed: Vec<u8> = outputs.iter().flat_map(|output| framed_one(output)).collect();
    let hits = same(&pair("narrowband", "merge.wasm"), &framed);
    assert!(hits.starts_with(b"hit,drift_rate_hz_s,snr"), "{}", String::from_utf8_lossy(&hits));
    let chain = same(&pair("fold", "fold.wasm"), b"seed 5\nsteps 3\nmoves 300");
    let table = same(&pair("fold", "folds.wasm"), &framed_one(&chain));
    assert!(table.starts_with(b"seed,energy,radius\n5,"), "{}", String::from_utf8_lossy(&table));
    alike(&pair("mersenne", "mersenne.wasm"), &["100", "250"], b"1\n");
    alike(&pair("mersenne", "factors.wasm"), &["67", "5", "24"], b"0\n");
    same(&pair("align", "align.wasm"), PROTEINS);
    same(&pair("render", "render.wasm"), SEA_HORSES);
}

/// An output as a merge reads it.
fn framed_one(output: &[u8]) -> Vec<u8> {
    [&(output.len() as u64).to_le_bytes(), output].concat()
}

/// A unit that is begun in the interpreter, and moves to machine code by the file of its checkpoint,
/// ends as one that stayed.
#[test]
fn a_stepped_unit_moves_by_its_checkpoint() {
    let place = Place::new();
    let module = tasks().join("fold/fold.wasm");
    let input = place.file("input", "seed 8\nsteps 6\nmoves 300");
    let checkpoint = place.path("chain.checkpoint");
    let unit = ["exec", text(&module), "--stdin", text(&input)];
    let report = |more: &[&str]| {
        let done = dugnad().args(unit).args(more).arg("--json").output().expect("it runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice::<serde_json::Value>(&done.stdout).expect("a report")
    };
    let straight = report(&[]);
    assert_eq!((&straight["outcome"], &straight["steps"]), (&"exit".into(), &6.into()));
    let keeping = ["--checkpoint", text(&checkpoint)];
    for (steps, engine) in [(2, "pulley"), (3, "cranelift"), (4, "pulley")] {
        let taken = if steps == 2 { "2" } else { "1" };
        let part = report(&[&keeping[..], &["--steps", taken, "--engine", engine]].concat());
        assert_eq!((&part["outcome"], &part["steps"]), (&"unfinished".into(), &steps.into()));
    }
    let moved = report(&keeping);
    for field in ["outcome", "fuel", "output_blake3", "steps", "trace_blake3", "state_blake3"] {
        assert_eq!(moved[field], straight[field], "{field}");
    }
    let other = place.file("other", "seed 9\nsteps 6\nmoves 300");
    let unit_9 = ["exec", text(&module), "--stdin", text(&other)];
    let refused = dugnad().args(unit_9).args(keeping).status().expect("it runs");
    assert_eq!(refused.code(), Some(1), "that is another unit's");
    let mut bytes = fs::read(&checkpoint).expect("it stays");
    *bytes.last_mut().expect("bytes") ^= 1;
    fs::write(&checkpoint, bytes).expect("written");
    let refused = dugnad().args(unit).args(keeping).output().expect("it runs");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("chain.checkpoint is no checkpoint of this unit"), "{said}");
    assert_eq!(refused.status.code(), Some(1));
}

/// The interpreter computes a narrowband chunk, floats and vectors and all, to the same bytes and
/// the same fuel as machine code.
#[test]
fn both_engines_give_one_answer() {
    let place = Place::new();
    let module = tasks().join("narrowband/narrowband.wasm");
    let input = place.file("input", &chunks(&place)[0]);
    let answer = |engine: &str| {
        let module = ["exec", text(&module), "--stdin", text(&input)];
        let done = dugnad().args(module).args(["--engine", engine, "--json"]).output();
        let report: serde_json::Value =
            serde_json::from_slice(&done.expect("it runs").stdout).expect("a report");
        assert_eq!(report["exit_code"], 0, "{report}");
        assert!(report["fuel"].as_u64() > Some(1_000_000), "{report}");
        [report["output_blake3"].clone(), report["fuel"].clone()]
    };
    assert_eq!(answer("cranelift"), answer("pulley"));
}

#[test]
fn a_module_can_be_looked_over_and_passed() {
    let place = Place::new();
    let module = tasks().join("narrowband/narrowband.wasm");
    let inspect = |module: &Path| {
        let done = dugnad().args(["inspect", text(module), "--json"]).output();
        let report: serde_json::Value =
            serde_json::from_slice(&done.expect("it runs").stdout).expect("a report");
        report
    };
    let report = inspect(&module);
    assert_eq!(report["kind"], "command");
    assert!(report["features"].as_array().is_some_and(|all| all.contains(&"simd128".into())));
    let imports = report["imports"].as_array().expect("imports");
    assert!(imports.contains(&"wasi_snapshot_preview1.fd_read".into()), "{report}");
    assert!(report["nan_sites"].as_u64() > Some(0) && report["fuel_checks"].as_u64() > Some(0));
    let passed = place.path("passed.wasm");
    let done = dugnad().args(["pass", text(&module), "--out", text(&passed)]).status();
    assert!(done.expect("it runs").success());
    assert_eq!(inspect(&passed)["bytes"], report["passed_bytes"]);
    let broken = place.file("broken.wasm", b"\0asm\x01\0\0\0\x02\x05");
    let done = dugnad().args(["inspect", text(&broken)]).output().expect("it runs");
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("broken.wasm cannot be run"), "{said}");
}
