//! `dugnad verify`: whether a fetched job is what those agreed on who signed it, offline and with nothing
//! but the directory. Whether they are whom you trust is for you to say: keys cost nothing.
//!
//! Its certificate is replayed from the first signature to the last verdict, and each output must be the
//! very one that the verdict names. `--recheck K` computes some units again, here.
use super::{
    Failure,
    fetch::{blob_path, open_certificate},
    node::{self, printable},
    status::show_quarantine,
};
use crate::{
    api::profile_of,
    certificate::Certificate,
    driver::quarantine,
    exec::{Backend, Ran, Run, Sandbox},
    net, unit,
};
use coordinator_free_scheduler::{
    Answer, Flaw, Hash, Manifest, PeerKey, Replay, TableDirectory, TablePage, UnitEntry, UnitIndex,
    Units, Verdict, table::page_of,
};
use dugnad_client::{CERTIFICATE_FILE, JOB_FILE, JobState, Quarantine, UNITS_DIR, unit_file};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Problems that are told of one by one.
const TOLD_MAX: usize = 10;
/// Largest `job.json`, bytes: it tells of a thousand failed units at most.
const JOB_FILE_BYTES_MAX: u64 = 4 << 20;
/// Largest blob that a unit is computed from, bytes.
const BLOB_BYTES_MAX: u64 = 4 << 30;

/// What `dugnad verify` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Where `dugnad fetch` wrote the job.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Compute so many of the units again, drawn at random, and compare.
    #[arg(long, value_name = "K", default_value_t = 0)]
    recheck: u32,
    /// The job that it should be, by its id or the first digits of it.
    #[arg(long, value_name = "JOB")]
    job: Option<String>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Serialize, Debug, Default)]
struct Report {
    job: String,
    owner: String,
    profile: String,
    units: u32,
    verified: u32,
    failed: u32,
    open: u32,
    outputs: u32,
    missing: u32,
    peers: usize,
    /// Whose answers carry the verdicts.
    vouchers: Vec<String>,
    batches: u64,
    rechecked: u32,
    /// What the audit proves, if the job is audited.
    #[serde(skip_serializing_if = "Option::is_none")]
    released: Option<Released>,
    /// Why the module is at fault, if the audit found that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantine: Option<Quarantined>,
    /// What the submitter's node computed again, if it was to.
    #[serde(skip_serializing_if = "Option::is_none")]
    own: Option<Own>,
    problems: Vec<String>,
}

/// The end of an audit.
#[derive(Serialize, Debug)]
struct Released {
    /// The name of the roster: a hash of its members.
    roster: String,
    members: u32,
    lost: u32,
    /// Who signed for it: the submitter, or a delegate.
    by: String,
    /// A hash of all statements that it rests on.
    evidence: String,
    passes: u8,
    level: f64,
    executions: u64,
    /// Classes of processors among those who computed.
    arches: u32,
    /// Units that rest on its own computation.
    own_units: u32,
    /// Answers that rest on its word, as their authors keep two logs.
    by_word: u32,
    /// Drawn checks that never came.
    silent: u32,
    /// Whether as few wrong units are expected as were allowed, and every check was made.
    achieved: bool,
    estimated_wrong: f64,
    allowed_wrong: f64,
}

/// The end of an audit of a module that is not exact.
#[derive(Serialize, Debug)]
struct Quarantined {
    /// Who signed for it: the submitter, or a delegate.
    by: String,
    #[serde(flatten)]
    found: Quarantine,
}

/// What the submitter's node came to by computing units of a vote again.
#[derive(Serialize, Debug)]
struct Own {
    /// Units that it computed itself.
    units: u32,
    /// Those whose verdict rests on its word alone.
    released: u32,
    /// Peers that it found wrong.
    lost: Vec<String>,
}

