//! The driver: the one loop of a node, the only place that knows every room.
//!
//! It owns the mind, feeds it what happens in the rooms, and carries out what it wants done.
//! Nothing here decides anything; nothing here blocks: slow work is handed to tasks and threads,
//! which report back as [`Event`]s.
mod assets;
mod audits;
mod backend;
mod checkpoints;
mod checks;
mod collect;
mod command;
mod door;
mod early;
mod error;
mod event;
mod explain;
mod figures;
mod hints;
mod levels;
mod logs;
mod neighbours;
mod reasons;
mod runs;
mod scribe;
mod shelf;
mod shown;
mod stamps;
mod status;
mod submit;

pub use backend::Handle;
pub use error::DriverError;
pub use runs::Lies;
pub use shown::quarantine;

use crate::{
    exec::{Executor, RunTag, Setup},
    keys::Identity,
    net::{Net, NetConfig, NetEvent, Topic},
    store::{Store, StoreError},
    telemetry::Metrics,
    unit::this_program,
};
use assets::Assets;
use checkpoints::Checkpoints;
use collect::Collector;
use coordinator_free_scheduler::{
    Config, Fault, Host, Input, Job, JobId, JobState, Millis, Node, Notice, Output, Pace, PeerKey,
    Record, UnitIndex, Verdict, wire,
};
use event::{Command, Event, Finished};
use futures::future::OptionFuture;
use levels::Followed;
use neighbours::Neighbours;
use runs::Runs;
use scribe::Scribe;
use shelf::{Sealed, Shelf};
use status::Watchers;
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// How often figures and watchers are brought up to date.
const REFRESH: Duration = Duration::from_millis(100);
/// Events taken in before outputs are carried out again.
const EVENTS_AT_ONCE: usize = 256;
/// Network events that wait; the network room holds back when they are many.
const NET_EVENTS_MAX: usize = 4_096;
/// Commands that wait; their callers wait then.
const COMMANDS_MAX: usize = 256;

/// What a node without peers says.
pub const LONELY_SENTENCE: &str = "no peer found yet; join a grid with `--join INVITE` (a line from \
    `dugnad invite`), with `--bootstrap MULTIADDR`, or start another node on the same LAN";

/// What a node is made of.
pub struct Parts {
    /// Its data directory, opened.
    pub store: Store,
    /// Who it is.
    pub identity: Identity,
    /// The machine that it is on.
    pub host: Host,
    /// Its place in the network.
    pub net: NetConfig,
    /// Units that run at once; 0 only submits and serves.
    pub cores: usize,
    /// Memory of the units that run at once, MiB, by their jobs' limits.
    pub memory_mib: u32,
    /// Hashes that a job of the grid costs for each unit.
    pub work_factor: u32,
    /// The folder of its compiled modules.
    pub compiled: PathBuf,
    /// Whether it lies, for demonstrations and tests.
    pub lies: Option<Lies>,
}

/// The loop's own state.
pub struct Driver {
    node: Node,
    me: PeerKey,
    keys: Arc<Identity>,
    started: Instant,
    net: Net,
    net_events: mpsc::Receiver<NetEvent>,
    events: mpsc::UnboundedReceiver<Event>,
    commands: mpsc::Receiver<Command>,
    executor: Arc<Executor>,
    assets: Assets,
    event_sender: mpsc::UnboundedSender<Event>,
    runs: Runs,
    scribe: Scribe,
    shelf: Arc<Shelf>,
    checkpoints: Arc<Checkpoints>,
    collector: Collector,
    watchers: Watchers,
    followed: Followed,
    neighbours: Neighbours,
    metrics: Arc<Metrics>,
    gossip_seen: [u64; 2],
}

