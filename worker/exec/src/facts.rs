//! What a module is, found without running or compiling it.
//!
//! Invariant: [`Facts::of`] depends on the module's bytes and the contract alone, never on the host;
//! so its refusals are outcomes that every machine agrees on.
use coordinator_free_scheduler::{IMPORT_NAME_MAX, InvalidReason};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use wasmparser::{
    Parser, Payload, ValType, Validator, WasmFeatures,
    types::{EntityType, TypesRef},
};

/// Largest module, bytes.
pub const MODULE_BYTES_MAX: usize = 64 << 20;
/// Most functions in a module.
pub const FUNCTIONS_MAX: u32 = 100_000;
/// Largest function, bytes; compiling takes time and memory out of proportion to it.
pub const FUNCTION_BYTES_MAX: u64 = 1 << 20;
/// Most locals of a function; engines have room for few more, and the pass adds some.
pub const LOCALS_MAX: u64 = 40_000;
/// Most results of a function or block: each is a value on somebody's stack, which all who look at
/// the module hold.
pub const RESULTS_MAX: u64 = 32;
/// Most types in a module.
pub const TYPES_MAX: u32 = 100_000;
/// Most globals in a module.
pub const GLOBALS_MAX: u32 = 100_000;
/// Most imports of a module; the contract has far fewer, but one may be imported often.
pub const IMPORTS_MAX: u32 = 1_000;
/// Most exports of a module.
pub const EXPORTS_MAX: u32 = 100_000;
/// Most data segments of a module.
pub const DATA_SEGMENTS_MAX: u32 = 100_000;
/// Most element segments of a module.
pub const ELEMENT_SEGMENTS_MAX: u32 = 100_000;
/// Most tables of a module.
pub const TABLES_MAX: u32 = 4;
/// Most elements of a table, also after growing.
pub const TABLE_ELEMENTS_MAX: u64 = 200_000;
/// Bytes of a page of linear memory.
pub const PAGE_BYTES: u64 = 64 << 10;

/// The features of WebAssembly that the contract has.
pub fn features() -> WasmFeatures {
    WasmFeatures::FLOATS
        | WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::SIMD
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::TAIL_CALL
}

/// Parameters and results of a function.
pub type Signature = (Vec<ValType>, Vec<ValType>);

/// The functions that a guest may import, by module and name.
#[derive(Default)]
pub struct Contract(pub HashMap<(String, String), Signature>);

/// How a module is entered.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub enum Kind {
    /// A WASI command: `_start`, standard streams, an exit code.
    Command,
    /// A plain unit: `alloc` and `run` on the exported memory, no imports.
    Plain,
    /// A stepped unit: `init` and `step` between the standard streams.
    Stepped,
}

/// What is known of a module that may be run.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Facts {
    /// How it is entered.
    pub kind: Kind,
    /// The linear memory it starts with, bytes.
    pub memory_bytes_min: u64,
    /// Whether it can check outputs: `verify: func()` between the standard streams, or that of a plain
    /// unit, `verify: func(i32, i32, i32, i32) -> i32`.
    pub verifies: bool,
}

/// Why a module may not be run.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Refusal {
    /// What is voted on.
    pub reason: InvalidReason,
    /// The same for people.
    pub detail: String,
}

impl Facts {
    /// Looks a module over.
    pub fn of(module: &[u8], contract: &Contract) -> Result<Facts, Refusal> {
        check_counts(module)?;
        let types = Validator::new_with_features(features()).validate_all(module)?;
        let types = types.as_ref();
        check_tables(types)?;
        let exports = Exports::of(types);
        let kind = kind(&exports)?;
        check_imports(types, kind, contract)?;
        let verifies = match kind {
            Kind::Command | Kind::Stepped => exports.function("verify", &[], &[]),
            Kind::Plain => exports.function("verify", &[ValType::I32; 4], &[ValType::I32]),
        };
        Ok(Facts { kind, memory_bytes_min: memory_bytes_min(types), verifies })
    }

    /// Why it may not run with so much memory, if it starts with more.
    pub fn refusal(&self, memory_bytes_max: u64) -> Option<Refusal> {
        let min = self.memory_bytes_min;
        (min > memory_bytes_max).then(|| Refusal {
            reason: InvalidReason::TooLarge,
            detail: format!(
                "the module starts with {min} bytes of memory; its limit is {memory_bytes_max}"
            ),
        })
    }
}

/// Counts come first: validating and compiling take time and memory in proportion to them.
fn check_counts(module: &[u8]) -> Result<(), Refusal> {
    within("bytes", module.len() as u64, MODULE_BYTES_MAX as u64)?;
    for payload in Parser::new(0).parse_all(module) {
        let (what, count, max) = match payload? {
            Payload::TypeSection(section) => {
                within("types", section.count().into(), TYPES_MAX.into())?;
                for ty in section.into_iter_err_on_gc_types() {
                    within("results of a function", ty?.results().len() as u64, RESULTS_MAX)?;
                }
                continue;
            }
            Payload::ImportSection(section) => ("imports", section.count(), IMPORTS_MAX),
            Payload::FunctionSection(section) => ("functions", section.count(), FUNCTIONS_MAX),
            Payload::TableSection(section) => ("tables", section.count(), TABLES_MAX),
            Payload::GlobalSection(section) => ("globals", section.count(), GLOBALS_MAX),
            Payload::ExportSection(section) => ("exports", section.count(), EXPORTS_MAX),
            Payload::ElementSection(section) => {
                ("element segments", section.count(), ELEMENT_SEGMENTS_MAX)
            }
            Payload::DataSection(section) => ("data segments", section.count(), DATA_SEGMENTS_MAX),
            Payload::CodeSectionEntry(body) => {
                within("bytes in a function", body.range().len() as u64, FUNCTION_BYTES_MAX)?;
                let mut locals = 0_u64;
                for group in body.get_locals_reader()? {
                    locals = locals.saturating_add(group?.0.into());
                }
                within("locals in a function", locals, LOCALS_MAX)?;
                continue;
            }
            _ => continue,
        };
        within(what, count.into(), max.into())?;
    }
    Ok(())
}

