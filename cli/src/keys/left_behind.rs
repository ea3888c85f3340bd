//! Finds the key files that rotations left in the home directory: `~/.proxmox_mcp_key.ID`, and
//! `~/.proxmox_mcp_key.ID.old` with an old key that a new one has replaced in a key store.
//!
//! Error messages use this list: if one of these keys opens a config, they name its file. This module also says where a
//! new key goes, and where the old one.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::env;
use crate::error::{KeyFailure, Result};
use crate::keys::Master;
use crate::keys::source::from_file_silently;

/// The prefix of the names of files to which rotations write new keys.
const PREFIX: &str = ".proxmox_mcp_key.";

/// A key in a file that a rotation left.
pub(crate) struct LeftBehind {
    pub(crate) file: PathBuf,
    pub(crate) master: Rc<Master>,
}

/// Returns where a rotation writes the new key with this id by default.
pub(crate) fn default_place(id: &str) -> Result<PathBuf> {
    let home = home().ok_or_else(|| KeyFailure::NoHome { variable: env::unset("HOME") })?;
    if !home.is_dir() {
        return Err(KeyFailure::HomeNotADirectory { home }.into());
    }
    Ok(home.join(name(id)))
}

/// The suffix of the name of a file with an old key.
const OLD: &str = ".old";

/// Returns where a rotation keeps the old key with this id while a store takes the new one: beside the file of the new key.
pub(crate) fn place_of_old(new: &Path, id: &str) -> PathBuf {
    new.with_file_name(format!("{PREFIX}{id}{OLD}"))
}

/// Reports whether `file` contains the old key of a rotation.
pub(crate) fn is_old(file: &Path) -> bool {
    file.as_os_str().as_bytes().ends_with(OLD.as_bytes())
}

/// Lists the key files that rotations left, sorted by name. The list is empty if there is no home directory.
///
/// # Errors
/// Fails if the home directory, or the type of a file in it, cannot be read.
pub(crate) fn files() -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let Some(home) = home() else { return Ok(files) };
    match home.read_dir() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        entries => {
            for entry in entries? {
                let entry = entry?;
                // Only regular files: reading a FIFO would block.
                if entry.file_name().as_bytes().starts_with(PREFIX.as_bytes()) && is_file(&entry.path())? {
                    files.push(entry.path());
                }
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Reads the keys in `files`, and skips files without a valid key.
pub(crate) fn keys(files: Vec<PathBuf>) -> Vec<LeftBehind> {
    let read = |file: PathBuf| Some(LeftBehind { master: from_file_silently(&file).ok()?, file });
    files.into_iter().filter_map(read).collect()
}

/// Reports whether `path` leads to a regular file.
fn is_file(path: &Path) -> io::Result<bool> {
    match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        meta => Ok(meta?.is_file()),
    }
}

/// Returns the name of the file with the new key with this id.
pub(crate) fn name(id: &str) -> String {
    format!("{PREFIX}{id}")
}

fn home() -> Option<PathBuf> {
    crate::env::variable("HOME").map(PathBuf::from)
}
