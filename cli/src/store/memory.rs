//! Plaintext files on a memory file system, for programs that need a path: an editor, or the program that `run` starts.
//!
//! No file outlives the process that it was made for, however that process ends:
//!
//! * A sweeper process waits for the end of the first process and then removes the folder. It survives an exec of the
//!   first process and its death by SIGKILL.
//! * If the sweeper is killed too, the next command that makes such a folder removes the remains.
//!
//! The folder's name identifies the process that it belongs to, and the sweeper holds an advisory lock on the folder. A
//! folder is abandoned only if that process has ended and nobody holds the lock.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use rustix::process::{Pid, geteuid, test_kill_process};
use zeroize::Zeroizing;

use super::MAX_CONFIG;
use super::names::random_digits;
use super::{open_dir, open_dir_in, reopen_readable};
use crate::error::{FileFailure, Observed, ProgramFailure, Result, UsageFailure};
use crate::interrupt;
use crate::platform::{self, is_same_start, pid_namespace, start_of};

/// The prefix of the folders' names. The owner and random digits follow.
const FOLDER: &str = "fernseal-memory-";

/// A folder of mode 0700 in memory. It is removed when this is dropped or when the process ends, even if the process
/// has executed another program meanwhile.
pub(crate) struct MemoryFolder {
    path: PathBuf,
}

