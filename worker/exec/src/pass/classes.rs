//! What each operator does with float values: the list that the whole pass rests on.
//!
//! It follows the set of operators that Cranelift's own canonicalisation covers. An operator that is
//! not named here is taken to look at the bits of all its operands, which is always safe.
use wasmparser::Operator::{self as Op};

/// How the lanes of a value are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    F32,
    F64,
    F32x4,
    F64x2,
}

/// What an operator does with its float operands and its result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// Arithmetic on values of the first shape: takes any NaN, may make one of the second shape.
    Arithmetic(Shape, Shape),
    /// Looks at numbers of this shape and at no bits of a NaN; makes no float.
    Consume(Shape),
    /// Makes a float that is no NaN; of a vector, read as `f32x4` and as `f64x2`.
    Number([bool; 2]),
    /// Hands on one of its first two operands, whole or by lanes of this shape, where it has one.
    Choose(Option<Shape>),
    /// Copies a scalar of the first shape into lanes of the second.
    Splat(Shape, Shape),
    /// Puts a scalar of the second shape into a lane of the first.
    Replace(Shape, Shape),
    /// Takes a scalar of the second shape out of lanes of the first.
    Extract(Shape, Shape),
    /// Takes values and does nothing with them.
    Drop,
    LocalGet(u32),
    LocalSet(u32),
    LocalTee(u32),
    /// Anything else: bits are looked at, results are as they are.
    Bits,
}

impl Use {
    /// The local that is read or written.
    pub fn local(self) -> Option<u32> {
        match self {
            Use::LocalGet(local) | Use::LocalSet(local) | Use::LocalTee(local) => Some(local),
            _ => None,
        }
    }

    /// The same of a local of another name.
    pub fn renamed(self, local: u32) -> Use {
        match self {
            Use::LocalGet(_) => Use::LocalGet(local),
            Use::LocalSet(_) => Use::LocalSet(local),
            Use::LocalTee(_) => Use::LocalTee(local),
            other => other,
        }
    }
}

const NUMBER: Use = Use::Number([true; 2]);

/// What an operator does.
pub fn use_of(operator: &Op<'_>) -> Use {
    use Shape::{F32, F32x4, F64, F64x2};
    match operator {
        Op::F32Add | Op::F32Sub | Op::F32Mul | Op::F32Div | Op::F32Sqrt => {
            Use::Arithmetic(F32, F32)
        }
        Op::F32Min | Op::F32Max | Op::F32Ceil | Op::F32Floor => Use::Arithmetic(F32, F32),
        Op::F32Trunc | Op::F32Nearest => Use::Arithmetic(F32, F32),
        Op::F64Add | Op::F64Sub | Op::F64Mul | Op::F64Div | Op::F64Sqrt => {
            Use::Arithmetic(F64, F64)
        }
        Op::F64Min | Op::F64Max | Op::F64Ceil | Op::F64Floor => Use::Arithmetic(F64, F64),
        Op::F64Trunc | Op::F64Nearest => Use::Arithmetic(F64, F64),
        Op::F32DemoteF64 => Use::Arithmetic(F64, F32),
        Op::F64PromoteF32 => Use::Arithmetic(F32, F64),
        Op::F32Eq | Op::F32Ne | Op::F32Lt | Op::F32Gt | Op::F32Le | Op::F32Ge => Use::Consume(F32),
        Op::F64Eq | Op::F64Ne | Op::F64Lt | Op::F64Gt | Op::F64Le | Op::F64Ge => Use::Consume(F64),
        // A NaN traps or becomes 0, whatever its bits.
        Op::I32TruncF32S | Op::I32TruncF32U | Op::I64TruncF32S | Op::I64TruncF32U => {
            Use::Consume(F32)
        }
        Op::I32TruncSatF32S | Op::I32TruncSatF32U | Op::I64TruncSatF32S | Op::I64TruncSatF32U => {
            Use::Consume(F32)
        }
        Op::I32TruncF64S | Op::I32TruncF64U | Op::I64TruncF64S | Op::I64TruncF64U => {
            Use::Consume(F64)
        }
        Op::I32TruncSatF64S | Op::I32TruncSatF64U | Op::I64TruncSatF64S | Op::I64TruncSatF64U => {
            Use::Consume(F64)
        }
        Op::F32ConvertI32S | Op::F32ConvertI32U | Op::F32ConvertI64S | Op::F32ConvertI64U => NUMBER,
        Op::F64ConvertI32S | Op::F64ConvertI32U | Op::F64ConvertI64S | Op::F64ConvertI64U => NUMBER,
        Op::F32Const { value } if !f32::from_bits(value.bits()).is_nan() => NUMBER,
        Op::F64Const { value } if !f64::from_bits(value.bits()).is_nan() => NUMBER,
        Op::Select | Op::TypedSelect { .. } => Use::Choose(None),
        Op::Drop => Use::Drop,
        Op::LocalGet { local_index } => Use::LocalGet(*local_index),
        Op::LocalSet { local_index } => Use::LocalSet(*local_index),
        Op::LocalTee { local_index } => Use::LocalTee(*local_index),
        Op::F32x4Splat => Use::Splat(F32, F32x4),
        Op::F64x2Splat => Use::Splat(F64, F64x2),
        Op::F32x4ReplaceLane { .. } => Use::Replace(F32x4, F32),
        Op::F64x2ReplaceLane { .. } => Use::Replace(F64x2, F64),
        Op::F32x4ExtractLane { .. } => Use::Extract(F32x4, F32),
        Op::F64x2ExtractLane { .. } => Use::Extract(F64x2, F64),
        Op::F32x4PMin | Op::F32x4PMax => Use::Choose(Some(F32x4)),
        Op::F64x2PMin | Op::F64x2PMax => Use::Choose(Some(F64x2)),
        _ => vector_use_of(operator),
    }
}

