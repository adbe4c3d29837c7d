//! `dugnad explain`: why a job, or one of its units, stands where it stands, and what it waits for.
use super::Failure;
use super::node::{self, NodeArguments, printable};
use super::status::{audit_line, show_quarantine};
use dugnad_client::explain::{JobStory, LotStory, PartStory, UnitStory, VoucherStory};

/// Lots and peers that are shown; `--json` tells all.
const ROWS_MAX: usize = 20;

/// What `dugnad explain` takes.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The job, by its id or the first digits of it.
    #[arg(value_name = "JOB")]
    job: String,
    /// One of its units, from 0.
    #[arg(value_name = "UNIT")]
    unit: Option<u32>,
    #[command(flatten)]
    node: NodeArguments,
}

pub fn main(arguments: Arguments) -> Result<(), Failure> {
    let json = arguments.node.json;
    node::block_on(async {
        let grid = arguments.node.connect().await?;
        let job = grid.find_job(&arguments.job).await?;
        match arguments.unit {
            Some(unit) => {
                let story = grid.explain_unit(job, unit).await?;
                if json { node::say_json(&story) } else { show_unit(&story) }
            }
            None => {
                let story = grid.explain(job).await?;
                if json { node::say_json(&story) } else { show_job(&story) }
            }
        }
    })
}

fn show_job(story: &JobStory) -> Result<(), Failure> {
    let JobStory { state, units, verified, failed, running, queued, .. } = story;
    node::say(&printable(&story.text))?;
    node::say(&format!("job        {}, {}", story.job.short(), printable(&story.name)))?;
    node::say(&format!("state      {state}, by {}", printable(&story.profile)))?;
    node::say(&format!(
        "units      {units}: {verified} verified, {failed} failed, {running} running, {queued} queued"
    ))?;
    if let Some(audit) = &story.audit {
        node::say(&format!("audit      {}", audit_line(audit)))?;
    }
    if let Some(quarantine) = &story.quarantine {
        show_quarantine(quarantine)?;
    }
    if story.lots.len() > 1 {
        let head = "\nLOT   UNITS FROM    COUNT   VERIFIED  FAILED  CLAIMED  OPEN   WORKERS";
        table(head, &story.lots, lot_row)?;
    }
    let head = format!("\n{:52}  {:>7}  {:>7}  {:>5}  ", "PEER", "COMMITS", "RIGHT", "WRONG");
    table(head.trim_end(), &story.peers, part_row)
}

/// Rows under their head, as many as fit a screen; nothing where there are none.
fn table<T>(head: &str, rows: &[T], row: impl Fn(&T) -> String) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    node::say(head)?;
    rows.iter().take(ROWS_MAX).try_for_each(|one| node::say(row(one).trim_end()))?;
    match rows.len().saturating_sub(ROWS_MAX) {
        0 => Ok(()),
        more => node::say(&format!("and {more} more (--json tells all)")),
    }
}

fn lot_row(lot: &LotStory) -> String {
    let LotStory { lot, first, units, verified, failed, claimed, open, workers, .. } = lot;
    format!(
        "{lot:<4}  {first:<12}  {units:<6}  {verified:<8}  {failed:<6}  {claimed:<7}  {open:<5}  {workers}"
    )
}

fn part_row(part: &PartStory) -> String {
    let PartStory { peer, commits, right, wrong, why_not, .. } = part;
    let why_not = why_not.as_deref().map(printable).unwrap_or_default();
    format!("{:52}  {commits:>7}  {right:>7}  {wrong:>5}  {why_not}", printable(peer))
}

fn show_unit(story: &UnitStory) -> Result<(), Failure> {
    node::say(&printable(&story.text))?;
    node::say(&format!("unit       {} of job {}, {}", story.unit, story.job.short(), story.state))?;
    if story.own {
        node::say("computed   by the job's owner itself")?;
    }
    story.claims.iter().try_for_each(|peer| line("on it", peer, ""))?;
    for drawn in &story.drawn {
        line("drawn", &drawn.peer, if drawn.silent { "did not answer" } else { "" })?;
    }
    story.refused.iter().try_for_each(|peer| line("refused", peer, ""))?;
    story.voids.iter().try_for_each(|void| line("could not", &void.peer, &void.reason))?;
    let head = format!("\n{:52}  {:13}  {:5}  ANSWER", "PEER", "STATE", "CITES");
    table(&head, &story.vouchers, voucher_row)
}

fn line(what: &str, peer: &str, more: &str) -> Result<(), Failure> {
    node::say(format!("{what:9}  {:52}  {}", printable(peer), printable(more)).trim_end())
}

fn voucher_row(voucher: &VoucherStory) -> String {
    let VoucherStory { peer, state, cites, answer, why_not, mark, .. } = voucher;
    let said = [answer.clone(), mark.map(|mark| mark.to_string()), why_not.clone()];
    let said: Vec<String> = said.into_iter().flatten().collect();
    format!("{:52}  {state:13}  {cites:<5}  {}", printable(peer), printable(&said.join("; ")))
}
