//! What the author of a sealed answer does next, for profile `quorum = n`.
//!
//! Nobody shows an answer before somebody has cited its commit, so that few answers are spent on
//! who does not agree: the author of the least commit *calls* others by citing theirs, with its own
//! answer still sealed; whoever is called opens and cites its callers; so the caller is cited by
//! openings. If one of them is equal to its answer it opens too, else it declines them and is as
//! good a partner as before. Calls may cross, for they cost nobody anything. (Were the first to open
//! where now it calls, two who open at once, each holding another's commit, might never cite each
//! other, and in a small grid nobody would be left to run the unit.)
//!
//! Invariant: among n sealed authors that count on each other, one has a step to take.
use crate::{
    Answer, CITES_MAX, Hash,
    board::unit::{AuthorIndex, Decision, Once, Unit, Voucher},
};
use alloc::{collections::BTreeSet, vec::Vec};

/// A step, with the commits to cite beyond those that its author has cited before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Stay sealed, and …
    Call {
        /// … ask their authors to open;
        cites: Vec<Hash>,
        /// … let know that these openings are other answers.
        declines: Vec<Hash>,
    },
    /// Open the answer, and cite them.
    Open(Vec<Hash>),
}

/// The step that is due from an author whose answer is sealed. `counts` leaves out authors that this
/// node does not count on; `answer` is the author's own, if known.
///
/// Of a decided unit there is nothing left to copy: an answer still sealed is opened, cites nobody
/// and changes nothing, but tells what its author is worth.
pub fn step(
    unit: &Unit,
    me: AuthorIndex,
    n: u8,
    answer: Option<&Answer>,
    counts: impl Fn(AuthorIndex) -> bool,
) -> Option<Step> {
    let own = unit.voucher(me)?;
    own.unopened()?;
    let wanted = (n as usize).saturating_sub(1);
    if wanted == 0 || unit.standing.decision != Decision::Open {
        return Some(Step::Open(Vec::new()));
    }
    let counted = |other: &&Voucher| other.author != me && counts(other.author);
    let company = Company::of(unit, counted, own, answer, wanted);
    if !company.callers.is_empty() && company.may_open(wanted) {
        return Some(Step::Open(company.partners(unit, own, wanted)));
    }
    let cites = match company.shall_call(own, wanted) {
        true => company.partners(unit, own, wanted),
        false => Vec::new(),
    };
    let declines = company.unlike;
    (!cites.is_empty() || !declines.is_empty()).then_some(Step::Call { cites, declines })
}

/// The other authors of a unit, as the author of a sealed answer sees them.
struct Company<'a> {
    /// Those who cite its commit, and may still agree with its answer.
    callers: Vec<&'a Voucher>,
    /// Commits of those who cite its commit, and have another answer.
    unlike: Vec<Hash>,
    /// Commits of those whose answers are sealed, and may agree with it.
    sealed: Vec<&'a Hash>,
    /// Openings equal to its own answer.
    equal: Vec<&'a Voucher>,
}

