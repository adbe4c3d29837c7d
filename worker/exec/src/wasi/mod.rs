//! WASI preview 1 for a guest that must not see its host.
//!
//! All 46 calls of the interface work on [`System`]: streams in memory, a file table in memory
//! (`/input` read-only, `/scratch` limited), a clock that advances with fuel, a seeded random stream.
//!
//! Invariant: what a call does, answers and costs depends on the guest, its input and its seed alone.
//! Each call costs [`FUEL_PER_CALL`] and [`FUEL_PER_BYTE`] for what it moves, so that a guest cannot
//! make the host work for nothing. Pointers are checked before anything is done.
//!
//! What it is not: no host file, clock, socket or signal is ever touched; there are no symbolic or
//! hard links and no sockets.
mod descriptors;
mod errno;
mod fd;
mod link;
mod memory;
mod path;
mod poll;
mod process;
mod record;
mod system;
#[cfg(test)]
mod tests;
mod tree;

pub use errno::{Errno, Refusal};
pub use link::link;
pub use system::{Fuel, System};
pub use tree::input_name;

use memory::GuestMemory;

/// Fuel that any call into the host costs.
pub const FUEL_PER_CALL: u64 = 100;
/// Fuel for each byte that a call moves, clears or makes up.
pub const FUEL_PER_BYTE: u64 = 1;
/// Fuel for each entry of a directory that a call passes.
pub const FUEL_PER_ENTRY: u64 = 20;
/// The moment at which every guest starts: 2020-01-01T00:00:00Z, in nanoseconds since 1970.
pub const CLOCK_START_NS: u64 = 1_577_836_800_000_000_000;
/// What a guest finds as its own name before its arguments.
pub const PROGRAM_NAME: &str = "unit";

/// A call that ends the guest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Stop {
    #[error("the unit exited with code {0}")]
    Exit(u32),
    #[error("the unit used up its fuel")]
    OutOfFuel,
    #[error("the unit's calls took more of the stack than it has")]
    StackOverflow,
    #[error("the unit wrote more than its limit of output")]
    OutputTooLarge,
}

/// One call of a guest: its memory, its system and its fuel, for as long as the call lasts.
pub struct Call<'a> {
    pub memory: GuestMemory<'a>,
    pub system: &'a mut System,
    pub fuel: Fuel,
}

/// What a call answers when there is more than success to say.
type Answered<T = ()> = Result<T, Refusal>;

impl Call<'_> {
    /// Takes the fuel for work on `bytes` bytes.
    fn charge_bytes(&mut self, bytes: u64) -> Answered {
        Ok(self.fuel.charge(bytes.saturating_mul(FUEL_PER_BYTE))?)
    }

    /// Nanoseconds since 1970 as the guest knows them.
    fn now(&self) -> u64 {
        self.fuel.used().saturating_add(CLOCK_START_NS).saturating_add(self.system.slept_ns)
    }
}
