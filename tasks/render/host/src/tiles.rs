//! The tiles that are there so far, each with how sure it is.
//!
//! Invariant: of a unit that has several files, the surest is taken. A file that is not whole yet, because
//! it is being written, is as good as missing.
use render::tile::{Tile, read};
use std::{collections::BTreeMap, ffi::OsString, fs, io, path::Path, time::SystemTime};

/// How sure an output is; `dugnad fetch --level` has the same words.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// One peer says so.
    Reported,
    /// A second one does, or the submitter's own node.
    Checked,
    /// It is the verdict.
    Released,
}

/// Where outputs of each level lie, the surest last.
const FOLDERS: [(Level, &str); 3] =
    [(Level::Reported, "reported"), (Level::Checked, "checked"), (Level::Released, "units")];

/// What has been seen of a job.
#[derive(Default)]
pub struct Tiles {
    /// By unit.
    pub of: BTreeMap<OsString, (Level, Tile)>,
    /// When the file was written from which a tile was read.
    written: BTreeMap<OsString, Option<SystemTime>>,
}

impl Tiles {
    /// Looks again, and says whether anything is different. A folder that is not there yet has no tiles.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn look(&mut self, results: &Path) -> io::Result<bool> {
        let mut seen = BTreeMap::new();
        for (level, folder) in FOLDERS {
            let entries = match fs::read_dir(results.join(folder)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                let path = entry.path();
                if path.extension().is_some_and(|extension| extension == "out") {
                    seen.insert(entry.file_name(), (level, path));
                }
            }
        }
        let mut changed = self.of.len();
        self.of.retain(|name, _| seen.contains_key(name));
        changed -= self.of.len();
        for (name, (level, path)) in seen {
            // An answer below the release may be revised under the same name.
            let written = fs::metadata(&path).and_then(|file| file.modified()).ok();
            let same = self.written.get(&name) == Some(&written);
            if same && self.of.get(&name).is_some_and(|(known, _)| *known == level) {
                continue;
            }
            // Gone since, or half written: the next look finds it.
            if let Some(tile) = fs::read(path).ok().and_then(|bytes| read(&bytes)) {
                self.written.insert(name.clone(), written);
                self.of.insert(name, (level, tile));
                changed += 1;
            }
        }
        Ok(changed > 0)
    }

    /// The whole picture's width and height, once a tile tells: by what is proved best, and said most often.
    pub fn picture(&self) -> Option<(u32, u32)> {
        let mut said: BTreeMap<(Level, (u32, u32)), usize> = BTreeMap::new();
        for (level, tile) in self.of.values() {
            *said.entry((*level, tile.picture)).or_default() += 1;
        }
        let best = said.keys().map(|(level, _)| *level).max()?;
        let of_best = said.into_iter().filter(|((level, _), _)| *level == best);
        of_best.max_by_key(|(_, count)| *count).map(|((_, picture), _)| picture)
    }

    /// Tiles of this picture; a liar's may be of another.
    pub fn fitting(&self) -> impl Iterator<Item = &(Level, Tile)> {
        let picture = self.picture();
        self.of.values().filter(move |(_, tile)| Some(tile.picture) == picture)
    }

    /// Whether every pixel is there, released.
    pub fn are_whole(&self) -> bool {
        let released = self.of.values().filter(|(level, _)| *level == Level::Released);
        let pixels: usize = released.map(|(_, tile)| tile.pixels.len()).sum();
        self.picture()
            .is_some_and(|(width, height)| pixels as u64 == u64::from(width) * u64::from(height))
    }
}