fn vector_use_of(operator: &Op<'_>) -> Use {
    use Shape::{F32x4, F64x2};
    match operator {
        Op::F32x4Add | Op::F32x4Sub | Op::F32x4Mul | Op::F32x4Div | Op::F32x4Sqrt => {
            Use::Arithmetic(F32x4, F32x4)
        }
        Op::F32x4Min | Op::F32x4Max | Op::F32x4Ceil | Op::F32x4Floor => {
            Use::Arithmetic(F32x4, F32x4)
        }
        Op::F32x4Trunc | Op::F32x4Nearest => Use::Arithmetic(F32x4, F32x4),
        Op::F64x2Add | Op::F64x2Sub | Op::F64x2Mul | Op::F64x2Div | Op::F64x2Sqrt => {
            Use::Arithmetic(F64x2, F64x2)
        }
        Op::F64x2Min | Op::F64x2Max | Op::F64x2Ceil | Op::F64x2Floor => {
            Use::Arithmetic(F64x2, F64x2)
        }
        Op::F64x2Trunc | Op::F64x2Nearest => Use::Arithmetic(F64x2, F64x2),
        Op::F32x4DemoteF64x2Zero => Use::Arithmetic(F64x2, F32x4),
        Op::F64x2PromoteLowF32x4 => Use::Arithmetic(F32x4, F64x2),
        Op::F32x4Eq | Op::F32x4Ne | Op::F32x4Lt | Op::F32x4Gt | Op::F32x4Le | Op::F32x4Ge => {
            Use::Consume(F32x4)
        }
        Op::F64x2Eq | Op::F64x2Ne | Op::F64x2Lt | Op::F64x2Gt | Op::F64x2Le | Op::F64x2Ge => {
            Use::Consume(F64x2)
        }
        Op::V128Const { value } => {
            let (singles, doubles) = (value.bytes().as_chunks().0, value.bytes().as_chunks().0);
            let singles = singles.iter().all(|lane| !f32::from_le_bytes(*lane).is_nan());
            let doubles = doubles.iter().all(|lane| !f64::from_le_bytes(*lane).is_nan());
            Use::Number([singles, doubles])
        }
        Op::I32x4TruncSatF32x4S | Op::I32x4TruncSatF32x4U => Use::Consume(F32x4),
        Op::I32x4TruncSatF64x2SZero | Op::I32x4TruncSatF64x2UZero => Use::Consume(F64x2),
        _ => Use::Bits,
    }
}
