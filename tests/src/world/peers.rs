//! How peers begin and end: they start on what their disks hold, are killed at any time, and submit.
use super::*;
use std::sync::{Mutex, PoisonError};

/// How long peers rest between two jobs: what they said is on all disks then.
const EARLIER_REST: Duration = Duration::from_secs(30);

/// What peers' disks hold, and how often they have started.
type Disks = Vec<(Vec<Stored>, u64)>;

/// Earlier jobs that are remembered: many scenarios differ in what comes afterwards alone.
const REMEMBERED: usize = 32;
static KNOWN: Mutex<BTreeMap<String, Disks>> = Mutex::new(BTreeMap::new());

/// The disks of a grid whose job is done.
fn disks_after(scenario: Scenario) -> Result<Disks, String> {
    let name = format!("{scenario:?}");
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(disks) = known().get(&name) {
        return Ok(disks.clone());
    }
    let mut world = World::new(scenario);
    world.run_to_verdicts(|_| {})?;
    world.run_for(EARLIER_REST);
    let disks: Disks = world.peers.into_iter().map(|peer| (peer.journal, peer.life)).collect();
    let mut known = known();
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(name, disks.clone());
    Ok(disks)
}

impl World {
    /// The grid of a scenario, before its first event. Where the owner of an audited job is to know its
    /// peers, they have done an earlier job for it, and all start on what their disks hold of that.
    ///
    /// # Errors
    /// The earlier job came to no end.
    pub fn of(scenario: Scenario) -> Result<World, String> {
        let Some(earlier) = scenario.earlier() else { return Ok(World::new(scenario)) };
        let disks = disks_after(earlier).map_err(|why| format!("the earlier job: {why}"))?;
        let mut world = World::new(scenario);
        for (peer, (journal, life)) in world.peers.iter_mut().zip(disks) {
            (peer.journal, peer.life) = (journal, life);
        }
        Ok(world)
    }

    /// Starts a peer that is down, on what its disk holds.
    pub fn start(&mut self, peer: usize) {
        let (seed, now, slots) = (self.scenario.seed, self.now(), self.scenario.slots);
        let one = &mut self.peers[peer];
        if !matches!(one.mind, Mind::Down) {
            return;
        }
        one.life += 1;
        if let Some(kind) = self.scenario.kind(peer)
            && kind.is_rogue(self.scenario.audit.is_some())
        {
            let draw = truth::number(seed, "rogue", &[peer as u64]);
            one.mind =
                Mind::Rogue(Box::new(Rogue::new(one.key, kind, self.scenario.clone(), draw)));
            self.at(self.now_us + draw % ACT_US, peer, What::Act);
        } else {
            let me = (one.key, self.scenario.host(peer));
            let body = Body::start(me, &self.scenario, one.life, &one.journal, now);
            one.mind = Mind::Up(Box::new(body));
            self.feed(peer, Input::GridPeers(self.scenario.peers as u32));
            self.feed(peer, Input::Room { slots, memory_mib: u32::MAX });
        }
        if self.trick(peer) == Some(Kind::Whitewasher) {
            self.at(self.now_us + ACT_US, peer, What::Act);
        }
        for other in self.peers[peer].neighbours.clone() {
            if !matches!(self.peers[other].mind, Mind::Down) {
                self.connect(peer, other);
            }
        }
    }

    /// Kills a node; what is just being written may or may not reach the disk.
    pub fn kill(&mut self, peer: usize) {
        let lucky = self.rng.below(2) == 0;
        let one = &mut self.peers[peer];
        let Mind::Up(body) = core::mem::replace(&mut one.mind, Mind::Down) else { return };
        if let Some(writing) = body.writing.filter(|_| lucky) {
            one.journal.extend(writing.records);
        }
        self.count.kills += 1;
        self.attending.values_mut().for_each(|there| {
            there.remove(&peer);
        });
        let cut_off = body.running.iter().map(|(.., since_us)| self.now_us - since_us);
        self.count.busy_us += cut_off.sum::<u64>();
        let key = one.key;
        for other in one.neighbours.clone() {
            self.feed(other, Input::Disconnected(key));
        }
    }

    pub(super) fn submit(&mut self, peer: usize, salt: u64) {
        if self.submit_own(peer, salt) {
            return;
        }
        let (manifest, known) = self.scenario.job(self.peers[peer].key, salt);
        let now = self.now();
        let Some(body) = self.body(peer) else {
            self.at(self.now_us + SECOND_US, peer, What::Submit { salt });
            return;
        };
        match body.node.submit_with(now, manifest, known) {
            Ok(job) => {
                self.jobs.push(job);
                let submitted_us = self.now_us;
                self.count.jobs.push(JobCount { submitted_us, ..JobCount::default() });
            }
            Err(error) => self.violations.push(format!("submit was refused: {error}")),
        }
        self.drain(peer);
    }

    /// Has a peer hear a batch, as if one of its neighbours had sent it.
    pub fn hear(&mut self, peer: usize, signed: SignedBatch) {
        let batch = Arc::new(signed.open().expect("a batch"));
        let from = batch.author;
        self.feed(peer, Input::Batch { from, signed, batch });
    }

    /// Ends a job by the command of a peer.
    ///
    /// # Errors
    /// As the node says.
    pub fn cancel(&mut self, peer: usize, job: JobId) -> Result<(), CommandError> {
        let now = self.now();
        let done = self.body(peer).map_or(Ok(()), |body| body.node.cancel(now, job));
        self.drain(peer);
        done
    }
}
