//! Draws a fetched job: `render-host RESULTS PICTURE.png [--watch | SMALLER]`.
//!
//! With `--watch` it draws again whenever more is there, and stays until every tile is released; with a
//! number the picture is so many times smaller. Exit codes: 0 done, 1 failed, 2 wrong usage.
use render_host::{picture, tiles::Tiles};
use std::{
    env, error::Error, fs, num::NonZeroU32, path::Path, process::ExitCode, thread, time::Duration,
};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [results, out] => draw(Path::new(results), Path::new(out), 1),
        [results, out, "--watch"] => watch(Path::new(results), Path::new(out)),
        [results, out, smaller] if smaller.parse::<NonZeroU32>().is_ok() => {
            draw(Path::new(results), Path::new(out), smaller.parse().unwrap_or(1))
        }
        _ => {
            eprintln!("usage: render-host RESULTS PICTURE.png [--watch | SMALLER]");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("render-host: {error}");
            ExitCode::FAILURE
        }
    }
}

fn draw(results: &Path, out: &Path, smaller: u32) -> Result<(), Box<dyn Error>> {
    let mut tiles = Tiles::default();
    if !tiles.look(results)? {
        return Err(format!("{} has no tiles", results.display()).into());
    }
    picture::draw(out, &tiles, smaller)?;
    println!("{} tiles", tiles.of.len());
    Ok(())
}

fn watch(results: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let mut tiles = Tiles::default();
    while !tiles.are_whole() {
        if tiles.look(results)? {
            // Who looks at the picture meanwhile sees the last whole one.
            let next = out.with_extension("png.part");
            picture::draw(&next, &tiles, 1)?;
            fs::rename(&next, out)?;
            println!("{} tiles", tiles.of.len());
        }
        thread::sleep(LOOK);
    }
    Ok(())
}
