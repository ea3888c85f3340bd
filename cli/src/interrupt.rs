//! Turns SIGINT, SIGTERM and SIGHUP into a request to stop, which a command checks between two steps.
//!
//! A step that has begun is finished, so no file is left half-written. Only commands with such steps call [`listen`];
//! for all others a signal ends the process at once, as usual, except while they prompt at the terminal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

use crate::error::{Failure, Result};

/// The state of a signal, or of several signals that are treated alike.
#[derive(Default)]
struct Flags {
    /// Set once a signal has arrived.
    requested: Arc<AtomicBool>,
    /// Whether a signal ends the process at once. Otherwise it only sets `requested`.
    ends_at_once: Arc<AtomicBool>,
}

impl Flags {
    fn of(signals: &[i32]) -> Self {
        let flags = Self::default();
        // The default action, until a command listens.
        flags.ends_at_once.store(true, Ordering::Relaxed);
        for signal in signals {
            // Registration fails only for signals that cannot be caught; these can.
            let _ = signal_hook::flag::register(*signal, Arc::clone(&flags.requested));
            let _ = signal_hook::flag::register_conditional_default(*signal, Arc::clone(&flags.ends_at_once));
        }
        flags
    }
}

/// SIGINT, and the other signals. SIGINT is separate because Ctrl-C at a terminal also reaches the program that this
/// process waits for.
static SIGNALS: OnceLock<[Flags; 2]> = OnceLock::new();

fn signals() -> &'static [Flags; 2] {
    SIGNALS.get_or_init(|| [Flags::of(&[SIGINT]), Flags::of(&[SIGHUP, SIGTERM])])
}

/// Makes the signals set a request from now on, instead of ending the process.
pub(crate) fn listen() {
    signals().iter().for_each(|flags| flags.ends_at_once.store(false, Ordering::Relaxed));
}

/// A guard that keeps signals from ending the process. Dropping it restores the previous behaviour.
pub(crate) struct SignalGuard {
    ended_at_once: [bool; 2],
    forgets_interrupts: bool,
}

/// Does the same as [`listen`], but only while the returned guard exists. Prompts use it.
pub(crate) fn listen_until_dropped() -> SignalGuard {
    let ended_at_once = signals().each_ref().map(|flags| flags.ends_at_once.swap(false, Ordering::Relaxed));
    SignalGuard { ended_at_once, forgets_interrupts: false }
}

/// Keeps SIGINT from ending this process while the returned guard exists, because another program has the terminal. The
/// guard discards an interrupt when it is dropped: it was meant for that program.
pub(crate) fn leave_interrupts_to_another() -> SignalGuard {
    let [interrupt, others] = signals();
    let ended_at_once =
        [interrupt.ends_at_once.swap(false, Ordering::Relaxed), others.ends_at_once.load(Ordering::Relaxed)];
    SignalGuard { ended_at_once, forgets_interrupts: true }
}

/// Calls `wait`, which waits for another program. Meanwhile an interrupt at the terminal is meant for that program and
/// does not end this process. `wait` gets a function that reports whether this process was asked to end.
pub(crate) fn while_waiting<T>(wait: impl FnOnce(&dyn Fn() -> bool) -> T) -> T {
    let _interrupts = leave_interrupts_to_another();
    wait(&requested)
}

impl Drop for SignalGuard {
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

/// Catches SIGXFSZ, so that a write beyond the file size limit fails with an error. The default action would end the
/// process and leave a temporary file behind.
pub(crate) fn outlive_size_limit() {
    // Registration fails only for signals that cannot be caught; this one can.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// Reports whether one of the signals has arrived.
pub(crate) fn requested() -> bool {
    let has_come = |flags: &Flags| flags.requested.load(Ordering::Relaxed);
    SIGNALS.get().is_some_and(|signals| signals.iter().any(has_come))
}

/// Fails with [`Failure::Interrupted`] if one of the signals has arrived. Call this only where nothing has been changed
/// yet.
pub(crate) fn stop_if_requested() -> Result<()> {
    if requested() { Err(Failure::Interrupted) } else { Ok(()) }
}
