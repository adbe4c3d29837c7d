//! Modules that check outputs: what they say, and that nothing else is taken for a yes.
use super::*;

/// Reads standard input to 100 and on; right is an output one more than its input, each a byte.
const VERIFY: &str = r#"(func (export "verify")
    (i32.store (i32.const 0) (i32.const 100)) (i32.store (i32.const 4) (i32.const 50))
    (call $proc_exit_unless_0
        (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (if (i32.ne (i32.load (i32.const 8)) (i32.const 10)) (then unreachable))
    (if (i64.ne (i64.load (i32.const 100)) (i64.const 1)) (then unreachable))
    (if (i32.ne (i32.load8_u (i32.const 109))
                (i32.add (i32.load8_u (i32.const 108)) (i32.const 1)))
        (then (call $proc_exit (i32.const 1)))))"#;

fn checking(unit: Run, input: &[u8], output: &[u8]) -> Run {
    Run { input: input.to_vec(), check: Some(output.to_vec()), ..unit }
}

#[test]
fn a_command_and_a_stepped_unit_check_what_they_are_given() {
    let command = || module(&format!("{COMMAND} {VERIFY} (func (export \"_start\") unreachable)"));
    let stepped = || {
        let steps = "(func (export \"init\") unreachable)
            (func (export \"step\") (param i64) unreachable)";
        module(&format!("{COMMAND} {VERIFY} {steps}"))
    };
    for unit in [command, stepped] {
        assert_eq!(exit_code(&run(checking(unit(), &[6], &[7]))), 0);
        assert_eq!(exit_code(&run(checking(unit(), &[6], &[8]))), 1);
        // Of another length than this module knows.
        let odd = run(checking(unit(), &[6], &[7, 7]));
        assert_eq!(outcome(&odd), Outcome::Trap(TrapClass::Unreachable));
        let starved = checking(unit(), &[6], &[7]);
        let starved = Run { limits: RunLimits { fuel: 10, ..LIMITS }, ..starved };
        assert_eq!(outcome(&run(starved)), Outcome::OutOfFuel);
        // It is no way to run the unit.
        assert_eq!(outcome(&run(unit())), Outcome::Trap(TrapClass::Unreachable));
    }
}

#[test]
fn a_plain_unit_says_yes_by_1_alone() {
    let unit = |answer: &str| {
        module(&format!(
            "(memory (export \"memory\") 1) (global $at (mut i32) (i32.const 1024))
            (func (export \"alloc\") (param i32) (result i32)
                (global.get $at) (global.set $at (i32.add (global.get $at) (local.get 0))))
            (func (export \"run\") (param i32 i32) (result i64) unreachable)
            (func (export \"verify\") (param $in i32) (param i32) (param $out i32) (param i32)
                (result i32) {answer})"
        ))
    };
    let equal = "(i32.eq (i32.load (local.get $in)) (i32.load (local.get $out)))";
    assert_eq!(exit_code(&run(checking(unit(equal), b"four", b"four"))), 0);
    assert_eq!(exit_code(&run(checking(unit(equal), b"four", b"fore"))), 1);
    assert_eq!(exit_code(&run(checking(unit("(i32.const 2)"), b"four", b"four"))), 1);
    let trap = run(checking(unit("unreachable"), b"four", b"four"));
    assert_eq!(outcome(&trap), Outcome::Trap(TrapClass::Unreachable));
}

#[test]
fn what_cannot_check_says_nothing() {
    for (unit, verifies) in [
        (command(""), false),
        (plain("(i64.const 0)"), false),
        (module(&format!("{COMMAND} {VERIFY} (func (export \"_start\"))")), true),
        // Another type is another function.
        (
            module(&format!(
                "{COMMAND} (func (export \"verify\") (param i32)) (func (export \"_start\"))"
            )),
            false,
        ),
    ] {
        assert_eq!(SANDBOX.anatomy(&unit.module).expect("a sound module").verifies, verifies);
        if !verifies {
            let ran = run(checking(unit, b"", b""));
            assert_eq!(ran.end, Err(Void::Engine), "{}", ran.detail);
        }
    }
}
