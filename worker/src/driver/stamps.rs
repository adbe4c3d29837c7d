//! The search for the stamp of a job of this node's own, on a thread beside the loop.
//!
//! It ends when nobody waits for it any more: whoever asked has gone away, or the node ends.
use crate::api::Refusal;
use coordinator_free_scheduler::{JobId, Stamp};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Numbers tried between two looks at whether anybody still waits: some milliseconds.
const NUMBERS_AT_ONCE: usize = 1 << 16;
/// Hashes above which the log tells of the search: about a second.
const HASHES_TOLD: u64 = 7_000_000;

/// Says on its way out that nobody waits.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A stamp that takes so many hashes to find on the average.
pub async fn find(job: JobId, hashes: u64) -> Result<Stamp, Refusal> {
    let waited = Arc::new(AtomicBool::new(true));
    let _waiting = Waiting(waited.clone());
    if hashes > HASHES_TOLD {
        tracing::info!("job {job:?} costs a proof of work of about {hashes} hashes");
    }
    let search = move || {
        let firsts = (0..u64::MAX).step_by(NUMBERS_AT_ONCE);
        let mut waited = firsts.take_while(|_| waited.load(Ordering::Relaxed));
        waited.find_map(|first| {
            Stamp::search(job, hashes, first..first.saturating_add(NUMBERS_AT_ONCE as u64))
        })
    };
    let found = tokio::task::spawn_blocking(search).await;
    let found = found.map_err(|error| Refusal::Failed(error.to_string()))?;
    found.ok_or_else(|| Refusal::Failed("the search for a proof of work was given up".into()))
}
