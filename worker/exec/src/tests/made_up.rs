//! Modules made up from a seed: full of floats, vectors and NaNs, every value of which ends in memory.
//!
//! They end by themselves, import nothing and export `run`, `memory` and their globals.
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, ExportKind, ExportSection, Function,
    FunctionSection, GlobalSection, GlobalType, Ieee32, Ieee64, Instruction as I, MemArg,
    MemorySection, MemoryType, Module, TypeSection, ValType,
};

/// Types of values.
const TYPES: [ValType; 5] = [ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::V128];
/// Locals of each type in each function.
const LOCALS_OF_TYPE: u32 = 3;
/// Functions beside `run`.
const HELPERS: u32 = 3;
/// How deep an expression may go.
const DEPTH: u32 = 5;
/// Bits of floats that are likely to make trouble, also as halves of a vector.
const ODD_64: [u64; 10] = [
    0x7ff8_0000_0000_0000,
    0xfff8_0000_0000_0000,
    0x7ff0_0000_0000_0001,
    0xffff_1234_5678_9abc,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x8000_0000_0000_0000,
    0x0000_0000_0000_0001,
    0x7fc0_0001_ffc1_2345,
    0x7f80_0001_ff80_0000,
];

/// A module of this seed.
pub fn module(seed: u64) -> Vec<u8> {
    let mut maker = Maker { state: seed, helpers: Vec::new(), locals: 0 };
    let (mut types, mut functions, mut code) =
        (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([], []);
    for ty in TYPES {
        types.ty().function([ty, ValType::F64], [ty]);
    }
    for _ in 0..HELPERS {
        let ty = maker.below(5) as u32;
        functions.function(1 + ty);
        let result = TYPES[ty as usize];
        code.function(&maker.function(&[result, ValType::F64], Some(result)));
        maker.helpers.push(result);
    }
    functions.function(0);
    code.function(&maker.function(&[], None));
    assemble(&mut maker, &types, &functions, &code)
}

fn assemble(
    maker: &mut Maker,
    types: &TypeSection,
    functions: &FunctionSection,
    code: &CodeSection,
) -> Vec<u8> {
    let (mut memories, mut globals) = (MemorySection::new(), GlobalSection::new());
    let (mut exports, mut data) = (ExportSection::new(), DataSection::new());
    let (minimum, maximum) = (1, Some(1));
    memories.memory(MemoryType {
        minimum,
        maximum,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    exports.export("memory", ExportKind::Memory, 0);
    exports.export("run", ExportKind::Func, HELPERS);
    for (at, ty) in TYPES.into_iter().enumerate() {
        let zero = match ty {
            ValType::I32 => ConstExpr::i32_const(0),
            ValType::I64 => ConstExpr::i64_const(0),
            ValType::F32 => ConstExpr::f32_const(Ieee32::new(0)),
            ValType::F64 => ConstExpr::f64_const(Ieee64::new(0)),
            _ => ConstExpr::v128_const(0),
        };
        globals.global(GlobalType { val_type: ty, mutable: true, shared: false }, &zero);
        exports.export(&format!("global {at}"), ExportKind::Global, at as u32);
    }
    let bytes: Vec<u8> = (0..64).flat_map(|_| maker.odd_bits().to_le_bytes()).collect();
    data.active(0, &ConstExpr::i32_const(0), bytes);
    let mut module = Module::new();
    module.section(types).section(functions).section(&memories).section(&globals);
    module.section(&exports).section(code).section(&data);
    module.finish()
}

struct Maker {
    state: u64,
    /// Results of the functions that may be called: those before this one.
    helpers: Vec<ValType>,
    /// Where the locals begin that it may use.
    locals: u32,
}

impl Maker {
    /// Splitmix64, Steele, Lea and Flood 2014.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn odd_bits(&mut self) -> u64 {
        match self.below(3) {
            0 => self.next(),
            1 => ((self.below(2_000) as f64 - 1_000.0) / 8.0).to_bits(),
            _ => ODD_64[self.below(ODD_64.len() as u64) as usize],
        }
    }

    fn function(&mut self, parameters: &[ValType], result: Option<ValType>) -> Function {
        self.locals = parameters.len() as u32;
        let mut locals: Vec<(u32, ValType)> = TYPES.map(|ty| (LOCALS_OF_TYPE, ty)).to_vec();
        // The last counts the turns of loops.
        locals.push((1, ValType::I32));
        let mut out = Function::new(locals);
        for _ in 0..4 + self.below(8) {
            self.statement(&mut out, 2);
        }
        if let Some(ty) = result {
            self.value(&mut out, ty, DEPTH);
        }
        out.instruction(&I::End);
        out
    }

    fn local(&mut self, ty: ValType) -> u32 {
        let at = number(ty);
        self.locals + at * LOCALS_OF_TYPE + self.below(LOCALS_OF_TYPE.into()) as u32
    }

    fn any_type(&mut self) -> ValType {
        // Floats and vectors most of all.
        [
            ValType::I32,
            ValType::I64,
            ValType::F32,
            ValType::F32,
            ValType::F64,
            ValType::F64,
            ValType::V128,
            ValType::V128,
        ][self.below(8) as usize]
    }

    fn statement(&mut self, out: &mut Function, depth: u32) {
        let ty = self.any_type();
        let at = number(ty);
        match self.below(if depth > 0 { 9 } else { 6 }) {
            0..3 => {
                out.instruction(&I::I32Const(self.below(2_000) as i32));
                self.value(out, ty, DEPTH);
                out.instruction(&store(ty));
            }
            3 => {
                self.value(out, ty, DEPTH);
                out.instruction(&I::LocalSet(self.local(ty)));
            }
            4 => {
                self.value(out, ty, DEPTH);
                out.instruction(&I::GlobalSet(at));
            }
            5 => {
                for size in [2_000, 2_000, 300] {
                    out.instruction(&I::I32Const(self.below(size) as i32));
                }
                out.instruction(&I::MemoryCopy { src_mem: 0, dst_mem: 0 });
            }
            6 => {
                self.value(out, ValType::I32, 2);
                out.instruction(&I::If(BlockType::Empty));
                self.statement(out, depth - 1);
                out.instruction(&I::Else);
                self.statement(out, depth - 1);
                out.instruction(&I::End);
            }
            7 => self.block(out, depth),
            _ => self.turns(out, depth),
        }
    }

    /// A block that may be left early.
    fn block(&mut self, out: &mut Function, depth: u32) {
        out.instruction(&I::Block(BlockType::Empty));
        self.statement(out, depth - 1);
        self.value(out, ValType::I32, 2);
        out.instruction(&I::BrIf(0));
        self.statement(out, depth - 1);
        out.instruction(&I::End);
    }

    /// A loop of a few turns; the counter is common to all, so an inner one ends an outer one early.
    fn turns(&mut self, out: &mut Function, depth: u32) {
        let counter = self.locals + LOCALS_OF_TYPE * TYPES.len() as u32;
        out.instruction(&I::I32Const(2 + self.below(6) as i32)).instruction(&I::LocalSet(counter));
        out.instruction(&I::Loop(BlockType::Empty));
        self.statement(out, depth - 1);
        self.statement(out, 0);
        out.instruction(&I::LocalGet(counter)).instruction(&I::I32Const(1));
        out.instruction(&I::I32Sub).instruction(&I::LocalTee(counter));
        out.instruction(&I::I32Const(0)).instruction(&I::I32GtS).instruction(&I::BrIf(0));
        out.instruction(&I::End);
    }

    /// Code for a value of this type.
    fn value(&mut self, out: &mut Function, ty: ValType, depth: u32) {
        if depth == 0 {
            return self.leaf(out, ty);
        }
        match self.below(16) {
            0..2 => self.leaf(out, ty),
            2 => {
                self.value(out, ty, depth - 1);
                self.value(out, ty, depth - 1);
                self.value(out, ValType::I32, depth - 1);
                out.instruction(&I::TypedSelect(ty));
            }
            3 => {
                self.value(out, ValType::I32, depth - 1);
                out.instruction(&I::If(BlockType::Result(ty)));
                self.value(out, ty, depth - 1);
                out.instruction(&I::Else);
                self.value(out, ty, depth - 1);
                out.instruction(&I::End);
            }
            4 => {
                out.instruction(&I::Block(BlockType::Result(ty)));
                self.value(out, ty, depth - 1);
                self.value(out, ValType::I32, depth - 1);
                out.instruction(&I::BrIf(0)).instruction(&I::Drop);
                self.value(out, ty, depth - 1);
                out.instruction(&I::End);
            }
            5 => {
                self.value(out, ty, depth - 1);
                out.instruction(&I::LocalTee(self.local(ty)));
            }
            6 if depth + 1 >= DEPTH && self.helpers.contains(&ty) => {
                let helper = self.helpers.iter().position(|result| *result == ty);
                self.value(out, ty, depth - 1);
                self.value(out, ValType::F64, depth - 1);
                out.instruction(&I::Call(helper.unwrap_or_default() as u32));
            }
            _ => {
                let (operator, operands) = operator(ty, self.next());
                for operand in operands {
                    self.value(out, *operand, depth - 1);
                }
                out.instruction(&operator);
            }
        }
    }

    fn leaf(&mut self, out: &mut Function, ty: ValType) {
        let at = number(ty);
        match self.below(6) {
            0 => out.instruction(&I::GlobalGet(at)),
            1..3 => out.instruction(&I::LocalGet(self.local(ty))),
            3 => out.instruction(&I::I32Const(self.below(600) as i32)).instruction(&load(ty)),
            _ => out.instruction(&match ty {
                ValType::I32 => I::I32Const(self.next() as i32),
                ValType::I64 => I::I64Const(self.next() as i64),
                ValType::F32 => I::F32Const(Ieee32::new((self.odd_bits() >> 32) as u32)),
                ValType::F64 => I::F64Const(Ieee64::new(self.odd_bits())),
                _ => I::V128Const(
                    (u128::from(self.odd_bits()) << 64 | u128::from(self.odd_bits())) as i128,
                ),
            }),
        };
    }
}

/// The place of a type among [`TYPES`], by which its locals and its global are found.
fn number(ty: ValType) -> u32 {
    TYPES.iter().position(|other| *other == ty).unwrap_or_default() as u32
}

fn place() -> MemArg {
    MemArg { offset: 0, align: 0, memory_index: 0 }
}

fn store(ty: ValType) -> I<'static> {
    match ty {
        ValType::I32 => I::I32Store(place()),
        ValType::I64 => I::I64Store(place()),
        ValType::F32 => I::F32Store(place()),
        ValType::F64 => I::F64Store(place()),
        _ => I::V128Store(place()),
    }
}

fn load(ty: ValType) -> I<'static> {
    match ty {
        ValType::I32 => I::I32Load(place()),
        ValType::I64 => I::I64Load(place()),
        ValType::F32 => I::F32Load(place()),
        ValType::F64 => I::F64Load(place()),
        _ => I::V128Load(place()),
    }
}

