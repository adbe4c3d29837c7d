//! `dugnad verify`: whether a fetched job is what its grid agreed on, offline and with nothing but the
//! directory.
//!
//! Its certificate is replayed from the first signature to the last verdict, and each output must be the
//! very one that the verdict names. `--recheck K` computes some units again, here.
use super::{
    Failure,
    fetch::blob_path,
    node::{self, printable},
};
use crate::{
    certificate::{self, Certificate},
    exec::{Backend, Ran, Run, Sandbox, Seed},
};
use coordinator_free_scheduler::{
    Answer, Hash, Manifest, Outcome, Profile, TableDirectory, TablePage, UnitEntry, UnitIndex,
    Units, Verdict, table::page_of,
};
use dugnad_client::{CERTIFICATE_FILE, JOB_FILE, UNITS_DIR, unit_file};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

/// Problems that are told of one by one.
const TOLD_MAX: usize = 10;

/// What `dugnad verify` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Where `dugnad fetch` wrote the job.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Compute so many of the units again, drawn at random, and compare.
    #[arg(long, value_name = "K", default_value_t = 0)]
    recheck: u32,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Serialize, Debug, Default)]
struct Report {
    job: String,
    profile: String,
    units: u32,
    verified: u32,
    failed: u32,
    open: u32,
    outputs: u32,
    missing: u32,
    peers: usize,
    batches: u64,
    rechecked: u32,
    problems: Vec<String>,
}

/// The part of `job.json` that says whose outputs these are.
#[derive(Deserialize)]
struct JobJson {
    job: String,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let path = arguments.dir.join(CERTIFICATE_FILE);
    let named = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let file = File::open(&path)
        .map_err(|error| Failure::Usage(format!("{}; `dugnad fetch` brings it", named(&error))))?;
    let certificate = certificate::read(BufReader::new(file))
        .map_err(|broken| Failure::Verification(named(&broken)))?;
    let mut report = Report::of(&certificate);
    let verdicts = certificate.replay.verdicts();
    report.check_name(&arguments.dir);
    report.check_outputs(&arguments.dir, &verdicts);
    report.recheck(&arguments, certificate.replay.manifest(), &verdicts)?;
    match arguments.json {
        true => node::say_json(&report)?,
        false => report.tell()?,
    }
    match report.problems.is_empty() {
        true => Ok(()),
        false => Err(Failure::Verification(report.sentence())),
    }
}

impl Report {
    fn of(certificate: &Certificate) -> Report {
        let Certificate { replay, batches } = certificate;
        let Profile::Quorum { n, .. } = replay.manifest().profile;
        Report {
            job: replay.job().to_string(),
            profile: format!("quorum={n}"),
            units: replay.manifest().work.units.count(),
            peers: replay.authors().len(),
            batches: *batches,
            ..Report::default()
        }
    }

    /// The directory must not claim to be another job's.
    fn check_name(&mut self, dir: &Path) {
        let path = dir.join(JOB_FILE);
        let Ok(bytes) = std::fs::read(&path) else { return };
        match serde_json::from_slice::<JobJson>(&bytes) {
            Ok(named) if named.job == self.job => {}
            Ok(named) => self.found(&path, &format!("names job {}", printable(&named.job))),
            Err(error) => self.found(&path, &format!("is not as it was written: {error}")),
        }
    }

    fn check_outputs(&mut self, dir: &Path, verdicts: &[Verdict]) {
        for (unit, verdict) in verdicts.iter().enumerate() {
            let path = dir.join(UNITS_DIR).join(unit_file(unit as u32));
            match verdict {
                Verdict::Open => self.open += 1,
                Verdict::Failed(_) => self.failed += 1,
                Verdict::Verified { answer, .. } => match answer.output() {
                    Some(digest) if succeeded(answer) => {
                        self.verified += 1;
                        self.check_output(&path, digest);
                        continue;
                    }
                    Some(_) | None => self.failed += 1,
                },
            }
            if path.exists() {
                self.found(&path, "is there, though nobody's answer to its unit is verified");
            }
        }
        // While a job runs, its certificate may be ahead of the outputs.
        if self.missing > 0 && self.open == 0 {
            self.problems.push(format!(
                "{}: {} outputs are missing; `dugnad fetch` brings them",
                dir.join(UNITS_DIR).display(),
                self.missing
            ));
        }
    }

    fn check_output(&mut self, path: &Path, expected: Hash) {
        let mut hasher = blake3::Hasher::new();
        let read = File::open(path).and_then(|file| hasher.update_reader(file).map(drop));
        match read {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.missing += 1,
            Err(error) => self.found(path, &format!("cannot be read: {error}")),
            Ok(()) if Hash(*hasher.finalize().as_bytes()) == expected => self.outputs += 1,
            Ok(()) => self.found(path, "is not the output that was agreed on"),
        }
    }

    fn found(&mut self, path: &Path, what: &str) {
        self.problems.push(format!("{}: {what}", path.display()));
    }

