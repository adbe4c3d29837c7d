//! Carrying out what nodes want done, in virtual time: writing, sending, running, and taking notes.
use super::*;
use crate::{body::Told, draws::share_of};
use coordinator_free_scheduler::{SEALED_BYTES_MAX, SealedAnswer, Unsealed};

impl World {
    pub(super) fn deliver(&mut self, peer: usize, from: PeerKey, cargo: Cargo) {
        if let Mind::Rogue(rogue) = &mut self.peers[peer].mind {
            let harms = match &cargo {
                Cargo::Manifest(signed) => {
                    rogue.hear_manifest(signed);
                    Vec::new()
                }
                Cargo::Batch(_, batch) => {
                    rogue.hear_batch(batch);
                    Vec::new()
                }
                Cargo::Query(query) => rogue.hear_query(from, query),
            };
            self.harm(peer, harms);
            return;
        }
        if peer >= self.scenario.jobs {
            self.count.messages += 1;
            self.count.message_bytes += cargo.bytes();
        }
        let input = match cargo {
            Cargo::Manifest(signed) => match signed.open() {
                Ok(manifest) => {
                    Input::Manifest { from, signed: *signed, manifest: Box::new(manifest) }
                }
                Err(_) => return,
            },
            Cargo::Batch(signed, batch) => Input::Batch { from, signed, batch },
            Cargo::Query(query) => Input::Query { from, query: *query },
        };
        self.feed(peer, input);
    }

    pub(super) fn wake(&mut self, peer: usize) {
        let now_us = self.now_us;
        let due = self.body(peer).filter(|body| body.wake_us == Some(now_us));
        if let Some(body) = due {
            body.wake_us = None;
            self.feed(peer, Input::Tick);
        }
    }

    pub(super) fn flushed(&mut self, peer: usize, life: u64, ticket: u64) {
        let one = &mut self.peers[peer];
        let Mind::Up(body) = &mut one.mind else { return };
        let Some(writing) = body.writing.take_if(|writing| writing.ticket == ticket) else {
            return;
        };
        if life == one.life {
            one.journal.extend(writing.records);
            self.feed(peer, Input::Persisted { ticket, signatures: writing.signatures });
        }
    }

    pub(super) fn ran(&mut self, peer: usize, run: (JobId, UnitIndex, u64), took_us: u64) {
        if !self.body(peer).is_some_and(|body| body.running.contains(&run)) {
            return; // It was stopped.
        }
        let (job, unit, _) = run;
        self.count.executions += 1;
        self.count.busy_us += took_us;
        self.note_busy(job, took_us);
        let done = self.executed.entry((job, unit)).or_default();
        *done = done.saturating_add(1);
        if *done <= self.scenario.profile {
            self.count.useful_us += took_us;
        }
        if let Some(body) = self.body(peer) {
            body.running.retain(|run| (run.0, run.1) != (job, unit));
        }
        self.run_next(peer);
        let answer = self.says(peer, job, unit);
        let sealed = match self.scenario.audit {
            Some(_) => wire::encode(&answer),
            None => Vec::new(),
        };
        let end = Ok(answer);
        let took_us = took_us / self.boast(peer);
        self.feed(peer, Input::Ran { job, unit, took_us, end, sealed });
    }

    pub(super) fn run_next(&mut self, peer: usize) {
        let (slots, life, now_us) = (self.scenario.slots, self.peers[peer].life, self.now_us);
        while let Some(body) = self.body(peer) {
            if body.running.len() >= slots {
                return;
            }
            let Some((job, unit)) = body.runs.pop_front() else { return };
            body.running.push((job, unit, now_us));
            let took_us = self.took_us(peer, job, unit);
            let what = What::Ran { life, job, unit, began_us: now_us, took_us };
            self.at(now_us + took_us, peer, what);
        }
    }

    fn took_us(&self, peer: usize, job: JobId, unit: UnitIndex) -> u64 {
        let took_us = (self.fuel(job, unit) as f64 / self.peers[peer].speed) as u64;
        (took_us / self.skips(peer)).max(1)
    }

    pub(super) fn fuel(&self, job: JobId, unit: UnitIndex) -> u64 {
        self.scenario.fuel(self.number_of(job), unit)
    }

    fn number_of(&self, job: JobId) -> usize {
        self.jobs.iter().position(|known| *known == job).unwrap_or_default()
    }

