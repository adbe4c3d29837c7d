//! Which gossip lots this node takes part in, so that what it hears and holds does not grow with
//! the grid.
//!
//! A node that wants work joins a lot, stays until every unit of it is decided, and lets go of it
//! some time later, or when it joins another; its marks stay in the ledger. A few keep the lot until
//! the submitter has it. The submitter's node is in all lots of its job.
//! Where there is work is known from [`LotNews`]: hearsay, passed on with anti-entropy, which may
//! send a node the wrong way and can do no other harm.
use crate::{
    Fault, Job, JobId, LIMITS, LotIndex, Millis, Node, Output, PeerKey, RESCUE_PAUSE_MS,
    STRANGER_UNITS_MAX,
    lot::{Lot, MeanFuel, Tally},
    node::Timer,
};
use alloc::{collections::BTreeSet, vec::Vec};
use serde::{Deserialize, Serialize};

/// Peers that a lot should have: claims of more cross too often, of fewer leave it to few to check.
/// (In simulations 100 to 300 make no difference to the makespan; messages grow with the number.)
pub const LOT_PEERS: u32 = 200;
/// Peers above which nobody joins a lot.
pub const LOT_PEERS_MAX: u32 = 300;
/// Peers below which a lot can do with anybody.
pub const LOT_PEERS_FEW: u32 = 8;
/// A lot is worth joining where so many units are open for each who works there: who joins must hear
/// all that was said. (In simulations 1 makes no makespan shorter, and nodes hold half as much
/// again.)
pub const WORTH_UNITS: u32 = 10;
/// Where nothing is open any more, idle nodes come to help: for each undone unit one node of the
/// grid in so many seconds. Soon somebody much faster than its worker is among them.
const HELPER_S: u64 = 5;
/// Undecided lots of one job that a node is in at most: at the end of a lot others run its last
/// units, and a node need not wait for them.
pub const UNDONE_LOTS_MAX: usize = 4;
/// A node that joins a lot lets go of decided ones of the same job where it holds more than this.
pub const LOTS_HELD_MAX: usize = 2;
/// How long a node stays in a decided lot, milliseconds: those who missed something ask it.
pub const RETIRE_MS: u64 = 120_000;
/// Peers that keep a decided lot until its submitter has it, who may be away for long.
pub const KEEPERS: usize = 5;
/// News older than this are forgotten, seconds.
pub const NEWS_AGE_S_MAX: u16 = 600;
/// Lots of one job that are told of in one message.
pub const NEWS_MAX: usize = 32;
/// … and of others after this time, where there are more, milliseconds.
const NEWS_TURN_MS: u64 = 10_000;
/// A node that joins a lot listens at most this long before it claims, milliseconds.
const LISTEN_MS: u64 = 10_000;
/// Jobs that are told of in one message.
const NEWS_JOBS_MAX: usize = 16;
/// Lots that a neighbour is known to be in.
const MATE_LOTS_MAX: usize = 256;
/// How often an idle node looks into a lot where there is nothing to do by hearsay and a neighbour
/// is, milliseconds: whoever says so may lie.
pub const DOUBT_MS: u64 = 600_000;

/// A node that joins a lot which has begun lacks all that was said there, and many mates would send
/// it the same: for so long it asks one at a time …
const JOINING_MS: u64 = 15_000;
/// … giving each this long to answer, milliseconds.
const ASK_PAUSE_MS: u64 = 3_000;

/// What is said of a lot.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct LotNews {
    /// Which.
    pub lot: LotIndex,
    /// Units that nobody is on.
    pub open: u32,
    /// Units that are neither verified nor failed.
    pub undone: u32,
    /// Peers that are on some unit.
    pub workers: u16,
    /// How old this is, seconds.
    pub age_s: u16,
}

/// News, and of when they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) news: LotNews,
    pub(crate) at: Millis,
}

/// What is left of a lot that this node has let go of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retired {
    pub(crate) tally: Tally,
    pub(crate) fuel: MeanFuel,
}

/// A lot that this node has just joined.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joining {
    since: Millis,
    asked: Option<Millis>,
}

impl Node {
    /// Whether this node takes part in a lot.
    pub fn attends(&self, id: JobId, lot: LotIndex) -> bool {
        self.jobs.get(&id).is_some_and(|job| job.lots.contains_key(&lot))
    }

    /// A lot that this node takes part in.
    pub(crate) fn lot(&mut self, id: JobId, lot: LotIndex) -> Option<&mut Lot> {
        self.jobs.get_mut(&id)?.lots.get_mut(&lot)
    }

