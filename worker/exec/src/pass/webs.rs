//! Tells apart what a function keeps in one local: compilers let values share a local that have nothing
//! to do with each other, and a NaN in the one must not be made canonical because of the other.
//!
//! A *web* is a set of writes and all reads that may see one of them, as a rule one variable of the
//! source. Found backwards from the reads: what a block does not write itself, it has from all the
//! blocks that lead to it.
use super::{
    classes::Use,
    steps::{Step, Steps},
};
use std::collections::{BTreeSet, HashMap};

/// Most steps from block to block, for each operator, before locals are taken as they are: a bound on
/// what a hostile module costs.
const CARRIED_PER_OPERATOR: usize = 16;

/// A web.
#[derive(Clone, Copy)]
pub struct Web {
    pub local: u32,
    /// Whether it holds what the local holds where the function begins.
    pub entered: bool,
}

/// Of each block, which is a row of operators that is entered at its first and left at its last: the
/// blocks that lead to it, and what the locals that it has to do with hold at its end.
struct Split {
    before: Vec<Vec<usize>>,
    holds: Vec<HashMap<u32, usize>>,
    webs: Vec<Web>,
    /// For each web another that it is one with, or itself.
    same: Vec<usize>,
    /// Webs that are read in a block which has them from before.
    wanted: Vec<(usize, usize)>,
}

/// Makes the operators name webs instead of locals, and forget locals that `floats` does not name.
pub fn split(steps: &mut Steps, floats: impl Fn(u32) -> bool) -> Vec<Web> {
    for step in &mut steps.steps {
        if step.used.local().is_some_and(|local| !floats(local)) {
            step.used = Use::Bits;
        }
    }
    let (mut split, starts) = Split::of(steps);
    let mut named = Vec::new();
    for (at, step) in steps.steps.iter().enumerate().filter(|(_, step)| !step.dead) {
        let block = block_of(&starts, at);
        named.extend(split.name(block, step).map(|web| (at, web)));
    }
    if !split.carry(CARRIED_PER_OPERATOR * steps.steps.len()) {
        return (0..steps.locals).map(|local| Web { local, entered: true }).collect();
    }
    for (at, web) in named {
        let step = &mut steps.steps[at];
        step.used = step.used.renamed(split.root(web) as u32);
    }
    split.webs
}

fn block_of(starts: &[usize], at: usize) -> usize {
    starts.partition_point(|start| *start <= at) - 1
}

impl Split {
    /// The blocks of a function, and where they start.
    fn of(steps: &Steps) -> (Split, Vec<usize>) {
        let falls = |at: &usize| *at > 0 && steps.steps[at - 1].falls;
        let mut starts: BTreeSet<usize> = [0].into();
        starts.extend(steps.links.iter().flat_map(|(from, to)| [from + 1, *to]));
        starts.extend((1..steps.steps.len()).filter(|at| !falls(at)));
        let starts: Vec<usize> = starts.range(..steps.steps.len()).copied().collect();
        let mut before = vec![Vec::new(); starts.len()];
        for (block, _) in starts.iter().enumerate().filter(|(_, start)| falls(start)) {
            before[block].push(block - 1);
        }
        for (from, to) in &steps.links {
            before[block_of(&starts, *to)].push(block_of(&starts, *from));
        }
        for before in &mut before {
            before.sort_unstable();
            before.dedup();
        }
        let holds = vec![HashMap::new(); starts.len()];
        let split = Split { before, holds, webs: Vec::new(), same: Vec::new(), wanted: Vec::new() };
        (split, starts)
    }

    /// The web of what an operator reads or writes, as far as its block alone tells.
    fn name(&mut self, block: usize, step: &Step) -> Option<usize> {
        let local = step.used.local()?;
        let held = self.holds[block].get(&local);
        if let (Use::LocalGet(_), Some(web)) = (step.used, held) {
            return Some(*web);
        }
        let web = self.webs.len();
        self.webs.push(Web { local, entered: false });
        self.same.push(web);
        self.holds[block].insert(local, web);
        if matches!(step.used, Use::LocalGet(_)) {
            self.wanted.push((block, web));
        }
        Some(web)
    }

    /// Joins each web that is wanted with what the blocks before hold; answers whether it got done.
    fn carry(&mut self, carried_max: usize) -> bool {
        let mut carried = 0;
        while let Some((block, web)) = self.wanted.pop() {
            let (local, root) = (self.webs[web].local, self.root(web));
            self.webs[root].entered |= block == 0;
            carried += 1 + self.before[block].len();
            if carried > carried_max {
                return false;
            }
            for at in 0..self.before[block].len() {
                let before = self.before[block][at];
                match self.holds[before].get(&local) {
                    Some(held) => self.join(web, *held),
                    None => {
                        self.holds[before].insert(local, web);
                        self.wanted.push((before, web));
                    }
                }
            }
        }
        true
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.webs[one].entered |= self.webs[other].entered;
        self.same[other] = one;
    }

    fn root(&mut self, mut web: usize) -> usize {
        while self.same[web] != web {
            self.same[web] = self.same[self.same[web]];
            web = self.same[web];
        }
        web
    }
}
