//! The key files that rotations leave in the home directory: `~/.proxmox_mcp_key.ID`.
//! Whoever still has the old key is told which of them opens a config.

use std::path::PathBuf;
use std::rc::Rc;

use crate::error::{Exit, Failure, Result};
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
    let home = home().ok_or_else(|| {
        let next = "nothing was changed; set HOME, or name a place with --new-key-out FILE";
        Failure::new(Exit::File, "HOME is not set: no place for the new key", next)
    })?;
    Ok(home.join(format!("{PREFIX}{id}")))
}

/// The key files that rotations left, in the order of their names.
pub(crate) fn files() -> Vec<PathBuf> {
    // A home that cannot be read holds none that could be used.
    let entries = home().and_then(|home| home.read_dir().ok()).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .map(|entry| entry.path())
        // A pipe would be waited for.
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

/// The keys in `files`. What holds no key is left out.
pub(crate) fn keys(files: Vec<PathBuf>) -> Vec<LeftBehind> {
    let read = |file: PathBuf| Some(LeftBehind { master: from_file_silently(&file).ok()?, file });
    files.into_iter().filter_map(read).collect()
}

fn home() -> Option<PathBuf> {
    crate::env::variable("HOME").map(PathBuf::from)
}
