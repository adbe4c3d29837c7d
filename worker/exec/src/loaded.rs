//! A module on its way from bytes to something that runs: looked over, passed, compiled, linked.
//!
//! Compiled and run it may be in two processes: what goes from one to the other is machine code and
//! its [`Recipe`].
use super::{
    facts::{Contract, Facts, Kind, Refusal},
    guest::Guest,
    pass::{PassError, pass},
};
use coordinator_free_scheduler::{Hash, RunLimits, Void};
use serde::{Deserialize, Serialize};
use wasmtime::{Engine, InstancePre, Linker, Module, ModuleExport};

/// What a module's machine code does not say of itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Recipe {
    /// How it is entered, and what it begins with.
    pub facts: Facts,
    /// The exported global where its fuel is counted.
    pub fuel: String,
    /// The exported global where the slots of its stack are counted.
    pub stack: String,
    /// Its start function, which is not run before its fuel is set.
    pub start: Option<String>,
}

/// Why a module is not run.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub enum Unfit {
    /// It can be run nowhere.
    Refused(Refusal),
    /// This host cannot run it; why.
    Failed(Void, String),
}

impl Unfit {
    /// Why, for people.
    pub fn into_detail(self) -> String {
        match self {
            Unfit::Refused(Refusal { detail, .. }) | Unfit::Failed(_, detail) => detail,
        }
    }

    /// The bytes that came are not those that were named.
    pub fn misnamed(hash: Hash) -> Unfit {
        let why = format!("the module's bytes have not the hash {hash}");
        Unfit::Failed(Void::Unavailable, why)
    }
}

/// Looks a module over, and puts into it what it is metered by.
pub fn passed(module: &[u8], contract: &Contract) -> Result<(Recipe, Vec<u8>), Unfit> {
    let facts = Facts::of(module, contract).map_err(Unfit::Refused)?;
    let passed = pass(module).map_err(|error| match error {
        PassError::TooLarge(refusal) => Unfit::Refused(refusal),
        error => Unfit::Failed(Void::Engine, error.to_string()),
    })?;
    let (fuel, stack, start) = (passed.fuel, passed.stack, passed.start);
    Ok((Recipe { facts, fuel, stack, start }, passed.module))
}

/// Machine code for a module, with what goes with it.
pub fn compiled(
    module: &[u8],
    contract: &Contract,
    engine: &Engine,
) -> Result<(Recipe, Vec<u8>), Unfit> {
    let (recipe, passed) = passed(module, contract)?;
    // The engine validates what the pass has made.
    let code = engine.precompile_module(&passed);
    code.map(|code| (recipe, code)).map_err(engine_failed)
}

/// What the engine does not take, though the contract does, is no outcome.
pub fn engine_failed(error: wasmtime::Error) -> Unfit {
    Unfit::Failed(Void::Engine, format!("{error:#}"))
}

impl Recipe {
    /// Why a module may not run within these limits: it asks for more memory than they give.
    pub fn refusal(&self, limits: &RunLimits) -> Option<Refusal> {
        self.facts.refusal(super::sandbox::memory_bytes_max(limits))
    }
}

/// A module that can be run.
pub struct Loaded {
    /// Linked with the host's functions.
    pub instance: InstancePre<Guest>,
    /// How it is entered.
    pub entry: Entry,
    /// Where it checks outputs, if it can.
    pub verify: Option<ModuleExport>,
    /// Its start function.
    pub start: Option<ModuleExport>,
    /// Where its fuel is counted.
    pub fuel: ModuleExport,
    /// Where the slots of its stack are.
    pub stack: ModuleExport,
    /// What is known of it.
    pub facts: Facts,
}

/// Where a module is entered.
pub enum Entry {
    /// A WASI command.
    Command { start: ModuleExport, memory: Option<ModuleExport> },
    /// A plain unit.
    Plain { memory: ModuleExport, alloc: ModuleExport, run: ModuleExport },
    /// A stepped unit; compilers of libraries (WASI's reactors) have one more to be called first.
    Stepped {
        initialize: Option<ModuleExport>,
        init: ModuleExport,
        step: ModuleExport,
        memory: Option<ModuleExport>,
    },
}

impl Loaded {
    /// Links a module.
    ///
    /// # Errors
    /// Recipe and module do not fit.
    pub fn new(
        module: &Module,
        recipe: &Recipe,
        linker: &Linker<Guest>,
    ) -> wasmtime::Result<Loaded> {
        let export = |name: &str| {
            let missing = || wasmtime::Error::msg(format!("the export {name} got lost"));
            module.get_export_index(name).ok_or_else(missing)
        };
        let entry = match recipe.facts.kind {
            Kind::Command => Entry::Command {
                start: export("_start")?,
                memory: module.get_export_index("memory"),
            },
            Kind::Plain => Entry::Plain {
                memory: export("memory")?,
                alloc: export("alloc")?,
                run: export("run")?,
            },
            Kind::Stepped => Entry::Stepped {
                initialize: module.get_export_index("_initialize").filter(|_| {
                    // Whatever else has that name is none.
                    let function =
                        module.get_export("_initialize").and_then(|ty| ty.func().cloned());
                    function.is_some_and(|ty| ty.params().len() + ty.results().len() == 0)
                }),
                init: export("init")?,
                step: export("step")?,
                memory: module.get_export_index("memory"),
            },
        };
        let verify = recipe.facts.verifies.then(|| export("verify")).transpose()?;
        let start = recipe.start.as_deref().map(export).transpose()?;
        let (fuel, stack) = (export(&recipe.fuel)?, export(&recipe.stack)?);
        let instance = linker.instantiate_pre(module)?;
        Ok(Loaded { instance, entry, verify, start, fuel, stack, facts: recipe.facts })
    }
}
