//! Why a job, or one unit of it, stands where it stands, and what it waits for.
//!
//! Invariant: nothing here changes anything, and nothing is decided here: it is told what boards,
//! claims, ledger and auditor say already. What it is not: words; these are the body's.
use crate::{
    Answer, AuditView, Job, JobId, JobState, JobStatus, LotIndex, Mark, Node, PeerKey, Profile,
    UnitIndex, Verdict, Void,
    lot::{Lot, Tally},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// Peers of a job that are told of: those with the most commits.
pub const STORY_PEERS_MAX: usize = 1_024;

/// What a unit waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wait {
    /// It is decided.
    Nothing,
    /// Its owner ended the job.
    Cancelled,
    /// This node is not in its gossip lot, and knows nothing of it.
    Elsewhere,
    /// Its owner said two different things: nothing that it says is believed any more.
    Contradiction,
    /// Nobody is on it, and nobody has answered it.
    FirstAnswer,
    /// These are on it.
    InHand(Vec<PeerKey>),
    /// Nobody is on it, and answers are missing.
    MoreAnswers {
        /// Answers that may still come to agree.
        have: u32,
        /// Answers that are wanted together.
        want: u32,
    },
    /// These have committed, and it is their turn to open or to call others.
    Openings(Vec<PeerKey>),
    /// The owner finds out whom to trust.
    Roster,
    /// These were drawn to compute it again.
    Checks(Vec<PeerKey>),
    /// The owner computes it itself.
    Owner,
    /// The owner's node has the module check its answer.
    Verify,
    /// Other units have no first answer yet, and no checkers are drawn before.
    Close,
    /// Other units are checked yet, and all are released together.
    Release,
}

/// Why a unit stands where it stands.
#[derive(Clone, PartialEq, Debug)]
pub struct UnitStory {
    /// What it has come to.
    pub verdict: Verdict,
    /// What it waits for.
    pub wait: Wait,
    /// Who committed to it.
    pub vouchers: Vec<VoucherStory>,
    /// Who says to be on it.
    pub claims: Vec<PeerKey>,
    /// Who could not run it, and why.
    pub voids: Vec<(PeerKey, Void)>,
    /// Who was drawn to check it, and whether it was found silent.
    pub drawn: Vec<(PeerKey, bool)>,
    /// Whose commits the owner refused.
    pub refused: Vec<PeerKey>,
    /// Whether the owner computed it itself, as one of others or alone.
    pub own: bool,
    /// Whether answers differ, and the owner has not ruled; known to its own node alone.
    pub disputed: bool,
    /// Whether the owner released an answer.
    pub released: bool,
}

/// What a peer said of a unit.
#[derive(Clone, PartialEq, Debug)]
pub struct VoucherStory {
    /// Who.
    pub peer: PeerKey,
    /// How far it is.
    pub said: Vouched,
    /// How many of the others' commits it cites.
    pub cites: u32,
    /// Why this node does not count it, if so.
    pub uncounted: Option<Uncounted>,
    /// What the unit says of it.
    pub mark: Option<Mark>,
}

/// How far a peer's answer is.
#[derive(Clone, PartialEq, Debug)]
pub enum Vouched {
    /// Committed to.
    Sealed,
    /// Shown.
    Opened(Answer),
    /// It said two different things, or showed what it had not committed to.
    Contradictory,
}

/// Why a peer's answer does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Uncounted {
    /// It contradicts itself in this unit.
    Contradictory,
    /// Its author keeps two logs.
    Forked,
    /// This node has barred its author.
    Barred,
    /// Its author's step is overdue.
    Silent,
    /// Its author is not on the owner's roster.
    Stranger,
    /// The owner takes its author's word no more.
    Lost,
    /// The owner refused it.
    Refused,
    /// It is another answer than the verified one.
    Differs,
    /// It is the verified one, but may be a copy.
    Copy,
}

