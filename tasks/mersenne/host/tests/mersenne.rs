//! The units, compiled for this machine, against published values and plain arithmetic.
use mersenne_host::{picture, table};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

/// Exponents of Mersenne primes up to 1300, and of some that come later.
const KNOWN: [u32; 15] = [2, 3, 5, 7, 13, 17, 19, 31, 61, 89, 107, 127, 521, 607, 1279];
const LATER: [(&str, bool); 5] =
    [("2203", true), ("2207", false), ("2281", true), ("9697", false), ("9941", true)];
/// Published factors below 2^28 of 2^p − 1, p from 11 to 97 without those whose number is prime.
const FACTORS: &str = "11\t23 89\n23\t47 178481\n29\t233 1103 2089\n37\t223\n41\t13367 164511353\n\
    43\t431 9719 2099863\n47\t2351 4513 13264529\n53\t6361 69431 20394401\n59\t179951\n\
    67\t193707721\n71\t228479 48544121 212885833\n73\t439 2298041\n79\t2687 202029703\n83\t167\n\
    97\t11447\n";

/// A program of the task, compiled by this machine's C compiler.
fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<tempfile::TempDir> = OnceLock::new();
    let place = BUILT.get_or_init(|| {
        let place = tempfile::tempdir().expect("a folder");
        for name in ["mersenne", "factors"] {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
            let compiler = Command::new("cc")
                .args(["-O2", "-std=c11", "-Wall", "-Wextra", "-Werror", "-o"])
                .arg(place.path().join(name))
                .arg(source.with_extension("c"))
                .output();
            let compiler = compiler.expect("a C compiler is there");
            assert!(compiler.status.success(), "{}", String::from_utf8_lossy(&compiler.stderr));
        }
        place
    });
    place.path().join(name)
}

fn run(name: &str, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(program(name))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    child.stdin.take().expect("a pipe").write_all(input).expect("it reads");
    child.wait_with_output().expect("it ends")
}

fn unit(name: &str, arguments: &[&str]) -> String {
    let done = run(name, arguments, b"0\n");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("text")
}

/// What Lucas and Lehmer leave, by long multiplication in bits of 32: (2^p − 1) is taken off by hand.
fn plain_residue(p: u32) -> Vec<u32> {
    let words = p.div_ceil(32) as usize;
    let bit = |number: &[u32], at: u32| number[at as usize / 32] >> (at % 32) & 1;
    let mut s = vec![0_u32; words];
    s[0] = 4;
    for _ in 2..p {
        let mut product = vec![0_u32; 2 * words + 1];
        for (i, a) in s.iter().enumerate() {
            let mut over = 0_u64;
            for (j, b) in s.iter().enumerate() {
                let sum = u64::from(*a) * u64::from(*b) + u64::from(product[i + j]) + over;
                product[i + j] = sum as u32;
                over = sum >> 32;
            }
            product[i + words] = over as u32;
        }
        // The number is its lower p bits and its upper ones, and 2 less, which is 2^p − 3 more.
        let mut over = 0_u32;
        s = vec![0; words];
        for at in 0..p {
            let less = if at == 1 { 0 } else { 1 };
            let sum = bit(&product, at) + bit(&product, at + p) + less + over;
            s[at as usize / 32] |= (sum & 1) << (at % 32);
            over = sum >> 1;
        }
        while over > 0 {
            for at in 0..p {
                let sum = bit(&s, at) + over;
                s[at as usize / 32] &= !(1 << (at % 32));
                s[at as usize / 32] |= (sum & 1) << (at % 32);
                over = sum >> 1;
            }
        }
    }
    if (0..p).all(|at| bit(&s, at) == 1) { vec![0; words] } else { s }
}

#[test]
fn the_known_mersenne_primes_are_found_and_no_others() {
    let all = table::parse("unit 0", &unit("mersenne", &["0", "1300"])).expect("a table");
    let primes: Vec<u32> = all.iter().filter(|one| one.is_prime).map(|one| one.exponent).collect();
    assert_eq!(primes, KNOWN);
    assert_eq!(all.len(), 211, "there are 211 primes below 1300");
    // The worked example of the literature: 11 leaves 1736.
    assert_eq!(all.iter().find(|one| one.exponent == 11).map(|one| one.residue), Some(1736));
    for (p, is_prime) in LATER {
        let tested = table::parse(p, &unit("mersenne", &[p, "1"])).expect("a table");
        assert_eq!(tested.iter().map(|one| one.is_prime).collect::<Vec<_>>(), [is_prime], "{p}");
    }
}

