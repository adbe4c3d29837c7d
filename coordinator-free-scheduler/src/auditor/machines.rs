//! A signer's own other machines: nodes of the same donor on other classes of processors. What they come to
//! counts as the signer's own word for their class.
//!
//! Somebody on another class has another answer than the signer's node: either the module comes to other
//! things there, or that peer was wrong. One such machine tells. If its answer is the signer's own, that
//! holds on two classes, and whoever differs is convicted whatever it says to have; if not, the module
//! itself is at fault: the job ends, and nobody is blamed.
//!
//! Invariant: what a peer says of its own processor excuses it, and does no more; without a machine of the
//! signer's it leads to no conviction and no quarantine. What it is not: a search for such modules; units on
//! which nobody was seen to differ are computed on no second class.
use super::{Auditor, answers_to, arch_of};
use crate::{ASKED_MAX, AuditStep, Millis, PeerKey, Reproducer, UnitIndex, Witness};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};

/// What is asked of them, and what they came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Machines {
    /// Peers that answered otherwise than this node on another class of processors, each with one such unit.
    suspects: BTreeMap<PeerKey, UnitIndex>,
    /// Who is to compute which unit, and since when it was waited for.
    asked: BTreeMap<(UnitIndex, PeerKey), Option<Millis>>,
    /// Those that did not answer.
    absent: BTreeSet<(UnitIndex, PeerKey)>,
    /// Classes beside this node's own on which units came to the same.
    agreed: BTreeMap<UnitIndex, BTreeSet<u8>>,
    quarantine: Option<Box<Reproducer>>,
}

/// What another machine has to say of a unit.
enum Opinion {
    /// Nothing: there is none, or it has said it.
    Settled,
    /// This, and it is here.
    Here(PeerKey),
    /// It was asked.
    Awaited,
    /// It can be asked.
    Wanted(PeerKey),
}

impl Machines {
    /// A peer answered a unit otherwise than this node, on another class.
    pub fn suspect(&mut self, peer: PeerKey, unit: UnitIndex) {
        self.suspects.entry(peer).or_insert(unit);
    }

    /// Machines are to compute units.
    pub fn ask(&mut self, asked: &[(UnitIndex, PeerKey)]) -> bool {
        for place in asked {
            self.asked.entry(*place).or_insert(None);
        }
        true
    }

    /// Whether a machine is to compute a unit.
    pub fn asks(&self, unit: UnitIndex, peer: PeerKey) -> bool {
        self.asked.contains_key(&(unit, peer))
    }

    /// Classes on which a unit came to what this node found; its own among them.
    pub fn classes(&self, unit: UnitIndex, own: u8) -> Vec<u8> {
        let others = self.agreed.get(&unit).into_iter().flatten();
        [own].into_iter().chain(others.copied()).collect()
    }
}

impl Auditor {
    /// Whether a peer that answers a unit otherwise than this node is wrong beyond doubt.
    pub(super) fn convicts(&self, peer: PeerKey, unit: UnitIndex) -> bool {
        let same_class = arch_of(&self.hosts, peer) == self.arch();
        same_class || self.machines.agreed.contains_key(&unit)
    }

    /// Whether the module was found to be at fault.
    pub(super) fn is_quarantined(&self) -> bool {
        self.machines.quarantine.is_some()
    }

    /// Other machines of this signer's donor, and their classes.
    fn own_machines(&self) -> impl Iterator<Item = (PeerKey, u8)> {
        let donor = |peer: &PeerKey| {
            let link = self.hosts.get(peer).and_then(|host| host.link.as_ref());
            link.map(|link| link.donor)
        };
        // A delegate's would prove nothing to others.
        let mine = donor(&self.turn.me()).filter(|_| self.turn.is_owner());
        let arch = self.arch();
        let other = move |of: u8| arch != 0 && of != 0 && of != arch;
        let hosts = self
            .hosts
            .iter()
            .filter(move |(peer, host)| mine.is_some() && donor(peer) == mine && other(host.arch));
        hosts.map(|(peer, host)| (*peer, host.arch))
    }

    /// What there is to be had about a unit to which a peer of this class has another answer. A machine of
    /// its class is asked, or if there is none any other.
    fn opinion(&self, unit: UnitIndex, class: u8) -> Opinion {
        let here = |peer: &PeerKey| self.answers.contains_key(&(unit, *peer));
        let absent = |peer: &PeerKey| self.machines.absent.contains(&(unit, *peer));
        let left = |(peer, _): &(PeerKey, u8)| here(peer) || !absent(peer);
        let all: Vec<(PeerKey, u8)> = self.own_machines().filter(left).collect();
        let of_class = all.iter().find(|(_, arch)| *arch == class).or(all.first());
        let Some((_, class)) = of_class.copied() else { return Opinion::Settled };
        let agreed = self.machines.agreed.get(&unit);
        if agreed.is_some_and(|agreed| agreed.contains(&class)) {
            return Opinion::Settled;
        }
        if all.iter().any(|(machine, arch)| self.is_alone(unit, *machine, *arch)) {
            return Opinion::Settled;
        }
        let peers = || all.iter().filter(|(_, arch)| *arch == class).map(|(peer, _)| *peer);
        let asked = |peer: PeerKey| self.machines.asks(unit, peer);
        let room = self.machines.asked.len() < ASKED_MAX;
        match (peers().find(here), peers().next()) {
            (Some(machine), _) => Opinion::Here(machine),
            (None, _) if peers().any(asked) => Opinion::Awaited,
            (None, Some(machine)) if room => Opinion::Wanted(machine),
            (None, _) => Opinion::Settled,
        }
    }

