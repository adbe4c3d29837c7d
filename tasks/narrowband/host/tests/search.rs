//! The search finds what is there: the same by any chunking, by brute force, and as recorded.
use narrowband::{
    merge::{self, Hit, Hits},
    search::{Findings, Peak, search},
};
use narrowband_host::{Filterbank, Settings, Split, recovery::Recovery, reference, synthetic};
use std::path::Path;

const SMALL_CHANNELS: u32 = 1 << 16;

/// So low that noise makes thousands of peaks, which cross each other everywhere.
const NOISY: Settings = Settings { max_drift_hz_s: 1.5, snr_milli: 4_000 };

fn findings(fil: &mut Filterbank, settings: Settings, chunks: u32) -> Vec<Findings> {
    let split = Split::new(fil, settings, chunks).unwrap();
    split.map(|chunk| search(&chunk.unwrap(), |_, _| {}).unwrap()).collect()
}

fn bytes(findings: &Findings) -> Vec<u8> {
    postcard::to_allocvec(findings).unwrap()
}

fn framed(findings: &[Findings]) -> Vec<u8> {
    let frame = |output: Vec<u8>| [&(output.len() as u64).to_le_bytes()[..], &output].concat();
    findings.iter().map(bytes).flat_map(frame).collect()
}

fn without_chunk(hits: &Hits) -> Vec<Hit> {
    hits.hits.iter().map(|hit| Hit { chunk: 0, ..*hit }).collect()
}

#[test]
fn hits_do_not_depend_on_the_chunks_and_are_the_tones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.fil");
    for seed in 0..3 {
        let tones = synthetic::write(&path, seed, SMALL_CHANNELS).unwrap();
        let mut fil = Filterbank::open(&path).unwrap();
        let whole = merge::merge_findings(&findings(&mut fil, Settings::default(), 1)).unwrap();
        let recovery = Recovery::of(&tones, &whole.hits);
        assert!(recovery.is_good(0), "seed {seed}: {recovery:#?}");
        for chunks in [7, 16, 33] {
            let found = findings(&mut fil, Settings::default(), chunks);
            let cut = merge::merge(&framed(&found)).unwrap();
            assert_eq!(without_chunk(&cut), without_chunk(&whole), "seed {seed}, {chunks} chunks");
            let of_owner = |hit: &Hit| {
                found[hit.chunk as usize].peaks.iter().any(|peak| peak.channel == hit.peak.channel)
            };
            assert!(cut.hits.iter().all(of_owner));
        }
    }
}

#[test]
fn hits_in_a_crowd_do_not_depend_on_the_chunks_either() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.fil");
    synthetic::write(&path, 9, SMALL_CHANNELS).unwrap();
    let mut fil = Filterbank::open(&path).unwrap();
    let whole = findings(&mut fil, NOISY, 1);
    let hits = merge::merge_findings(&whole).unwrap();
    let (hit_count, peaks) = (hits.hits.len(), whole[0].peaks.len());
    assert!(hit_count > 100 && peaks > hit_count + 20, "{hit_count} hits of {peaks} peaks");
    for chunks in [7, 33] {
        let cut = merge::merge(&framed(&findings(&mut fil, NOISY, chunks))).unwrap();
        assert_eq!(without_chunk(&cut), without_chunk(&hits), "{chunks} chunks");
    }
}

#[test]
fn of_paths_that_meet_only_the_strongest_is_a_hit() {
    let observation = synthetic::observation(4_096);
    let settings = Settings::default();
    let peak = |channel, drift_steps, snr_milli| Peak { channel, drift_steps, snr_milli };
    let strong = peak(1_000, 10, 60_000);
    let crosses_it = peak(1_005, -5, 20_000);
    let beside_it = peak(1_040, 10, 15_000);
    // It meets the one that is no hit, so it stays.
    let crosses_what_is_gone = peak(990, 11, 12_000);
    let peaks = vec![crosses_what_is_gone, strong, crosses_it, beside_it];
    let findings = Findings { observation, settings, chunk: 0, peaks };
    let hits = merge::merge_findings(std::slice::from_ref(&findings)).unwrap();
    let kept: Vec<Peak> = hits.hits.iter().map(|hit| hit.peak).collect();
    assert_eq!(kept, [strong, beside_it, crosses_what_is_gone]);

    let other = Findings { settings: NOISY, chunk: 1, ..findings.clone() };
    let mixed = merge::merge_findings(&[findings, other]);
    assert_eq!(mixed, Err(merge::MergeError::AnotherSearch { place: 1 }));
}

