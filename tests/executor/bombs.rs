//! Modules made to burst whoever compiles them: each ends in an answer or a void, and the executor
//! goes on.
use super::{Ends, Place, code, signal, spin, until};
use coordinator_free_scheduler::{RunLimits, Void};
use dugnad_exec::Run;
use wasm_encoder::{
    BlockType, CodeSection, ExportKind, ExportSection, Function, FunctionSection, Ieee64,
    InstructionSink, Module, TypeSection, ValType,
};

/// A function may have a mebibyte.
const BYTES: u32 = 1_000_000;

/// A command of functions alone, the first of which is entered.
fn module(functions: u32, locals: u32, body: impl Fn(&mut InstructionSink<'_>)) -> Vec<u8> {
    let (mut types, mut declared, mut code) =
        (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([], []);
    for _ in 0..functions {
        declared.function(0);
        let mut function = Function::new([(locals, ValType::I64), (1, ValType::F64)]);
        body(&mut function.instructions());
        function.instructions().end();
        code.function(&function);
    }
    let mut exports = ExportSection::new();
    exports.export("_start", ExportKind::Func, 0);
    let mut module = Module::new();
    module.section(&types).section(&declared).section(&exports).section(&code);
    module.finish()
}

/// By what bursts.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |code: &mut InstructionSink<'_>| {
        (0..BYTES / 4).for_each(|_| {
            code.block(BlockType::Empty);
        });
        (0..BYTES / 4).for_each(|_| {
            code.end();
        });
    };
    let table = |code: &mut InstructionSink<'_>| {
        code.block(BlockType::Empty).i32_const(0).br_table(vec![0; BYTES as usize], 0).end();
    };
    let branches = |code: &mut InstructionSink<'_>| {
        code.block(BlockType::Empty);
        (0..BYTES / 4).for_each(|_| {
            code.i32_const(0).br_if(0);
        });
        code.end();
    };
    let most_branches = |code: &mut InstructionSink<'_>| {
        code.block(BlockType::Empty);
        (0..10_000).for_each(|_| {
            code.i32_const(0).br_if(0);
        });
        code.end();
    };
    let alive = |code: &mut InstructionSink<'_>| {
        (0..BYTES / 11).for_each(|at| {
            code.local_get(at % 30_000).i64_const(1).i64_mul().local_set((at * 7) % 30_000);
        });
    };
    let deep = |code: &mut InstructionSink<'_>| {
        (0..BYTES / 3).for_each(|_| {
            code.local_get(0);
        });
        (1..BYTES / 3).for_each(|_| {
            code.i64_xor();
        });
        code.drop();
    };
    let numbers = |code: &mut InstructionSink<'_>| {
        (0..BYTES / 14).for_each(|_| {
            code.local_get(1).f64_const(Ieee64::from(0.0)).f64_div().local_set(1);
        });
    };
    vec![
        ("nesting", module(1, 1, nested)),
        ("a table of branches", module(1, 1, table)),
        ("blocks", module(1, 1, branches)),
        ("many blocks", module(4, 1, most_branches)),
        ("values that live long", module(1, 30_000, alive)),
        ("a deep stack", module(1, 1, deep)),
        ("floats", module(1, 1, numbers)),
        (
            "functions",
            module(100_000, 1, |code| {
                code.nop();
            }),
        ),
        (
            "functions with many locals",
            module(2_000, 39_000, |code| {
                code.nop();
            }),
        ),
    ]
}

#[test]
fn modules_that_burst_compilers_end_like_others() {
    let place = Place::new();
    let executor = place.executor(2, 1);
    for (what, module) in bombs() {
        let ran = executor.run(Run::new(module, RunLimits::default()));
        eprintln!("{what}: {:?} {}", ran.end, ran.detail);
        assert!(matches!(ran.end, Ok(_) | Err(Void::Engine)), "{what}: {ran:?}");
        assert_eq!(code(&executor.run(spin(7, 1))), Ok(7), "after {what}");
    }
    assert_eq!(executor.deaths(), 0, "what compiles may die, not what runs");
}

/// The processes of this one that compile.
fn compilers() -> Vec<u32> {
    let me = format!(" {} ", std::process::id());
    let entries = std::fs::read_dir("/proc").expect("this test reads /proc").flatten();
    let compiles = |pid: &u32| {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
        let ours =
            read("stat").is_ok_and(|stat| stat.rsplit(')').next().unwrap_or("").contains(&me));
        ours && read("cmdline").is_ok_and(|line| line.contains("\0cell\0compile\0"))
    };
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(compiles).collect()
}

#[test]
fn a_compiler_that_the_host_kills_is_no_fault_of_the_module() {
    let (place, ends) = (Place::new(), Ends::new());
    let executor = place.executor(1, 1);
    let large = module(12, 1, |code| {
        code.block(BlockType::Empty);
        (0..5_000).for_each(|_| {
            code.i32_const(0).br_if(0);
        });
        code.end();
    });
    let run = Run::new(large, RunLimits { fuel: 1 << 40, memory_mib: 16, output_bytes: 10 });
    ends.spawn(&executor, 1, run.clone());
    until("it is compiled", || !compilers().is_empty());
    compilers().into_iter().for_each(|pid| signal(pid, "KILL"));
    assert_eq!(ends.next_code(), (1, Err(Void::HostMemory)));
    assert_eq!(code(&executor.run(run)), Ok(0), "it is compiled the next time");
}
