//! The folding demo: a chain folded from many seeds, checked by folding some of them natively.
use super::{
    place::Place,
    task::{Checked, failed, framed, merged, output_of, write},
};
use crate::cli::Failure;
use fold_host::{Folded, energy, lowest, read, structure};
use std::path::Path;

/// The unit, and what merges its outputs.
pub const FOLD: &[u8] = include_bytes!("../../../tasks/fold/fold.wasm");
pub const FOLD_MERGE: &[u8] = include_bytes!("../../../tasks/fold/folds.wasm");
/// Chains where nothing else is said.
pub const UNITS: u32 = 12;

/// Folds some seeds again, without a sandbox, and compares all bytes.
pub fn check(results: &Path, units: u32, sample: &[u32]) -> Result<Checked, Failure> {
    let (mut checked, mut count) = (Checked::default(), 0);
    for unit in sample {
        let Some(output) = output_of(results, *unit)? else { continue };
        count += 1;
        if fold_host::natively(format!("{unit}\n").as_bytes()) != Ok(output) {
            checked.wrong += 1;
            checked.problem.get_or_insert(format!("the output of unit {unit} is wrong"));
        }
    }
    let wrong = checked.wrong;
    let text = format!("{count} of {units} outputs by native code, {wrong} wrong");
    checked.lines.push(("checked".into(), text));
    Ok(checked)
}

/// Merges the outputs in the sandbox, and draws what people look at.
pub fn conclude(place: &Place, units: u32, checked: &mut Checked) -> Result<(), Failure> {
    let framed = framed(place, units)?;
    let Some(table) = merged(FOLD_MERGE, &framed, checked)? else { return Ok(()) };
    write(place, "folds.csv", &table)?;
    let all: Vec<Folded> =
        read(&framed).map_err(|error| Failure::Failed(format!("the outputs: {error}")))?;
    let Some(best) = lowest(&all) else { return Ok(()) };
    let path = place.file("energy.png");
    energy::draw(&path, &all).map_err(|error| failed(&path)(&error))?;
    let path = place.file("chain.png");
    structure::draw(&path, best).map_err(|error| failed(&path)(&error))?;
    let text = format!("energy {:.4}, of seed {}", best.energy, best.settings.seed);
    checked.lines.push(("lowest".into(), text));
    checked.lines.push(("pictures".into(), "energy.png, chain.png; all in folds.csv".into()));
    Ok(())
}
