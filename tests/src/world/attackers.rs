//! What peers that do harm do to the grid, and what their nodes answer.
use super::*;
use crate::{draws::share_of, tricks::Part};
use coordinator_free_scheduler::{Answer, AuditStep, Commit, Nonce};

/// Jobs of attackers' own have salts from here on.
const OWN_SALT: u64 = 1 << 32;
/// So many units …
const OWN_UNITS: u32 = 100;
/// … and are submitted so long after the first.
const OWN_AFTER_US: u64 = 2 * SECOND_US;
/// A peer that takes itself for faster than it is, or computes nothing, is so many times as fast.
const BOAST_TIMES: u64 = 64;

impl World {
    pub(super) fn act(&mut self, peer: usize) {
        if self.rogues_rest {
            return;
        }
        let keys: Vec<PeerKey> = self.peers.iter().map(|peer| peer.key).collect();
        let rate = self.scenario.harm(peer).map_or(1.0, |harm| harm.rate);
        let acts = rate >= 1.0 || share_of(self.rng.below(u64::MAX)) < rate;
        if self.is_lost(peer) {
            // The fresh one acts by itself.
            return self.whitewash(peer);
        }
        if let Mind::Rogue(rogue) = &mut self.peers[peer].mind {
            let harms = if acts { rogue.act(&keys) } else { Vec::new() };
            self.harm(peer, harms);
        }
        self.at(self.now_us + ACT_US, peer, What::Act);
    }

    pub(super) fn harm(&mut self, peer: usize, harms: Vec<Harm>) {
        for harm in harms {
            match harm {
                Harm::Send(to, message) => self.send(peer, to, message),
                Harm::Publish(batch) => self.spread(peer, None, batch),
                Harm::Half(half, batch) => self.spread(peer, Some(half), batch),
            }
        }
    }

    /// Has a rogue tell everybody, or one half, or where there is no gossip some.
    fn spread(&mut self, peer: usize, half: Option<usize>, batch: SignedBatch) {
        if self.scenario.network.gossip {
            return self.publish(peer, half, batch);
        }
        let Some(cargo) = self.opened(batch) else { return };
        for _ in 0..TOLD {
            let to = self.rng.below(self.peers.len() as u64) as usize;
            let to = half.map_or(to, |half| to / 2 * 2 + half).min(self.peers.len() - 1);
            self.post(peer, to, cargo.clone());
        }
    }

    // ---- nodes of attackers ----------------------------------------------------------------

    /// The kind of a peer's harm, where signers decide.
    pub(super) fn trick(&self, peer: usize) -> Option<Kind> {
        self.scenario.audit.as_ref().and_then(|_| self.scenario.kind(peer))
    }

    /// What a peer's node says that a unit comes to.
    pub(super) fn says(&mut self, peer: usize, job: JobId, unit: UnitIndex) -> (Answer, Nonce) {
        let (me, fuel) = (self.peers[peer].key, self.fuel(job, unit));
        let part = self.part(peer, job, unit);
        let (right, nonce) = (truth::right(job, unit, fuel), truth::nonce(me, job, unit));
        let (trick, own) = (self.trick(peer), self.owns.contains_key(&job));
        let harm = self.scenario.harm(peer).copied();
        match trick.zip(harm) {
            Some(_) if own => (right, nonce),
            Some((kind, harm)) if kind.has_friends() => {
                let last = self.peers.len() - 1 - peer;
                (self.friends.say((job, unit), &harm, &part, last, right), nonce)
            }
            Some((Kind::Accuser, _)) if part.checks => (truth::wrong(me, job, unit), nonce),
            // With nothing to copy it can but guess.
            Some((Kind::Copier, _)) if part.checks => match part.public {
                Some(public) => {
                    self.copied.insert((me, job, unit));
                    (public, nonce)
                }
                None => (truth::wrong(me, job, unit), nonce),
            },
            _ => self.peers[peer].honesty.answer(me, job, unit, fuel),
        }
    }

    /// A peer's part in a unit. Before a roster is published, those whom its owner knows count on it.
    fn part(&self, peer: usize, job: JobId, unit: UnitIndex) -> Part {
        let Some(kind) = self.trick(peer) else { return Part::default() };
        let me = self.peers[peer].key;
        let mut part =
            self.node(peer).map(|node| Part::of(node, me, job, unit)).unwrap_or_default();
        let warm = self.scenario.audit.as_ref().is_some_and(|audit| audit.warm);
        part.trusted.get_or_insert(warm && kind.is_trusted());
        part
    }