    /// Those of whom it is not told yet that their word counts no more, with what another machine has to say.
    /// The third says whether it is about a member of the roster.
    fn opinions(&self) -> impl Iterator<Item = (UnitIndex, Opinion, bool)> {
        let open = self.machines.suspects.iter();
        let open = open.filter(|(peer, _)| !self.told_lost.contains_key(peer));
        open.map(|(peer, unit)| {
            let opinion = self.opinion(*unit, arch_of(&self.hosts, *peer));
            (*unit, opinion, self.places.contains_key(peer))
        })
    }

    /// Whether a machine and this node differ, and others took the side of one against its class: then it is a
    /// machine that errs, and not the module.
    fn is_alone(&self, unit: UnitIndex, machine: PeerKey, class: u8) -> bool {
        let known = self.own.get(&unit).zip(self.answers.get(&(unit, machine)));
        let Some(((own, _), (other, _))) = known.filter(|(own, other)| own.0 != other.0) else {
            return false;
        };
        answers_to(&self.answers, unit).filter(|(peer, _)| *peer != machine).any(
            |(peer, answer)| {
                let arch = arch_of(&self.hosts, peer);
                arch == class && answer == own || arch == self.arch() && answer == other
            },
        )
    }

    /// Whether another machine may tell yet who of those on the roster was wrong. Strangers hold up nobody.
    pub(super) fn awaits_witnesses(&self) -> bool {
        let members = self.machines.suspects.keys().filter(|peer| self.places.contains_key(peer));
        members.into_iter().any(|peer| self.awaits_witness(*peer))
    }

    /// Whether one may tell yet of this peer.
    pub(super) fn awaits_witness(&self, peer: PeerKey) -> bool {
        let class = arch_of(&self.hosts, peer);
        let unit = self.machines.suspects.get(&peer);
        unit.is_some_and(|unit| !matches!(self.opinion(*unit, class), Opinion::Settled))
    }

    /// Asks other machines about units to which somebody on another class has another answer, and says
    /// what they came to.
    pub(super) fn consult(&self) -> Vec<AuditStep> {
        let (mut asked, mut same) = (BTreeSet::new(), BTreeMap::new());
        for (unit, opinion, member) in self.opinions() {
            let strangers = self.machines.asked.len() + asked.len() < ASKED_MAX / 4;
            match opinion {
                Opinion::Settled | Opinion::Awaited => {}
                Opinion::Wanted(_) if !member && !strangers => {}
                Opinion::Wanted(machine) => drop(asked.insert((unit, machine))),
                Opinion::Here(machine) => {
                    let Some(own) = self.word_of(unit, self.turn.me()) else { continue };
                    let Some(other) = self.word_of(unit, machine) else { continue };
                    if own.answer != other.answer {
                        let reproducer = Box::new(Reproducer { own, other });
                        return vec![AuditStep::Quarantined(reproducer)];
                    }
                    same.insert((unit, machine), other);
                }
            }
        }
        let same: Vec<Witness> = same.into_values().collect();
        let witnessed = (!same.is_empty()).then_some(AuditStep::Witnessed(same));
        let room = ASKED_MAX.saturating_sub(self.machines.asked.len());
        let asked: Vec<_> = asked.into_iter().take(room).collect();
        let asked = (!asked.is_empty()).then_some(AuditStep::Asked(asked));
        witnessed.into_iter().chain(asked).collect()
    }

    /// What one of this signer's machines came to.
    fn word_of(&self, unit: UnitIndex, peer: PeerKey) -> Option<Witness> {
        let mine = peer == self.turn.me();
        let known = if mine { self.own.get(&unit) } else { self.answers.get(&(unit, peer)) };
        let ((answer, nonce), arch) = (known?.clone(), arch_of(&self.hosts, peer));
        Some(Witness { unit, peer, arch, answer, nonce })
    }

    /// Takes the word of other machines that came to the same as this node.
    pub(super) fn witness(&mut self, all: &[Witness]) -> bool {
        let mut follows = true;
        for Witness { unit, arch, answer, .. } in all {
            if self.own.get(unit).is_none_or(|(own, _)| own != answer) {
                follows = false;
                continue;
            }
            self.machines.agreed.entry(*unit).or_default().insert(*arch);
            for (peer, other) in answers_to(&self.answers, *unit) {
                if other != answer {
                    self.proofs.convict(peer);
                }
            }
        }
        follows
    }

    /// The module is at fault.
    pub(super) fn quarantine(&mut self, reproducer: &Reproducer) -> bool {
        self.machines.quarantine.get_or_insert_with(|| Box::new(reproducer.clone()));
        self.to_run.clear();
        self.audit.iter_mut().for_each(super::Audit::quarantine);
        true
    }

    /// Waits no longer for machines that were asked long ago, if they are not `busy`, which answers how long
    /// that may take yet.
    pub(super) fn give_up_witnesses(
        &mut self,
        now: Millis,
        busy: impl Fn(UnitIndex, PeerKey) -> Option<u64>,
    ) {
        for ((unit, peer), since) in &mut self.machines.asked {
            let since = *since.get_or_insert(now);
            let patience_ms = busy(*unit, *peer);
            if patience_ms.is_some_and(|patience_ms| now.since(since) >= patience_ms) {
                self.machines.absent.insert((*unit, *peer));
            }
        }
    }
}
