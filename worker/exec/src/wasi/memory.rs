//! A guest's linear memory as WASI calls see it.
//!
//! Invariant: every access is checked; a bad pointer is [`Errno::Fault`], never a panic.
use super::Errno;

/// Most buffers that one call may name.
pub const IOVECS_MAX: u32 = 1_024;

/// The bytes of a guest's linear memory.
pub struct GuestMemory<'a>(pub &'a mut [u8]);

/// A buffer in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Buffer {
    pub at: u32,
    pub len: u32,
}

impl GuestMemory<'_> {
    /// The bytes of a buffer.
    pub fn bytes(&self, at: u32, len: u32) -> Result<&[u8], Errno> {
        let start = at as usize;
        self.0.get(start..start + len as usize).ok_or(Errno::Fault)
    }

    /// The bytes of a buffer, to be written.
    pub fn bytes_mut(&mut self, at: u32, len: u32) -> Result<&mut [u8], Errno> {
        let start = at as usize;
        self.0.get_mut(start..start + len as usize).ok_or(Errno::Fault)
    }

    /// Copies `bytes` to `at`.
    pub fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Errno> {
        let len = u32::try_from(bytes.len()).map_err(|_| Errno::Overflow)?;
        self.bytes_mut(at, len)?.copy_from_slice(bytes);
        Ok(())
    }

    pub fn write_u32(&mut self, at: u32, value: u32) -> Result<(), Errno> {
        self.write(at, &value.to_le_bytes())
    }

    pub fn write_u64(&mut self, at: u32, value: u64) -> Result<(), Errno> {
        self.write(at, &value.to_le_bytes())
    }

    /// Checks that a result can be written before anything is done.
    pub fn check(&self, at: u32, len: u32) -> Result<(), Errno> {
        self.bytes(at, len).map(|_| ())
    }

    /// The buffers that a call names, all of them inside the memory, and their length in total.
    pub fn buffers(&self, at: u32, count: u32) -> Result<(Vec<Buffer>, u32), Errno> {
        if count > IOVECS_MAX {
            return Err(Errno::Inval);
        }
        let entries = self.bytes(at, count * 8)?.chunks_exact(8);
        let buffers: Vec<_> = entries
            .map(|entry| Buffer { at: read_u32(entry, 0), len: read_u32(entry, 4) })
            .collect();
        let mut total = 0_u32;
        for buffer in &buffers {
            self.check(buffer.at, buffer.len)?;
            total = total.checked_add(buffer.len).ok_or(Errno::Inval)?;
        }
        Ok((buffers, total))
    }
}

/// A number at a fixed place of a record that was bounds-checked as a whole.
pub fn read_u32(record: &[u8], at: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&record[at..at + 4]);
    u32::from_le_bytes(bytes)
}

/// As [`read_u32`], of eight bytes.
pub fn read_u64(record: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&record[at..at + 8]);
    u64::from_le_bytes(bytes)
}
