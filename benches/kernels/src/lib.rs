//! Work of the usual kinds, compiled from the same source for this machine and for the sandbox.
//!
//! Each kernel makes its own input from a fixed seed, works, and answers a checksum that is the same
//! wherever it runs. As a module this is a plain unit: its input names the kernel.
mod branchy;
mod floats;
mod integers;

/// A kernel: its name, and what it does with a size.
pub type Kernel = (&'static str, fn(u32) -> u64, u32);

/// All kernels, each with a size that takes some tens of milliseconds.
pub const KERNELS: [Kernel; 8] = [
    ("collatz", integers::collatz, 150_000),
    ("sha256", integers::sha256, 3_000_000),
    ("sort", integers::sort, 400_000),
    ("smith-waterman", branchy::smith_waterman, 1_500),
    ("n-body", floats::n_body, 400),
    ("blur", floats::blur, 60),
    ("fft", floats::fft, 60),
    ("dedoppler", floats::dedoppler, 12),
];

/// A stream of numbers, xorshift64 (Marsaglia 2003).
struct Stream(u64);

impl Stream {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Between −1 and 1.
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// A number that tells two results apart.
fn checksum(values: impl IntoIterator<Item = u64>) -> u64 {
    values.into_iter().fold(0xcbf2_9ce4_8422_2325, |sum, value| {
        (sum ^ value).wrapping_mul(0x100_0000_01b3).rotate_left(17)
    })
}

#[cfg(target_arch = "wasm32")]
mod unit {
    use crate::KERNELS;
    use std::cell::UnsafeCell;

    #[repr(align(8))]
    struct Shared(UnsafeCell<[u8; 8]>);
    // SAFETY: a guest has one thread.
    unsafe impl Sync for Shared {}
    static INPUT: Shared = Shared(UnsafeCell::new([0; 8]));

    /// Room for the input: the number of the kernel.
    // SAFETY: no other function of this name is linked.
    #[unsafe(no_mangle)]
    pub extern "C" fn alloc(_len: u32) -> u32 {
        INPUT.0.get() as u32
    }

    /// Runs the kernel that the input names; the output is its checksum.
    // SAFETY: as above.
    #[unsafe(no_mangle)]
    pub extern "C" fn run(_at: u32, _len: u32) -> u64 {
        // SAFETY: nothing else looks at it meanwhile.
        let shared = unsafe { &mut *INPUT.0.get() };
        let (_, kernel, size) = KERNELS[usize::from(shared[0]) % KERNELS.len()];
        *shared = kernel(size).to_le_bytes();
        (INPUT.0.get() as u64) << 32 | 8
    }
}