impl Driver {
    /// Opens every room and folds the journal.
    ///
    /// # Errors
    /// A room did not open; nothing is left running.
    pub async fn start(parts: Parts) -> Result<(Driver, Handle), DriverError> {
        let Parts { store, identity, host, net, cores, memory_mib, work_factor, compiled, lies } =
            parts;
        let (started, network_key) = (Instant::now(), net.network_key);
        let keys = Arc::new(identity);
        let me = keys.peer();
        let (incarnation, seed, pace) = (draw()?, draw()?, Pace::default());
        let open = network_key.is_none();
        let mut node = Node::new(Config { me, incarnation, seed, pace, host, work_factor, open });
        replay(&store, &mut node)?;
        let metrics = Arc::new(Metrics::new()?);
        let executor = Arc::new(Executor::new(Setup {
            cores,
            memory_mib: memory_mib.into(),
            program: this_program().map_err(DriverError::Program)?,
            cache: compiled,
            cache_key: keys.cache_secret(),
        })?);
        let shelf = Arc::new(Shelf::new(store.clone(), sealed(&store, &node, me)?));
        let (net_sender, net_events) = mpsc::channel(NET_EVENTS_MAX);
        let net = Net::start(net, shelf.clone(), net_sender).await?;
        let (event_sender, events) = mpsc::unbounded_channel();
        let (command_sender, commands) = mpsc::channel(COMMANDS_MAX);
        let neighbours = Neighbours::default();
        let (of_store, of_net) = (store.clone(), net.clone());
        let assets = Assets::new(of_store, of_net, shelf.clone(), neighbours.clone(), me);
        let running =
            |job| node.job(job).is_some_and(|job| job.status().state == JobState::Running);
        let checkpoints = Checkpoints::open(store.clone(), running).map_err(DriverError::Thread)?;
        let checkpoints = Arc::new(checkpoints);
        let scribe = Scribe::start(store.clone(), keys.clone(), event_sender.clone())
            .map_err(DriverError::Thread)?;
        let runs = Runs::new(
            &assets,
            executor.clone(),
            scribe.clone(),
            keys.clone(),
            shelf.clone(),
            checkpoints.clone(),
            lies,
        );
        let collector = Collector::new(assets.clone(), event_sender.clone(), me);
        // In this order: what the mind wants done before it resumes is what it wanted long ago.
        node.resume(Millis(0));
        node.handle(Millis(0), Input::Room { slots: cores, memory_mib });
        let handle = Handle::new(
            command_sender,
            assets.clone(),
            keys.clone(),
            metrics.clone(),
            executor.clone(),
            (cores, work_factor),
            network_key,
        );
        let driver = Driver {
            node,
            me,
            keys,
            started,
            net,
            net_events,
            events,
            commands,
            executor,
            assets,
            event_sender,
            runs,
            scribe,
            shelf,
            checkpoints,
            collector,
            watchers: Watchers::default(),
            followed: Followed::default(),
            neighbours,
            metrics,
            gossip_seen: [0; 2],
        };
        Ok((driver, handle))
    }

