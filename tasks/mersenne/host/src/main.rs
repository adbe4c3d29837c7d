//! Makes a table and a picture of a fetched job: `mersenne-host RESULTS OUT`.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage.
use mersenne_host::{picture, table};
use std::{env, error::Error, fs, path::Path, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let [results, out] = arguments.as_slice() else {
        eprintln!("usage: mersenne-host RESULTS OUT (RESULTS is what `dugnad fetch` wrote)");
        return ExitCode::from(2);
    };
    match assemble(Path::new(results), Path::new(out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mersenne-host: {error}");
            ExitCode::FAILURE
        }
    }
}

fn assemble(results: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let all = table::read(results)?;
    fs::create_dir_all(out)?;
    fs::write(out.join("table.tsv"), table::text(&all))?;
    picture::draw(&out.join("mersenne.png"), &all)?;
    let primes: Vec<String> =
        all.iter().filter(|one| one.is_prime).map(|one| one.exponent.to_string()).collect();
    println!("{} exponents; 2^p - 1 is prime for p = {}", all.len(), primes.join(", "));
    Ok(())
}
