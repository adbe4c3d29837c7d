//! What this node writes down before it is said: own batches, others' batches, manifests.
//!
//! Nothing of this node's leaves before it is on disk, so that a crash never makes it contradict
//! itself. One writing at a time: while it lasts, more gathers, so a slow disk makes larger groups
//! instead of a longer queue.
use crate::{
    Hash, JobId, LotIndex, Millis, Node, Notice, Output, Parcel, Place, Record, Signature,
    SignedBatch, SignedManifest, Statement, node::Timer,
};
use alloc::{collections::BTreeSet, sync::Arc, vec::Vec};

/// What is to be written, and what was handed over for writing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    records: Vec<Record>,
    announcements: Vec<SignedManifest>,
    due: Option<Millis>,
    ticket: u64,
    writing: Option<Writing>,
}

/// What leaves as soon as it is on disk.
#[derive(Clone, Debug)]
struct Writing {
    announcements: Vec<SignedManifest>,
    own: Vec<OwnBatch>,
}

/// A batch of this node's that is being signed and written.
#[derive(Clone, Debug)]
struct OwnBatch {
    job: JobId,
    lot: LotIndex,
    place: Place,
    bytes: Arc<[u8]>,
    opened: Vec<Hash>,
}

impl Journal {
    /// Digests of the outputs that are announced as soon as the writing is done.
    pub(crate) fn sealed(&self) -> impl Iterator<Item = Hash> {
        self.writing.iter().flat_map(|writing| &writing.own).flat_map(|own| &own.opened).copied()
    }
}

impl Node {
    /// Writes a record within `wait_ms`.
    pub(crate) fn record(&mut self, now: Millis, record: Record, wait_ms: u64) {
        let due = now.plus(wait_ms);
        self.journal.records.push(record);
        if self.journal.due.is_none_or(|known| due < known) {
            self.journal.due = Some(due);
            self.timers.insert((due, Timer::Flush));
        }
    }

    /// Gossips a manifest of this node's own once it is on disk.
    pub(crate) fn announce(&mut self, now: Millis, signed: SignedManifest) {
        self.record(now, Record::Manifest(signed.clone()), 0);
        self.journal.announcements.push(signed);
    }

    /// Sets the timers that a lot wants after anything was done to it, and stops what it does not
    /// want any more.
    pub(crate) fn follow_up(&mut self, id: JobId, index: LotIndex) {
        let lot = self.jobs.get_mut(&id).and_then(|job| job.lots.get_mut(&index));
        let Some(lot) = lot else { return };
        let units = lot.take_needless();
        if !units.is_empty() {
            self.outputs.push_back(Output::Stop { job: id, units });
        }
        if let Some(due) = lot.outbox.due() {
            self.outboxes.insert((id, index));
            self.timers.insert((due, Timer::Flush));
        }
        if let Some(end) = lot.next_end() {
            self.timers.insert((end, Timer::Lot(id, index)));
        }
    }

    /// Hands over what is due for writing.
    pub(crate) fn flush(&mut self, now: Millis) {
        if self.journal.writing.is_some() {
            return;
        }
        let own = self.say_due(now);
        if own.is_empty() && self.journal.due.is_none_or(|due| due > now) {
            return;
        }
        let announcements = core::mem::take(&mut self.journal.announcements);
        self.journal.writing = Some(Writing { announcements, own });
        self.journal.due = None;
        self.journal.ticket += 1;
        let records = core::mem::take(&mut self.journal.records);
        let ticket = self.journal.ticket;
        self.outputs.push_back(Output::Persist { ticket, records });
    }

    /// Makes batches of what the outboxes hold, where the time has come.
    fn say_due(&mut self, now: Millis) -> Vec<OwnBatch> {
        let due = |(id, index): &&(JobId, LotIndex)| {
            let lot = self.jobs.get(id).and_then(|job| job.lots.get(index));
            lot.and_then(|lot| lot.outbox.due()).is_some_and(|due| due <= now)
        };
        let due: BTreeSet<(JobId, LotIndex)> = self.outboxes.iter().filter(due).copied().collect();
        // What an owner says of one lot may rest on what it says of another: all of it is written at once.
        let signs = |job: &crate::Job| job.auditor.is_some() || job.rechecks.is_some();
        let signed = |id: &JobId| self.jobs.get(id).is_some_and(signs);
        let jobs: BTreeSet<JobId> = due.iter().map(|(id, _)| *id).filter(signed).collect();
        let beside = self.outboxes.iter().filter(|(id, _)| jobs.contains(id)).copied();
        let due: BTreeSet<(JobId, LotIndex)> = due.into_iter().chain(beside).collect();
        let mut own = Vec::new();
        for (id, index) in due {
            self.outboxes.remove(&(id, index));
            let lot = self.jobs.get_mut(&id).and_then(|job| job.lots.get_mut(&index));
            let parcels = lot.map(|lot| lot.take_parcels(now)).unwrap_or_default();
            own.extend(parcels.into_iter().filter_map(|parcel| self.say(now, id, index, parcel)));
            self.follow_up(id, index);
        }
        own
    }

    fn say(&mut self, now: Millis, id: JobId, index: LotIndex, parcel: Parcel) -> Option<OwnBatch> {
        let pace = self.config.pace;
        let lot = self.jobs.get_mut(&id)?.lots.get_mut(&index)?;
        let opened = parcel.statements.iter().flat_map(opened_digests).collect();
        lot.keep_answers(&parcel.answers);
        let (bytes, place, changes) = lot.say(parcel.statements, now, &pace);
        if !parcel.answers.is_empty() {
            let answers = Record::Answers { job: id, answers: parcel.answers };
            self.journal.records.push(answers);
        }
        self.journal.records.push(Record::Own(bytes.clone()));
        self.on_changes(now, id, changes);
        self.follow_up(id, index);
        if self.jobs.get(&id).is_some_and(crate::Job::cancelled) {
            self.tell_end(id);
        }
        Some(OwnBatch { job: id, lot: index, place, bytes, opened })
    }

    pub(crate) fn on_persisted(&mut self, ticket: u64, signatures: Vec<Signature>) {
        if ticket != self.journal.ticket {
            return;
        }
        let Some(Writing { announcements, own }) = self.journal.writing.take() else { return };
        self.outputs.extend(announcements.into_iter().map(Output::Announce));
        for (own, signature) in own.into_iter().zip(signatures) {
            let OwnBatch { job, lot: index, place, bytes, opened } = own;
            let batch = SignedBatch::new(bytes, signature);
            let lot = self.jobs.get_mut(&job).and_then(|job| job.lots.get_mut(&index));
            let Some(lot) = lot else { continue };
            lot.log_own(place, batch.clone());
            self.outputs.push_back(Output::Publish { job, lot: index, batch });
            if !opened.is_empty() {
                self.outputs.push_back(Output::Notice(Notice::Opened { job, digests: opened }));
            }
        }
    }
}

fn opened_digests(statement: &Statement) -> Vec<Hash> {
    match statement {
        Statement::Openings(openings) => {
            openings.iter().filter_map(|opening| opening.answer.output()).collect()
        }
        Statement::Claim(_)
        | Statement::Commits(_)
        | Statement::Calls(_)
        | Statement::Voids(_)
        | Statement::Sealed(_)
        | Statement::SealedFor { .. }
        | Statement::Audit { .. }
        | Statement::Host(_)
        | Statement::Cancel => Vec::new(),
    }
}
