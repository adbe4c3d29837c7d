//! Plain units: modules with no imports at all, for units too small to pay for a WASI start.
//!
//! The host calls `alloc(len)`, writes the input there, calls `run(ptr, len)` once and reads the
//! output at `ptr << 32 | len`. Every unit gets a fresh instance, so nothing is ever freed.
//!
//! ```no_run
//! #![cfg_attr(target_os = "unknown", no_std, no_main)]
//!
//! fn first_line(input: &'static [u8]) -> &'static [u8] {
//!     input.split(|byte| *byte == b'\n').next().unwrap_or_default()
//! }
//!
//! dugnad_guest::plain_unit!(first_line);
//! ```
//!
//! A panic is a trap without words: there is no standard error to write to.

/// Inputs up to this need no growth of memory.
#[cfg(target_arch = "wasm32")]
const SMALL_BYTES_MAX: usize = 4 << 10;

/// Room for an input; 0 if there is none. [`plain_unit!`](crate::plain_unit!) exports it.
#[cfg(target_arch = "wasm32")]
pub fn alloc(bytes: i32) -> i32 {
    use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
    #[repr(align(16))]
    struct Room(core::cell::UnsafeCell<[u8; SMALL_BYTES_MAX]>);
    // SAFETY: a plain unit has one thread, and `TAKEN` lets the room be given away once.
    unsafe impl Sync for Room {}
    static ROOM: Room = Room(core::cell::UnsafeCell::new([0; SMALL_BYTES_MAX]));
    static TAKEN: AtomicBool = AtomicBool::new(false);
    const PAGE_BYTES: usize = 64 << 10;

    let bytes = bytes as u32 as usize;
    if bytes <= SMALL_BYTES_MAX && !TAKEN.swap(true, Relaxed) {
        return ROOM.0.get() as i32;
    }
    match core::arch::wasm32::memory_grow(0, bytes.div_ceil(PAGE_BYTES)) {
        usize::MAX => 0,
        page => (page * PAGE_BYTES) as i32,
    }
}

/// Runs a plain unit on the input at `start`. [`plain_unit!`](crate::plain_unit!) exports it.
///
/// # Safety
/// `start` and `bytes` are what [`alloc`] gave and was asked for, handed over once.
#[cfg(target_arch = "wasm32")]
pub unsafe fn run<Out: AsRef<[u8]>>(
    start: i32,
    bytes: i32,
    unit: impl FnOnce(&'static [u8]) -> Out,
) -> i64 {
    // SAFETY: the caller's promise; the room is never freed, so it may be called static.
    let input = unsafe {
        core::slice::from_raw_parts(start as u32 as usize as *const u8, bytes as u32 as usize)
    };
    let output = core::mem::ManuallyDrop::new(unit(input));
    let output = (*output).as_ref();
    ((output.as_ptr() as u64) << 32 | output.len() as u64) as i64
}

/// Checks an output of a plain unit; 1 if it is right. [`plain_verify!`](crate::plain_verify!) exports it.
///
/// # Safety
/// The places are what [`alloc`] gave and was asked for, each handed over once.
#[cfg(target_arch = "wasm32")]
pub unsafe fn verify(
    (input, input_bytes): (i32, i32),
    (output, output_bytes): (i32, i32),
    check: impl FnOnce(&[u8], &[u8]) -> bool,
) -> i32 {
    let slice = |start: i32, bytes: i32| {
        // SAFETY: the caller's promise.
        unsafe {
            core::slice::from_raw_parts(start as u32 as usize as *const u8, bytes as u32 as usize)
        }
    };
    check(slice(input, input_bytes), slice(output, output_bytes)).into()
}

/// Has a plain unit check outputs, for the profile `checked`, by a function from input and output to
/// whether that is right. It should be much cheaper than the unit, and must take nothing else.
#[macro_export]
macro_rules! plain_verify {
    ($check:expr) => {
        #[cfg(target_arch = "wasm32")]
        #[unsafe(no_mangle)]
        extern "C" fn verify(input: i32, input_bytes: i32, output: i32, output_bytes: i32) -> i32 {
            // SAFETY: the host's side of the contract of plain units.
            unsafe { $crate::plain::verify((input, input_bytes), (output, output_bytes), $check) }
        }
    };
}

/// Makes a function from `&'static [u8]` to anything that is bytes a plain unit.
///
/// The file needs `#![cfg_attr(target_os = "unknown", no_std, no_main)]`. Natively the program is a
/// filter from standard input to standard output.
#[macro_export]
macro_rules! plain_unit {
    ($unit:expr) => {
        #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
        mod dugnad_bare {
            #[global_allocator]
            static ALLOCATOR: $crate::bare::Allocator = $crate::bare::Allocator;

            #[panic_handler]
            fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
                core::arch::wasm32::unreachable()
            }
        }

        #[cfg(target_arch = "wasm32")]
        #[unsafe(no_mangle)]
        extern "C" fn alloc(bytes: i32) -> i32 {
            $crate::plain::alloc(bytes)
        }

        #[cfg(target_arch = "wasm32")]
        #[unsafe(no_mangle)]
        extern "C" fn run(start: i32, bytes: i32) -> i64 {
            // SAFETY: the host's side of the contract of plain units.
            unsafe { $crate::plain::run(start, bytes, $unit) }
        }

        #[cfg(not(target_arch = "wasm32"))]
        fn main() {
            $crate::exit($crate::run_bytes(|input| {
                let input: &'static [u8] = input.leak();
                Ok::<_, core::convert::Infallible>(AsRef::<[u8]>::as_ref(&($unit)(input)).to_vec())
            }))
        }
    };
}
