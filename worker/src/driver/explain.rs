//! Why a job, or a unit, stands where it stands, in words.
//!
//! What it is not: a decision. The mind says what holds things up; here each is given its sentence.
use super::{
    reasons,
    shown::{answer_words, failure, shown, waits_for},
    status::Standing,
};
use crate::{api::profile_of, net};
use coordinator_free_scheduler::{
    self as mind, Answer, JobWait, Mark, PeerKey, Uncounted, UnitIndex, Verdict, Void, Vouched,
    Wait,
};
use dugnad_client::{
    BlobHash, JobId, JobState, JobStatus,
    explain::{
        DrawStory, JobStory, LotStory, MarkState, PartStory, UnitState, UnitStory, VoidStory,
        VoucherState, VoucherStory,
    },
};

/// Peers that a sentence names; of more it says how many.
const NAMES_MAX: usize = 3;
/// The last letters of a peer's id, by which a sentence names it: all ids begin alike.
const NAME_LETTERS: usize = 8;

/// A job's story.
pub fn job(standing: Standing, story: mind::JobStory) -> JobStory {
    let status = shown(standing);
    let (reason, until) = reasons::of_job(&story.wait);
    JobStory {
        profile: profile_of(story.profile).to_string(),
        unit: None,
        reason: reason.into(),
        text: format!("waits for {}", job_waits_for(&status, &story)),
        until: until.map(String::from),
        lots: story.lots.into_iter().map(lot).collect(),
        peers: story.peers.into_iter().map(part).collect(),
        audit: status.audit,
        quarantine: status.quarantine,
        job: status.job,
        name: status.name,
        state: status.state,
        units: status.units,
        verified: status.verified,
        failed: status.failed,
        running: status.running,
        queued: status.queued,
    }
}

fn job_waits_for(status: &JobStatus, story: &mind::JobStory) -> String {
    let JobStatus { state, running, queued, .. } = status;
    match (story.wait, *running) {
        (JobWait::Nothing, _) if *state == JobState::Running => {
            "its outputs, which this node gets from whoever has them".into()
        }
        (JobWait::Nothing, _) if status.quarantine.is_some() => {
            "nothing: its module comes to different things on different processors".into()
        }
        (JobWait::Nothing, _) => format!("nothing: it is {state}"),
        (JobWait::Alone, _) => "other peers: nobody is connected; let some join by a line of \
            `dugnad invite`, or join their grid with `dugnad run --join`"
            .into(),
        (JobWait::AllBarred, _) => {
            "other peers: all who are here gave wrong answers, and this node \
            counts on none of them"
                .into()
        }
        (JobWait::Peers { have, want }, _) => {
            format!("more peers: a unit needs answers of {want}, and {have} can give one")
        }
        (JobWait::Audit, _) => story.audit.as_ref().map(waits_for).unwrap_or_default(),
        (JobWait::Units, 0) => format!("answers to {queued} units, and nobody is on them"),
        (JobWait::Units, running) => {
            format!("answers to {running} units that peers are on, and to {queued} others")
        }
        (JobWait::Recheck { units: 0 }, _) => "this node, to take up computing units again".into(),
        (JobWait::Recheck { units }, _) => {
            format!("this node, to compute {units} units again itself, as drawn")
        }
        (JobWait::Release, _) => "its owner, to release the answers".into(),
    }
}

fn lot(lot: mind::LotStory) -> LotStory {
    LotStory {
        lot: lot.lot,
        first: lot.first,
        units: lot.units.into(),
        verified: lot.verified.into(),
        failed: lot.failed.into(),
        claimed: lot.claimed.into(),
        open: lot.open.into(),
        workers: lot.workers.into(),
        executions: lot.executions.into(),
        here: lot.here,
    }
}

fn part(part: mind::PeerStory) -> PartStory {
    let why_not = match (part.lost, part.barred) {
        (Some(true), _) => Some("the owner found it wrong"),
        (Some(false), _) => Some("the owner doubts it"),
        (None, true) => Some("barred for wrong answers"),
        (None, false) => None,
    };
    PartStory {
        peer: net::peer_id(part.peer),
        commits: part.commits.into(),
        right: part.right,
        wrong: part.wrong,
        counts: why_not.is_none(),
        why_not: why_not.map(String::from),
        weight: part.weight,
    }
}

