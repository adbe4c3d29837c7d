//! What a scientist does around many trees: `fasttree-host` without arguments says how.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage.
use fasttree_host::{
    consensus::consensus,
    picture, synthetic,
    tree::{Tree, distance},
};
use fetched::{Done, FileError, outputs, program};
use std::{fs, path::Path, process::ExitCode};

const USAGE: &str = "usage:
  fasttree-host synthetic OUT SEED GENES       makes genes/ and their true tree, species.nwk, to try it
  fasttree-host trees RESULTS OUT [TRUE.nwk]   makes consensus.nwk, trees.tsv and tree.png of a fetched job";

fn main() -> ExitCode {
    program(USAGE, |arguments| match arguments {
        ["synthetic", out, seed, genes] => Some(make(out, seed, genes)),
        ["trees", results, out] => Some(assemble(results, out, None)),
        ["trees", results, out, truth] => Some(assemble(results, out, Some(truth))),
        _ => None,
    })
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a number, not `{text}`"))
}

fn make(out: &str, seed: &str, genes: &str) -> Done {
    synthetic::write(Path::new(out), number(seed)?, number(genes)?)?;
    Ok(format!("{genes} genes of {} species in {out}/genes", synthetic::SPECIES))
}

fn tree(path: &Path, text: &str) -> Result<Tree, String> {
    Tree::parse(text).map_err(|error| format!("{}: {error}", path.display()))
}

fn assemble(results: &str, out: &str, truth: Option<&str>) -> Done {
    let (outputs, out) = (outputs(Path::new(results))?, Path::new(out));
    let trees: Vec<Tree> =
        outputs.iter().map(|(path, text)| tree(path, text)).collect::<Result<_, _>>()?;
    let agreed =
        consensus(&trees).ok_or("there are no trees, or not all are of the same species")?;
    let known = match truth.map(Path::new) {
        Some(path) => tree(path, &fs::read_to_string(path).map_err(FileError::of(path))?)?.splits(),
        None => agreed.splits(),
    };
    let mut table = "unit\tsplits\tdistance\n".to_owned();
    for ((path, _), tree) in outputs.iter().zip(&trees) {
        let splits = tree.splits();
        let unit = path.file_stem().unwrap_or_default().display();
        table += &format!("{unit}\t{}\t{}\n", splits.len(), distance(&splits, &known));
    }
    fs::create_dir_all(out)?;
    fs::write(out.join("trees.tsv"), table)?;
    fs::write(out.join("consensus.nwk"), agreed.text())?;
    let species = agreed.species().len();
    let title =
        format!("{species} species by {} trees; per cent that have each branch", trees.len());
    picture::draw(&out.join("tree.png"), &agreed, &title)?;
    let off = distance(&agreed.splits(), &known);
    let said = format!("consensus of {} trees", trees.len());
    Ok(truth.map_or(said.clone(), |_| format!("{said}, {off} splits from the true tree")))
}