impl<'a> Company<'a> {
    fn of(
        unit: &'a Unit,
        counted: impl Fn(&&Voucher) -> bool,
        own: &Voucher,
        answer: Option<&Answer>,
        wanted: usize,
    ) -> Company<'a> {
        let others: Vec<&Voucher> = unit.vouchers.iter().filter(counted).collect();
        let equal = others.iter().copied().filter(|o| answer.is_some() && o.live() == answer);
        let equal: Vec<&Voucher> = equal.collect();
        // Who declines an opening that is equal to this answer has another one.
        let differs = |other: &&Voucher| match other.live() {
            Some(theirs) => answer.is_some_and(|mine| mine != theirs),
            None => equal.iter().any(|opened| other.declined(opened)),
        };
        let citing = |other: &&Voucher| own.unopened().is_some_and(|mine| other.cites(mine));
        let declined = |other: &&Voucher| own.declined(other) || other.declined(own);
        let unlike = others.iter().copied().filter(citing).filter(differs);
        let unlike = unlike.filter(|other| !own.declined(other));
        let unlike = unlike.filter_map(|other| other.commit.one()).copied().collect();
        let (mut callers, mut sealed) = (Vec::new(), Vec::new());
        for other in others.iter().copied().filter(|other| !differs(other) && !declined(other)) {
            if !own.can_cite(other) {
                continue;
            }
            sealed.extend(other.unopened().filter(|_| other.can_cite(own)));
            if citing(&other)
                && (other.live().is_some() || is_waiting(other, unit, &others, wanted))
            {
                callers.push(other);
            }
        }
        Company { callers, unlike, sealed, equal }
    }

    /// Whether its author is the one to call others: the first among enough sealed ones, who have
    /// not been called before.
    fn shall_call(&self, own: &Voucher, wanted: usize) -> bool {
        let called = self.sealed.iter().filter(|commit| own.cites(commit)).count();
        let first = self.sealed.iter().all(|commit| own.unopened() < Some(commit));
        self.sealed.len() >= wanted && called < wanted && first
    }

    /// Whether those who call are enough, with those whom they call besides.
    fn may_open(&self, wanted: usize) -> bool {
        let is_caller = |commit: &Hash| self.callers.iter().any(|c| c.commit.one() == Some(commit));
        let called_too = |commit: &Hash| self.callers.iter().any(|caller| caller.cites(commit));
        let beside = self.sealed.iter().filter(|commit| !is_caller(commit) && called_too(commit));
        self.callers.len() + beside.count() >= wanted
    }

    /// Whom to cite: those who call, other sealed ones, and whom else the callers cite, though their
    /// commits have not come here: they were fixed before. Else two who are called at once, and do
    /// not know of each other, could never agree.
    ///
    /// A commit that an equal opening does not cite may be a copy of that opening, and is cited only
    /// where there is nobody else.
    fn partners(&self, unit: &Unit, own: &Voucher, wanted: usize) -> Vec<Hash> {
        let fits = |commit: &&Hash| self.equal.iter().all(|equal| equal.cites(commit));
        let (mut sealed, copies): (Vec<&Hash>, Vec<&Hash>) =
            self.sealed.iter().copied().partition(fits);
        sealed.sort_unstable();
        let held = |commit: &&Hash| unit.vouchers.iter().any(|v| v.commit.one() == Some(*commit));
        let cited = self.callers.iter().flat_map(|caller| &caller.cites);
        let unheard: BTreeSet<&Hash> = cited.filter(|c| !held(c)).filter(fits).collect();
        let calling = self.callers.iter().filter_map(|caller| caller.commit.one());
        let mut partners: Vec<&Hash> = Vec::new();
        for commit in calling.chain(sealed).chain(unheard) {
            if !partners.contains(&commit) {
                partners.push(commit);
            }
        }
        if partners.len() < wanted {
            partners.extend(copies);
        }
        let room = CITES_MAX.saturating_sub(own.cites.len());
        partners.into_iter().filter(|commit| !own.cites(commit)).take(room).copied().collect()
    }
}

/// Whether an author waits for others to open: of enough openings it will show itself whether it
/// agrees with them. Nothing is told to one who declined answers that have not come here yet.
fn is_waiting(caller: &Voucher, unit: &Unit, others: &[&Voucher], wanted: usize) -> bool {
    let pending = |other: &&&Voucher| {
        other.live().is_some() && other.mutual(caller) && !caller.declined(other)
    };
    let shown = |commit: &Hash| {
        let declined = unit.vouchers.iter().find(|other| other.commit.one() == Some(commit));
        match declined {
            Some(other) => other.unopened().is_none() || !other.declines.is_empty(),
            // Who commits twice has taken its commit back; it may have been this one.
            None => unit.vouchers.iter().any(|other| other.commit == Once::Many),
        }
    };
    let waits = others.iter().filter(pending).count() < wanted;
    caller.unopened().is_some() && waits && caller.declines.iter().all(shown)
}
