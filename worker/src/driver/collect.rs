//! Bringing home the outputs of this node's own jobs as their units are verified, and the digest
//! over all of them at the end.
//!
//! Invariant: a job of this node's is shown as ended only when every verified output is in the
//! store. What could not be had is tried again for as long as the node runs; what nobody has had for
//! a while is run again here, since with `quorum = 1` one peer alone may hold it, and be gone.
use super::{assets::Assets, event::Event, status::Standing};
use coordinator_free_scheduler::{Hash, Job, JobId, JobState, Node, PeerKey, UnitIndex, Verdict};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};
use tokio::sync::mpsc::UnboundedSender;

/// Outputs looked for in one go.
const AT_ONCE: usize = 1_024;
/// Goes under way at a time.
const GOES_MAX: usize = 2;
/// Before what could not be had is tried again.
const RETRY: Duration = Duration::from_millis(1_000);
/// How long nobody has an output before it is made again.
const RECOVER_AFTER: Duration = Duration::from_secs(10);
/// Bytes of outputs read between two looks at the clock of other tasks.
const DIGEST_PAGE: usize = 512;

/// All that is to be brought home.
pub struct Collector {
    assets: Assets,
    events: UnboundedSender<Event>,
    me: PeerKey,
    jobs: BTreeMap<JobId, Own>,
    goes: usize,
}

/// One job of this node's.
#[derive(Default)]
struct Own {
    wanted: BTreeMap<UnitIndex, Wanted>,
    under_way: BTreeSet<UnitIndex>,
    retry_at: Option<Instant>,
    digest: Digest,
}

#[derive(Clone)]
struct Wanted {
    digest: Hash,
    vouchers: Vec<PeerKey>,
    missing: Missing,
}

/// Whether an output could be had.
#[derive(Clone, Copy, Default)]
enum Missing {
    #[default]
    Unknown,
    Since(Instant),
    /// It is being made again.
    Recovered,
}

