//! One run from its start to its outcome.
//!
//! Invariant: the mapping from how the engine ended to what is voted on ([`end_of`]) is total; an end
//! that is not known to be the guest's own doing is a [`Void`].
use super::{
    Anatomy, Ran, Run, SetupError, check,
    engine::{self, Backend, MEMORY_BYTES_MAX, THREAD_STACK_BYTES},
    facts::{Contract, Facts, Kind},
    guest::{Guest, Halt, MemoryGauge, fuel_left, set_fuel},
    loaded::{self, Entry, Loaded, Recipe, Unfit, engine_failed},
    wasi::{self, FUEL_PER_BYTE, Stop, System},
};
use coordinator_free_scheduler::{Answer, Hash, Outcome, RunLimits, Step, TrapClass, Void};
use std::{
    hash::{Hash as _, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};
use wasmtime::{
    Engine, Error, Global, Instance, Linker, Memory, Module, ModuleExport, OutOfMemory, Result,
    Store, Trap, TypedFunc, Val, WasmBacktrace, WasmParams, WasmResults,
};

/// The engine, and what a guest may call.
pub struct Sandbox {
    engine: Engine,
    linker: Linker<Guest>,
    contract: Contract,
    turn: Mutex<()>,
}

impl Sandbox {
    /// A sandbox for one guest at a time.
    ///
    /// # Errors
    /// The engine does not start.
    pub fn new(backend: Backend) -> Result<Sandbox, SetupError> {
        let engine = engine::new(backend)?;
        let (linker, contract) = wasi::link(&engine)?;
        Ok(Sandbox { engine, linker, contract, turn: Mutex::default() })
    }

    /// A module as it is compiled.
    ///
    /// # Errors
    /// Why it can be run nowhere, in a sentence.
    pub fn pass(&self, module: &[u8]) -> Result<Vec<u8>, String> {
        let passed = loaded::passed(module, &self.contract);
        passed.map(|(_, passed)| passed).map_err(Unfit::into_detail)
    }

    /// Looks a module over more closely: what it uses, and what the pass puts into it.
    ///
    /// # Errors
    /// Why it can be run nowhere, in a sentence.
    pub fn anatomy(&self, module: &[u8]) -> Result<Anatomy, String> {
        let facts = Facts::of(module, &self.contract).map_err(|refusal| refusal.detail)?;
        Anatomy::of(module, facts).map_err(|error| error.to_string())
    }

    /// Runs one unit in this process, which is for those who trust the module: the grid's units run
    /// in an [`Executor`](crate::Executor).
    pub fn run(&self, run: Run) -> Ran {
        self.run_telling(run, &mut |_, _| {})
    }

    /// The same, and tells each step of a stepped unit, with its state.
    pub fn run_telling(&self, run: Run, tell: &mut (dyn FnMut(Step, &[u8]) + Send)) -> Ran {
        let lost = || Ran::unfit(&Unfit::Failed(Void::Engine, "it was not run".into()));
        self.run_each(vec![run], tell).pop().unwrap_or_else(lost)
    }

    /// Runs units of one module, that of the first, one after the other.
    pub fn run_all(&self, runs: Vec<Run>) -> Vec<Ran> {
        self.run_each(runs, &mut |_, _| {})
    }

    fn run_each(&self, runs: Vec<Run>, tell: &mut (dyn FnMut(Step, &[u8]) + Send)) -> Vec<Ran> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, Some(first)) = (runs.len(), runs.first()) else { return Vec::new() };
        let ran = self.prepare(first.module_hash, &first.module).and_then(|loaded| {
            let run = |run: Run| match loaded.facts.refusal(memory_bytes_max(&run.limits)) {
                Some(refusal) => Ran::unfit(&Unfit::Refused(refusal)),
                None => self.run_here(&loaded, run, tell),
            };
            on_own_stack(|| runs.into_iter().map(run).collect())
        });
        ran.unwrap_or_else(|unfit| vec![Ran::unfit(&unfit); count])
    }

    fn prepare(&self, hash: Hash, module: &[u8]) -> Result<Loaded, Unfit> {
        if Hash::of(module) != hash {
            return Err(Unfit::misnamed(hash));
        }
        let (recipe, passed) = loaded::passed(module, &self.contract)?;
        let module = Module::new(&self.engine, &passed).map_err(engine_failed)?;
        Loaded::new(&module, &recipe, &self.linker).map_err(engine_failed)
    }

    /// Compiles a module, to be loaded by another process of this program.
    pub(crate) fn compile(&self, module: &[u8]) -> Result<(Recipe, Vec<u8>), Unfit> {
        loaded::compiled(module, &self.contract, &self.engine)
    }

    /// Loads a module that was compiled.
    pub(crate) fn load(&self, file: &Path, recipe: &Recipe) -> Result<Loaded> {
        // SAFETY: nobody but this program writes there, and the node has checked its own seal of the
        // file before it named it: whoever may forge that may as well run code of his own.
        let module = unsafe { Module::deserialize_file(&self.engine, file) }?;
        Loaded::new(&module, recipe, &self.linker)
    }

    /// What machine code depends on beside the module (the engine, its settings, this processor), and
    /// what guests may import.
    pub(crate) fn into_contract(self) -> (u64, Contract) {
        let mut hasher = std::hash::DefaultHasher::new();
        self.engine.precompile_compatibility_hash().hash(&mut hasher);
        (hasher.finish(), self.contract)
    }

    /// Runs one unit on this thread, whose stack must have [`THREAD_STACK_BYTES`]. Of a stepped one it
    /// tells each step, with the state.
    pub(crate) fn run_here(
        &self,
        loaded: &Loaded,
        run: Run,
        tell: &mut dyn FnMut(Step, &[u8]),
    ) -> Ran {
        let caught = catch_unwind(AssertUnwindSafe(|| match loaded.facts.kind {
            _ if run.check.is_some() => self.enter_once(loaded, run, None).0,
            Kind::Command | Kind::Plain => self.enter_once(loaded, run, None).0,
            Kind::Stepped => self.run_steps(loaded, run, tell),
        }));
        caught.unwrap_or_else(|_| {
            let why = "the sandbox panicked; this is a defect of it";
            Ran::without_guest(Err(Void::Engine), why.into())
        })
    }

    /// Runs a fresh instance to its end: a whole unit, or a step of one. Answers as well whether the
    /// guest said that it was the last.
    pub(crate) fn enter_once(
        &self,
        loaded: &Loaded,
        mut run: Run,
        step: Option<u32>,
    ) -> (Ran, bool) {
        let started = Instant::now();
        let limits = run.limits;
        let check = run.check.take();
        let input = match (loaded.facts.kind, &check) {
            (Kind::Plain, _) => std::mem::take(&mut run.input),
            (Kind::Command | Kind::Stepped, None) => Vec::new(),
            (Kind::Command | Kind::Stepped, Some(output)) => {
                run.input = check::framed(&run.input, output);
                Vec::new()
            }
        };
        let system = match System::new(run, step) {
            Ok(system) => system,
            Err(bad) => {
                let void = Ran::without_guest(Err(Void::Unavailable), bad.to_string());
                return (void, false);
            }
        };
        let guest = Guest {
            system,
            memory: None,
            fuel: None,
            stack: None,
            // More than any guest lives to use.
            fuel_max: limits.fuel.min(i64::MAX as u64),
            gauge: MemoryGauge::new(memory_bytes_max(&limits)),
        };
        let mut store = Store::new(&self.engine, guest);
        let ended = enter(&mut store, loaded, &input, check.as_deref(), step);
        let ended = match counted_out(&mut store) {
            None => ended,
            Some(stop) => ended.and(Err(stop.into())).map_err(|error| error.context(stop)),
        };
        let fuel = fuel_used(&mut store);
        let Guest { mut system, gauge, .. } = store.into_data();
        let output = system.take_output();
        let (end, detail) = end_of(ended, &output, fuel, limits.fuel);
        let ran = Ran {
            end,
            output,
            stderr: system.take_errors(),
            memory_peak_bytes: gauge.bytes_peak(),
            wall: started.elapsed(),
            detail,
            steps: Vec::new(),
        };
        (ran, system.done)
    }
}

