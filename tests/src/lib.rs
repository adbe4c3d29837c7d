//! The proof: the very state machine that ships, many times over in virtual time, with liars,
//! losses, crashes and partitions on board.
//!
//! Nothing of the rules is written a second time here. A [`World`] carries out what each
//! [`Node`](coordinator_free_scheduler::Node) wants done, as a body would, and looks for what must
//! never be. The same [`Scenario`] and seed give the same run, event by event.
//!
//! What it is not: signatures, blobs and sockets are the body's business and are not simulated.
pub mod audit;
pub mod body;
pub mod checks;
pub mod draws;
pub mod harm;
pub mod ideal;
pub mod report;
pub mod rogue;
pub mod scenario;
pub mod sessions;
pub mod summary;
mod terms;
pub mod tricks;
pub mod truth;
pub mod voice;
pub mod world;

pub use report::Report;
pub use scenario::Scenario;
pub use world::World;
