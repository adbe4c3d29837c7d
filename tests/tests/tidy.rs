//! The rules of the house, each as a test over what git tracks (or would, if it were added).
//!
//! A rule is here when the compiler cannot hold it. Each failure names the place and says what to
//! do about it. It is not a linter of taste: what rustfmt and clippy see is left to them.
use std::{env, fs, path::PathBuf, process::Command};

/// The top-level folders of the design; those that begin with a dot are the tools'.
const FOLDERS: [&str; 6] =
    ["benches", "coordinator-free-scheduler", "sdk", "tasks", "tests", "worker"];
/// A top-level folder that may come.
const FOLDER_ALLOWED: &str = "docs";
/// Lines in a file of Rust or Python; more is two files.
const LINES_MAX: usize = 500;
/// The rooms of the worker; `driver` stands between them.
const ROOMS: [&str; 5] = ["net", "exec", "store", "api", "donor"];
/// What the rooms must not know besides each other.
const CENTRE: [&str; 3] = ["driver", "cli", "demo"];
/// A framework and the one folder that may name it.
const FRAMEWORKS: [(&str, &str); 4] = [
    ("libp2p", "worker/net/"),
    ("wasmtime", "worker/exec/"),
    ("redb", "worker/store/"),
    ("axum", "worker/api/"),
];
/// Names that say nothing about what is inside.
const DRAWERS: [&str; 6] = ["util", "utils", "common", "helper", "helpers", "manager"];
/// Words that have no place in the mind, with the reason.
const IMPURE: [(&str, &str); 10] = [
    ("std", "the mind is no_std; use core and alloc"),
    ("HashMap", "its order differs from run to run; use BTreeMap"),
    ("HashSet", "its order differs from run to run; use BTreeSet"),
    ("sqrt", "float functions differ between machines; use integers"),
    ("powf", "float functions differ between machines; use integers"),
    ("powi", "float functions differ between machines; use integers"),
    ("exp", "float functions differ between machines; use integers"),
    ("ln", "float functions differ between machines; use integers"),
    ("log2", "float functions differ between machines; use ilog2 on integers"),
    ("unsafe", "the mind has none"),
];
/// Hosts that text may point to. Names ending in `.example` are free for examples.
const HOSTS: [&str; 13] = [
    "127.0.0.1",
    "blake3.io",
    "crates.io",
    "docs.rs",
    "example.com",
    "github.com",
    "localhost",
    "rustup.rs",
    "webassembly.org",
    "www.apache.org",
    "www.rust-lang.org",
    "www.w3.org",
    "ziglang.org",
];
/// Paths that exist on somebody's machine only.
const MACHINE_PATHS: [&str; 4] = ["/root/", "/home/", "/work/", "/Users/"];
/// This file names what it forbids.
const SELF: &str = "tests/tests/tidy.rs";

/// A tracked file of text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// What the text says first of itself begins so; nothing where that is not asked for.
    fn opening(&self) -> Option<&'static str> {
        let python = self.path.ends_with(".py").then_some("\"\"\"");
        self.is_rust().then_some("//!").or(python)
    }

    /// Numbered lines without what follows `//`.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines.map(|(at, line)| (at + 1, line.split("//").next().unwrap_or_default()))
    }

    /// Places where the code has `word`, with what the rule says of it.
    fn places_of(&self, found: impl Fn(&str) -> bool, say: &str) -> Vec<String> {
        let places = self.code().filter(|(_, line)| found(line));
        places.map(|(line, _)| format!("{}:{line}: {say}", self.path)).collect()
    }
}

fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").expect("run by cargo");
    PathBuf::from(package).join("..")
}

fn tracked() -> Vec<String> {
    // A checkout may belong to another user than the one who tests it.
    let git = ["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others"];
    let listed =
        Command::new("git").args(git).arg("--exclude-standard").current_dir(root()).output();
    let listed = listed.expect("the rules read what git tracks: install git");
    let said = String::from_utf8_lossy(&listed.stderr);
    assert!(listed.status.success(), "the rules read a git checkout: {said}");
    let names = String::from_utf8(listed.stdout).expect("file names in UTF-8");
    let names = names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned);
    names.filter(|name| root().join(name).is_file()).collect()
}

/// Every tracked text but the lock file, which cargo writes.
fn sources() -> Vec<Source> {
    let paths = tracked().into_iter().filter(|path| path != "Cargo.lock");
    let read = |path: String| {
        let text = String::from_utf8(fs::read(root().join(&path)).ok()?).ok()?;
        Some(Source { path, text })
    };
    let sources: Vec<Source> = paths.filter_map(read).collect();
    assert!(sources.iter().any(|source| source.path == SELF), "this very file is tracked");
    sources
}

fn rust_sources() -> impl Iterator<Item = Source> {
    sources().into_iter().filter(Source::is_rust)
}

