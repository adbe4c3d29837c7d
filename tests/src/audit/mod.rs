//! Trials of the rules of verification alone: who lies, who is drawn, what comes of it.
//!
//! The very [`Audit`](coordinator_free_scheduler::verify::audited::Audit) that ships is given the
//! answers of a [`Crowd`] of peers, honest ones and attackers, with no network and no time between
//! them: what a rule costs and lets pass does not hang on either, and a hundred thousand units take a
//! second. Beside it the policies of other systems, with the same crowds.
//!
//! What it is not: a test of who hears what when; that is the [`World`](crate::World)'s.
mod crowd;
mod matrix;
mod owner;
mod references;
mod scenario;
mod summary;

pub use crowd::Crowd;
pub use matrix::Cell;
pub use owner::Owner;
pub use scenario::{Attacker, KINDS, Kind, Policy, Trial};
pub use summary::{Bound, TrialReport};

/// Runs a trial with its seed.
pub fn run(name: &str, trial: &Trial) -> TrialReport {
    let crowd = Crowd::new(trial);
    let counted = match trial.profile {
        Policy::Audited => Owner::new(trial, crowd).run(),
        Policy::Quorum(n) => references::quorum(trial, crowd, n),
        Policy::Adaptive => references::adaptive(trial, crowd),
    };
    TrialReport::new(name, trial, &counted)
}
