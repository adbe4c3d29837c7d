//! The search against the definition of its score, against values worked out by hand, and on a database
//! whose relatives are known.
use align::{
    score::{BLOSUM62, GAP_EXTEND, GAP_OPEN, pair},
    search::{LANES, SCORE_MAX, scores},
    sequence::{LETTERS, Problem, code, parse},
    trace::{Alignment, align},
    unit::run,
};
use align_host::{picture, split::split, synthetic, table};
use std::{array::from_fn, collections::BTreeMap, fs};

fn residues(letters: &str) -> Vec<u8> {
    letters.bytes().map(|letter| code(letter).expect("a residue")).collect()
}

/// The score by the definition of Smith and Waterman: every gap of every length is tried at every place.
fn by_definition(query: &[u8], target: &[u8]) -> i32 {
    let gap = |length: usize| i32::from(GAP_OPEN) + i32::from(GAP_EXTEND) * length as i32;
    let mut best = vec![vec![0; target.len() + 1]; query.len() + 1];
    for i in 1..=query.len() {
        for j in 1..=target.len() {
            let matched = best[i - 1][j - 1] + i32::from(pair(query[i - 1], target[j - 1]));
            let above = (1..=i).map(|k| best[i - k][j] - gap(k));
            let left = (1..=j).map(|k| best[i][j - k] - gap(k));
            best[i][j] = above.chain(left).chain([matched, 0]).max().expect("some");
        }
    }
    best.into_iter().flatten().max().expect("some")
}

/// What an alignment counts, column by column, and the same columns and identities.
fn counted(found: &Alignment, query: &[u8], target: &[u8]) -> (i32, usize, usize) {
    let (mut i, mut j) = (found.query.start, found.target.start);
    let (mut score, mut identities, mut columns) = (0, 0, 0);
    for run in found.cigar.split_inclusive(|c: char| c.is_ascii_alphabetic()) {
        let (count, letter) = run.split_at(run.len() - 1);
        let count: usize = count.parse().expect("a number");
        columns += count;
        for _ in 0..if letter == "M" { count } else { 0 } {
            score += i32::from(pair(query[i], target[j]));
            identities += usize::from(query[i] == target[j]);
            (i, j) = (i + 1, j + 1);
        }
        if letter != "M" {
            score -= i32::from(GAP_OPEN) + i32::from(GAP_EXTEND) * count as i32;
            if letter == "I" { i += count } else { j += count }
        }
    }
    assert_eq!((i, j), (found.query.end, found.target.end));
    (score, identities, columns)
}

fn lanes_of(all: &[Vec<u8>]) -> [&[u8]; LANES] {
    from_fn(|lane| all.get(lane).map_or(&[][..], Vec::as_slice))
}

#[test]
fn the_matrix_is_symmetric_and_has_its_known_sums() {
    for (row, one) in BLOSUM62.iter().enumerate() {
        for (column, value) in one.iter().enumerate() {
            assert_eq!(*value, BLOSUM62[column][row], "{row} {column}");
        }
    }
    let at = |one, other| pair(code(one).unwrap(), code(other).unwrap());
    let diagonal: Vec<i16> = LETTERS.iter().map(|letter| at(*letter, *letter)).collect();
    let known = [4, 5, 6, 6, 9, 5, 5, 6, 8, 4, 4, 5, 5, 6, 7, 4, 5, 11, 7, 4, 4, 4, -1, 1];
    assert_eq!(diagonal, known);
    assert_eq!((at(b'w', b'Y'), at(b'I', b'V'), at(b'D', b'E'), at(b'G', b'L')), (2, 3, 2, -4));
    assert_eq!((code(b'U'), code(b'1')), (code(b'X'), None));
}

#[test]
fn scores_worked_out_by_hand_come_out() {
    // Each residue on itself: 4 + 9 + 6 + 5 + 6 + 6 + 8 + 4 + 5.
    // A W on themselves, a gap of one residue, H E on themselves: 15 − 12 + 13.
    // Four W, a gap of three residues, four W: 44 − 14 + 44; without the gap 44 − 6 at most.
    let cases = [
        ("ACDEFGHIK", "ACDEFGHIK", 53, "9M"),
        ("PPAWGHEPP", "LLAWHELL", 16, "2M1I2M"),
        ("WWWWWWWW", "WWWWPPPWWWW", 74, "4M3D4M"),
        ("WWWWPPPWWWW", "WWWWWWWW", 74, "4M3I4M"),
    ];
    for (query, target, score, cigar) in cases {
        let (query, target) = (residues(query), residues(target));
        let found = align(&query, &target).unwrap().expect("they fit");
        assert_eq!((found.score, found.cigar.as_str()), (score, cigar));
        assert_eq!(scores(&query, lanes_of(&[target]))[0], score as i16);
    }
    assert_eq!(align(&residues("AAAA"), &residues("WWWW")), Ok(None), "nothing fits");
}