#[test]
fn residues_are_those_of_long_multiplication() {
    let mut tested = table::parse("unit", &unit("mersenne", &["3", "260"])).expect("a table");
    for p in ["521", "619", "1297"] {
        tested.extend(table::parse("unit", &unit("mersenne", &[p, "1"])).expect("a table"));
    }
    for one in tested {
        let left = plain_residue(one.exponent);
        let upper = left.get(1).copied().unwrap_or_default();
        let low = u64::from(left[0]) | u64::from(upper) << 32;
        assert_eq!(one.residue, low, "{}", one.exponent);
        assert_eq!(one.is_prime, left.iter().all(|word| *word == 0), "{}", one.exponent);
    }
}

#[test]
fn published_factors_are_found_and_pass_the_check() {
    for line in FACTORS.lines() {
        let (p, _) = line.split_once('\t').expect("a line");
        assert_eq!(unit("factors", &[p, "1", "28"]), format!("{line}\n"));
        let input = [&2_u64.to_le_bytes()[..], b"0\n", line.as_bytes(), b"\n"].concat();
        assert!(run("factors", &["verify", p, "1", "28"], &input).status.success(), "{line}");
    }
    assert_eq!(unit("factors", &["2", "3", "16"]), "2\t-\n3\t-\n", "these numbers are prime");
}

#[test]
fn the_check_takes_no_wrong_factor_and_no_missing_easy_one() {
    let check = |output: &str| {
        let input = [&2_u64.to_le_bytes()[..], b"0\n", output.as_bytes()].concat();
        run("factors", &["verify", "67", "5", "28"], &input)
    };
    let right = "67\t193707721\n71\t228479 48544121 212885833\n";
    assert!(check(right).status.success());
    // What it cannot know: a factor that takes long to find is missing.
    assert!(check("67\t-\n71\t228479 48544121 212885833\n").status.success());
    let wrong = [
        ("67\t193707723\n71\t228479 48544121 212885833\n", "no factor"),
        ("67\t228479\n71\t228479 48544121 212885833\n", "a factor of another number"),
        ("67\t193707721\n71\t48544121 228479 212885833\n", "not in order"),
        ("67\t193707721\n71\t228479 228479 212885833\n", "twice the same"),
        ("67\t193707721\n71\t-\n", "228479 is easy"),
        ("67\t193707721\n", "a line is missing"),
        ("67\t193707721\n71\t228479 48544121 212885833\n73\t439\n", "a line too many"),
        ("67\t193707721\n71\t228479 48544121 212885833", "the last line has no end"),
        ("", "nothing"),
    ];
    for (output, what) in wrong {
        let done = check(output);
        assert_eq!(done.status.code(), Some(1), "{what}");
        assert!(String::from_utf8_lossy(&done.stderr).contains("the output is wrong"), "{what}");
    }
    // 23 · 89 divides 2^11 − 1, and is the whole of it; 233 · 1103 divides 2^29 − 1, and is no prime.
    for (p, output) in [("11", "11\t23 89 2047\n"), ("29", "29\t233 1103 2089 256999\n")] {
        let input = [&2_u64.to_le_bytes()[..], b"0\n", output.as_bytes()].concat();
        assert_eq!(run("factors", &["verify", p, "1", "28"], &input).status.code(), Some(1));
    }
}

#[test]
fn what_is_no_unit_is_refused_in_words() {
    let cases: [(&[&str], &[u8], &str); 4] = [
        (&["0"], b"0\n", "FIRST and SPAN"),
        (&["0", "ten"], b"0\n", "FIRST and SPAN"),
        (&["0", "10"], b"first\n", "expected a unit index"),
        (&["196613", "1"], b"0\n", "end at 196,608"),
    ];
    for (arguments, input, said) in cases {
        let done = run("mersenne", arguments, input);
        assert_eq!(done.status.code(), Some(1));
        assert!(done.stdout.is_empty());
        let words = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(words.contains(said), "{words}");
    }
}

#[test]
fn fetched_outputs_become_a_table_and_a_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let units = folder.path().join("units");
    std::fs::create_dir(&units).expect("made");
    for (name, span) in [("00000001.out", ["100", "100"]), ("00000000.out", ["0", "100"])] {
        std::fs::write(units.join(name), unit("mersenne", &span)).expect("written");
    }
    let all = table::read(folder.path()).expect("outputs");
    assert!(all.len() == 46 && all.is_sorted());
    assert_eq!(table::parse("table", table::text(&all).split_once('\n').unwrap().1).unwrap(), all);
    let picture = folder.path().join("mersenne.png");
    picture::draw(&picture, &all).expect("drawn");
    assert!(std::fs::metadata(&picture).expect("written").len() > 4_000);
    std::fs::write(units.join("00000002.out"), "31\tprime\t0000000000000000\n").expect("written");
    assert!(table::read(folder.path()).unwrap_err().to_string().contains("31 is there twice"));
    std::fs::write(units.join("00000002.out"), "31\tperhaps\t0\n").expect("written");
    assert!(table::read(folder.path()).unwrap_err().to_string().contains("2.out:1: expected"));
}
