//! A file that exists in memory alone, in a folder of its own, for a program that must have a path: an editor.
//! A second process of ours waits for the end of this one, however it ends, and removes the folder then;
//! so not even SIGKILL leaves anything behind.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use zeroize::Zeroizing;

use super::MAX_CONFIG;
use super::names::random_digits;
use crate::error::{Exit, Failure, Result};
use crate::interrupt;

/// How the folders' names begin.
const FOLDER: &str = "fernseal-edit-";

/// What `statfs` says of file systems whose files are in memory: tmpfs and ramfs.
const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];

/// A file of mode 0600 in memory, which is gone when this is dropped or the process ends.
pub(crate) struct MemoryFile {
    path: PathBuf,
    sweeper: Child,
}

impl MemoryFile {
    /// A file of this name with this content.
    pub(crate) fn create(name: &OsStr, pieces: &[&[u8]]) -> Result<Self> {
        let failed = |error: io::Error| {
            let next = "mount a tmpfs at /dev/shm, or set XDG_RUNTIME_DIR to a folder on one";
            Failure::new(Exit::File, format!("no file can be made in memory: {error}"), next)
        };
        let memory = memory().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        let folder = memory.join(format!("{FOLDER}{}", random_digits().map_err(failed)?));
        // The sweeper first: from here on there is nothing that stays.
        let sweeper = sweeper(&folder).map_err(failed)?;
        let file = Self { path: folder.join(name), sweeper };
        DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
        let mut open =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file.path).map_err(failed)?;
        pieces.iter().try_for_each(|piece| open.write_all(piece)).map_err(failed)?;
        Ok(file)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is in the file now: the editor may have put another in its place.
    pub(crate) fn read(&self) -> Result<Zeroizing<Vec<u8>>> {
        let failed = |error: io::Error| {
            let next = "nothing was changed; save under the name that the editor was given";
            Failure::new(Exit::File, format!("the edited text cannot be read: {error}"), next)
        };
        let file = fs::File::open(&self.path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len().min(MAX_CONFIG);
        let mut bytes = Zeroizing::new(Vec::with_capacity(len as usize + 1));
        file.take(MAX_CONFIG + 1).read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        // Its stdin closes, it removes the folder and ends.
        drop(self.sweeper.stdin.take());
        let _ = self.sweeper.wait();
    }
}

/// A folder in memory: the user's own, or the one that all share.
fn memory() -> Option<PathBuf> {
    let own = crate::env::variable("XDG_RUNTIME_DIR").map(PathBuf::from);
    let is_in_memory =
        |path: &PathBuf| rustix::fs::statfs(path).is_ok_and(|stat| IN_MEMORY.contains(&(stat.f_type as u32)));
    own.into_iter().chain([PathBuf::from("/dev/shm")]).find(is_in_memory)
}

/// Starts the process that removes `folder` once this one has ended. It is of a process group of its own, so that what
/// the terminal sends to this one does not reach it.
fn sweeper(folder: &Path) -> io::Result<Child> {
    Command::new("/proc/self/exe")
        .arg0("fernseal")
        .arg("sweep")
        .arg(folder)
        .env_clear()
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// Waits for the end of stdin, then removes `folder`, if it is one of ours.
pub(crate) fn sweep(folder: &Path) -> Result<()> {
    interrupt::listen();
    let _ = io::stdin().read_to_end(&mut Vec::new());
    let name = folder.file_name().and_then(OsStr::to_str).unwrap_or_default();
    if !name.starts_with(FOLDER) {
        return Err(Failure::new(Exit::Usage, "not a folder of an edit", "this command is for `fernseal edit` alone"));
    }
    // An editor that still runs may write while it is emptied.
    for _ in 0..3 {
        if fs::remove_dir_all(folder).is_ok() || matches!(folder.try_exists(), Ok(false)) {
            break;
        }
    }
    Ok(())
}
