//! The state of one verification lot, pass by pass.
//!
//! ```text
//! Executing ──close(seed)──► Checking ──all checked, all ruled──► settle ──► Executing, one pass on
//!                                                                    ├─────► Released
//!                                                                    └─────► Quarantined
//! ```
//! Invariants: a convicted member vouches for nothing; a unit counts as answered only by members who
//! vouch for it; what the owner computed itself is final.
use super::{
    Check, Draw, Level, MemberIndex, Phase, Proof, Refused, Roster, Ruling, Terms, Vouch,
    first_level,
};
use crate::{Hash, UnitIndex};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};

/// Executors may take this many times their share of the weight.
const SHARES: u128 = 2;

#[derive(Clone, Debug)]
pub(super) struct UnitState<A> {
    pub(super) vouches: Vec<Vouch<A>>,
    /// Who is to check it in this pass.
    pub(super) drawn: Vec<MemberIndex>,
    /// Vouchers that it needs, whatever the level.
    pub(super) least: u8,
    /// Independent words for it before this pass.
    pub(super) before: u8,
    /// The pass of its first answer that is still believed.
    pub(super) executed_in: u8,
    /// What the owner computed.
    pub(super) ruled: Option<A>,
    pub(super) split: bool,
    /// Who was drawn in this pass and did not answer.
    pub(super) silent: Vec<MemberIndex>,
}

/// A verification lot.
#[derive(Clone, Debug)]
pub struct Audit<A> {
    pub(super) terms: Terms,
    roster: Roster,
    pub(super) units: Vec<UnitState<A>>,
    taken: Vec<u32>,
    pub(super) convicted: BTreeMap<MemberIndex, Proof>,
    /// Whose word counts no more: the convicted, and who answered otherwise than the owner found, on
    /// processors that the owner has not, which is no proof and no answer to rely on.
    pub(super) lost: BTreeSet<MemberIndex>,
    /// Those of them who were lost when the pass was closed: draws go by this, whatever is found out later.
    out: BTreeSet<MemberIndex>,
    /// The weight of the lost.
    lost_weight: u64,
    /// Lies found in this pass, by whose answer each would have been accepted: all, and of these the ones
    /// that an earlier pass had let through.
    pub(super) caught: BTreeMap<MemberIndex, [u32; 2]>,
    pub(super) pass: u8,
    pub(super) level: Level,
    seed: Hash,
    pub(super) estimate: f64,
    pub(super) executions: u64,
    pub(super) waiting: usize,
    /// Units that wait for an executor.
    pub(super) open: usize,
    /// Whether it was released with as few wrong units as was asked for, and every check made.
    pub(super) achieved: bool,
    /// Checks that this pass should have had, and for which nobody was left.
    pub(super) short: u64,
    /// Whether somebody was convicted since the last settlement.
    pub(super) tainted: bool,
    pub(super) disputed: BTreeSet<UnitIndex>,
    pub(super) phase: Phase,
}

impl<A: Clone + PartialEq> Audit<A> {
    /// A lot of so many units, in its first pass.
    pub fn new(terms: Terms, roster: Roster, units: u32) -> Audit<A> {
        let unit = UnitState {
            vouches: Vec::new(),
            drawn: Vec::new(),
            least: 1,
            before: 0,
            executed_in: 0,
            ruled: None,
            split: false,
            silent: Vec::new(),
        };
        Audit {
            taken: vec![0; roster.members().len()],
            level: first_level(units, terms.max_error, terms.friends),
            terms,
            roster,
            units: vec![unit; units as usize],
            convicted: BTreeMap::new(),
            lost: BTreeSet::new(),
            out: BTreeSet::new(),
            lost_weight: 0,
            caught: BTreeMap::new(),
            pass: 0,
            seed: Hash([0; 32]),
            estimate: 0.0,
            executions: 0,
            waiting: 0,
            open: units as usize,
            achieved: false,
            short: 0,
            tainted: false,
            disputed: BTreeSet::new(),
            phase: Phase::Executing,
        }
    }

    // ---- what is known -----------------------------------------------------------------------

    /// Where it is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// How hard its units are checked.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The pass, from 0.
    pub fn pass(&self) -> u8 {
        self.pass
    }

    /// Executions so far: by members, and by the owner to settle disputes.
    pub fn executions(&self) -> u64 {
        self.executions
    }

