//! What `core` lacks: the square root as the one instruction that it is. Libraries in software take a
//! hundred for it, and come to the same bits.

/// The square root of a number, correctly rounded; NaN below 0.
pub fn sqrt(x: f64) -> f64 {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown", target_feature = "simd128"))]
    {
        use core::arch::wasm32::{f64x2_extract_lane, f64x2_splat, f64x2_sqrt};
        // The scalar instruction has no name in `core`; the vector one has.
        f64x2_extract_lane::<0>(f64x2_sqrt(f64x2_splat(x)))
    }
    #[cfg(all(target_arch = "wasm32", target_os = "unknown", not(target_feature = "simd128")))]
    {
        libm::sqrt(x)
    }
    #[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
    {
        x.sqrt()
    }
}
