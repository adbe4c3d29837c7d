//! Where a job stands, for those who look on.
use coordinator_free_scheduler::{
    About, AuditView, Hash, Job, JobId, JobState, JobStatus, LeastCheckers, LevelTally, PeerKey,
    Profile, RecheckView, Reproducer, WorkId,
};
use std::collections::BTreeMap;
use tokio::sync::watch;

/// A job as this node shows it: done only when its outputs are here, if it is this node's own.
#[derive(Clone, PartialEq, Debug)]
pub struct Standing {
    pub job: JobId,
    /// Whether this node submitted it.
    pub own: bool,
    pub work: WorkId,
    pub name: String,
    pub about: About,
    pub submitter: PeerKey,
    pub profile: Profile,
    pub merge: Option<Hash>,
    pub status: JobStatus,
    pub output_digest: Option<Hash>,
    pub levels: Option<LevelTally>,
    pub audit: Option<AuditView>,
    pub checkers: Vec<LeastCheckers>,
    pub recheck: Option<RecheckView>,
    pub quarantine: Option<Reproducer>,
}

impl Standing {
    pub fn new(me: PeerKey, job: &Job, status: JobStatus, digest: Option<Hash>) -> Standing {
        let manifest = &job.manifest;
        Standing {
            job: job.id(),
            own: manifest.owner == me,
            work: manifest.work.id(),
            name: manifest.name.clone(),
            about: manifest.about.clone(),
            submitter: manifest.owner,
            profile: manifest.profile,
            merge: manifest.merge,
            status,
            output_digest: digest,
            levels: job.level_tally(),
            audit: job.audit(),
            checkers: manifest.checkers.clone(),
            recheck: job.recheck(),
            quarantine: job.quarantined().cloned(),
        }
    }

    fn ended(&self) -> bool {
        self.status.state != JobState::Running
    }
}

/// Those who look on.
#[derive(Default)]
pub struct Watchers {
    jobs: BTreeMap<JobId, watch::Sender<Standing>>,
}

impl Watchers {
    /// A view of the job that is kept up to date until the job ends.
    pub fn watch(&mut self, job: JobId, standing: Standing) -> watch::Receiver<Standing> {
        if standing.ended() {
            return watch::channel(standing).1;
        }
        let sender = self.jobs.entry(job).or_insert_with(|| watch::channel(standing).0);
        sender.subscribe()
    }

    /// Tells of what changed; jobs that ended, and those nobody looks at, are let go.
    pub fn refresh(&mut self, standing: impl Fn(JobId) -> Option<Standing>) {
        self.jobs.retain(|job, sender| {
            let Some(now) = standing(*job) else { return false };
            let ended = now.ended();
            sender.send_if_modified(|shown| {
                let changed = *shown != now;
                *shown = now;
                changed
            });
            !ended && sender.receiver_count() > 0
        });
    }
}
