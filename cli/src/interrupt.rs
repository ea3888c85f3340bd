//! SIGINT, SIGTERM and SIGHUP as a request that is looked at between two steps.
//! A step that has begun is finished, so that no file is left half-way.
//! Only commands with such steps listen; the others end at once, as is usual, except while they ask somebody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

use crate::error::{Failure, Result};

/// What one signal does, or several that are treated alike.
#[derive(Default)]
struct Flags {
    /// Whether it has come.
    requested: Arc<AtomicBool>,
    /// Whether it ends the process at once when it comes.
    ends_at_once: Arc<AtomicBool>,
}

impl Flags {
    fn of(signals: &[i32]) -> Self {
        let flags = Self::default();
        // Until a command listens, as the system has it.
        flags.ends_at_once.store(true, Ordering::Relaxed);
        for signal in signals {
            // It fails for signals that cannot be caught; these can.
            let _ = signal_hook::flag::register(*signal, Arc::clone(&flags.requested));
            let _ = signal_hook::flag::register_conditional_default(*signal, Arc::clone(&flags.ends_at_once));
        }
        flags
    }
}

/// SIGINT, which a terminal sends to the program that this one waits for as well; and the others.
static SIGNALS: OnceLock<[Flags; 2]> = OnceLock::new();

fn signals() -> &'static [Flags; 2] {
    SIGNALS.get_or_init(|| [Flags::of(&[SIGINT]), Flags::of(&[SIGHUP, SIGTERM])])
}

/// From now on the signals only make a request.
pub(crate) fn listen() {
    signals().iter().for_each(|flags| flags.ends_at_once.store(false, Ordering::Relaxed));
}

/// As long as this is held signals only make a request; afterwards they do again what they did before.
pub(crate) struct Meanwhile {
    ended_at_once: [bool; 2],
    forgets_interrupts: bool,
}

/// As [`listen`], for the time of a question.
pub(crate) fn listen_meanwhile() -> Meanwhile {
    let ended_at_once = signals().each_ref().map(|flags| flags.ends_at_once.swap(false, Ordering::Relaxed));
    Meanwhile { ended_at_once, forgets_interrupts: false }
}

/// For the time that another program has the terminal: an interrupt is for that program alone.
pub(crate) fn leave_interrupts_to_another() -> Meanwhile {
    let [interrupt, others] = signals();
    let ended_at_once =
        [interrupt.ends_at_once.swap(false, Ordering::Relaxed), others.ends_at_once.load(Ordering::Relaxed)];
    Meanwhile { ended_at_once, forgets_interrupts: true }
}

/// Calls `wait`, which waits for another program: meanwhile an interrupt at the terminal is for that program, and does not
/// end this one. `wait` gets a function that tells whether this process was asked to end.
pub(crate) fn while_waiting<T>(wait: impl FnOnce(&dyn Fn() -> bool) -> T) -> T {
    let _interrupts = leave_interrupts_to_another();
    wait(&requested)
}

impl Drop for Meanwhile {
    fn drop(&mut self) {
        let [interrupt, _] = signals();
        if self.forgets_interrupts {
            interrupt.requested.store(false, Ordering::Relaxed);
        }
        for (flags, ended_at_once) in signals().iter().zip(self.ended_at_once) {
            flags.ends_at_once.store(ended_at_once, Ordering::Relaxed);
        }
    }
}

/// A limit on the size of files makes a write fail; it does not end the process with a temporary file left behind.
pub(crate) fn outlive_size_limit() {
    // It fails for signals that cannot be caught; this one can.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// Whether one of the signals has come.
pub(crate) fn requested() -> bool {
    let has_come = |flags: &Flags| flags.requested.load(Ordering::Relaxed);
    SIGNALS.get().is_some_and(|signals| signals.iter().any(has_come))
}

/// Stops what has not changed anything yet, if one of the signals has come.
pub(crate) fn stop_if_requested() -> Result<()> {
    if requested() { Err(Failure::Interrupted) } else { Ok(()) }
}
