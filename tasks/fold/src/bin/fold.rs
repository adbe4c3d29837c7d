//! The unit: a seed or settings on standard input, the folded chain on standard output, in steps.
#![cfg_attr(target_os = "unknown", no_std, no_main)]

dugnad_guest::stepped!(fold::course::init, fold::course::step);
