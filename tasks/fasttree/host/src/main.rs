//! What a scientist does around many trees: `fasttree-host` without arguments says how.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage.
use fasttree_host::{
    consensus::consensus,
    picture, synthetic,
    tree::{Tree, distance},
};
use std::{env, error::Error, ffi::OsString, fs, path::Path, process::ExitCode};

const USAGE: &str = "usage:
  fasttree-host synthetic OUT SEED GENES       makes genes/ and their true tree, species.nwk, to try it
  fasttree-host trees RESULTS OUT [TRUE.nwk]   makes consensus.nwk, trees.tsv and tree.png of a fetched job";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["synthetic", out, seed, genes] => make(out, seed, genes),
        ["trees", results, out] => assemble(Path::new(results), Path::new(out), None),
        ["trees", results, out, truth] => {
            assemble(Path::new(results), Path::new(out), Some(Path::new(truth)))
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("fasttree-host: {error}");
            ExitCode::FAILURE
        }
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a number, not `{text}`"))
}

fn make(out: &str, seed: &str, genes: &str) -> Result<String, Box<dyn Error>> {
    synthetic::write(Path::new(out), number(seed)?, number(genes)?)?;
    Ok(format!("{genes} genes of {} species in {out}/genes", synthetic::SPECIES))
}

fn read(path: &Path) -> Result<Tree, Box<dyn Error>> {
    let failed = |said: String| format!("{}: {said}", path.display());
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    Ok(Tree::parse(&text).map_err(|error| failed(error.to_string()))?)
}

fn assemble(results: &Path, out: &Path, truth: Option<&Path>) -> Result<String, Box<dyn Error>> {
    let entries = fs::read_dir(results.join("units"))?.collect::<Result<Vec<_>, _>>()?;
    let mut names: Vec<OsString> = entries.iter().map(fs::DirEntry::file_name).collect();
    names.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "out"));
    names.sort();
    let trees: Vec<Tree> = names
        .iter()
        .map(|name| read(&results.join("units").join(name)))
        .collect::<Result<_, _>>()?;
    let agreed =
        consensus(&trees).ok_or("there are no trees, or not all are of the same species")?;
    let known = truth.map(read).transpose()?.unwrap_or_else(|| agreed.clone()).splits();
    let mut table = "unit\tsplits\tdistance\n".to_owned();
    for (name, tree) in names.iter().zip(&trees) {
        let splits = tree.splits();
        let name = Path::new(name).with_extension("");
        let off = distance(&splits, &known);
        table += &format!("{}\t{}\t{off}\n", name.display(), splits.len());
    }
    fs::create_dir_all(out)?;
    fs::write(out.join("trees.tsv"), table)?;
    fs::write(out.join("consensus.nwk"), agreed.text())?;
    let species = agreed.species().len();
    let title =
        format!("{species} species by {} trees; per cent that have each branch", trees.len());
    picture::draw(&out.join("tree.png"), &agreed, &title)?;
    let off = distance(&agreed.splits(), &known);
    let of = if truth.is_some() { "from the true tree" } else { "" };
    Ok(format!("consensus of {} trees: distance {off} {of}", trees.len()))
}