    /// A signer's seeds of a job.
    fn seeds(&self, job: JobId, signer: PeerKey) -> Option<Vec<Hash>> {
        let salt = self.owns.get(&job).copied().unwrap_or(self.number_of(job) as u64);
        self.scenario.audit.as_ref().map(|audit| audit.seeds(salt, signer).to_vec())
    }

    // ---- outputs ---------------------------------------------------------------------------

    pub(super) fn drain(&mut self, peer: usize) {
        let mut stopped = Vec::new();
        while let Some(output) = self.body(peer).and_then(|body| body.node.poll_output()) {
            match output {
                Output::Persist { ticket, records } => self.persist(peer, ticket, records),
                Output::Announce(signed) => {
                    self.gossip(peer, None, Cargo::Manifest(Box::new(signed)));
                }
                Output::Attend { job, lot } => self.attend(peer, job, lot),
                Output::Leave { job, lot } => {
                    self.attending.entry((job, lot)).or_default().remove(&peer);
                }
                Output::Publish { batch, .. } => {
                    if self.scenario.check_every > 0 {
                        self.note_said(peer, &batch);
                    }
                    let twin = self.twin(peer, &batch);
                    self.publish(peer, None, batch);
                    twin.into_iter().for_each(|twin| self.publish(peer, None, twin));
                }
                Output::Send { to, message } => self.send(peer, to, message),
                Output::Run { job, mut units } => {
                    units.retain(|unit| !self.withholds(peer, job, *unit));
                    if let Some(body) = self.body(peer) {
                        body.runs.extend(units.into_iter().map(|unit| (job, unit)));
                    }
                    self.run_next(peer);
                }
                Output::Unseal { job, sealed } => {
                    let answers = sealed.into_iter().map(unsealed).collect();
                    self.feed(peer, Input::Unsealed { job, answers });
                }
                Output::Check { job, answers } => {
                    for (unit, author, answer) in answers {
                        let right = Ok(answer == truth::right(job, unit, self.fuel(job, unit)));
                        self.feed(peer, Input::Checked { job, unit, peer: author, right });
                    }
                }
                Output::Seal { job, to, answers } => {
                    let seal = |(unit, answer, nonce)| SealedAnswer {
                        unit,
                        bytes: wire::encode(&(answer, nonce)),
                    };
                    let answers = answers.into_iter().map(seal).collect();
                    self.feed(peer, Input::Sealed { job, to, answers });
                }
                Output::Draw { job, pass } => {
                    let seeds = self.seeds(job, self.peers[peer].key);
                    let seed = seeds.map(|seeds| seeds[usize::from(pass)]).unwrap_or_default();
                    self.feed(peer, Input::Seed { job, pass, seed });
                }
                Output::Stop { job, units } => stopped.push((job, units)),
                Output::Notice(notice) => self.note(peer, notice),
            }
        }
        for (job, units) in stopped {
            units.into_iter().for_each(|unit| self.stop(peer, job, unit));
        }
        self.set_alarm(peer);
    }

    pub(super) fn persist(&mut self, peer: usize, ticket: u64, records: Vec<Record>) {
        let life = self.peers[peer].life;
        let at_us = self.now_us + self.scenario.network.disk_us;
        let Some(body) = self.body(peer) else { return };
        if body.writing.is_some() {
            self.violations.push(format!("peer {peer} writes twice at a time"));
            return;
        }
        body.write(ticket, records);
        self.at(at_us, peer, What::Flushed { life, ticket });
    }

    pub(super) fn stop(&mut self, peer: usize, job: JobId, unit: UnitIndex) {
        let now_us = self.now_us;
        let Some(body) = self.body(peer) else { return };
        let known = body.runs.len() + body.running.len();
        body.runs.retain(|run| *run != (job, unit));
        let cut_off = body.running.extract_if(.., |run| (run.0, run.1) == (job, unit));
        let busy_us: u64 = cut_off.map(|(.., since_us)| now_us - since_us).sum();
        let stopped = body.runs.len() + body.running.len() < known;
        self.count.busy_us += busy_us;
        if stopped {
            self.run_next(peer);
            let end = Err(Void::Interrupted);
            let sealed = Vec::new();
            self.feed(peer, Input::Ran { job, unit, took_us: busy_us, end, sealed });
        }
    }

    pub(super) fn set_alarm(&mut self, peer: usize) {
        let now_us = self.now_us;
        let Some(body) = self.body(peer) else { return };
        let Some(Millis(at_ms)) = body.node.next_deadline() else { return };
        let at_us = (at_ms * 1_000).max(now_us);
        if body.wake_us.is_none_or(|known| at_us < known) {
            body.wake_us = Some(at_us);
            self.at(at_us, peer, What::Wake);
        }
    }