    /// Runs until `stop`, then says goodbye. What was committed is on disk at any moment.
    ///
    /// # Errors
    /// The journal can no longer be written.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), DriverError> {
        self.collector.resume(&self.node);
        self.carry_out();
        let mut refresh = tokio::time::interval(REFRESH);
        refresh.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut stop = std::pin::pin!(stop);
        let mut ended = Ok(());
        while ended.is_ok() {
            let deadline = self.node.next_deadline().map(|at| {
                let at = self.started + Duration::from_millis(at.0);
                tokio::time::sleep_until(at.into())
            });
            tokio::select! {
                Some(event) = self.net_events.recv() => self.on_net(event),
                Some(event) = self.events.recv() => ended = self.on_event(event),
                Some(command) = self.commands.recv() => self.on_command(command),
                Some(()) = OptionFuture::from(deadline) => {
                    self.node.handle(self.now(), Input::Tick);
                }
                _ = refresh.tick() => self.refresh(),
                () = &mut stop => break,
            }
            ended = ended.and_then(|()| self.take_waiting());
            self.carry_out();
        }
        self.executor.interrupt_all();
        self.net.stop().await;
        ended
    }

    fn now(&self) -> Millis {
        Millis(self.started.elapsed().as_millis() as u64)
    }

    /// Takes in what waits already, so that outputs are carried out for many events at once.
    fn take_waiting(&mut self) -> Result<(), DriverError> {
        for _ in 0..EVENTS_AT_ONCE {
            if let Ok(event) = self.events.try_recv() {
                self.on_event(event)?;
            } else if let Ok(event) = self.net_events.try_recv() {
                self.on_net(event);
            } else {
                break;
            }
        }
        Ok(())
    }

    // ---- what happens ----------------------------------------------------------------------

    fn on_net(&mut self, event: NetEvent) {
        let now = self.now();
        match event {
            NetEvent::Listening(address) => tracing::info!("reachable at {address}"),
            NetEvent::Connected(peer) => {
                self.neighbours.set(peer, true);
                self.node.handle(now, Input::Connected(peer));
                self.count_grid(now);
            }
            NetEvent::Network { peer, network } => {
                self.node.handle(now, Input::Network { peer, network });
            }
            NetEvent::Disconnected(peer) => {
                self.neighbours.set(peer, false);
                self.node.handle(now, Input::Disconnected(peer));
                self.count_grid(now);
            }
            NetEvent::Gossip { topic, id, from, bytes } => {
                let passed = door::gossip(&self.node, topic, from, &bytes);
                self.net.accept(id, passed.acceptance());
                self.admit(now, from, passed);
            }
            NetEvent::Message { from, bytes } => {
                let passed = door::message(&self.node, from, &bytes);
                self.admit(now, from, passed);
            }
            NetEvent::Lied { from, blob } => {
                tracing::warn!("{from} served other bytes than {blob}");
                self.metrics.faults.with_label_values(&["false_blob"]).inc();
            }
        }
    }

    /// Neighbours are at least a part of the grid.
    fn count_grid(&mut self, now: Millis) {
        let peers = self.neighbours.count() as u32 + 1;
        self.node.handle(now, Input::GridPeers(peers));
    }

    fn admit(&mut self, now: Millis, from: PeerKey, passed: door::Passed) {
        if passed.refused > 0 {
            tracing::warn!("{from} sent {} statements that do not hold", passed.refused);
            self.metrics.faults.with_label_values(&["refused_at_door"]).inc_by(passed.refused);
        }
        passed.faults.into_iter().for_each(|fault| self.on_fault(from, &fault));
        for input in passed.inputs {
            if let Input::Batch { batch, .. } = &input {
                self.metrics.count_statements(&batch.statements);
            }
            self.node.handle(now, input);
        }
    }

    fn on_event(&mut self, event: Event) -> Result<(), DriverError> {
        let now = self.now();
        match event {
            Event::Ran(finished) => {
                for Finished { job, unit, asked, resumed, took_us, end, sealed, .. } in finished {
                    self.metrics.units_resumed.inc_by(resumed.into());
                    let counted =
                        end.as_ref().map(|(answer, _)| (answer.outcome.clone(), answer.fuel));
                    self.metrics.count_run(&counted.map_err(|void| *void));
                    if asked {
                        self.node.handle(now, Input::Ran { job, unit, took_us, end, sealed });
                    }
                    // A run that ended after its unit was decided may have kept something since.
                    let open = |known: &Job| known.verdict(unit) == Verdict::Open;
                    if self.checkpoints.have(job, unit) && !self.node.job(job).is_some_and(open) {
                        self.checkpoints.forget(job, unit);
                    }
                }
            }
            Event::Unsealed(job, answers) => {
                self.node.handle(now, Input::Unsealed { job, answers });
            }
            Event::Sealed(job, to, answers) => {
                self.node.handle(now, Input::Sealed { job, to, answers });
            }
            Event::Checked { job, unit, peer, right } => {
                self.node.handle(now, Input::Checked { job, unit, peer, right });
            }
            Event::Persisted { ticket, signatures } => {
                self.node.handle(now, Input::Persisted { ticket, signatures });
            }
            Event::Hints { job, lot, costs } => {
                self.node.handle(now, Input::Hints { job, lot, costs });
            }
            Event::Collected(collected) => {
                let (job, lost) = self.collector.on_collected(&self.node, collected);
                if let Some(known) = self.node.job(job).filter(|_| !lost.is_empty()) {
                    tracing::info!("{} outputs are with nobody, and made again", lost.len());
                    self.runs.recover(job, &known.manifest, lost);
                }
            }
            Event::Digest(job, digest) => self.collector.on_digest(job, digest),
            Event::Fatal(error) => return Err(DriverError::Fatal(error)),
        }
        Ok(())
    }

    // ---- what the mind wants done ----------------------------------------------------------

    fn carry_out(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Persist { ticket, records } => self.scribe.persist(ticket, records),
                Output::Announce(signed) => self.net.publish(Topic::Jobs, wire::encode(&signed)),
                // All lots share one shard, which every node hears.
                Output::Attend { job, lot } => self.look_for_hints(job, lot),
                Output::Leave { .. } => {}
                Output::Publish { batch, .. } => {
                    if let Ok(opened) = batch.open() {
                        self.metrics.count_statements(&opened.statements);
                    }
                    self.net.publish(Topic::Shard(0), wire::encode(&batch));
                }
                Output::Send { to, message } => self.net.send(to, wire::encode(&message)),
                Output::Run { job, units } => match self.node.job(job) {
                    Some(known) => self.runs.start(job, &known.manifest, units),
                    None => tracing::error!("asked to run units of the unknown job {job}"),
                },
                Output::Unseal { job, sealed } => self.unseal(job, sealed),
                Output::Check { job, answers } => match self.node.job(job) {
                    Some(known) => {
                        self.runs.check(job, &known.manifest, answers, &self.event_sender)
                    }
                    None => tracing::error!("asked to check answers to the unknown job {job}"),
                },
                Output::Seal { job, to, answers } => self.seal(job, to, answers),
                Output::Draw { job, pass } => self.draw_pass(job, pass),
                Output::Stop { job, units } => {
                    self.executor.interrupt(units.into_iter().map(|unit| tag_of(job, unit)));
                }
                Output::Notice(notice) => self.on_notice(notice),
            }
        }
        self.collector.run(&self.node, false);
    }

    fn on_notice(&mut self, notice: Notice) {
        match notice {
            Notice::Verdict { job, unit, verdict, again } => {
                if !again {
                    self.metrics.count_verdict(&verdict);
                }
                self.checkpoints.forget(job, unit);
                if self.node.job(job).is_some_and(|known| known.manifest.owner == self.me) {
                    self.shelf.unseal(verdict.success().as_slice());
                    self.collector.on_verdict(job, unit, &verdict, again);
                }
            }
            Notice::Level { job, unit, revised, .. } => self.followed.note(job, unit, revised),
            Notice::Disagreed { peer, job, unit } => {
                self.metrics.units_disputed.inc();
                tracing::info!("{peer} answered unit {unit} of {job:?} wrongly");
            }
            Notice::Barred(peer) => {
                tracing::warn!("not counting on {peer} any more: wrong answers")
            }
            Notice::Ended(job) => {
                tracing::info!("job {job:?} ended");
                self.checkpoints.forget_job(job);
                self.collector.on_ended(job);
            }
            Notice::Opened { digests, .. } => self.shelf.unseal(&digests),
            Notice::NoPlace(_) => self.metrics.manifests.with_label_values(&["no_place"]).inc(),
            Notice::Forgotten(job) => {
                tracing::info!("job {job:?} of a stranger was let go of for another");
                self.metrics.manifests.with_label_values(&["forgotten"]).inc();
                self.checkpoints.forget_job(job);
            }
            Notice::Fault { peer, fault } => self.on_fault(peer, &fault),
        }
    }

    fn on_fault(&self, peer: PeerKey, fault: &Fault) {
        tracing::debug!("{peer}: {fault}");
        self.metrics.count_fault(fault);
    }
}