    /// Takes part in a lot from now on.
    ///
    /// # Errors
    /// There is no such lot, or this node holds as much as it may.
    pub(crate) fn attend(&mut self, id: JobId, lot: LotIndex) -> Result<&mut Lot, Fault> {
        let job = self.jobs.get_mut(&id).ok_or(Fault::NoSuchUnit)?;
        if lot >= job.manifest.lots() {
            return Err(Fault::NoSuchUnit);
        }
        if !job.lots.contains_key(&lot) {
            let units = job.manifest.lot_range(lot).len() as u64;
            if self.units_known + units > LIMITS.units {
                return Err(Fault::OverLimit("units"));
            }
            self.units_known += units;
            let submitter = job.manifest.owner;
            let struck = self.struck.iter().filter(|(_, by)| *by == submitter);
            let struck = struck.map(|(peer, _)| peer);
            let barred = self.barred.iter().chain(struck).chain(job.silent()).copied().collect();
            let (me, incarnation) = (self.config.me, self.config.incarnation);
            let mut fresh = Lot::new(id, &job.manifest, lot, me, incarnation, barred);
            // In votes a donor's machines count once, and an owner that looks again excuses other classes.
            let votes = fresh.board.votes();
            let linked = votes && (self.config.host.link.is_some() || fresh.board.is_signed());
            if job.is_audited() || linked {
                fresh.outbox.introduce(self.config.host.clone());
            }
            job.retired.remove(&lot);
            job.lots.insert(lot, fresh);
            self.outputs.push_back(Output::Attend { job: id, lot });
        }
        job.lots.get_mut(&lot).ok_or(Fault::NoSuchUnit)
    }

    /// Takes part in a lot that the journal tells of. A journal may tell of more than a node holds
    /// at once: lots that were decided are let go of, and what finds no room is left on the disk.
    pub(crate) fn attend_again(
        &mut self,
        now: Millis,
        id: JobId,
        lot: LotIndex,
    ) -> Result<(), Fault> {
        match self.attend(id, lot).map(|_| ()) {
            Err(Fault::OverLimit(_)) => {}
            done => return done,
        }
        let me = self.config.me;
        let others = self.jobs.iter().filter(|(_, job)| !job.wants_all(me));
        let held = others.flat_map(|(id, job)| job.lots.keys().map(|lot| (*id, *lot)));
        for (id, lot) in held.collect::<Vec<_>>() {
            self.retire(now, id, lot);
        }
        drop(self.attend(id, lot));
        Ok(())
    }

    /// Takes part in all lots of a job, as its submitter's node does, and its delegates'; but for those
    /// that it has let go of: its logs there would begin anew, beside the old ones.
    pub fn follow(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        let lots = (0..job.manifest.lots()).filter(|lot| !job.retired.contains_key(lot));
        for lot in lots.collect::<Vec<_>>() {
            drop(self.attend(id, lot));
        }
    }

    pub(crate) fn attend_own(&mut self, id: JobId) {
        if self.jobs.get(&id).is_some_and(|job| job.wants_all(self.config.me)) {
            self.follow(id);
        }
    }

    /// Joins a lot that has work, by what is heard; answers whether there was one.
    pub(crate) fn attend_more(&mut self, now: Millis, id: JobId) -> bool {
        let at_once = (self.grid_peers / LOT_PEERS).max(1) as usize;
        let Some(job) = self.jobs.get(&id) else { return false };
        // No unit of an audited job is decided before all are: there it is whether there is work.
        let undone = |lot: &&Lot| match job.is_audited() {
            true => lot.open_units() > 0 || lot.in_hand() > 0,
            false => lot.is_undone(),
        };
        let undone = job.lots.values().filter(undone).count();
        if undone >= UNDONE_LOTS_MAX {
            return false;
        }
        let mut candidates: Vec<(LotIndex, u64)> = job.lots_with_work(now).take(at_once).collect();
        if candidates.is_empty() && self.in_flight < self.slots && now >= self.help_at {
            self.help_at = now.plus(RESCUE_PAUSE_MS);
            let grid = u64::from(self.grid_peers.max(1));
            let dice = self.rng.below(HELPER_S * (1_000 / RESCUE_PAUSE_MS) * grid);
            candidates.extend(job.lots_at_their_end(now).filter(|(_, undone)| dice < *undone));
        }
        if candidates.is_empty() && now >= self.doubt_at {
            self.doubt_at = now.plus(DOUBT_MS);
            // Whoever is there can tell; alone a node would only do again what is done.
            let there = |lot: &LotIndex| !self.mates_in(id, *lot).is_empty();
            candidates.extend(job.elsewhere().filter(there).map(|lot| (lot, 1)));
        }
        let all: u64 = candidates.iter().map(|(_, open)| open).sum();
        let mut draw = self.rng.below(all.max(1));
        let drawn = candidates.into_iter().find(|(_, open)| {
            let here = draw < *open;
            draw = draw.saturating_sub(*open);
            here
        });
        let Some((lot, _)) = drawn else { return false };
        if !self.may_join(id, lot) {
            return false;
        }
        self.make_room(now, id);
        if self.attend(id, lot).is_err() {
            return false;
        }
        self.ask_about(now, id, lot);
        true
    }