    /// Whom it trusts.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Who was convicted, and of what.
    pub fn convicted(&self) -> &BTreeMap<MemberIndex, Proof> {
        &self.convicted
    }

    /// What is taken to be a unit's answer.
    pub fn answer(&self, unit: UnitIndex) -> Option<&A> {
        let state = self.units.get(unit as usize)?;
        let first = state.vouches.first().map(|vouch| &vouch.answer);
        state.ruled.as_ref().or(first)
    }

    /// Who vouches for a unit.
    pub fn vouches(&self, unit: UnitIndex) -> &[Vouch<A>] {
        self.units.get(unit as usize).map_or(&[], |state| &state.vouches)
    }

    /// Whether a unit's answers may be known to all: if it is ruled, or all is released. Until then only
    /// owner and delegates can read them, in whichever pass, so there is nothing that a checker of a
    /// later one could copy.
    pub fn opened(&self, unit: UnitIndex) -> bool {
        let ruled = self.units.get(unit as usize).is_some_and(|state| state.ruled.is_some());
        ruled || matches!(self.phase, Phase::Released(_))
    }

    /// Units that wait for an executor.
    pub fn unexecuted(&self) -> impl Iterator<Item = UnitIndex> {
        let open = |(_, state): &(usize, &UnitState<A>)| state.is_unexecuted();
        self.units.iter().enumerate().filter(open).map(|(unit, _)| unit as UnitIndex)
    }

    /// How many units wait for an executor.
    pub fn open(&self) -> usize {
        self.open
    }

    /// How many checks are still to come.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether it was released with as few wrong units as was asked for, and every check made.
    pub fn is_achieved(&self) -> bool {
        self.achieved
    }

    /// Checks of the last pass for which nobody was left.
    pub fn short(&self) -> u64 {
        self.short
    }

    /// Whether a member is to check a unit.
    pub fn is_drawn(&self, check: Check) -> bool {
        let state = self.units.get(check.unit as usize);
        state.is_some_and(|state| state.drawn.contains(&check.member))
    }

    /// Checks that are still to come.
    pub fn unchecked(&self) -> impl Iterator<Item = Check> {
        self.units.iter().enumerate().flat_map(|(unit, state)| {
            state.drawn.iter().map(move |member| Check { unit: unit as UnitIndex, member: *member })
        })
    }

    /// Units that wait for a ruling.
    pub fn disputed(&self) -> &BTreeSet<UnitIndex> {
        &self.disputed
    }

    /// Whose word counts no more, proved or in doubt.
    pub fn lost(&self) -> &BTreeSet<MemberIndex> {
        &self.lost
    }

    /// Whether the owner computed a unit itself.
    pub fn is_final(&self, unit: UnitIndex) -> bool {
        self.units.get(unit as usize).is_some_and(|state| state.ruled.is_some())
    }

    /// Whether a unit waits for an executor.
    pub fn is_unexecuted(&self, unit: UnitIndex) -> bool {
        self.units.get(unit as usize).is_some_and(UnitState::is_unexecuted)
    }

    /// Whether a member may execute one more unit.
    pub fn may_take(&self, member: MemberIndex) -> bool {
        self.may_take_more(member, 0)
    }

    /// Whether a member may execute one more unit, beside `more` that are not counted yet.
    pub fn may_take_more(&self, member: MemberIndex, more: u32) -> bool {
        let Some(weight) = self.roster.member(member).map(|member| member.weight) else {
            return false;
        };
        // Of those who are left: they have to do the work of the others too.
        let whole = u128::from((self.roster.weight() - self.lost_weight).max(1));
        let share = u128::from(weight) * self.units.len() as u128 * SHARES;
        let most = (share / whole).max(1);
        let taken = self.taken[member as usize].saturating_add(more);
        !self.lost.contains(&member) && u128::from(taken) < most
    }

    // ---- what is said ------------------------------------------------------------------------

    /// A unit shall have so many vouchers at least, whatever the level; said before anything else.
    pub fn at_least(&mut self, unit: UnitIndex, vouchers: u8) {
        if let Some(state) = self.units.get_mut(unit as usize) {
            state.least = state.least.max(vouchers);
        }
    }

