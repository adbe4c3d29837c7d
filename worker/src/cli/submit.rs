//! `dugnad submit`: a job file becomes a job of the grid.
//!
//! Invariant: on an open grid nothing is uploaded before a person, or `--yes`, has agreed to what
//! becomes public by it.
use super::node::{self, NodeArguments};
use super::{Failure, watch};
use clap::builder::FalseyValueParser;
use coordinator_free_scheduler::{AuditPlan, AuditTerms, Hash, ONE_VOTE, stamp_hashes};
use dugnad_client::{AUDITED_UNITS, Bundle, Error, JobFile, JobId, JobSpec, Profile, Submitted};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// What everybody should know who submits to an open grid.
const PUBLIC: &str = "this grid is open: module, inputs, outputs, arguments and environment of the job \
    become public, and stay so";
/// … by votes, too.
const COLLUDERS: &str = "colluders beat a plain quorum: where 20 % of the peers agree on wrong answers, \
    about 10 % of the units come out wrong; profile = \"audited\" is made for them, and \"quorum=2+10%\" for \
    jobs that are too small for it";

/// About how many hashes of a stamp's search a processor makes in a second; for telling people.
const HASHES_A_SECOND: u64 = 7_000_000;

/// What `dugnad submit` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The job file, or a bundle.
    #[arg(value_name = "JOB.TOML")]
    job_file: PathBuf,
    /// Compute it again even if this node has submitted the same work before.
    #[arg(long, env = "DUGNAD_AGAIN", value_parser = FalseyValueParser::new())]
    again: bool,
    /// Submit to an open grid without being asked.
    #[arg(long, short, env = "DUGNAD_YES", value_parser = FalseyValueParser::new())]
    yes: bool,
    /// For tests: submit a module that can be run nowhere, so that its units fail one by one.
    #[arg(long, env = "DUGNAD_UNCHECKED", value_parser = FalseyValueParser::new())]
    unchecked: bool,
    /// Watch the job until it ends.
    #[arg(long, env = "DUGNAD_WATCH", value_parser = FalseyValueParser::new())]
    watch: bool,
    #[command(flatten)]
    node: NodeArguments,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let job = node::block_on(submit(&arguments))?;
    match arguments.watch {
        true => watch::until_end(&arguments.node, &job.to_string()),
        false => Ok(()),
    }
}

async fn submit(arguments: &Arguments) -> Result<JobId, Failure> {
    // The file first: its errors need no node.
    let source = Source::open(&arguments.job_file)?;
    let mut spec = source.spec()?;
    spec.again = arguments.again;
    spec.unchecked = arguments.unchecked;
    let (name, asked) = (node::printable(&spec.name), spec.profile);
    let grid = arguments.node.connect().await?;
    let status = grid.node_status().await?;
    let (open, units) = (status.open, source.units()?);
    if let Some(cost) = stamp_cost(status.work_factor, units) {
        eprintln!("{cost}");
    }
    if open && matches!(asked, Some(Profile::Quorum(1) | Profile::Rechecked(1, _))) {
        return Err(Failure::Usage(format!("{}: {ONE_VOTE}", arguments.job_file.display())));
    }
    if open {
        let profile = asked.unwrap_or_else(|| Profile::unsaid(open, units));
        warn(&name, units, profile);
        agree(arguments.yes, io::stdin().is_terminal(), ask).await?;
    }
    let submitted = grid.submit(spec).await?;
    let Submitted { job, work: _, units, profile, known: _ } = &submitted;
    if arguments.node.json {
        node::say_json(&submitted)?;
    } else {
        node::say(&format!("{name}: {units} units, job {job}"))?;
        node::say(&format!("profile {profile}{}", why(asked, open, *units)))?;
        match profile {
            Profile::Audited(ppb) if !open => node::say(&plan(*ppb, *units))?,
            Profile::Rechecked(n, percent) if !open => {
                node::say(&rechecked(*n, *percent, *units))?;
            }
            Profile::Audited(_) | Profile::Rechecked(..) => {}
            Profile::Quorum(_) | Profile::Checked => {}
        }
        if !arguments.watch {
            node::say(&format!("watch it: dugnad watch {}", job.short()))?;
        }
    }
    Ok(submitted.job)
}

/// Where a job is written down.
enum Source {
    File(Box<JobFile>),
    Bundle(Box<Bundle>),
}

impl Source {
    fn open(path: &Path) -> Result<Source, Error> {
        Ok(match Bundle::is_one(path) {
            true => Source::Bundle(Box::new(Bundle::open(path)?)),
            false => Source::File(Box::new(JobFile::read(path)?)),
        })
    }

    fn spec(&self) -> Result<JobSpec, Error> {
        match self {
            Source::File(file) => file.spec(),
            Source::Bundle(bundle) => bundle.spec(),
        }
    }

    fn units(&self) -> Result<u64, Error> {
        match self {
            Source::File(file) => file.spec()?.units.count(),
            Source::Bundle(bundle) => Ok(bundle.units()),
        }
    }
}