/// Why a job stands where it stands.
#[derive(Clone, PartialEq, Debug)]
pub struct JobStory {
    /// In figures.
    pub status: JobStatus,
    /// By which rule its units are decided.
    pub profile: Profile,
    /// What it waits for.
    pub wait: JobWait,
    /// Its gossip lots.
    pub lots: Vec<LotStory>,
    /// Who took part, those with the most commits first; without the owner of an audited job.
    pub peers: Vec<PeerStory>,
    /// Where its audit is, if it is this node's own.
    pub audit: Option<AuditView>,
}

/// What a job waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobWait {
    /// It has ended.
    Nothing,
    /// Nobody is there but this node.
    Alone,
    /// Whoever is there is barred.
    AllBarred,
    /// With fewer peers no unit gets its answers.
    Peers {
        /// Peers that may answer, this node among them.
        have: u32,
        /// Answers that a unit needs.
        want: u32,
    },
    /// What its audit waits for; it is this node's own.
    Audit,
    /// Its units, some of which are in hand.
    Units,
    /// This node, to compute units again: of all others nothing is open.
    Recheck {
        /// How many; 0 if that is not known yet.
        units: u32,
    },
    /// Its owner, to release what is answered.
    Release,
}

/// What is known of a gossip lot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LotStory {
    /// Which.
    pub lot: LotIndex,
    /// Its first unit.
    pub first: UnitIndex,
    /// How many it has.
    pub units: u32,
    /// Verified.
    pub verified: u32,
    /// Failed.
    pub failed: u32,
    /// In somebody's hands.
    pub claimed: u32,
    /// Wanting a run that nobody is on.
    pub open: u32,
    /// Other peers that are on some unit.
    pub workers: u32,
    /// Commits.
    pub executions: u32,
    /// Whether this node is in it; of others it tells what it heard.
    pub here: bool,
}

/// What a peer did for a job, in the lots that this node is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PeerStory {
    /// Who.
    pub peer: PeerKey,
    /// Units that it has tried.
    pub commits: u32,
    /// Answers that carry a verdict.
    pub right: u64,
    /// Answers that a verdict proved wrong.
    pub wrong: u64,
    /// Whether this node has barred it.
    pub barred: bool,
    /// Its weight on the roster, if it is on it.
    pub weight: Option<u32>,
    /// Whether the owner takes its word no more, and if so, whether it was proved wrong.
    pub lost: Option<bool>,
}

impl Node {
    /// Why a unit stands where it stands; none if there is no such job or unit.
    pub fn explain_unit(&self, id: JobId, unit: UnitIndex) -> Option<UnitStory> {
        let job = self.jobs.get(&id).filter(|job| unit < job.manifest.work.units.count())?;
        let inside = job.auditor.as_ref().map(|auditor| auditor.story(unit));
        match job.lots.get(&job.manifest.lot_of(unit)) {
            Some(lot) => lot.story(unit, inside),
            None => Some(UnitStory::unknown()),
        }
    }

    /// Why a job stands where it stands.
    pub fn explain_job(&self, id: JobId) -> Option<JobStory> {
        let job = self.jobs.get(&id)?;
        Some(JobStory {
            status: job.status(),
            profile: job.manifest.profile,
            wait: self.wait_of(job),
            lots: (0..job.manifest.lots()).map(|lot| job.lot_story(lot)).collect(),
            peers: self.peers_of(job),
            audit: job.audit(),
        })
    }