/// An operator with a result of this type, drawn; and its operands.
fn operator(ty: ValType, draw: u64) -> (I<'static>, &'static [ValType]) {
    const I32: ValType = ValType::I32;
    const I64: ValType = ValType::I64;
    const F32: ValType = ValType::F32;
    const F64: ValType = ValType::F64;
    const V: ValType = ValType::V128;
    type Operators = &'static [(&'static [ValType], &'static [I<'static>])];
    const OF_I32: Operators = &[
        (&[I32, I32], &[I::I32Add, I::I32Mul, I::I32Xor, I::I32ShrU, I::I32LtS]),
        (&[F32, F32], &[I::F32Eq, I::F32Ne, I::F32Lt, I::F32Ge]),
        (&[F64, F64], &[I::F64Eq, I::F64Ne, I::F64Gt, I::F64Le]),
        (&[F32], &[I::I32ReinterpretF32, I::I32TruncSatF32S, I::I32TruncSatF32U]),
        (&[F64], &[I::I32TruncSatF64S, I::I32TruncSatF64U]),
        (&[I64], &[I::I32WrapI64, I::I64Eqz]),
        (&[V], &[I::V128AnyTrue, I::I32x4AllTrue, I::I32x4Bitmask, I::I32x4ExtractLane(3)]),
    ];
    const OF_I64: Operators = &[
        (&[I64, I64], &[I::I64Add, I::I64Mul, I::I64Xor, I::I64Rotl]),
        (&[F64], &[I::I64ReinterpretF64, I::I64TruncSatF64S]),
        (&[F32], &[I::I64TruncSatF32U]),
        (&[I32], &[I::I64ExtendI32S, I::I64ExtendI32U]),
        (&[V], &[I::I64x2ExtractLane(0), I::I64x2ExtractLane(1)]),
    ];
    const OF_F32: Operators = &[
        (&[F32, F32], &[I::F32Add, I::F32Sub, I::F32Mul, I::F32Div]),
        (&[F32, F32], &[I::F32Min, I::F32Max, I::F32Copysign]),
        (&[F32], &[I::F32Sqrt, I::F32Ceil, I::F32Floor, I::F32Trunc, I::F32Nearest]),
        (&[F32], &[I::F32Neg, I::F32Abs]),
        (&[F64], &[I::F32DemoteF64]),
        (&[I32], &[I::F32ReinterpretI32, I::F32ConvertI32S, I::F32ConvertI32U]),
        (&[V], &[I::F32x4ExtractLane(0), I::F32x4ExtractLane(2)]),
    ];
    const OF_F64: Operators = &[
        (&[F64, F64], &[I::F64Add, I::F64Sub, I::F64Mul, I::F64Div]),
        (&[F64, F64], &[I::F64Min, I::F64Max, I::F64Copysign]),
        (&[F64], &[I::F64Sqrt, I::F64Ceil, I::F64Floor, I::F64Trunc, I::F64Nearest]),
        (&[F64], &[I::F64Neg, I::F64Abs]),
        (&[F32], &[I::F64PromoteF32]),
        (&[I64], &[I::F64ReinterpretI64, I::F64ConvertI64S]),
        (&[V], &[I::F64x2ExtractLane(0), I::F64x2ExtractLane(1)]),
    ];
    const OF_V128: Operators = &[
        (&[V, V], &[I::F32x4Add, I::F32x4Sub, I::F32x4Mul, I::F32x4Div, I::F32x4Min, I::F32x4Max]),
        (&[V, V], &[I::F64x2Add, I::F64x2Sub, I::F64x2Mul, I::F64x2Div, I::F64x2Min, I::F64x2Max]),
        (&[V, V], &[I::F32x4PMin, I::F32x4PMax, I::F64x2PMin, I::F64x2PMax]),
        (&[V, V], &[I::V128And, I::V128Or, I::V128Xor, I::V128AndNot, I::I8x16Swizzle]),
        (&[V, V], &[I::F32x4Lt, I::F64x2Ge, I::I32x4Add, I::I64x2Sub, I::F32x4Eq, I::F64x2Ne]),
        (&[V, V], &[I::I8x16Shuffle([0, 17, 2, 19, 4, 21, 6, 23, 8, 25, 10, 27, 12, 29, 14, 31])]),
        (&[V, V, V], &[I::V128Bitselect]),
        (&[V], &[I::F32x4Sqrt, I::F32x4Neg, I::F32x4Abs, I::F32x4Ceil, I::F32x4Nearest]),
        (&[V], &[I::F64x2Sqrt, I::F64x2Neg, I::F64x2Abs, I::F64x2Floor, I::F64x2Trunc]),
        (&[V], &[I::F32x4DemoteF64x2Zero, I::F64x2PromoteLowF32x4, I::V128Not]),
        (&[V], &[I::I32x4TruncSatF32x4S, I::F32x4ConvertI32x4S, I::F64x2ConvertLowI32x4U]),
        (&[F32], &[I::F32x4Splat]),
        (&[F64], &[I::F64x2Splat]),
        (&[I32], &[I::I32x4Splat]),
        (&[V, F32], &[I::F32x4ReplaceLane(1), I::F32x4ReplaceLane(3)]),
        (&[V, F64], &[I::F64x2ReplaceLane(0), I::F64x2ReplaceLane(1)]),
    ];
    let all = match ty {
        ValType::I32 => OF_I32,
        ValType::I64 => OF_I64,
        ValType::F32 => OF_F32,
        ValType::F64 => OF_F64,
        _ => OF_V128,
    };
    let (operands, operators) = all[draw as usize % all.len()];
    (operators[(draw >> 32) as usize % operators.len()].clone(), operands)
}
