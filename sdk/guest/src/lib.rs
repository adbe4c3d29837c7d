//! What a task program links: standard streams, typed input and output, progress, plain and stepped
//! units.
//!
//! A unit's outcome may depend on nothing but its input and the job's seed, so this crate offers no
//! clock and no files, and [`random`] numbers that are the same wherever the unit runs. It builds
//! three ways from the same source:
//!
//! * `wasm32-unknown-unknown` without std: the smallest modules; the few WASI calls are imported
//!   here directly, and [`command!`] and [`plain_unit!`] bring allocator and panic handler along;
//! * `wasm32-wasip1` with std;
//! * natively, where a task is an ordinary filter from standard input to standard output.
//!
//! # A command with typed input and output
//! ```no_run
//! #![cfg_attr(target_os = "unknown", no_std, no_main)]
//!
//! #[derive(serde::Deserialize)]
//! struct Sides(u32, u32);
//!
//! #[dugnad_guest::unit]
//! fn area(sides: Sides) -> Result<u64, &'static str> {
//!     match sides {
//!         Sides(0, _) | Sides(_, 0) => Err("a side of length 0"),
//!         Sides(a, b) => Ok(u64::from(a) * u64::from(b)),
//!     }
//! }
//!
//! #[test]
//! fn a_square_has_an_area() {
//!     assert_eq!(area(Sides(3, 3)), Ok(9));
//! }
//! ```
//!
//! The attribute is for `fn(In) -> Result<Out, E>`; [`command!`] for whatever else makes an [`Ended`].
//!
//! It is not a runtime: nothing here outlives the unit, and nothing is shared between units.
#![no_std]

extern crate alloc;
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
extern crate std;

mod command;
mod index;
pub mod math;
pub mod plain;
pub mod random;
pub mod stepped;

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
#[path = "streams_bare.rs"]
mod streams;
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
#[path = "streams_std.rs"]
mod streams;

pub use command::{Ended, RunError, exit, run, run_bytes, run_json, run_verify};
pub use dugnad_guest_macros::unit;
pub use index::{NotAnIndex, unit_index};
pub use streams::{StreamError, progress, stdin_bytes, write_stderr, write_stdout};

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
#[doc(hidden)]
pub mod bare {
    //! What a program without std needs; the macros name it.
    pub use dlmalloc::GlobalDlmalloc as Allocator;

    /// Says on standard error where a command panicked; the trap follows.
    pub fn say_panic(info: &core::panic::PanicInfo<'_>) {
        // Nothing more can be done if even this fails.
        let _ = crate::write_stderr(alloc::format!("{info}\n").as_bytes());
    }
}