    /// Whether a lot leaves room for those of other jobs, if it is a stranger's.
    fn may_join(&self, id: JobId, lot: LotIndex) -> bool {
        let units = |job: &Job| job.manifest.lot_range(lot).len() as u64;
        let held = self.units_known + self.jobs.get(&id).map_or(0, units);
        held <= STRANGER_UNITS_MAX || !self.is_strangers(id)
    }

    /// Lets go of the decided lots of a job, where there are more than a node keeps for others.
    fn make_room(&mut self, now: Millis, id: JobId) {
        let others = |job: &&Job| !job.wants_all(self.config.me);
        let Some(job) = self.jobs.get(&id).filter(others) else { return };
        let too_many = (job.lots.len() + 1).saturating_sub(LOTS_HELD_MAX);
        let at_rest = job.lots.iter().filter(|(_, lot)| lot.is_at_rest()).map(|(lot, _)| *lot);
        let free = at_rest.filter(|lot| !self.keeps(id, *lot));
        let gone: Vec<LotIndex> = free.take(too_many).collect();
        gone.into_iter().for_each(|lot| self.retire(now, id, lot));
    }

    /// Asks one neighbour who is in a lot for all that was said there.
    fn ask_about(&mut self, now: Millis, id: JobId, lot: LotIndex) {
        if self.jobs.get(&id).is_some_and(|job| job.begun(lot)) {
            self.joining.insert((id, lot), Joining { since: now, asked: None });
        }
        let mates = self.mates_in(id, lot);
        let at = self.rng.below(mates.len().max(1) as u64) as usize;
        if let Some(mate) = mates.get(at) {
            self.tell_heads(now, *mate, id, lot, false);
        }
    }

    /// Whether this node still listens to what was said in a lot that it joined: by hearsay more of it
    /// is done than it knows.
    pub(crate) fn listens(&self, now: Millis, id: JobId, lot: LotIndex) -> bool {
        let joined = self.joining.get(&(id, lot)).map(|joining| joining.since);
        let fresh = joined.is_some_and(|since| now.since(since) < LISTEN_MS);
        let Some(job) = self.jobs.get(&id).filter(|_| fresh) else { return false };
        let known = job.lots.get(&lot).map_or(0, |known| known.undone_units());
        let heard = job.heard.get(&lot).map_or(u32::MAX, |heard| heard.news.undone);
        known > heard.saturating_add(heard / 4)
    }

    /// Whether now is the time to tell somebody how far this node knows a lot, who would send it
    /// what it lacks.
    pub(crate) fn may_ask(&mut self, now: Millis, id: JobId, lot: LotIndex) -> bool {
        let Some(joining) = self.joining.get_mut(&(id, lot)) else { return true };
        if now.since(joining.since) > JOINING_MS {
            self.joining.remove(&(id, lot));
            return true;
        }
        let waits = joining.asked.is_some_and(|asked| now.since(asked) < ASK_PAUSE_MS);
        if !waits {
            joining.asked = Some(now);
        }
        !waits
    }

    // ---- who else is there -----------------------------------------------------------------

    /// Connected peers that are known to be in a lot.
    pub(crate) fn mates_in(&self, id: JobId, lot: LotIndex) -> Vec<PeerKey> {
        let there =
            |(_, lots): &(&PeerKey, &BTreeSet<(JobId, LotIndex)>)| lots.contains(&(id, lot));
        self.mates.iter().filter(there).map(|(peer, _)| *peer).collect()
    }