    /// The usual troubles first: without peers nothing else matters.
    fn wait_of(&self, job: &Job) -> JobWait {
        if job.status().state != JobState::Running {
            return JobWait::Nothing;
        }
        let open = job.status().running + job.status().queued;
        if let Some(recheck) = job.recheck().filter(|_| open == 0) {
            return JobWait::Recheck { units: recheck.waiting };
        }
        let believed = |peer: &PeerKey| !self.is_barred(*peer, job.manifest.owner);
        let others: BTreeSet<PeerKey> =
            self.peers.iter().copied().chain(job.lots.values().flat_map(Lot::on_units)).collect();
        let others: BTreeSet<PeerKey> =
            others.into_iter().filter(|peer| *peer != self.config.me).collect();
        let useful = others.iter().filter(|peer| believed(peer)).copied();
        // A donor's machines have one voice.
        let voter = |peer| {
            let mut told = job.lots.values().map(|lot| lot.board.donor_of(peer));
            told.find(|donor| *donor != peer).unwrap_or(peer)
        };
        let voters: BTreeSet<PeerKey> = useful.map(voter).collect();
        let owns = job.manifest.owner == self.config.me;
        let answers = !(job.is_audited() && owns) && self.slots > 0;
        let useful = voters.len() as u32;
        let answers = answers && !voters.contains(&voter(self.config.me));
        let (have, want) = (useful + u32::from(answers), u32::from(job.manifest.profile.wanted()));
        match (others.is_empty(), useful) {
            _ if have >= want => self.wait_of_units(job),
            (true, _) => JobWait::Alone,
            (false, 0) => JobWait::AllBarred,
            (false, _) => JobWait::Peers { have, want },
        }
    }

    fn wait_of_units(&self, job: &Job) -> JobWait {
        let busy = |lot: &Lot| lot.open_units() > 0 || lot.claimed_units() > 0;
        // A delegate that has not stepped in audits nothing.
        match job.audit() {
            Some(_) => JobWait::Audit,
            None if !job.is_audited() || job.lots.values().any(busy) => JobWait::Units,
            None => JobWait::Release,
        }
    }

    fn peers_of(&self, job: &Job) -> Vec<PeerStory> {
        let mut peers: BTreeMap<PeerKey, PeerStory> = BTreeMap::new();
        for lot in job.lots.values() {
            for part in lot.parts() {
                let peer = peers.entry(part.peer).or_default();
                peer.commits += part.commits;
                peer.right += part.right;
                peer.wrong += part.wrong;
                peer.weight = peer.weight.or(part.weight);
                peer.lost = peer.lost.or(part.lost);
            }
        }
        let audited = job.is_audited();
        peers.retain(|peer, part| {
            let owns = audited && *peer == job.manifest.owner;
            !owns && part.commits > 0
        });
        let barred = |peer| self.is_barred(peer, job.manifest.owner);
        let told = peers.into_iter();
        let told = told.map(|(peer, part)| PeerStory { peer, barred: barred(peer), ..part });
        let mut told: Vec<PeerStory> = told.collect();
        told.sort_by_key(|part| core::cmp::Reverse(part.commits));
        told.truncate(STORY_PEERS_MAX);
        told
    }
}

impl UnitStory {
    /// Of a unit in a lot that this node is not in.
    fn unknown() -> UnitStory {
        UnitStory {
            verdict: Verdict::Open,
            wait: Wait::Elsewhere,
            vouchers: Vec::new(),
            claims: Vec::new(),
            voids: Vec::new(),
            drawn: Vec::new(),
            refused: Vec::new(),
            own: false,
            disputed: false,
            released: false,
        }
    }
}

impl Job {
    fn lot_story(&self, lot: LotIndex) -> LotStory {
        let range = self.manifest.lot_range(lot);
        let units = range.len() as u32;
        let story = LotStory {
            lot,
            first: range.start,
            units,
            verified: 0,
            failed: 0,
            claimed: 0,
            open: units,
            workers: 0,
            executions: 0,
            here: false,
        };
        let told = |Tally { verified, failed, executions }| LotStory {
            verified,
            failed,
            executions,
            open: 0,
            ..story
        };
        if let Some(known) = self.lots.get(&lot) {
            return LotStory {
                claimed: known.claimed_units() as u32,
                open: known.open_units(),
                workers: known.total_speed(0).1,
                here: true,
                ..told(known.tally())
            };
        }
        if let Some(retired) = self.retired.get(&lot) {
            return told(retired.tally);
        }
        let Some(news) = self.heard.get(&lot).map(|heard| heard.news) else { return story };
        LotStory {
            verified: units.saturating_sub(news.undone),
            claimed: news.undone.saturating_sub(news.open),
            open: news.open,
            workers: news.workers.into(),
            ..story
        }
    }
}
