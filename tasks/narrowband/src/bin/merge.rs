//! The merge: framed outputs in unit order on standard input, `hits.csv` on standard output.
#![cfg_attr(target_os = "unknown", no_std, no_main)]

use narrowband::merge::{csv, merge};

dugnad_guest::command!(dugnad_guest::run_bytes(|outputs| {
    merge(&outputs).map(|merged| csv(&merged.hits).into_bytes())
}));
