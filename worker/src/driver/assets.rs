//! The bytes that work needs: modules, unit tables, inputs, outputs; from the store, or from whoever
//! has them.
use super::{Neighbours, shelf::Shelf};
use crate::{
    net::Net,
    store::{Store, StoreError},
};
use coordinator_free_scheduler::{
    Hash, Manifest, PeerKey, TableDirectory, TablePage, UnitEntry, UnitIndex, Units, page_of,
};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

/// Largest blob that is fetched for a run.
pub const BLOB_BYTES_MAX: u64 = 4 << 30;
/// How long work looks for its bytes before it gives its place to other work.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Access to blobs, here and elsewhere.
#[derive(Clone)]
pub struct Assets {
    pub store: Store,
    pub net: Net,
    pub shelf: Arc<Shelf>,
    neighbours: Neighbours,
    me: PeerKey,
}

/// Why bytes could not be had.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    #[error("nobody in reach has the blob {0}")]
    Absent(Hash),
    #[error("the unit table of the job is not one: {0}")]
    Table(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the node is stopping")]
    Stopping,
}

impl Assets {
    pub fn new(
        store: Store,
        net: Net,
        shelf: Arc<Shelf>,
        neighbours: Neighbours,
        me: PeerKey,
    ) -> Assets {
        Assets { store, net, shelf, neighbours, me }
    }

    /// Runs a call of the store where it may block.
    pub async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, AssetError> {
        let store = self.store.clone();
        let done = tokio::task::spawn_blocking(move || call(&store)).await;
        Ok(done.map_err(|_| AssetError::Stopping)??)
    }

    /// Which of these are not here.
    pub async fn missing(&self, blobs: Vec<Hash>) -> Result<Vec<Hash>, AssetError> {
        self.blocking(move |store| {
            let mut missing = BTreeSet::new();
            for blob in blobs {
                if !store.has_blob(blob)? {
                    missing.insert(blob);
                }
            }
            Ok(missing.into_iter().collect())
        })
        .await
    }

    /// Sees to it that these are here, asking `first` before everybody else, for a while.
    pub async fn gather(&self, blobs: Vec<Hash>, first: &[PeerKey]) -> Result<(), AssetError> {
        let since = Instant::now();
        let mut missing = self.missing(blobs).await?;
        while let Some(absent) = missing.first().copied() {
            missing = self.fetch(missing, first).await;
            if missing.is_empty() {
                break;
            }
            if since.elapsed() > PATIENCE {
                return Err(AssetError::Absent(absent));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Asks once; answers what is still missing.
    pub async fn fetch(&self, blobs: Vec<Hash>, first: &[PeerKey]) -> Vec<Hash> {
        let sources = self.neighbours.sources(self.me, first);
        let fetched = self.net.fetch(blobs, sources, BLOB_BYTES_MAX).await;
        let missing = fetched.into_iter().filter(|(_, fetched)| fetched.is_err());
        missing.map(|(blob, _)| blob).collect()
    }

    /// A blob's bytes, from wherever.
    pub async fn read(&self, blob: Hash, first: &[PeerKey]) -> Result<Vec<u8>, AssetError> {
        self.gather(vec![blob], first).await?;
        let bytes = self.blocking(move |store| store.read_blob(blob)).await?;
        bytes.ok_or(AssetError::Absent(blob))
    }

    /// What the units are given by the job's table; nothing for a plain range.
    pub async fn entries(
        &self,
        manifest: &Manifest,
        units: &[UnitIndex],
    ) -> Result<Vec<UnitEntry>, AssetError> {
        let Units::Table { directory, .. } = manifest.work.units else {
            return Ok(vec![UnitEntry::default(); units.len()]);
        };
        let owner = [manifest.owner];
        let not_one = |error: &dyn std::fmt::Display| AssetError::Table(error.to_string());
        let bytes = self.read(directory, &owner).await?;
        let directory = TableDirectory::decode(&bytes).map_err(|error| not_one(&error))?;
        let mut page: Option<(usize, Arc<TablePage>)> = None;
        let mut entries = Vec::with_capacity(units.len());
        for unit in units {
            let (number, at) = page_of(*unit);
            if page.as_ref().is_none_or(|(held, _)| *held != number) {
                let blob =
                    directory.pages.get(number).ok_or_else(|| not_one(&"a page is missing"))?;
                let bytes = self.read(*blob, &owner).await?;
                let decoded = TablePage::decode(&bytes).map_err(|error| not_one(&error))?;
                page = Some((number, Arc::new(decoded)));
            }
            let entry = page.as_ref().and_then(|(_, page)| page.units.get(at));
            entries.push(entry.cloned().ok_or_else(|| not_one(&"a unit is missing"))?);
        }
        Ok(entries)
    }
}