    /// Whether a peer leaves a unit that it is to check undone, and says nothing.
    pub(super) fn withholds(&self, peer: usize, job: JobId, unit: UnitIndex) -> bool {
        self.trick(peer) == Some(Kind::Withholder) && self.part(peer, job, unit).checks
    }

    /// How many times faster a peer seems than it is.
    pub(super) fn boast(&self, peer: usize) -> u64 {
        if self.scenario.kind(peer) == Some(Kind::SpeedLiar) { BOAST_TIMES } else { 1 }
    }

    /// How many times faster a peer answers than one that computes.
    pub(super) fn skips(&self, peer: usize) -> u64 {
        if self.trick(peer) == Some(Kind::LotCapturer) { BOAST_TIMES } else { 1 }
    }

    /// Whether a peer that would come back under a new key was found out.
    fn is_lost(&self, peer: usize) -> bool {
        let key = self.peers[peer].key;
        let washes = self.trick(peer) == Some(Kind::Whitewasher);
        let node = self.node(peer).filter(|_| washes);
        let lots = node.into_iter().flat_map(|node| node.jobs()).flat_map(|job| job.lots.values());
        lots.into_iter().any(|lot| lot.board.orders().any(|signer| signer.is_lost(key)))
    }

    /// A peer comes back under a key of which nobody has ever heard, with an empty disk.
    fn whitewash(&mut self, peer: usize) {
        self.kill(peer);
        let one = &mut self.peers[peer];
        one.journal.clear();
        one.key = truth::key(peer + (1 << 20) * one.life as usize);
        self.by_key.insert(one.key, peer);
        self.start(peer);
    }

    /// The jobs of attackers' own: one of each kind that has any.
    pub(super) fn plan_own_jobs(&mut self) {
        let mut submit: Vec<Kind> = Vec::new();
        for peer in (self.scenario.honest()..self.peers.len()).rev() {
            if let Some(kind) = self.trick(peer).filter(|kind| kind.submits())
                && !submit.contains(&kind)
            {
                submit.push(kind);
                self.at(OWN_AFTER_US, peer, What::Submit { salt: OWN_SALT + peer as u64 });
            }
        }
    }

    /// An attacker submits a job of its own; answers whether it was one.
    pub(super) fn submit_own(&mut self, peer: usize, salt: u64) -> bool {
        if salt < OWN_SALT {
            return false;
        }
        let (key, now) = (self.peers[peer].key, self.now());
        let small = Scenario { units: OWN_UNITS, ..(*self.scenario).clone() };
        let (manifest, _) = small.job(key, salt);
        if let Some(body) = self.body(peer)
            && let Ok(job) = body.node.submit_with(now, manifest, Vec::new())
        {
            self.owns.insert(job, salt);
        }
        self.drain(peer);
        true
    }

    /// Another batch in the place of this one, where its author is one who says two things.
    pub(super) fn twin(&mut self, peer: usize, signed: &SignedBatch) -> Option<SignedBatch> {
        let kind = self.trick(peer)?;
        let batch = signed.open().ok()?;
        let statements = match kind {
            Kind::Equivocator => other_commits(&batch)?,
            Kind::EarlyCloser if self.owns.contains_key(&batch.job) => closed_twice(&batch)?,
            _ => return None,
        };
        if !self.forked.insert((peer, batch.job)) {
            return None;
        }
        let twin = wire::encode(&Batch { statements, ..batch });
        Some(SignedBatch::new(twin.into(), truth::SIGNATURE))
    }
}

/// Commits to other answers to the same units.
fn other_commits(batch: &Batch) -> Option<Vec<Statement>> {
    let commits = batch.statements.iter().find_map(|statement| match statement {
        Statement::Commits(commits) => Some(commits),
        _ => None,
    })?;
    let other = |commit: &Commit| Commit { hash: Hash::of(&commit.hash.0), ..*commit };
    Some(vec![Statement::Commits(commits.iter().map(other).collect())])
}

/// A close before anything was computed, and another.
fn closed_twice(batch: &Batch) -> Option<Vec<Statement>> {
    let first = batch.statements.iter().find_map(|statement| match statement {
        Statement::Audit { first, .. } => Some(*first),
        _ => None,
    })?;
    let close = |what: &[u8]| AuditStep::Closed { pass: 0, seed: Hash::of(what) };
    Some(vec![Statement::Audit { first, steps: vec![close(b"early"), close(b"twice")] }])
}
