//! The calls on a file table, without an engine: every errno, every limit, every price.
mod files;
mod paths;
mod streams;

use super::{
    Answered, Call, Errno, Fuel, Refusal, System,
    descriptors::rights,
    memory::{GuestMemory, read_u32, read_u64},
};
use crate::{Run, Seed};
use coordinator_free_scheduler::RunLimits;
use std::sync::Arc;

/// Where a guest's memory ends, so that one byte more is a bad pointer.
const MEMORY_BYTES: u32 = 64 << 10;
/// A pointer that is bad for any length but 0.
const BAD: u32 = MEMORY_BYTES;
const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;
const INPUT: u32 = 3;
const SCRATCH: u32 = 4;
/// A descriptor that is not open.
const CLOSED: u32 = 77;
/// Where the tests put paths, buffers and results in the guest's memory.
const PATH: u32 = 1_024;
const OTHER_PATH: u32 = 8_192;
const IOVECS: u32 = 512;
const DATA: u32 = 16_384;
const OUT: u32 = 64;

const CREATE: u32 = 1;
const DIRECTORY: u32 = 2;
const EXCLUSIVE: u32 = 4;
const TRUNCATE: u32 = 8;
const READ_WRITE: u64 = rights::ALL;
const READ_ONLY: u64 = rights::ALL & !(rights::FD_WRITE | rights::FD_ALLOCATE);

/// A guest without code.
struct Guest {
    memory: Vec<u8>,
    system: System,
    fuel: Fuel,
}

impl Guest {
    fn new() -> Guest {
        let file = |name: &str, bytes: &[u8]| (name.to_owned(), Arc::from(bytes));
        let run = Run {
            module: Arc::from(&[][..]),
            module_hash: Default::default(),
            owner: Default::default(),
            input: b"standard input".to_vec(),
            args: vec!["one".into(), "two".into()],
            env: vec![("KEY".into(), "value".into())],
            random: Seed { job: 7, unit: 7 },
            files: vec![file("sky.fil", b"spectra"), file("deep/er/x", b"x")],
            limits: RunLimits { fuel: 1 << 40, memory_mib: 1, output_bytes: 100 },
            begin: None,
            steps_max: None,
            check: None,
        };
        let fuel = Fuel { max: run.limits.fuel, left: run.limits.fuel };
        let system = System::new(run, None).expect("the names are good");
        Guest { memory: vec![0; MEMORY_BYTES as usize], system, fuel }
    }

    fn call(&mut self, work: impl FnOnce(&mut Call<'_>) -> Answered) -> Result<(), Refusal> {
        let memory = GuestMemory(&mut self.memory);
        let mut call = Call { memory, system: &mut self.system, fuel: self.fuel };
        let answered = work(&mut call);
        self.fuel = call.fuel;
        answered
    }

    /// The errno of a call that must have one.
    #[track_caller]
    fn errno(&mut self, work: impl FnOnce(&mut Call<'_>) -> Answered) -> Errno {
        match self.call(work) {
            Err(Refusal::Errno(errno)) => errno,
            other => panic!("expected an errno, got {other:?}"),
        }
    }

    /// A call that must succeed.
    #[track_caller]
    fn ok(&mut self, work: impl FnOnce(&mut Call<'_>) -> Answered) {
        self.call(work).expect("the call succeeds");
    }

    fn put(&mut self, at: u32, bytes: &[u8]) -> u32 {
        self.memory[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
        bytes.len() as u32
    }

    /// One buffer at `DATA` with that length.
    fn buffer(&mut self, len: u32) {
        self.put(IOVECS, &DATA.to_le_bytes());
        self.put(IOVECS + 4, &len.to_le_bytes());
    }

    fn bytes(&self, at: u32, len: u32) -> &[u8] {
        &self.memory[at as usize..(at + len) as usize]
    }

    fn u32_at(&self, at: u32) -> u32 {
        read_u32(&self.memory, at as usize)
    }

    fn u64_at(&self, at: u32) -> u64 {
        read_u64(&self.memory, at as usize)
    }

    fn open(&mut self, fd: u32, path: &str, how: u32, base: u64) -> Result<u32, Refusal> {
        let len = self.put(PATH, path.as_bytes());
        self.call(|call| call.path_open(fd, 0, PATH, len, how, base, rights::ALL, 0, OUT))?;
        Ok(self.u32_at(OUT))
    }

    #[track_caller]
    fn opened(&mut self, fd: u32, path: &str, how: u32) -> u32 {
        self.open(fd, path, how, if fd == INPUT { READ_ONLY } else { READ_WRITE })
            .expect("it opens")
    }

    #[track_caller]
    fn open_errno(&mut self, fd: u32, path: &str, how: u32, base: u64) -> Errno {
        match self.open(fd, path, how, base) {
            Err(Refusal::Errno(errno)) => errno,
            other => panic!("expected an errno, got {other:?}"),
        }
    }

    #[track_caller]
    fn write(&mut self, fd: u32, bytes: &[u8]) {
        self.put(DATA, bytes);
        self.buffer(bytes.len() as u32);
        self.ok(|call| call.fd_write(fd, IOVECS, 1, OUT));
        assert_eq!(self.u32_at(OUT), bytes.len() as u32);
    }

    #[track_caller]
    fn read(&mut self, fd: u32, len: u32) -> Vec<u8> {
        self.buffer(len);
        self.ok(|call| call.fd_read(fd, IOVECS, 1, OUT));
        self.bytes(DATA, self.u32_at(OUT)).to_vec()
    }

    /// A call that takes one path.
    fn at_path(
        &mut self,
        path: &str,
        work: impl FnOnce(&mut Call<'_>, u32, u32) -> Answered,
    ) -> Result<(), Refusal> {
        let len = self.put(PATH, path.as_bytes());
        self.call(|call| work(call, PATH, len))
    }

    fn make_directory(&mut self, fd: u32, path: &str) -> Result<(), Refusal> {
        self.at_path(path, |call, at, len| call.path_create_directory(fd, at, len))
    }

    fn remove_directory(&mut self, fd: u32, path: &str) -> Result<(), Refusal> {
        self.at_path(path, |call, at, len| call.path_remove_directory(fd, at, len))
    }

    fn unlink(&mut self, fd: u32, path: &str) -> Result<(), Refusal> {
        self.at_path(path, |call, at, len| call.path_unlink_file(fd, at, len))
    }

    fn rename(&mut self, fd: u32, path: &str, to_fd: u32, to: &str) -> Result<(), Refusal> {
        let to_len = self.put(OTHER_PATH, to.as_bytes());
        self.at_path(path, |call, at, len| call.path_rename(fd, at, len, to_fd, OTHER_PATH, to_len))
    }

    fn size_of(&mut self, fd: u32) -> u64 {
        self.ok(|call| call.fd_filestat_get(fd, OUT));
        self.u64_at(OUT + 32)
    }
}