/// Linear memory that a guest may have, bytes.
pub(crate) fn memory_bytes_max(limits: &RunLimits) -> u64 {
    (u64::from(limits.memory_mib) << 20).min(MEMORY_BYTES_MAX as u64)
}

fn on_own_stack<T: Send>(work: impl FnOnce() -> T + Send) -> std::result::Result<T, Unfit> {
    let failed = |why: String| Unfit::Failed(Void::Engine, format!("no thread to run on: {why}"));
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(THREAD_STACK_BYTES);
        let running =
            thread.spawn_scoped(scope, work).map_err(|error| failed(error.to_string()))?;
        running.join().map_err(|_| failed("it panicked".into()))
    })
}

/// Runs the guest until it ends in one way or another.
fn enter(
    store: &mut Store<Guest>,
    loaded: &Loaded,
    input: &[u8],
    check: Option<&[u8]>,
    number: Option<u32>,
) -> Result<()> {
    store.limiter(|guest| &mut guest.gauge);
    let instance = loaded.instance.instantiate(&mut *store).map_err(no_room)?;
    store.data_mut().fuel = find_global(store, instance, &loaded.fuel);
    store.data_mut().stack = find_global(store, instance, &loaded.stack);
    set_fuel(store, store.data().fuel_max)?;
    let memory = match &loaded.entry {
        Entry::Command { memory, .. } | Entry::Stepped { memory, .. } => memory.as_ref(),
        Entry::Plain { memory, .. } => Some(memory),
    };
    store.data_mut().memory = memory.and_then(|export| find_memory(store, instance, export));
    if let Some(start) = &loaded.start {
        function::<(), ()>(store, instance, start)?.call(&mut *store, ())?;
    }
    if let Entry::Stepped { initialize: Some(initialize), .. } = &loaded.entry {
        function::<(), ()>(store, instance, initialize)?.call(&mut *store, ())?;
    }
    if let Some(output) = check {
        return check::enter(store, instance, loaded, input, output);
    }
    match &loaded.entry {
        Entry::Command { start, .. } => function::<(), ()>(store, instance, start)?.call(store, ()),
        Entry::Plain { alloc, run, .. } => {
            let memory = store.data().memory.ok_or_else(lost_export)?;
            let alloc = function::<u32, u32>(store, instance, alloc)?;
            let run = function::<(u32, u32), u64>(store, instance, run)?;
            enter_plain(store, memory, alloc, run, input)
        }
        Entry::Stepped { init, step, .. } => match number {
            None | Some(0) => function::<(), ()>(store, instance, init)?.call(store, ()),
            Some(number) => function::<u64, ()>(store, instance, step)?.call(store, number.into()),
        },
    }
}

