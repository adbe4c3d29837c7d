//! What the second wall costs: `cargo bench -p dugnad --bench executor [-- --json] [-- --module FILE]`.
//!
//! - *empty units*: commands that do nothing, through the queue and the processes, on 1, 2 and 4
//!   processes; the reference runs the same in the sandbox of one process, without a second wall.
//! - *second start*: a new executor runs a large module that an earlier one has compiled (made up,
//!   or `FILE`); the reference is its first start.
//! - *stop* and *pause*: from the word to the end of a run that never ends, and to the standstill of
//!   its process; the longest of many.
use coordinator_free_scheduler::RunLimits;
use dugnad_exec::{Executor, Program, Run, RunTag, Sandbox, Setup};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};
use wasm_encoder::{
    CodeSection, DataSection, ExportKind, ExportSection, Function, FunctionSection, MemorySection,
    MemoryType, Module, TypeSection, ValType,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const UNITS: u64 = 100_000;
const REFERENCE_UNITS: u32 = 2_000;
const ROUNDS: usize = 20;
const EMPTY: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;
const FOREVER: &str = r#"(module (func (export "_start") (loop (br 0))))"#;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| arguments.iter().skip_while(|argument| *argument != name).nth(1);
    let large = after("--module").map(std::fs::read).transpose()?.unwrap_or_else(made_up);
    let folder = tempfile::tempdir()?;
    let empty: Arc<[u8]> = wat::parse_str(EMPTY)?.into();
    let mut report = serde_json::json!({ "empty_units_per_s": {} });
    let reference = in_one_process(&empty)?;
    report["empty_units_per_s"]["no_second_wall"] = reference.into();
    eprintln!("empty units, one process without a second wall: {reference:.0}/s");
    for cores in [1, 2, 4] {
        let rate = empty_units(folder.path(), cores, &empty)?;
        report["empty_units_per_s"][cores.to_string()] = rate.into();
        eprintln!("empty units, {cores} processes: {rate:.0}/s");
    }
    let (first, second) = starts(folder.path(), large)?;
    eprintln!("a module of 30 MB: first start {first:.2} s, second {:.0} ms", second * 1e3);
    report["start_s"] = serde_json::json!({ "first": first, "second": second });
    let (stop, pause) = (longest_stop(folder.path())?, longest_pause(folder.path())?);
    eprintln!("stop within {:.0} ms, pause within {:.0} ms", stop * 1e3, pause * 1e3);
    report["longest_s"] = serde_json::json!({ "stop": stop, "pause": pause });
    if arguments.iter().any(|argument| argument == "--json") {
        println!("{report}");
    }
    Ok(())
}

fn limits() -> RunLimits {
    RunLimits { fuel: u64::MAX, ..RunLimits::default() }
}

fn executor(folder: &Path, cores: usize) -> Result<Executor> {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_dugnad"));
    Ok(Executor::new(Setup {
        cores,
        memory_mib: 1_024,
        program: Program { path, arguments: vec!["cell".into()] },
        cache: folder.join("compiled"),
        cache_key: [0; 32],
    })?)
}

fn in_one_process(module: &Arc<[u8]>) -> Result<f64> {
    let sandbox = Sandbox::new(Default::default())?;
    let units: Vec<Run> =
        (0..REFERENCE_UNITS).map(|_| Run::new(module.clone(), limits())).collect();
    let begun = Instant::now();
    let ended = sandbox.run_all(units);
    let rate = f64::from(REFERENCE_UNITS) / begun.elapsed().as_secs_f64();
    assert!(ended.iter().all(|ran| ran.end.is_ok()));
    Ok(rate)
}

fn empty_units(folder: &Path, cores: usize, module: &Arc<[u8]>) -> Result<f64> {
    let executor = executor(folder, cores)?;
    let run = |units: u64| {
        let (done, ended) = mpsc::channel();
        for tag in 0..units {
            let done = done.clone();
            let unit = Run::new(module.clone(), limits());
            executor.spawn(RunTag(tag), unit, move |ran| {
                let _ = done.send(ran.end.is_ok());
            });
        }
        assert!(ended.iter().take(units as usize).all(|well| well));
    };
    run(UNITS / 50);
    let begun = Instant::now();
    run(UNITS);
    Ok(UNITS as f64 / begun.elapsed().as_secs_f64())
}

/// Seconds to the end of the first run, without and with what an earlier start has left.
fn starts(folder: &Path, module: Vec<u8>) -> Result<(f64, f64)> {
    let run = Run::new(module, limits());
    let start = || -> Result<f64> {
        let begun = Instant::now();
        let ran = executor(folder, 1)?.run(run.clone());
        let took = begun.elapsed().as_secs_f64();
        ran.end.map_err(|void| format!("{void:?}: {}", ran.detail))?;
        Ok(took)
    };
    Ok((start()?, start()?))
}

fn longest_stop(folder: &Path) -> Result<f64> {
    let executor = executor(folder, 1)?;
    let mut longest = Duration::ZERO;
    for round in 0..ROUNDS as u64 {
        let (done, ended) = mpsc::channel();
        let unit = Run::new(wat::parse_str(FOREVER)?, limits());
        executor.spawn(RunTag(round), unit, move |ran| drop(done.send(ran)));
        thread::sleep(Duration::from_millis(100));
        let begun = Instant::now();
        executor.interrupt([RunTag(round)]);
        ended.recv()?;
        longest = longest.max(begun.elapsed());
    }
    Ok(longest.as_secs_f64())
}

fn longest_pause(folder: &Path) -> Result<f64> {
    let executor = executor(folder, 1)?;
    executor.spawn(RunTag(0), Run::new(wat::parse_str(FOREVER)?, limits()), drop);
    thread::sleep(Duration::from_millis(300));
    let mut longest = Duration::ZERO;
    for round in 0..2 * ROUNDS {
        let paused = round % 2 == 0;
        let begun = Instant::now();
        executor.pause(paused);
        while are_stopped(folder)? != paused {
            thread::yield_now();
        }
        longest = longest.max(begun.elapsed());
        thread::sleep(Duration::from_millis(10));
    }
    Ok(longest.as_secs_f64())
}

/// Whether the processes that run guests from here stand still.
fn are_stopped(folder: &Path) -> Result<bool> {
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(&*folder.to_string_lossy()) {
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
            return Ok(state.starts_with('T'));
        }
    }
    Ok(false)
}

/// A module of 30 MB: 10,000 functions that compute something, and 20 MB of data.
fn made_up() -> Vec<u8> {
    const FUNCTIONS: u32 = 10_000;
    let (mut types, mut functions, mut code) =
        (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([ValType::I64], [ValType::I64]);
    types.ty().function([], []);
    for number in 0..FUNCTIONS {
        functions.function(0);
        let mut function = Function::new([]);
        let mut body = function.instructions();
        for step in 0..150_i64 {
            body.local_get(0).i64_const(step * 0x9e37_79b9 + i64::from(number)).i64_mul();
            body.i64_const(step % 60).i64_rotl().local_set(0);
        }
        body.local_get(0).end();
        code.function(&function);
    }
    functions.function(1);
    let mut start = Function::new([]);
    start.instructions().i64_const(1).call(7).drop().end();
    code.function(&start);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 400,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports.export("_start", ExportKind::Func, FUNCTIONS).export("memory", ExportKind::Memory, 0);
    let mut data = DataSection::new();
    let bytes = (0..20_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8);
    data.active(0, &wasm_encoder::ConstExpr::i32_const(0), bytes);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memories).section(&exports);
    module.section(&code).section(&data);
    module.finish()
}