    /// A peer told in which lots it is.
    pub(crate) fn note_lots(
        &mut self,
        peer: PeerKey,
        lots: impl Iterator<Item = (JobId, LotIndex)>,
    ) {
        if self.peers.contains(&peer) {
            self.mates.insert(peer, lots.take(MATE_LOTS_MAX).collect());
        }
    }

    /// A peer is in this lot, among others.
    pub(crate) fn note_lot(&mut self, peer: PeerKey, id: JobId, lot: LotIndex) {
        if self.peers.contains(&peer) {
            let lots = self.mates.entry(peer).or_default();
            if lots.len() < MATE_LOTS_MAX {
                lots.insert((id, lot));
            }
        }
    }

    // ---- news ------------------------------------------------------------------------------

    /// What this node has to tell of its newest jobs.
    pub(crate) fn news(&self, now: Millis) -> Vec<(JobId, Vec<LotNews>)> {
        let newest = self.order.iter().rev().take(NEWS_JOBS_MAX);
        let told = newest.filter_map(|id| Some((*id, self.jobs.get(id)?.news(now))));
        told.filter(|(_, news)| !news.is_empty()).collect()
    }

    /// Others' news.
    pub(crate) fn on_news(&mut self, now: Millis, all: Vec<(JobId, Vec<LotNews>)>) {
        for (id, news) in all.into_iter().take(LIMITS.jobs) {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            news.into_iter().take(NEWS_MAX).for_each(|news| job.hear(now, news));
            self.tell_end(id);
        }
    }

    // ---- letting go ------------------------------------------------------------------------

    /// Sees to it that a decided lot is let go of some time later.
    pub(crate) fn plan_to_retire(&mut self, now: Millis, id: JobId) {
        let Some(job) = self.jobs.get(&id).filter(|job| !job.wants_all(self.config.me)) else {
            return;
        };
        let done = job.lots.iter().filter(|(_, lot)| !lot.is_undone()).map(|(lot, _)| *lot);
        let at = now.plus(RETIRE_MS);
        for lot in done.collect::<Vec<_>>() {
            if self.retiring.insert((id, lot)) {
                self.timers.insert((at, Timer::Retire(id, lot)));
            }
        }
    }

    /// Whether this node is one of those few that keep a decided lot for its submitter, who has not
    /// shown yet to have all of it. What is kept so takes no more than half of what a node may hold.
    fn keeps(&self, id: JobId, index: LotIndex) -> bool {
        let wanted = |job: &&Job| !job.cancelled() && self.units_known <= LIMITS.units / 2;
        let Some(job) = self.jobs.get(&id).filter(wanted) else { return false };
        let lot = job.lots.get(&index).filter(|_| !job.with_owner.contains(&index));
        lot.is_some_and(|lot| lot.is_among_first(KEEPERS))
    }

    /// A submitter has shown that it holds all that this node holds of a lot.
    pub(crate) fn note_same(&mut self, from: PeerKey, id: JobId, index: LotIndex) {
        if let Some(job) = self.jobs.get_mut(&id).filter(|job| job.manifest.owner == from)
            && job.lots.get(&index).is_some_and(|lot| !lot.is_undone())
        {
            job.with_owner.insert(index);
        }
    }

    /// Lets go of a lot in which nothing is left to do.
    pub(crate) fn retire(&mut self, now: Millis, id: JobId, index: LotIndex) {
        self.retiring.remove(&(id, index));
        let Some(lot) = self.jobs.get(&id).and_then(|job| job.lots.get(&index)) else { return };
        if !lot.is_at_rest() || self.keeps(id, index) {
            return self.plan_to_retire(now, id);
        }
        let Some(lot) = self.let_go(now, id, index) else { return };
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let submitter = job.manifest.owner;
        job.retired.insert(index, Retired { tally: lot.tally(), fuel: lot.mean_fuel() });
        self.settle(submitter, &lot);
    }

    /// Keeps what a lot that this node has let go of said of peers.
    pub(crate) fn settle(&mut self, submitter: PeerKey, lot: &Lot) {
        lot.records().for_each(|(peer, record)| self.settled.add_all(peer, submitter, record));
    }

    /// Takes no part in a lot any more; answers it.
    pub(crate) fn let_go(&mut self, now: Millis, id: JobId, index: LotIndex) -> Option<Lot> {
        let lot = self.lot(id, index)?;
        let silent: Vec<PeerKey> = lot.silent_authors().collect();
        silent.into_iter().for_each(|peer| self.count_silence(now, id, peer, false));
        let job = self.jobs.get_mut(&id)?;
        let lot = job.lots.remove(&index)?;
        self.units_known -= job.manifest.lot_range(index).len() as u64;
        self.outboxes.remove(&(id, index));
        self.joining.remove(&(id, index));
        self.outputs.push_back(Output::Leave { job: id, lot: index });
        Some(lot)
    }
}