/// A unit's story, as the node `me` tells it.
pub fn unit(me: PeerKey, job: mind::JobId, unit: UnitIndex, story: mind::UnitStory) -> UnitStory {
    let ids = |peers: &[PeerKey]| peers.iter().map(|peer| net::peer_id(*peer)).collect();
    let void = |(peer, void): &(PeerKey, Void)| VoidStory {
        peer: net::peer_id(*peer),
        reason: void_words(*void).into(),
    };
    let draw =
        |(peer, silent): &(PeerKey, bool)| DrawStory { peer: net::peer_id(*peer), silent: *silent };
    let (reason, until) = reasons::of_unit(&story.wait);
    UnitStory {
        job: JobId(job.0.0),
        unit,
        state: match (&story.verdict, story.verdict.success()) {
            (Verdict::Open, _) => UnitState::Open,
            (_, Some(_)) => UnitState::Verified,
            (_, None) => UnitState::Failed,
        },
        reason: reason.into(),
        text: format!("waits for {}", unit_waits_for(me, &story)),
        until: until.map(String::from),
        vouchers: story.vouchers.iter().map(voucher).collect(),
        claims: ids(&story.claims),
        voids: story.voids.iter().map(void).collect(),
        drawn: story.drawn.iter().map(draw).collect(),
        refused: ids(&story.refused),
        own: story.own,
    }
}

fn unit_waits_for(me: PeerKey, story: &mind::UnitStory) -> String {
    let names = |peers: &[PeerKey]| names(me, peers);
    match &story.wait {
        Wait::Nothing if story.verdict.success().is_some() => "nothing: it is verified".into(),
        Wait::Nothing => format!("nothing: it failed, {}", failure(&story.verdict)),
        Wait::Cancelled => "nothing: its job was cancelled".into(),
        Wait::Elsewhere => {
            "peers elsewhere: this node is not in its gossip lot and knows nothing of \
            it; the node that submitted the job does"
                .into()
        }
        Wait::Contradiction => {
            "nothing any more: the job's owner said two different things, and is \
            believed no longer"
                .into()
        }
        Wait::FirstAnswer => "somebody to compute it: nobody is on it".into(),
        Wait::InHand(peers) => format!("{} to compute it", names(peers)),
        Wait::MoreAnswers { have, want } => format!(
            "more answers: {have} of {want} that may come to agree are here, and nobody is on it"
        ),
        Wait::Openings(peers) => {
            format!("{} to show an answer that is committed to, or to call others", names(peers))
        }
        Wait::Roster => "the job's owner, who has to find out first whom to trust".into(),
        Wait::Checks(peers) => format!("{} to compute it again, as drawn", names(peers)),
        Wait::Owner if story.disputed => "this node, to compute it itself: answers differ".into(),
        Wait::Owner => "this node, to compute it itself".into(),
        Wait::Verify => "the submitter's node, to have the module check its answer".into(),
        Wait::Close => "first answers to other units: checkers are drawn when all have one".into(),
        Wait::Release => "checks of other units: all are released at once".into(),
    }
}

/// Peers as a sentence names them.
fn names(me: PeerKey, peers: &[PeerKey]) -> String {
    let name = |peer: &PeerKey| match *peer == me {
        true => "this node".to_owned(),
        false => {
            let id = net::peer_id(*peer);
            format!("…{}", &id[id.len().saturating_sub(NAME_LETTERS)..])
        }
    };
    let mut named: Vec<String> = peers.iter().take(NAMES_MAX).map(name).collect();
    if peers.len() > NAMES_MAX {
        named.push(format!("{} more", peers.len() - NAMES_MAX));
    }
    match named.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
        None => "somebody".into(),
    }
}

fn voucher(voucher: &mind::VoucherStory) -> VoucherStory {
    let (state, answer) = match &voucher.said {
        Vouched::Sealed => (VoucherState::Sealed, None),
        Vouched::Opened(answer) => (VoucherState::Opened, Some(answer)),
        Vouched::Contradictory => (VoucherState::Contradictory, None),
    };
    VoucherStory {
        peer: net::peer_id(voucher.peer),
        state,
        answer: answer.map(answer_words),
        digest: answer.and_then(Answer::output).map(|digest| BlobHash(digest.0)),
        cites: voucher.cites,
        counts: voucher.uncounted.is_none(),
        why_not: voucher.uncounted.map(|why| why_not(why).into()),
        mark: voucher.mark.map(|mark| match mark {
            Mark::Right(_) => MarkState::Right,
            Mark::Wrong => MarkState::Wrong,
        }),
    }
}

fn void_words(void: Void) -> &'static str {
    match void {
        Void::HostMemory => "not enough memory",
        Void::Interrupted => "stopped",
        Void::Unavailable => "module or input not to be had",
        Void::Engine => "its compiler or engine failed",
    }
}

fn why_not(why: Uncounted) -> &'static str {
    match why {
        Uncounted::Contradictory => "it said two different things of the unit",
        Uncounted::Forked => "it keeps two logs",
        Uncounted::Barred => "barred for wrong answers",
        Uncounted::Silent => "its next step is overdue",
        Uncounted::Stranger => "not on the owner's roster",
        Uncounted::Lost => "the owner takes its word no more",
        Uncounted::Refused => "refused by the owner",
        Uncounted::Differs => "another answer than the verified one",
        Uncounted::Copy => "the verified answer, but it may be copied",
    }
}
