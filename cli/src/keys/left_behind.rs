//! The key files that rotations leave in the home directory: `~/.proxmox_mcp_key.ID`.
//! Whoever still has the old key is told which of them opens a config.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::{KeyFailure, Result};
use crate::keys::Master;
use crate::keys::source::from_file_silently;

/// How the names of the files begin that new keys are written to.
const PREFIX: &str = ".proxmox_mcp_key.";

/// A key in a file that a rotation left.
pub(crate) struct LeftBehind {
    pub(crate) file: PathBuf,
    pub(crate) master: Rc<Master>,
}

/// Where a rotation writes the new key with this id, unless it is told another place.
pub(crate) fn default_place(id: &str) -> Result<PathBuf> {
    let home = home().ok_or(KeyFailure::NoHome)?;
    Ok(home.join(format!("{PREFIX}{id}")))
}

/// The key files that rotations left, in the order of their names; none if there is no home directory.
///
/// # Errors
/// That the home directory cannot be read, or what a file in it is.
pub(crate) fn files() -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let Some(home) = home() else { return Ok(files) };
    match home.read_dir() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        entries => {
            for entry in entries? {
                let entry = entry?;
                // A pipe would be waited for.
                if entry.file_name().as_bytes().starts_with(PREFIX.as_bytes()) && is_file(&entry.path())? {
                    files.push(entry.path());
                }
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The keys in `files`. What holds no key is left out.
pub(crate) fn keys(files: Vec<PathBuf>) -> Vec<LeftBehind> {
    let read = |file: PathBuf| Some(LeftBehind { master: from_file_silently(&file).ok()?, file });
    files.into_iter().filter_map(read).collect()
}

/// Whether `path` leads to a regular file.
fn is_file(path: &Path) -> io::Result<bool> {
    match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        meta => Ok(meta?.is_file()),
    }
}

fn home() -> Option<PathBuf> {
    crate::env::variable("HOME").map(PathBuf::from)
}
