//! What units may cost, by the word of their scientist: it says which to begin first, and nothing
//! else. No lease, limit or credit depends on it.
//!
//! Dear units first (the longest processing time rule, Graham 1969), each by a peer that can end it
//! in the time that is left. All peers would then want the same unit, so each takes one of the
//! dearest few in an order of its own.
use super::Lot;
use crate::{LOT_PEERS, UnitIndex};
use alloc::{vec, vec::Vec};
use core::ops::RangeInclusive;

/// Steps in which a cost doubles: 19 % is near enough for an order.
const STEPS: u32 = 4;
/// Classes of cost: those of a `u32`, and unknown.
const CLASSES: usize = 32 * STEPS as usize + 1;
/// Each peer takes its pick among so many times as many units as there are peers.
const CHOICE: u32 = 2;
/// … but among so many at least.
const CHOICE_MIN: u32 = 8;
/// However little is left, a peer begins what takes it so many percent of the time that a usual unit
/// takes a usual peer: somebody has to.
const LEAST_PERCENT: u64 = 150;

/// The hints of a lot.
#[derive(Clone, Debug)]
pub struct Hints {
    class: Vec<u8>,
    open: Vec<u32>,
    mean: u64,
}

/// The class of a cost; 0 for unknown.
fn class_of(cost: u32) -> u8 {
    let Some(octave) = cost.checked_ilog2() else { return 0 };
    let step = ((u64::from(cost) * u64::from(STEPS)) >> octave) as u32 - STEPS;
    (1 + octave * STEPS + step) as u8
}

/// The least cost of a class, in quarters.
fn cost_of(class: usize) -> u64 {
    let Some(class) = class.checked_sub(1) else { return 0 };
    let (octave, step) = (class as u32 / STEPS, class as u32 % STEPS);
    u64::from(STEPS + step) << octave
}

impl Hints {
    /// A lot's hints in unit order, and which of its units are open; none if nothing is hinted at.
    pub fn new(costs: &[u32], open: &[bool]) -> Option<Hints> {
        let class: Vec<u8> = costs.iter().map(|cost| class_of(*cost)).collect();
        let known = class.iter().filter(|class| **class > 0).count() as u64;
        if class.len() != open.len() || known == 0 {
            return None;
        }
        let sum: u64 = class.iter().map(|class| cost_of(usize::from(*class))).sum();
        let mut hints = Hints { class, open: vec![0; CLASSES], mean: (sum / known).max(1) };
        (0..open.len()).filter(|at| open[*at]).for_each(|at| hints.set_open(at, true));
        Some(hints)
    }

    /// A unit has become open, or is not any more.
    pub fn set_open(&mut self, at: usize, open: bool) {
        let count = &mut self.open[usize::from(self.class[at])];
        *count = if open { *count + 1 } else { count.saturating_sub(1) };
    }

    /// What a unit of a class is taken to cost; an unknown one is a usual one.
    fn cost(&self, class: usize) -> u64 {
        if class == 0 { self.mean } else { cost_of(class) }
    }

    /// The same relative to the mean cost, in percent.
    fn class_percent(&self, class: usize) -> u64 {
        self.cost(class) * 100 / self.mean
    }

    /// What a unit costs relative to the mean one, in percent; 100 where nothing is known.
    pub fn percent(&self, at: usize) -> u64 {
        self.class_percent(usize::from(self.class[at])).max(1)
    }

    /// What is open, in mean units, percent.
    fn open_percent(&self) -> u64 {
        let counts = self.open.iter().enumerate();
        let costs = counts.map(|(class, count)| self.cost(class) * u64::from(*count));
        costs.sum::<u64>() * 100 / self.mean
    }

    /// The cheapest classes that together have `choice` open units.
    fn cheapest(&self, choice: u32) -> Option<RangeInclusive<u8>> {
        let mut found = 0;
        let few = (0..CLASSES).take_while(|class| {
            let before = found;
            found += self.open[*class];
            before < choice
        });
        Some(0..=few.last()? as u8)
    }

