//! Keeps panics inside the library, because a panic must not unwind into C. On an operating system a panic becomes
//! FERNSEAL_INTERNAL, or ends the program in a build without `std`. On bare metal it calls the firmware's `fernseal_panic`.
//!
//! No panic is expected. With the feature `no-panic-check`, linking a firmware fails if it contains a panic path.

#[cfg(feature = "os")]
use fernseal_core::stack;

use crate::status::{self, CallError, fernseal_status};

/// The number of bytes of stack that are overwritten after a call. No function leaves keys or secrets below them:
/// `tests/wiping` checks this. The header documents the number.
#[cfg(feature = "os")]
const USED_STACK: usize = 16 * 1024;

/// Runs the body of an exported function.
#[cfg(feature = "std")]
pub(crate) fn guard(body: impl FnOnce() -> Result<(), CallError>) -> fernseal_status {
    // Unwind safety: after a panic nothing reads the variables that the body borrows, and the outputs are zeroed during
    // unwinding.
    let body = || stack::wiped_after::<USED_STACK, _>(body);
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)) {
        Ok(result) => status::of(result),
        Err(_) => status::FERNSEAL_INTERNAL,
    }
}

/// Runs the body of an exported function. A panic does not return.
#[cfg(all(feature = "os", not(feature = "std")))]
pub(crate) fn guard(body: impl FnOnce() -> Result<(), CallError>) -> fernseal_status {
    status::of(stack::wiped_after::<USED_STACK, _>(body))
}

/// Runs the body of an exported function. It does not overwrite the stack, because that would take 300 bytes of flash
/// and 200 bytes of stack. A firmware has one stack, which it can wipe itself.
#[cfg(not(feature = "os"))]
pub(crate) fn guard(body: impl FnOnce() -> Result<(), CallError>) -> fernseal_status {
    status::of(body())
}

#[cfg(all(feature = "os", not(feature = "std")))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        safe fn abort() -> !;
    }
    abort()
}

#[cfg(not(feature = "os"))]
mod bare_metal {
    /* ---- What the firmware defines, in a build without the feature os ---- */

    unsafe extern "C" {
        /// Handles a fault in the library. The firmware defines it, and the library calls it. It resets or stops the
        /// device, and must not return.
        #[cfg(not(feature = "no-panic-check"))]
        fn fernseal_panic() -> !;
        /// An undefined symbol. A panic path calls it, so that linking fails.
        #[cfg(feature = "no-panic-check")]
        fn fernseal_a_panic_path_is_linked() -> !;
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        // SAFETY: it takes no argument, and the header requires that it does not return.
        #[cfg(not(feature = "no-panic-check"))]
        unsafe {
            fernseal_panic()
        }
        // SAFETY: a program that contains this call does not link, so it is never called.
        #[cfg(feature = "no-panic-check")]
        unsafe {
            fernseal_a_panic_path_is_linked()
        }
    }
}
