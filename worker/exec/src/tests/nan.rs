//! The pass against wasmtime's own canonicalisation: the same bits on every module, and where the test
//! can tell, other bits without either.
use super::made_up;
use crate::{facts, pass::pass};
use arbitrary::Unstructured;
use std::fmt::Write;
use wasm_smith::{Config as Smith, Module as Smithed};
use wasmtime::{Config, Engine, Extern, Instance, Module, Store, Val, ValType};

/// Modules that are made up in one run of a test.
const MADE_UP: u64 = 150;
/// Loops and calls in a made-up module before it traps.
const TURNS_MAX: u32 = 1_000;

/// A NaN of arithmetic, seen in every way there is; x86-64 and Arm give it different bits.
const SEEN: &[&str] = &[
    "(func (export \"f\") (param f64 f32) (result f64) (f64.div (local.get 0) (local.get 0)))",
    "(func (export \"f\") (param f64 f32) (result i64)
        (i64.reinterpret_f64 (f64.sqrt (f64.const -1))))",
    "(func (export \"f\") (param f64 f32) (result i32)
        (i32.reinterpret_f32 (f32.demote_f64 (f64.sub (f64.const inf) (f64.const inf)))))",
    "(func (export \"f\") (param f64 f32) (result f32) (local f32 f32)
        (local.set 2 (f32.div (local.get 1) (local.get 1)))
        (local.set 3 (f32.add (local.get 2) (f32.const 1)))
        (f32.neg (local.get 3)))",
    "(memory (export \"m\") 1) (func (export \"f\") (param f64 f32)
        (f64.store (i32.const 8) (f64.mul (f64.const 0) (f64.const inf)))
        (f32.store (i32.const 16) (f32.copysign (f32.sqrt (f32.const -4)) (local.get 1))))",
    "(global (export \"g\") (mut f32) (f32.const 0)) (func (export \"f\") (param f64 f32)
        (global.set 0 (select (f32.div (local.get 1) (local.get 1)) (f32.const 2) (i32.const 1))))",
    "(func $bits (param f64) (result i64) (i64.reinterpret_f64 (local.get 0)))
     (func (export \"f\") (param f64 f32) (result i64)
        (call $bits (f64.promote_f32 (f32.div (local.get 1) (local.get 1)))))",
    "(func (export \"f\") (param f64 f32) (result i64) (local f64)
        (loop $again (result i64)
            (local.set 2 (f64.add (local.get 2) (f64.div (local.get 0) (local.get 0))))
            (br_if $again (f64.eq (local.get 2) (local.get 2)))
            (i64.reinterpret_f64 (local.get 2))))",
    "(func (export \"f\") (param f64 f32) (result i64) (local v128)
        (local.set 2 (f64x2.div (f64x2.splat (local.get 0)) (local.get 2)))
        (i64x2.extract_lane 1 (local.get 2)))",
    "(func (export \"f\") (param f64 f32) (result v128) (local v128)
        (local.set 2 (f32x4.sqrt (v128.const f32x4 -1 2 -3 4)))
        (v128.or (local.get 2) (f32x4.add (local.get 2) (f32x4.splat (f32.const 1)))))",
    "(func (export \"f\") (param f64 f32) (result f32)
        (f32x4.extract_lane 0 (f32x4.pmin
            (f32x4.div (f32x4.splat (local.get 1)) (f32x4.splat (local.get 1)))
            (f32x4.sqrt (v128.const f32x4 -1 -1 -1 -1)))))",
    "(func (export \"f\") (param f64 f32) (result i64) (block $out (result f64)
        (br_if $out (f64.div (local.get 0) (local.get 0)) (i32.const 1))
        (return (i64.const 7))) (i64.reinterpret_f64))",
    "(func (export \"f\") (param f64 f32) (result i64) (local i64)
        (loop $again
            (local.set 2 (i64.reinterpret_f64 (local.get 0)))
            (local.set 0 (f64.div (local.get 0) (local.get 0)))
            (br_if $again (i64.eqz (local.get 2))))
        (local.get 2))",
    "(func (export \"f\") (param f64 f32) (result i64) (local f64)
        (if (f32.eq (local.get 1) (local.get 1))
            (then (local.set 2 (f64.div (local.get 0) (local.get 0))))
            (else (local.set 2 (f64.const 1))))
        (i64.reinterpret_f64 (local.get 2)))",
];

/// A NaN that is only carried about, through what is put in here: its payload stays.
const CARRIED: &str = r#"(memory (export "m") 1) (data (i32.const 0) "\01\02\03\04\05\06\f8\ff")
    (func $same (param f64) (result f64) (local f64) {})
    (func (export "f") (param f64 f32) (result i64)
        (f64.store (i32.const 8) (call $same (f64.load (i32.const 0))))
        (i64.load (i32.const 8)))"#;

