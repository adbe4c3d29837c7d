//! The pass: a module in, the same module out, only that what it computes, and what it is charged for
//! that, is the same on every machine and in every engine.
//!
//! *Fuel* is counted in the module's own operators, block by block, and so are the frames of its
//! calls, by code that the pass puts in; a guest that has used up either ends in `unreachable`, and
//! whoever runs it sees which by the [globals](Passed) that the pass exports. *NaN*: IEEE 754 leaves
//! open which bits a NaN has that arithmetic makes, and processors differ in it. The pass gives such a
//! NaN its canonical bits wherever they could be seen: before a store, a call, a reinterpretation.
//!
//! Invariant: what the passed module computes is what the module computes on an engine that makes
//! every NaN of every arithmetic operator canonical at once; a NaN that is only carried about keeps
//! its payload. The module cannot name what the pass adds: it was valid without.
//! What it is not: a check of limits on what comes in; `facts` does that first.
mod classes;
mod emit;
mod meter;
mod nan;
mod sections;
mod steps;
mod webs;

pub use meter::STACK_SLOTS_MAX;

use crate::facts::{Refusal, within};
use classes::Shape;
use emit::Globals;
use meter::Meter;
use sections::Rewriter;
use wasm_encoder::CodeSection;
use wasmparser::{
    BinaryReaderError, FuncValidatorAllocations, FunctionBody, Parser, Payload, ValidPayload,
    Validator, ValidatorResources,
};

/// A module after the pass.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Passed {
    /// As WebAssembly.
    pub module: Vec<u8>,
    /// The exported name of the global that holds the fuel that is left, `i64`: to be set before
    /// anything is called, below 0 once the fuel has ended.
    pub fuel: String,
    /// The exported name of the global that holds the slots of the stack that are left, `i32`; below
    /// 0 once they have ended.
    pub stack: String,
    /// The exported name of the start function, if there is one: it is to be called once the fuel
    /// is set.
    pub start: Option<String>,
    /// What was put in.
    pub sites: Counts,
}

/// What the pass put into a module.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Functions.
    pub functions: u64,
    /// Operators.
    pub operators: u64,
    /// Places where fuel is charged.
    pub charges: u64,
    /// Places where the counter is looked at.
    pub checks: u64,
    /// Operators whose results are made canonical.
    pub nans: u64,
}

/// Most places in a function that are charged for themselves, or made canonical: compiling takes
/// time with their square, ten seconds for so many.
pub const BLOCKS_MAX: u64 = 50_000;
/// Most targets of a branch table; engines take little more.
pub const BRANCH_TARGETS_MAX: u64 = 50_000;
/// Largest function that the pass makes, bytes; engines take little more.
pub const PASSED_FUNCTION_BYTES_MAX: u64 = 7_000_000;
/// Most code that the pass makes of a module, bytes.
pub const PASSED_CODE_BYTES_MAX: u64 = 256 << 20;

/// Why a module cannot be passed.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// It is not valid under the contract's features.
    #[error("not a module of the contract: {0}")]
    Invalid(#[from] BinaryReaderError),
    /// It grows too large.
    #[error("{}", .0.detail)]
    TooLarge(Refusal),
    /// It has a part that cannot be written anew.
    #[error("cannot be written anew: {0}")]
    Part(#[from] wasm_encoder::reencode::Error),
}

/// Passes a module.
///
/// # Errors
/// See [`PassError`].
pub fn pass(module: &[u8]) -> Result<Passed, PassError> {
    let mut validator = Validator::new_with_features(crate::facts::features());
    let mut allocations = FuncValidatorAllocations::default();
    let mut rewriter = Rewriter::default();
    let (mut code, mut counts) = (None, Counts::default());
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        let valid = validator.payload(&payload)?;
        if let (ValidPayload::Func(function, body), Some(section)) = (valid, &mut code) {
            let mut function = function.into_validator(core::mem::take(&mut allocations));
            pass_function(&mut function, &body, rewriter.globals(), section, &mut counts)?;
            allocations = function.into_allocations();
        }
        match &payload {
            Payload::CodeSectionStart { .. } => code = Some(CodeSection::new()),
            Payload::CodeSectionEntry(_) => {}
            other => {
                // The code section is over with the next section, or with the module.
                if let Some(code) = code.take() {
                    rewriter.code(&code);
                }
                rewriter.section(other, module)?;
            }
        }
    }
    Ok(Passed { sites: counts, ..rewriter.finish() })
}

/// Adds a function to a code section.
fn pass_function(
    function: &mut wasmparser::FuncValidator<ValidatorResources>,
    body: &FunctionBody<'_>,
    globals: Globals,
    code: &mut CodeSection,
    counts: &mut Counts,
) -> Result<(), PassError> {
    let mut steps = steps::steps(function, body)?;
    let (sites, meter) = (nan::sites(function, &mut steps), Meter::of(&steps));
    let too_large = PassError::TooLarge;
    let blocks = (meter.blocks.len() + sites.len()) as u64;
    within("blocks in a function", blocks, BLOCKS_MAX).map_err(too_large)?;
    within("targets of a branch", steps.targets_max, BRANCH_TARGETS_MAX).map_err(too_large)?;
    let passed = emit::function(body, &steps, &meter, &sites, globals)?;
    let (bytes, max) = (passed.byte_len() as u64, PASSED_FUNCTION_BYTES_MAX);
    within("bytes in a function once it is metered", bytes, max).map_err(too_large)?;
    code.function(&passed);
    let (bytes, max) = (code.byte_len() as u64, PASSED_CODE_BYTES_MAX);
    within("bytes of code once it is metered", bytes, max).map_err(too_large)?;
    counts.functions += 1;
    counts.operators += steps.steps.len() as u64;
    counts.charges += meter.blocks.values().filter(|charge| charge.fuel > 0).count() as u64;
    let checks = meter.blocks.values().filter(|charge| charge.check).count();
    counts.checks += (checks + meter.bulk.len()) as u64;
    counts.nans += sites.len() as u64;
    Ok(())
}

/// Where, by the number of its operator in the function, a result of this shape is made canonical.
type Sites = std::collections::BTreeMap<usize, Shape>;
