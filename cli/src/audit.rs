//! The audit log: a JSON line for each key made and each secret sealed, opened or rotated.
//! Who, when, where, which files and pointers, key ids, and what came of it; never a secret.
//! A command that changes something logs before it does; if that fails, nothing is changed.

use std::env;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::derive::{self, Master};
use crate::failure::{Exit, Failure, Result};
use crate::report::{self, shown};
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
    /// `started`, `done` or the failure.
    pub(crate) outcome: &'a str,
    pub(crate) files: &'a [&'a Path],
    pub(crate) pointers: &'a [&'a str],
    /// They are logged by their ids.
    pub(crate) keys: &'a [&'a Master],
}

impl Audit {
    /// The log at `path`, or at PROXMOX_MCP_AUDIT_LOG.
    pub(crate) fn new(path: Option<PathBuf>, threads: NonZeroUsize) -> Self {
        let named = || env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        Self { path: path.or_else(named), threads }
    }

    /// Appends a line, durably.
    pub(crate) fn record(&self, entry: &Entry<'_>) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let seconds = report::now();
        let user = env::var("USER").or_else(|_| env::var("LOGNAME")).unwrap_or_default();
        let ids = derive::ids(entry.keys, self.threads);
        let mut line = json!({
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
        line.push('\n');
        store::append_line(path, line.as_bytes()).map_err(|error| {
            Failure::new(
                Exit::File,
                format!("the audit log {} cannot be written: {error}", shown(path)),
                "nothing was changed; make room or name another log",
            )
        })
    }
}
