//! A unit that does nothing: its output is its input. For measuring what a grid costs by itself.
#![cfg_attr(target_os = "unknown", no_std, no_main)]

fn nothing(input: &'static [u8]) -> &'static [u8] {
    input
}

/// Whether an output is right.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
fn is_right(input: &[u8], output: &[u8]) -> bool {
    input == output
}

dugnad_guest::plain_unit!(nothing);
dugnad_guest::plain_verify!(is_right);
