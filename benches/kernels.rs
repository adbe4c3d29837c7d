//! How fast units of the usual kinds are in the sandbox, against the same source compiled for this
//! machine and against bare wasmtime, which neither meters nor makes NaNs exact:
//! `cargo bench -p dugnad-exec --bench kernels [-- --json]`.
//!
//! Each figure is a ratio of medians, of runs that take turns.
use coordinator_free_scheduler::RunLimits;
use dugnad_exec::{Backend, Run, Sandbox};
use kernels::{KERNELS, Kernel};
use std::{
    error::Error,
    path::PathBuf,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use wasmtime::{Config, Engine, Instance, Module, Store};

/// Rounds, each of one run of every kind.
const ROUNDS: usize = 11;
/// What modules of a grid should be built with, too.
const GUEST_FLAGS: &str = "-C target-feature=+simd128";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Medians of one kernel, seconds.
struct Measured {
    name: &'static str,
    native_s: f64,
    bare_s: f64,
    flagged_s: f64,
    ours_s: f64,
}

fn main() -> Result<()> {
    let module: Arc<[u8]> = std::fs::read(built()?)?.into();
    let (bare, flagged) = (engine(false)?, engine(true)?);
    let bare = Module::new(&bare, &module)?;
    let flagged = Module::new(&flagged, &module)?;
    let sandbox = Sandbox::new(Backend::Cranelift)?;
    let mut all = Vec::new();
    for (number, kernel) in KERNELS.iter().enumerate() {
        let measured = measure(number as u8, kernel, &module, &bare, &flagged, &sandbox)?;
        eprintln!("{}", line(&measured));
        all.push(measured);
    }
    let mean = |ratio: fn(&Measured) -> f64| {
        (all.iter().map(|one| ratio(one).ln()).sum::<f64>() / all.len() as f64).exp()
    };
    let (to_bare, to_native) = (mean(to_bare), mean(to_native));
    eprintln!("geometric mean: {to_bare:.3} × bare wasmtime, {to_native:.3} × native");
    if std::env::args().any(|argument| argument == "--json") {
        let kernels: Vec<_> = all.iter().map(json).collect();
        let mean = serde_json::json!({ "ours_over_bare": to_bare, "ours_over_native": to_native });
        println!("{}", serde_json::json!({ "kernels": kernels, "geometric_mean": mean }));
    }
    Ok(())
}

/// Builds the kernels as a module; answers where it is.
fn built() -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")),
        PathBuf::from,
    );
    let folder = target.join("kernels");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--profile", "guest", "--target", "wasm32-unknown-unknown"])
        .args(["-p", "kernels", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .arg("--target-dir")
        .arg(&folder)
        .env("RUSTFLAGS", GUEST_FLAGS)
        .status()?;
    match built.success() {
        true => Ok(folder.join("wasm32-unknown-unknown/guest/kernels.wasm")),
        false => Err("the kernels need `rustup target add wasm32-unknown-unknown`".into()),
    }
}

fn engine(canonical: bool) -> Result<Engine> {
    let mut config = Config::new();
    config.cranelift_nan_canonicalization(canonical);
    Ok(Engine::new(&config)?)
}

fn measure(
    number: u8,
    (name, kernel, size): &Kernel,
    module: &Arc<[u8]>,
    bare: &Module,
    flagged: &Module,
    sandbox: &Sandbox,
) -> Result<Measured> {
    let mut times: [Vec<Duration>; 4] = Default::default();
    let mut sums = std::collections::BTreeSet::new();
    for _ in 0..ROUNDS {
        let runs: [&dyn Fn() -> Result<(u64, Duration)>; 4] = [
            &|| timed(|| Ok(kernel(*size))),
            &|| in_wasmtime(bare, number),
            &|| in_wasmtime(flagged, number),
            &|| in_sandbox(sandbox, module, number),
        ];
        for (run, times) in runs.iter().zip(&mut times) {
            let (sum, took) = run()?;
            sums.insert(sum);
            times.push(took);
        }
    }
    if sums.len() != 1 {
        return Err(format!("{name} has not one checksum: {sums:x?}").into());
    }
    let [native_s, bare_s, flagged_s, ours_s] = times.map(median);
    Ok(Measured { name, native_s, bare_s, flagged_s, ours_s })
}

fn timed(work: impl FnOnce() -> Result<u64>) -> Result<(u64, Duration)> {
    let begin = Instant::now();
    let sum = std::hint::black_box(work()?);
    Ok((sum, begin.elapsed()))
}

fn in_wasmtime(module: &Module, number: u8) -> Result<(u64, Duration)> {
    timed(|| {
        let mut store = Store::new(module.engine(), ());
        let instance = Instance::new(&mut store, module, &[])?;
        let memory = instance.get_memory(&mut store, "memory").ok_or("no memory")?;
        let alloc = instance.get_typed_func::<u32, u32>(&mut store, "alloc")?;
        let run = instance.get_typed_func::<(u32, u32), u64>(&mut store, "run")?;
        let at = alloc.call(&mut store, 1)?;
        memory.write(&mut store, at as usize, &[number])?;
        let packed = run.call(&mut store, (at, 1))?;
        let mut sum = [0; 8];
        memory.read(&store, (packed >> 32) as usize, &mut sum)?;
        Ok(u64::from_le_bytes(sum))
    })
}

fn in_sandbox(sandbox: &Sandbox, module: &Arc<[u8]>, number: u8) -> Result<(u64, Duration)> {
    let limits = RunLimits { fuel: u64::MAX, ..RunLimits::default() };
    let ran = sandbox.run(Run { input: vec![number], ..Run::new(module.clone(), limits) });
    let sum = ran.output.as_slice().try_into().map_err(|_| ran.detail.clone())?;
    Ok((u64::from_le_bytes(sum), ran.wall))
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}

fn to_bare(one: &Measured) -> f64 {
    one.ours_s / one.bare_s
}

fn to_native(one: &Measured) -> f64 {
    one.ours_s / one.native_s
}

fn line(one: &Measured) -> String {
    format!(
        "{:15} native {:6.1} ms   bare {:6.1} ms   wasmtime's NaN flag {:.2} × bare   ours {:.3} × bare, {:.3} × native",
        one.name,
        one.native_s * 1e3,
        one.bare_s * 1e3,
        one.flagged_s / one.bare_s,
        to_bare(one),
        to_native(one),
    )
}

fn json(one: &Measured) -> serde_json::Value {
    serde_json::json!({
        "kernel": one.name,
        "native_s": one.native_s,
        "bare_s": one.bare_s,
        "nan_flag_over_bare": one.flagged_s / one.bare_s,
        "ours_over_bare": to_bare(one),
        "ours_over_native": to_native(one),
    })
}