    /// Computes some verified units again.
    fn recheck(
        &mut self,
        arguments: &Arguments,
        manifest: &Manifest,
        verdicts: &[Verdict],
    ) -> Result<(), Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::Failed(error.to_string());
        let mut left: Vec<(UnitIndex, &Answer)> =
            verdicts.iter().zip(0..).filter_map(answered).collect();
        let wanted = (arguments.recheck as usize).min(left.len());
        if wanted == 0 {
            return Ok(());
        }
        let sandbox = Sandbox::new(Backend::default()).map_err(|error| failed(&error))?;
        for _ in 0..wanted {
            let drawn = getrandom::u64().map_err(|error| failed(&error))?;
            let (unit, answer) = left.swap_remove((drawn % left.len() as u64) as usize);
            let ran = sandbox.run(run_of(&arguments.dir, manifest, unit)?);
            if let Some(problem) = difference(unit, answer, &ran) {
                self.problems.push(problem);
            }
            self.rechecked += 1;
        }
        Ok(())
    }

    fn tell(&self) -> Result<(), Failure> {
        let Report { job, profile, units, verified, failed, open, outputs, .. } = self;
        node::say(&format!("job        {job}"))?;
        node::say(&format!(
            "verdicts   {verified} of {units} units verified by {profile}, {failed} failed, {open} open"
        ))?;
        node::say(&format!("said by    {} peers in {} signed batches", self.peers, self.batches))?;
        node::say(&format!("outputs    {outputs} are the very ones that were agreed on"))?;
        if self.rechecked > 0 {
            node::say(&format!("computed   {} units again", self.rechecked))?;
        }
        Ok(())
    }

    /// All that is wrong, or as much of it as a person reads.
    fn sentence(&self) -> String {
        let told = self.problems.iter().take(TOLD_MAX).map(String::as_str);
        let told = told.collect::<Vec<_>>().join("\n");
        match self.problems.len().saturating_sub(TOLD_MAX) {
            0 => told,
            more => format!("{told}\n… and {more} more; --json names all"),
        }
    }
}

fn succeeded(answer: &Answer) -> bool {
    matches!(answer.outcome, Outcome::Exit { code: 0, .. })
}

fn answered((verdict, unit): (&Verdict, UnitIndex)) -> Option<(UnitIndex, &Answer)> {
    match verdict {
        Verdict::Verified { answer, .. } => Some((unit, answer)),
        Verdict::Open | Verdict::Failed(_) => None,
    }
}

/// What is wrong with an agreed answer, by what came of the unit here.
fn difference(unit: UnitIndex, agreed: &Answer, ran: &Ran) -> Option<String> {
    match &ran.end {
        Ok(found) if found == agreed => None,
        Ok(found) => Some(format!(
            "unit {unit}: agreed on {:?} with {} fuel, computed here {:?} with {} fuel",
            agreed.outcome, agreed.fuel, found.outcome, found.fuel
        )),
        Err(void) => {
            Some(format!("unit {unit}: cannot be computed here ({void:?}): {}", ran.detail))
        }
    }
}

/// A unit as every node runs it, from the blobs in the directory.
fn run_of(dir: &Path, manifest: &Manifest, unit: UnitIndex) -> Result<Run, Failure> {
    let work = &manifest.work;
    let (entry, input) = match &work.units {
        Units::Range { .. } => (UnitEntry::default(), format!("{unit}\n").into_bytes()),
        Units::Table { directory, .. } => {
            let entry = entry_of(dir, *directory, unit)?;
            let input = entry.input.map(|input| blob(dir, input)).transpose()?;
            (entry, input.unwrap_or_default())
        }
    };
    Ok(Run {
        module: blob(dir, work.module)?.into(),
        module_hash: work.module,
        owner: manifest.owner,
        input,
        args: work.args.iter().cloned().chain(entry.args).collect(),
        env: work.env.clone(),
        random: Seed { job: work.seed, unit },
        files: Vec::new(),
        limits: work.limits,
        begin: None,
        steps_max: None,
    })
}

fn entry_of(dir: &Path, directory: Hash, unit: UnitIndex) -> Result<UnitEntry, Failure> {
    let none = |why: &dyn std::fmt::Display| {
        Failure::Verification(format!("the job's unit table names no unit {unit}: {why}"))
    };
    let directory = TableDirectory::decode(&blob(dir, directory)?).map_err(|error| none(&error))?;
    let (page, at) = page_of(unit);
    let page = directory.pages.get(page).ok_or_else(|| none(&"a page is missing"))?;
    let page = TablePage::decode(&blob(dir, *page)?).map_err(|error| none(&error))?;
    page.units.into_iter().nth(at).ok_or_else(|| none(&"the page is too short"))
}

/// The bytes of a blob, which are those that its name says.
fn blob(dir: &Path, hash: Hash) -> Result<Vec<u8>, Failure> {
    let path = blob_path(dir, hash);
    let bytes = std::fs::read(&path).map_err(|error| {
        let why = format!("{}: {error}", path.display());
        Failure::Usage(format!(
            "{why}; `dugnad fetch --inputs` brings what units are computed from"
        ))
    })?;
    match Hash::of(&bytes) == hash {
        true => Ok(bytes),
        false => Err(Failure::Verification(format!("{}: holds other bytes", path.display()))),
    }
}