impl MemoryFolder {
    /// Creates a folder on the first memory file system that allows it. Fails with `NotFound` if there is none.
    pub(crate) fn create() -> io::Result<Self> {
        let mut failed = io::ErrorKind::NotFound.into();
        for place in platform::places_for_plaintext() {
            sweep_dead(&place);
            match Self::create_in(&place) {
                Ok(folder) => return Ok(folder),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn create_in(place: &Path) -> io::Result<Self> {
        let name = format!("{FOLDER}{}-{}", OwnerProcess::this_process()?.to_text(), random_digits()?);
        let folder = Self { path: place.join(name) };
        DirBuilder::new().mode(0o700).create(&folder.path)?;
        let open = reopen_readable(&open_dir(&folder.path)?)?;
        // The lock belongs to the open file description. The sweeper inherits that as its stdin, so it holds the lock
        // after this process has ended.
        rustix::fs::flock(&open, FlockOperation::LockExclusive)?;
        // Start the sweeper before any file is created, so that no file can stay behind.
        start_sweeper(&folder.path, open)?;
        Ok(folder)
    }

    /// Creates a file of mode 0600 with this content. If the name exists, appends a number to it.
    pub(crate) fn add(&self, name: &OsStr, pieces: &[&[u8]]) -> io::Result<PathBuf> {
        let mut path = self.path.join(name);
        let mut number = 1;
        let mut file = loop {
            match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    number += 1;
                    let mut numbered = name.to_owned();
                    numbered.push(format!("-{number}"));
                    path = self.path.join(numbered);
                }
                file => break file?,
            }
        };
        pieces.iter().try_for_each(|piece| file.write_all(piece))?;
        Ok(path)
    }
}

impl Drop for MemoryFolder {
    fn drop(&mut self) {
        // If this fails, the sweeper tries again.
        remove(&self.path);
    }
}

/// A file of mode 0600 in a [`MemoryFolder`] of its own.
pub(crate) struct MemoryFile {
    path: PathBuf,
    /// Removes the file when it is dropped.
    _folder: MemoryFolder,
}

impl MemoryFile {
    /// Creates a file with this name and content.
    pub(crate) fn create(name: &OsStr, pieces: &[&[u8]]) -> Result<Self> {
        let create = || {
            let folder = MemoryFolder::create()?;
            Ok(Self { path: folder.add(name, pieces)?, _folder: folder })
        };
        create().map_err(|error: io::Error| FileFailure::NoMemoryForEditor { error: error.into() }.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file. It opens the path again, because the editor may have replaced the file.
    pub(crate) fn read(&self) -> Result<Zeroizing<Vec<u8>>> {
        let failed = |error: io::Error| FileFailure::EditedUnreadable { error: error.into() };
        let file = fs::File::open(&self.path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len().min(MAX_CONFIG);
        let mut bytes = Zeroizing::new(Vec::with_capacity(len as usize + 1));
        file.take(MAX_CONFIG + 1).read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }
}

/// The process that a folder belongs to.
#[derive(Debug, PartialEq)]
struct OwnerProcess {
    pid: Pid,
    /// The start time, in units of the system. It distinguishes the process from a later one with the same id.
    start: u64,
    /// The PID namespace of the process id, as containers may share a folder.
    namespace: u64,
}

impl OwnerProcess {
    fn this_process() -> io::Result<Self> {
        let pid = rustix::process::getpid();
        Ok(Self { pid, start: start_of(pid).ok_or(io::ErrorKind::Unsupported)?, namespace: pid_namespace() })
    }

    fn to_text(&self) -> String {
        format!("{}-{}-{}", self.pid.as_raw_pid(), self.start, self.namespace)
    }

    /// Parses the owner from a folder's name.
    fn of(folder: &OsStr) -> Option<Self> {
        let mut parts = folder.to_str()?.strip_prefix(FOLDER)?.split('-');
        let owner = Self {
            pid: Pid::from_raw(parts.next()?.parse().ok()?)?,
            start: parts.next()?.parse().ok()?,
            namespace: parts.next()?.parse().ok()?,
        };
        let is_random = |part: &str| part.len() == 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        (parts.next().is_some_and(is_random) && parts.next().is_none()).then_some(owner)
    }

    /// Reports whether the process still runs. It must belong to this PID namespace.
    fn is_alive(&self) -> bool {
        if test_kill_process(self.pid) == Err(Errno::SRCH) {
            return false;
        }
        // If the start time is unreadable, assume that the process runs.
        start_of(self.pid).is_none_or(|start| is_same_start(start, self.start))
    }

    fn wait_for_end(&self) {
        platform::wait_for_end(self.pid, || self.is_alive());
    }
}

/// Starts the sweeper process, which removes `folder` once this process has ended. It inherits `open`, the locked
/// folder.
///
/// The sweeper is not a child of this process: a program that waits for all of its children would wait for the sweeper,
/// and the sweeper for it. It has its own process group, so signals from the terminal do not reach it.
fn start_sweeper(folder: &Path, open: OwnedFd) -> io::Result<()> {
    let status = sweeper(folder, &[])?.stdin(open).status()?;
    if status.success() { Ok(()) } else { Err(Observed::SweeperFailed { status }.into()) }
}

fn sweeper(folder: &Path, options: &[&str]) -> io::Result<Command> {
    let mut command = Command::new(platform::this_program()?);
    command
        .arg0("fernseal")
        .arg("sweep")
        .args(options)
        .arg(folder)
        .env_clear()
        .current_dir("/")
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(command)
}

/// Runs the sweeper: removes `folder`, if it is a folder of this module, once the process that it belongs to has ended.
/// The first process only starts a second one (`stays`) and ends, which detaches the second.
pub(crate) fn sweep(folder: &Path, stays: bool) -> Result<()> {
    let Some(owner) = folder.file_name().and_then(OwnerProcess::of) else {
        return Err(UsageFailure::NotAMemoryFolder.into());
    };
    interrupt::listen();
    if stays {
        owner.wait_for_end();
        remove(folder);
        return Ok(());
    }
    sweeper(folder, &["--stay"])
        .and_then(|mut command| command.stdin(Stdio::inherit()).spawn())
        .map(drop)
        .map_err(|error| ProgramFailure::SweeperNotStarted { error: error.into() }.into())
}

/// Removes abandoned folders in `place`.
fn sweep_dead(place: &Path) {
    let (Ok(entries), Ok(dir)) = (fs::read_dir(place), open_dir(place)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(owner) = OwnerProcess::of(&name) else { continue };
        let is_here = owner.namespace == pid_namespace();
        if is_here && owner.is_alive() {
            continue;
        }
        let Ok(folder) = open_dir_in(&dir, Path::new(&name)).and_then(|dir| reopen_readable(&dir)) else { continue };
        let is_own = rustix::fs::fstat(&folder).is_ok_and(|stat| stat.st_uid == geteuid().as_raw());
        if !is_own || rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        // Processes in another container are invisible from here. Such a process locks its folder before it creates a
        // file there, so an unlocked empty folder may be new, but an unlocked folder with files is abandoned.
        if is_here || fs::read_dir(entry.path()).is_ok_and(|mut files| files.next().is_some()) {
            remove(&entry.path());
        }
    }
}

/// Removes a folder and its contents. It retries, because a program that still runs may create files meanwhile.
fn remove(folder: &Path) {
    for _ in 0..3 {
        if fs::remove_dir_all(folder).is_ok() || matches!(folder.try_exists(), Ok(false)) {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folders_name_tells_its_owner() {
        let owner = OwnerProcess::this_process().unwrap();
        assert!(owner.is_alive());
        let name = format!("{FOLDER}{}-0123456789abcdef", owner.to_text());
        assert_eq!(OwnerProcess::of(OsStr::new(&name)), Some(owner));
        for name in
            ["", "fernseal-memory-1-2-3", "fernseal-memory-1-2-3-0123", "fernseal-memory-0-2-3-0123456789abcdef"]
        {
            assert_eq!(OwnerProcess::of(OsStr::new(name)), None, "{name}");
        }
        let name = format!("{name}-more");
        assert_eq!(OwnerProcess::of(OsStr::new(&name)), None);
    }

    #[test]
    fn a_process_of_the_same_number_is_another_one() {
        let owner = OwnerProcess::this_process().unwrap();
        assert!(!OwnerProcess { start: owner.start + 100, ..owner }.is_alive());
    }
}