/// Ways through a local, which holds sums as well: before, on another path, in another turn.
const THROUGH: &[&str] = &[
    "(local.set 1 (local.get 0)) (local.get 1)",
    "(local.set 1 (f64.add (local.get 0) (f64.const 1)))
     (drop (f64.add (local.get 1) (local.get 1)))
     (local.set 1 (local.get 0)) (local.get 1)",
    "(local.set 1 (local.get 0))
     (block (br_if 0 (i32.const 1)) (local.set 1 (f64.add (local.get 0) (f64.const 1))))
     (local.get 1)",
    "(block (block (br_table 0 1 (i32.const 0))) (local.set 1 (local.get 0)) (br 0)
        (local.set 1 (f64.add (local.get 0) (f64.const 1)))) (local.get 1)",
    "(if (f64.ne (local.get 0) (local.get 0))
        (then (local.set 1 (local.get 0)))
        (else (local.set 1 (f64.add (local.get 0) (f64.const 1))))) (local.get 1)",
    "(local.set 1 (local.get 0))
     (if (f64.eq (local.get 0) (local.get 0))
        (then (local.set 1 (f64.add (local.get 0) (f64.const 1))))) (local.get 1)",
    "(local i32) (local.set 1 (f64.add (local.get 0) (f64.const 1)))
     (loop $again
        (if (local.get 2) (then (return (local.get 1))))
        (local.set 1 (local.get 0)) (local.set 2 (i32.const 1)) (br $again))
     (unreachable)",
    "(drop (f64.add (local.get 0) (local.get 0)))
     (block (br_if 0 (i32.const 1)) (local.set 0 (f64.add (local.get 0) (f64.const 1))))
     (local.get 0)",
];

fn engine(canonical: bool) -> Engine {
    engine_for(None, canonical)
}

fn engine_for(target: Option<&str>, canonical: bool) -> Engine {
    let mut config = Config::new();
    if let Some(target) = target {
        config.target(target).expect("it is known");
    }
    config.wasm_features(wasmtime::WasmFeatures::all(), false);
    config.wasm_features(facts::features(), true).cranelift_nan_canonicalization(canonical);
    Engine::new(&config).expect("it starts")
}

/// All that can be seen of a module: what its functions answer, its memories and globals.
fn seen(engine: &Engine, module: &[u8]) -> Option<String> {
    seen_and_burned(engine, module).map(|(seen, _)| seen)
}

/// The same, and the fuel that a passed module counted.
fn seen_and_burned(engine: &Engine, module: &[u8]) -> Option<(String, i64)> {
    let module = Module::new(engine, module).expect("it was validated");
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[]).ok()?;
    let fuel = instance.get_global(&mut store, "dugnad-1 fuel");
    if let Some(fuel) = fuel {
        fuel.set(&mut store, Val::I64(i64::MAX)).expect("it can be set");
    }
    if let Some(start) = instance.get_func(&mut store, "dugnad-1 start") {
        start.call(&mut store, &[], &mut []).ok()?;
    }
    let mut seen = String::new();
    let exports: Vec<(String, Extern)> = instance
        .exports(&mut store)
        .map(|export| (export.name().to_owned(), export.into_extern()))
        .filter(|(name, _)| !name.starts_with("dugnad-1 "))
        .collect();
    for (name, export) in &exports {
        let Extern::Func(function) = export else { continue };
        let ty = function.ty(&store);
        let arguments: Vec<Val> = ty.params().map(|ty| argument(&ty)).collect();
        let mut results = vec![Val::I32(0); ty.results().len()];
        let end = function.call(&mut store, &arguments, &mut results);
        let trap = end.err().map(|error| error.downcast_ref::<wasmtime::Trap>().copied());
        if trap == Some(Some(wasmtime::Trap::StackOverflow)) {
            return None; // Where that is, is the engine's own business.
        }
        write!(seen, "{name}: {trap:?}").expect("a string");
        results.iter().for_each(|value| show(&mut seen, value));
    }
    for (name, export) in exports {
        match export {
            Extern::Memory(memory) => {
                let hash = blake3::hash(memory.data(&store));
                write!(seen, "; {name}: {hash}").expect("a string");
            }
            Extern::Global(global) => show(&mut seen, &global.get(&mut store)),
            _ => {}
        }
    }
    let left = fuel.and_then(|fuel| fuel.get(&mut store).i64());
    Some((seen, i64::MAX - left.unwrap_or(i64::MAX)))
}

fn argument(ty: &ValType) -> Val {
    match ty {
        ValType::I32 => Val::I32(7),
        ValType::I64 => Val::I64(-9),
        ValType::F32 => Val::F32(0),
        ValType::F64 => Val::F64(0),
        ValType::V128 => Val::V128(0u128.into()),
        ValType::Ref(ty) => Val::null_ref(ty.heap_type()),
    }
}

fn show(seen: &mut String, value: &Val) {
    let bits = match value {
        Val::I32(value) => format!("{value:x}"),
        Val::I64(value) => format!("{value:x}"),
        Val::F32(bits) => format!("{bits:x}"),
        Val::F64(bits) => format!("{bits:x}"),
        Val::V128(bits) => format!("{:x}", bits.as_u128()),
        _ => "a reference".to_owned(),
    };
    write!(seen, " {bits}").expect("a string");
}

