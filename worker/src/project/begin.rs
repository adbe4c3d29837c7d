//! A new project, of files that stand in this program.
//!
//! Invariant: nothing that exists is touched; a project that could not be written whole is removed.
//!
//! A project in Rust brings the guest side of Dugnad along, so that it builds wherever it is carried, and
//! goes on building with what it was made for.
use super::{NAME_CHARS_MAX, ProjectError, at};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What a project is written in.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    Rust,
    C,
}

/// A path within the project, and what is written there.
type File = (&'static str, String);

const JOB: &str = include_str!("template/job.toml.in");
const README: &str = include_str!("template/README.md.in");
const C_MAIN: &str = include_str!("template/c/main.c.in");
const RUST_MAIN: &str = include_str!("template/rust/main.rs.in");
const RUST_MANIFEST: &str = include_str!("template/rust/Cargo.toml.in");
const NATIVE: &str = "\nThe function is an ordinary one, and so are its tests: `cargo test`.\n";

/// The guest side of Dugnad as it is in this very version.
const GUEST: &[(&str, &str)] = &[
    ("dugnad-guest/Cargo.toml", include_str!("template/guest/Cargo.toml.in")),
    ("dugnad-guest/src/lib.rs", include_str!("../../../sdk/guest/src/lib.rs")),
    ("dugnad-guest/src/command.rs", include_str!("../../../sdk/guest/src/command.rs")),
    ("dugnad-guest/src/index.rs", include_str!("../../../sdk/guest/src/index.rs")),
    ("dugnad-guest/src/math.rs", include_str!("../../../sdk/guest/src/math.rs")),
    ("dugnad-guest/src/plain.rs", include_str!("../../../sdk/guest/src/plain.rs")),
    ("dugnad-guest/src/random.rs", include_str!("../../../sdk/guest/src/random.rs")),
    ("dugnad-guest/src/stepped.rs", include_str!("../../../sdk/guest/src/stepped.rs")),
    ("dugnad-guest/src/streams_bare.rs", include_str!("../../../sdk/guest/src/streams_bare.rs")),
    ("dugnad-guest/src/streams_std.rs", include_str!("../../../sdk/guest/src/streams_std.rs")),
    ("dugnad-guest/macros/Cargo.toml", include_str!("template/guest/macros.toml.in")),
    ("dugnad-guest/macros/src/lib.rs", include_str!("../../../sdk/guest/macros/src/lib.rs")),
];

/// Writes the project NAME, the last part of `place`; answers its files.
///
/// # Errors
/// The name cannot be one, the folder exists, or cannot be written.
pub fn begin(place: &Path, language: Language) -> Result<Vec<PathBuf>, ProjectError> {
    let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    check_name(name)?;
    let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        fs::create_dir_all(parent).map_err(at(parent))?;
    }
    fs::create_dir(place).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => ProjectError::Exists { path: place.to_path_buf() },
        _ => at(place)(error),
    })?;
    let written: Result<Vec<PathBuf>, ProjectError> = files(name, language)
        .into_iter()
        .map(|(path, text)| write(place.join(path), &text))
        .collect();
    if written.is_err() {
        // The folder is new, so all that is in it was written here.
        let _ = fs::remove_dir_all(place);
    }
    written
}

/// What cargo takes as a package's name, too.
fn check_name(name: &str) -> Result<(), ProjectError> {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    match begins && fits && name.len() <= NAME_CHARS_MAX && name != "dugnad-guest" {
        true => Ok(()),
        false => Err(ProjectError::Name { name: name.to_owned() }),
    }
}

fn files(name: &str, language: Language) -> Vec<File> {
    let (code, native) = match language {
        Language::Rust => ("src/main.rs", NATIVE),
        Language::C => ("main.c", ""),
    };
    let named = |text: &str| text.replace("NAME", name);
    let readme = README.replace("CODE", &format!("`{code}`")).replace("NATIVE\n", native);
    let mut files = vec![
        ("job.toml", named(JOB)),
        ("README.md", named(&readme)),
        (".gitignore", "/target\n/results\n*.wasm\n".into()),
        ("known/00000000.out", "5761455\n".into()),
        ("known/00000001.out", "5317482\n".into()),
    ];
    match language {
        Language::C => files.push((code, C_MAIN.into())),
        Language::Rust => {
            files.push((code, RUST_MAIN.into()));
            files.push(("Cargo.toml", named(RUST_MANIFEST)));
            files.extend(GUEST.iter().map(|(path, text)| (*path, (*text).to_owned())));
        }
    }
    files
}

fn write(path: PathBuf, text: &str) -> Result<PathBuf, ProjectError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(at(folder))?;
    }
    fs::write(&path, text).map_err(at(&path))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_whole_guest_is_brought_along() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk/guest");
        for folder in ["src", "macros/src"] {
            let entries = fs::read_dir(sources.join(folder)).expect("the guest's sources");
            let there: BTreeSet<String> = entries
                .map(|entry| entry.expect("a file").file_name().into_string().expect("a name"))
                .map(|name| format!("dugnad-guest/{folder}/{name}"))
                .collect();
            let brought: BTreeSet<String> = GUEST
                .iter()
                .map(|(path, _)| (*path).to_owned())
                .filter(|path| path.starts_with(&format!("dugnad-guest/{folder}/")))
                .collect();
            assert_eq!(brought, there);
        }
    }

    #[test]
    fn a_project_is_not_written_over_nor_by_a_name_that_is_none() {
        let place = tempfile::tempdir().expect("a folder");
        let within = |name: &str| place.path().join(name);
        assert!(begin(&within("deep/primes-1"), Language::C).is_ok());
        let again = begin(&within("deep/primes-1"), Language::Rust).unwrap_err().to_string();
        assert!(again.contains("exists already"), "{again}");
        for name in ["1st", "a b", "a/..", "näme", "", "dugnad-guest"] {
            let refused = begin(&within(name), Language::C);
            assert!(
                matches!(refused, Err(ProjectError::Name { .. } | ProjectError::Exists { .. })),
                "{name:?}: {refused:?}"
            );
        }
    }
}
