//! Writes a function anew: its own operators byte by byte, and between them what meters it and what
//! makes results canonical.
use super::{
    PassError, Sites,
    classes::Shape,
    meter::{Charge, Meter},
    steps::{Bulk, Steps},
};
use wasm_encoder::{
    BlockType, Function, Ieee32, Ieee64, InstructionSink, ValType,
    reencode::{Reencode, RoundtripReencoder},
};
use wasmparser::FunctionBody;

/// Bits of a canonical NaN.
const NAN_32: u32 = 0x7fc0_0000;
const NAN_64: u64 = 0x7ff8_0000_0000_0000;
const NAN_32X4: i128 = splat(NAN_32 as u128 | (NAN_32 as u128) << 32);
const NAN_64X2: i128 = splat(NAN_64 as u128);
/// Bytes that are moved in bulk for one unit of fuel, as a power of two.
const BYTES_PER_FUEL_LOG2: i64 = 3;

const fn splat(half: u128) -> i128 {
    (half | half << 64) as i128
}

/// The globals that the pass adds, by their index.
#[derive(Clone, Copy, Debug)]
pub struct Globals {
    /// Fuel that is left, `i64`.
    pub fuel: u32,
    /// Slots of the stack that are left, `i32`.
    pub stack: u32,
}

/// A function being written.
struct Writer<'a> {
    function: Function,
    globals: Globals,
    meter: &'a Meter,
    /// The locals that are added, and where they begin.
    added: Vec<ValType>,
    first: u32,
}

/// The function with its meter, and with its sites made canonical.
pub fn function(
    body: &FunctionBody<'_>,
    steps: &Steps,
    meter: &Meter,
    sites: &Sites,
    globals: Globals,
) -> Result<Function, PassError> {
    let added = added(meter, sites);
    let mut locals = declared(body)?;
    locals.extend(added.iter().map(|ty| (1, *ty)));
    let function = Function::new(locals);
    let mut writer = Writer { function, globals, meter, added, first: steps.locals };
    let mut operators = body.get_operators_reader()?;
    let (bytes, start) = (body.as_bytes(), body.range().start);
    for at in 0.. {
        if operators.eof() {
            break;
        }
        let from = operators.original_position();
        operators.read()?;
        let to = operators.original_position();
        writer.before(at);
        writer.function.raw(bytes[from - start..to - start].iter().copied());
        writer.after(at, sites);
    }
    Ok(writer.function)
}

/// The locals that the function declares itself.
fn declared(body: &FunctionBody<'_>) -> Result<Vec<(u32, ValType)>, PassError> {
    let mut declared = Vec::new();
    for group in body.get_locals_reader()? {
        let (count, ty) = group?;
        declared.push((count, RoundtripReencoder.val_type(ty)?));
    }
    Ok(declared)
}

/// The counter, the length of what is moved, and one for each type that is made canonical.
fn added(meter: &Meter, sites: &Sites) -> Vec<ValType> {
    let mut added = Vec::new();
    added.extend(meter.has_local().then_some(ValType::I64));
    added.extend((!meter.bulk.is_empty()).then_some(ValType::I32));
    let used = |ty: &ValType| sites.values().any(|shape| type_of(*shape) == *ty);
    added.extend([ValType::F32, ValType::F64, ValType::V128].into_iter().filter(used));
    added
}

fn type_of(shape: Shape) -> ValType {
    match shape {
        Shape::F32 => ValType::F32,
        Shape::F64 => ValType::F64,
        Shape::F32x4 | Shape::F64x2 => ValType::V128,
    }
}

