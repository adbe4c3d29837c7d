//! Trials of the rules of verification alone: who lies, who is drawn, what comes of it.
//!
//! The very [`Audit`](coordinator_free_scheduler::verify::audited::Audit) that ships is given the
//! answers of a [`Crowd`] of peers, honest ones and attackers, with no network and no time between
//! them: what a rule costs and lets pass does not hang on either, and a hundred thousand units take a
//! second. Beside it the policies of other systems, with the same crowds.
//!
//! What they are not: tests of who hears what when. For that the same attackers run [`nodes`] in a
//! [`World`](crate::World); a matrix has both, side by side.
mod crowd;
mod matrix;
pub mod nodes;
mod owner;
mod references;
mod scenario;
mod subject;
mod summary;

pub use crowd::Crowd;
pub use matrix::{Block, Cell, Line, Matrix};
pub use owner::Owner;
pub use scenario::{Attacker, KINDS, Kind, Policy, Trial, best_budget};
pub use subject::Subject;
pub use summary::{Bound, TrialReport};

/// Runs a trial with its seed.
pub fn run(name: &str, trial: &Trial) -> TrialReport {
    let crowd = Crowd::new(trial);
    let counted = match trial.profile {
        Policy::Audited => Owner::new(trial, crowd).run(),
        Policy::Quorum(n) => references::quorum(trial, crowd, n),
        Policy::Adaptive => references::adaptive(trial, crowd),
    };
    TrialReport::new(name, (trial.seed, trial.peers, trial.units), &counted)
}
