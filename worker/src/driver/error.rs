//! Why a node cannot start or go on, in words for who started it.
use crate::store::StoreError;

/// Why a node cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Net(#[from] crate::net::NetError),
    #[error(transparent)]
    Exec(#[from] crate::exec::SetupError),
    #[error("cannot find the file of this program, to start it again for its guests: {0}")]
    Program(std::io::Error),
    #[error(
        "the journal holds a record that this version cannot read ({0}); start with the version that wrote it, or with another --data-dir"
    )]
    Journal(String),
    #[error("cannot register metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    #[error("the node stops, because what it does can no longer be written down: {0}")]
    Fatal(StoreError),
}