fn enter_plain(
    store: &mut Store<Guest>,
    memory: Memory,
    alloc: TypedFunc<u32, u32>,
    run: TypedFunc<(u32, u32), u64>,
    input: &[u8],
) -> Result<()> {
    let at = put(store, memory, &alloc, input)?;
    let packed = run.call(&mut *store, at)?;
    let (output_at, output_len) = ((packed >> 32) as usize, packed as u32 as usize);
    let place = output_at..output_at + output_len;
    if memory.data(&*store).get(place.clone()).is_none() {
        return Err(Trap::MemoryOutOfBounds.into());
    }
    charge(store, output_len)?;
    let (bytes, guest) = memory.data_and_store_mut(store);
    Ok(guest.system.write_output(&bytes[place])?)
}

/// Gives a plain unit some bytes; answers where they are, and how many.
pub fn put(
    store: &mut Store<Guest>,
    memory: Memory,
    alloc: &TypedFunc<u32, u32>,
    bytes: &[u8],
) -> Result<(u32, u32)> {
    let length = u32::try_from(bytes.len()).map_err(|_| Trap::MemoryOutOfBounds)?;
    charge(store, bytes.len())?;
    let at = alloc.call(&mut *store, length)?;
    let place = (at as usize)..(at as usize + bytes.len());
    let room = memory.data_mut(&mut *store).get_mut(place);
    room.ok_or(Trap::MemoryOutOfBounds)?.copy_from_slice(bytes);
    Ok((at, length))
}

fn charge(store: &mut Store<Guest>, bytes: usize) -> Result<()> {
    let left = fuel_left(store).and_then(|left| left.checked_sub(bytes as u64 * FUEL_PER_BYTE));
    set_fuel(store, left.unwrap_or(0))?;
    left.map(|_| ()).ok_or_else(|| Stop::OutOfFuel.into())
}

/// The fuel that a guest has used; none if it did not come to be.
fn fuel_used(store: &mut Store<Guest>) -> u64 {
    let Guest { fuel, fuel_max, .. } = *store.data();
    let left = fuel_left(store).unwrap_or(0);
    fuel.map_or(0, |_| fuel_max.saturating_sub(left))
}

