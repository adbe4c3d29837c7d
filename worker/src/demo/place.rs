//! The demo's output directory: recognised by a mark, so that nothing else is ever overwritten.
use crate::cli::Failure;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The file that marks a directory as the demo's.
const MARK: &str = ".dugnad-demo";

/// The directory.
#[derive(Debug)]
pub struct Place {
    dir: PathBuf,
}

impl Place {
    /// Makes the directory, or empties one of an earlier demo.
    ///
    /// # Errors
    /// It holds something else, or cannot be written.
    pub fn prepare(dir: &Path) -> Result<Place, Failure> {
        let failed = |error: io::Error| Failure::Failed(format!("{}: {error}", dir.display()));
        fs::create_dir_all(dir).map_err(failed)?;
        let mark = dir.join(MARK);
        let mut entries = fs::read_dir(dir).map_err(failed)?;
        if entries.next().is_some() && !mark.exists() {
            return Err(Failure::Usage(format!(
                "--out {} holds files that are not a demo's; choose another directory",
                dir.display()
            )));
        }
        fs::write(mark, "").map_err(failed)?;
        let dir = dir.canonicalize().map_err(failed)?;
        let place = Place { dir };
        for old in [place.results(), place.nodes()] {
            if old.exists() {
                fs::remove_dir_all(old).map_err(failed)?;
            }
        }
        fs::create_dir_all(place.results()).map_err(failed)?;
        fs::create_dir_all(place.nodes()).map_err(failed)?;
        Ok(place)
    }

    /// Where the outputs of the job go.
    pub fn results(&self) -> PathBuf {
        self.dir.join("results")
    }

    /// Where the nodes have their data directories while they run.
    pub fn nodes(&self) -> PathBuf {
        self.dir.join("nodes")
    }

    /// Where the synthetic observation goes.
    pub fn observation(&self) -> PathBuf {
        self.dir.join("observation.fil")
    }

    /// A file for people.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Where the report goes in any case.
    pub fn report(&self) -> PathBuf {
        self.dir.join("report.json")
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes away what only the nodes needed.
    pub fn clear(&self) {
        // What cannot be removed lies in the demo's own directory and harms nobody.
        drop(fs::remove_dir_all(self.nodes()));
    }
}