    // ---- the network -----------------------------------------------------------------------

    pub(super) fn gossip(&mut self, peer: usize, half: Option<usize>, cargo: Cargo) {
        if !self.scenario.network.gossip {
            return;
        }
        let heard = |to: &usize| half.is_none_or(|half| to % 2 == half);
        let hear: Vec<usize> = match &cargo {
            Cargo::Batch(_, batch) => {
                let there = self.attending.get(&(batch.job, batch.lot)).into_iter().flatten();
                // Who does harm listens everywhere.
                let rogue = |peer: &usize| matches!(self.peers[*peer].mind, Mind::Rogue(_));
                let rogues = (self.scenario.honest()..self.peers.len()).filter(rogue);
                there.copied().chain(rogues).collect()
            }
            Cargo::Manifest(_) | Cargo::Query(_) => (0..self.peers.len()).collect(),
        };
        hear.into_iter().filter(heard).for_each(|to| self.post(peer, to, cargo.clone()));
    }

    pub(super) fn send(&mut self, peer: usize, to: PeerKey, message: Message) {
        let Some(to) = self.by_key.get(&to).copied() else { return };
        match message {
            Message::Query(query) => self.post(peer, to, Cargo::Query(Box::new(query))),
            Message::Manifests(all) => {
                all.into_iter().for_each(|one| self.post(peer, to, Cargo::Manifest(Box::new(one))));
            }
            Message::Batches(all) => {
                let opened = all.into_iter().filter_map(|one| self.opened(one));
                let opened: Vec<Cargo> = opened.collect();
                opened.into_iter().for_each(|one| self.post(peer, to, one));
            }
        }
    }

    pub(super) fn post(&mut self, peer: usize, to: usize, cargo: Cargo) {
        let network = self.scenario.network;
        let cut = peer % self.groups != to % self.groups;
        let [least, most] = network.latency_ms;
        let lost = share_of(self.rng.below(u64::MAX)) < network.loss;
        let late_us = least * 1_000 + self.rng.below((most - least) * 1_000 + 1);
        if to != peer && !cut && !lost && !matches!(self.peers[to].mind, Mind::Down) {
            let from = self.peers[peer].key;
            self.at(self.now_us + late_us, to, What::Mail { from, cargo });
        }
    }

    /// A node joins a lot: its body looks for some who are there and calls them.
    fn attend(&mut self, peer: usize, job: JobId, lot: LotIndex) {
        if peer >= self.scenario.jobs && self.attended.insert((peer, job, lot)) {
            self.count.units_heard += self.scenario.lot_range(lot).len() as u64;
        }
        if self.scenario.cost.hints {
            let units = self.scenario.lot_range(lot);
            let costs = self.scenario.hints(self.number_of(job), units);
            self.feed(peer, Input::Hints { job, lot, costs });
        }
        let there = self.attending.entry((job, lot)).or_default();
        there.insert(peer);
        let neighbours = &self.peers[peer].neighbours;
        let known = there.iter().filter(|other| neighbours.contains(other)).count();
        let mut others: Vec<usize> = there.iter().copied().filter(|other| *other != peer).collect();
        others.retain(|other| !neighbours.contains(other));
        for _ in known..MATES.min(known + others.len()) {
            let other = others.swap_remove(self.rng.below(others.len() as u64) as usize);
            self.peers[peer].neighbours.push(other);
            self.peers[other].neighbours.push(peer);
            self.connect(peer, other);
        }
    }

    pub(super) fn connect(&mut self, one: usize, other: usize) {
        let (key, other_key) = (self.peers[one].key, self.peers[other].key);
        self.feed(one, Input::Connected(other_key));
        self.feed(other, Input::Connected(key));
    }

    /// A batch as it travels; none if it cannot be read, which no door lets in.
    pub(super) fn opened(&mut self, signed: SignedBatch) -> Option<Cargo> {
        if self.opened.len() >= OPENED_MAX {
            self.opened.clear();
        }
        let known = self.opened.get(&signed.hash()).cloned();
        let batch = known.or_else(|| {
            let opened = Arc::new(signed.open().ok()?);
            self.opened.insert(signed.hash(), opened.clone());
            Some(opened)
        })?;
        Some(Cargo::Batch(signed, batch))
    }

