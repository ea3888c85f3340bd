//! How far a long run has come: a bar on a terminal, nothing anywhere else.
//! It appears from a few files on, when there is something to wait for.
//! It goes to stderr and is gone when the work is done.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

use crate::Context;

/// Fewer files than this are done before anyone looks.
const A_FEW: usize = 4;

/// A bar, or nothing.
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    pub(crate) fn new(what: &'static str, files: usize, context: &Context) -> Self {
        let wanted = files >= A_FEW && io::stderr().is_terminal() && !context.report.is_quiet();
        let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} files, {eta} left");
        Self(
            style
                .ok()
                .filter(|_| wanted)
                .map(|style| ProgressBar::new(files as u64).with_style(style).with_message(what)),
        )
    }

    pub(crate) fn step(&self) {
        if let Some(bar) = &self.0 {
            bar.inc(1);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
