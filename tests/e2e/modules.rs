//! The committed task modules are those of the sources beside them: built again, by whatever
//! compiler is here, they give the same outputs.
use crate::harness::{Place, dugnad, text};
use narrowband_host::{Filterbank, Settings, Split, synthetic};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// What `tasks/build` says when there is no compiler for WebAssembly.
const NO_TOOLCHAIN: i32 = 3;
const CHANNELS: u32 = 1 << 16;
const CHUNKS: u32 = 3;

fn tasks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tasks")
}

/// Runs one unit in the sandbox and answers what it wrote.
fn output(place: &Place, module: &Path, input: &[u8]) -> Vec<u8> {
    let input = place.file("input", input);
    let done = dugnad().args(["exec", text(module), "--stdin", text(&input)]).output();
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
    let same = |[committed, rebuilt]: &[PathBuf; 2], input: &[u8]| {
        let expected = output(&place, committed, input);
        assert_eq!(output(&place, rebuilt, input), expected, "{}", rebuilt.display());
        expected
    };
    let nothing = pair("nothing", "nothing.wasm");
    for index in ["0\n", "7\n", "4294967295\n"] {
        same(&nothing, index.as_bytes());
    }
    let narrowband = pair("narrowband", "narrowband.wasm");
    let outputs: Vec<Vec<u8>> =
        chunks(&place).iter().map(|chunk| same(&narrowband, chunk)).collect();
    assert!(outputs.iter().any(|output| !output.is_empty()), "there are tones in it");
    let framed = |output: &Vec<u8>| [&(output.len() as u64).to_le_bytes(), &output[..]].concat();
    let framed: Vec<u8> = outputs.iter().flat_map(framed).collect();
    let hits = same(&pair("narrowband", "merge.wasm"), &framed);
    assert!(hits.starts_with(b"hit,drift_rate_hz_s,snr"), "{}", String::from_utf8_lossy(&hits));
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
