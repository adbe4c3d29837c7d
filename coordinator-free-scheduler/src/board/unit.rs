//! What is known of one unit: a join of everything said about it.
//!
//! Each part only ever grows towards a top ([`Once::Many`]), so merging is commutative, associative
//! and idempotent by construction. An author who says two different things about a unit has said
//! nothing: it harms itself alone.
use super::orders::{Order, UnitOrders};
use crate::{
    Answer, AuditStep, CITES_MAX, Call, Fault, Hash, JobId, Nonce, Opening, PeerKey, Statement,
    UnitIndex, Void, commitment,
};
use alloc::vec::Vec;

/// The place of an author in its lot's list; local to the node.
pub type AuthorIndex = u16;
/// The number of a voter, of which a donor with several machines is one; local to the node.
pub type Voter = u32;

/// A value that may be said once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Once<T> {
    /// Not said.
    #[default]
    Nothing,
    /// Said.
    One(T),
    /// Two different values were said; none holds.
    Many,
}

impl<T: PartialEq> Once<T> {
    /// Joins in another value; answers whether that changed anything.
    pub fn join(&mut self, value: T) -> bool {
        match self {
            Once::Nothing => *self = Once::One(value),
            Once::One(known) if *known != value => *self = Once::Many,
            Once::One(_) | Once::Many => return false,
        }
        true
    }

    /// The value, if exactly one was said.
    pub fn one(&self) -> Option<&T> {
        match self {
            Once::One(value) => Some(value),
            Once::Nothing | Once::Many => None,
        }
    }

    /// Whether nothing was said.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Once::Nothing)
    }
}

/// An answer with what hid it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// The answer.
    pub answer: Answer,
    /// What hid it.
    pub nonce: Nonce,
}

/// What one author said of one unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Voucher {
    /// Who.
    pub author: AuthorIndex,
    /// Of all that have the same number here one counts in a vote: they are one donor's. The board's
    /// ([`Board::voter`](super::Board::voter)).
    pub voter: Voter,
    /// Its commit.
    pub commit: Once<Hash>,
    /// Its answer.
    pub opening: Once<Opened>,
    /// Others' commits that it held while its answer was sealed, sorted.
    pub cites: Vec<Hash>,
    /// Commits to answers that differ from its own, sealed one, by its own word, sorted.
    pub declines: Vec<Hash>,
    /// Whether the answer fits the commit; `None` until there are both.
    pub fits: Option<bool>,
}

impl Voucher {
    fn new(author: AuthorIndex) -> Voucher {
        let (commit, opening) = (Once::Nothing, Once::Nothing);
        let (cites, declines) = (Vec::new(), Vec::new());
        Voucher { author, voter: author.into(), commit, opening, cites, declines, fits: None }
    }

    /// The answer, if it is opened, single and fits its commit.
    pub fn live(&self) -> Option<&Answer> {
        match self.fits {
            Some(true) => self.opening.one().map(|opened| &opened.answer),
            Some(false) | None => None,
        }
    }

    /// The commit, if its answer is not open yet.
    pub fn unopened(&self) -> Option<&Hash> {
        self.commit.one().filter(|_| self.opening.is_nothing())
    }

    /// Whether its own words convict it: two different openings, or one that is not what it
    /// committed to. Two commits alone prove nothing (a host may have lost its memory).
    pub fn contradicts_itself(&self) -> bool {
        match (&self.commit, &self.opening) {
            (_, Once::Many) => true,
            (Once::One(_), Once::One(_)) => self.fits == Some(false),
            (Once::Many | Once::Nothing, Once::One(_)) | (_, Once::Nothing) => false,
        }
    }

    /// Whether it cites this commit.
    pub fn cites(&self, commit: &Hash) -> bool {
        self.cites.binary_search(commit).is_ok()
    }

    /// Whether it cites another's commit.
    pub fn cites_commit_of(&self, other: &Voucher) -> bool {
        other.commit.one().is_some_and(|commit| self.cites(commit))
    }

    /// Whether it cites another's commit, or has room to.
    pub fn can_cite(&self, other: &Voucher) -> bool {
        self.cites.len() < CITES_MAX || self.cites_commit_of(other)
    }

