//! Guests that mean harm: each gets a typed outcome, and the executor lives on.
use super::*;
use crate::facts::{
    FUNCTION_BYTES_MAX, FUNCTIONS_MAX, LOCALS_MAX, RESULTS_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX,
};

const FOREVER: &str = "(loop (br 0))";

#[test]
fn a_loop_for_ever_ends_with_its_fuel() {
    let ran = run(command(FOREVER));
    assert_eq!((outcome(&ran), fuel(&ran)), (Outcome::OutOfFuel, LIMITS.fuel));
    let bulk = "(loop (memory.fill (i32.const 0) (i32.const 0) (i32.const 65536)) (br 0))";
    assert_eq!(outcome(&run(command(bulk))), Outcome::OutOfFuel);
    let tail = "(func $a (return_call $b)) (func $b (return_call $a))";
    let text = format!("{COMMAND} {tail} (func (export \"_start\") (return_call $a))");
    assert_eq!(outcome(&run(module(&text))), Outcome::OutOfFuel);
    let calls = "(loop (drop (call $random_get (i32.const 0) (i32.const 65536))) (br 0))";
    let ran = run(command(calls));
    assert_eq!((outcome(&ran), fuel(&ran)), (Outcome::OutOfFuel, LIMITS.fuel));
}

/// What the pass adds has names that a module may have too, and numbers that it cannot name.
#[test]
fn nobody_reaches_the_counters_of_the_pass() {
    let globals = r#"(global $fuel (export "dugnad-1 fuel") (mut i64) (i64.const 5))
        (global $stack (export "dugnad-1 stack") (mut i32) (i32.const -1))
        (func $begin (export "dugnad-1 start") (global.set $stack (i32.const -7))) (start $begin)"#;
    let text = |body: &str| format!("{COMMAND} {globals} (func (export \"_start\") {body})");
    let own = run(module(&text("(global.set $fuel (i64.const -1))")));
    assert_eq!(exit_code(&own), 0, "they are the module's own: {}", own.detail);
    let refuel = "(loop (global.set $fuel (i64.const 0x7fffffffffffffff)) (br 0))";
    assert_eq!(outcome(&run(module(&text(refuel)))), Outcome::OutOfFuel);
    let next = run(module(&text("(global.set 2 (i64.const 0x7fffffffffffffff))")));
    assert_eq!(outcome(&next), Outcome::Invalid(InvalidReason::Malformed), "{}", next.detail);
}

#[test]
fn who_never_comes_to_be_has_used_no_fuel() {
    let outside = "(memory (export \"memory\") 1) (data (i32.const 65536) \"x\")
        (func (export \"_start\"))";
    let ran = run(module(outside));
    assert_eq!((outcome(&ran), fuel(&ran)), (Outcome::Trap(TrapClass::MemoryOutOfBounds), 0));
}

#[test]
fn printing_for_ever_ends_with_too_much_output() {
    let ran = run(command("(loop (call $print (i32.const 100) (i32.const 7)) (br 0))"));
    assert_eq!((outcome(&ran), ran.output.len()), (Outcome::OutputTooLarge, 994));
}

#[test]
fn memory_grows_to_its_limit_and_no_further() {
    // Counts the pages until growing fails, then asks for sizes that no memory has.
    let grow = "(local $pages i32)
        (block (loop (br_if 1 (i32.eq (memory.grow (i32.const 1)) (i32.const -1)))
            (local.set $pages (i32.add (local.get $pages) (i32.const 1))) (br 0)))
        (if (i32.ne (memory.grow (i32.const 65535)) (i32.const -1)) (then unreachable))
        (if (i32.ne (memory.grow (i32.const -1)) (i32.const -1)) (then unreachable))
        (call $proc_exit (local.get $pages))";
    let ran = run(command(grow));
    assert_eq!((exit_code(&ran), ran.memory_peak_bytes), (31, 2 << 20));
    let declared = "(memory 1 3) (func (export \"_start\")
        (if (i32.ne (memory.grow (i32.const 3)) (i32.const -1)) (then unreachable))
        (if (i32.ne (memory.grow (i32.const 2)) (i32.const 1)) (then unreachable)))";
    assert_eq!(exit_code(&run(module(declared))), 0);
    let mut whole = command(grow);
    whole.limits.memory_mib = u32::MAX;
    assert_eq!(exit_code(&run(whole)), 65_535, "all that 32 bits reach");
}

#[test]
fn tables_grow_to_their_limit_and_no_further() {
    let text = format!(
        "(table 0 funcref) (func (export \"_start\")
             (if (i32.ne (table.grow (ref.null func) (i32.const {TABLE_ELEMENTS_MAX})) (i32.const 0))
                 (then unreachable))
             (if (i32.ne (table.grow (ref.null func) (i32.const 1)) (i32.const -1))
                 (then unreachable)))"
    );
    assert_eq!(exit_code(&run(module(&text))), 0);
}

