//! What a wait is called by programs, and what would end it.
//!
//! Invariant: a name is given once and stays.
use coordinator_free_scheduler::{JobWait, Wait};

/// A word for the reason, and what ends the wait, if anything does.
type Reason = (&'static str, Option<&'static str>);

/// Of a job.
pub fn of_job(wait: &JobWait) -> Reason {
    match wait {
        JobWait::Nothing => ("none", None),
        JobWait::Alone => ("no_peers", Some("a peer connects")),
        JobWait::AllBarred => ("no_eligible_peers", Some("a peer connects that is not barred")),
        JobWait::Peers { .. } => ("few_peers", Some("more peers connect")),
        JobWait::Audit => ("audit", Some("the audit goes on; see audit.stage")),
        JobWait::Units => ("units", Some("peers answer")),
        JobWait::Recheck { .. } => ("recheck", Some("this node has computed its share")),
        JobWait::Release => ("release", Some("the submitter's node releases the answers")),
    }
}

/// Of a unit.
pub fn of_unit(wait: &Wait) -> Reason {
    match wait {
        Wait::Nothing => ("none", None),
        Wait::Cancelled => ("cancelled", None),
        Wait::Elsewhere => ("elsewhere", Some("the node that submitted the job is asked")),
        Wait::Contradiction => ("contradiction", None),
        Wait::FirstAnswer => ("first_answer", Some("a peer takes it")),
        Wait::InHand(_) => ("in_hand", Some("they answer, or others take it after their lease")),
        Wait::MoreAnswers { .. } => ("more_answers", Some("another peer takes it")),
        Wait::Openings(_) => ("openings", Some("they open, or are held for silent")),
        Wait::Roster => ("roster", Some("enough peers are found right")),
        Wait::Checks(_) => ("checks", Some("they answer, or others are drawn for them")),
        Wait::Owner => ("owner", Some("the submitter's node has computed it")),
        Wait::Verify => ("verify", Some("the module's verify has looked at it")),
        Wait::Close => ("close", Some("the other units have their first answers")),
        Wait::Release => ("release", Some("the other units are checked")),
    }
}
