//! What the command says: results on stdout, everything else on stderr.
//! Control characters are escaped on the way, so that a file name or a member's name cannot drive the terminal.

pub(crate) mod progress;
pub(crate) mod terminal;
pub(crate) mod time;

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::error::{Failure, FileFailure, Result};
use crate::quote::{clean, json_line};

/// The version of cli/schema.json: it changes when a field goes or means something else.
pub(crate) const SCHEMA: u32 = 1;

/// How much is said on stderr.
pub(crate) struct Report {
    quiet: bool,
    verbose: AtomicBool,
}

impl Report {
    pub(crate) fn new(quiet: bool, verbose: bool) -> Self {
        Self { quiet, verbose: AtomicBool::new(verbose) }
    }

    /// The config asks for `"logging": {"level": "DEBUG"}`.
    pub(crate) fn be_verbose(&self) {
        self.verbose.store(!self.quiet, Ordering::Relaxed);
    }

    /// Only what went wrong is to be said.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether steps on the way are told.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose.load(Ordering::Relaxed)
    }

    /// What was done, in a line.
    pub(crate) fn note(&self, text: impl Display) {
        if !self.quiet {
            say(&text.to_string());
        }
    }

    /// What is allowed but should not stay so.
    pub(crate) fn warn(&self, text: impl Display) {
        say(&format!("warning: {text}"));
    }

    /// A step on the way, for whoever looks for a fault.
    pub(crate) fn trace(&self, text: impl Display) {
        if self.is_verbose() {
            say(&format!("debug: {text}"));
        }
    }
}

/// Writes to stderr; if that is closed there is nobody to tell.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{}", clean(text));
}

/// Writes a line of the result to stdout.
pub(crate) fn result(text: impl Display) -> Result<()> {
    writeln!(io::stdout(), "{}", clean(&text.to_string())).map_err(stdout_failed)
}

/// Writes a result for machines to stdout, in a line: `fields` under the version of the schema (cli/schema.json) and the
/// command's name.
pub(crate) fn json(command: &str, fields: Value) -> Result<()> {
    let mut whole = json!({ "schema": SCHEMA, "command": command });
    if let (Value::Object(whole), Value::Object(fields)) = (&mut whole, fields) {
        whole.extend(fields);
    }
    writeln!(io::stdout(), "{}", json_line(&whole)).map_err(stdout_failed)
}

/// For machines: files that were left as they are, each with the reason.
pub(crate) fn skipped_in_json(skipped: &[(String, String)]) -> Vec<Value> {
    skipped.iter().map(|(file, reason)| json!({ "file": file, "reason": reason })).collect()
}

/// For machines: files that failed.
pub(crate) fn failed_in_json(failed: &[(String, Failure)]) -> Vec<Value> {
    let in_json =
        |(file, failure): &(_, Failure)| json!({ "file": file, "reason": failure.what(), "next": failure.next() });
    failed.iter().map(in_json).collect()
}

/// Says why a command failed. A reader that went away has heard enough.
pub(crate) fn say_failure(failure: &Failure) {
    if !failure.is_silent() {
        say(&failure.to_string());
    }
}

/// Writes bytes to stdout as they are.
pub(crate) fn result_bytes(pieces: &[&[u8]]) -> Result<()> {
    // Not through the buffer of stdout, in which a secret would stay.
    let write = || {
        io::stdout().flush()?;
        let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        pieces.iter().try_for_each(|piece| out.write_all(piece))
    };
    write().map_err(stdout_failed)
}

/// What came of telling about work that is done: if stdout fails, nothing is to be done again.
pub(crate) fn after_the_work(told: Result<()>) -> Result<()> {
    told.map_err(|failure| Failure::WorkDone(Box::new(failure)))
}

/// A failure to write to stdout. A reader that went away (`| head`) is no fault of ours: main keeps quiet about it.
pub(crate) fn stdout_failed(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => FileFailure::ReaderGone.into(),
        _ => FileFailure::Stdout { error: error.into() }.into(),
    }
}
