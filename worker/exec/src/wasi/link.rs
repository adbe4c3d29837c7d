//! The functions that a guest may import, each under its name and type.
//!
//! Invariant: what the engine links and what [`Contract`] lists are written once, in [`link`].
use super::{Answered, Call, FUEL_PER_CALL, Fuel, Refusal, Stop, memory::GuestMemory};
use crate::{
    facts::{Contract, Signature},
    guest::{Guest, fuel_left, set_fuel},
};
use wasmparser::ValType;
use wasmtime::{Caller, Engine, Linker, Result};

/// The module that WASI calls are imported from.
pub const WASI_MODULE: &str = "wasi_snapshot_preview1";
/// The module of the calls that only this grid has.
pub const DUGNAD_MODULE: &str = "dugnad";

/// How a Rust type crosses into wasm.
trait Wire {
    const TYPE: ValType;
}

impl Wire for u32 {
    const TYPE: ValType = ValType::I32;
}

impl Wire for u64 {
    const TYPE: ValType = ValType::I64;
}

impl Wire for i64 {
    const TYPE: ValType = ValType::I64;
}

macro_rules! wasi {
    ($linker:ident, $contract:ident; $($name:ident($($argument:ident: $kind:ty),*);)*) => {$(
        $linker.func_wrap(
            WASI_MODULE,
            stringify!($name),
            |caller: Caller<'_, Guest>, $($argument: $kind),*| -> Result<u32> {
                answer(caller, |call| call.$name($($argument),*))
            },
        )?;
        $contract.add(WASI_MODULE, stringify!($name), &[$(<$kind>::TYPE),*], &[ValType::I32]);
    )*};
}

/// Everything a guest may import.
pub fn link(engine: &Engine) -> Result<(Linker<Guest>, Contract)> {
    let mut linker = Linker::new(engine);
    let mut contract = Contract::default();
    link_files(&mut linker, &mut contract)?;
    link_process(&mut linker, &mut contract)?;
    link_without_answer(&mut linker, &mut contract)?;
    Ok((linker, contract))
}

fn link_files(linker: &mut Linker<Guest>, contract: &mut Contract) -> Result<()> {
    wasi! { linker, contract;
        fd_advise(fd: u32, offset: u64, len: u64, advice: u32);
        fd_allocate(fd: u32, offset: u64, len: u64);
        fd_close(fd: u32);
        fd_datasync(fd: u32);
        fd_fdstat_get(fd: u32, out: u32);
        fd_fdstat_set_flags(fd: u32, flags: u32);
        fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64);
        fd_filestat_get(fd: u32, out: u32);
        fd_filestat_set_size(fd: u32, len: u64);
        fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, which: u32);
        fd_pread(fd: u32, buffers: u32, count: u32, offset: u64, out: u32);
        fd_prestat_get(fd: u32, out: u32);
        fd_prestat_dir_name(fd: u32, path: u32, len: u32);
        fd_pwrite(fd: u32, buffers: u32, count: u32, offset: u64, out: u32);
        fd_read(fd: u32, buffers: u32, count: u32, out: u32);
        fd_readdir(fd: u32, buffer: u32, len: u32, cookie: u64, out: u32);
        fd_renumber(from: u32, to: u32);
        fd_seek(fd: u32, offset: i64, whence: u32, out: u32);
        fd_sync(fd: u32);
        fd_tell(fd: u32, out: u32);
        fd_write(fd: u32, buffers: u32, count: u32, out: u32);
        path_create_directory(fd: u32, path: u32, len: u32);
        path_filestat_get(fd: u32, follow: u32, path: u32, len: u32, out: u32);
        path_filestat_set_times(fd: u32, follow: u32, path: u32, len: u32, accessed: u64, modified: u64, which: u32);
        path_link(fd: u32, follow: u32, path: u32, len: u32, to_fd: u32, to: u32, to_len: u32);
        path_open(fd: u32, follow: u32, path: u32, len: u32, how: u32, base: u64, inheriting: u64, flags: u32, out: u32);
        path_readlink(fd: u32, path: u32, len: u32, buffer: u32, buffer_len: u32, out: u32);
        path_remove_directory(fd: u32, path: u32, len: u32);
        path_rename(fd: u32, path: u32, len: u32, to_fd: u32, to: u32, to_len: u32);
        path_symlink(target: u32, target_len: u32, fd: u32, path: u32, len: u32);
        path_unlink_file(fd: u32, path: u32, len: u32);
    }
    Ok(())
}

