//! Checking an output instead of making it: a module that exports `verify` says whether it is right.
//!
//! A command or stepped unit reads from standard input the input's length (u64, little endian), the
//! input and the output, and ends with exit code 0 if that is right. A plain unit is given both in its
//! memory, and answers 1. It is a run like any other, with the same limits: what traps or runs out of
//! fuel has not said that the output is right.
use super::{
    guest::Guest,
    loaded::{Entry, Loaded},
    sandbox::{function, lost_export, put},
    wasi::Stop,
};
use wasmtime::{Instance, ModuleExport, Result, Store};

/// What a command reads that checks an output.
pub fn framed(input: &[u8], output: &[u8]) -> Vec<u8> {
    [&(input.len() as u64).to_le_bytes()[..], input, output].concat()
}

/// Enters an instance, which has begun, to check an output.
pub fn enter(
    store: &mut Store<Guest>,
    instance: Instance,
    loaded: &Loaded,
    input: &[u8],
    output: &[u8],
) -> Result<()> {
    let verify = loaded.verify.as_ref().ok_or_else(lost_export)?;
    match &loaded.entry {
        Entry::Command { .. } | Entry::Stepped { .. } => {
            function::<(), ()>(store, instance, verify)?.call(store, ())
        }
        Entry::Plain { alloc, .. } => check_plain(store, instance, (alloc, verify), input, output),
    }
}

fn check_plain(
    store: &mut Store<Guest>,
    instance: Instance,
    (alloc, verify): (&ModuleExport, &ModuleExport),
    input: &[u8],
    output: &[u8],
) -> Result<()> {
    let alloc = function::<u32, u32>(store, instance, alloc)?;
    let verify = function::<(u32, u32, u32, u32), u32>(store, instance, verify)?;
    let memory = store.data().memory.ok_or_else(lost_export)?;
    let (input_at, input_len) = put(store, memory, &alloc, input)?;
    let (output_at, output_len) = put(store, memory, &alloc, output)?;
    match verify.call(&mut *store, (input_at, input_len, output_at, output_len))? {
        1 => Ok(()),
        _ => Err(Stop::Exit(1).into()),
    }
}
