//! The client of a Dugnad node: submit a job, watch it, fetch what it computed.
//!
//! A node serves an HTTP API on loopback; this crate is that API as Rust values. It holds the JSON
//! types of both sides, the frames of the binary routes and the reader of `job.toml`, so that the
//! node, the command line and programs of scientists agree by construction.
//!
//! What it is not: a peer. It speaks to one node only, runs no WebAssembly, and believes its node;
//! the one thing it checks for itself is that fetched outputs add up to the job's digest.
//!
//! The shortest way is [`Grid::map`]: a module, inputs, and the outputs in the same order. With a hand on
//! the job:
//!
//! ```no_run
//! use dugnad_client::{Grid, Job};
//! use futures::StreamExt;
//!
//! # async fn compute() -> Result<(), dugnad_client::Error> {
//! let grid = Grid::connect().await?;
//! let seasons = ["spring", "summer"].map(|season| season.as_bytes().to_vec());
//! let job = Job::builder().name("seasons").module("season.wasm").inputs(seasons).submit(&grid).await?;
//!
//! let mut outputs = job.outputs().await?;
//! while let Some(unit) = outputs.next().await {
//!     let unit = unit?;
//!     println!("unit {}: {:?}", unit.unit, unit.output);
//! }
//! let fetched = grid.fetch(job.id(), "out").await?;
//! println!("{} outputs in out/units, with what proves them", fetched.written + fetched.present);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod about;
mod address;
mod audit;
mod blocking;
mod bundle;
mod early;
mod error;
mod events;
pub mod explain;
mod fetch;
pub mod frames;
mod grid;
mod ids;
mod job;
mod job_file;
mod job_spec;
pub mod json;
mod levels;
mod log;
mod map;
mod profile;
mod results;
mod route;
mod submit;

pub use about::About;
pub use address::{API_FILE, ApiAddress, TOKEN_FILE, data_dir_default};
pub use audit::{AuditStage, AuditStatus, MachineAnswer, Quarantine, RecheckStatus};
pub use blocking::BlockingReader;
pub use bundle::{BUNDLE_MAGIC, Bundle};
pub use early::{Written, level_dir};
pub use error::Error;
pub use fetch::{
    CERTIFICATE_FILE, FAILED_REASONS_MAX, FailedUnit, Fetched, JOB_FILE, UNITS_DIR, merge_stdin,
    unit_file,
};
pub use grid::{Grid, JOB_PREFIX_DIGITS_MIN};
pub use ids::{BlobHash, JobId, NotAnId, WorkId};
pub use job::{Job, JobBuilder, Module, UnitOutput};
pub use job_file::{COMMAND_BYTES_MAX, JOB_FILE_BYTES_MAX, JobFile, JobFileError};
pub use job_spec::{Input, JobSpec, LINE_BYTES_MAX, UnitSource};
pub use json::{
    JobRequest, JobState, JobStatus, LeastCheckers, LimitsRequest, NodeStatus, PeerState,
    PeerStatus, Ringer, Submitted, UnitsRequest,
};
pub use levels::{Level, LevelCounts, NotALevel, UnitLevel};
pub use log::UnitLog;
pub use profile::{AUDITED_PPB, AUDITED_UNITS, NotAProfile, Profile, RECHECK_PERCENT};
pub use results::UnitResult;
