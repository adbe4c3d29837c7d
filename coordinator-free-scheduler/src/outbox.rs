//! What this node is about to say of one lot, until it fits a batch and its time has come.
use crate::{
    Answer, AuditStep, BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, Call, ClaimedUnits, Commit, Host,
    Millis, Nonce, Opening, PeerKey, SealedAnswer, Statement, UnitIndex, Void, wire,
};
use alloc::{collections::BTreeMap, vec::Vec};

/// Entries after which a batch does not wait for company.
const FULL_COMMITS: usize = 768;
/// Spans that are claimed at once.
const CLAIM_SPANS_MAX: usize = BATCH_ENTRIES_MAX / 4;
/// Bytes that a span of a claim takes at most.
const SPAN_BYTES: usize = 5 + 5;
/// Bytes that a commit takes at most: unit and hash.
const COMMIT_BYTES: usize = 5 + 32;
/// Bytes that a sealed answer takes beside itself: unit and length.
const SEALED_BYTES: usize = 5 + 2;
/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Bytes that a step may take beside itself: tag, place and number of steps.
const STEP_BYTES: usize = 16;
/// Bytes that a host takes at most: tag, class, key and signature.
const HOST_BYTES: usize = 4 + 32 + 66;
/// Bytes that a call takes beyond what it cites and declines: unit and lengths.
const CALL_BYTES: usize = 5 + 2;
/// Bytes that an opening takes beyond what it cites: unit, answer, nonce, and their lengths.
const OPENING_BYTES: usize = 5 + 145 + 16 + 2;
/// Units that are committed to and opened in one go; they fit a batch twice over.
const AT_ONCE_UNITS: usize = 64;
/// Bytes of a batch that are not statements, with room to spare.
const HEAD_BYTES: usize = 256;

/// Statements in waiting.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    claim: bool,
    commits: Vec<Done>,
    at_once: bool,
    calls: BTreeMap<UnitIndex, Millis>,
    openings: BTreeMap<UnitIndex, Ready>,
    voids: Vec<(UnitIndex, Void)>,
    cancel: bool,
    orders: Vec<AuditStep>,
    sealed: Vec<(PeerKey, SealedAnswer)>,
    host: Option<Host>,
    due: Option<Millis>,
}

/// An answer that may be opened. What it cites is looked up when it leaves, since every commit that
/// came before may become its partner.
#[derive(Clone, Debug)]
struct Ready {
    answer: Answer,
    nonce: Nonce,
    due: Millis,
}

/// An answer of this node's that it is about to commit to.
#[derive(Clone, Debug)]
pub struct Done {
    /// The commit.
    pub commit: Commit,
    /// The answer behind it.
    pub answer: Answer,
    /// What hides it.
    pub nonce: Nonce,
    /// The same for the owner of an audited job alone; empty for any other job.
    pub sealed: Vec<u8>,
}

/// One batch's worth of statements.
#[derive(Debug)]
pub struct Parcel {
    /// What is said.
    pub statements: Vec<Statement>,
    /// The answers behind the commits among them; private.
    pub answers: Vec<(UnitIndex, Answer, Nonce)>,
}

impl Outbox {
    /// An empty one. With `at_once` answers are opened in the batch that commits to them, for
    /// where one answer is enough and nobody's copy is of use.
    pub fn new(at_once: bool) -> Outbox {
        Outbox { at_once, ..Outbox::default() }
    }

    /// When something in it should leave.
    pub fn due(&self) -> Option<Millis> {
        self.due
    }

    fn due_by(&mut self, at: Millis) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// This node's claim has changed; what it is then leaves at `at`.
    pub fn claim(&mut self, at: Millis) {
        self.claim = true;
        self.due_by(at);
    }

    /// Whether a claim is to be said.
    pub fn claims(&self) -> bool {
        self.claim
    }

    /// Adds a commit, to leave at `at` or when a batch is full.
    pub fn commit(&mut self, done: Done, now: Millis, at: Millis) {
        self.commits.push(done);
        self.due_by(if self.commits.len() >= FULL_COMMITS { now } else { at });
    }

    /// Adds that somebody is to be called about a unit at `at`, or earlier if it says so already.
    pub fn call(&mut self, unit: UnitIndex, at: Millis) {
        let due = self.calls.entry(unit).or_insert(at);
        *due = at.min(*due);
        self.due_by(at);
    }