#[test]
fn brute_force_finds_the_same_peaks_and_notices_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.fil");
    synthetic::write(&path, 3, SMALL_CHANNELS).unwrap();
    let mut fil = Filterbank::open(&path).unwrap();
    // Every local maximum is a peak, also those next to the borders.
    let settings = Settings { snr_milli: 1_500, ..NOISY };
    let chunks = 9;
    let mut peaks = 0;
    for unit in 0..chunks {
        let chunk = Split::new(&mut fil, settings, chunks).unwrap().chunk(unit).unwrap();
        let mut found = search(&chunk, |_, _| {}).unwrap();
        reference::check(&mut fil, &settings, unit, chunks, &bytes(&found)).unwrap();
        peaks += found.peaks.len();
        found.peaks[0].snr_milli += 1;
        let lie = reference::check(&mut fil, &settings, unit, chunks, &bytes(&found));
        assert!(matches!(lie, Err(reference::Wrong::Peak { place: 0, .. })));
        found.peaks.pop();
        assert!(reference::check(&mut fil, &settings, unit, chunks, &bytes(&found)).is_err());
    }
    assert!(peaks > 3_000, "only {peaks} peaks compared");
}

/// The demo's own observation, as every machine has to find it.
#[test]
fn the_full_observation_has_its_recorded_digest_and_all_its_tones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full.fil");
    let golden = include_str!("../../golden.txt");
    for line in golden.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [seed, units, digest] = words[..] else { panic!("{line:?}: seed, units, digest") };
        let tones = synthetic::write(&path, seed.parse().unwrap(), synthetic::CHANNELS).unwrap();
        assert!(path.metadata().unwrap().len() >= 64 << 20);
        let mut fil = Filterbank::open(&path).unwrap();
        let units: u32 = units.parse().unwrap();
        let found = findings(&mut fil, Settings::default(), units);
        let outputs: Vec<u8> = found.iter().flat_map(bytes).collect();
        assert_eq!(blake3::hash(&outputs).to_hex().as_str(), digest, "seed {seed}, {units} units");
        let hits = merge::merge(&framed(&found)).unwrap();
        let recovery = Recovery::of(&tones, &hits.hits);
        assert!(recovery.is_good(0), "seed {seed}: {recovery:#?}");
        draws_and_lists(folder.path(), &mut fil, &hits);
    }
}

fn draws_and_lists(folder: &Path, fil: &mut Filterbank, hits: &Hits) {
    let csv = merge::csv(&hits.hits);
    let lines: Vec<&str> = csv.lines().collect();
    let header = "hit,drift_rate_hz_s,snr,frequency_mhz,channel,freq_start_mhz,freq_end_mhz,chunk";
    assert_eq!((lines[0], lines.len()), (header, 1 + synthetic::TONES));
    assert!(lines.iter().all(|line| line.split(',').count() == 8));

    let dat = folder.join("hits.dat");
    narrowband_host::dat::write(&dat, fil, hits).unwrap();
    let dat = std::fs::read_to_string(dat).unwrap();
    let rows: Vec<&str> = dat.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(rows.len(), synthetic::TONES);
    assert!(rows.iter().all(|row| row.trim_end().split('\t').count() == 12));

    let picture = folder.join("hits.png");
    narrowband_host::waterfall::draw(&picture, fil, hits).unwrap();
    let decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(picture).unwrap()));
    assert!(decoder.read_info().unwrap().info().height > 500);
}

#[test]
fn a_chunk_that_is_cut_or_changed_is_refused_or_searched_but_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.fil");
    synthetic::write(&path, 0, 4_096).unwrap();
    let mut fil = Filterbank::open(&path).unwrap();
    let settings = Settings { max_drift_hz_s: 0.2, snr_milli: 10_000 };
    let chunk = Split::new(&mut fil, settings, 2).unwrap().chunk(1).unwrap();
    let good = search(&chunk, |_, _| {}).unwrap();
    let header_bytes = 8 + u32::from_le_bytes(chunk[4..8].try_into().unwrap()) as usize;
    for length in (0..header_bytes + 8).chain([chunk.len() - 1]) {
        assert!(search(&chunk[..length], |_, _| {}).is_err(), "cut at {length}");
    }
    let mut refused = 0;
    for bit in 0..header_bytes * 8 {
        let mut changed = chunk.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        refused += usize::from(search(&changed, |_, _| {}).is_err());
    }
    // What remains are other frequencies, times, thresholds: searches of their own.
    assert!(refused > header_bytes * 3, "only {refused} refused");
    for junk in [&b""[..], b"x", &[0xff; 9], &[0; 8], &framed(&[good])[..20]] {
        assert!(merge::merge(junk).is_err(), "{junk:?}");
    }
}
