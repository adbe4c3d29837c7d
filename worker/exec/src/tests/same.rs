//! The same run is the same everywhere: bytes, fuel, time, randomness, NaN.
use super::*;
use std::collections::BTreeSet;

/// Writes the clock and some random bytes, computes, and writes the clock again.
const CURIOUS: &str = "(local $left i32) (local.set $left (i32.const 1000))
    (drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 100)))
    (drop (call $random_get (i32.const 108) (i32.const 32)))
    (loop (i32.store (i32.const 200) (i32.mul (i32.load (i32.const 200)) (local.get $left)))
        (br_if 0 (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 140)))
    (call $print (i32.const 100) (i32.const 48))";

#[test]
fn repeated_runs_are_equal_in_all_sandboxes() {
    let others = [Backend::Cranelift, Backend::Pulley].map(Sandbox::new);
    let others: Vec<_> = others.into_iter().map(|other| other.expect("it starts")).collect();
    let all: BTreeSet<_> = (0..12)
        .map(|index| {
            let ran = [&*SANDBOX, &others[0], &others[1]][index % 3].run(command(CURIOUS));
            (outcome(&ran), fuel(&ran), ran.output)
        })
        .collect();
    assert_eq!(all.len(), 1);
    let (_, fuel, output) = all.first().expect("one");
    let moment = |at: usize| u64::from_le_bytes(output[at..at + 8].try_into().expect("8 bytes"));
    let took = moment(40) - moment(0);
    assert!(took > 9_000 && took < *fuel, "a nanosecond for each unit of fuel: {took} of {fuel}");
}

#[test]
fn fuel_is_what_this_contract_has_always_charged() {
    // Figures that other nodes vote with: a change here is a new engine version.
    let ran = run(command(CURIOUS));
    assert_eq!(fuel(&ran), FUEL_OF_CURIOUS);
    assert_eq!(fuel(&run(command("unreachable"))), FUEL_OF_A_TRAP);
}

const FUEL_OF_CURIOUS: u64 = 11_518;
const FUEL_OF_A_TRAP: u64 = 1;

#[test]
fn a_limit_that_is_just_enough_is_enough() {
    let unit = |fuel| Run { limits: RunLimits { fuel, ..LIMITS }, ..command(CURIOUS) };
    let whole = fuel(&run(unit(LIMITS.fuel)));
    assert_eq!(exit_code(&run(unit(whole + 1))), 0);
    let short = run(unit(whole / 2));
    assert_eq!((outcome(&short), fuel(&short)), (Outcome::OutOfFuel, whole / 2));
    assert_eq!(outcome(&run(unit(0))), Outcome::OutOfFuel);
}

#[test]
fn randomness_differs_by_seed_and_by_unit_and_by_nothing_else() {
    let draw = |seed, unit| {
        let mut drawn = command(
            "(drop (call $random_get (i32.const 100) (i32.const 32)))
            (call $print (i32.const 100) (i32.const 32))",
        );
        drawn.random = Seed { job: seed, unit };
        run(drawn).output
    };
    assert_eq!(draw(1, 2), draw(1, 2));
    let all = BTreeSet::from([draw(1, 2), draw(1, 3), draw(2, 2), draw(0, 0)]);
    assert_eq!(all.len(), 4);
}

#[test]
fn nan_has_one_pattern_whatever_made_it() {
    // Each leaves the bits of a NaN that the processor would give a sign or a payload.
    for (bits, made) in [
        ("7fc00000", "(f32.div (local.get $zero) (local.get $zero))"),
        ("7fc00000", "(f32.sqrt (f32.sub (local.get $zero) (f32.const 1)))"),
        ("7fc00000", "(f32.add (f32.reinterpret_i32 (i32.const 0xffc12345)) (local.get $zero))"),
        ("7fc00000", "(f32.demote_f64 (f64.reinterpret_i64 (i64.const 0xfff8000000001234)))"),
        (
            "7fc00000",
            "(f32x4.extract_lane 2 (f32x4.div (v128.const f32x4 0 0 0 0)
            (f32x4.splat (local.get $zero))))",
        ),
        ("ffc12345", "(f32.reinterpret_i32 (i32.const 0xffc12345))"),
    ] {
        let body = format!(
            "(local $zero f32) (if (i32.ne (i32.reinterpret_f32 {made}) (i32.const 0x{bits}))
                (then unreachable))"
        );
        assert_eq!(exit_code(&run(command(&body))), 0, "{made}");
    }
}
