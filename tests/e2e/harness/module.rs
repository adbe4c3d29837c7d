//! Modules that the tests compute with, and what they must come to.

/// What a unit of [`walk`] multiplies with and adds in each round.
const STEP: (u64, u64) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);

/// Compiles WebAssembly text.
pub fn module(text: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {text})")).expect("a module")
}

/// A plain unit that takes its index `rounds` steps along a linear congruence, one by one; a
/// million rounds are some two milliseconds.
pub fn walk(rounds: u32) -> Vec<u8> {
    let (factor, summand) = STEP;
    module(&format!(
        "(memory (export \"memory\") 1)
        (func (export \"alloc\") (param i32) (result i32) (i32.const 16))
        (func (export \"run\") (param $at i32) (param $len i32) (result i64)
            (local $x i64) (local $end i32) (local $round i32)
            ;; The index in decimal, without the newline at its end.
            (local.set $end (i32.sub (i32.add (local.get $at) (local.get $len)) (i32.const 1)))
            (loop $digit
                (if (i32.lt_u (local.get $at) (local.get $end)) (then
                    (local.set $x (i64.add (i64.mul (local.get $x) (i64.const 10))
                        (i64.extend_i32_u
                            (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))))
                    (local.set $at (i32.add (local.get $at) (i32.const 1)))
                    (br $digit))))
            (loop $next
                (local.set $x
                    (i64.add (i64.mul (local.get $x) (i64.const {factor}))
                        (i64.const {summand})))
                (local.set $round (i32.add (local.get $round) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $round) (i32.const {rounds}))))
            (i64.store (i32.const 0) (local.get $x))
            (i64.const 8))"
    ))
}

/// The output of a unit of [`walk`], by another way: the rounds are squared together.
pub fn walked(unit: u32, mut rounds: u32) -> Vec<u8> {
    let (mut factor, mut summand) = STEP;
    let mut x = u64::from(unit);
    while rounds > 0 {
        if rounds & 1 == 1 {
            x = x.wrapping_mul(factor).wrapping_add(summand);
        }
        summand = summand.wrapping_mul(factor.wrapping_add(1));
        factor = factor.wrapping_mul(factor);
        rounds >>= 1;
    }
    x.to_le_bytes().to_vec()
}

/// The digest of a whole job of [`walk`].
pub fn walked_digest(units: u32, rounds: u32) -> String {
    let outputs: Vec<u8> = (0..units).flat_map(|unit| walked(unit, rounds)).collect();
    blake3::hash(&outputs).to_string()
}

/// A plain unit that hands back its input.
pub fn echo() -> Vec<u8> {
    module(
        "(memory (export \"memory\") 2)
        (func (export \"alloc\") (param i32) (result i32) (i32.const 0))
        (func (export \"run\") (param $at i32) (param $len i32) (result i64)
            (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32))
                (i64.extend_i32_u (local.get $len))))",
    )
}

/// A WASI command that does `body`; `$print at len` writes to standard output.
pub fn command(body: &str) -> Vec<u8> {
    module(&format!(
        "(import \"wasi_snapshot_preview1\" \"fd_write\"
            (func $fd_write (param i32 i32 i32 i32) (result i32)))
        (memory (export \"memory\") 1)
        (func $print (param $at i32) (param $len i32)
            (i32.store (i32.const 0) (local.get $at))
            (i32.store (i32.const 4) (local.get $len))
            (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
        (func (export \"_start\") {body})"
    ))
}
