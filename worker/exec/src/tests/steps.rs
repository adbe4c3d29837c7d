//! Stepped units: whole, in pieces, on other engines, one step alone, and every way in which they end.
use super::*;
use crate::Checkpoint;
use coordinator_free_scheduler::{
    Answer, Step, Trace,
    trace::{FUEL_PER_STEP, STATE_BYTES_MAX, first_difference},
};

const LAST: u64 = 12;
const AMPLE: RunLimits = RunLimits { fuel: 1 << 30, memory_mib: 64, output_bytes: 1_000 };

/// A stepped unit whose `init` and `step` do so; `$n` is the number of the step.
fn stepped(init: &str, step: &str) -> Run {
    let text = format!(
        "(import \"dugnad\" \"done\" (func $done))
         {COMMAND}
         (func $read (param $at i32) (param $len i32)
            (i32.store (i32.const 0) (local.get $at))
            (i32.store (i32.const 4) (local.get $len))
            (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))))
         (func (export \"init\") {init})
         (func (export \"step\") (param $n i64) {step})"
    );
    Run { limits: AMPLE, ..module(&text) }
}

/// Takes the number of its last step, and mixes all that a step can see into eight bytes. A step that
/// found what another one left in its memory would trap.
fn curious() -> Run {
    let step = "
        (if (i32.load (i32.const 300)) (then (unreachable)))
        (i32.store (i32.const 300) (i32.const 1))
        (call $read (i32.const 100) (i32.const 16))
        (drop (call $random_get (i32.const 116) (i32.const 8)))
        (drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 124)))
        (i64.store (i32.const 108) (i64.add
            (i64.mul (i64.load (i32.const 108)) (i64.const 0x5851f42d4c957f2d))
            (i64.add (local.get $n) (i64.add (i64.load (i32.const 116)) (i64.load (i32.const 124))))))
        (if (i64.eq (local.get $n) (i64.load (i32.const 100)))
            (then (call $done) (call $print (i32.const 108) (i32.const 8)))
            (else (call $print (i32.const 100) (i32.const 16))))";
    let init = "(call $read (i32.const 100) (i32.const 8))
        (drop (call $random_get (i32.const 108) (i32.const 8)))
        (call $print (i32.const 100) (i32.const 16))";
    Run { input: LAST.to_le_bytes().to_vec(), ..stepped(init, step) }
}

/// Runs a unit, with all its states.
fn with_states(run: Run) -> (Ran, Vec<Vec<u8>>) {
    let mut states = Vec::new();
    let ran = SANDBOX.run_telling(run, &mut |_, state| states.push(state.to_vec()));
    (ran, states)
}

fn answer(ran: &Ran) -> Answer {
    ran.end.clone().unwrap_or_else(|void| panic!("{void:?}: {}", ran.detail))
}

/// The checkpoint after the step `last` of a whole run.
fn checkpoint(steps: &[Step], states: &[Vec<u8>], last: usize) -> Checkpoint {
    Checkpoint { steps: steps[..=last].to_vec(), state: states[last].clone() }
}

#[test]
fn a_unit_that_moves_after_any_step_ends_as_if_it_had_stayed() {
    let (straight, states) = with_states(curious());
    assert_eq!(states.len() as u64, LAST);
    let trace = Trace::of(&straight.steps);
    assert_eq!((answer(&straight).trace, trace.steps), (Some(trace), LAST as u32));
    let pulley = Sandbox::new(Backend::Pulley).expect("it starts");
    for last in 0..states.len() {
        let left = pulley.run(Run { steps_max: Some(last as u32 + 1), ..curious() });
        assert_eq!(left.end, Err(Void::Interrupted), "{}", left.detail);
        let begin = Checkpoint { steps: left.steps, state: left.output };
        assert_eq!(begin, checkpoint(&straight.steps, &states, last));
        // Nothing of the input is looked at any more.
        let input = Vec::new();
        let moved = run(Run { begin: Some(begin), input, ..curious() });
        assert_eq!(answer(&moved), answer(&straight));
        assert_eq!((moved.output, moved.steps), (straight.output.clone(), straight.steps.clone()));
    }
    let mut all = states.clone();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), states.len(), "each step has its own number and random bytes");
}

#[test]
fn one_step_run_again_decides_between_two_traces() {
    let (honest, states) = with_states(curious());
    for wrong in 1..states.len() {
        let mut lie = honest.steps.clone();
        lie[wrong..].iter_mut().for_each(|step| step.state.0[0] ^= 1);
        lie[wrong].fuel += 1;
        let at = first_difference(&honest.steps, &lie).expect("they differ") as usize;
        assert_eq!(at, wrong);
        let begin = checkpoint(&lie, &states, at - 1);
        let judged = run(Run { begin: Some(begin), steps_max: Some(1), ..curious() });
        assert_eq!(judged.steps.len(), at + 1, "one step");
        assert_eq!(judged.steps[at], honest.steps[at]);
        assert_ne!(judged.steps[at], lie[at]);
    }
}

