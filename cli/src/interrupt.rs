//! SIGINT, SIGTERM and SIGHUP as a request that is looked at between two steps.
//! A step that has begun is finished, so that no file is left half-way.
//! Only commands with such steps listen; the others end at once, as is usual.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

use crate::error::{Exit, Failure, Result};

static REQUESTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on the signals only make a request.
pub(crate) fn listen() {
    REQUESTED.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            // It fails for signals that cannot be caught; these can.
            let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
        }
        flag
    });
}

/// A limit on the size of files makes a write fail; it does not end the process with a temporary file left behind.
pub(crate) fn outlive_size_limit() {
    // It fails for signals that cannot be caught; this one can.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// An interrupt at the terminal is for the program that this one waits for.
pub(crate) fn outlive_interrupts() {
    // It fails for signals that cannot be caught; this one can.
    let _ = signal_hook::flag::register(SIGINT, Arc::default());
}

/// Whether one of the signals has come.
pub(crate) fn requested() -> bool {
    REQUESTED.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// Stops what has not changed anything yet, if one of the signals has come.
pub(crate) fn stop_if_requested() -> Result<()> {
    if requested() {
        let next = "nothing was changed; run it again when ready";
        return Err(Failure::new(Exit::Interrupted, "interrupted", next));
    }
    Ok(())
}
