//! What a function is charged, and where: each basic block on entry, for its own operators.
//!
//! The counter is a global across functions and a local inside one. It goes back to the global before
//! whatever may look at it: a call, the end of the function, a trap that the guest asks for. It is
//! looked at where time can run without end: at loop heads, on entry to a function that calls or is
//! long, after work in bulk; so a guest ends soon after its fuel has, and at the same place everywhere.
//!
//! Frames are counted as well, by whoever calls: a slot for each value that the caller may hold, so
//! that where a recursion ends depends on the module alone, long before a native stack ends.
use super::steps::{Bulk, Flow, Steps};
use std::collections::{BTreeMap, BTreeSet};

/// Slots that the frames of a guest's calls may take together; a slot is a value.
pub const STACK_SLOTS_MAX: i32 = 1 << 20;
/// Slots of a call itself.
const CALL_SLOTS: u64 = 8;
/// Fuel of a function that is looked at on entry even if it calls nobody: else a row of calls to it
/// would run far beyond the end.
const LONG_FUEL: u64 = 2_000;
/// Locals that are made zero for one unit of fuel.
const LOCALS_PER_FUEL: u64 = 8;

/// What is done beside a function's own operators.
#[derive(Debug, Default)]
pub struct Meter {
    /// Before the operator of this number.
    pub blocks: BTreeMap<usize, Charge>,
    /// Operators before which the counter goes back to the global.
    pub spills: BTreeSet<usize>,
    /// Those among them that are calls.
    pub calls: BTreeSet<usize>,
    /// Operators after which work in bulk is charged.
    pub bulk: BTreeMap<usize, Bulk>,
    /// Slots of its frame while it calls.
    pub slots: i32,
}

/// What is charged where a block begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Charge {
    /// Fuel.
    pub fuel: u64,
    /// Whether the counter is looked at.
    pub check: bool,
    /// Whether the counter must be fetched from the global first.
    pub fetch: bool,
    /// Whether the block follows a branch back to the head of a loop.
    pub after_loop: bool,
}

impl Meter {
    /// What a function is charged.
    pub fn of(function: &Steps) -> Meter {
        let mut meter = Meter::default();
        let is_call = |flow: Flow| matches!(flow, Flow::Call | Flow::TailCall);
        let calls = function.steps.iter().any(|step| is_call(step.flow) && !step.dead);
        let declared = u64::from(function.locals.saturating_sub(function.parameters));
        let entry = 1 + declared / LOCALS_PER_FUEL;
        let slots = CALL_SLOTS + u64::from(function.locals) + function.height_max as u64;
        meter.slots = slots.min(STACK_SLOTS_MAX as u64 + 1) as i32;
        let long = function.steps.len() as u64 > LONG_FUEL;
        let first = Charge { fuel: entry, check: calls || long, fetch: true, after_loop: false };
        let back = function.links.iter().filter(|(from, to)| to <= from);
        let back: BTreeSet<usize> = back.map(|(from, _)| *from).collect();
        let mut block = (0, first);
        for (at, step) in function.steps.iter().enumerate().filter(|(_, step)| !step.dead) {
            let next = meter.step(at, step.flow, &mut block.1);
            if let Some(next) = next {
                let next = Charge { after_loop: back.contains(&at), ..next };
                meter.begin(core::mem::replace(&mut block, (at + 1, next)));
            }
        }
        meter.begin(block);
        meter
    }

    /// Whether the counter is ever held in a local.
    pub fn has_local(&self) -> bool {
        self.blocks.len() > 1 || !self.bulk.is_empty()
    }

    /// Takes an operator into the block; answers how the next block begins, if one does.
    fn step(&mut self, at: usize, flow: Flow, block: &mut Charge) -> Option<Charge> {
        let next = Charge::default();
        match flow {
            Flow::Straight(fuel) => {
                block.fuel += fuel;
                None
            }
            Flow::Loop { again } => again.then_some(Charge { check: true, ..next }),
            Flow::Fork(fuel) => {
                block.fuel += fuel;
                Some(next)
            }
            Flow::Jump { leaves } => {
                block.fuel += 1;
                if leaves {
                    self.spills.insert(at);
                }
                Some(next)
            }
            Flow::Leave | Flow::TailCall => {
                block.fuel += u64::from(flow == Flow::TailCall);
                self.spills.insert(at);
                Some(next)
            }
            Flow::Call => {
                block.fuel += 1;
                self.spills.insert(at);
                self.calls.insert(at);
                Some(Charge { fetch: true, ..next })
            }
            Flow::Trap => {
                self.spills.insert(at);
                Some(next)
            }
            Flow::Bulk(bulk) => {
                block.fuel += 1;
                self.bulk.insert(at, bulk);
                None
            }
        }
    }

    fn begin(&mut self, (at, charge): (usize, Charge)) {
        if charge.fuel > 0 || charge.check || charge.fetch {
            self.blocks.insert(at, charge);
        }
    }
}