#[test]
fn deep_recursion_is_a_stack_overflow_on_both_engines() {
    let deep = "(func $deep (param i64 i64) (result i64)
            (i64.add (call $deep (local.get 1) (local.get 0)) (local.get 0)))
        (func (export \"_start\") (drop (call $deep (i64.const 1) (i64.const 2))))";
    let other = Sandbox::new(Backend::Pulley).expect("it starts");
    let (one, other) = (run(module(deep)), other.run(module(deep)));
    assert_eq!(outcome(&one), Outcome::Trap(TrapClass::StackOverflow));
    assert_eq!(one.end, other.end);
}

#[test]
fn imports_outside_the_contract_are_refused_by_name() {
    let start = "(func (export \"_start\"))";
    let refused = |text: &str| match outcome(&run(module(text))) {
        Outcome::Invalid(InvalidReason::ForbiddenImport(name)) => name,
        other => panic!("{other:?}"),
    };
    for (import, name) in [
        ("(import \"env\" \"system\" (func))", "env.system"),
        (
            "(import \"wasi_snapshot_preview1\" \"thread_spawn\" (func))",
            "wasi_snapshot_preview1.thread_spawn",
        ),
        ("(import \"dugnad\" \"progress\" (func))", "dugnad.progress"),
        ("(import \"dugnad\" \"progress\" (global i32))", "dugnad.progress"),
        ("(import \"z\" \"z\" (func)) (import \"a\" \"z\" (func))", "a.z"),
    ] {
        assert_eq!(refused(&format!("{import} {start}")), name);
    }
    let long = refused(&format!("(import \"{}é\" \"\" (func)) {start}", "x".repeat(127)));
    assert_eq!(long, "x".repeat(127));
    let plain = "(import \"dugnad\" \"progress\" (func (param i64 i64)))
        (memory (export \"memory\") 1) (func (export \"alloc\") (param i32) (result i32) unreachable)
        (func (export \"run\") (param i32 i32) (result i64) unreachable)";
    assert_eq!(refused(plain), "dugnad.progress");
}

#[test]
fn what_is_no_module_of_the_contract_is_malformed() {
    let whole = wat::parse_str("(module (func (export \"_start\")))").expect("it is right");
    for bytes in
        [&b""[..], b"garbage", &whole[..whole.len() - 1], &whole[..9], b"\0asm\x0d\0\x01\0"]
    {
        let ran = run(run_of(bytes.to_vec()));
        assert_eq!(outcome(&ran), Outcome::Invalid(InvalidReason::Malformed), "{bytes:?}");
    }
    for text in [
        "(memory 1 1 shared) (func (export \"_start\"))",
        "(memory i64 1) (func (export \"_start\"))",
        "(memory 1) (memory 1) (func (export \"_start\"))",
        "(tag) (func (export \"_start\"))",
        "(table 1 externref) (func (export \"_start\"))",
        "(type (struct)) (func (export \"_start\"))",
        "(func (export \"_start\") (drop (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 0 0))))",
        "(func (export \"_start\") (drop (i64.add (i32.const 1) (i64.const 1))))",
    ] {
        assert_eq!(
            outcome(&run(module(text))),
            Outcome::Invalid(InvalidReason::Malformed),
            "{text}"
        );
    }
}

#[test]
fn what_is_too_large_is_refused_before_it_costs_anything() {
    let functions = "(func)".repeat(FUNCTIONS_MAX as usize);
    let tables = "(table 1 funcref)".repeat(TABLES_MAX as usize + 1);
    let elements = format!("(table {} funcref)", TABLE_ELEMENTS_MAX + 1);
    let body = format!("(func {})", "nop ".repeat(FUNCTION_BYTES_MAX as usize));
    let results = format!("(type (func (result {})))", "i32 ".repeat(RESULTS_MAX as usize + 1));
    let locals = format!("(func (local {}))", "i64 ".repeat(LOCALS_MAX as usize + 1));
    // Small as it is, and too large for any engine once each call is metered.
    let calls = format!("(func $f) (func {})", "call $f ".repeat(400_000));
    let memories = ["(memory 33)", "(memory 65536)"].map(String::from);
    for text in
        memories.into_iter().chain([functions, tables, elements, body, results, locals, calls])
    {
        let ran = run(module(&format!("{text} (func (export \"_start\"))")));
        assert_eq!(outcome(&ran), Outcome::Invalid(InvalidReason::TooLarge), "{}", ran.detail);
    }
    let ran = run(module("(memory 32) (func (export \"_start\"))"));
    assert_eq!(exit_code(&ran), 0);
}

#[test]
fn a_module_without_an_entry_point_is_refused() {
    for text in [
        "",
        "(func (export \"main\"))",
        "(func (export \"_start\") (param i32))",
        "(global (export \"_start\") i32 (i32.const 0))",
        "(func (export \"alloc\") (param i32) (result i32) unreachable)
         (func (export \"run\") (param i32 i32) (result i64) unreachable)",
    ] {
        assert_eq!(
            outcome(&run(module(text))),
            Outcome::Invalid(InvalidReason::NoEntryPoint),
            "{text}"
        );
    }
}

#[test]
fn bytes_under_a_wrong_hash_are_not_run_and_not_kept() {
    let honest = command("(call $proc_exit (i32.const 5))");
    let mut swapped = command("(call $proc_exit (i32.const 6))");
    swapped.module_hash = honest.module_hash;
    assert_eq!(run(swapped).end, Err(Void::Unavailable));
    let garbage = Run { module: Arc::from(&b"garbage"[..]), ..honest.clone() };
    assert_eq!(run(garbage).end, Err(Void::Unavailable));
    assert_eq!(exit_code(&run(honest)), 5);
}