    pub(super) fn publish(&mut self, peer: usize, half: Option<usize>, batch: SignedBatch) {
        if let Some(cargo) = self.opened(batch) {
            self.gossip(peer, half, cargo);
        }
    }

    // ---- what is watched -------------------------------------------------------------------

    pub(super) fn note(&mut self, peer: usize, notice: Notice) {
        if self.scenario.kind(peer).is_some() {
            return;
        }
        match notice {
            Notice::Verdict { job, unit, verdict: Verdict::Verified { answer, .. }, .. } => {
                if answer != truth::right(job, unit, self.fuel(job, unit)) {
                    self.count.wrong_accepted += 1;
                }
                self.note_progress(peer);
            }
            Notice::Verdict { verdict: Verdict::Failed(_), .. } => self.note_progress(peer),
            Notice::Level { unit, best, revised, .. } if self.scenario.check_every > 0 => {
                if let Some(body) = self.body(peer) {
                    body.levels.push(Told { unit, best, revised });
                }
            }
            Notice::Barred(whom) => self.blame(peer, whom, "barred"),
            Notice::Disagreed { peer: whom, .. } => self.blame(peer, whom, "found wrong"),
            Notice::Fault { peer: whom, fault } => {
                self.blame(peer, whom, &format!("found at fault ({fault:?})"));
            }
            Notice::Verdict { verdict: Verdict::Open, .. }
            | Notice::Level { .. }
            | Notice::Ended(_)
            | Notice::NoPlace(_)
            | Notice::Forgotten(_)
            | Notice::Opened { .. } => {}
        }
    }

    pub(super) fn blame(&mut self, by: usize, whom: PeerKey, what: &str) {
        let whom = self.by_key[&whom];
        if self.scenario.kind(whom).is_none() {
            let now = self.now();
            *self.blamed.entry(whom).or_default() += 1;
            self.violations.push(format!("{now:?}: honest peer {whom} was {what} by {by}"));
        }
    }

    /// Counts a job's time for as long as there is open work in all of them.
    fn note_busy(&mut self, job: JobId, took_us: u64) {
        let open = |(peer, job): (usize, &JobId)| {
            self.node(peer).and_then(|node| node.status(*job)).is_some_and(|job| job.queued > 0)
        };
        if self.jobs.len() == self.scenario.jobs && self.jobs.iter().enumerate().all(open) {
            let number = self.number_of(job);
            self.count.jobs[number].busy_us += took_us;
        }
    }

    /// Remembers when the submitters' nodes had decided all.
    pub(super) fn note_progress(&mut self, peer: usize) {
        if peer < self.jobs.len() && self.count.jobs[peer].decided_us == 0 && self.job_decided(peer)
        {
            self.count.jobs[peer].decided_us = self.now_us;
        }
        if peer < self.scenario.jobs && self.count.decided_us == 0 && self.decided() {
            self.count.decided_us = self.now_us;
        }
    }

    /// A node contradicts itself if it says two things in one place of a log, or of one unit.
    pub(super) fn note_said(&mut self, peer: usize, signed: &SignedBatch) {
        let Ok(batch) = signed.open() else {
            self.violations.push(format!("peer {peer} published a batch over the limits"));
            return;
        };
        let place = (peer, batch.job, batch.lot, batch.place.incarnation, batch.place.sequence);
        let mut twice = self.said.places.insert(place, signed.hash()).is_some();
        for statement in &batch.statements {
            match statement {
                Statement::Commits(commits) => commits.iter().for_each(|commit| {
                    let at = (peer, batch.job, commit.unit);
                    twice |= self.said.commits.insert(at, commit.hash).is_some();
                }),
                Statement::Openings(openings) => openings.iter().for_each(|opening| {
                    let at = (peer, batch.job, opening.unit);
                    twice |= self.said.openings.insert(at, opening.clone()).is_some();
                }),
                Statement::Claim(_)
                | Statement::Calls(_)
                | Statement::Voids(_)
                | Statement::Sealed(_)
                | Statement::SealedFor { .. }
                | Statement::Audit { .. }
                | Statement::Host(_)
                | Statement::Cancel => {}
            }
        }
        if twice {
            self.violations.push(format!("peer {peer} said something twice: {:?}", batch.place));
        }
    }
}

/// Nobody but whom it is for is ever asked to, so nothing is encrypted here.
fn unsealed((peer, unit, bytes): (PeerKey, UnitIndex, Vec<u8>)) -> Unsealed {
    let answer = wire::decode(&bytes, SEALED_BYTES_MAX).ok();
    Unsealed { peer, unit, answer }
}
