//! The merge: framed outputs in unit order on standard input, a table of them on standard output.
#![cfg_attr(target_os = "unknown", no_std, no_main)]

use fold::table::{csv, read};

dugnad_guest::command!(dugnad_guest::run_bytes(|outputs| {
    read(&outputs).map(|all| csv(all).into_bytes())
}));
