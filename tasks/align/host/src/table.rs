//! The hits of all units in one table, and what each is worth.
//!
//! A score of s between a query of m residues and a database of n is reached by chance about
//! E = K m n e^(−λ s) times (Karlin and Altschul, 1990), with λ and K of gapped BLOSUM62, 11 and 1, as
//! Altschul and Gish (1996) measured them. Lengths are not corrected for ends, so E is a little too
//! large for short queries.
use align::score::{GAP_EXTEND, GAP_OPEN};
use fetched::{FileError, outputs};
use std::{cmp::Ordering, collections::BTreeMap, path::Path};

const LAMBDA: f64 = 0.267;
const K: f64 = 0.041;
const _: () = assert!(GAP_OPEN == 11 && GAP_EXTEND == 1, "λ and K are of these gaps");

/// A query and a sequence that fit.
#[derive(Clone, PartialEq, Debug)]
pub struct Hit {
    /// The query's name.
    pub query: String,
    /// The sequence's.
    pub target: String,
    /// What the alignment counts.
    pub score: u32,
    /// First and last residue in the query, from 1.
    pub query_part: [u32; 2],
    /// In the sequence.
    pub target_part: [u32; 2],
    /// Columns with the same residue twice.
    pub identities: u32,
    /// All columns.
    pub columns: u32,
    /// The columns.
    pub cigar: String,
}

impl Hit {
    /// The score in bits, which can be compared between matrices.
    pub fn bits(&self) -> f64 {
        (LAMBDA * f64::from(self.score) - K.ln()) / 2_f64.ln()
    }

    /// How many such hits chance would find.
    pub fn expected(&self, query_residues: u64, database_residues: u64) -> f64 {
        query_residues as f64 * database_residues as f64 * (-self.bits()).exp2()
    }
}

/// All hits of a database.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Hits {
    /// Sequences searched.
    pub sequences: u64,
    /// Residues in them.
    pub residues: u64,
    /// By query, best first.
    pub of: BTreeMap<String, Vec<Hit>>,
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A folder or file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line is none of this task's.
    #[error("{path}:{line}: this is no output of a search: {text:?}")]
    Line {
        /// Of which file.
        path: String,
        /// From 1.
        line: usize,
        /// What stands there.
        text: String,
    },
}

/// Reads every unit's output in a folder that `dugnad fetch` wrote to.
///
/// # Errors
/// What could not be read, or is no output of this task.
pub fn read(results: &Path) -> Result<Hits, TableError> {
    let mut all = Hits::default();
    for (path, text) in outputs(results)? {
        add(&mut all, &path.display().to_string(), &text)?;
    }
    for hits in all.of.values_mut() {
        hits.sort_by(better);
    }
    Ok(all)
}

/// Adds a unit's output; `path` is for errors.
///
/// # Errors
/// A line is none of this task's.
pub fn add(all: &mut Hits, path: &str, text: &str) -> Result<(), TableError> {
    for (at, line) in text.lines().enumerate() {
        let fields: Vec<&str> = line.split('\t').collect();
        let read = match fields.as_slice() {
            ["#", sequences, residues] => size(sequences, residues).map(|(sequences, residues)| {
                all.sequences += sequences;
                all.residues += residues;
            }),
            fields => hit(fields).map(|hit| {
                all.of.entry(hit.query.clone()).or_default().push(hit);
            }),
        };
        read.ok_or_else(|| TableError::Line {
            path: path.to_owned(),
            line: at + 1,
            text: line.to_owned(),
        })?;
    }
    Ok(())
}

fn size(sequences: &str, residues: &str) -> Option<(u64, u64)> {
    Some((sequences.parse().ok()?, residues.parse().ok()?))
}

fn hit(fields: &[&str]) -> Option<Hit> {
    let [query, target, numbers @ .., cigar] = fields else { return None };
    let numbers: Vec<u32> =
        numbers.iter().map(|field| field.parse().ok()).collect::<Option<_>>()?;
    let [score, query_from, query_to, target_from, target_to, identities, columns] =
        <[u32; 7]>::try_from(numbers).ok()?;
    Some(Hit {
        query: (*query).to_owned(),
        target: (*target).to_owned(),
        score,
        query_part: [query_from, query_to],
        target_part: [target_from, target_to],
        identities,
        columns,
        cigar: (*cigar).to_owned(),
    })
}

/// Best first; of equals by name, so that the order of files does not matter.
fn better(one: &Hit, other: &Hit) -> Ordering {
    other.score.cmp(&one.score).then_with(|| one.target.cmp(&other.target))
}

/// The table as text, with no more than `hits_max` hits a query and none that chance expects more
/// than `expected_max` times; `lengths` are the residues of each query.
pub fn text(all: &Hits, lengths: &BTreeMap<String, u64>, limits: (usize, f64)) -> String {
    let mut text = "query\ttarget\tscore\tbits\texpected\tquery_from\tquery_to\ttarget_from\t\
        target_to\tidentities\tcolumns\tcigar\n"
        .to_owned();
    for (query, hits) in &all.of {
        let residues = lengths.get(query).copied().unwrap_or_default();
        let worth = hits.iter().filter(|hit| hit.expected(residues, all.residues) <= limits.1);
        for hit in worth.take(limits.0) {
            let [query_from, query_to] = hit.query_part;
            let [target_from, target_to] = hit.target_part;
            text += &format!(
                "{query}\t{}\t{}\t{:.1}\t{:.1e}\t{query_from}\t{query_to}\t{target_from}\t\
                 {target_to}\t{}\t{}\t{}\n",
                hit.target,
                hit.score,
                hit.bits(),
                hit.expected(residues, all.residues),
                hit.identities,
                hit.columns,
                hit.cigar
            );
        }
    }
    text
}
