//! Draws a fetched job: `render-host RESULTS PICTURE.png [--watch | SMALLER]`.
//!
//! With `--watch` it draws again whenever more is there, and stays until every tile is released; with a
//! number the picture is so many times smaller. Exit codes: 0 done, 1 failed, 2 wrong usage.
use fetched::{Done, program};
use render_host::{picture, tiles::Tiles};
use std::{fs, num::NonZeroU32, path::Path, process::ExitCode, thread, time::Duration};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

const USAGE: &str = "usage: render-host RESULTS PICTURE.png [--watch | SMALLER]";

fn main() -> ExitCode {
    program(USAGE, |arguments| match arguments {
        [results, out] => Some(draw(Path::new(results), Path::new(out), 1)),
        [results, out, "--watch"] => Some(watch(Path::new(results), Path::new(out))),
        [results, out, smaller] => {
            let smaller: NonZeroU32 = smaller.parse().ok()?;
            Some(draw(Path::new(results), Path::new(out), smaller.get()))
        }
        _ => None,
    })
}

fn draw(results: &Path, out: &Path, smaller: u32) -> Done {
    let mut tiles = Tiles::default();
    if !tiles.look(results)? {
        return Err(format!("{} has no tiles", results.display()).into());
    }
    picture::draw(out, &tiles, smaller)?;
    Ok(format!("{} tiles", tiles.of.len()))
}

fn watch(results: &Path, out: &Path) -> Done {
    let mut tiles = Tiles::default();
    while !tiles.are_whole() {
        if tiles.look(results)? {
            // Who looks at the picture meanwhile sees the last whole one.
            let next = out.with_extension("png.part");
            picture::draw(&next, &tiles, 1)?;
            fs::rename(&next, out)?;
            eprintln!("{} tiles", tiles.of.len());
        }
        thread::sleep(LOOK);
    }
    Ok("all tiles are there".to_owned())
}