fn check_tables(types: TypesRef<'_>) -> Result<(), Refusal> {
    within("tables", types.table_count().into(), TABLES_MAX.into())?;
    (0..types.table_count()).try_for_each(|index| {
        within("table elements", types.table_at(index).initial, TABLE_ELEMENTS_MAX)
    })
}

/// Refuses what is more than is allowed.
pub fn within(what: &str, count: u64, max: u64) -> Result<(), Refusal> {
    if count <= max {
        return Ok(());
    }
    let detail = format!("the module has {count} {what}; at most {max} are allowed");
    Err(Refusal { reason: InvalidReason::TooLarge, detail })
}

fn memory_bytes_min(types: TypesRef<'_>) -> u64 {
    match types.memory_count() {
        0 => 0,
        _ => types.memory_at(0).initial.saturating_mul(PAGE_BYTES),
    }
}

/// The kind by exports; `_start` goes first, since compilers add exports to commands.
fn kind(exports: &Exports<'_>) -> Result<Kind, Refusal> {
    use ValType::{I32, I64};
    if exports.function("_start", &[], &[]) {
        return Ok(Kind::Command);
    }
    if exports.function("init", &[], &[]) && exports.function("step", &[I64], &[]) {
        return Ok(Kind::Stepped);
    }
    let has_memory = matches!(exports.named.get("memory"), Some(EntityType::Memory(_)));
    match has_memory
        && exports.function("alloc", &[I32], &[I32])
        && exports.function("run", &[I32, I32], &[I64])
    {
        true => Ok(Kind::Plain),
        false => Err(Refusal {
            reason: InvalidReason::NoEntryPoint,
            detail: "the module exports neither `_start: func()` (a WASI command) nor `init: func()` \
                     and `step: func(i64)` (a stepped unit) nor `memory`, `alloc: func(i32) -> i32` \
                     and `run: func(i32, i32) -> i64` (a plain unit)"
                .into(),
        }),
    }
}

/// What a module exports, by name.
struct Exports<'a> {
    types: TypesRef<'a>,
    named: HashMap<&'a str, EntityType>,
}

impl<'a> Exports<'a> {
    fn of(types: TypesRef<'a>) -> Exports<'a> {
        Exports { types, named: types.core_exports().into_iter().flatten().collect() }
    }

    /// Whether there is a function of this type.
    fn function(&self, name: &str, parameters: &[ValType], results: &[ValType]) -> bool {
        match self.named.get(name) {
            Some(EntityType::Func(id) | EntityType::FuncExact(id)) => {
                let function = self.types[*id].unwrap_func();
                function.params() == parameters && function.results() == results
            }
            _ => false,
        }
    }
}

/// Of several forbidden imports the least by name is reported, whatever order a parser keeps.
fn check_imports(types: TypesRef<'_>, kind: Kind, contract: &Contract) -> Result<(), Refusal> {
    let imports = types.core_imports().into_iter().flatten();
    let wrong = imports.filter_map(|(module, name, entity)| {
        let detail = import_problem(types, kind, contract, module, name, entity)?;
        Some(Refusal { reason: forbidden(module, name), detail })
    });
    match wrong.min_by(|one, other| one.reason.cmp(&other.reason)) {
        Some(refusal) => Err(refusal),
        None => Ok(()),
    }
}

fn import_problem(
    types: TypesRef<'_>,
    kind: Kind,
    contract: &Contract,
    module: &str,
    name: &str,
    entity: EntityType,
) -> Option<String> {
    let wanted = contract.0.get(&(module.to_owned(), name.to_owned()));
    let has = match entity {
        EntityType::Func(id) | EntityType::FuncExact(id) => Some(types[id].unwrap_func()),
        _ => None,
    };
    match (kind, wanted, has) {
        (Kind::Plain, ..) => {
            Some(format!("a plain unit imports nothing, this one {module}.{name}"))
        }
        (Kind::Command | Kind::Stepped, None, _) | (Kind::Command | Kind::Stepped, _, None) => {
            Some(format!("guests have no function {module}.{name}"))
        }
        (Kind::Command | Kind::Stepped, Some((parameters, results)), Some(has)) => {
            let fits = has.params() == &parameters[..] && has.results() == &results[..];
            (!fits).then(|| format!("{module}.{name} is imported with another type than it has"))
        }
    }
}

fn forbidden(module: &str, name: &str) -> InvalidReason {
    let mut import = format!("{module}.{name}");
    let mut end = import.len().min(IMPORT_NAME_MAX);
    while !import.is_char_boundary(end) {
        end -= 1;
    }
    import.truncate(end);
    InvalidReason::ForbiddenImport(import)
}

impl From<wasmparser::BinaryReaderError> for Refusal {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        // The parser spreads what it says over lines.
        let words: Vec<_> = error.message().split_whitespace().collect();
        let detail = format!("{} (at byte {})", words.join(" "), error.offset());
        Refusal { reason: InvalidReason::Malformed, detail }
    }
}
