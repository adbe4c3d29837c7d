//! Checked jobs between real processes: the module's own `verify` says what is right.
use crate::harness::{
    Node, Place, assert_all_right, end_all, field, module, number, run, text, wait_for,
};

const UNITS: u32 = 300;

/// A plain unit that hands back its input, and says so of an output.
fn checked_echo() -> Vec<u8> {
    module::module(
        "(memory (export \"memory\") 2) (global $at (mut i32) (i32.const 0))
        (func (export \"alloc\") (param i32) (result i32)
            (global.get $at) (global.set $at (i32.add (global.get $at) (local.get 0))))
        (func (export \"run\") (param $at i32) (param $len i32) (result i64)
            (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32))
                (i64.extend_i32_u (local.get $len))))
        (func (export \"verify\")
            (param $in i32) (param $in_len i32) (param $out i32) (param $out_len i32) (result i32)
            (if (i32.ne (local.get $in_len) (local.get $out_len)) (then (return (i32.const 0))))
            (loop $next
                (if (i32.eqz (local.get $in_len)) (then (return (i32.const 1))))
                (local.set $in_len (i32.sub (local.get $in_len) (i32.const 1)))
                (br_if $next (i32.eq
                    (i32.load8_u (i32.add (local.get $in) (local.get $in_len)))
                    (i32.load8_u (i32.add (local.get $out) (local.get $in_len))))))
            (i32.const 0))",
    )
}

#[test]
fn a_unit_is_computed_once_and_a_liar_is_caught_at_its_first_lie() {
    let place = Place::new();
    let out = place.path("demo");
    let command = ["demo", "--json", "--task", "nothing", "--profile", "checked", "--nodes", "4"];
    let rest = ["--liars", "2", "--units", "1200", "--out", text(&out)];
    let report = run([&command[..], &rest].concat()).json();
    assert_all_right(&report, 1200);
    let redundancy = field(&report, "redundancy").as_f64().expect("a number");
    assert!(redundancy < 2.0, "{report}");
    let verified = run(["verify", text(&out.join("results")), "--json"]).json();
    assert_eq!(number(&verified, "outputs"), 1200, "{verified}");
    assert_eq!(verified["profile"], "checked");
}

#[test]
fn an_owner_checks_again_what_it_had_not_released_when_it_was_killed() {
    let place = Place::new();
    let key = place.network_key();
    let tcp = ["--listen", "/ip4/127.0.0.1/tcp/0", "--cores", "1", "--network-key", text(&key)];
    let mut owner = Node::start(&place, "owner", &tcp);
    let refused = place.job("echo", &module::echo(), "profile = \"checked\"\n[units]\ncount = 2");
    owner.try_command(&["submit", text(&refused)]).refused(1, &["verify", "quorum=N"]);

    let rest = format!("profile = \"checked\"\n[units]\ncount = {UNITS}");
    let job = owner.submit(&place.job("checked", &checked_echo(), &rest));
    let bootstrap = owner.address();
    let mut other =
        Node::start(&place, "other", &[&tcp[..], &["--bootstrap", &bootstrap]].concat());
    wait_for("some verified units", || {
        (number(&owner.json(&["status", &job]), "verified") > 0).then_some(())
    });
    owner.kill();
    owner.restart();
    let status = owner.wait_ended(&job);
    assert_eq!(field(&status, "state"), "done", "{status}");
    let outputs: String = (0..UNITS).map(|unit| format!("{unit}\n")).collect();
    assert_eq!(status["output_digest"], blake3::hash(outputs.as_bytes()).to_string());
    end_all(&mut [&mut owner, &mut other]);
}
