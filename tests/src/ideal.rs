//! The schedulers that a grid is measured against: they sit in the middle, know every peer and are
//! told at once. One knows all costs and all sessions beforehand, the other knows speeds alone.
//!
//! Both have only the honest peers, and send nothing.
use crate::{
    scenario::Scenario,
    sessions::{NEVER_US, Sessions},
};
use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, VecDeque},
};

/// A copy has to end in this share of the time that is left without it.
const WORTH: f64 = 0.7;
/// Copies of a unit beyond those wanted.
const COPIES_MAX: usize = 8;
/// Sessions that are looked ahead for a unit that fits none.
const SESSIONS_MAX: usize = 10_000;

struct Machine<'a> {
    peer: usize,
    speed: f64,
    known: Vec<(u64, u64)>,
    more: Sessions<'a>,
    free_us: Vec<u64>,
}

impl<'a> Machine<'a> {
    fn all(scenario: &'a Scenario) -> Vec<Machine<'a>> {
        let machine = |peer| Machine {
            peer,
            speed: scenario.speed(peer),
            known: Vec::new(),
            more: Sessions::of(scenario, peer),
            free_us: vec![0; scenario.slots],
        };
        (0..scenario.honest()).map(machine).collect()
    }

    /// The first session that ends after a moment.
    fn session(&mut self, at_us: u64) -> Option<(u64, u64)> {
        let mut from = self.known.partition_point(|(_, off)| *off <= at_us);
        while from >= self.known.len() {
            self.known.push(self.more.next()?);
            from = self.known.partition_point(|(_, off)| *off <= at_us);
        }
        self.known.get(from).copied()
    }

    /// When work that is begun at a moment or later, in one session, would end.
    fn end_of(&mut self, mut at_us: u64, took_us: u64) -> u64 {
        for _ in 0..SESSIONS_MAX {
            let Some((on, off)) = self.session(at_us) else { return NEVER_US };
            let begin = at_us.max(on);
            if begin.saturating_add(took_us) <= off {
                return begin + took_us;
            }
            at_us = off;
        }
        NEVER_US
    }

    /// When work would end in the best of its slots, with its number and the slot's.
    fn earliest(&mut self, took_us: u64) -> (u64, usize, usize) {
        let ends = (0..self.free_us.len()).map(|slot| (self.free_us[slot], slot)).min();
        let (free_us, slot) = ends.unwrap_or_default();
        (self.end_of(free_us, took_us), self.peer, slot)
    }
}

/// All units of all jobs with their costs, microseconds at speed 1.
fn costs(scenario: &Scenario) -> Vec<f64> {
    let units = |job| (0..scenario.units).map(move |unit| (job, unit));
    (0..scenario.jobs).flat_map(units).map(|(job, unit)| scenario.cost_us(job, unit)).collect()
}

/// The makespan of one who knows everything: the dearest unit first, each where it ends earliest
/// (list scheduling on uniform machines, Graham 1969). Microseconds.
pub fn omniscient_us(scenario: &Scenario) -> u64 {
    let mut costs = costs(scenario);
    costs.sort_unstable_by(|one, other| other.total_cmp(one));
    let mut machines = Machine::all(scenario);
    let mut last_us = 0;
    for cost in costs {
        let mut used: Vec<usize> = Vec::new();
        for _ in 0..scenario.profile {
            let free = machines.iter_mut().filter(|machine| !used.contains(&machine.peer));
            let best = free.map(|machine| machine.earliest((cost / machine.speed) as u64)).min();
            let Some((end_us, peer, slot)) = best else { return NEVER_US };
            machines[peer].free_us[slot] = end_us;
            last_us = last_us.max(end_us);
            used.push(peer);
        }
    }
    last_us
}

/// A peer's slot comes free, or loses what it ran because the peer went.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Free {
    at_us: u64,
    peer: usize,
    slot: usize,
    turn: u64,
}

/// The makespan of one who learns costs only when units end: units in their order to whoever is
/// free; when none is left, a copy of what will gain most by it, where all are taken to cost what
/// they did on the average so far. Microseconds.
pub fn blind_us(scenario: &Scenario) -> u64 {
    Blind::new(scenario).run()
}

struct Blind<'a> {
    machines: Vec<Machine<'a>>,
    costs: Vec<f64>,
    wanted: Vec<u8>,
    waiting: VecDeque<usize>,
    had: Vec<Vec<(usize, u64)>>,
    running: Vec<Vec<Option<(usize, u64)>>>,
    turns: Vec<Vec<u64>>,
    in_hand: BTreeSet<usize>,
    done_cost: f64,
    events: BinaryHeap<Reverse<Free>>,
    left: usize,
}

