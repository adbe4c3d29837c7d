//! What units may cost, from the unit table to the mind.
use super::{Driver, Event};
use coordinator_free_scheduler::{Job, JobId, Lot, LotIndex, UnitIndex, Units};

impl Driver {
    /// Reads what a lot's units may cost, as long as some are undone; where there is no table, or none
    /// to be had, nobody minds.
    pub(super) fn look_for_hints(&self, job: JobId, lot: LotIndex) {
        let undone = |known: &&Job| known.lots.get(&lot).is_some_and(Lot::is_undone);
        let Some(known) = self.node.job(job).filter(undone) else { return };
        let Units::Table { .. } = known.manifest.work.units else { return };
        let (manifest, assets, events) =
            (known.manifest.clone(), self.assets.clone(), self.event_sender.clone());
        tokio::spawn(async move {
            let units: Vec<UnitIndex> = manifest.lot_range(lot).collect();
            if let Ok(entries) = assets.entries(&manifest, &units).await {
                let costs = entries.into_iter().map(|entry| entry.cost_hint).collect();
                drop(events.send(Event::Hints { job, lot, costs }));
            }
        });
    }
}