    /// A member's answer to a unit that had no executor.
    ///
    /// # Errors
    /// It does not count.
    pub fn executed(&mut self, unit: UnitIndex, vouch: Vouch<A>) -> Result<(), Refused> {
        if self.phase != Phase::Executing {
            return Err(Refused::Phase);
        }
        let state = self.units.get(unit as usize).ok_or(Refused::NoSuchUnit)?;
        if !state.is_unexecuted() || !self.may_take(vouch.member) {
            return Err(Refused::Taken);
        }
        self.taken[vouch.member as usize] += 1;
        self.executions += 1;
        self.open -= 1;
        let state = &mut self.units[unit as usize];
        state.vouches.push(vouch);
        state.executed_in = self.pass;
        Ok(())
    }

    /// What the owner computed itself, which is final; whoever answered otherwise is convicted.
    ///
    /// # Errors
    /// Checks are under way.
    pub fn own(&mut self, unit: UnitIndex, answer: A) -> Result<(), Refused> {
        if self.phase != Phase::Executing {
            return Err(Refused::Phase);
        }
        let state = self.units.get_mut(unit as usize).ok_or(Refused::NoSuchUnit)?;
        self.executions += u64::from(state.ruled.is_none());
        self.open -= usize::from(state.is_unexecuted());
        let (right, wrong): (Vec<_>, Vec<_>) =
            core::mem::take(&mut state.vouches).into_iter().partition(|v| v.answer == answer);
        (state.vouches, state.ruled) = (right, Some(answer));
        for vouch in wrong {
            self.convict(vouch.member, Proof::Wrong(unit));
        }
        Ok(())
    }

    /// The owner closed the lot for this pass, and published its seed: draws the checkers.
    ///
    /// # Errors
    /// Units wait for their executors yet.
    pub fn close(&mut self, seed: Hash) -> Result<(), Refused> {
        if self.phase != Phase::Executing {
            return Err(Refused::Phase);
        }
        if self.open > 0 {
            return Err(Refused::Unfinished);
        }
        self.seed = seed;
        self.phase = Phase::Checking;
        self.out = self.lost.clone();
        for unit in 0..self.units.len() as UnitIndex {
            let (drawn, wanted) = self.draw(unit);
            self.waiting += drawn.len();
            self.short += (wanted - drawn.len()) as u64;
            let state = &mut self.units[unit as usize];
            state.before = state.vouches.len().saturating_sub(1) as u8;
            state.drawn = drawn;
            state.silent.clear();
        }
        Ok(())
    }

    /// The members that are to check a unit in this pass, beside those who vouch for it; and how many it
    /// should have been.
    fn draw(&self, unit: UnitIndex) -> (Vec<MemberIndex>, usize) {
        let state = &self.units[unit as usize];
        if state.ruled.is_some() {
            return (Vec::new(), 0);
        }
        let draw = Draw::new(&self.roster, &self.seed, unit);
        let level = self.level.whole() + u32::from(draw.coin(self.level.part()));
        let wanted = (level as usize + 1).max(state.least.into());
        let missing = wanted.saturating_sub(state.vouches.len());
        (draw.checkers(missing, |member| self.may_check(unit, member)), missing)
    }

    fn may_check(&self, unit: UnitIndex, member: MemberIndex) -> bool {
        let state = &self.units[unit as usize];
        let vouches = state.vouches.iter().map(|vouch| vouch.member);
        let kin = vouches.chain(state.drawn.iter().copied());
        let known = kin.into_iter().any(|other| self.roster.are_kin(other, member));
        !known && !state.silent.contains(&member) && !self.out.contains(&member)
    }

    /// The answer of a member who was drawn.
    ///
    /// # Errors
    /// It does not count.
    pub fn checked(&mut self, unit: UnitIndex, vouch: Vouch<A>) -> Result<(), Refused> {
        self.leave_draw(unit, vouch.member)?;
        self.executions += 1;
        let state = &mut self.units[unit as usize];
        if state.vouches.iter().any(|other| other.answer != vouch.answer) {
            self.disputed.insert(unit);
        }
        state.vouches.push(vouch);
        Ok(())
    }

    /// A member who was drawn does not answer: the next of the draw takes its place. The seed fixed who
    /// that is before anybody could know, so silence chooses nobody.
    ///
    /// # Errors
    /// It was not drawn.
    pub fn silent(
        &mut self,
        unit: UnitIndex,
        member: MemberIndex,
    ) -> Result<Option<Check>, Refused> {
        self.leave_draw(unit, member)?;
        self.units[unit as usize].silent.push(member);
        let draw = Draw::new(&self.roster, &self.seed, unit);
        let next = draw.checkers(1, |other| self.may_check(unit, other)).first().copied();
        match next {
            Some(member) => {
                self.units[unit as usize].drawn.push(member);
                self.waiting += 1;
            }
            None => self.short += 1,
        }
        Ok(next.map(|member| Check { unit, member }))
    }

