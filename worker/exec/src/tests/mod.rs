//! Guests on the real engine, honest and hostile.
mod check;
mod damaged;
mod ends;
mod hostile;
mod made_up;
mod nan;
mod same;
mod steps;
#[cfg(target_os = "linux")]
mod walls;

use super::{Backend, Ran, Run, Sandbox, Seed};
use coordinator_free_scheduler::{Hash, InvalidReason, Outcome, RunLimits, TrapClass, Void};
use std::sync::{Arc, LazyLock};

static SANDBOX: LazyLock<Sandbox> =
    LazyLock::new(|| Sandbox::new(Backend::default()).expect("it starts"));

const LIMITS: RunLimits = RunLimits { fuel: 10_000_000, memory_mib: 2, output_bytes: 1_000 };

/// What the WASI guests of these tests begin with: imports, a page of memory, `print`, `ok`.
const COMMAND: &str = r#"
    (import "wasi_snapshot_preview1" "fd_write"
        (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read"
        (func $fd_read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get"
        (func $clock_time_get (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
    (import "dugnad" "progress" (func $progress (param i64 i64)))
    (memory (export "memory") 1)
    (func $write (param $fd i32) (param $at i32) (param $len i32)
        (i32.store (i32.const 0) (local.get $at))
        (i32.store (i32.const 4) (local.get $len))
        (call $proc_exit_unless_0
            (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
    (func $print (param $at i32) (param $len i32)
        (call $write (i32.const 1) (local.get $at) (local.get $len)))
    (func $proc_exit_unless_0 (param $code i32)
        (if (local.get $code) (then (call $proc_exit (local.get $code)))))
"#;

fn run_of(module: Vec<u8>) -> Run {
    Run { random: Seed { job: 1, unit: 2 }, ..Run::new(module, LIMITS) }
}

/// A module in text.
fn module(text: &str) -> Run {
    run_of(wat::parse_str(format!("(module {text})")).expect("the test's module is right"))
}

/// A WASI command whose `_start` does `body`.
fn command(body: &str) -> Run {
    module(&format!("{COMMAND} (func (export \"_start\") {body})"))
}

/// A plain unit whose `run` does `body`; its input is at 1,024.
fn plain(body: &str) -> Run {
    module(&format!(
        "(memory (export \"memory\") 1)
         (func (export \"alloc\") (param i32) (result i32) (i32.const 1024))
         (func (export \"run\") (param $at i32) (param $len i32) (result i64) {body})"
    ))
}

fn run(run: Run) -> Ran {
    SANDBOX.run(run)
}

#[track_caller]
fn outcome(ran: &Ran) -> Outcome {
    ran.end.clone().unwrap_or_else(|void| panic!("{void:?}: {}", ran.detail)).outcome
}

#[track_caller]
fn exit_code(ran: &Ran) -> u32 {
    match outcome(ran) {
        Outcome::Exit { code, digest, bytes } => {
            assert_eq!((digest, bytes), (Hash::of(&ran.output), ran.output.len() as u64));
            code
        }
        other => panic!("{other:?}: {}", ran.detail),
    }
}

#[track_caller]
fn fuel(ran: &Ran) -> u64 {
    ran.end.clone().expect("an answer").fuel
}