    /// Whether its answer, though sealed, is not that of another, by its own word. Who has declined
    /// as many as it may agrees with nobody.
    pub fn declined(&self, other: &Voucher) -> bool {
        let said = |commit: &Hash| self.declines.binary_search(commit).is_ok();
        self.declines.len() >= CITES_MAX || other.commit.one().is_some_and(said)
    }

    /// Whether both may count in one vote: they are not one donor's.
    pub fn is_apart(&self, other: &Voucher) -> bool {
        self.voter != other.voter
    }

    /// Whether each of the two held the other's commit while its own answer was sealed.
    pub fn mutual(&self, other: &Voucher) -> bool {
        self.cites_commit_of(other) && other.cites_commit_of(self)
    }

    /// Joins in citations; answers whether there are more now. Who cites too many, or opens several
    /// answers, cites nothing.
    fn cite(&mut self, cites: &[Hash]) -> bool {
        let before = self.cites.len();
        self.cites.extend(cites);
        self.cites.sort_unstable();
        self.cites.dedup();
        if self.cites.len() > CITES_MAX {
            self.opening = Once::Many;
        }
        if self.opening == Once::Many {
            self.cites.clear();
        }
        self.cites.len() != before
    }

    /// Joins in what it declines; answers whether that is more now. Beyond the limit the least count.
    fn decline(&mut self, declines: &[Hash]) -> bool {
        let before = self.declines.clone();
        self.declines.extend(declines);
        self.declines.sort_unstable();
        self.declines.dedup();
        self.declines.truncate(CITES_MAX);
        self.declines != before
    }

    fn weigh(&mut self, job: JobId, unit: UnitIndex, author: PeerKey) {
        self.fits = match (&self.commit, &self.opening) {
            (Once::One(hash), Once::One(opened)) => {
                Some(*hash == commitment(job, unit, author, &opened.answer, &opened.nonce))
            }
            (Once::Many, _) | (_, Once::Many) => Some(false),
            (Once::Nothing, _) | (_, Once::Nothing) => None,
        };
    }
}

/// Why a unit failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailReason {
    /// As many answers as the manifest allows, and no quorum among them.
    NoAgreement,
    /// Two quorums for different answers: more colluders than the profile can bear.
    TwoQuorums,
    /// This many hosts could not run it; the most frequent reason.
    Void(Void),
    /// The module comes to different things on different processors, as the owner's own machines show.
    Quarantined,
}

impl core::fmt::Display for FailReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            FailReason::NoAgreement => f.write_str("no quorum within the allowed executions"),
            FailReason::TwoQuorums => f.write_str("two quorums disagree"),
            FailReason::Quarantined => {
                f.write_str("its module comes to different things on different processors")
            }
            FailReason::Void(void) => write!(f, "hosts could not run it: {void:?}"),
        }
    }
}

/// A verdict in the terms of a lot.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Decision {
    /// Not decided.
    #[default]
    Open,
    /// Verified by these authors' vouchers, in the order of their commits.
    Verified(Vec<AuthorIndex>),
    /// Failed.
    Failed(FailReason),
}

/// How a unit speaks of an author.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mark {
    /// Its voucher carries the verdict; the agreed fuel.
    Right(u64),
    /// It opened another answer than the verified one, two answers, or not what it committed to.
    Wrong,
}

/// What follows from all that is known of a unit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// By the job's profile.
    pub decision: Decision,
    /// One an author at most, sorted.
    pub marks: Vec<(AuthorIndex, Mark)>,
    /// Authors who committed.
    pub executions: u32,
    /// Whether the verified answer is what its scientist hoped for.
    pub success: bool,
}

/// All that is known of a unit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Unit {
    /// One an author.
    pub vouchers: Vec<Voucher>,
    /// Hosts that could not run it.
    pub voids: Vec<(AuthorIndex, Void)>,
    /// What the signers of an audited job said of it, one a signer.
    pub orders: Vec<UnitOrders>,
    /// Follows from the rest.
    pub standing: Standing,
}

impl Unit {
    /// One of which nobody has said anything.
    pub(super) const fn blank() -> Unit {
        let decision = Decision::Open;
        let standing = Standing { decision, marks: Vec::new(), executions: 0, success: false };
        Unit { vouchers: Vec::new(), voids: Vec::new(), orders: Vec::new(), standing }
    }

