//! Hits as a turboSETI `.dat` file, for the programs that read those.
//!
//! Columns that need a telescope's calibration (SEFD) hold zeros, as turboSETI writes them too.
use crate::Filterbank;
use narrowband::merge::Hits;
use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::Path,
};

const RULE: &str = "# -------------------------- o --------------------------";
const COLUMNS: &str = "# Top_Hit_# \tDrift_Rate \tSNR \tUncorrected_Frequency \tCorrected_Frequency \tIndex \tfreq_start \tfreq_end \tSEFD \tSEFD_freq \tCoarse_Channel_Number \tFull_number_of_hits \t";

/// Writes the hits of `fil` to a new file.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, fil: &Filterbank, hits: &Hits) -> io::Result<()> {
    std::fs::File::create(path)?.write_all(text(path, fil, hits).as_bytes())
}

fn text(path: &Path, fil: &Filterbank, hits: &Hits) -> String {
    let observation = &hits.observation;
    let file = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut text = format!(
        "{RULE}\n# File ID: {file}\n{RULE}\n# Source:{}\n# MJD: {:18.12}\tRA: 0.0\tDEC: 0.0\n\
         # DELTAT: {:10.6}\tDELTAF(Hz): {:10.6}\tmax_drift_rate: {:10.6}\tobs_length: {:10.6}\n\
         {RULE}\n{COLUMNS}\n{RULE}\n",
        fil.source_name(),
        fil.tstart_mjd(),
        observation.tsamp_s,
        observation.foff_mhz * 1e6,
        hits.settings.max_drift_hz_s,
        observation.tsamp_s * f64::from(observation.spectra),
    );
    for hit in &hits.hits {
        let frequency = hit.freq_start_mhz;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:03}\t{:10.6}\t{:10.6}\t{frequency:14.6}\t{frequency:14.6}\t{}\t{:14.6}\t{:14.6}\t0.0\t0.000000\t{}\t{}\t",
            hit.number,
            hit.drift_rate_hz_s,
            hit.snr(),
            hit.peak.channel,
            hit.freq_start_mhz,
            hit.freq_end_mhz,
            hit.chunk,
            hits.hits.len(),
        );
    }
    text
}