/// What a guest has used up, if anything: it goes before how the engine saw it end, which is by the
/// pass's own trap, or by something done on credit.
fn counted_out(store: &mut Store<Guest>) -> Option<Stop> {
    let Guest { fuel, stack, .. } = *store.data();
    let mut left = |global: Option<Global>| match global.map(|global| global.get(&mut *store)) {
        Some(Val::I64(left)) => left,
        Some(Val::I32(left)) => left.into(),
        _ => 0,
    };
    if left(fuel) < 0 {
        return Some(Stop::OutOfFuel);
    }
    (left(stack) < 0).then_some(Stop::StackOverflow)
}

fn find_global(
    store: &mut Store<Guest>,
    instance: Instance,
    export: &ModuleExport,
) -> Option<Global> {
    instance.get_module_export(store, export)?.into_global()
}

fn find_memory(
    store: &mut Store<Guest>,
    instance: Instance,
    export: &ModuleExport,
) -> Option<Memory> {
    instance.get_module_export(store, export)?.into_memory()
}

pub fn function<P: WasmParams, R: WasmResults>(
    store: &mut Store<Guest>,
    instance: Instance,
    export: &ModuleExport,
) -> Result<TypedFunc<P, R>> {
    let export = instance.get_module_export(&mut *store, export);
    export.and_then(|export| export.into_func()).ok_or_else(lost_export)?.typed(&*store)
}

pub fn lost_export() -> Error {
    Error::msg("an export of the module got lost")
}

/// What is voted on, and more about it for people.
fn end_of(
    ended: Result<()>,
    output: &[u8],
    fuel: u64,
    fuel_max: u64,
) -> (Result<Answer, Void>, String) {
    let exit = |code| Outcome::Exit { code, digest: Hash::of(output), bytes: output.len() as u64 };
    let error = match ended {
        Ok(()) => return (Ok(Answer::new(exit(0), fuel)), String::new()),
        Err(error) => error,
    };
    let void = |void| (Err(void), format!("{error:#}"));
    let out_of_fuel = || {
        let detail = format!("the unit used up its {fuel_max} units of fuel");
        (Ok(Answer::new(Outcome::OutOfFuel, fuel_max)), detail)
    };
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop {
            Stop::Exit(code) => (Ok(Answer::new(exit(*code), fuel)), String::new()),
            Stop::OutOfFuel => out_of_fuel(),
            Stop::StackOverflow => {
                let outcome = Outcome::Trap(TrapClass::StackOverflow);
                (Ok(Answer::new(outcome, fuel)), format!("{stop}{}", frames_of(&error)))
            }
            Stop::OutputTooLarge => {
                (Ok(Answer::new(Outcome::OutputTooLarge, fuel)), stop.to_string())
            }
        };
    }
    if let Some(halt) = error.downcast_ref::<Halt>() {
        return match halt {
            Halt::HostMemory => void(Void::HostMemory),
        };
    }
    match error.downcast_ref::<Trap>() {
        // The stack that is the same everywhere has not ended: this compiler takes more than any should.
        Some(Trap::StackOverflow) => void(Void::Engine),
        Some(trap) => {
            let outcome = Outcome::Trap(class_of(*trap));
            (Ok(Answer::new(outcome, fuel)), format!("{trap}{}", frames_of(&error)))
        }
        None if error.is::<OutOfMemory>() => void(Void::HostMemory),
        None => void(Void::Engine),
    }
}

/// Types and imports were checked long before; if a guest does not come to be and it is not its own
/// doing, the host has no room for it.
fn no_room(error: Error) -> Error {
    match error.is::<Trap>() || error.is::<Stop>() || error.is::<Halt>() {
        true => error,
        false => error.context(Halt::HostMemory),
    }
}

fn class_of(trap: Trap) -> TrapClass {
    match trap {
        Trap::UnreachableCodeReached => TrapClass::Unreachable,
        Trap::MemoryOutOfBounds => TrapClass::MemoryOutOfBounds,
        Trap::TableOutOfBounds => TrapClass::TableOutOfBounds,
        Trap::IndirectCallToNull => TrapClass::IndirectCallToNull,
        Trap::BadSignature => TrapClass::BadSignature,
        Trap::IntegerOverflow => TrapClass::IntegerOverflow,
        Trap::IntegerDivisionByZero => TrapClass::IntegerDivisionByZero,
        Trap::BadConversionToInteger => TrapClass::BadConversionToInteger,
        _ => TrapClass::Other,
    }
}

/// The guest's functions that led to a trap, innermost first.
fn frames_of(error: &Error) -> String {
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    let names: Vec<_> = frames.iter().filter_map(|frame| frame.func_name()).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(" in {}", names.join(" < ")),
    }
}