    /// The classes among which a peer takes its pick: the dearest that cost at most `limit` percent
    /// of the mean and together have `choice` open units; if there are none so cheap, the cheapest.
    fn dearest(&self, limit: u64, choice: u32) -> Option<RangeInclusive<u8>> {
        let open = || (0..CLASSES).filter(|class| self.open[*class] > 0);
        let fits = |class: &usize| self.class_percent(*class) <= limit;
        let top = open().filter(fits).max().or_else(|| open().min())?;
        let mut found = 0;
        let mut bottom = top;
        for class in (0..=top).rev() {
            if found >= choice {
                break;
            }
            found += self.open[class];
            bottom = class;
        }
        Some(bottom as u8..=top as u8)
    }
}

impl Lot {
    /// Takes note of what units may cost, in unit order; a list of another length is none.
    pub fn hint(&mut self, costs: &[u32]) {
        self.hints = Hints::new(costs, &self.open);
    }

    /// The classes that this node takes its pick from, if there are hints. `share` is its part of
    /// all speeds, in millionths: it should begin nothing that outlasts the rest of the job, and what
    /// is cheap as long as it does not know how fast it is.
    pub(super) fn classes(&self, share: Option<u64>, most: usize) -> Option<RangeInclusive<u8>> {
        let hints = self.hints.as_ref()?;
        let peers = self.total_speed(0).1 + 1;
        let choice = (CHOICE * peers).max(CHOICE_MIN).max(CHOICE * most as u32);
        let Some(share) = share else { return hints.cheapest(choice.max(CHOICE * LOT_PEERS)) };
        let in_time = hints.open_percent().saturating_mul(share) / 1_000_000;
        let usual = LEAST_PERCENT * u64::from(peers) * share / 1_000_000;
        hints.dearest(in_time.max(usual), choice)
    }

    /// Whether a unit is in some classes; any is where there are no hints.
    pub(super) fn is_in(&self, classes: Option<&RangeInclusive<u8>>, unit: UnitIndex) -> bool {
        match (&self.hints, classes) {
            (Some(hints), Some(classes)) => classes.contains(&hints.class[self.at(unit)]),
            _ => true,
        }
    }

    /// What a unit costs in terms of a usual one, percent.
    pub(super) fn cost_percent(&self, unit: UnitIndex) -> u64 {
        self.hints.as_ref().map_or(100, |hints| hints.percent(self.at(unit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_keep_the_order_of_costs() {
        let costs: Vec<u32> =
            (0..31).map(|power| 1 << power).chain([3, 5, 6, 7, u32::MAX]).collect();
        for cost in costs {
            let class = usize::from(class_of(cost));
            assert!(class < CLASSES, "{cost}");
            let (least, next) = (cost_of(class), cost_of(class + 1));
            assert!(least <= 4 * u64::from(cost) && 4 * u64::from(cost) < next, "{cost}: {class}");
        }
        assert_eq!(class_of(0), 0);
    }

    #[test]
    fn the_pick_is_among_the_dearest_that_can_be_done_in_time() {
        let costs = [1, 2, 4, 8, 16, 32, 64, 128];
        let hints = Hints::new(&costs, &[true; 8]).expect("hints");
        let units = |limit, choice| {
            let classes = hints.dearest(limit, choice).expect("some");
            let inside = (0..8).filter(|at| classes.contains(&hints.class[*at]));
            inside.map(|at| costs[at]).collect::<Vec<_>>()
        };
        assert_eq!(units(u64::MAX, 2), [64, 128]);
        assert_eq!(units(90, 3), [4, 8, 16], "the mean is 32");
        assert_eq!(units(0, 3), [1], "nothing fits: the cheapest");
        assert!(Hints::new(&[0; 8], &[true; 8]).is_none());
        assert!(Hints::new(&[1; 7], &[true; 8]).is_none());
    }
}
