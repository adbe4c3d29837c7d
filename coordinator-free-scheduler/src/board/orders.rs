//! What a signer of a job said, its owner or a delegate, as far as others act by it: whom it
//! trusts, whose word it takes no more, who is to run what, which answers it released.
//!
//! Several signers may speak: then there is to be run whatever one of them wants, and another's seed only
//! adds checks.
//!
//! Invariant: a join, like all of a board: each part only grows. A signer who says two different
//! things of one place has said nothing there, and harms that job alone.
use super::unit::{AuthorIndex, Once};
use crate::{
    ASKED_MAX, Answer, AuditStep, Hash, Nonce, PeerKey, Release, Reproducer, UnitIndex,
    verify::audited::{Check, Member, MemberIndex, ROSTER_MAX},
    wire,
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// Most peers whose word an owner may take back: the least, so that all boards remember the same.
pub(super) const LOST_MAX: usize = 2 * ROSTER_MAX;
/// Most refusals, draws and shown answers of one unit that are remembered: the least, so that all boards
/// remember the same.
const UNIT_MAX: usize = 64;

/// What one signer said that holds for the whole lot.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    signer: PeerKey,
    author: Option<AuthorIndex>,
    began: bool,
    parts: BTreeMap<MemberIndex, Once<(u32, Vec<Member>)>>,
    members: BTreeMap<PeerKey, (MemberIndex, u32)>,
    keys: Vec<PeerKey>,
    steps: u32,
    /// Whose word counts no more, and whether that is proved.
    lost: BTreeMap<PeerKey, bool>,
    /// The last pass that was closed, and the last that was settled.
    closed: Option<u8>,
    settled: Option<u8>,
    /// Units that other machines of its donor are to compute.
    asked: BTreeSet<(UnitIndex, PeerKey)>,
    /// Why the module is at fault, if it is.
    quarantine: Option<Box<Reproducer>>,
    void: bool,
    news: Option<News>,
}

/// What was heard since the board last looked.
#[derive(Clone, Copy, Debug)]
enum News {
    /// Whose word counts.
    Words,
    Roster,
}

impl Orders {
    /// Nothing said yet. An owner need not say that it begins.
    pub fn new(signer: PeerKey, began: bool) -> Orders {
        Orders { signer, began, ..Orders::default() }
    }

    /// Who says so.
    pub fn signer(&self) -> PeerKey {
        self.signer
    }

    /// Its number among the authors of the lot, if it has said anything.
    pub fn author(&self) -> Option<AuthorIndex> {
        self.author
    }

    /// Whether it decides about the job: an owner from the first on.
    pub fn has_begun(&self) -> bool {
        self.began && !self.void
    }

    /// Joins in a step.
    pub fn hear(&mut self, step: &AuditStep) {
        match step {
            AuditStep::Roster { first, of, members } if (*first as usize) < ROSTER_MAX => {
                if self.parts.entry(*first).or_default().join((*of, members.clone())) {
                    self.news = Some(News::Roster);
                }
            }
            AuditStep::Lost { peer, convicted } => {
                let known = self.lost.get(peer).copied();
                let news = known.is_none() || known == Some(false) && *convicted;
                if news {
                    self.lost.insert(*peer, *convicted);
                    if self.lost.len() > LOST_MAX {
                        self.lost.pop_last();
                    }
                    self.news.get_or_insert(News::Words);
                }
            }
            AuditStep::Closed { pass, .. } => self.closed = self.closed.max(Some(*pass)),
            AuditStep::Settled { pass } => self.settled = self.settled.max(Some(*pass)),
            AuditStep::Began { .. } => {
                if !core::mem::replace(&mut self.began, true) {
                    self.news.get_or_insert(News::Words);
                }
            }
            AuditStep::Asked(asked) => {
                let before = self.asked.len();
                self.asked.extend(asked);
                while self.asked.len() > ASKED_MAX {
                    self.asked.pop_last();
                }
                if self.asked.len() > before {
                    self.news.get_or_insert(News::Words);
                }
            }
            AuditStep::Quarantined(reproducer) => self.quarantine(reproducer),
            AuditStep::Beat
            | AuditStep::Witnessed(_)
            | AuditStep::Roster { .. }
            | AuditStep::Refused(_)
            | AuditStep::Own(_)
            | AuditStep::Counted(_)
            | AuditStep::Drawn(_)
            | AuditStep::Checked(_)
            | AuditStep::Silent(_)
            | AuditStep::Ruled(_)
            | AuditStep::Doubted(_)
            | AuditStep::Released(_)
            | AuditStep::Revealed(_) => {}
        }
    }

