//! What a module is made of, for its author: what it uses, what it asks for, what the pass puts in.
//!
//! What it is not: a promise; only running shows what a unit costs.
use crate::{
    facts::{Facts, Kind, features},
    pass::{Counts, PassError, pass},
};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

/// A module that may be run, looked over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anatomy {
    /// `command`, `plain` or `stepped`.
    pub kind: &'static str,
    /// Whether it can check outputs.
    pub verifies: bool,
    /// Its size, bytes.
    pub bytes: u64,
    /// Its size after the pass, bytes.
    pub passed_bytes: u64,
    /// Features of WebAssembly that it cannot do without.
    pub features: Vec<&'static str>,
    /// What it imports, `module.name`.
    pub imports: Vec<String>,
    /// Linear memory that it starts with, bytes.
    pub memory_bytes_min: u64,
    /// What the pass puts in.
    pub sites: Counts,
}

/// The contract's features that a module may need, by the names of their proposals.
const NAMED: [(&str, WasmFeatures); 10] = [
    ("floats", WasmFeatures::FLOATS),
    ("mutable-globals", WasmFeatures::MUTABLE_GLOBAL),
    ("nontrapping-float-to-int", WasmFeatures::SATURATING_FLOAT_TO_INT),
    ("sign-extension", WasmFeatures::SIGN_EXTENSION),
    ("multi-value", WasmFeatures::MULTI_VALUE),
    ("reference-types", WasmFeatures::REFERENCE_TYPES),
    ("bulk-memory", WasmFeatures::BULK_MEMORY),
    ("simd128", WasmFeatures::SIMD),
    ("extended-const", WasmFeatures::EXTENDED_CONST),
    ("tail-call", WasmFeatures::TAIL_CALL),
];

impl Anatomy {
    /// The rest of what is to be known of a module that may be run.
    pub(crate) fn of(module: &[u8], facts: Facts) -> Result<Anatomy, PassError> {
        let passed = pass(module)?;
        let needs = |feature: WasmFeatures| {
            let without = features().difference(feature);
            Validator::new_with_features(without).validate_all(module).is_err()
        };
        Ok(Anatomy {
            kind: match facts.kind {
                Kind::Command => "command",
                Kind::Plain => "plain",
                Kind::Stepped => "stepped",
            },
            verifies: facts.verifies,
            bytes: module.len() as u64,
            passed_bytes: passed.module.len() as u64,
            features: NAMED.iter().filter(|(_, one)| needs(*one)).map(|(name, _)| *name).collect(),
            imports: imports(module),
            memory_bytes_min: facts.memory_bytes_min,
            sites: passed.sites,
        })
    }
}

fn imports(module: &[u8]) -> Vec<String> {
    let sections = Parser::new(0).parse_all(module).filter_map(|payload| match payload {
        Ok(Payload::ImportSection(section)) => Some(section),
        _ => None,
    });
    let all = sections.flat_map(|section| section.into_imports().flatten());
    all.map(|import| format!("{}.{}", import.module, import.name)).collect()
}
