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
