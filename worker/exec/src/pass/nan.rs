//! Finds the operators whose results must be made canonical, because some later operator looks at
//! the bits.
//!
//! Each value is *Exact* (its bits are the same everywhere), *Number* (no NaN, read in some shapes) or
//! *Arith* (a NaN in it may have any bits). A value is used once, so where an Arith value meets a use
//! that looks at its bits, the operator that made it is marked. Locals, each [web](webs) of them taken for
//! a local of its own, hold Arith values of a shape if nothing else is ever written to them; found by
//! trying: all are taken to be such, and whichever proves not to be is taken for something else in the
//! next round.
use super::{
    Sites,
    classes::{Shape, Use},
    steps::{Step, Steps},
    webs::{self, Web},
};
use std::collections::BTreeSet;
use wasmparser::{FuncValidator, ValType, ValidatorResources};

/// Rounds after which no local is taken to hold Arith values: a bound on what a hostile module costs.
const ROUNDS_MAX: usize = 16;

/// What is known of a value, and which operator made it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    Exact,
    /// No NaN: of a vector, read as `f32x4` and as `f64x2`.
    Number([bool; 2]),
    Arith(Shape, usize),
}

impl Class {
    /// Whether the value may be treated as Arith of this shape: making it canonical changes nothing.
    fn is_like(self, shape: Shape) -> bool {
        match (self, shape) {
            (Class::Arith(own, _), _) => own == shape,
            (Class::Number([singles, _]), Shape::F32x4) => singles,
            (Class::Number([_, doubles]), Shape::F64x2) => doubles,
            (Class::Number(_), Shape::F32 | Shape::F64) => true,
            (Class::Exact, _) => false,
        }
    }
}

/// What a local holds beside zero: Arith of a shape, or anything.
type Local = Option<Shape>;

struct Analysis {
    locals: Vec<Local>,
    stack: Vec<Class>,
    sites: Sites,
    /// Locals that something is written to which is not what they were taken for.
    refuted: BTreeSet<u32>,
}

/// The sites of a function, whose operators name webs from then on.
pub fn sites(function: &FuncValidator<ValidatorResources>, steps: &mut Steps) -> Sites {
    let shape = |local: u32| match function.get_local_type(local)? {
        ValType::F32 => Some(Shape::F32),
        ValType::F64 => Some(Shape::F64),
        ValType::V128 => Some(Shape::F64x2),
        _ => None,
    };
    let webs = webs::split(steps, |local| shape(local).is_some());
    let Steps { steps, parameters, .. } = steps;
    let is_argument = |web: &Web| web.entered && web.local < *parameters;
    let held = |web: &Web| shape(web.local).filter(|_| !is_argument(web));
    let mut locals: Vec<Local> = webs.iter().map(held).collect();
    for _ in 0..ROUNDS_MAX {
        let mut analysis = Analysis::new(locals.clone());
        steps.iter().enumerate().for_each(|(at, step)| analysis.take(at, step));
        if analysis.refuted.is_empty() {
            return analysis.sites;
        }
        for local in analysis.refuted {
            let held = &mut locals[local as usize];
            *held = if *held == Some(Shape::F64x2) { Some(Shape::F32x4) } else { None };
        }
    }
    let mut analysis = Analysis::new(vec![None; locals.len()]);
    steps.iter().enumerate().for_each(|(at, step)| analysis.take(at, step));
    analysis.sites
}

impl Analysis {
    fn new(locals: Vec<Local>) -> Analysis {
        Analysis { locals, stack: Vec::new(), sites: Sites::new(), refuted: BTreeSet::new() }
    }

    fn take(&mut self, at: usize, step: &Step) {
        if !step.dead {
            let operands = self.stack.split_off(self.stack.len().saturating_sub(step.pops));
            let result = self.result(at, step.used, &operands);
            self.stack
                .resize(step.height.saturating_sub(usize::from(result.is_some())), Class::Exact);
            self.stack.extend(result);
        }
        self.stack.resize(step.height, Class::Exact);
    }

    /// What an operator makes of its operands, where it is not simply Exact.
    fn result(&mut self, at: usize, used: Use, operands: &[Class]) -> Option<Class> {
        match (used, operands) {
            (Use::Arithmetic(from, to), _) => {
                self.show_unless(from, operands);
                Some(Class::Arith(to, at))
            }
            (Use::Consume(shape), _) => {
                self.show_unless(shape, operands);
                None
            }
            (Use::Number(shapes), _) => Some(Class::Number(shapes)),
            (Use::Drop, _) => None,
            (Use::LocalGet(local), _) => Some(self.local(local, at)),
            (Use::LocalSet(local), [value]) => {
                self.write(local, *value);
                None
            }
            (Use::LocalTee(local), [value]) => {
                self.write(local, *value);
                Some(self.local(local, at))
            }
            (Use::Choose(None), [one, other, _]) => Some(self.choose(at, *one, *other)),
            (Use::Choose(Some(shape)), [one, other]) => {
                let both = one.is_like(shape) && other.is_like(shape);
                self.made_if(both, shape, at, operands)
            }
            (Use::Splat(scalar, vector), [value]) => {
                self.made_if(value.is_like(scalar), vector, at, operands)
            }
            (Use::Replace(vector, scalar), [lanes, value]) => {
                let both = lanes.is_like(vector) && value.is_like(scalar);
                self.made_if(both, vector, at, operands)
            }
            (Use::Extract(vector, scalar), [lanes]) => {
                self.made_if(lanes.is_like(vector), scalar, at, operands)
            }
            _ => {
                self.show(operands);
                None
            }
        }
    }

    /// Arith of a shape if so, else Exact, for which the operands are shown.
    fn made_if(
        &mut self,
        arith: bool,
        shape: Shape,
        at: usize,
        operands: &[Class],
    ) -> Option<Class> {
        if !arith {
            self.show(operands);
        }
        arith.then_some(Class::Arith(shape, at))
    }

    fn choose(&mut self, at: usize, one: Class, other: Class) -> Class {
        let shape = match (one, other) {
            (Class::Number(one), Class::Number(other)) => {
                return Class::Number([one[0] && other[0], one[1] && other[1]]);
            }
            (Class::Arith(shape, _), like) | (like, Class::Arith(shape, _))
                if like.is_like(shape) =>
            {
                shape
            }
            _ => {
                self.show(&[one, other]);
                return Class::Exact;
            }
        };
        Class::Arith(shape, at)
    }

    /// Some operator looks at the bits of these.
    fn show(&mut self, values: &[Class]) {
        for value in values {
            if let Class::Arith(shape, maker) = value {
                self.sites.insert(*maker, *shape);
            }
        }
    }

    /// The same but for those which are of this shape.
    fn show_unless(&mut self, shape: Shape, values: &[Class]) {
        values.iter().filter(|value| !value.is_like(shape)).for_each(|value| self.show(&[*value]));
    }

    fn local(&self, local: u32, at: usize) -> Class {
        let shape = self.locals.get(local as usize).copied().flatten();
        shape.map_or(Class::Exact, |shape| Class::Arith(shape, at))
    }

    fn write(&mut self, local: u32, value: Class) {
        match self.locals.get(local as usize).copied().flatten() {
            None => self.show(&[value]),
            Some(shape) if value.is_like(shape) => {}
            Some(_) => drop(self.refuted.insert(local)),
        }
    }
}
