//! Shows a progress bar on stderr, if that is a terminal.
//!
//! The bar appears only for several files or after a second of work, and disappears when the work is done.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use rustix::fs::OFlags;
use rustix::termios;

use crate::output::Report;
use crate::output::terminal::has_escape_codes;
use crate::platform;

/// With fewer files than this, the bar appears only after [`LONG`].
const A_FEW: usize = 4;
const LONG: Duration = Duration::from_secs(1);
/// The number of redraws per second.
const RATE: u8 = 10;

/// A progress bar, which may never become visible.
pub(crate) struct Progress {
    what: &'static str,
    files: usize,
    wanted: bool,
    begun: Instant,
    done: AtomicU64,
    bar: OnceLock<ProgressBar>,
}

impl Progress {
    pub(crate) fn new(what: &'static str, files: usize, report: &Report) -> Self {
        let wanted = io::stderr().is_terminal() && has_escape_codes() && !report.is_quiet();
        Self { what, files, wanted, begun: Instant::now(), done: AtomicU64::new(0), bar: OnceLock::new() }
    }

    pub(crate) fn step(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
        if self.wanted && (self.files >= A_FEW || self.begun.elapsed() >= LONG) {
            self.bar.get_or_init(|| self.start()).set_position(self.done.load(Ordering::Relaxed));
        }
    }

    /// Runs `say`, which prints to stdout, with the bar hidden.
    pub(crate) fn beside<R>(&self, say: impl FnOnce() -> R) -> R {
        match self.bar.get() {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    fn start(&self) -> ProgressBar {
        let target = Unhurried::open().map_or_else(
            |_| ProgressDrawTarget::hidden(),
            |terminal| ProgressDrawTarget::term_like_with_hz(Box::new(terminal), RATE),
        );
        let bar = ProgressBar::with_draw_target(Some(self.files as u64), target).with_message(self.what);
        match ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} files, {eta} left") {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }
}

/// The terminal at stderr, opened again in non-blocking mode. A terminal whose output nobody reads fills up after a
/// while; without this mode it would block the work.
#[derive(Debug)]
struct Unhurried(File);

impl Unhurried {
    fn open() -> io::Result<Self> {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(Self(File::from(platform::reopen_stderr(flags)?)))
    }

    fn move_cursor(&self, n: usize, direction: char) -> io::Result<()> {
        if n == 0 { Ok(()) } else { self.write_str(&format!("\x1b[{n}{direction}")) }
    }
}

impl TermLike for Unhurried {
    fn width(&self) -> u16 {
        // A terminal of unknown size counts as 80 columns wide.
        termios::tcgetwinsize(&self.0).map_or(80, |size| if size.ws_col == 0 { 80 } else { size.ws_col })
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(&format!("{text}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        (&self.0).write_all(text.as_bytes())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write_str("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}