/// Says what a job will cost on an open grid, and what becomes of it there, before anything is sent.
fn warn(name: &str, units: u64, profile: Profile) {
    eprintln!("{name}: {units} units, profile {profile}");
    match profile {
        Profile::Audited(ppb) => eprintln!("{}", plan(ppb, units)),
        Profile::Quorum(_) => eprintln!("{COLLUDERS}"),
        Profile::Rechecked(n, percent) => eprintln!("{}", rechecked(n, percent, units)),
        Profile::Checked => {}
    }
    eprintln!("{PUBLIC}");
}

/// What the proof of work will cost, where that takes noticeable time.
fn stamp_cost(work_factor: u32, units: u64) -> Option<String> {
    let hashes = stamp_hashes(work_factor, u32::try_from(units).unwrap_or(u32::MAX));
    let seconds = hashes / HASHES_A_SECOND;
    (seconds > 0).then(|| {
        format!(
            "this grid asks for a proof of work: about {hashes} hashes, some {seconds} s of one processor; \
             Ctrl-C gives up"
        )
    })
}

/// Goes on only if somebody agreed: beforehand, or now at a terminal.
async fn agree(
    yes: bool,
    terminal: bool,
    ask: impl FnOnce() -> io::Result<bool> + Send + 'static,
) -> Result<(), Failure> {
    match (yes, terminal) {
        (true, _) => return Ok(()),
        (false, true) => {}
        (false, false) => {
            let problem = "nothing was submitted: the grid is open, and nobody is at a terminal to \
                agree to that; add --yes";
            return Err(Failure::Usage(problem.into()));
        }
    }
    // On a thread of its own, so that Ctrl-C ends the command while it waits.
    let asked = tokio::task::spawn_blocking(ask).await;
    let asked = asked.map_err(|error| Failure::Failed(error.to_string()))?;
    match asked.map_err(|error| Failure::Failed(format!("standard input: {error}")))? {
        true => Ok(()),
        false => Err(Failure::Failed("nothing was submitted".into())),
    }
}

/// Asks the person at the terminal.
fn ask() -> io::Result<bool> {
    eprint!("submit? [y/N] ");
    io::stderr().flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(is_yes(&line))
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Why a job has its profile, if its file names none.
fn why(asked: Option<Profile>, open: bool, units: u64) -> String {
    match (open, units < AUDITED_UNITS) {
        _ if asked.is_some() => String::new(),
        (false, _) => ": the job names none, and the grid is private".into(),
        (true, true) => format!(": the job names none, and has under {AUDITED_UNITS} units"),
        (true, false) => format!(
            ": the job names none, the grid is open, and it has {AUDITED_UNITS} units or more"
        ),
    }
}

/// What an audit will cost, before anybody has begun.
fn plan(ppb: u32, units: u64) -> String {
    let units = u32::try_from(units).unwrap_or(u32::MAX);
    let plan = AuditTerms::new(ppb, Hash::default()).plan(units);
    let AuditPlan { checkers, expected, worst, wrong } = plan;
    format!(
        "audited: {checkers} checks a unit to begin with; about {expected:.2} executions a unit if nobody \
         lies, {worst} at most; {wrong:.2} wrong units on average at most"
    )
}

/// What votes of which this machine computes a share again come to.
fn rechecked(n: u8, percent: u8, units: u64) -> String {
    let again = (units * u64::from(percent)).div_ceil(100).max(1);
    format!(
        "{n} equal answers a unit, and this machine computes about {again} of the {units} units ({percent} %) \
         again, drawn in secret. Whoever gave a wrong answer to one of them loses its word in this job: all \
         that rests on it is computed again, and twice the share is checked. A few lies may stay: colluders \
         who win W units go unfound with a chance of {:.2} to the power of W",
        f64::from(100 - percent) / 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn agreed(yes: bool, terminal: bool, answer: Option<&str>) -> Result<(), Failure> {
        let line = answer.map(str::to_owned);
        agree(yes, terminal, move || Ok(is_yes(&line.expect("nobody is to be asked")))).await
    }

    #[tokio::test]
    async fn nothing_goes_to_an_open_grid_without_consent() {
        assert!(agreed(true, false, None).await.is_ok());
        assert!(agreed(true, true, None).await.is_ok());
        let nobody = agreed(false, false, None).await;
        assert!(matches!(&nobody, Err(Failure::Usage(why)) if why.contains("--yes")), "{nobody:?}");
        for (answer, agrees) in
            [("y\n", true), ("YES\r\n", true), ("\n", false), ("", false), ("no\n", false)]
        {
            assert_eq!(agreed(false, true, Some(answer)).await.is_ok(), agrees, "{answer:?}");
        }
    }

    #[test]
    fn the_reason_for_a_profile_is_told_where_the_file_names_none() {
        assert_eq!(why(Some(Profile::Quorum(2)), true, 7), "");
        assert!(why(None, false, 5_000).contains("private"));
        assert!(why(None, true, 999).contains("under 1000 units"));
        assert!(why(None, true, 1_000).contains("open"));
        assert!(plan(100_000, 1_000).starts_with("audited: "));
        let told = rechecked(2, 10, 15);
        assert!(
            told.starts_with("2 equal answers") && told.contains("about 2 of the 15"),
            "{told}"
        );
        assert!(told.contains("0.90 to the power of W"), "{told}");
    }
}
