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
//! Invariant: what an author's own answer adds is declining: an author of whom others expect a step
//! has one.
use crate::{
    Answer, CITES_MAX, Hash,
    board::unit::{AuthorIndex, Decision, Unit, Voucher},
    verify::company::{Company, may_agree},
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

/// The step that is due from an author whose answer is sealed. `answer` is the author's own, if
/// known; without it this is what anybody may expect of the author.
///
/// Of a decided unit there is nothing left to copy: an answer still sealed is opened, cites nobody
/// and changes nothing, but tells what its author is worth.
pub fn step(company: &Company, me: AuthorIndex, n: u8, answer: Option<&Answer>) -> Option<Step> {
    let unit = company.unit;
    unit.voucher(me)?.unopened()?;
    let wanted = (n as usize).saturating_sub(1);
    if wanted == 0 || unit.standing.decision != Decision::Open {
        return Some(Step::Open(Vec::new()));
    }
    let own = company.author(me)?;
    let outlook = Outlook::of(company, own, answer, wanted);
    if !outlook.callers.is_empty() && outlook.may_open(wanted) {
        return Some(Step::Open(outlook.partners(unit, own, wanted)));
    }
    let declines: Vec<Hash> =
        outlook.unlike.iter().copied().take(CITES_MAX - own.declines.len()).copied().collect();
    let group = &company.group;
    let cites = match group.len() > wanted && outlook.shall_call(own, group) {
        true => {
            let cites = outlook.partners(unit, own, wanted);
            let group = group.iter().filter_map(|other| other.commit.one());
            let group = group.filter(|commit| own.unopened() != Some(commit));
            match cites.is_empty() {
                true => fresh(own, group),
                false => cites,
            }
        }
        false => Vec::new(),
    };
    (!cites.is_empty() || !declines.is_empty()).then_some(Step::Call { cites, declines })
}

/// The other authors of a unit, as the author of a sealed answer sees them.
struct Outlook<'a> {
    /// Those who cite its commit, and may still agree with its answer.
    callers: Vec<&'a Voucher>,
    /// Commits of those who may agree for all that others know, and have another answer.
    unlike: Vec<&'a Hash>,
    /// Commits of those whose answers are sealed, and may agree with it.
    sealed: Vec<&'a Hash>,
    /// Openings equal to its own answer.
    equal: Vec<&'a Voucher>,
}

impl<'a> Outlook<'a> {
    fn of(
        company: &Company<'a>,
        own: &'a Voucher,
        answer: Option<&Answer>,
        wanted: usize,
    ) -> Outlook<'a> {
        let equal = company.equal(answer);
        // Who declines an opening that is equal to this answer has another one.
        let differs = |other: &&Voucher| match other.live() {
            Some(theirs) => answer.is_some_and(|mine| mine != theirs),
            None => equal.iter().any(|opened| other.declined(opened)),
        };
        let others = company.live.iter().chain(&company.sealed).copied();
        let near = others.filter(|other| other.author != own.author && may_agree(own, other));
        let (unlike, like): (Vec<&Voucher>, Vec<&Voucher>) = near.partition(differs);
        let calls = |other: &&&Voucher| match other.live() {
            Some(_) => true,
            None => other.cites_commit_of(own) && is_waiting(other, company, wanted),
        };
        Outlook {
            callers: like.iter().filter(calls).copied().collect(),
            unlike: unlike.iter().filter_map(|other| other.commit.one()).collect(),
            sealed: like.iter().filter_map(|other| other.unopened()).collect(),
            equal,
        }
    }

    /// Whether its author is the one to call the others of the group whose turn it is.
    fn shall_call(&self, own: &Voucher, group: &[&Voucher]) -> bool {
        let Some((first, others)) = group.split_first() else { return false };
        let called = |other: &&Voucher| own.cites_commit_of(other);
        first.author == own.author && self.unlike.is_empty() && !others.iter().all(called)
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
        fresh(own, partners.into_iter())
    }
}

/// Of these commits those that an author has not cited yet, as many as it may.
fn fresh<'a>(own: &Voucher, commits: impl Iterator<Item = &'a Hash>) -> Vec<Hash> {
    let room = CITES_MAX.saturating_sub(own.cites.len());
    commits.filter(|commit| !own.cites(commit)).take(room).copied().collect()
}

/// Whether an author waits for others to open: of enough openings it will show itself whether it
/// agrees with them.
fn is_waiting(caller: &Voucher, company: &Company, wanted: usize) -> bool {
    let pending = |other: &&&Voucher| {
        other.mutual(caller) && other.is_apart(caller) && !caller.declined(other)
    };
    company.live.iter().filter(pending).count() < wanted
}
