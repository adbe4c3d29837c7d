//! The unit: a chunk on standard input, its peaks on standard output.
#![cfg_attr(target_os = "unknown", no_std, no_main)]

use narrowband::search::search;

dugnad_guest::command!(dugnad_guest::run_bytes(|chunk| {
    let findings = search(&chunk, dugnad_guest::progress).map_err(dugnad_guest::RunError::Task)?;
    postcard::to_allocvec(&findings).map_err(dugnad_guest::RunError::Output)
}));
