//! Failures of locking directories.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Uid};

use super::{Cause, Exit, Message, message};
use crate::quote::shown;

#[derive(Debug, Clone)]
pub(crate) enum LockFailure {
    /// Another run holds the lock of `directory`; `lock` is the lock file.
    Held { directory: PathBuf, lock: PathBuf, holder: Option<Holder>, waited: Duration },
    /// There are too many directories to lock at once. A rotation keeps all locks to the end, because two overlapping
    /// rotations would leave a tree under two new keys.
    TooManyFiles { error: Cause },
}

impl LockFailure {
    pub(super) fn message(&self) -> Message {
        match self {
            Self::Held { directory, lock, holder, waited } => {
                let next = match holder {
                    Some(Holder::User(_)) => format!(
                        "nothing was changed; wait for that run (--lock-wait SECONDS); if no other run is active, remove {}",
                        shown(lock)
                    ),
                    _ => "nothing was changed; run this again when that run is done, or wait longer with --lock-wait \
                          SECONDS"
                        .to_owned(),
                };
                let what = format!("{} (waited {} s)", held_by(directory, *holder), waited.as_secs());
                message(Exit::Other, what, next)
            }
            Self::TooManyFiles { error } => message(
                Exit::File,
                format!("cannot lock all directories at once: {error}"),
                "nothing was changed; raise the limit on open files (ulimit -H -n), or run it for each directory",
            ),
        }
    }
}

/// Who holds a lock.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Holder {
    Process(Pid),
    /// The owner of the lock file, if the file cannot be read.
    User(Uid),
}

/// Returns who holds the lock of `directory`, as far as known. The note about waiting uses it too.
pub(super) fn held_by(directory: &Path, holder: Option<Holder>) -> String {
    let directory = shown(directory);
    match holder {
        Some(Holder::Process(pid)) => format!("process {pid} holds the lock on {directory}"),
        Some(Holder::User(uid)) => format!("user {} holds the lock on {directory}", uid.as_raw()),
        None => format!("another run holds the lock on {directory}"),
    }
}
