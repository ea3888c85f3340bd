//! Prints everything that the program says: results to stdout, all else to stderr.
//!
//! Control characters are escaped on the way, so that a file name or a member's name cannot control the terminal.

pub(crate) mod progress;
pub(crate) mod sarif;
pub(crate) mod terminal;

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::{AutoStream, ColorChoice};
use clap::builder::styling::{AnsiColor, Style};
use serde_json::{Value, json};

use crate::error::{Failure, FileFailure, Result, SkipReason};
use crate::quote::{clean, json_line};

/// The version of cli/schema.json. It changes when a field is removed or changes its meaning.
pub(crate) const SCHEMA: u32 = 2;

/// Prints to stderr, as much as the user wants.
pub(crate) struct Report {
    quiet: bool,
    verbose: AtomicBool,
}

impl Report {
    pub(crate) fn new(quiet: bool, verbose: bool) -> Self {
        Self { quiet, verbose: AtomicBool::new(verbose) }
    }

    /// Turns on debug messages: the config contains `"logging": {"level": "DEBUG"}`.
    pub(crate) fn be_verbose(&self) {
        self.verbose.store(!self.quiet, Ordering::Relaxed);
    }

    /// Reports whether only problems are printed.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Reports whether debug messages are printed.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose.load(Ordering::Relaxed)
    }

    /// Prints one line about what was done.
    pub(crate) fn note(&self, text: impl Display) {
        if !self.quiet {
            say(&text.to_string());
        }
    }

    /// Prints a warning about something that works but should be changed.
    pub(crate) fn warn(&self, text: impl Display) {
        say_marked(&[(Mark::Warning, &text.to_string())]);
    }

    /// Prints a warning that `--quiet` suppresses: advice to change something that is not an error.
    pub(crate) fn advise(&self, text: impl Display) {
        if !self.quiet {
            self.warn(text);
        }
    }

    /// Prints a debug message about an intermediate step.
    pub(crate) fn trace(&self, text: impl Display) {
        if self.is_verbose() {
            say(&format!("debug: {text}"));
        }
    }
}

/// Writes to stderr. Errors are ignored, as they could not be reported anywhere.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{}", clean(text));
}

/// The word that a message begins with.
#[derive(Debug, Clone, Copy)]
enum Mark {
    Error,
    Next,
    Warning,
}

impl Mark {
    const fn word(self) -> &'static str {
        match self {
            Self::Error => "error:",
            Self::Next => "  next:",
            Self::Warning => "warning:",
        }
    }

    /// Returns the style, which is that of clap's errors and tips.
    const fn style(self) -> Style {
        match self {
            Self::Error => AnsiColor::Red.on_default().bold(),
            Self::Next => AnsiColor::Green.on_default(),
            Self::Warning => AnsiColor::Yellow.on_default().bold(),
        }
    }
}

/// Reports whether messages on stderr have colors, by the same rules as clap's: on a terminal that is not dumb, unless
/// NO_COLOR is set, and everywhere if CLICOLOR_FORCE is set. A terminal without a name (`TERM=`) gets no colors, as it
/// gets no other escape codes.
fn has_colors() -> bool {
    let is_forced = || crate::env::variable("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    AutoStream::choice(&io::stderr()) != ColorChoice::Never && (terminal::has_escape_codes() || is_forced())
}

/// Writes lines to stderr, each with its mark.
fn say_marked(lines: &[(Mark, &str)]) {
    let has_colors = has_colors();
    let line = |(mark, text): &(Mark, &str)| {
        let style = if has_colors { mark.style() } else { Style::new() };
        // The text may come from elsewhere; the color does not.
        format!("{style}{}{style:#} {}\n", mark.word(), clean(text))
    };
    let _ = io::stderr().write_all(lines.iter().map(line).collect::<String>().as_bytes());
}

/// Writes a line of the result to stdout.
pub(crate) fn result(text: impl Display) -> Result<()> {
    writeln!(io::stdout(), "{}", clean(&text.to_string())).map_err(stdout_failed)
}

/// Writes a JSON result to stdout on one line: `fields`, the schema's version and the command's name (cli/schema.json).
pub(crate) fn json(command: &str, fields: Value) -> Result<()> {
    let mut whole = json!({ "schema": SCHEMA, "command": command });
    if let (Value::Object(whole), Value::Object(fields)) = (&mut whole, fields) {
        whole.extend(fields);
    }
    writeln!(io::stdout(), "{}", json_line(&whole)).map_err(stdout_failed)
}

/// Formats skipped files with their reasons, for JSON output.
pub(crate) fn skipped_in_json(skipped: &[(String, SkipReason)]) -> Vec<Value> {
    skipped.iter().map(|(file, reason)| json!({ "file": file, "reason": reason.to_string() })).collect()
}

/// Formats failed files, for JSON output.
pub(crate) fn failed_in_json(failed: &[(String, Failure)]) -> Vec<Value> {
    let in_json =
        |(file, failure): &(_, Failure)| json!({ "file": file, "reason": failure.what(), "next": failure.next() });
    failed.iter().map(in_json).collect()
}

/// Prints why a command failed. Prints nothing if the reader of stdout has gone away.
pub(crate) fn say_failure(failure: &Failure) {
    for failure in failure.told() {
        say_marked(&[(Mark::Error, &failure.what()), (Mark::Next, &failure.next())]);
    }
}

/// Writes bytes to stdout unchanged.
pub(crate) fn result_bytes(pieces: &[&[u8]]) -> Result<()> {
    // Bypass the buffer of stdout, where a secret would stay in memory.
    let write = || {
        io::stdout().flush()?;
        let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        pieces.iter().try_for_each(|piece| out.write_all(piece))
    };
    write().map_err(stdout_failed)
}

/// Wraps a failure to print a result after the work is done: the message must not ask the user to run the command
/// again.
pub(crate) fn after_the_work(told: Result<()>) -> Result<()> {
    told.map_err(|failure| Failure::WorkDone(Box::new(failure)))
}

/// Returns the failure for an error on stdout. A closed pipe (`| head`) is not worth a message, so `main` prints none.
pub(crate) fn stdout_failed(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => FileFailure::ReaderGone.into(),
        _ => FileFailure::Stdout { error: error.into() }.into(),
    }
}