    /// Takes the units about which somebody is to be called by now.
    pub fn take_calls(&mut self, now: Millis) -> Vec<UnitIndex> {
        self.calls.extract_if(.., |_, due| *due <= now).map(|(unit, _)| unit).collect()
    }

    /// Adds an answer to be opened at `at`.
    pub fn open(&mut self, unit: UnitIndex, answer: Answer, nonce: Nonce, at: Millis) {
        self.openings.insert(unit, Ready { answer, nonce, due: at });
        self.due_by(at);
    }

    /// An answer in it need not wait longer than until `at`.
    pub fn hasten(&mut self, unit: UnitIndex, at: Millis) {
        if let Some(ready) = self.openings.get_mut(&unit) {
            ready.due = ready.due.min(at);
            self.due_by(at);
        }
    }

    /// Whether an answer to a unit waits in it to be opened.
    pub fn holds(&self, unit: UnitIndex) -> bool {
        self.openings.contains_key(&unit)
    }

    /// Takes the answers that are to be opened by now.
    pub fn take_ready(&mut self, now: Millis) -> Vec<(UnitIndex, Answer, Nonce)> {
        let ready = self.openings.extract_if(.., |_, ready| ready.due <= now);
        ready.map(|(unit, ready)| (unit, ready.answer, ready.nonce)).collect()
    }

    /// Adds that a unit cannot be run here.
    pub fn void(&mut self, unit: UnitIndex, void: Void, at: Millis) {
        self.voids.push((unit, void));
        self.due_by(at);
    }

    /// Adds what this node came to as a signer of the job.
    pub fn order(&mut self, step: AuditStep, at: Millis) {
        self.orders.push(step);
        self.due_by(at);
    }

    /// Whether there are such that were not said yet.
    pub fn has_orders(&self) -> bool {
        !self.orders.is_empty()
    }

    /// Adds answers that a delegate may read.
    pub fn seal(&mut self, to: PeerKey, answers: Vec<SealedAnswer>, at: Millis) {
        self.sealed.extend(answers.into_iter().map(|sealed| (to, sealed)));
        self.due_by(at);
    }

    /// Has the machine of this node told with the first answer or order, and whose it is with the first
    /// thing that is said at all.
    pub fn introduce(&mut self, host: Host) {
        self.host = Some(host);
    }

    /// Adds the end of the job.
    pub fn cancel(&mut self, now: Millis) {
        self.cancel = true;
        self.due_by(now);
    }

    /// Answers in it; they are nobody else's business until they have left.
    pub fn answers(&self) -> impl Iterator<Item = &Answer> {
        let committed = self.commits.iter().map(|done| &done.answer);
        committed.chain(self.openings.values().map(|ready| &ready.answer))
    }

    /// Nothing more is to be waited for: what there is may leave.
    pub fn hurry(&mut self, now: Millis) {
        if self.due.is_some() {
            self.due_by(now);
        }
    }