impl<'a> Blind<'a> {
    fn new(scenario: &'a Scenario) -> Blind<'a> {
        let (machines, costs) = (Machine::all(scenario), costs(scenario));
        let (peers, units, slots) = (machines.len(), costs.len(), scenario.slots);
        let copies = |unit| std::iter::repeat_n(unit, scenario.profile.into());
        let free = |(peer, slot)| Reverse(Free { at_us: 0, peer, slot, turn: 0 });
        let all_slots = (0..peers).flat_map(|peer| (0..slots).map(move |slot| (peer, slot)));
        Blind {
            machines,
            wanted: vec![scenario.profile; units],
            waiting: (0..units).flat_map(copies).collect(),
            had: vec![Vec::new(); units],
            running: vec![vec![None; slots]; peers],
            turns: vec![vec![0; slots]; peers],
            in_hand: BTreeSet::new(),
            done_cost: 0.0,
            events: all_slots.map(free).collect(),
            left: units,
            costs,
        }
    }

    fn run(mut self) -> u64 {
        while let Some(Reverse(free)) = self.events.pop() {
            if free.turn != self.turns[free.peer][free.slot] {
                continue;
            }
            if let Some((unit, end_us)) = self.running[free.peer][free.slot].take() {
                match end_us <= free.at_us {
                    true => self.done(unit, free.at_us),
                    false if self.wanted[unit] > 0 => {
                        self.had[unit].retain(|(peer, _)| *peer != free.peer);
                        self.waiting.push_front(unit);
                    }
                    false => {}
                }
                if self.left == 0 {
                    return free.at_us;
                }
            }
            self.begin(free);
        }
        NEVER_US
    }

    fn done(&mut self, unit: usize, at_us: u64) {
        self.wanted[unit] = self.wanted[unit].saturating_sub(1);
        if self.wanted[unit] > 0 {
            return;
        }
        self.left -= usize::from(!self.had[unit].is_empty());
        self.done_cost += self.costs[unit];
        self.in_hand.remove(&unit);
        for (peer, _) in std::mem::take(&mut self.had[unit]) {
            for slot in 0..self.running[peer].len() {
                if self.running[peer][slot].is_some_and(|(running, _)| running == unit) {
                    self.running[peer][slot] = None;
                    self.turns[peer][slot] += 1;
                    let turn = self.turns[peer][slot];
                    self.events.push(Reverse(Free { at_us, peer, slot, turn }));
                }
            }
        }
    }

    fn begin(&mut self, free: Free) {
        let Free { at_us, peer, slot, .. } = free;
        let Some((on, off)) = self.machines[peer].session(at_us) else { return };
        self.turns[peer][slot] += 1;
        let turn = self.turns[peer][slot];
        if on > at_us {
            self.events.push(Reverse(Free { at_us: on, peer, slot, turn }));
            return;
        }
        let Some(unit) = self.next_unit(peer, at_us) else {
            // Nothing to do; something may come back.
            let at_us = at_us + 1_000_000;
            self.events.push(Reverse(Free { at_us, peer, slot, turn }));
            return;
        };
        let end_us = at_us + (self.costs[unit] / self.machines[peer].speed) as u64;
        self.had[unit].push((peer, at_us));
        self.running[peer][slot] = Some((unit, end_us));
        self.in_hand.insert(unit);
        self.events.push(Reverse(Free { at_us: end_us.min(off), peer, slot, turn }));
    }

    fn next_unit(&mut self, peer: usize, at_us: u64) -> Option<usize> {
        while self.waiting.front().is_some_and(|unit| self.wanted[*unit] == 0) {
            self.waiting.pop_front();
        }
        let has = |unit: usize| self.had[unit].iter().any(|(other, _)| *other == peer);
        if let Some(at) = self.waiting.iter().position(|unit| !has(*unit)) {
            return self.waiting.remove(at);
        }
        let done = self.costs.len() - self.left;
        let usual = self.done_cost / done.max(1) as f64;
        let mine_us = usual / self.machines[peer].speed;
        let gain = |unit: &usize| {
            let left_us = self.left_us(*unit, usual, at_us)?;
            (mine_us < WORTH * left_us).then_some((left_us - mine_us) as u64)
        };
        let others = self.in_hand.iter().copied().filter(|unit| done > 0 && !has(*unit));
        others.filter_map(|unit| Some((gain(&unit)?, unit))).max().map(|(_, unit)| unit)
    }

    /// How long a unit will take those who are on it; what is overdue needs half its time more.
    fn left_us(&self, unit: usize, usual: f64, at_us: u64) -> Option<f64> {
        let runs = self.had[unit].iter().map(|(peer, since_us)| {
            let whole_us = usual / self.machines[*peer].speed;
            (whole_us - (at_us - since_us) as f64).max(whole_us / 2.0)
        });
        let mut runs: Vec<f64> = runs.collect();
        runs.sort_unstable_by(f64::total_cmp);
        let wanted = usize::from(self.wanted[unit]);
        (runs.len() < wanted + COPIES_MAX).then(|| runs.get(wanted - 1).copied()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Churn, Cost, Dist, Speed};

    fn scenario() -> Scenario {
        Scenario { peers: 10, units: 100, profile: 1, ..Scenario::default() }
    }

    #[test]
    fn equal_peers_and_costs_take_what_division_says() {
        let ten_each = 10_000_000;
        assert_eq!(omniscient_us(&scenario()), ten_each);
        assert_eq!(blind_us(&scenario()), ten_each);
        let twice = Scenario { profile: 2, ..scenario() };
        assert_eq!((omniscient_us(&twice), blind_us(&twice)), (2 * ten_each, 2 * ten_each));
    }

    #[test]
    fn knowing_more_is_never_much_worse() {
        for seed in 1..6 {
            let cost = Cost { dist: Dist::Lognormal, mean: 10.0, cv: 1.0, hints: false };
            let speed = Speed { dist: Dist::Lognormal, p99_over_p1: 100.0 };
            let churn = Churn { mean_session_s: 600.0, mean_absence_s: 600.0, ..Churn::default() };
            let churn = (seed % 2 == 0).then_some(churn);
            let scenario = Scenario { cost, speed, seed, churn, units: 500, ..scenario() };
            let (ideal, blind) = (omniscient_us(&scenario), blind_us(&scenario));
            assert!(ideal > 0 && ideal < NEVER_US && blind < NEVER_US, "{ideal} {blind}");
            assert!(blind as f64 > 0.97 * ideal as f64, "seed {seed}: {blind} under {ideal}");
        }
    }
}
