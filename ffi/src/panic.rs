//! Keeps panics from crossing the C border. On an operating system a panic becomes FERNSEAL_INTERNAL; on bare metal it calls the
//! firmware's `fernseal_panic`.
//!
//! No panic is expected. The feature `no-panic-check` makes the link of a firmware fail if it contains a panic path.

#[cfg(feature = "std")]
use fernseal_core::stack;

use crate::status::{self, CallError, fernseal_status};

/// How many bytes of the stack are overwritten after a call: as many as any function leaves keys or secrets in. The header
/// documents the number, and `tests/wiping` checks it.
#[cfg(feature = "std")]
const USED_STACK: usize = 16 * 1024;

/// Runs the body of an exported function.
#[cfg(feature = "std")]
pub(crate) fn guard(body: impl FnOnce() -> Result<(), CallError>) -> fernseal_status {
    // Unwind safety: after a panic nothing reads what the body borrows, and outputs are zeroed while it unwinds.
    let body = || stack::wiped_after::<USED_STACK, _>(body);
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)) {
        Ok(result) => status::of(result),
        Err(_) => status::FERNSEAL_INTERNAL,
    }
}

/// Runs the body of an exported function. It does not overwrite the stack, which would take 300 bytes of flash and 200 of stack;
/// a firmware's stack is one region, which it can wipe itself.
#[cfg(not(feature = "std"))]
pub(crate) fn guard(body: impl FnOnce() -> Result<(), CallError>) -> fernseal_status {
    status::of(body())
}

#[cfg(not(feature = "std"))]
mod bare_metal {
    /* ---- What the firmware defines, in a build without the feature std ---- */

    unsafe extern "C" {
        /// Is called when the library detects a fault of its own. It resets or stops the device, and does not return.
        #[cfg(not(feature = "no-panic-check"))]
        fn fernseal_panic() -> !;
        /// Is defined nowhere, so that a panic path makes the link fail.
        #[cfg(feature = "no-panic-check")]
        fn fernseal_a_panic_path_is_linked() -> !;
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        // SAFETY: it takes no argument, and by the header's rule it does not return.
        #[cfg(not(feature = "no-panic-check"))]
        unsafe {
            fernseal_panic()
        }
        // SAFETY: it cannot be linked, so it is never called.
        #[cfg(feature = "no-panic-check")]
        unsafe {
            fernseal_a_panic_path_is_linked()
        }
    }
}
