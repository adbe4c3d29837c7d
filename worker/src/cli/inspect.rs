//! `dugnad inspect`: what a module uses and asks for, and what metering it puts in; or what a bundle holds.
use super::{Failure, bundle, node, pass};
use crate::exec::Anatomy;
use dugnad_client::Bundle;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What `dugnad inspect` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The module, or a bundle.
    module: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize, Debug)]
struct Report {
    kind: &'static str,
    /// Whether it can check outputs.
    verifies: bool,
    bytes: u64,
    passed_bytes: u64,
    features: Vec<&'static str>,
    imports: Vec<String>,
    memory_bytes_min: u64,
    functions: u64,
    operators: u64,
    fuel_charges: u64,
    fuel_checks: u64,
    nan_sites: u64,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let file = &arguments.module;
    match Bundle::is_one(file) {
        true => bundle::show(&Bundle::open(file)?, file, arguments.json),
        false => show(file, arguments.json),
    }
}

/// Shows what the module in `file` is.
pub fn show(file: &Path, json: bool) -> Result<(), Failure> {
    let module = node::read_file(file)?;
    let anatomy = pass::looked_over(file, |sandbox| sandbox.anatomy(&module))?;
    let report = Report::of(anatomy);
    match json {
        true => node::say_json(&report),
        false => report.lines().iter().try_for_each(|line| node::say(line)),
    }
}

impl Report {
    fn of(anatomy: Anatomy) -> Report {
        let Anatomy { kind, verifies, bytes, passed_bytes, features, .. } = anatomy;
        let Anatomy { imports, memory_bytes_min, sites, .. } = anatomy;
        Report {
            kind,
            verifies,
            bytes,
            passed_bytes,
            features,
            imports,
            memory_bytes_min,
            functions: sites.functions,
            operators: sites.operators,
            fuel_charges: sites.charges,
            fuel_checks: sites.checks,
            nan_sites: sites.nans,
        }
    }

    fn lines(&self) -> Vec<String> {
        let listed = |names: &[String]| match names {
            [] => "none".to_owned(),
            names => node::printable(&names.join(", ")),
        };
        let features: Vec<String> = self.features.iter().map(|name| (*name).to_owned()).collect();
        let each = |count: u64| match count {
            0 => "none".to_owned(),
            count => {
                format!("{count}, one in {:.0} operators", self.operators as f64 / count as f64)
            }
        };
        let grows = self.passed_bytes as f64 * 100.0 / self.bytes.max(1) as f64 - 100.0;
        vec![
            format!(
                "kind            {}{}",
                self.kind,
                if self.verifies { ", checks outputs" } else { "" }
            ),
            format!("features        {}", listed(&features)),
            format!("imports         {}", listed(&self.imports)),
            format!("memory          {} KiB at least", self.memory_bytes_min / 1_024),
            format!("code            {} functions, {} operators", self.functions, self.operators),
            format!("fuel is charged {}", each(self.fuel_charges)),
            format!("  … and checked {}", each(self.fuel_checks)),
            format!("NaNs made exact {}", each(self.nan_sites)),
            format!("size            {} bytes, {grows:+.0} % after the pass", self.bytes),
        ]
    }
}