    fn leave_draw(&mut self, unit: UnitIndex, member: MemberIndex) -> Result<(), Refused> {
        if self.phase != Phase::Checking {
            return Err(Refused::Phase);
        }
        let state = self.units.get_mut(unit as usize).ok_or(Refused::NoSuchUnit)?;
        let at = state.drawn.iter().position(|drawn| *drawn == member).ok_or(Refused::NotDrawn)?;
        state.drawn.remove(at);
        self.waiting -= 1;
        Ok(())
    }

    /// Somebody outside the roster has another answer to a unit: the owner has to look.
    ///
    /// # Errors
    /// No such unit, or the lot is not being checked.
    pub fn doubted(&mut self, unit: UnitIndex, answer: &A) -> Result<(), Refused> {
        if self.phase != Phase::Checking {
            return Err(Refused::Phase);
        }
        let known = self.answer(unit).ok_or(Refused::NoSuchUnit)?;
        if known != answer && self.units[unit as usize].ruled.is_none() {
            self.disputed.insert(unit);
        }
        Ok(())
    }

    /// What the owner found about a disputed unit, once all checks are in: so nothing hangs on which came
    /// first. Who was wrong is convicted, if it was computed on its own class of processors, or on two.
    /// Another is in doubt: its word counts no more here, and nobody is blamed.
    ///
    /// # Errors
    /// It is in no dispute, or checks are still to come.
    pub fn rule(&mut self, unit: UnitIndex, ruling: Ruling<A>) -> Result<(), Refused> {
        if self.waiting > 0 {
            return Err(Refused::Unfinished);
        }
        if !self.disputed.remove(&unit) {
            return Err(Refused::NoDispute);
        }
        let state = &mut self.units[unit as usize];
        let (answer, classes) = match ruling {
            Ruling::Answer(answer, classes) => (answer, classes),
            Ruling::Split => {
                state.split = true;
                return Ok(());
            }
        };
        self.executions += classes.len().max(1) as u64;
        // Who was believed: a checker's lie about a right answer is always found, and tells nothing of
        // lies that are not.
        if let Some(believed) = state.vouches.first().filter(|first| first.answer != answer) {
            let [all, old] = self.caught.entry(believed.member).or_default();
            *all += 1;
            *old += u32::from(state.executed_in < self.pass);
        }
        let (right, wrong): (Vec<_>, Vec<_>) =
            core::mem::take(&mut state.vouches).into_iter().partition(|v| v.answer == answer);
        (state.vouches, state.ruled) = (right, Some(answer));
        for Vouch { member, .. } in wrong {
            let class = self.roster.member(member).map(|member| member.arch);
            match classes.len() > 1 || class.is_some_and(|class| classes.contains(&class)) {
                true => self.convict(member, Proof::Wrong(unit)),
                false => self.lose(member),
            }
        }
        Ok(())
    }

    /// A member is proved to be at fault.
    pub fn convict(&mut self, member: MemberIndex, proof: Proof) {
        self.lose(member);
        if self.lost.contains(&member) {
            self.convicted.entry(member).or_insert(proof);
        }
    }

    /// A member's word counts no more.
    fn lose(&mut self, member: MemberIndex) {
        if let Some(weight) = self.roster.member(member).map(|member| member.weight)
            && self.lost.insert(member)
        {
            self.lost_weight += u64::from(weight);
            self.tainted = true;
        }
    }
}

impl<A> UnitState<A> {
    pub(super) fn is_unexecuted(&self) -> bool {
        self.vouches.is_empty() && self.ruled.is_none()
    }

    /// Checkers by number, behind whoever answered first: the order in which they were heard says nothing.
    pub(super) fn put_in_order(&mut self) {
        if let Some(checkers) = self.vouches.get_mut(1..) {
            checkers.sort_unstable_by_key(|vouch| vouch.member);
        }
    }

    /// Whether it needs another pass.
    pub(super) fn is_unfinished(&self) -> bool {
        self.ruled.is_none() && self.vouches.len() < self.least.into()
    }
}
