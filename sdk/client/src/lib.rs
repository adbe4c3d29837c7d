//! The client of a Dugnad node: submit a job, watch it, fetch what it computed.
//!
//! A node serves an HTTP API on loopback; this crate is that API as Rust values. It holds the JSON
//! types of both sides, the frames of the binary routes and the reader of `job.toml`, so that the
//! node, the command line and programs of scientists agree by construction.
//!
//! What it is not: a peer. It speaks to one node only, runs no WebAssembly, and believes its node;
//! the one thing it checks for itself is that fetched outputs add up to the job's digest.
//!
//! ```no_run
//! use dugnad_client::{Grid, Input, JobSpec, UnitSource};
//! use futures::StreamExt;
//!
//! # async fn compute() -> Result<(), dugnad_client::Error> {
//! let grid = Grid::connect_dir(dugnad_client::data_dir_default()?).await?;
//! let units = UnitSource::bytes(["spring", "summer"].map(|season| season.as_bytes().to_vec()));
//! let spec = JobSpec::new("seasons", Input::File("season.wasm".into()), units);
//! let submitted = grid.submit(spec).await?;
//!
//! let mut statuses = grid.watch(submitted.job).await?;
//! while let Some(status) = statuses.next().await {
//!     let status = status?;
//!     println!("{} of {} verified", status.verified, status.units);
//! }
//! let fetched = grid.fetch(submitted.job, "out").await?;
//! println!("{} outputs in out/units", fetched.written + fetched.present);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod address;
mod audit;
mod blocking;
mod early;
mod error;
mod events;
pub mod explain;
mod fetch;
pub mod frames;
mod grid;
mod ids;
mod job_file;
mod job_spec;
pub mod json;
mod levels;
mod results;
mod route;
mod submit;

pub use address::{API_FILE, ApiAddress, TOKEN_FILE, data_dir_default};
pub use audit::{AuditStage, AuditStatus, MachineAnswer, Quarantine, RecheckStatus};
pub use blocking::BlockingReader;
pub use early::{Written, level_dir};
pub use error::Error;
pub use fetch::{
    CERTIFICATE_FILE, FAILED_REASONS_MAX, FailedUnit, Fetched, JOB_FILE, UNITS_DIR, merge_stdin,
    unit_file,
};
pub use grid::{Grid, JOB_PREFIX_DIGITS_MIN};
pub use ids::{BlobHash, JobId, NotAnId, WorkId};
pub use job_file::{JOB_FILE_BYTES_MAX, JobFile, JobFileError};
pub use job_spec::{Input, JobSpec, LINE_BYTES_MAX, UnitSource};
pub use json::{
    AUDITED_UNITS, JobRequest, JobState, JobStatus, LeastCheckers, LimitsRequest, NodeStatus,
    PeerState, PeerStatus, Profile, RECHECK_PERCENT, Ringer, Submitted, UnitsRequest,
};
pub use levels::{Level, LevelCounts, NotALevel, UnitLevel};
pub use results::UnitResult;
