//! SIGINT, SIGTERM and SIGHUP as a request that is looked at between two steps.
//! A step that has begun is finished, so that no file is left half-way.
//! Only commands with such steps listen; the others end at once, as is usual.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

static REQUESTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Interrupts at the terminal while another program was waited for, and whether they end this process again.
static WAITING: OnceLock<Waiting> = OnceLock::new();

struct Waiting {
    came: Arc<AtomicBool>,
    ends_us: Arc<AtomicBool>,
}

/// From now on the signals only make a request.
pub(crate) fn listen() {
    keep_from_ending();
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
    keep_from_ending();
    // It fails for signals that cannot be caught; this one can.
    let _ = signal_hook::flag::register(SIGINT, Arc::default());
}

/// Whether one of the signals has come.
pub(crate) fn requested() -> bool {
    REQUESTED.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// Calls `wait`, which waits for another program: meanwhile an interrupt at the terminal is for that program, and does not
/// end this one. `wait` gets a function that tells whether this process was asked to end.
pub(crate) fn while_waiting<T>(wait: impl FnOnce(&dyn Fn() -> bool) -> T) -> T {
    let waiting = WAITING.get_or_init(|| {
        let (came, ends_us) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        // They fail for signals that cannot be caught; this one can.
        let _ = signal_hook::flag::register_conditional_default(SIGINT, Arc::clone(&ends_us));
        let _ = signal_hook::flag::register(SIGINT, Arc::clone(&came));
        Waiting { came, ends_us }
    });
    waiting.ends_us.store(false, Ordering::SeqCst);
    let result = wait(&|| requested() || waiting.came.load(Ordering::SeqCst));
    waiting.ends_us.store(REQUESTED.get().is_none(), Ordering::SeqCst);
    result
}

/// An interrupt does not end this process any more, if it did so again.
fn keep_from_ending() {
    if let Some(waiting) = WAITING.get() {
        waiting.ends_us.store(false, Ordering::SeqCst);
    }
}