    /// What an author said, if anything.
    pub fn voucher(&self, author: AuthorIndex) -> Option<&Voucher> {
        self.vouchers.iter().find(|voucher| voucher.author == author)
    }

    fn voucher_mut(&mut self, author: AuthorIndex) -> &mut Voucher {
        let at = self.vouchers.iter().position(|voucher| voucher.author == author);
        let at = at.unwrap_or_else(|| {
            // A board holds very many, and most units get no more than they need.
            self.vouchers.reserve_exact(1);
            self.vouchers.push(Voucher::new(author));
            self.vouchers.len() - 1
        });
        &mut self.vouchers[at]
    }

    /// Joins in what an author said of it.
    pub fn hear(&mut self, name: UnitName, author: AuthorIndex, said: Said) -> Heard {
        match said {
            Said::Commit(hash) => Heard::news(self.commit(name, author, hash)),
            Said::Order(order) => Heard::news(self.order(author, &order)),
            Said::Void(void) => Heard::news(self.void(author, void)),
            Said::Call(Call { cites, .. }) | Said::Opening(Opening { cites, .. })
                if cites.len() > CITES_MAX =>
            {
                Heard { news: false, fault: Some(Fault::TooManyCites) }
            }
            Said::Call(call) if call.declines.len() > CITES_MAX => {
                Heard { news: false, fault: Some(Fault::TooManyCites) }
            }
            Said::Call(call) => {
                let voucher = self.voucher_mut(author);
                let news = voucher.cite(&call.cites) | voucher.decline(&call.declines);
                if news {
                    voucher.weigh(name.job, name.unit, name.author);
                }
                Heard::news(news)
            }
            Said::Opening(opening) => {
                let news = self.open(name, author, opening);
                let voucher = self.voucher(author);
                let lies = voucher.is_some_and(|voucher| voucher.fits == Some(false));
                Heard { news, fault: lies.then_some(Fault::FalseOpening) }
            }
        }
    }

    fn commit(&mut self, name: UnitName, author: AuthorIndex, hash: Hash) -> bool {
        let voucher = self.voucher_mut(author);
        let news = voucher.commit.join(hash);
        if news {
            voucher.weigh(name.job, name.unit, name.author);
        }
        news
    }

    /// The union of its author's citations must stay within the limit.
    fn open(&mut self, name: UnitName, author: AuthorIndex, opening: &Opening) -> bool {
        let voucher = self.voucher_mut(author);
        let opened = Opened { answer: opening.answer.clone(), nonce: opening.nonce };
        let said = voucher.opening.join(opened);
        let news = voucher.cite(&opening.cites) | said;
        if said || voucher.opening == Once::Many {
            voucher.weigh(name.job, name.unit, name.author);
        }
        news
    }

    fn order(&mut self, author: AuthorIndex, order: &Order) -> bool {
        let known = self.orders.iter_mut().find(|orders| orders.author == author);
        match known {
            Some(orders) => orders.hear(order),
            None => {
                let mut orders = UnitOrders::new(author);
                let news = orders.hear(order);
                // Nearly always there is one signer.
                self.orders.reserve_exact(1);
                self.orders.push(orders);
                news
            }
        }
    }

    /// What a signer said of it, by the signer's number.
    pub fn orders_of(&self, signer: Option<AuthorIndex>) -> Option<&UnitOrders> {
        self.orders.iter().find(|orders| Some(orders.author) == signer)
    }

    /// The least reason holds if it says several.
    fn void(&mut self, author: AuthorIndex, void: Void) -> bool {
        match self.voids.iter_mut().find(|(who, _)| *who == author) {
            Some((_, known)) if *known <= void => return false,
            Some((_, known)) => *known = void,
            None => self.voids.push((author, void)),
        }
        true
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let voucher = |voucher: &Voucher| {
            size_of::<Voucher>()
                + size_of_val(&voucher.cites[..])
                + size_of_val(&voucher.declines[..])
        };
        let vouchers: usize = self.vouchers.iter().map(voucher).sum();
        size_of::<Unit>() + vouchers + size_of_val(&self.standing.marks[..])
    }

    /// The answer that a quorum agrees on, if `decision` found one.
    pub fn agreed(&self, decision: &Decision) -> Option<&Answer> {
        match decision {
            Decision::Verified(authors) => self.voucher(*authors.first()?)?.live(),
            Decision::Open | Decision::Failed(_) => None,
        }
    }

