//! How far a long run has come: a bar on a terminal, nothing anywhere else.
//! It appears from a few files or a second of work on, when there is something to wait for.
//! It goes to stderr and is gone when the work is done.

use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::context::Context;
use crate::output::terminal::has_escape_codes;

/// Fewer files than this are done before anyone looks, unless they take long.
const A_FEW: usize = 4;
const LONG: Duration = Duration::from_secs(1);

/// A bar, or nothing.
pub(crate) struct Progress {
    what: &'static str,
    files: usize,
    wanted: bool,
    begun: Instant,
    done: AtomicU64,
    bar: OnceLock<ProgressBar>,
}

impl Progress {
    pub(crate) fn new(what: &'static str, files: usize, context: &Context) -> Self {
        let wanted = io::stderr().is_terminal() && has_escape_codes() && !context.report.is_quiet();
        Self { what, files, wanted, begun: Instant::now(), done: AtomicU64::new(0), bar: OnceLock::new() }
    }

    pub(crate) fn step(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
        if self.wanted && (self.files >= A_FEW || self.begun.elapsed() >= LONG) {
            self.bar.get_or_init(|| self.start()).set_position(self.done.load(Ordering::Relaxed));
        }
    }

    /// Says something on stdout: the bar makes room for it.
    pub(crate) fn beside<R>(&self, say: impl FnOnce() -> R) -> R {
        match self.bar.get() {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    fn start(&self) -> ProgressBar {
        let bar = ProgressBar::new(self.files as u64).with_message(self.what);
        match ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} files, {eta} left") {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}
