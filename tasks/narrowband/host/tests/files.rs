//! Filterbank files of every allowed kind are read right, and every malformed one is named.
use narrowband::{merge, search::search};
use narrowband_host::{FilError, Filterbank, Settings, Split, reference, split::chunks_default};
use std::path::{Path, PathBuf};

const CHANNELS: usize = 5_000;
const SPECTRA: usize = 11;
const TONE_CHANNEL: usize = 2_040;
const TONE_STEPS_A_ROW: usize = 2;

fn word(text: &str) -> Vec<u8> {
    [&(text.len() as i32).to_le_bytes()[..], text.as_bytes()].concat()
}

fn integer(name: &str, value: i32) -> Vec<u8> {
    [word(name), value.to_le_bytes().to_vec()].concat()
}

fn double(name: &str, value: f64) -> Vec<u8> {
    [word(name), value.to_le_bytes().to_vec()].concat()
}

struct Kind {
    bits: i32,
    ifs: i32,
    foff: f64,
    extra: Vec<u8>,
    cut_bytes: usize,
}

const PLAIN: Kind = Kind { bits: 32, ifs: 1, foff: -3e-6, extra: Vec::new(), cut_bytes: 0 };

fn header(kind: &Kind) -> Vec<u8> {
    [
        word("HEADER_START"),
        double("fch1", 1_420.0),
        double("foff", kind.foff),
        double("tsamp", 2.0),
        kind.extra.clone(),
        integer("nchans", CHANNELS as i32),
        integer("nbits", kind.bits),
        integer("nifs", kind.ifs),
        word("HEADER_END"),
    ]
    .concat()
}

/// Noise around 100 with a tone in each power IF; cross products hold large nonsense.
fn sample(spectrum: usize, product: usize, channel: usize) -> u32 {
    let mut bits = (spectrum * 7 + product) as u64 * 1_000_003 + channel as u64;
    for _ in 0..3 {
        bits = (bits ^ bits >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x55;
    }
    let noise = 84 + bits.count_ones() / 2;
    let tone = channel == TONE_CHANNEL + spectrum * TONE_STEPS_A_ROW;
    match product {
        0 | 1 => noise + if tone { 20 } else { 0 },
        _ => (bits % 251) as u32,
    }
}

fn write(path: &Path, kind: &Kind) {
    let mut bytes = header(kind);
    for spectrum in 0..SPECTRA {
        for product in 0..kind.ifs as usize {
            for channel in 0..CHANNELS {
                let value = sample(spectrum, product, channel);
                match kind.bits {
                    8 => bytes.push(value as u8),
                    16 => bytes.extend((value as u16).to_le_bytes()),
                    _ => bytes.extend((value as f32).to_le_bytes()),
                }
            }
        }
    }
    bytes.truncate(bytes.len() - kind.cut_bytes);
    std::fs::write(path, bytes).unwrap();
}

/// Searches a file, checks every chunk by brute force, and gives the one hit and the notes.
fn one_hit(path: &Path) -> (merge::Hit, Vec<String>) {
    let mut fil = Filterbank::open(path).unwrap();
    let settings = Settings { max_drift_hz_s: 6.0, ..Settings::default() };
    assert_eq!(chunks_default(&fil.observation()), 32);
    let chunks = 3;
    let inputs: Vec<Vec<u8>> =
        Split::new(&mut fil, settings, chunks).unwrap().map(Result::unwrap).collect();
    let mut found = Vec::new();
    for (unit, input) in inputs.iter().enumerate() {
        let findings = search(input, |_, _| {}).unwrap();
        let output = postcard::to_allocvec(&findings).unwrap();
        reference::check(&mut fil, &settings, unit as u32, chunks, &output).unwrap();
        found.push(findings);
    }
    let hits = merge::merge_findings(&found).unwrap().hits;
    assert_eq!(hits.len(), 1, "{path:?}: {hits:#?}");
    (hits[0], fil.notes().to_vec())
}

#[test]
fn every_kind_of_file_shows_the_same_tone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.fil");
    let unknown = [
        [word("my_integer"), 7_i32.to_le_bytes().to_vec()].concat(),
        [word("my_double"), 1.25_f64.to_le_bytes().to_vec()].concat(),
        [word("my_words"), word("green bank, dry")].concat(),
        [word("my_flag"), vec![1]].concat(),
        [word("source_name"), word("Trappist-1")].concat(),
    ]
    .concat();
    let spectrum_bytes = CHANNELS * 4;
    let kinds = [
        (Kind { bits: 8, ..PLAIN }, ""),
        (Kind { bits: 16, ..PLAIN }, ""),
        (Kind { foff: 3e-6, ..PLAIN }, ""),
        (Kind { ifs: 2, ..PLAIN }, "of 2 IFs the first two"),
        (Kind { ifs: 3, bits: 8, ..PLAIN }, "of 3 IFs the first two"),
        (Kind { ifs: 4, bits: 16, ..PLAIN }, "of 4 IFs the first two"),
        (Kind { extra: unknown, ..PLAIN }, "my_integer, my_double, my_words, my_flag"),
        (
            Kind { extra: integer("nsamples", 99), ..PLAIN },
            "promises 99 spectra, the file holds 11",
        ),
        (Kind { cut_bytes: 9, ..PLAIN }, "cut short (19991 of 20000 bytes)"),
        (Kind { cut_bytes: spectrum_bytes - 1, ..PLAIN }, "cut short (1 of 20000 bytes)"),
    ];
    for (kind, note) in kinds {
        write(&path, &kind);
        let (hit, notes) = one_hit(&path);
        assert!(hit.peak.channel.abs_diff(TONE_CHANNEL as u32) <= 1, "{hit:?}");
        // 16 rows of the tree, 15 steps between them.
        assert!((hit.peak.drift_steps - 15 * TONE_STEPS_A_ROW as i32).abs() <= 1, "{hit:?}");
        assert_eq!(hit.drift_rate_hz_s > 0.0, kind.foff > 0.0, "{hit:?}");
        assert!((hit.freq_start_mhz - 1_420.0) * kind.foff > 0.0);
        assert!((hit.freq_end_mhz - hit.freq_start_mhz) * kind.foff > 0.0);
        let all = notes.join("\n");
        assert!(
            all.contains(note) && all.is_empty() == note.is_empty(),
            "{all:?} without {note:?}"
        );
    }
}

