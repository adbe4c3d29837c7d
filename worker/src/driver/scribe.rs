//! The scribe: one thread that writes, in order: outputs first, then the records that rest on them.
//!
//! Whatever gathers while the disk works is written as one group. A commit that is on disk has its
//! output on disk; a batch is signed here, on its way into the journal, and nowhere else.
use super::event::{Event, Finished};
use crate::{
    keys::Identity,
    store::{Group, Store, StoreError},
};
use coordinator_free_scheduler::{BATCH_CONTEXT, JobId, Record, Signature, SignedBatch, wire};
use std::{
    io,
    sync::{Arc, mpsc},
};
use tokio::sync::mpsc::UnboundedSender;

/// Handle on the thread; it ends when the last one is dropped.
#[derive(Clone)]
pub struct Scribe {
    orders: mpsc::Sender<Order>,
}

enum Order {
    Output(Finished),
    Persist { ticket: u64, records: Vec<Record> },
}

impl Scribe {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(
        store: Store,
        keys: Arc<Identity>,
        events: UnboundedSender<Event>,
    ) -> io::Result<Scribe> {
        let (orders, waiting) = mpsc::channel();
        let desk = Desk { store, keys, events };
        std::thread::Builder::new().name("scribe".into()).spawn(move || desk.run(&waiting))?;
        Ok(Scribe { orders })
    }

    /// Writes records, then reports them persisted.
    pub fn persist(&self, ticket: u64, records: Vec<Record>) {
        drop(self.orders.send(Order::Persist { ticket, records }));
    }

    /// Keeps the output of a unit, then reports it run.
    pub fn finished(&self, finished: Finished) {
        drop(self.orders.send(Order::Output(finished)));
    }
}

struct Desk {
    store: Store,
    keys: Arc<Identity>,
    events: UnboundedSender<Event>,
}

impl Desk {
    fn run(&self, waiting: &mpsc::Receiver<Order>) {
        while let Ok(first) = waiting.recv() {
            let mut finished = Vec::new();
            let mut persists = Vec::new();
            for order in std::iter::once(first).chain(waiting.try_iter()) {
                match order {
                    Order::Output(output) => finished.push(output),
                    Order::Persist { ticket, records } => persists.push((ticket, records)),
                }
            }
            if let Err(error) = self.write(finished, persists) {
                drop(self.events.send(Event::Fatal(error)));
                return;
            }
        }
    }

    fn write(
        &self,
        mut finished: Vec<Finished>,
        persists: Vec<(u64, Vec<Record>)>,
    ) -> Result<(), StoreError> {
        if !finished.is_empty() {
            let outputs: Vec<Vec<u8>> =
                finished.iter_mut().filter_map(|finished| finished.output.take()).collect();
            self.store.put_blobs(&outputs)?;
            drop(self.events.send(Event::Ran(finished)));
        }
        for (ticket, records) in persists {
            let mut signatures = Vec::new();
            let sign = |record| self.sign(record, &mut signatures);
            let records: Vec<(Group, Vec<u8>)> = records.into_iter().map(sign).collect();
            self.store.append(&records)?;
            drop(self.events.send(Event::Persisted { ticket, signatures }));
        }
        Ok(())
    }

    /// The bytes of a record; an own batch is signed.
    fn sign(&self, record: Record, signatures: &mut Vec<Signature>) -> (Group, Vec<u8>) {
        let record = match record {
            Record::Own(bytes) => {
                let signature = Signature(self.keys.sign(BATCH_CONTEXT, &bytes));
                signatures.push(signature);
                Record::Batch(SignedBatch::new(bytes, signature))
            }
            Record::Manifest(_)
            | Record::Forgotten { .. }
            | Record::Batch(_)
            | Record::Answers { .. }
            | Record::Ringers { .. }
            | Record::Unsealed { .. } => record,
        };
        (group_of(&record).0.0, wire::encode(&record))
    }
}

/// The job that a record belongs to.
fn group_of(record: &Record) -> JobId {
    match record {
        Record::Manifest(signed) => signed.id(),
        Record::Batch(signed) => signed.open().map(|batch| batch.job).unwrap_or_default(),
        Record::Answers { job, .. }
        | Record::Unsealed { job, .. }
        | Record::Ringers { job, .. }
        | Record::Forgotten { job, .. } => *job,
        Record::Own(_) => JobId::default(),
    }
}