    /// Of several reproducers the least is told of, so that all boards tell the same.
    fn quarantine(&mut self, reproducer: &Reproducer) {
        if !reproducer.is_of(self.signer) {
            return;
        }
        if self.quarantine.is_none() {
            self.news.get_or_insert(News::Words);
        }
        let less = |known: &Reproducer| wire::encode(reproducer) < wire::encode(known);
        if self.quarantine.as_deref().is_none_or(less) {
            self.quarantine = Some(Box::new(reproducer.clone()));
        }
    }

    /// All steps of a batch were heard; answers whether any unit may stand otherwise now.
    pub fn settle(&mut self) -> bool {
        match self.news.take() {
            Some(News::Roster) => self.join_parts(),
            Some(News::Words) => {}
            None => return false,
        }
        true
    }

    /// So many steps were said by their author, from this place on.
    pub fn count(&mut self, author: AuthorIndex, first: u32, steps: usize) {
        self.author = Some(author);
        self.steps = self.steps.max(first.saturating_add(steps as u32));
    }

    /// The place of the next step.
    pub fn next_step(&self) -> u32 {
        self.steps
    }

    /// The signer keeps two logs: nothing that it said holds.
    pub fn void(&mut self) {
        *self = Orders { void: true, ..Orders::new(self.signer, self.began) };
    }

    /// Why the job's module is at fault, if the signer has found that it is.
    pub fn quarantined(&self) -> Option<&Reproducer> {
        self.quarantine.as_deref()
    }

    /// Whether a peer is to compute a unit, as a machine of the signer's donor.
    pub fn asks(&self, unit: UnitIndex, peer: PeerKey) -> bool {
        self.asked.contains(&(unit, peer))
    }

    /// Whether it is to compute any.
    pub fn asks_any(&self, peer: PeerKey) -> bool {
        self.asked.iter().any(|(_, asked)| *asked == peer)
    }

    /// Whether some pass was closed: members may be drawn in any lot from then on.
    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Whether a pass is closed and not settled: its checks are under way.
    pub fn is_checking(&self) -> bool {
        self.closed > self.settled
    }

    /// The roster holds once its parts fit together, from the first member to the last.
    fn join_parts(&mut self) {
        (self.members, self.keys) = Default::default();
        let mut all: Vec<&Member> = Vec::new();
        let mut wanted = None;
        for (first, part) in &self.parts {
            let Some((of, members)) = part.one() else { return };
            let fits = *first as usize == all.len() && wanted.is_none_or(|wanted| wanted == *of);
            if !fits || all.len() + members.len() > ROSTER_MAX {
                return;
            }
            wanted = Some(*of);
            all.extend(members);
        }
        if wanted.is_none_or(|wanted| wanted as usize != all.len()) {
            return;
        }
        self.keys = all.iter().map(|member| member.key).collect();
        let place = |(at, member): (usize, &&Member)| (member.key, (at as u32, member.weight));
        self.members = all.iter().enumerate().map(place).collect();
    }

    /// Whether the signer has said whom it trusts.
    pub fn is_open(&self) -> bool {
        !self.members.is_empty()
    }

    /// Whether a peer may vouch for what was released: it is on the roster, whatever became of it.
    pub fn may_vouch(&self, peer: PeerKey) -> bool {
        peer == self.signer || self.members.contains_key(&peer)
    }

    /// A member's weight, whatever became of it.
    pub fn weight(&self, peer: PeerKey) -> Option<u32> {
        self.members.get(&peer).map(|(_, weight)| *weight)
    }