/// The part of `job.json` that says whose outputs these are.
#[derive(Deserialize)]
struct JobJson {
    job: String,
    state: JobState,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let path = arguments.dir.join(CERTIFICATE_FILE);
    let certificate = open_certificate(&arguments.dir)?;
    let mut report = Report::of(&certificate);
    let verdicts = certificate.replay.verdicts();
    if let Some(job) = arguments.job.as_ref().filter(|job| !report.job.starts_with(*job)) {
        report.found(&path, &format!("is about job {}, and not {job}", report.job));
    }
    let runs_yet = report.check_name(&arguments.dir);
    report.name_vouchers(&verdicts);
    report.check_audit(&path, &certificate.replay, runs_yet);
    report.check_own(&path, &certificate.replay, runs_yet);
    report.check_outputs(&arguments.dir, &verdicts, runs_yet);
    report.check_strays(&arguments.dir);
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
        Report {
            job: replay.job().to_string(),
            owner: net::peer_id(replay.manifest().owner),
            profile: profile_of(replay.manifest().profile).to_string(),
            units: replay.manifest().work.units.count(),
            peers: replay.authors().len(),
            batches: *batches,
            ..Report::default()
        }
    }

    /// The directory must not claim to be another job's. Answers whether the job ran when it was fetched:
    /// then its certificate may be ahead of the outputs.
    fn check_name(&mut self, dir: &Path) -> bool {
        let path = dir.join(JOB_FILE);
        let read = read_plain(&path, JOB_FILE_BYTES_MAX);
        match read.and_then(|bytes| Ok(serde_json::from_slice::<JobJson>(&bytes)?)) {
            Ok(named) if named.job == self.job => return !named.state.has_ended(),
            Ok(named) => self.found(&path, &format!("names job {}", printable(&named.job))),
            Err(error) => self.found(&path, &format!("is not as it was written: {error}")),
        }
        false
    }

    /// What a signer of an audited job came to must follow from what it and others said.
    fn check_audit(&mut self, path: &Path, replay: &Replay, runs_yet: bool) {
        match replay.quarantined() {
            None => {}
            Some(Ok((signer, found))) => {
                let (by, found) = (net::peer_id(signer), quarantine(&found));
                self.quarantine = Some(Quarantined { by, found });
                return;
            }
            Some(Err(flaw)) => return self.found(path, &flaw.to_string()),
        }
        match replay.audit() {
            None => {}
            Some(Ok(audited)) => {
                self.released = Some(Released {
                    roster: audited.roster.to_string(),
                    members: audited.members,
                    lost: audited.lost,
                    by: net::peer_id(audited.signer),
                    evidence: replay.evidence().to_string(),
                    passes: audited.passes,
                    level: audited.level,
                    executions: audited.executions,
                    arches: audited.arches,
                    own_units: audited.own_units,
                    by_word: audited.by_word,
                    silent: audited.silent,
                    achieved: audited.achieved,
                    estimated_wrong: audited.estimated_wrong,
                    allowed_wrong: audited.allowed_wrong,
                });
            }
            Some(Err(Flaw::Unfinished | Flaw::Missing(_))) if runs_yet => {}
            Some(Err(flaw @ Flaw::Missing(_))) => {
                let why = format!("{flaw}; they may be on their way: fetch the job again");
                self.found(path, &why);
            }
            Some(Err(flaw)) => self.found(path, &flaw.to_string()),
        }
    }

    /// What the submitter's node computed again must be what the units came to.
    fn check_own(&mut self, path: &Path, replay: &Replay, runs_yet: bool) {
        let Some(found) = replay.rechecked() else { return };
        let (units, released) = (found.own_units, found.released);
        let lost = found.lost.into_iter().map(net::peer_id).collect();
        self.own = Some(Own { units, released, lost });
        for unit in found.unsettled.iter().filter(|_| !runs_yet) {
            let why = format!("unit {unit} came to another answer than its submitter's node found");
            self.found(path, &why);
        }
    }

    fn name_vouchers(&mut self, verdicts: &[Verdict]) {
        let all: BTreeSet<PeerKey> = verdicts.iter().flat_map(Verdict::vouchers).copied().collect();
        self.vouchers = all.into_iter().map(net::peer_id).collect();
    }

    /// Whoever reads all files of the folder must not read what belongs to no unit.
    fn check_strays(&mut self, dir: &Path) {
        let folder = dir.join(UNITS_DIR);
        let Ok(entries) = std::fs::read_dir(&folder) else { return };
        for name in entries.flatten().map(|entry| entry.file_name()) {
            let unit = name.to_str().and_then(|name| name.strip_suffix(".out")?.parse().ok());
            let is_unit = |unit: &u32| *unit < self.units && *name == *unit_file(*unit);
            if unit.filter(is_unit).is_none() {
                let path = folder.join(&name);
                self.found(&path, "is no unit's output");
            }
        }
    }

    fn check_outputs(&mut self, dir: &Path, verdicts: &[Verdict], runs_yet: bool) {
        for (unit, verdict) in verdicts.iter().enumerate() {
            let path = dir.join(UNITS_DIR).join(unit_file(unit as u32));
            if let Some(digest) = verdict.success() {
                self.verified += 1;
                self.check_output(&path, digest);
                continue;
            }
            match verdict {
                Verdict::Open => self.open += 1,
                Verdict::Failed(_) | Verdict::Verified { .. } => self.failed += 1,
            }
            if path.exists() {
                self.found(&path, "is there, though nobody's answer to its unit is verified");
            }
        }
        if !runs_yet && self.missing + self.open > 0 {
            self.problems.push(format!(
                "{}: {} outputs are missing, and {} units are open by the certificate, though the job \
                 has ended; `dugnad fetch` brings what is missing",
                dir.join(UNITS_DIR).display(),
                self.missing,
                self.open
            ));
        }
    }

    fn check_output(&mut self, path: &Path, expected: Hash) {
        let mut hasher = blake3::Hasher::new();
        let read = open_plain(path).and_then(|file| hasher.update_reader(file).map(drop));
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
        if let Some(released) = &self.released {
            let Released { roster, members, by, evidence, .. } = released;
            node::say(&format!(
                "released   under roster {} ({members} peers), signed by {by}, on evidence {}; {} wrong \
                 units expected, {} allowed",
                &roster[..16],
                &evidence[..16],
                rounded(released.estimated_wrong),
                rounded(released.allowed_wrong),
            ))?;
            let short = match released.achieved {
                true => "",
                false => {
                    "; there were not peers enough for all checks, or too many lies: expect more"
                }
            };
            node::say(&format!(
                "           {} units rest on its own word, {} drawn checks never came, {}{short}",
                released.own_units,
                released.silent,
                arches(released.arches),
            ))?;
            if released.by_word > 0 {
                node::say(&format!(
                    "           so do {} answers of peers that were found to keep two logs",
                    released.by_word
                ))?;
            }
        }
        if let Some(Quarantined { by, found }) = &self.quarantine {
            show_quarantine(found)?;
            node::say(&format!("signed by  {by}, whose machines both are"))?;
        }
        if let Some(Own { units, released, lost }) = &self.own {
            node::say(&format!(
                "by owner   {units} units were computed by the submitter's node too, {released} of them rest on its \
                 word; it found {} peers wrong, whose word counts no more",
                lost.len()
            ))?;
        }
        if profile == "checked" {
            node::say(
                "checked    by the module's own `verify` on the submitter's node; --recheck computes units again",
            )?;
        }
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

/// On how many kinds of processors answers agree; one alone cannot show that a module is exact.
fn arches(count: u32) -> String {
    match count {
        1 => "all on one class of processors".into(),
        count => format!("on {count} classes of processors"),
    }
}

/// A figure as people read it.
fn rounded(figure: f64) -> f64 {
    (figure * 1e3).round() / 1e3
}

/// A file that is one: no device or pipe, which might never end.
fn open_plain(path: &Path) -> io::Result<File> {
    match std::fs::symlink_metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("no plain file")),
    }
}

fn read_plain(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_plain(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 <= bytes_max {
        true => Ok(bytes),
        false => Err(io::Error::other(format!("larger than {bytes_max} bytes"))),
    }
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
        Units::Range { .. } => (UnitEntry::default(), unit::numbered_input(unit)),
        Units::Table { directory, .. } => {
            let entry = entry_of(dir, *directory, unit)?;
            let input = entry.input.map(|input| blob(dir, input)).transpose()?;
            (entry, input.unwrap_or_default())
        }
    };
    let module = blob(dir, work.module)?.into();
    Ok(unit::run_of(manifest, unit, module, entry, input))
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
    let bytes = read_plain(&path, BLOB_BYTES_MAX).map_err(|error| {
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
