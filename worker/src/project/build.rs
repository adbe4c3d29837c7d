//! A project becomes a module: where `job.toml` looks for it, or else beside it.
//!
//! Invariant: the module of the last build that worked stays until another one works.
use super::{ProjectError, at, compiler};
use crate::store::disk::{Access, write_atomic};
use dugnad_client::JobFile;
use std::{
    env,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
};

/// A module that was built.
pub struct Built {
    pub module: PathBuf,
    /// What compiled it.
    pub compiler: String,
}

/// Builds the project in `dir`.
///
/// # Errors
/// There is nothing to build, no compiler (what to install is said), or it fails.
pub fn build(dir: &Path) -> Result<Built, ProjectError> {
    let scratch = dir.join("target");
    let sources = c_sources(dir)?;
    let manifest = dir.join("Cargo.toml");
    let rust = manifest.is_file();
    if !rust && sources.is_empty() {
        return Err(ProjectError::Nothing { dir: dir.to_path_buf() });
    }
    fs::create_dir_all(&scratch).map_err(at(&scratch))?;
    let (made, compiler, name) = match rust {
        true => build_rust(&manifest, &scratch)?,
        false => build_c(dir, &sources, &scratch)?,
    };
    let module = match dir.join("job.toml") {
        file if file.is_file() => JobFile::read(file)?.module_place(),
        _ => dir.join(format!("{name}.wasm")),
    };
    let bytes = fs::read(&made).map_err(at(&made))?;
    write_atomic(&module, &bytes, Access::Ordinary)
        .map_err(|error| at(&module)(io::Error::other(error.to_string())))?;
    Ok(Built { module, compiler })
}

/// The C files of a project: in its folder, and in src.
fn c_sources(dir: &Path) -> Result<Vec<PathBuf>, ProjectError> {
    let mut sources = Vec::new();
    for folder in [dir.to_path_buf(), dir.join("src")] {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            let path = entry.map_err(at(&folder))?.path();
            if path.extension() == Some(OsStr::new("c")) {
                sources.push(path);
            }
        }
    }
    sources.sort();
    Ok(sources)
}

type Made = (PathBuf, String, String);

fn build_c(dir: &Path, sources: &[PathBuf], scratch: &Path) -> Result<Made, ProjectError> {
    let no_compiler = |text| ProjectError::NoCompiler { text };
    let mut compiler = compiler::c(scratch).map_err(no_compiler)?;
    let made = scratch.join("module.wasm");
    let options = env::var("CFLAGS").unwrap_or_default();
    compiler.command.arg("-O2").args(options.split_whitespace()).args(sources);
    compiler.command.arg("-o").arg(&made);
    run(&mut compiler)?;
    let folder = fs::canonicalize(dir).map_err(at(dir))?;
    let name = folder.file_name().unwrap_or(OsStr::new("module"));
    Ok((made, compiler.name, name.to_string_lossy().into_owned()))
}

fn build_rust(manifest: &Path, scratch: &Path) -> Result<Made, ProjectError> {
    let name = package_name(manifest)?;
    let no_compiler = |text| ProjectError::NoCompiler { text };
    let mut compiler = compiler::rust(scratch).map_err(no_compiler)?;
    compiler.command.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(scratch);
    let folder = scratch.join(compiler::RUST_TARGET).join("release");
    // What an earlier build left under another name must not be taken for this one's.
    for old in modules_in(&folder) {
        fs::remove_file(&old).map_err(at(&old))?;
    }
    run(&mut compiler)?;
    let usual = folder.join(format!("{name}.wasm"));
    // A program may have another name than its package.
    let made = match usual.is_file() {
        true => Some(usual),
        false => {
            let mut modules = modules_in(&folder);
            modules.pop().filter(|_| modules.is_empty())
        }
    };
    let made = made.ok_or(ProjectError::NoModule { dir: folder })?;
    Ok((made, compiler.name, name))
}

/// The modules in a folder, which may not be there yet.
fn modules_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.extension() == Some(OsStr::new("wasm"))).collect()
}

fn package_name(manifest: &Path) -> Result<String, ProjectError> {
    let wrong = |why: String| ProjectError::Manifest { path: manifest.to_path_buf(), why };
    let text = fs::read_to_string(manifest).map_err(at(manifest))?;
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
    let name = table.get("package").and_then(|package| package.get("name")?.as_str());
    name.map(str::to_owned).ok_or_else(|| wrong("it names no package".into()))
}

/// Runs a compiler; what it says goes where this program's errors go.
fn run(compiler: &mut compiler::Compiler) -> Result<(), ProjectError> {
    let failed = || ProjectError::Compiler { compiler: compiler.name.clone() };
    let status = compiler.command.stdin(Stdio::null()).stdout(io::stderr()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(failed()),
        Err(error) => Err(at(&compiler.name)(error)),
    }
}
