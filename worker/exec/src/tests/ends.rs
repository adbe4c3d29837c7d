//! Each way in which a guest can end by itself.
use super::*;
use crate::STDERR_BYTES_MAX;

#[test]
fn a_command_reads_writes_and_exits() {
    let echo = "(i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 50))
        (call $proc_exit_unless_0
            (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (call $progress (i64.const 1) (i64.const 2))
        (call $write (i32.const 2) (i32.const 100) (i32.const 3))
        (call $print (i32.const 100) (i32.load (i32.const 8)))";
    let mut unit = command(echo);
    unit.input = b"42\n".to_vec();
    let ran = run(unit);
    assert_eq!(
        (exit_code(&ran), &ran.output[..], &ran.stderr[..]),
        (0, &b"42\n"[..], &b"42\n"[..])
    );
    assert_eq!((ran.memory_peak_bytes, ran.detail.as_str()), (64 << 10, ""));
    let code = exit_code(&run(command("(call $proc_exit (i32.const 3000000000)) unreachable")));
    assert_eq!(code, 3_000_000_000);
}

#[test]
fn a_plain_unit_gets_its_input_and_gives_its_output() {
    let echo = "(i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32))
        (i64.extend_i32_u (local.get $len)))";
    let mut unit = plain(echo);
    unit.input = b"between memories".to_vec();
    let ran = run(unit);
    assert_eq!((exit_code(&ran), &ran.output[..]), (0, &b"between memories"[..]));
    assert_eq!(exit_code(&run(plain(echo))), 0, "empty input is input too");
}

#[test]
fn what_a_plain_unit_points_at_must_be_its_own() {
    let outside = [
        plain("(i64.const 0x10000_00000001)"),
        plain("(i64.const 0x0_00010001)"),
        plain("(i64.const -1)"),
    ];
    for unit in outside {
        assert_eq!(outcome(&run(unit)), Outcome::Trap(TrapClass::MemoryOutOfBounds));
    }
    let alloc = "(memory (export \"memory\") 1)
        (func (export \"alloc\") (param i32) (result i32) (i32.const -1))
        (func (export \"run\") (param i32 i32) (result i64) (i64.const 0))";
    let mut unit = module(alloc);
    unit.input = vec![1];
    assert_eq!(outcome(&run(unit)), Outcome::Trap(TrapClass::MemoryOutOfBounds));
}

#[test]
fn output_over_the_limit_ends_the_unit_at_that_write() {
    let twice = "(call $print (i32.const 100) (i32.const 1000))
        (call $print (i32.const 100) (i32.const 1)) unreachable";
    let ran = run(command(twice));
    assert_eq!((outcome(&ran), ran.output.len()), (Outcome::OutputTooLarge, 1_000));
    let ran = run(plain("(i64.const 1001)"));
    assert_eq!(outcome(&ran), Outcome::OutputTooLarge);
    let ran = run(plain("(i64.const 1000)"));
    assert_eq!(exit_code(&ran), 0);
}

#[test]
fn standard_error_is_cut_and_never_votes() {
    let noisy = |bytes: u32| {
        command(&format!(
            "(local $left i32) (local.set $left (i32.const 100))
             (loop (call $write (i32.const 2) (i32.const 100) (i32.const {bytes}))
                 (br_if 0 (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"
        ))
    };
    let (loud, quiet) = (run(noisy(1_000)), run(noisy(0)));
    assert_eq!((loud.stderr.len(), quiet.stderr.len()), (STDERR_BYTES_MAX, 0));
    assert_eq!(outcome(&loud), outcome(&quiet));
    assert_eq!(fuel(&loud) - fuel(&quiet), 100_000, "what it writes has its price all the same");
}

#[test]
fn traps_have_classes() {
    let table = "(table 2 2 funcref) (elem (i32.const 0) $other)
        (func $other (param i32)) (type $plain (func))";
    for (body, class) in [
        ("unreachable", TrapClass::Unreachable),
        ("(drop (i32.load (i32.const 65533)))", TrapClass::MemoryOutOfBounds),
        (
            "(memory.fill (i32.const 0) (i32.const 0) (i32.const 65537))",
            TrapClass::MemoryOutOfBounds,
        ),
        ("(call_indirect (type $plain) (i32.const 9))", TrapClass::TableOutOfBounds),
        ("(call_indirect (type $plain) (i32.const 1))", TrapClass::IndirectCallToNull),
        ("(call_indirect (type $plain) (i32.const 0))", TrapClass::BadSignature),
        ("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))", TrapClass::IntegerOverflow),
        ("(drop (i32.rem_u (i32.const 1) (i32.const 0)))", TrapClass::IntegerDivisionByZero),
        ("(drop (i32.trunc_f32_s (f32.const nan)))", TrapClass::BadConversionToInteger),
        ("(call $deeper)", TrapClass::StackOverflow),
    ] {
        let text = format!("{table} (func $deeper (call $deeper)) (func $inner {body}) {COMMAND}");
        // Imports must come first in a module's text.
        let text = format!("{} (func (export \"_start\") (call $inner))", imports_first(&text));
        let ran = run(module(&text));
        assert_eq!(outcome(&ran), Outcome::Trap(class), "{}", ran.detail);
        let named = if class == TrapClass::StackOverflow { "deeper" } else { "inner" };
        assert!(ran.detail.contains(named), "{} names the function", ran.detail);
    }
}

/// Moves the part from `COMMAND` on to the front.
fn imports_first(text: &str) -> String {
    let (before, command) = text.split_at(text.find("\n    (import").expect("it has imports"));
    format!("{command} {before}")
}

#[test]
fn a_start_function_runs_first_and_may_trap_or_call() {
    let trap = run(module("(func $s unreachable) (start $s) (func (export \"_start\"))"));
    assert_eq!(outcome(&trap), Outcome::Trap(TrapClass::Unreachable));
    let text = format!(
        "{COMMAND} (data (i32.const 100) \"first\") (func $s (call $print (i32.const 100) (i32.const 5)))
         (start $s) (func (export \"_start\"))"
    );
    let ran = run(module(&text));
    assert_eq!((exit_code(&ran), &ran.output[..]), (0, &b"first"[..]));
    let segment =
        run(module("(memory 1) (data (i32.const 65535) \"xy\") (func (export \"_start\"))"));
    assert_eq!(outcome(&segment), Outcome::Trap(TrapClass::MemoryOutOfBounds));
}

#[test]
fn a_guest_without_memory_has_only_bad_pointers() {
    let text =
        "(import \"wasi_snapshot_preview1\" \"random_get\" (func $r (param i32 i32) (result i32)))
        (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
        (func (export \"_start\") (call $exit (call $r (i32.const 0) (i32.const 1))))";
    assert_eq!(exit_code(&run(module(text))), 21);
}

#[test]
fn a_guest_finds_its_files_and_its_arguments() {
    let text = format!(
        "(import \"wasi_snapshot_preview1\" \"path_open\" (func $open
             (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
         (import \"wasi_snapshot_preview1\" \"args_get\" (func $args (param i32 i32) (result i32)))
         {COMMAND} (data (i32.const 100) \"sky.fil\")
         (func (export \"_start\")
             (call $proc_exit_unless_0 (call $open (i32.const 3) (i32.const 0) (i32.const 100)
                 (i32.const 7) (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16)))
             (i32.store (i32.const 0) (i32.const 200)) (i32.store (i32.const 4) (i32.const 50))
             (call $proc_exit_unless_0 (call $fd_read (i32.load (i32.const 16)) (i32.const 0)
                 (i32.const 1) (i32.const 8)))
             (call $print (i32.const 200) (i32.load (i32.const 8)))
             (call $proc_exit_unless_0 (call $args (i32.const 300) (i32.const 400)))
             (call $print (i32.load (i32.const 304)) (i32.const 5)))"
    );
    let mut unit = module(&text);
    unit.files = vec![("sky.fil".into(), Arc::from(&b"spectra "[..]))];
    unit.args = vec!["--max".into()];
    assert_eq!(String::from_utf8_lossy(&run(unit.clone()).output), "spectra --max");
    unit.files[0].0 = "../sky.fil".into();
    assert_eq!(run(unit).end, Err(Void::Unavailable), "a name that leads out is no run");
}