#[test]
fn fuel_is_the_sum_of_the_steps() {
    let whole = run(curious());
    let Answer { fuel, .. } = answer(&whole);
    let first = whole.steps[0].fuel;
    assert!(first > FUEL_PER_STEP && whole.steps[1].fuel > first + FUEL_PER_STEP);
    let limited = |fuel| run(Run { limits: RunLimits { fuel, ..AMPLE }, ..curious() });
    assert_eq!(answer(&limited(fuel + 1)), answer(&whole));
    for short in [fuel - 1, whole.steps[5].fuel, whole.steps[5].fuel + FUEL_PER_STEP + 1, 0] {
        let ended = answer(&limited(short));
        assert_eq!((ended.outcome, ended.fuel), (Outcome::OutOfFuel, short));
        let reached = whole.steps.iter().take_while(|step| step.fuel <= short).count();
        assert_eq!(ended.trace, Some(Trace::of(&whole.steps[..reached])));
    }
}

#[test]
fn every_end_is_an_answer() {
    let at_step_2 = |end: &str| {
        let step = format!("(if (i64.eq (local.get $n) (i64.const 2)) (then {end}))");
        let ran = run(stepped("", &step));
        let Answer { outcome, trace, .. } = answer(&ran);
        (outcome, trace.map(|trace| trace.steps), ran.detail)
    };
    let exit = |code, output: &[u8]| Outcome::Exit {
        code,
        digest: Hash::of(output),
        bytes: output.len() as u64,
    };
    let (outcome, steps, _) = at_step_2("(call $done)");
    assert_eq!((outcome, steps), (exit(0, b""), Some(2)));
    let (outcome, steps, _) = at_step_2("(call $proc_exit (i32.const 7))");
    assert_eq!((outcome, steps), (exit(7, b""), Some(2)));
    let (outcome, steps, detail) = at_step_2("(unreachable)");
    assert_eq!((outcome, steps), (Outcome::Trap(TrapClass::Unreachable), Some(2)));
    assert!(detail.starts_with("at step 2"), "{detail}");
    let (outcome, ..) = at_step_2("(call $done) (call $print (i32.const 0) (i32.const 1001))");
    assert_eq!(outcome, Outcome::OutputTooLarge);
    let (outcome, ..) = at_step_2("(loop (br 0))");
    assert_eq!(outcome, Outcome::OutOfFuel);
    // A state may be longer than an output; that it was is not why the unit ended.
    let (outcome, ..) = at_step_2("(call $print (i32.const 0) (i32.const 1001)) (unreachable)");
    assert_eq!(outcome, Outcome::Trap(TrapClass::Unreachable));
    assert_eq!(answer(&run(stepped("(call $done)", ""))).trace.map(|trace| trace.steps), Some(0));
    let endless = run(stepped("", ""));
    assert_eq!(outcome_of(&endless), Outcome::OutOfFuel);
    assert!(endless.steps.len() as u64 <= AMPLE.fuel / FUEL_PER_STEP);
    let flood = format!(
        "(drop (memory.grow (i32.const 600)))
         (call $print (i32.const 0) (i32.const {}))",
        STATE_BYTES_MAX + 1
    );
    assert_eq!(outcome_of(&run(stepped(&flood, ""))), Outcome::OutputTooLarge);
}

fn outcome_of(ran: &Ran) -> Outcome {
    answer(ran).outcome
}

#[test]
fn a_checkpoint_that_is_none_is_found_out() {
    let (whole, states) = with_states(curious());
    let good = || checkpoint(&whole.steps, &states, 3);
    let mut bad = vec![good(), good(), good(), Checkpoint::default()];
    bad[0].state[9] ^= 1;
    bad[1].steps[2].fuel = u64::MAX;
    bad[2].steps.pop();
    for begin in bad {
        assert!(!begin.is_whole());
        let ran = run(Run { begin: Some(begin), ..curious() });
        assert_eq!(answer(&ran), answer(&whole), "it begins anew");
    }
    let kept = good().sealed(b"name").expect("small");
    assert_eq!(Checkpoint::unsealed(&kept, b"name"), Ok(good()));
    assert!(Checkpoint::unsealed(&kept, b"other").is_err());
    for at in 0..kept.len() {
        let mut damaged = kept.clone();
        damaged[at] ^= 1;
        assert!(Checkpoint::unsealed(&damaged, b"name").is_err(), "byte {at}");
        assert!(Checkpoint::unsealed(&kept[..at], b"name").is_err());
    }
}

#[test]
fn steps_are_told_as_they_are_taken() {
    let told = std::sync::Mutex::new(Vec::new());
    let ran = SANDBOX.run_telling(curious(), &mut |step, state| {
        assert_eq!(step.state, Hash::of(state));
        told.lock().expect("no panic").push(step);
    });
    assert_eq!(told.into_inner().expect("no panic"), ran.steps);
}
