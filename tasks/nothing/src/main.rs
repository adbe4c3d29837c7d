//! A unit that does nothing: its output is its input. For measuring what a grid costs by itself.
#![cfg_attr(target_os = "unknown", no_std, no_main)]

fn nothing(input: &'static [u8]) -> &'static [u8] {
    input
}

dugnad_guest::plain_unit!(nothing);
