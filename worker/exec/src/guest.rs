//! What the engine keeps beside a running guest: its WASI state and its memory's limit.
//!
//! Invariant: `memory.grow` is refused for reasons of the contract only (−1, the same everywhere);
//! where the host itself has no memory the run is stopped as [`Halt::HostMemory`].
use super::{facts::TABLE_ELEMENTS_MAX, wasi::System};
use wasmtime::{AsContextMut, Error, Global, Memory, ResourceLimiter, Result, Val};

/// The data of a guest's store.
pub struct Guest {
    /// What its WASI calls work on.
    pub system: System,
    /// Its linear memory, once it is known.
    pub memory: Option<Memory>,
    /// Where its fuel is counted; known before anything of it runs.
    pub fuel: Option<Global>,
    /// Where the slots of its stack are.
    pub stack: Option<Global>,
    /// Its fuel at the start.
    pub fuel_max: u64,
    /// The limit and the peak of its linear memory.
    pub gauge: MemoryGauge,
}

/// The fuel that a guest has left; nothing once it is below 0.
pub fn fuel_left(store: &mut impl AsContextMut<Data = Guest>) -> Option<u64> {
    let fuel = store.as_context().data().fuel?;
    let left = fuel.get(store.as_context_mut()).i64()?;
    u64::try_from(left).ok()
}

/// Sets the fuel that a guest has left.
pub fn set_fuel(store: &mut impl AsContextMut<Data = Guest>, left: u64) -> Result<()> {
    let left = i64::try_from(left).unwrap_or(i64::MAX);
    match store.as_context().data().fuel {
        Some(fuel) => fuel.set(store.as_context_mut(), Val::I64(left)),
        None => Ok(()),
    }
}

/// Why this host stopped a guest; never an outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Halt {
    #[error("this machine has not the memory that the unit asked for, within its limit")]
    HostMemory,
}

/// Watches a guest's linear memory.
pub struct MemoryGauge {
    bytes_max: u64,
    bytes_peak: u64,
}

impl MemoryGauge {
    /// A gauge that allows `bytes_max`.
    pub fn new(bytes_max: u64) -> MemoryGauge {
        MemoryGauge { bytes_max, bytes_peak: 0 }
    }

    /// The most that the guest had.
    pub fn bytes_peak(&self) -> u64 {
        self.bytes_peak
    }
}

impl ResourceLimiter for MemoryGauge {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let allowed =
            desired as u64 <= self.bytes_max && maximum.is_none_or(|maximum| desired <= maximum);
        if allowed {
            self.bytes_peak = self.bytes_peak.max(desired as u64);
        }
        Ok(allowed)
    }

    /// Growing was allowed and did not work: there is nobody but the host to blame.
    fn memory_grow_failed(&mut self, _error: Error) -> Result<()> {
        Err(Halt::HostMemory.into())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let allowed = desired as u64 <= TABLE_ELEMENTS_MAX;
        Ok(allowed && maximum.is_none_or(|maximum| desired <= maximum))
    }

    fn table_grow_failed(&mut self, _error: Error) -> Result<()> {
        Err(Halt::HostMemory.into())
    }
}