fn refusal(path: &PathBuf, bytes: &[u8]) -> String {
    std::fs::write(path, bytes).unwrap();
    match Filterbank::open(path) {
        Ok(_) => panic!("{bytes:?} was opened"),
        Err(error @ (FilError::Header { .. } | FilError::Search { .. })) => error.to_string(),
        Err(FilError::Io { source, .. }) => panic!("{source}"),
    }
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.fil");
    let data = vec![0; CHANNELS * 4 * 2];
    let with = |kind: Kind| [header(&kind), data.clone()].concat();
    let extra = |extra: Vec<u8>| with(Kind { extra, ..PLAIN });
    let start = word("HEADER_START");
    let end = word("HEADER_END");
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "does not begin with HEADER_START"),
        (b"SIMPLE  =                    T".to_vec(), "does not begin with HEADER_START"),
        (start.clone(), "ends before HEADER_END"),
        (header(&PLAIN)[..60].to_vec(), "ends before HEADER_END"),
        ([&start[..], &end[..]].concat(), "no nbits"),
        (extra(word("FREQUENCY_START")), "byte 65 of the header: a table of frequencies"),
        (extra(0_i32.to_le_bytes().to_vec()), "byte 65 of the header: no keyword"),
        (extra((-5_i32).to_le_bytes().to_vec()), "byte 65 of the header: no keyword"),
        (extra(word("t\0amp")), "byte 65 of the header: no keyword"),
        (extra([word("strange"), vec![0xff; 40]].concat()), "\"strange\" is unknown"),
        (extra([word("source_name"), vec![0xff; 4]].concat()), "a string of -1 bytes"),
        (extra([word("source_name"), i32::MAX.to_le_bytes().to_vec()].concat()), "HEADER_END"),
        (with(Kind { bits: 4, ..PLAIN }), "nbits is 4; it has to be 8, 16 or 32"),
        (with(Kind { ifs: 5, ..PLAIN }), "nifs is 5; it has to be 1 to 4"),
        (with(Kind { ifs: 0, ..PLAIN }), "nifs is 0; it has to be 1 to 4"),
        (with(Kind { foff: 0.0, ..PLAIN }), "foff 0 MHz"),
        (with(Kind { foff: f64::NAN, ..PLAIN }), "foff NaN MHz"),
        (extra(double("tsamp", -1.0)), "tsamp is -1 s"),
        (header(&PLAIN), "0 spectra"),
        ([&start[..], &[20, 0, 0, 0], &[b'a'; 70_000]].concat(), "unknown"),
    ];
    for (bytes, reason) in cases {
        let said = refusal(&path, &bytes);
        assert!(said.contains(reason), "{said:?} does not say {reason:?}");
    }
    let signed = Kind { bits: 8, extra: [word("signed"), vec![1]].concat(), ..PLAIN };
    assert!(refusal(&path, &with(signed)).contains("samples are signed"));
    let mut fil = {
        write(&path, &PLAIN);
        Filterbank::open(&path).unwrap()
    };
    let wild = Settings { max_drift_hz_s: f64::INFINITY, ..Settings::default() };
    let said = Split::new(&mut fil, wild, 2).unwrap_err().to_string();
    assert!(said.contains("a drift of inf Hz/s; choose one from 0 to"), "{said}");
    for chunks in [0, CHANNELS as u32 + 1] {
        let said = Split::new(&mut fil, Settings::default(), chunks).unwrap_err().to_string();
        assert!(said.contains("choose 1 to 5000"), "{said}");
    }
}