    /// Members whose word counts.
    pub fn believed(&self) -> usize {
        self.members.keys().filter(|peer| !self.is_lost(**peer)).count()
    }

    /// A peer's place on the roster, if its word counts.
    pub fn member(&self, peer: PeerKey) -> Option<MemberIndex> {
        self.members.get(&peer).filter(|_| !self.is_lost(peer)).map(|(at, _)| *at)
    }

    /// A member's share of the weight of those whose word counts, times `whole`, as the signer reckons it.
    pub fn share(&self, peer: PeerKey, whole: usize) -> usize {
        let left = self.members.iter().filter(|(peer, _)| !self.is_lost(**peer));
        let all: u64 = left.map(|(_, (_, weight))| u64::from(*weight)).sum();
        let weight = self.members.get(&peer).map_or(0, |(_, weight)| *weight);
        (u128::from(weight) * whole as u128 / u128::from(all.max(1))) as usize
    }

    /// The key of a member.
    pub fn key(&self, member: MemberIndex) -> Option<PeerKey> {
        self.keys.get(member as usize).copied()
    }

    /// Whether a peer's word counts no more.
    pub fn is_lost(&self, peer: PeerKey) -> bool {
        self.lost.contains_key(&peer)
    }

    /// Whether the signer found a peer wrong beyond doubt.
    pub fn is_convicted(&self, peer: PeerKey) -> bool {
        self.lost.get(&peer) == Some(&true)
    }

    /// Peers whose word counts no more.
    pub fn lost(&self) -> impl ExactSizeIterator<Item = PeerKey> {
        self.lost.keys().copied()
    }

    /// Whether the signer takes a peer's word no more, and blames it for nothing.
    pub fn is_doubted(&self, peer: PeerKey) -> bool {
        self.lost.get(&peer) == Some(&false)
    }

    /// Whether a peer's commit may be a unit's answer.
    pub fn believes(&self, peer: PeerKey) -> bool {
        match self.is_open() {
            true => self.member(peer).is_some(),
            false => !self.is_lost(peer) && !self.void,
        }
    }
}

/// An answer that was released.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Released {
    /// Its place in the signer's course.
    pub place: u32,
    /// The answer.
    pub answer: Answer,
    /// What hides it in the voucher that shows it.
    pub nonce: Nonce,
}

impl Released {
    /// What is said later holds. A signer that says two things in one place is two-faced: then the
    /// same one holds everywhere.
    fn rank(&self) -> (u32, Nonce, Hash) {
        (self.place, self.nonce, Hash::of(&wire::encode(&self.answer)))
    }
}

/// What a signer shows of a member's answer, or of its own.
type Shown = (Option<MemberIndex>, Once<(Answer, Nonce)>);

/// What one signer said of one unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnitOrders {
    /// Who said so.
    pub author: AuthorIndex,
    /// Whose commits do not count, sorted.
    pub refused: Vec<PeerKey>,
    /// Who is to check it, and whether it was found silent; sorted.
    pub drawn: Vec<(MemberIndex, bool)>,
    /// The answer that was released last, by its place in the signer's course.
    pub released: Option<Released>,
    /// What members committed to, by the signer's word; the signer itself first. Sorted.
    pub shown: Vec<Shown>,
}

impl UnitOrders {
    /// None yet.
    pub fn new(author: AuthorIndex) -> UnitOrders {
        let (refused, drawn, shown) = (Vec::new(), Vec::new(), Vec::new());
        UnitOrders { author, refused, drawn, released: None, shown }
    }

    /// Joins in an order; answers whether it was new.
    pub fn hear(&mut self, order: &Order) -> bool {
        match order {
            Order::Refused(peer) => match self.refused.binary_search(peer) {
                Ok(_) => false,
                Err(at) => {
                    self.refused.insert(at, **peer);
                    self.refused.truncate(UNIT_MAX);
                    at < UNIT_MAX
                }
            },
            Order::Drawn(member) => self.draw(*member, false),
            Order::Silent(member) => self.draw(*member, true),
            Order::Released(release, place) => self.release(release, *place) | self.show(release),
            Order::Revealed(release) => self.show(release),
        }
    }

