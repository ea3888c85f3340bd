//! A panic never crosses the border.
//! On an operating system it becomes FERNSEAL_INTERNAL; on bare metal it goes to the firmware's `fernseal_panic`.
//! None is expected: a check links the firmware so that a panic path that is linked fails the link.

#[cfg(feature = "std")]
use fernseal_core::stack;

use crate::status::{self, Failure, fernseal_status};

/// As much of the stack as any function here uses, in bytes: what keys and secrets leave on it is overwritten.
#[cfg(feature = "std")]
const USED_STACK: usize = 16 * 1024;

/// Runs the body of an exported function.
#[cfg(feature = "std")]
pub(crate) fn guard(body: impl FnOnce() -> Result<(), Failure>) -> fernseal_status {
    // Nothing that the body borrows is looked at after a panic: outputs are zeroed while it unwinds.
    let body = || stack::wiped_after::<USED_STACK, _>(body);
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)) {
        Ok(result) => status::of(result),
        Err(_) => status::FERNSEAL_INTERNAL,
    }
}

/// Runs the body of an exported function. The stack is not overwritten here: that is 300 bytes of flash and 200 of stack,
/// and a firmware's stack is one region that it can wipe itself.
#[cfg(not(feature = "std"))]
pub(crate) fn guard(body: impl FnOnce() -> Result<(), Failure>) -> fernseal_status {
    status::of(body())
}

#[cfg(not(feature = "std"))]
mod bare_metal {
    /* ---- What the firmware defines, where there is no operating system (a build without feature std) ---- */

    unsafe extern "C" {
        /// Called when the library finds a fault in itself: resets or stops, and does not return.
        #[cfg(not(feature = "no-panic-check"))]
        fn fernseal_panic() -> !;
        /// Nobody has this: a panic path that is linked makes the link fail.
        #[cfg(feature = "no-panic-check")]
        fn fernseal_a_panic_path_is_linked() -> !;
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        // SAFETY: takes nothing, and does not return (the header's rule for whoever defines it).
        #[cfg(not(feature = "no-panic-check"))]
        unsafe {
            fernseal_panic()
        }
        // SAFETY: cannot be linked, so it cannot be called.
        #[cfg(feature = "no-panic-check")]
        unsafe {
            fernseal_a_panic_path_is_linked()
        }
    }
}
