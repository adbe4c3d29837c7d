//! Makes a table and a picture of a fetched job: `mersenne-host RESULTS OUT`.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage.
use fetched::{Done, program};
use mersenne_host::{picture, table};
use std::{fs, path::Path, process::ExitCode};

const USAGE: &str = "usage: mersenne-host RESULTS OUT
makes table.tsv and mersenne.png in OUT; RESULTS is what `dugnad fetch` wrote";

fn main() -> ExitCode {
    program(USAGE, |arguments| match arguments {
        [results, out] => Some(assemble(Path::new(results), Path::new(out))),
        _ => None,
    })
}

fn assemble(results: &Path, out: &Path) -> Done {
    let all = table::read(results)?;
    fs::create_dir_all(out)?;
    fs::write(out.join("table.tsv"), table::text(&all))?;
    picture::draw(&out.join("mersenne.png"), &all)?;
    let primes: Vec<String> =
        all.iter().filter(|one| one.is_prime).map(|one| one.exponent.to_string()).collect();
    Ok(format!("{} exponents; 2^p - 1 is prime for p = {}", all.len(), primes.join(", ")))
}
