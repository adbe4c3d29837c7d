//! Machine code on disk, so that a module is compiled once, whatever restarts.
//!
//! A module has two files, `NAME.code` as the engine made it and `NAME.seal`: its recipe, and a keyed
//! BLAKE3 of both, which only this node can have made. The name is a hash of the module, the engine with
//! its settings, the processor's features and the build of this program.
//!
//! Invariant: what is named to a process that runs guests was sealed by this node, or made just now. What
//! is damaged or foreign is as good as absent, and made again.
use super::super::{SetupError, loaded::Recipe};
use coordinator_free_scheduler::Hash;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Machine code that is kept, bytes; the oldest goes first.
pub const CACHE_BYTES_MAX: u64 = 4 << 30;
/// A seal is as long as its recipe's names.
const SEAL_BYTES_MAX: u64 = 64 << 10;

/// The folder.
pub struct Cache {
    folder: PathBuf,
    key: [u8; 32],
    build: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Seal {
    recipe: Recipe,
    proof: [u8; 32],
}

impl Cache {
    /// The cache in a folder, which is made. `key` is the secret of this node's seals, `fingerprint` what
    /// machine code depends on beside the module, `program` the file of this program.
    pub fn open(
        folder: &Path,
        key: [u8; 32],
        fingerprint: u64,
        program: &Path,
    ) -> Result<Cache, SetupError> {
        make_folder(folder).map_err(|error| {
            let folder = folder.to_owned();
            SetupError::Cache { folder, error }
        })?;
        let built = fs::metadata(program).and_then(|file| Ok((file.len(), file.modified()?)));
        let (size, changed) = built.unwrap_or((0, SystemTime::UNIX_EPOCH));
        let changed = changed.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let parts = [fingerprint, size, changed.as_nanos() as u64];
        let build = parts.into_iter().flat_map(u64::to_le_bytes).collect();
        // Other processes have another working directory.
        let folder = std::path::absolute(folder)
            .map_err(|error| SetupError::Cache { folder: folder.to_owned(), error })?;
        Ok(Cache { folder, key, build })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name of a module's machine code.
    fn name(&self, module: Hash) -> String {
        Hash::derive("dugnad 1 machine code", &[&module.0, &self.build]).to_string()
    }

    fn file(&self, name: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{name}.{ending}"))
    }

    /// The file and the recipe of a module's machine code, if it is there and whole.
    pub fn find(&self, module: Hash) -> Option<(String, Recipe)> {
        let name = self.name(module);
        let sealed = self.file(&name, "seal");
        let length = fs::metadata(&sealed).ok()?.len();
        let seal = if length <= SEAL_BYTES_MAX { fs::read(&sealed).ok()? } else { Vec::new() };
        let seal: Option<Seal> = postcard::from_bytes(&seal).ok();
        let whole = seal.filter(|seal| {
            let proof = self.proof(&name, &seal.recipe, &self.file(&name, "code"));
            proof.is_ok_and(|proof| proof == blake3::Hash::from(seal.proof))
        });
        match whole {
            Some(seal) => {
                // What is used goes last.
                for ending in ["seal", "code"] {
                    let file = fs::File::options().append(true).open(self.file(&name, ending));
                    let _ = file.and_then(|file| file.set_modified(SystemTime::now()));
                }
                Some((format!("{name}.code"), seal.recipe))
            }
            None => {
                tracing::warn!("{} is damaged, and made again", sealed.display());
                None
            }
        }
    }

    /// Keeps the machine code of a module; answers its file.
    pub fn keep(&self, module: Hash, recipe: &Recipe, code: &[u8]) -> io::Result<String> {
        self.make_room(code.len() as u64);
        let name = self.name(module);
        // A seal of other code than what is there would be a damaged one: it is written last.
        let _ = fs::remove_file(self.file(&name, "seal"));
        let file = self.file(&name, "code");
        self.write(&name, &file, code)?;
        let proof = *self.proof(&name, recipe, &file)?.as_bytes();
        let seal = Seal { recipe: recipe.clone(), proof };
        let seal = postcard::to_allocvec(&seal).map_err(io::Error::other)?;
        self.write(&name, &self.file(&name, "seal"), &seal)?;
        Ok(format!("{name}.code"))
    }

    /// A file is there whole or not at all; a process that runs guests may have the old one open.
    fn write(&self, name: &str, file: &Path, bytes: &[u8]) -> io::Result<()> {
        let draft = self.file(name, "draft");
        fs::write(&draft, bytes)?;
        fs::rename(draft, file)
    }

    fn proof(&self, name: &str, recipe: &Recipe, code: &Path) -> io::Result<blake3::Hash> {
        let recipe = postcard::to_allocvec(recipe).map_err(io::Error::other)?;
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(name.as_bytes()).update(&(recipe.len() as u64).to_le_bytes());
        hasher.update(&recipe).update_mmap_rayon(code)?;
        Ok(hasher.finalize())
    }

    /// Lets the oldest machine code go until there is room for more.
    fn make_room(&self, bytes: u64) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let known = |entry: io::Result<fs::DirEntry>| {
            let (path, about) = (entry.as_ref().ok()?.path(), entry.ok()?.metadata().ok()?);
            Some((about.modified().ok()?, about.len(), path))
        };
        let mut files: Vec<_> = entries.filter_map(known).collect();
        files.sort();
        let mut held: u64 = bytes + files.iter().map(|(_, length, _)| length).sum::<u64>();
        for (_, length, path) in files {
            if held <= CACHE_BYTES_MAX {
                break;
            }
            if fs::remove_file(path).is_ok() {
                held -= length;
            }
        }
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}
