//! A unit: queries in FASTA, a line `//`, a chunk of the database in FASTA; out come its best hits.
//!
//! The output is lines of text, fields between tabs. The first says how large the chunk is: `#`,
//! sequences, residues. Each other is a hit: query, target, score, first and last residue in the query
//! and in the target (from 1), identical columns, columns, and the columns as CIGAR.
use crate::{
    search::{LANES, SCORE_MAX, scores},
    sequence::{Sequence, parse},
    trace::align,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::array::from_fn;

/// Most hits of one query in one unit.
pub const HITS_MAX: usize = 25;
/// What a hit must reach; pairs without kinship hardly do in any database.
pub const SCORE_MIN: i16 = 50;

const BETWEEN: &[u8] = b"//";

/// Runs a unit; `progress` hears how many residues of all have been searched.
///
/// # Errors
/// The input is not what this task takes, or a hit too long to align.
pub fn run(input: &[u8], progress: impl Fn(u64, u64)) -> Result<Vec<u8>, String> {
    let (queries, targets) = read(input)?;
    let residues = |all: &[Sequence]| all.iter().map(|one| one.residues.len() as u64).sum::<u64>();
    let all = residues(&targets);
    let mut output = format!("#\t{}\t{all}\n", targets.len());
    let mut hits: Vec<Vec<(i16, usize)>> = queries.iter().map(|_| Vec::new()).collect();
    // Sequences of like length beside each other leave few lanes idle.
    let mut order: Vec<usize> = (0..targets.len()).collect();
    order.sort_by_key(|place| targets[*place].residues.len());
    let mut done = 0;
    for places in order.chunks(LANES) {
        let lanes: [&[u8]; LANES] = from_fn(|lane| {
            places.get(lane).map_or(&[][..], |place| targets[*place].residues.as_slice())
        });
        for (query, hits) in queries.iter().zip(&mut hits) {
            let found = scores(&query.residues, lanes).into_iter().zip(places);
            hits.extend(
                found.filter(|(score, _)| *score >= SCORE_MIN).map(|(s, place)| (s, *place)),
            );
        }
        done += lanes.iter().map(|lane| lane.len() as u64).sum::<u64>();
        progress(done, all);
    }
    for (query, hits) in queries.iter().zip(&mut hits) {
        for line in best(query, &targets, hits)? {
            output += &line;
        }
    }
    Ok(output.into_bytes())
}

/// Reads a unit's input.
fn read(input: &[u8]) -> Result<(Vec<Sequence>, Vec<Sequence>), String> {
    let mut at = 0;
    for (number, line) in input.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii() == BETWEEN {
            let queries = parse(&input[..at], 1).map_err(|error| error.to_string())?;
            let rest = &input[(at + line.len() + 1).min(input.len())..];
            let targets = parse(rest, number + 2).map_err(|error| error.to_string())?;
            return Ok((queries, targets));
        }
        at += line.len() + 1;
    }
    Err("expected queries, a line `//`, and a part of the database".to_string())
}

/// The lines of the best hits of a query, best first; of equals whichever comes first in the chunk.
fn best(
    query: &Sequence,
    targets: &[Sequence],
    hits: &mut Vec<(i16, usize)>,
) -> Result<Vec<String>, String> {
    hits.sort_by_key(|(score, place)| (-score, *place));
    hits.truncate(HITS_MAX);
    let mut lines = Vec::new();
    for (score, place) in hits {
        let target = &targets[*place];
        let found = align(&query.residues, &target.residues)?;
        let found = found.ok_or_else(|| format!("{} has no alignment", target.name))?;
        if *score < SCORE_MAX && found.score != i32::from(*score) {
            return Err(format!("{} scores {} and {score}", target.name, found.score));
        }
        lines.push(format!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
            query.name,
            target.name,
            found.score,
            found.query.start + 1,
            found.query.end,
            found.target.start + 1,
            found.target.end,
            found.identities,
            found.columns,
            found.cigar
        ));
    }
    Ok(lines)
}