impl Missing {
    /// Notes that nobody has it; answers whether it is to be made again.
    fn again(&mut self) -> bool {
        match *self {
            Missing::Unknown => *self = Missing::Since(Instant::now()),
            Missing::Since(since) if since.elapsed() >= RECOVER_AFTER => {
                *self = Missing::Recovered;
                return true;
            }
            Missing::Since(_) | Missing::Recovered => {}
        }
        false
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Digest {
    #[default]
    Open,
    UnderWay,
    Known(Hash),
}

/// What a go brought.
pub struct Collected {
    job: JobId,
    here: Vec<UnitIndex>,
    missing: Vec<UnitIndex>,
}

impl Collector {
    pub fn new(assets: Assets, events: UnboundedSender<Event>, me: PeerKey) -> Collector {
        Collector { assets, events, me, jobs: BTreeMap::new(), goes: 0 }
    }

    /// Takes up what a restart left open.
    pub fn resume(&mut self, node: &Node) {
        let own = node.jobs().into_iter().filter(|job| job.manifest.owner == node.me());
        for job in own {
            let verdicts = job.verdicts(0..job.manifest.work.units.count());
            for (unit, verdict) in (0..).zip(&verdicts) {
                self.on_verdict(job.id(), unit, verdict, false);
            }
        }
    }

    /// Outputs that are not home yet.
    pub fn pending(&self) -> usize {
        self.jobs.values().map(|own| own.wanted.len()).sum()
    }

    /// A verdict on a unit of this node's own; `again` if only its vouchers are others.
    pub fn on_verdict(&mut self, job: JobId, unit: UnitIndex, verdict: &Verdict, again: bool) {
        let own = self.jobs.entry(job).or_default();
        if again && !own.wanted.contains_key(&unit) {
            return;
        }
        own.digest = Digest::Open;
        match output_of(verdict) {
            Some((digest, vouchers)) => {
                let vouchers = vouchers.to_vec();
                let missing = own.wanted.get(&unit).map(|known| known.missing).unwrap_or_default();
                own.wanted.insert(unit, Wanted { digest, vouchers, missing });
            }
            None => drop(own.wanted.remove(&unit)),
        }
    }

    /// A job of this node's ended; its last outputs are not waited for in company.
    pub fn on_ended(&mut self, job: JobId) {
        if let Some(own) = self.jobs.get_mut(&job) {
            own.retry_at = None;
        }
    }

    /// Sends out for what is wanted: full loads at any time, the rest at each `refresh`.
    pub fn run(&mut self, node: &Node, refresh: bool) {
        for (id, own) in &mut self.jobs {
            let waits = own.retry_at.is_some_and(|at| at > Instant::now());
            let idle = own.wanted.len() - own.under_way.len();
            let load = idle >= AT_ONCE || (refresh && idle > 0);
            if self.goes < GOES_MAX && load && !waits {
                let free = own.wanted.iter().filter(|(unit, _)| !own.under_way.contains(unit));
                let go: Vec<(UnitIndex, Wanted)> =
                    free.take(AT_ONCE).map(|(unit, wanted)| (*unit, wanted.clone())).collect();
                own.under_way.extend(go.iter().map(|(unit, _)| *unit));
                self.goes += 1;
                tokio::spawn(bring_home(self.assets.clone(), self.events.clone(), *id, go));
            }
            let home = own.wanted.is_empty() && own.digest == Digest::Open;
            if let Some(job) = node.job(*id).filter(|_| home)
                && job.status().state == JobState::Done
            {
                own.digest = Digest::UnderWay;
                let verdicts = job.verdicts(0..job.manifest.work.units.count());
                let outputs = verdicts.iter().filter_map(|verdict| Some(output_of(verdict)?.0));
                let outputs: Vec<Hash> = outputs.collect();
                tokio::spawn(hash_all(self.assets.clone(), self.events.clone(), *id, outputs));
            }
        }
    }

    /// A go is back. Answers the units of the job that are to be run for their outputs.
    pub fn on_collected(&mut self, node: &Node, collected: Collected) -> (JobId, Vec<UnitIndex>) {
        self.goes -= 1;
        let mut lost = Vec::new();
        let Some(own) = self.jobs.get_mut(&collected.job) else { return (collected.job, lost) };
        for unit in &collected.here {
            own.under_way.remove(unit);
            own.wanted.remove(unit);
        }
        for unit in &collected.missing {
            own.under_way.remove(unit);
            let wanted = own.wanted.get_mut(unit);
            lost.extend(wanted.is_some_and(|wanted| wanted.missing.again()).then_some(*unit));
        }
        own.retry_at = (!collected.missing.is_empty()).then(|| Instant::now() + RETRY);
        self.run(node, false);
        (collected.job, lost)
    }

    /// The digest over all outputs is there.
    pub fn on_digest(&mut self, job: JobId, digest: Hash) {
        if let Some(own) = self.jobs.get_mut(&job)
            && own.digest == Digest::UnderWay
        {
            own.digest = Digest::Known(digest);
        }
    }

    /// A job as this node shows it.
    pub fn standing(&self, job: &Job) -> Standing {
        let mut status = job.status();
        let mut digest = None;
        if let Some(own) = self.jobs.get(&job.id()) {
            let home = match own.digest {
                Digest::Known(known) => {
                    digest = Some(known);
                    true
                }
                Digest::Open | Digest::UnderWay => false,
            };
            let ended = match status.state {
                JobState::Done => home,
                JobState::Failed => own.wanted.is_empty(),
                JobState::Running | JobState::Cancelled => true,
            };
            if !ended {
                status.state = JobState::Running;
            }
        }
        Standing::new(self.me, job, status, digest)
    }
}

/// The output that a verdict vouches for.
fn output_of(verdict: &Verdict) -> Option<(Hash, &[PeerKey])> {
    match verdict {
        Verdict::Verified { answer, vouchers } => Some((answer.output()?, vouchers)),
        Verdict::Open | Verdict::Failed(_) => None,
    }
}

async fn bring_home(
    assets: Assets,
    events: UnboundedSender<Event>,
    job: JobId,
    go: Vec<(UnitIndex, Wanted)>,
) {
    // Units with the same vouchers are asked for together.
    let mut by_vouchers: BTreeMap<&[PeerKey], Vec<Hash>> = BTreeMap::new();
    let digests = go.iter().map(|(_, wanted)| wanted.digest).collect();
    let absent: BTreeSet<Hash> = match assets.missing(digests).await {
        Ok(missing) => missing.into_iter().collect(),
        Err(_) => return,
    };
    for (_, wanted) in go.iter().filter(|(_, wanted)| absent.contains(&wanted.digest)) {
        by_vouchers.entry(&wanted.vouchers).or_default().push(wanted.digest);
    }
    let mut missing: BTreeSet<Hash> = BTreeSet::new();
    for (vouchers, mut digests) in by_vouchers {
        digests.sort_unstable();
        digests.dedup();
        missing.extend(assets.fetch(digests, vouchers).await);
    }
    let (missing, here): (Vec<_>, Vec<_>) =
        go.into_iter().partition(|(_, wanted)| missing.contains(&wanted.digest));
    let units = |list: Vec<(UnitIndex, Wanted)>| list.into_iter().map(|(unit, _)| unit).collect();
    let collected = Collected { job, here: units(here), missing: units(missing) };
    drop(events.send(Event::Collected(collected)));
}

async fn hash_all(assets: Assets, events: UnboundedSender<Event>, job: JobId, outputs: Vec<Hash>) {
    let mut hasher = blake3::Hasher::new();
    for page in outputs.chunks(DIGEST_PAGE) {
        let page = page.to_vec();
        let hashed = assets.blocking(move |store| {
            for output in page {
                hasher.update(&store.read_blob(output)?.unwrap_or_default());
            }
            Ok(hasher)
        });
        match hashed.await {
            Ok(done) => hasher = done,
            Err(error) => {
                tracing::error!("cannot read the outputs of {job:?}: {error}");
                return;
            }
        }
    }
    drop(events.send(Event::Digest(job, Hash(*hasher.finalize().as_bytes()))));
}
