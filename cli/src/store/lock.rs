//! One rotation at a time: a lock on the directory itself, which leaves no file behind and ends with the process.
//! A tree is locked exclusively, the directories above it shared, so that a tree within a tree conflicts too
//! and trees side by side do not. A second run is told at once.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::{ConfigPath, Found, open_dir};
use crate::error::{Exit, Failure, Result};
use crate::quote::shown;

/// The locks; they end when this is dropped.
pub(crate) struct Lock<'a> {
    _held: Vec<OwnedFd>,
    leftovers: &'a [ConfigPath],
}

/// Locks the directories of what was found.
pub(crate) fn lock(found: &Found) -> Result<Lock<'_>> {
    let mut roots = found.roots.clone();
    roots.sort();
    roots.dedup();
    let mut held = Vec::new();
    // Of two roots the lower one is covered by the upper one; locking both would be a conflict with ourselves.
    let topmost = |root: &&std::path::PathBuf| !roots.iter().any(|other| other != *root && root.starts_with(other));
    for root in roots.iter().filter(topmost) {
        held.push(lock_one(root, FlockOperation::NonBlockingLockExclusive)?);
        for above in root.ancestors().skip(1) {
            match lock_one(above, FlockOperation::NonBlockingLockShared) {
                // A directory that cannot be opened cannot be rotated by this user either.
                Err(failure) if failure.exit == Exit::File => {}
                shared => held.push(shared?),
            }
        }
    }
    Ok(Lock { _held: held, leftovers: &found.leftovers })
}

impl Lock<'_> {
    /// Removes the temporary files of runs that were killed: under the lock they cannot be those of a live rotation.
    pub(crate) fn remove_leftovers(&self, mut told: impl FnMut(&Path)) {
        for leftover in self.leftovers {
            // What cannot be removed is in nobody's way.
            if leftover.remove().is_ok() {
                told(&leftover.path);
            }
        }
    }
}

fn lock_one(directory: &Path, operation: FlockOperation) -> Result<OwnedFd> {
    let failed = |error: std::io::Error| {
        let what = format!("the directory {} cannot be locked: {error}", shown(directory));
        Failure::new(Exit::File, what, "check its permissions")
    };
    let dir = open_dir(directory).map_err(failed)?;
    match rustix::fs::flock(&dir, operation) {
        Ok(()) => Ok(dir),
        Err(Errno::WOULDBLOCK) => {
            let what = format!("another run holds the lock on {}", shown(directory));
            Err(Failure::new(Exit::Other, what, "nothing was changed; wait until it is done"))
        }
        Err(error) => Err(failed(error.into())),
    }
}