fn none(broken: impl IntoIterator<Item = String>) {
    let broken: Vec<String> = broken.into_iter().collect();
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

/// Whether a line has this word, not as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part))
}

/// The modules at the root of the crate that a text names: `crate::a`, `crate::{a::b, c}`.
fn named_modules(text: &str) -> Vec<&str> {
    let mut named = Vec::new();
    for (at, head) in text.match_indices("crate::") {
        let rest = text[at + head.len()..].trim_start();
        match rest.strip_prefix('{') {
            Some(group) => named.extend(group_heads(group)),
            None => named.push(first_name(rest)),
        }
    }
    named
}

fn first_name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The first name of each part of a use group, whose `{` is behind us.
fn group_heads(group: &str) -> Vec<&str> {
    let (mut heads, mut depth, mut head_next) = (Vec::new(), 0, true);
    for (at, c) in group.char_indices() {
        match c {
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            '{' => depth += 1,
            ',' if depth == 0 => head_next = true,
            c if head_next && !c.is_whitespace() => {
                heads.push(first_name(&group[at..]));
                head_next = false;
            }
            _ => {}
        }
    }
    heads
}

fn without_comments(source: &Source) -> String {
    source.code().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
}

#[test]
fn use_groups_are_read_to_their_heads() {
    let text = "use crate::{\n  net::{self, Net},\n  store,\n}; fn f(x: crate::exec::Run, y: T) {}";
    assert_eq!(named_modules(text), ["net", "store", "exec"]);
    assert!(has_word("std::fs", "std") && !has_word("no_std", "std") && !has_word("stdin", "std"));
}

#[test]
fn top_level_folders_are_those_of_the_design() {
    let tracked = tracked();
    let mut folders: Vec<&str> =
        tracked.iter().filter_map(|path| Some(path.split_once('/')?.0)).collect();
    folders.retain(|folder| !folder.starts_with('.') && *folder != FOLDER_ALLOWED);
    folders.sort_unstable();
    folders.dedup();
    assert_eq!(folders, FOLDERS, "find the folder a thing belongs to in ARCHITECTURE.md");
}

#[test]
fn files_are_short_and_say_what_they_are() {
    none(sources().into_iter().flat_map(|source| {
        let Some(opening) = source.opening() else { return Vec::new() };
        let lines = source.text.lines().count();
        let long = (lines > LINES_MAX)
            .then(|| format!("{}: {lines} lines, over {LINES_MAX}; split it", source.path));
        let mute = (!source.text.starts_with(opening)).then(|| {
            let path = &source.path;
            format!("{path}: begin with `{opening}`: what it is, its invariant, what it is not")
        });
        long.into_iter().chain(mute).collect()
    }));
}

#[test]
fn no_file_is_a_drawer() {
    none(rust_sources().filter_map(|source| {
        let mut names = source.path.trim_end_matches(".rs").split('/');
        let drawer = names.find(|name| DRAWERS.contains(name))?;
        Some(format!("{}: name it after what it is for, not `{drawer}`", source.path))
    }));
}

#[test]
fn nothing_is_left_undone() {
    let undone = ["todo!", "unimplemented!", "dbg!"];
    none(rust_sources().filter(|source| source.path != SELF).flat_map(|source| {
        let found = |line: &str| undone.iter().any(|mark| line.contains(mark));
        source.places_of(found, "finish it, or leave it out")
    }));
}

#[test]
fn every_test_runs_and_none_is_timed() {
    none(rust_sources().filter(|source| source.path != SELF).flat_map(|source| {
        // A child process of another test is one that says so: `#[ignore = "started by …"]`.
        let ignored = |line: &str| line.contains("#[ignore") && !line.contains("started");
        let timed = |line: &str| line.contains("assert") && line.contains("elapsed()");
        let mut broken = source.places_of(
            ignored,
            "a test that never runs proves nothing; figures belong in benches/",
        );
        let say = "a slow machine is not a fault; assert what happened, not how fast";
        broken.extend(source.places_of(timed, say));
        broken
    }));
}

#[test]
fn rooms_of_the_worker_do_not_know_each_other() {
    let mut rooms_seen = 0;
    for room in ROOMS {
        let folder = format!("worker/{room}/");
        none(rust_sources().filter(|source| source.path.starts_with(&folder)).flat_map(|source| {
            rooms_seen += 1;
            let code = without_comments(&source);
            let inside = named_modules(&code).into_iter();
            let inside = inside.filter(|named| ROOMS.contains(named) || CENTRE.contains(named));
            let crates =
                ROOMS.into_iter().filter(|other| code.contains(&format!("dugnad_{other}")));
            let strangers = inside.chain(crates).filter(|named| *named != room);
            let say = |stranger: &str| {
                let path = &source.path;
                format!("{path}: names `{stranger}`; define a trait, let the driver implement it")
            };
            strangers.map(say).collect::<Vec<_>>()
        }));
    }
    assert!(rooms_seen > 0, "the rooms are where this rule looks for them");
}

