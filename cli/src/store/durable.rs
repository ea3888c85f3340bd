//! What makes a change outlast a power failure: the directory is synced after the file.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::io::Errno;

use super::reopen_readable;
use crate::error::{FileFailure, Result};
use crate::quote::shown;

/// What was left out of a write because the file system does not know it, each in a sentence for the user. What the promise
/// of this module needs is never left out.
pub(crate) type Caveats = Vec<String>;

/// Makes sure that the names in a directory outlast a power failure. Fails where that cannot be known; where the file system
/// cannot sync a directory at all, the caveat says so. `file` is one in the directory, if one is open.
pub(super) fn sync_directory(dir: &OwnedFd, file: Option<&File>, path: &Path) -> Result<Caveats> {
    match sync(dir, file) {
        Ok(None) => Ok(Caveats::new()),
        Ok(Some(error)) => Ok(vec![unsynced(&error, path)]),
        Err(error) => Err(FileFailure::Unsynced { path: path.to_owned(), error: error.into() }.into()),
    }
}

/// What is to be said where the names in a directory may not outlast a power failure.
pub(super) fn unsynced(error: &io::Error, path: &Path) -> String {
    let path = shown(path);
    format!(
        "the directory of {path} cannot be synced ({error}): whether the change outlasts a power failure is not known"
    )
}

/// Syncs a directory. Returns why not, where its file system cannot.
pub(super) fn sync(dir: &OwnedFd, file: Option<&File>) -> io::Result<Option<io::Error>> {
    let synced = match (reopen_readable(dir), file) {
        (Ok(dir), _) => rustix::fs::fsync(&dir),
        // A directory that may be written and not read: the file system as a whole is synced.
        (Err(error), Some(file)) if error.kind() == io::ErrorKind::PermissionDenied => rustix::fs::syncfs(file),
        (Err(error), _) => return Err(error),
    };
    match synced {
        Err(error @ (Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS)) => Ok(Some(error.into())),
        synced => Ok(synced.map(|()| None)?),
    }
}