impl Job {
    /// Lots in which this node never was.
    fn elsewhere(&self) -> impl Iterator<Item = LotIndex> {
        let known = |lot: &LotIndex| self.lots.contains_key(lot) || self.retired.contains_key(lot);
        (0..self.manifest.lots()).filter(move |lot| !known(lot))
    }

    /// Whether something is done in a lot, by hearsay.
    fn begun(&self, lot: LotIndex) -> bool {
        let units = self.manifest.lot_range(lot).len() as u32;
        self.heard.get(&lot).is_some_and(|heard| heard.news.undone < units)
    }

    /// Lots in which this node never was and where there may be work, with how many units are open.
    fn lots_with_work(&self, now: Millis) -> impl Iterator<Item = (LotIndex, u64)> {
        // Of a job that was just announced there are no news yet; of an old one somebody has some.
        let age_s = now.since(self.heard_at) / 1_000;
        let is_new = !self.from_journal && age_s <= u64::from(NEWS_AGE_S_MAX);
        self.elsewhere().filter_map(move |lot| {
            let Some(Heard { news, .. }) = self.heard.get(&lot).filter(|heard| heard.holds(now))
            else {
                return is_new.then(|| (lot, self.manifest.lot_range(lot).len() as u64));
            };
            let workers = u32::from(news.workers);
            let worth =
                news.open > 0 && (workers < LOT_PEERS_FEW || news.open > WORTH_UNITS * workers);
            (worth && workers < LOT_PEERS_MAX).then_some((lot, news.open.into()))
        })
    }

    /// Lots in which this node never was and where nothing is open, with how many units are undone.
    fn lots_at_their_end(&self, now: Millis) -> impl Iterator<Item = (LotIndex, u64)> {
        let news = self.elsewhere().filter_map(|lot| self.heard.get(&lot));
        let held = news.filter(move |heard| heard.holds(now)).map(|heard| heard.news);
        let over = held.filter(|news| news.open == 0 && news.undone > 0);
        over.map(|news| (news.lot, news.undone.into()))
    }

    /// Own lots, then what was heard of others: those first that are not done, and each time others
    /// of them, where a job has more than fit.
    fn news(&self, now: Millis) -> Vec<LotNews> {
        let own = self.lots.iter().map(|(index, lot)| LotNews {
            lot: *index,
            open: lot.open_units(),
            undone: lot.undone_units(),
            workers: lot.total_speed(0).1.min(u16::MAX.into()) as u16,
            age_s: 0,
        });
        let mut news: Vec<LotNews> = own.collect();
        let others = self.heard.iter().filter(|(lot, _)| !self.lots.contains_key(lot));
        let held = others.map(|(_, heard)| heard).filter(|heard| heard.holds(now));
        news.extend(held.map(|heard| LotNews { age_s: heard.age_s(now), ..heard.news }));
        let lots = self.manifest.lots();
        let first = ((now.0 / NEWS_TURN_MS) as u32).wrapping_mul(NEWS_MAX as u32);
        let turn = |lot: LotIndex| (lot % lots + lots - first % lots) % lots;
        news.sort_by_key(|news| {
            let own = self.lots.contains_key(&news.lot);
            (!own, news.undone == 0, turn(news.lot))
        });
        news.truncate(NEWS_MAX);
        news
    }

    fn hear(&mut self, now: Millis, news: LotNews) {
        let units = self.manifest.lot_range(news.lot).len() as u32;
        let at = Millis(now.0.saturating_sub(u64::from(news.age_s) * 1_000));
        let newer = self.heard.get(&news.lot).is_none_or(|known| known.at < at);
        if news.lot < self.manifest.lots() && newer && news.undone <= units {
            self.heard.insert(news.lot, Heard { news, at });
        }
    }
}

impl Heard {
    /// Whether it is still worth something; that all is done stays so.
    fn holds(&self, now: Millis) -> bool {
        self.news.undone == 0 || self.age_s(now) <= NEWS_AGE_S_MAX
    }

    fn age_s(&self, now: Millis) -> u16 {
        (now.since(self.at) / 1_000).min(u16::MAX.into()) as u16
    }
}
