//! Numbers drawn at random that every node draws alike: the stream is made of the job's seed and the
//! unit's number, so that it may take part in a result.
//!
//! Natively, as in tests, it is a stream that is the same in every run, of a job with seed 0.
//!
//! What it is not: a generator for long sequences. Draw a seed here, and hand it to one.

#[cfg(target_arch = "wasm32")]
mod source {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        fn random_get(start: *mut u8, bytes: usize) -> u16;
    }

    pub fn fill(bytes: &mut [u8]) {
        // SAFETY: the buffer is the slice. The call fails only for memory that is not there.
        let errno = unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) };
        assert!(errno == 0, "no random numbers: WASI error {errno}");
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod source {
    use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

    static DRAWN: AtomicU64 = AtomicU64::new(0);

    /// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
    fn next() -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = DRAWN.fetch_add(1, Relaxed).wrapping_add(1).wrapping_mul(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn fill(bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Fills a slice with the next bytes of the stream.
pub fn fill(bytes: &mut [u8]) {
    source::fill(bytes);
}

/// The next number of the stream, any of 2⁶⁴ alike.
pub fn number() -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// The next number from 0 up to, but not including, `end`; each alike. 0 where `end` is.
pub fn below(end: u64) -> u64 {
    if end == 0 {
        return 0;
    }
    // The first few are drawn again, so that what is left is shared alike.
    let surplus = end.wrapping_neg() % end;
    loop {
        let drawn = number();
        if drawn >= surplus {
            return drawn % end;
        }
    }
}

/// The next number from 0 up to, but not including, 1: one of 2⁵³ that are alike far apart.
pub fn fraction() -> f64 {
    (number() >> 11) as f64 / (1_u64 << 53) as f64
}
