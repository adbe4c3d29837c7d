//! `dugnad jobs`: what is on the grid, for whom, and what for.
use super::Failure;
use super::node::{self, NodeArguments};
use dugnad_client::{About, JobState, JobStatus};

/// What `dugnad jobs` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Jobs of others and jobs that have ended, too; without it this node's own, and what runs.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    node: NodeArguments,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let node = &arguments.node;
    let mut jobs = node::block_on(async { Ok(node.connect().await?.jobs().await?) })?;
    jobs.retain(|job| arguments.all || job.own || job.state == JobState::Running);
    match (node.json, jobs.is_empty()) {
        (true, _) => node::say_json(&jobs),
        (false, true) => node::say("no jobs; submit one with `dugnad submit`"),
        (false, false) => jobs.iter().flat_map(lines).try_for_each(|line| node::say(&line)),
    }
}

/// A job in two lines or more: how far it is, and what is said of it.
fn lines(job: &JobStatus) -> Vec<String> {
    let JobStatus { state, units, verified, failed, submitter, .. } = job;
    let About { description, tags, licence, contact } = &job.about;
    let whose = match job.own {
        true => "this node's own".to_owned(),
        false => format!("submitted by {submitter}"),
    };
    let profile = job.profile.map(|profile| format!(", {profile}")).unwrap_or_default();
    let failed = match failed {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let mut lines = vec![
        format!("{}  {}", job.job.short(), node::printable(&job.name)),
        format!(
            "          {state}, {verified} of {units} units verified{failed}{profile}; {whose}"
        ),
    ];
    let tags = tags.join(", ");
    let said =
        [("", description), ("tags: ", &tags), ("licence: ", licence), ("contact: ", contact)];
    let said = said.into_iter().filter(|(_, text)| !text.is_empty());
    lines.extend(said.map(|(what, text)| format!("          {what}{}", node::printable(text))));
    lines
}