fn passed(module: &[u8]) -> Vec<u8> {
    let passed = pass(module).expect("it is valid");
    let mut validator = wasmparser::Validator::new_with_features(facts::features());
    validator.validate_all(&passed.module).expect("valid after the pass");
    passed.module
}

#[test]
fn a_nan_of_arithmetic_has_one_look_wherever_it_is_seen() {
    let (bare, flagged) = (engine(false), engine(true));
    for text in SEEN {
        let module =
            wat::parse_str(format!("(module {text})")).expect("the test's module is right");
        let expected = seen(&flagged, &module);
        assert!(expected.is_some());
        assert_eq!(seen(&bare, &passed(&module)), expected, "{text}");
        if cfg!(target_arch = "x86_64") {
            assert_ne!(seen(&bare, &module), expected, "the test cannot tell: {text}");
        }
    }
}

#[test]
fn a_nan_that_is_carried_about_keeps_its_payload() {
    for through in THROUGH {
        let text = format!("(module {})", CARRIED.replace("{}", through));
        let module = wat::parse_str(text).expect("the test's module is right");
        let as_is = seen(&engine(false), &module);
        assert!(as_is.as_ref().is_some_and(|seen| seen.contains("f8060504030201")), "{as_is:?}");
        assert_eq!(seen(&engine(false), &passed(&module)), as_is, "{through}");
    }
}

/// The product is in the local after something that was loaded: only what is stored is a site.
#[test]
fn values_that_share_a_local_are_told_apart() {
    let module = wat::parse_str(
        r#"(module (memory 1) (func (local f64)
            (local.set 0 (f64.load (i32.const 0)))
            (f64.store (i32.const 8) (local.get 0))
            (loop $again
                (local.set 0 (f64.mul (f64.load (i32.const 16)) (f64.const 3)))
                (f64.store (i32.const 24) (f64.add (local.get 0) (f64.const 1)))
                (br_if $again (f64.gt (local.get 0) (f64.const 1))))))"#,
    );
    let passed = pass(&module.expect("the test's module is right")).expect("it is valid");
    assert_eq!(passed.sites.nans, 1);
}

/// A module made up from a seed.
fn made_up(seed: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 60_000];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    let config = Smith {
        max_imports: 0,
        export_everything: true,
        simd_enabled: true,
        relaxed_simd_enabled: false,
        gc_enabled: false,
        reference_types_enabled: false,
        exceptions_enabled: false,
        threads_enabled: false,
        memory64_enabled: false,
        multi_value_enabled: true,
        tail_call_enabled: true,
        custom_page_sizes_enabled: false,
        wide_arithmetic_enabled: false,
        shared_everything_threads_enabled: false,
        max_memories: 1,
        max_memory32_bytes: 1 << 17,
        min_funcs: 2,
        ..Smith::default()
    };
    let mut module = Smithed::new(config, &mut Unstructured::new(&bytes)).ok()?;
    module.ensure_termination(TURNS_MAX).ok()?;
    Some(module.to_bytes())
}

/// Bare, they must differ: else this would show nothing.
#[test]
fn modules_full_of_nans_compute_the_same_in_all_engines() {
    let (bare, flagged, pulley) =
        (engine(false), engine(true), engine_for(Some("pulley64"), false));
    let mut told = 0;
    for seed in 0..MADE_UP {
        let module = made_up::module(seed);
        let passed = passed(&module);
        let expected = seen(&flagged, &module);
        assert!(expected.is_some(), "seed {seed}");
        let compiled = seen_and_burned(&bare, &passed);
        assert_eq!(compiled.as_ref().map(|(seen, _)| seen), expected.as_ref(), "seed {seed}");
        assert!(compiled.as_ref().is_some_and(|(_, burned)| *burned > 0), "seed {seed}");
        assert_eq!(seen_and_burned(&pulley, &passed), compiled, "seed {seed}, Pulley");
        told += u64::from(seen(&bare, &module) != expected);
    }
    println!("{told} of {MADE_UP} differ without the pass");
    assert!(told > MADE_UP / 4, "{told} of {MADE_UP} differ without the pass");
}

#[test]
fn made_up_modules_compute_the_same() {
    let (bare, flagged) = (engine(false), engine(true));
    let (mut compared, mut told, mut sites) = (0, 0, 0);
    for seed in 0..MADE_UP {
        let Some(module) = made_up(seed) else { continue };
        let Ok(one) = pass(&module) else { continue };
        sites += one.sites.nans;
        let (expected, got) = (seen(&flagged, &module), seen(&bare, &passed(&module)));
        if expected.is_some() && got.is_some() {
            assert_eq!(got, expected, "seed {seed}");
            compared += 1;
            told += u64::from(seen(&bare, &module) != expected);
        }
    }
    println!("{compared} compared, {sites} sites, {told} differ without the pass");
    assert!(compared > MADE_UP / 2, "{compared} of {MADE_UP}");
}
