//! The mind of a Dugnad node: deciding who runs what, and what to believe, with nobody to ask.
//!
//! A pure state machine. Time comes in with every call, randomness from one seed, effects leave as
//! [`Output`] values; there is no clock, file, socket, thread or key in here. The same code runs in
//! `dugnad run` and, many times over in virtual time, in the simulator.
//!
//! What it is not: it holds no blob bytes, checks no signatures (the body does so at the door) and
//! never panics on remote input; that yields a [`Fault`] about the peer that sent it.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod admission;
mod attend;
mod auditor;
mod audits;
mod bars;
mod board;
mod certificate;
mod check;
mod checker;
mod claims;
mod config;
mod event;
mod explain;
mod job;
mod journal;
mod levels;
mod lot;
mod model;
mod node;
mod outbox;
mod pick;
mod rechecks;
mod reputation;
mod resume;
mod rng;
mod stamp;
mod sync;
mod turns;
pub mod verify;
mod view;
pub mod wire;

pub use admission::{
    DRAW_MS, FAVOUR_FUEL, GONE_MAX, STRANGER_UNITS_MAX, WAITING_JOBS_MAX, WORKED_ON_JOBS_MAX,
    WORKED_ON_MS,
};
pub use attend::*;
pub use auditor::{AuditPlan, AuditStage, AuditView, Audited, Auditor, Flaw};
pub use board::{
    Board, Merged,
    unit::{AuthorIndex, Decision, FailReason, Mark, Once, Opened, Standing, Unit, Voucher},
};
pub use certificate::{Rechecked, Replay, Unfit};
pub use config::*;
pub use event::*;
pub use explain::*;
pub use job::{Job, JobState, JobStatus};
pub use levels::{Best, Level, LevelTally};
pub use lot::{Changes, Lot, MeanFuel, Silence, Tally};
pub use model::{
    about::*,
    audit::*,
    host::*,
    ids::*,
    manifest::*,
    outcome::*,
    statement,
    statement::*,
    trace,
    trace::{Step, Trace},
    unit as table,
    unit::*,
};
pub use node::Node;
pub use outbox::Parcel;
pub use rechecks::RecheckView;
pub use reputation::{Ledger, Record as PeerRecord};
pub use rng::Rng;
pub use stamp::{STAMP_UNITS_MIN, Stamp, stamp_hashes};
pub use sync::{Head, MESSAGE_BYTES_MAX, Message, Query};
pub use turns::*;
