//! Modules that are damaged, or lie about their own make: refused in a sentence, or run like any other.
use super::*;
use coordinator_free_scheduler::Rng;
use wasmparser::{Parser, Payload, Validator};

const NOTHING: &[u8] = include_bytes!("../../../../tasks/nothing/nothing.wasm");
const FOLD: &[u8] = include_bytes!("../../../../tasks/fold/fold.wasm");
/// Runs of a damaged module end soon.
const SHORT: RunLimits = RunLimits { fuel: 1_000_000, memory_mib: 16, output_bytes: 1_000 };

/// A module with a few bytes changed, cut out, doubled or cut off.
fn damaged(rng: &mut Rng, module: &[u8]) -> Vec<u8> {
    let mut below = |end: usize| rng.below(end as u64) as usize;
    let mut bytes = module.to_vec();
    for _ in 0..=below(3) {
        // The first eight say that it is a module at all.
        let at = 8 + below(bytes.len() - 8);
        let end = (at + 1 + below(12)).min(bytes.len());
        match below(6) {
            0 => bytes[at] ^= 1 << below(8),
            1 => bytes[at] = [0, 0x7f, 0x80, 0xff][below(4)],
            2 if end - at < bytes.len() - 8 => drop(bytes.drain(at..end)),
            2 | 3 => bytes.extend_from_within(at..end),
            4 => drop(bytes.splice(at..at, [0xff, 0xff, 0xff, 0xff, 0x0f])),
            _ => bytes.truncate(at.max(9)),
        }
    }
    bytes
}

/// A plain unit with a table, globals, data, a loop, and calls of both kinds.
fn various() -> Vec<u8> {
    let text = r#"(memory (export "memory") 1)
        (type $t (func (param i32) (result i32)))
        (func $one (type $t) (i32.add (local.get 0) (global.get $h)))
        (table 2 funcref) (elem (i32.const 0) $one $one)
        (global $g (mut i64) (i64.const 3)) (global $h i32 (i32.const 5))
        (data (i32.const 1000) "some bytes")
        (func (export "alloc") (param i32) (result i32) (call $one (i32.const 1019)))
        (func (export "run") (param $at i32) (param $len i32) (result i64) (local $sum i32)
            (loop (local.set $sum (i32.add (local.get $sum) (call_indirect (type $t)
                    (local.get $at) (i32.and (local.get $len) (i32.const 1)))))
                (br_if 0 (i32.lt_u (local.get $sum) (i32.const 5000))))
            (f64.store (i32.const 64) (f64.div (f64.const 0) (f64.convert_i32_s (local.get $sum))))
            (global.set $g (i64.const 7))
            (br_table 0 0 0 (i64.const 8) (local.get $len)))"#;
    module(text).module.to_vec()
}

/// Whatever it is, there is an answer; and what the pass lets through is valid.
fn assert_answers(bytes: Vec<u8>) -> bool {
    match SANDBOX.pass(&bytes) {
        Err(why) => assert!(!why.is_empty() && why.len() < 2_000, "{why}"),
        Ok(passed) => {
            Validator::new().validate_all(&passed).expect("valid");
        }
    }
    let ran = run(Run::new(bytes, SHORT));
    let refused = matches!(&ran.end, Ok(answer) if matches!(answer.outcome, Outcome::Invalid(_)));
    assert!(ran.end.is_ok(), "{:?}: {}", ran.end, ran.detail);
    refused
}

#[test]
fn damaged_modules_are_refused_or_run() {
    let mut rng = Rng::new(1);
    let small = [NOTHING.to_vec(), various()];
    assert!(small.iter().all(|module| !assert_answers(module.clone())));
    let mut refused = 0;
    for round in 0..6_000 {
        refused += usize::from(assert_answers(damaged(&mut rng, &small[round % small.len()])));
    }
    assert!((2_000..5_900).contains(&refused), "{refused} of 6000 refused");
    for _ in 0..60 {
        // A large one is only looked over.
        if let Ok(passed) = SANDBOX.pass(&damaged(&mut rng, FOLD)) {
            Validator::new().validate_all(&passed).expect("valid");
        }
    }
}

#[test]
fn sections_that_lie_about_their_size_are_refused() {
    let module = various();
    let sections = Parser::new(0).parse_all(&module).filter_map(|payload| {
        let payload: Payload<'_> = payload.expect("the module is right");
        payload.as_section().map(|(_, range)| range)
    });
    let mut lies = 0;
    for range in sections {
        // The size stands before the section, here in one byte or two.
        let size = range.len() as u32;
        let head = range.start - if size < 128 { 1 } else { 2 };
        for lie in [0, 1, size - 1, size + 1, size * 2, 1 << 20, u32::MAX] {
            let mut leb = Vec::new();
            let mut left = lie;
            while left >= 0x80 {
                leb.push(left as u8 | 0x80);
                left >>= 7;
            }
            leb.push(left as u8);
            let bytes = [&module[..head], &leb, &module[range.start..]].concat();
            if lie != size {
                assert!(assert_answers(bytes), "a section of {size} bytes that says {lie}");
                lies += 1;
            }
        }
    }
    assert!(lies > 40, "{lies}");
}
