//! Makes a new name survive a power failure: after the file, its directory is synced too.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::io::Errno;

use super::reopen_readable;
use crate::error::{Caveat, FileFailure, Result};
use crate::platform;

/// The caveats of a write that succeeded.
pub(crate) type Caveats = Vec<Caveat>;

/// Syncs a directory, so that the names in it survive a power failure. Returns a caveat if the file system cannot sync
/// directories, and fails on any other error. `file` is an open file in the directory, if there is one.
pub(super) fn sync_directory(dir: &OwnedFd, file: Option<&File>, path: &Path) -> Result<Caveats> {
    match sync(dir, file) {
        Ok(None) => Ok(Caveats::new()),
        Ok(Some(error)) => Ok(vec![unsynced(error, path)]),
        Err(error) => Err(FileFailure::Unsynced { path: path.to_owned(), error: error.into() }.into()),
    }
}

/// Returns the caveat for a directory that cannot be synced.
pub(super) fn unsynced(error: io::Error, path: &Path) -> Caveat {
    Caveat::Unsynced { path: path.to_owned(), error: error.into() }
}

/// Syncs a directory. Returns `Ok(Some(error))` if the file system does not support it.
pub(super) fn sync(dir: &OwnedFd, file: Option<&File>) -> io::Result<Option<io::Error>> {
    let synced = match (reopen_readable(dir), file) {
        (Ok(dir), _) => platform::sync_directory(&dir),
        // The directory is writable but not readable, so it cannot be opened for fsync: sync the whole file system
        // instead.
        (Err(error), Some(file)) if error.kind() == io::ErrorKind::PermissionDenied => platform::sync_file_system(file),
        (Err(error), _) => return Err(error),
    };
    match synced {
        Err(error @ (Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS)) => Ok(Some(error.into())),
        synced => Ok(synced.map(|()| None)?),
    }
}
