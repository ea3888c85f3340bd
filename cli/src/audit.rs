//! The audit log: a JSON line as a command begins and ends, with the files, pointers and key ids concerned.
//! Who, when, where, and what came of it; never a secret.
//! A command that changes something logs before it does; if that fails, nothing is changed.

use std::env;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::derive::{self, Master};
use crate::failure::{Exit, Failure, Result};
use crate::report::{self, Report, shown};
use crate::store;

const VARIABLE: &str = "PROXMOX_MCP_AUDIT_LOG";

/// The log, if one is wanted.
pub(crate) struct Audit {
    path: Option<PathBuf>,
    threads: NonZeroUsize,
}

/// What a line tells beside who and when.
#[derive(Default)]
pub(crate) struct Entry<'a> {
    pub(crate) command: &'a str,
    /// `started`, then `done`, `partly done` or `failed`; of a command that only reads `done` or what went wrong.
    pub(crate) outcome: &'a str,
    pub(crate) files: &'a [&'a Path],
    pub(crate) pointers: &'a [&'a str],
    /// They are logged by their ids.
    pub(crate) keys: &'a [&'a Master],
}

fn variable() -> Option<PathBuf> {
    env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

impl Audit {
    /// The log at `path`, or at PROXMOX_MCP_AUDIT_LOG.
    pub(crate) fn new(path: Option<PathBuf>, threads: NonZeroUsize) -> Self {
        Self { path: path.or_else(variable), threads }
    }

    /// The log, if it was named on the command line and not by the environment alone.
    pub(crate) fn option(&self) -> Option<&Path> {
        self.path.as_deref().filter(|path| variable().as_deref() != Some(*path))
    }

    /// Logs what cannot be undone because the log is full: a failure is told, and no more.
    pub(crate) fn record_done(&self, entry: &Entry<'_>, report: &Report) {
        if let Err(failure) = self.record(entry) {
            report.warn(format_args!("{}; {} itself: {}", failure.what, entry.command, entry.outcome));
        }
    }

    /// Appends a line, durably.
    pub(crate) fn record(&self, entry: &Entry<'_>) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let seconds = report::now();
        let user = env::var("USER").or_else(|_| env::var("LOGNAME")).unwrap_or_default();
        let ids = derive::ids(entry.keys, self.threads);
        let line = json!({
            "schema": report::SCHEMA,
            "time": report::date(seconds).replace(' ', "T") + "Z",
            "uid": rustix::process::getuid().as_raw(),
            "user": user,
            "host": rustix::system::uname().nodename().to_string_lossy(),
            "pid": std::process::id(),
            "command": entry.command,
            "files": entry.files.iter().map(|file| file.to_string_lossy()).collect::<Vec<_>>(),
            "pointers": entry.pointers,
            "key_ids": ids.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "outcome": entry.outcome,
        })
        .to_string();
        store::append_line(path, &line).map_err(|error| {
            Failure::new(
                Exit::File,
                format!("the audit log {} cannot be written: {error}", shown(path)),
                "nothing was changed; make room or name another log",
            )
        })
    }
}