    /// What follows from a decision. `counts` leaves out authors who keep two logs, `blames` those of
    /// whom another answer than the agreed one says nothing.
    pub fn stand(
        &self,
        decision: Decision,
        counts: impl Fn(AuthorIndex) -> bool,
        blames: impl Fn(AuthorIndex) -> bool,
    ) -> Standing {
        let agreed = self.agreed(&decision);
        let counted = || self.vouchers.iter().filter(|voucher| counts(voucher.author));
        let mark = |voucher: &Voucher| {
            let mark = self.mark(voucher, agreed, &decision)?;
            let holds = mark != Mark::Wrong || blames(voucher.author);
            holds.then_some((voucher.author, mark))
        };
        let mut marks: Vec<(AuthorIndex, Mark)> = counted().filter_map(mark).collect();
        marks.sort_unstable();
        marks.shrink_to_fit();
        let executions = counted().filter(|voucher| !voucher.commit.is_nothing()).count() as u32;
        let success = agreed.is_some_and(|answer| answer.outcome.is_success());
        Standing { marks, executions, success, decision }
    }

    fn mark(&self, voucher: &Voucher, agreed: Option<&Answer>, by: &Decision) -> Option<Mark> {
        if voucher.contradicts_itself() {
            return Some(Mark::Wrong);
        }
        let (agreed, answer) = (agreed?, voucher.live()?);
        match by {
            _ if answer != agreed => Some(Mark::Wrong),
            Decision::Verified(quorum) => {
                quorum.contains(&voucher.author).then_some(Mark::Right(agreed.fuel))
            }
            Decision::Open | Decision::Failed(_) => None,
        }
    }

    /// Whether this author had its try.
    pub fn tried_by(&self, author: AuthorIndex) -> bool {
        self.voucher(author).is_some() || self.voids.iter().any(|(who, _)| *who == author)
    }
}

/// What an author said of one unit.
#[derive(Clone, Copy)]
pub enum Said<'a> {
    /// The hash of its answer.
    Commit(Hash),
    /// Whom it calls.
    Call(&'a Call),
    /// Its answer.
    Opening(&'a Opening),
    /// That its host could not run it.
    Void(Void),
    /// What becomes of it, by a signer.
    Order(Order<'a>),
}

impl<'a> Said<'a> {
    /// What a statement says of units.
    pub fn of(statement: &'a Statement) -> impl Iterator<Item = (UnitIndex, Said<'a>)> {
        let (mut commits, mut calls, mut openings, mut voids) = Default::default();
        let (mut from, mut steps): (u32, &[AuditStep]) = (0, &[]);
        match statement {
            Statement::Commits(said) => commits = said.as_slice(),
            Statement::Calls(said) => calls = said.as_slice(),
            Statement::Openings(said) => openings = said.as_slice(),
            Statement::Voids(said) => voids = said.as_slice(),
            Statement::Audit { first, steps: said } => (from, steps) = (*first, said.as_slice()),
            Statement::Claim(_)
            | Statement::Cancel
            | Statement::Host(_)
            | Statement::Sealed(_)
            | Statement::SealedFor { .. } => {}
        }
        let commits = commits.iter().map(|commit| (commit.unit, Said::Commit(commit.hash)));
        let calls = calls.iter().map(|call| (call.unit, Said::Call(call)));
        let openings = openings.iter().map(|opening| (opening.unit, Said::Opening(opening)));
        let voids = voids.iter().map(|(unit, void)| (*unit, Said::Void(*void)));
        let orders = (from..).zip(steps).flat_map(|(place, step)| Order::of(place, step));
        let orders = orders.map(|(unit, order)| (unit, Said::Order(order)));
        commits.chain(calls).chain(openings).chain(voids).chain(orders)
    }
}

/// What hearing it came to.
pub struct Heard {
    /// Whether it was new.
    pub news: bool,
    /// What was wrong with it.
    pub fault: Option<Fault>,
}

impl Heard {
    fn news(news: bool) -> Heard {
        Heard { news, fault: None }
    }
}

/// Who speaks of which unit.
#[derive(Clone, Copy)]
pub struct UnitName {
    /// The job.
    pub job: JobId,
    /// The unit.
    pub unit: UnitIndex,
    /// The author.
    pub author: PeerKey,
}