fn link_process(linker: &mut Linker<Guest>, contract: &mut Contract) -> Result<()> {
    wasi! { linker, contract;
        args_get(pointers: u32, text: u32);
        args_sizes_get(count: u32, bytes: u32);
        environ_get(pointers: u32, text: u32);
        environ_sizes_get(count: u32, bytes: u32);
        clock_res_get(clock: u32, out: u32);
        clock_time_get(clock: u32, precision: u64, out: u32);
        poll_oneoff(subscriptions: u32, events: u32, count: u32, out: u32);
        proc_raise(signal: u32);
        random_get(at: u32, len: u32);
        sched_yield();
        sock_accept(fd: u32, flags: u32, out: u32);
        sock_recv(fd: u32, buffers: u32, count: u32, flags: u32, out: u32, out_flags: u32);
        sock_send(fd: u32, buffers: u32, count: u32, flags: u32, out: u32);
        sock_shutdown(fd: u32, how: u32);
    }
    Ok(())
}

/// The calls that answer nothing.
fn link_without_answer(linker: &mut Linker<Guest>, contract: &mut Contract) -> Result<()> {
    linker.func_wrap(
        WASI_MODULE,
        "proc_exit",
        |caller: Caller<'_, Guest>, code: u32| -> Result<()> {
            answer(caller, |_| Err(Stop::Exit(code).into())).map(|_| ())
        },
    )?;
    contract.add(WASI_MODULE, "proc_exit", &[ValType::I32], &[]);
    // How far a unit has come, for people who watch; nobody listens yet.
    linker.func_wrap(
        DUGNAD_MODULE,
        "progress",
        |caller: Caller<'_, Guest>, _done: i64, _total: i64| -> Result<()> {
            answer(caller, |_| Ok(())).map(|_| ())
        },
    )?;
    contract.add(DUGNAD_MODULE, "progress", &[ValType::I64, ValType::I64], &[]);
    // What this step writes is the unit's output, and no state.
    linker.func_wrap(DUGNAD_MODULE, "done", |caller: Caller<'_, Guest>| -> Result<()> {
        answer(caller, |call| {
            call.system.done = true;
            Ok(())
        })
        .map(|_| ())
    })?;
    contract.add(DUGNAD_MODULE, "done", &[], &[]);
    Ok(())
}

impl Contract {
    fn add(&mut self, module: &str, name: &str, parameters: &[ValType], results: &[ValType]) {
        let signature: Signature = (parameters.to_vec(), results.to_vec());
        self.0.insert((module.to_owned(), name.to_owned()), signature);
    }
}

/// Does the work of a call on behalf of the guest: memory and fuel in, fuel and an errno out.
fn answer(
    mut caller: Caller<'_, Guest>,
    work: impl FnOnce(&mut Call<'_>) -> Answered,
) -> Result<u32> {
    let left = fuel_left(&mut caller).ok_or(Stop::OutOfFuel)?;
    let fuel = Fuel { max: caller.data().fuel_max, left };
    let (memory, guest) = match caller.data().memory {
        Some(memory) => memory.data_and_store_mut(&mut caller),
        None => (&mut [][..], caller.data_mut()),
    };
    let mut call = Call { memory: GuestMemory(memory), system: &mut guest.system, fuel };
    let answered =
        call.fuel.charge(FUEL_PER_CALL).map_err(Refusal::from).and_then(|()| work(&mut call));
    let left = call.fuel.left;
    set_fuel(&mut caller, left)?;
    match answered {
        Ok(()) => Ok(0),
        Err(Refusal::Errno(errno)) => Ok(u32::from(errno as u16)),
        Err(Refusal::Stop(stop)) => Err(stop.into()),
    }
}
