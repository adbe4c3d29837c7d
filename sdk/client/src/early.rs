//! Results into a directory as they become known, those that are not released in folders of their own.
//!
//! Invariant: a file lies under the name of the level that it has. `reported/` and `checked/` hold what may
//! prove wrong yet; once a unit is released its file there is gone, and one in `units/` takes its place.
use crate::fetch::Place;
use crate::{Error, Grid, JobId, Level, UNITS_DIR, UnitLevel, UnitResult, unit_file};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Folders of outputs that are not released.
const EARLY: [Level; 2] = [Level::Reported, Level::Checked];

/// A result that was written, or taken away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// What is known of the unit.
    pub told: UnitLevel,
    /// Its file, in the directory of the fetch; none if it has none.
    pub file: Option<PathBuf>,
}

/// The folder of the outputs at a level.
pub fn level_dir(level: Level) -> &'static str {
    match level {
        Level::Reported => "reported",
        Level::Checked => "checked",
        Level::Released => UNITS_DIR,
    }
}

pub(crate) async fn fetch(
    grid: &Grid,
    job: JobId,
    dir: &Path,
    level: Level,
) -> Result<impl Stream<Item = Result<Written, Error>> + Send + 'static, Error> {
    let place = Place::claimed(grid, job, dir).await?;
    let results: BoxStream<'static, _> = grid.results(job, level).await?;
    // What lies there from before may have been taken back since.
    clear(dir, |_| true).map_err(|error| Error::file(dir, error))?;
    Ok(results.then(move |result| {
        let place = place.clone();
        async move {
            let result = result?;
            place.blocking(move |place| write(place.dir(), result)).await
        }
    }))
}

/// Takes away what is not released of units that are `over`.
pub(crate) fn clear(dir: &Path, over: impl Fn(&str) -> bool) -> io::Result<()> {
    for folder in EARLY.map(|level| dir.join(level_dir(level))) {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(&over) {
                fs::remove_file(entry.path())?;
            }
        }
        // It stays as long as anything is in it.
        drop(fs::remove_dir(folder));
    }
    Ok(())
}

fn write(dir: &Path, result: UnitResult) -> Result<Written, Error> {
    let UnitResult { told, output } = result;
    let name = unit_file(told.unit);
    let place = |level: Level| Path::new(level_dir(level)).join(&name);
    let kept = told.level.filter(|_| output.is_some());
    let stale = Level::ALL.into_iter().filter(|level| Some(*level) != kept);
    for stale in stale.map(|level| dir.join(place(level))) {
        match fs::remove_file(&stale) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::file(stale, error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    let file = kept.map(place);
    if let (Some(file), Some(output)) = (&file, output) {
        write_whole(&dir.join(file), &output)?;
    }
    Ok(Written { told, file })
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let beside = path.with_file_name(".part");
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        fs::write(&beside, bytes)?;
        fs::rename(&beside, path)
    };
    write().map_err(|error| Error::file(path, error))
}