/// Runs of one job are interrupted together.
fn tag_of(job: JobId, unit: UnitIndex) -> RunTag {
    RunTag(job.0.prefix().wrapping_add(unit.into()))
}

fn replay(store: &Store, node: &mut Node) -> Result<(), DriverError> {
    let mut unreadable = None;
    store.replay(|_, bytes| {
        let record = wire::decode::<Record>(&bytes, bytes.len());
        let folded = match record {
            Ok(record) => node.replay(Millis(0), record).map_err(|fault| format!("{fault:?}")),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = folded {
            unreadable.get_or_insert(error);
        }
    })?;
    unreadable.map_or(Ok(()), |error| Err(DriverError::Journal(error)))
}

/// What may not be served yet.
fn sealed(store: &Store, node: &Node, me: PeerKey) -> Result<Sealed, StoreError> {
    let mut sealed = Sealed::new();
    for (output, reader) in node.sealed() {
        sealed.entry(output).or_default().extend(reader);
    }
    if sealed.is_empty() {
        return Ok(sealed);
    }
    // Of this node's own jobs alone: another's table may name what somebody guesses to be an output.
    let own = |job: &&Job| job.manifest.owner == me && job.status().state == JobState::Running;
    for job in node.jobs().into_iter().filter(own) {
        shelf::keep_inputs_public(store, &job.manifest, &mut sealed)?;
    }
    Ok(sealed)
}

/// A number that nobody can guess.
fn draw() -> Result<u64, DriverError> {
    getrandom::u64().map_err(|error| DriverError::Random(error.to_string()))
}