impl Writer<'_> {
    fn local(&self, ty: ValType) -> u32 {
        let at = self.added.iter().position(|added| *added == ty).unwrap_or_default();
        self.first + at as u32
    }

    fn before(&mut self, at: usize) {
        if let Some(charge) = self.meter.blocks.get(&at) {
            self.charge(*charge);
        }
        if self.meter.spills.contains(&at) {
            self.spill();
        }
        if self.meter.calls.contains(&at) {
            self.take_slots();
        }
        if self.meter.bulk.contains_key(&at) {
            let length = self.local(ValType::I32);
            self.function.instructions().local_tee(length);
        }
    }

    fn after(&mut self, at: usize, sites: &Sites) {
        if self.meter.calls.contains(&at) {
            let (stack, slots) = (self.globals.stack, self.meter.slots);
            let mut code = self.function.instructions();
            code.global_get(stack).i32_const(slots).i32_add().global_set(stack);
        }
        if let Some(bulk) = self.meter.bulk.get(&at) {
            self.charge_bulk(*bulk);
        }
        if let Some(shape) = sites.get(&at) {
            self.make_canonical(*shape);
        }
    }

    /// Takes the fuel of a block.
    fn charge(&mut self, charge: Charge) {
        if charge.fetch && self.meter.has_local() {
            let (global, local) = (self.globals.fuel, self.local(ValType::I64));
            self.function.instructions().global_get(global).local_set(local);
        }
        if charge.check {
            self.check(charge.fuel);
        }
        if charge.fuel > 0 {
            if charge.after_loop {
                self.less_apart(charge.fuel);
            } else {
                self.less(charge.fuel);
            }
            self.set_counter();
        }
    }

    /// Ends the guest if it has less fuel than this; whoever runs it sees so by the global. Looking at
    /// the counter before it changes leaves the engine one value of it to keep in a loop, not two.
    fn check(&mut self, fuel: u64) {
        self.counter();
        let mut code = self.function.instructions();
        code.i64_const(fuel as i64).i64_lt_s().if_(BlockType::Empty);
        self.less(fuel);
        let global = self.globals.fuel;
        self.function.instructions().global_set(global).unreachable().end();
    }

    fn counter(&mut self) {
        let (global, local) = (self.globals.fuel, self.local(ValType::I64));
        let has_local = self.meter.has_local();
        let mut code = self.function.instructions();
        if has_local {
            code.local_get(local)
        } else {
            code.global_get(global)
        };
    }

    fn set_counter(&mut self) {
        let (global, local) = (self.globals.fuel, self.local(ValType::I64));
        let has_local = self.meter.has_local();
        let mut code = self.function.instructions();
        if has_local {
            code.local_set(local)
        } else {
            code.global_set(global)
        };
    }

    /// The counter less this.
    fn less(&mut self, fuel: u64) {
        self.counter();
        if fuel > 0 {
            self.function.instructions().i64_const(fuel as i64).i64_sub();
        }
    }

    /// The same as `!(!counter + fuel)`. Two subtractions in a row an engine makes one, of the counter
    /// as it was before the first; were the first in a loop, it would keep that in every turn.
    fn less_apart(&mut self, fuel: u64) {
        self.counter();
        let mut code = self.function.instructions();
        code.i64_const(-1).i64_xor().i64_const(fuel as i64).i64_add().i64_const(-1).i64_xor();
    }

    fn spill(&mut self) {
        if self.meter.has_local() {
            let (global, local) = (self.globals.fuel, self.local(ValType::I64));
            self.function.instructions().local_get(local).global_set(global);
        }
    }

    /// Counts the frame of this function, which is about to call.
    fn take_slots(&mut self) {
        let (stack, slots) = (self.globals.stack, self.meter.slots);
        let mut code = self.function.instructions();
        code.global_get(stack).i32_const(slots).i32_sub().global_set(stack);
        code.global_get(stack).i32_const(0).i32_lt_s();
        code.if_(BlockType::Empty).unreachable().end();
    }

    /// Takes the fuel for what was just moved.
    fn charge_bulk(&mut self, bulk: Bulk) {
        let (local, length) = (self.local(ValType::I64), self.local(ValType::I32));
        let mut code = self.function.instructions();
        code.local_get(local).local_get(length).i64_extend_i32_u();
        if bulk == Bulk::Bytes {
            code.i64_const(BYTES_PER_FUEL_LOG2).i64_shr_u();
        }
        code.i64_sub().local_set(local);
        self.check(0);
    }

    /// Keeps the value on the stack if it equals itself, lane by lane; else the canonical NaN.
    fn make_canonical(&mut self, shape: Shape) {
        let temporary = self.local(type_of(shape));
        let is_vector = type_of(shape) == ValType::V128;
        let mut code = self.function.instructions();
        if is_vector {
            code.local_set(temporary);
            nan(&mut code, shape);
            code.local_get(temporary).local_get(temporary).local_get(temporary);
            not_equal(&mut code, shape);
            code.v128_bitselect();
        } else {
            // A branch that is hardly ever taken costs less than choosing.
            code.local_tee(temporary).local_get(temporary);
            not_equal(&mut code, shape);
            code.if_(BlockType::Empty);
            nan(&mut code, shape);
            code.local_set(temporary).end().local_get(temporary);
        }
    }
}

/// The canonical NaN of a shape.
fn nan(code: &mut InstructionSink<'_>, shape: Shape) {
    match shape {
        Shape::F32 => code.f32_const(Ieee32::new(NAN_32)),
        Shape::F64 => code.f64_const(Ieee64::new(NAN_64)),
        Shape::F32x4 => code.v128_const(NAN_32X4),
        Shape::F64x2 => code.v128_const(NAN_64X2),
    };
}

/// Whether two values of a shape differ, lane by lane.
fn not_equal(code: &mut InstructionSink<'_>, shape: Shape) {
    match shape {
        Shape::F32 => code.f32_ne(),
        Shape::F64 => code.f64_ne(),
        Shape::F32x4 => code.f32x4_ne(),
        Shape::F64x2 => code.f64x2_ne(),
    };
}