#[test]
fn vectors_whole_matrices_and_the_definition_agree() {
    let folder = tempfile::tempdir().expect("a folder");
    for seed in 0..6 {
        synthetic::write(folder.path(), seed, 60).expect("written");
        let read = |name| fs::read(folder.path().join(name)).expect("written");
        let queries = parse(&read("queries.fasta"), 1).expect("FASTA");
        let database = parse(&read("database.fasta"), 1).expect("FASTA");
        for (query, eight) in queries.iter().zip(database.chunks(LANES)) {
            let query = &query.residues[..90];
            let cut = |residues: &[u8]| residues[..residues.len().min(150)].to_vec();
            let targets: Vec<Vec<u8>> = eight.iter().map(|one| cut(&one.residues)).collect();
            let found = scores(query, lanes_of(&targets));
            for (target, score) in targets.iter().zip(found) {
                let expected = by_definition(query, target);
                assert_eq!(i32::from(score), expected);
                let found = align(query, target).unwrap().expect("something always fits");
                assert_eq!(found.score, expected);
                let known = (expected, found.identities, found.columns);
                assert_eq!(counted(&found, query, target), known);
            }
        }
    }
}

#[test]
fn a_score_too_large_for_a_lane_is_found_all_the_same() {
    let long = "W".repeat(3_100);
    let input = format!(">q\n{long}\n//\n>t\n{long}\n");
    assert_eq!(scores(&residues(&long), lanes_of(&[residues(&long)]))[0], SCORE_MAX);
    let output = String::from_utf8(run(input.as_bytes(), |_, _| ()).unwrap()).unwrap();
    assert_eq!(output, "#\t1\t3100\nq\tt\t34100\t1\t3100\t1\t3100\t3100\t3100\t3100M\n");
}

#[test]
fn relatives_hidden_in_a_database_are_found_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    let hidden = synthetic::write(folder.path(), 7, 400).expect("written");
    let queries = place("queries.fasta");
    let count = split(&queries, &place("database.fasta"), 5, &place("units")).expect("cut");
    assert_eq!(count, 5);
    fs::create_dir_all(place("results/units")).expect("made");
    for unit in 0..count {
        let input = fs::read(place(&format!("units/{unit:08}.fasta"))).expect("written");
        let output = run(&input, |_, _| ()).expect("a unit");
        fs::write(place(&format!("results/units/{unit:08}.out")), output).expect("written");
    }
    let all = table::read(&place("results")).expect("outputs");
    assert_eq!(all.sequences, 400, "each is in exactly one unit");
    let known = parse(&fs::read(queries).expect("written"), 1).expect("FASTA");
    let lengths: BTreeMap<String, u64> =
        known.into_iter().map(|one| (one.name, one.residues.len() as u64)).collect();
    let text = table::text(&all, &lengths, (50, 1e-3));
    let found: Vec<(&str, &str)> = text
        .lines()
        .skip(1)
        .map(|line| {
            let mut fields = line.split('\t');
            (fields.next().expect("a query"), fields.next().expect("a target"))
        })
        .collect();
    for one in &hidden {
        let seen = found.contains(&(one.query.as_str(), one.target.as_str()));
        assert!(seen || one.replaced > 0.6, "{one:?} is not found");
    }
    for (query, target) in &found {
        let related = hidden.iter().any(|one| one.query == *query && one.target == *target);
        assert!(related, "{query} and {target} are no relatives");
    }
    let drawn = place("hits.png");
    picture::draw(&drawn, &all, &lengths).expect("drawn");
    assert!(fs::metadata(drawn).expect("written").len() > 10_000);
}

#[test]
fn what_is_no_input_is_refused_with_its_line() {
    let cases: [(&str, &str); 5] = [
        (">q\nMKV\n>t\nMKV\n", "a line `//`"),
        ("MKV\n//\n>t\nMKV\n", "line 1: a sequence begins with a title"),
        (">q\nMKV\n//\n>t\nMK7\n", "line 5: no amino acid is written `7`"),
        (">q\n//\n>t\nMKV\n", "the sequence before this line has no residues"),
        (">q\nMKV\n//\n> t\nMKV\n", "line 4: a title has a name"),
    ];
    for (input, said) in cases {
        let error = run(input.as_bytes(), |_, _| ()).expect_err(said);
        assert!(error.contains(said), "{error}");
    }
    assert_eq!(parse(b">a\n>b\nM", 1).unwrap_err().problem, Problem::Empty);
    let mut all = table::Hits::default();
    let error = table::add(&mut all, "0.out", "#\t1\t3\nq\tt\t5\n").unwrap_err().to_string();
    assert!(error.starts_with("0.out:2: this is no output"), "{error}");
}