    fn release(&mut self, release: &Release, place: u32) -> bool {
        let answer = release.answer.clone();
        let released = Released { place, answer, nonce: release.nonce };
        let later = self.released.as_ref().is_none_or(|known| known.rank() < released.rank());
        if later {
            self.released = Some(released);
        }
        later
    }

    fn show(&mut self, release: &Release) -> bool {
        let shown = (release.answer.clone(), release.nonce);
        match self.shown.binary_search_by_key(&release.member, |(member, _)| *member) {
            Ok(at) => self.shown[at].1.join(shown),
            Err(at) => {
                self.shown.insert(at, (release.member, Once::One(shown)));
                self.shown.truncate(UNIT_MAX);
                at < UNIT_MAX
            }
        }
    }

    fn draw(&mut self, member: MemberIndex, silent: bool) -> bool {
        match self.drawn.binary_search_by_key(&member, |(drawn, _)| *drawn) {
            Ok(at) => silent && !core::mem::replace(&mut self.drawn[at].1, true),
            Err(at) => {
                self.drawn.insert(at, (member, silent));
                self.drawn.truncate(UNIT_MAX);
                at < UNIT_MAX
            }
        }
    }

    /// Whether a member was ever to check the unit.
    pub fn wanted(&self, member: MemberIndex) -> bool {
        self.drawn.binary_search_by_key(&member, |(drawn, _)| *drawn).is_ok()
    }

    /// Whether a member is to check the unit.
    pub fn wants(&self, member: MemberIndex) -> bool {
        self.drawn.binary_search(&(member, false)).is_ok()
    }
}

/// What a signer said of one unit.
#[derive(Clone, Copy, Debug)]
pub enum Order<'a> {
    /// This peer's commit does not count.
    Refused(&'a PeerKey),
    /// This member is to check it.
    Drawn(MemberIndex),
    /// This one is not waited for any more.
    Silent(MemberIndex),
    /// This is its answer, by the step in this place.
    Released(&'a Release, u32),
    /// This is what somebody committed to.
    Revealed(&'a Release),
}

impl<'a> Order<'a> {
    /// What a step in this place says of units.
    pub fn of(place: u32, step: &'a AuditStep) -> impl Iterator<Item = (UnitIndex, Order<'a>)> {
        let (mut refused, mut drawn, mut silent, mut released, mut revealed) = Default::default();
        match step {
            AuditStep::Refused(said) => refused = said.as_slice(),
            AuditStep::Drawn(said) => drawn = said.as_slice(),
            AuditStep::Silent(said) => silent = said.as_slice(),
            AuditStep::Released(said) => released = said.as_slice(),
            AuditStep::Revealed(said) => revealed = said.as_slice(),
            AuditStep::Roster { .. }
            | AuditStep::Own(_)
            | AuditStep::Counted(_)
            | AuditStep::Closed { .. }
            | AuditStep::Checked(_)
            | AuditStep::Ruled(_)
            | AuditStep::Doubted(_)
            | AuditStep::Lost { .. }
            | AuditStep::Settled { .. }
            | AuditStep::Began { .. }
            | AuditStep::Asked(_)
            | AuditStep::Witnessed(_)
            | AuditStep::Quarantined(_)
            | AuditStep::Beat => {}
        }
        let refused = refused.iter().map(|(unit, peer)| (*unit, Order::Refused(peer)));
        let drawn = drawn.iter().map(|check: &Check| (check.unit, Order::Drawn(check.member)));
        let silent = silent.iter().map(|check: &Check| (check.unit, Order::Silent(check.member)));
        let released = released.iter();
        let released = released.map(move |one: &Release| (one.unit, Order::Released(one, place)));
        let revealed = revealed.iter().map(|one: &Release| (one.unit, Order::Revealed(one)));
        refused.chain(drawn).chain(silent).chain(released).chain(revealed)
    }
}
