//! Looks for a module that computes something else in one engine than in another:
//! `cargo run --release -p dugnad-exec --example fuzz -- [--modules N] [--from SEED] [--alone]`.
//!
//! Modules full of floats, vectors and NaNs are made up from seeds. Each is run (a) passed, as machine
//! code, (b) passed, in the interpreter Pulley, (c) passed, in V8, where `node` is there, and (d) as
//! it is, on wasmtime with its own canonicalisation. Memories must be equal byte for byte, fuel on
//! (a), (b) and (c). Exit code 1 and the seed where they are not. How many differ on bare wasmtime is
//! told as well: if none did, nothing would be shown.
//!
//! Standard output has a line for each 250 modules with a digest of all that was seen of them, so that
//! two machines, also of different processors, are compared by `diff`. With `--alone` a machine runs
//! (a) alone, for an emulator has no time for the others.
#[path = "../../src/tests/made_up.rs"]
mod made_up;
mod v8;

use dugnad_exec::pass::pass;
use std::{error::Error, ops::Range, process::ExitCode};
use wasmtime::{Config, Engine, Instance, Module, Store, Val};

/// Fuel of a run; a few need more.
const FUEL: i64 = 4_000;
/// Modules that V8 gets at once.
const AT_ONCE: u64 = 250;

/// What can be seen of a run.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen {
    trapped: bool,
    fuel: i64,
    memory: Vec<u8>,
}

/// The engines that need no process.
struct Engines {
    compiled: Engine,
    pulley: Engine,
    flagged: Engine,
}

#[derive(Default)]
struct Count {
    modules: u64,
    told: u64,
    out_of_fuel: u64,
    in_v8: u64,
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match fuzz() {
        Ok(count) => {
            let Count { modules, told, out_of_fuel, in_v8 } = count;
            println!(
                "{modules} modules, no mismatch; {in_v8} of them in V8; {told} differ without the \
                 pass; {out_of_fuel} ran out of fuel"
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn fuzz() -> Result<Count> {
    let (modules, from) = (option("--modules", 1_000)?, option("--from", 0)?);
    let alone = std::env::args().any(|argument| argument == "--alone");
    let engines = Engines {
        compiled: engine(None, false)?,
        pulley: engine(Some("pulley64"), false)?,
        flagged: engine(None, true)?,
    };
    let mut count = Count::default();
    for begin in (from..from + modules).step_by(AT_ONCE as usize) {
        let seeds = begin..(begin + AT_ONCE).min(from + modules);
        let mut expected = Vec::new();
        for seed in seeds.clone() {
            expected.push(engines.first(seed, &mut count)?);
        }
        println!("{}..{}: {}", seeds.start, seeds.end, digest(&expected));
        if !alone {
            engines.others(seeds.clone(), &expected, &mut count)?;
            in_v8(seeds, &expected, &mut count)?;
        }
    }
    Ok(count)
}

/// A digest of all that was seen.
fn digest(seen: &[(Vec<u8>, Seen)]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for (passed, Seen { trapped, fuel, memory }) in seen {
        hasher.update(&(passed.len() as u64).to_le_bytes()).update(passed);
        hasher.update(&[u8::from(*trapped)]).update(&fuel.to_le_bytes()).update(memory);
    }
    hasher.finalize()
}

fn in_v8(seeds: Range<u64>, expected: &[(Vec<u8>, Seen)], count: &mut Count) -> Result<()> {
    let passed: Vec<&[u8]> = expected.iter().map(|(passed, _)| passed.as_slice()).collect();
    // Both of V8's compilers take their turn.
    let optimised = seeds.start / AT_ONCE % 2 == 1;
    let seen = v8::run(&passed, FUEL, optimised)?;
    for (seen, (seed, (_, expected))) in seen.iter().zip(seeds.zip(expected)) {
        same(seen, expected, seed, "V8")?;
        count.in_v8 += 1;
    }
    Ok(())
}

impl Engines {
    /// Runs the module of a seed as it is run on a grid; answers it passed, and what is seen of it.
    fn first(&self, seed: u64, count: &mut Count) -> Result<(Vec<u8>, Seen)> {
        let passed = pass(&made_up::module(seed))?.module;
        let seen = run(&self.compiled, &passed)?;
        count.out_of_fuel += u64::from(seen.fuel < 0);
        count.modules += 1;
        Ok((passed, seen))
    }

    /// Runs modules in the engines that need no process.
    fn others(
        &self,
        seeds: Range<u64>,
        expected: &[(Vec<u8>, Seen)],
        count: &mut Count,
    ) -> Result<()> {
        for (seed, (passed, expected)) in seeds.zip(expected) {
            same(&run(&self.pulley, passed)?, expected, seed, "Pulley")?;
            if expected.fuel >= 0 {
                let module = made_up::module(seed);
                let flagged = Seen { fuel: expected.fuel, ..run(&self.flagged, &module)? };
                same(&flagged, expected, seed, "wasmtime's own canonicalisation")?;
                count.told += u64::from(run(&self.compiled, &module)?.memory != expected.memory);
            }
        }
        Ok(())
    }
}

fn same(seen: &Seen, expected: &Seen, seed: u64, other: &str) -> Result<()> {
    if seen == expected {
        return Ok(());
    }
    let differs = seen.memory.iter().zip(&expected.memory).position(|(one, other)| one != other);
    Err(format!(
        "\nseed {seed}: the passed module as machine code, then {other}: trapped {} and {}, fuel left {} \
         and {}, first other byte of memory: {differs:?}",
        expected.trapped, seen.trapped, expected.fuel, seen.fuel
    )
    .into())
}

fn option(name: &str, default: u64) -> Result<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    Ok(arguments.next().map_or(Ok(default), |value| value.parse())?)
}

fn engine(target: Option<&str>, canonical: bool) -> Result<Engine> {
    let mut config = Config::new();
    if let Some(target) = target {
        config.target(target)?;
    }
    config.cranelift_nan_canonicalization(canonical);
    Ok(Engine::new(&config)?)
}

fn run(engine: &Engine, module: &[u8]) -> Result<Seen> {
    let module = Module::new(engine, module)?;
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let fuel = instance.get_global(&mut store, "dugnad-1 fuel");
    if let Some(fuel) = fuel {
        fuel.set(&mut store, Val::I64(FUEL))?;
    }
    let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;
    let trapped = run.call(&mut store, ()).is_err();
    let fuel = fuel.and_then(|fuel| fuel.get(&mut store).i64()).unwrap_or_default();
    let memory = instance.get_memory(&mut store, "memory").ok_or("no memory")?;
    Ok(Seen { trapped, fuel, memory: memory.data(&store).to_vec() })
}
