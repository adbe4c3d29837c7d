//! The unit: queries and a chunk of a database on standard input, the best hits on standard output.
#![cfg_attr(target_os = "unknown", no_std, no_main)]

dugnad_guest::command!(dugnad_guest::run_bytes(|input| {
    align::unit::run(&input, dugnad_guest::progress)
}));