    /// Takes all that is in it but what is to wait, cut into batches within
    /// their limits; `held` is claimed if a claim is to be said, and audit steps are counted from
    /// `next_step` on.
    pub fn take(
        &mut self,
        mut held: ClaimedUnits,
        calls: Vec<Call>,
        openings: Vec<Opening>,
        mut next_step: u32,
    ) -> Vec<Parcel> {
        let mut cut = Cut::default();
        let says_much = !self.commits.is_empty() || !self.orders.is_empty();
        if let Some(host) = self.host.take_if(|host| says_much || host.link.is_some()) {
            cut.begin_if_full(HOST_BYTES, 1);
            cut.statements().push(Statement::Host(host));
        }
        if core::mem::take(&mut self.claim) {
            // A hint: what does not fit goes without saying.
            held.spans.truncate(CLAIM_SPANS_MAX);
            held.rescues.truncate(CLAIM_SPANS_MAX);
            let spans = held.spans.len() + held.rescues.len();
            cut.begin_if_full(SPAN_BYTES * spans + 8, spans.max(1));
            cut.statements().push(Statement::Claim(held));
        }
        let commits = core::mem::take(&mut self.commits);
        if self.at_once {
            cut.open_at_once(&commits);
        }
        for Done { commit, answer, nonce, .. } in commits.iter().filter(|_| !self.at_once).cloned()
        {
            cut.begin_if_full(COMMIT_BYTES, 1);
            cut.answers().push((commit.unit, answer, nonce));
            match cut.statements().last_mut() {
                Some(Statement::Commits(commits)) => commits.push(commit),
                _ => cut.statements().push(Statement::Commits(alloc::vec![commit])),
            }
        }
        for done in commits.into_iter().filter(|done| !done.sealed.is_empty()) {
            let sealed = SealedAnswer { unit: done.commit.unit, bytes: done.sealed };
            cut.begin_if_full(SEALED_BYTES + sealed.bytes.len(), 1);
            match cut.statements().last_mut() {
                Some(Statement::Sealed(all)) => all.push(sealed),
                _ => cut.statements().push(Statement::Sealed(alloc::vec![sealed])),
            }
        }
        for (delegate, sealed) in self.sealed.drain(..) {
            cut.begin_if_full(KEY_BYTES + SEALED_BYTES + sealed.bytes.len(), 1);
            match cut.statements().last_mut() {
                Some(Statement::SealedFor { to, answers }) if *to == delegate => {
                    answers.push(sealed);
                }
                _ => {
                    let answers = alloc::vec![sealed];
                    cut.statements().push(Statement::SealedFor { to: delegate, answers });
                }
            }
        }
        for call in calls {
            let hashes = call.cites.len() + call.declines.len();
            cut.begin_if_full(CALL_BYTES + 32 * hashes, 1);
            match cut.statements().last_mut() {
                Some(Statement::Calls(calls)) => calls.push(call),
                _ => cut.statements().push(Statement::Calls(alloc::vec![call])),
            }
        }
        for opening in openings {
            cut.begin_if_full(OPENING_BYTES + 32 * opening.cites.len(), 1);
            match cut.statements().last_mut() {
                Some(Statement::Openings(openings)) => openings.push(opening),
                _ => cut.statements().push(Statement::Openings(alloc::vec![opening])),
            }
        }
        for step in self.orders.drain(..) {
            cut.begin_if_full(wire::encode(&step).len() + STEP_BYTES, step.entries());
            match cut.statements().last_mut() {
                Some(Statement::Audit { steps, .. }) => steps.push(step),
                _ => {
                    let steps = alloc::vec![step];
                    cut.statements().push(Statement::Audit { first: next_step, steps });
                }
            }
            next_step += 1;
        }
        for void in self.voids.drain(..) {
            cut.begin_if_full(8, 1);
            match cut.statements().last_mut() {
                Some(Statement::Voids(voids)) => voids.push(void),
                _ => cut.statements().push(Statement::Voids(alloc::vec![void])),
            }
        }
        if core::mem::take(&mut self.cancel) {
            cut.begin_if_full(2, 1);
            cut.statements().push(Statement::Cancel);
        }
        let openings = self.openings.values().map(|ready| ready.due);
        self.due = openings.chain(self.calls.values().copied()).min();
        cut.parcels
    }
}

/// Batches being filled.
#[derive(Default)]
struct Cut {
    parcels: Vec<Parcel>,
    bytes: usize,
    entries: usize,
}

impl Cut {
    fn begin_if_full(&mut self, bytes: usize, entries: usize) {
        let full = self.bytes + bytes + HEAD_BYTES > BATCH_BYTES_MAX
            || self.entries + entries > BATCH_ENTRIES_MAX;
        if full || self.parcels.is_empty() {
            self.parcels.push(Parcel { statements: Vec::new(), answers: Vec::new() });
            (self.bytes, self.entries) = (0, 0);
        }
        self.bytes += bytes;
        self.entries += entries;
    }

    /// Commits with their openings behind them.
    fn open_at_once(&mut self, commits: &[Done]) {
        for some in commits.chunks(AT_ONCE_UNITS) {
            self.begin_if_full((COMMIT_BYTES + OPENING_BYTES) * some.len(), 2 * some.len());
            let opening = |done: &Done| Opening {
                unit: done.commit.unit,
                answer: done.answer.clone(),
                nonce: done.nonce,
                cites: Vec::new(),
            };
            let openings = some.iter().map(opening).collect();
            let commits = some.iter().map(|done| done.commit.clone()).collect();
            self.statements().push(Statement::Commits(commits));
            self.statements().push(Statement::Openings(openings));
        }
    }

    fn last(&mut self) -> &mut Parcel {
        let at = self.parcels.len() - 1;
        &mut self.parcels[at]
    }

    fn statements(&mut self) -> &mut Vec<Statement> {
        &mut self.last().statements
    }

    fn answers(&mut self) -> &mut Vec<(UnitIndex, Answer, Nonce)> {
        &mut self.last().answers
    }
}