#[test]
fn frameworks_stay_in_their_room() {
    // A bench names what it measures against.
    let bound = |source: &Source| source.path != SELF && !source.path.starts_with("benches/");
    none(rust_sources().filter(bound).flat_map(|source| {
        let foreign = FRAMEWORKS.iter().filter(|(_, room)| !source.path.starts_with(room));
        let broken = foreign.flat_map(|(framework, room)| {
            let (path, import) = (format!("{framework}::"), format!("use {framework}"));
            let named = |line: &str| line.contains(&path) || line.contains(&import);
            source.places_of(named, &format!("`{framework}` is named in {room} only"))
        });
        broken.collect::<Vec<_>>()
    }));
}

#[test]
fn mind_names_nothing_impure() {
    let mind: Vec<Source> =
        rust_sources().filter(|s| s.path.starts_with("coordinator-free-scheduler/src/")).collect();
    let lib = mind.iter().find(|source| source.path.ends_with("/src/lib.rs"));
    let lib = lib.expect("the mind is where this rule looks for it");
    for held in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        assert!(lib.text.contains(held), "{}: `{held}` must stay", lib.path);
    }
    none(mind.iter().flat_map(|source| {
        IMPURE.iter().flat_map(|(word, why)| {
            // The attributes above are the two places where such a word is right.
            let found = |line: &str| !line.starts_with("#![") && has_word(line, word);
            source.places_of(found, &format!("`{word}`: {why}"))
        })
    }));
}

#[test]
fn text_names_no_machine_and_no_strange_host() {
    none(sources().iter().filter(|source| source.path != SELF).flat_map(|source| {
        let lines = source.text.lines().enumerate();
        let broken = lines.flat_map(|(at, line)| {
            let place = format!("{}:{}", source.path, at + 1);
            let machine = MACHINE_PATHS.iter().filter(|path| names_path(line, path));
            let machine = machine.map(|path| format!("{place}: `{path}` is on one machine only"));
            let hosts = hosts_of(line).into_iter().filter(|host| !known_host(host));
            let hosts = hosts.map(|host| {
                format!("{place}: host `{host}`; add it to HOSTS if every reader should go there")
            });
            machine.chain(hosts).collect::<Vec<_>>()
        });
        broken.collect::<Vec<_>>()
    }));
}

/// Whether a line has this as the start of an absolute path.
fn names_path(line: &str, path: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "._-~}$".contains(c);
    line.match_indices(path).any(|(at, _)| !line[..at].ends_with(inside))
}

fn hosts_of(line: &str) -> Vec<&str> {
    let after = ["http://", "https://"].iter().flat_map(|scheme| line.split(scheme).skip(1));
    let end = |c: char| !c.is_alphanumeric() && c != '.' && c != '-';
    // What a program fills in, like `{address}`, is no host.
    after.filter_map(|rest| rest.split(end).next()).filter(|host| !host.is_empty()).collect()
}

fn known_host(host: &str) -> bool {
    HOSTS.contains(&host) || host.ends_with(".example")
}

#[test]
fn every_error_of_the_client_stands_in_the_table_of_errors() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect(path);
    let (errors, table) = (read("sdk/client/src/error.rs"), read("docs/errors.md"));
    let variants = errors.split_once("pub enum Error {").expect("the errors").1;
    let variants = variants.split_once("\n}").expect("their end").0.lines();
    let names = variants.filter_map(|line| {
        let name = first_name(line.strip_prefix("    ")?);
        name.starts_with(char::is_uppercase).then_some(name)
    });
    let names: Vec<&str> = names.collect();
    assert!(names.len() > 10, "{names:?}");
    none(names.into_iter().filter(|name| !table.contains(&format!("| `{name}` |"))).map(|name| {
        format!("docs/errors.md: no row for `{name}` with its cause and what to do about it")
    }));
}

#[test]
fn committed_modules_have_their_hash_beside_them() {
    none(tracked().into_iter().filter(|path| path.ends_with(".wasm")).filter_map(|path| {
        let module = root().join(&path);
        let bytes = fs::read(&module).expect("a tracked file");
        let written = fs::read_to_string(module.with_extension("b3"))
            .or_else(|_| fs::read_to_string(module.with_extension("wasm.b3")));
        let Ok(written) = written else {
            return Some(format!("{path}: no .b3 beside it; run tasks/build"));
        };
        let hash = blake3::hash(&bytes).to_hex();
        let right = written.split_whitespace().next() == Some(hash.as_str());
        (!right).then(|| format!("{path}: its hash is {hash}, not what .b3 says; run tasks/build"))
    }));
}
