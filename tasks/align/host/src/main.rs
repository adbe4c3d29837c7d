//! What a scientist does around a search: `align-host` without arguments says how.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage.
use align::sequence::parse;
use align_host::{picture, split::split, synthetic, table};
use fetched::{Done, FileError, program};
use std::{collections::BTreeMap, fs, path::Path, process::ExitCode};

const USAGE: &str = "usage:
  align-host synthetic OUT SEED SEQUENCES              makes queries.fasta and database.fasta, to try it
  align-host split QUERIES DATABASE UNITS OUT          cuts a database into the inputs of units
  align-host table QUERIES RESULTS OUT                 makes hits.tsv and hits.png of a fetched job";
/// Hits of a query in the table, and how often chance may be expected to find as good a one.
const WORTH: (usize, f64) = (250, 10.0);

fn main() -> ExitCode {
    program(USAGE, |arguments| match arguments {
        ["synthetic", out, seed, sequences] => Some(make(out, seed, sequences)),
        ["split", queries, database, units, out] => Some(cut(queries, database, units, out)),
        ["table", queries, results, out] => Some(assemble(queries, results, out)),
        _ => None,
    })
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("expected a number, not `{text}`"))
}

fn make(out: &str, seed: &str, sequences: &str) -> Done {
    let hidden = synthetic::write(Path::new(out), number(seed)?, number(sequences)?)?;
    let mut truth = "query\ttarget\treplaced\n".to_owned();
    for one in &hidden {
        truth += &format!("{}\t{}\t{}\n", one.query, one.target, one.replaced);
    }
    fs::write(Path::new(out).join("relatives.tsv"), truth)?;
    Ok(format!("{} relatives of {} queries are hidden", hidden.len(), synthetic::QUERIES))
}

fn cut(queries: &str, database: &str, units: &str, out: &str) -> Done {
    let count = split(Path::new(queries), Path::new(database), number(units)?, Path::new(out))?;
    Ok(format!("{count} units in {out}"))
}

fn assemble(queries: &str, results: &str, out: &str) -> Done {
    let text = fs::read(queries).map_err(FileError::of(Path::new(queries)))?;
    let known = parse(&text, 1).map_err(|error| format!("{queries}: {error}"))?;
    let lengths: BTreeMap<String, u64> =
        known.into_iter().map(|one| (one.name, one.residues.len() as u64)).collect();
    let all = table::read(Path::new(results))?;
    let text = table::text(&all, &lengths, WORTH);
    fs::create_dir_all(out)?;
    fs::write(Path::new(out).join("hits.tsv"), &text)?;
    picture::draw(&Path::new(out).join("hits.png"), &all, &lengths)?;
    Ok(format!("{} hits in {} residues", text.lines().count() - 1, all.residues))
}
