//! The audit log: a JSON line for each use of keys, with who, when, where and the outcome, in a file or in the journal.
//!
//! A command that changes something logs one line before the change and one after it; if the first cannot be written,
//! nothing is changed. A command that only reads logs a single line. The log names files, pointers and key ids, and
//! never contains a secret.

use std::path::{Path, PathBuf};
use std::{env, fmt, fs};

use serde_json::json;

use crate::error::{Failure, FileFailure, Refused, Result};
use crate::keys::derive::{self, Master};
use crate::output::{self, Report};
use crate::platform;
use crate::quote::{json_line, one_line};
use crate::store;
use crate::time;

const VARIABLE: &str = "PROXMOX_MCP_AUDIT_LOG";
/// The socket of journald.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// The name that selects systemd's journal instead of a file.
const JOURNALD: &str = "journald:";

/// The audit log; disabled if it has no path.
pub(crate) struct Audit {
    path: Option<PathBuf>,
}

/// What the caller contributes to a line. [`Audit::record`] adds the user, the host and the time.
pub(crate) struct Entry<'a> {
    pub(crate) verb: Verb,
    pub(crate) outcome: Outcome,
    pub(crate) files: &'a [&'a Path],
    pub(crate) pointers: &'a [&'a str],
    /// The keys that were used. The log contains their ids.
    pub(crate) keys: &'a [&'a Master],
}

/// The name of a command in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Encrypt,
    Decrypt,
    Get,
    Set,
    Unset,
    Edit,
    Merge,
    Status,
    Verify,
    Doctor,
    Run,
    Seal,
    Open,
    Keygen,
    StoreKey,
    Rotate,
    Rollback,
    PruneBackups,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
            Self::Get => "get",
            Self::Set => "set",
            Self::Unset => "unset",
            Self::Edit => "edit",
            Self::Merge => "merge",
            Self::Status => "status",
            Self::Verify => "verify",
            Self::Doctor => "doctor",
            Self::Run => "run",
            Self::Seal => "seal",
            Self::Open => "open",
            Self::Keygen => "keygen",
            Self::StoreKey => "store key",
            Self::Rotate => "rotate",
            Self::Rollback => "rollback",
            Self::PruneBackups => "backups prune",
        })
    }
}

/// The outcome of a command, as logged.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// The command is about to change something.
    Started,
    Done,
    PartlyDone,
    Failed,
    /// A command that only reads could not open a token, for this reason.
    Refused(Failure),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "started",
            Self::Done => "done",
            Self::PartlyDone => "partly done",
            Self::Failed => "failed",
            Self::Refused(failure) => return f.write_str(&failure.what()),
        })
    }
}

fn variable() -> Option<PathBuf> {
    crate::env::variable(VARIABLE).map(PathBuf::from)
}

/// Returns the user's name from the environment, or else from /etc/passwd: services and containers often lack the
/// variables.
fn user_name(uid: u32) -> String {
    let variable = env::var("USER").or_else(|_| env::var("LOGNAME"));
    variable.or_else(|_| fs::read_to_string("/etc/passwd").map(|text| named_in(&text, uid))).unwrap_or_default()
}

/// Returns the name of the user `uid` in the text of a passwd file, or an empty string.
fn named_in(passwd: &str, uid: u32) -> String {
    let uid = uid.to_string();
    let name = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        (fields.nth(1)? == uid).then_some(name)
    };
    passwd.lines().find_map(name).unwrap_or_default()
}

impl Audit {
    /// Creates the log at `path`, or else at PROXMOX_MCP_AUDIT_LOG.
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Self { path: path.or_else(variable) }
    }

    /// Returns the log's path if the command line gave it and the environment variable does not give the same.
    pub(crate) fn option(&self) -> Option<&Path> {
        self.path.as_deref().filter(|path| variable().as_deref() != Some(*path))
    }

    /// Logs an outcome that cannot be undone any more. If logging fails, the failure is only a warning.
    pub(crate) fn record_done(&self, entry: &Entry<'_>, report: &Report) {
        if let Err(failure) = self.record(entry) {
            report.warn(format_args!("{}; the result of {} is: {}", failure.what(), entry.verb, entry.outcome));
        }
    }

    /// Appends a line and syncs the log.
    pub(crate) fn record(&self, entry: &Entry<'_>) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let seconds = time::now();
        let uid = rustix::process::getuid().as_raw();
        let ids = derive::ids(entry.keys);
        let line = json_line(&json!({
            "schema": output::SCHEMA,
            "time": time::date(seconds).replace(' ', "T") + "Z",
            "uid": uid,
            "user": user_name(uid),
            "host": rustix::system::uname().nodename().to_string_lossy(),
            "pid": std::process::id(),
            "command": entry.verb.to_string(),
            "files": entry.files.iter().map(|file| file.to_string_lossy()).collect::<Vec<_>>(),
            "pointers": entry.pointers,
            "key_ids": ids.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "outcome": entry.outcome.to_string(),
        }));
        let written = match path.as_os_str() == JOURNALD {
            true => platform::send_to_journal(
                Path::new(JOURNAL),
                &[
                    ("MESSAGE", &line),
                    ("PRIORITY", "6"),
                    ("SYSLOG_IDENTIFIER", "fernseal"),
                    ("FERNSEAL_COMMAND", &entry.verb.to_string()),
                    ("FERNSEAL_OUTCOME", &one_line(&entry.outcome.to_string())),
                ],
            ),
            false => store::append_line(path, &line),
        };
        written.map_err(|error| {
            let failure = match Refused::of(&error) {
                Some(refused) => FileFailure::NotUsed { path: path.clone(), refused },
                None if path.as_os_str() == JOURNALD => FileFailure::Journal { error: error.into() },
                None => FileFailure::AuditLog { path: path.clone(), error: error.into() },
            };
            failure.into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_variables_has_the_name_that_passwd_gives_the_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n\nproxmox:x:1000:0::/srv:/bin/sh\nlate:x:1000:1::/:/bin/sh\n";
        assert_eq!(named_in(passwd, 0), "root");
        assert_eq!(named_in(passwd, 1000), "proxmox");
        assert_eq!(named_in(passwd, 100), "");
    }
}
