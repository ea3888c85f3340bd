//! The lock of a directory: whoever writes a config in it holds the lock from reading to renaming, so that of two writers
//! the second sees what the first has written.
//!
//! The lock is a file in the directory, for those who may write there and for nobody else: whoever may only read the
//! configs cannot open it, so he cannot hold it. It has the system's lock (flock), which ends with the process, and is
//! removed at the end. It belongs to the directory and not to the config, whose inode changes each time that it is written;
//! directories above are not locked, so that two trees meet only where they share a directory with configs.
//!
//! Where no lock can be had, the command goes on and says so: the exchange in `write` still finds out that another has
//! written meanwhile.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, FlockOperation, Gid, Mode, OFlags, RenameFlags, Stat, Uid};
use rustix::io::Errno;
use rustix::process::{Pid, geteuid, test_kill_process};

use super::names::{parse_temporary, temporary_of};
use super::tree::Tree;
use super::{ConfigPath, Found, parent, temporary};
use crate::error::{Failure, LockFailure, Result, held_by};
use crate::interrupt;
use crate::quote::shown;

/// The name of the lock in its directory.
const NAME: &str = ".fernseal.lock";
/// What is longer than the number of a process is no lock of ours.
const MAX_LOCK: i64 = 32;
/// How long it is waited between two tries, at first and in the end.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));
/// Who waits longer is told why.
const SILENT: Duration = Duration::from_secs(1);

/// The locks of some directories; they end when this is dropped.
pub(crate) struct Lock {
    held: BTreeMap<FileId, Held>,
}

/// Device and inode.
type FileId = (u64, u64);

/// What the person is to know beside the result.
pub(crate) enum Notice {
    /// A run holds the lock, and it is waited for.
    Waiting(String),
    /// The lock cannot be had, and why.
    Unlocked(String),
    /// This file, left by a run that was killed, was removed.
    Removed(PathBuf),
    /// A run that was killed had moved aside what another program had saved as the first; it is in the second now.
    Rescued(PathBuf, PathBuf),
}

/// Locks the directories of `configs`, in an order that is the same for all, and waits for those that hold one of them. From
/// here on a signal is a request.
pub(crate) fn lock(configs: &[ConfigPath], wait: Duration, tell: &dyn Fn(Notice)) -> Result<Lock> {
    interrupt::listen();
    let mut directories: BTreeMap<FileId, Directory> = BTreeMap::new();
    let mut last = None;
    for config in configs {
        let path = parent(&config.path);
        // The configs of one directory come together, but a named one may be a link.
        if config.root.is_some() && last == Some(path) {
            continue;
        }
        last = Some(path);
        // What cannot be opened cannot be read either, and that is told then.
        let opened = config.open_directory().and_then(|(dir, _)| {
            let stat = rustix::fs::fstat(&dir)?;
            Ok(Directory { dir, stat, path: path.to_owned(), is_searched: config.root.is_some() })
        });
        match opened {
            Ok(directory) => _ = directories.entry(id(&directory.stat)).or_insert(directory),
            Err(error) if is_out_of_files(&error) => return Err(too_many(error)),
            Err(_) => {}
        }
    }
    let deadline = Instant::now() + wait;
    let mut lock = Lock { held: BTreeMap::new() };
    for (id, directory) in directories {
        if let Some(file) = directory.acquire(wait, deadline, tell)? {
            lock.held.insert(id, Held { directory, file });
        }
    }
    Ok(lock)
}

impl Lock {
    /// Removes what runs that were killed have left in the locked directories, but for those that were searched already.
    pub(crate) fn remove_leftovers(&self, tell: &dyn Fn(Notice)) {
        for Held { directory, .. } in self.held.values().filter(|held| !held.directory.is_searched) {
            // A directory that may not be listed keeps them.
            let Ok(tree) = Tree::open(&directory.path) else { continue };
            for entry in tree.entries(Path::new("")).into_iter().flatten() {
                if temporary_of(&entry.name).is_some() {
                    clear(&ConfigPath { path: directory.path.join(entry.name), root: Some(Arc::clone(&tree)) }, tell);
                }
            }
        }
    }

    /// As [`Self::remove_leftovers`], and what was found elsewhere, where nobody writes now.
    pub(crate) fn remove_found_leftovers(&self, found: &Found, tell: &dyn Fn(Notice)) {
        self.remove_leftovers(tell);
        for leftover in &found.leftovers {
            let Ok((dir, _)) = leftover.open_directory() else { continue };
            let Ok(stat) = rustix::fs::fstat(&dir) else { continue };
            let directory = Directory { dir, stat, path: parent(&leftover.path).to_owned(), is_searched: true };
            let _held = match self.held.contains_key(&id(&stat)) {
                true => None,
                // A directory without configs, or one for backups.
                false => match directory.attempt() {
                    Attempt::Held(file) => Some(Held { directory, file }),
                    _ => continue,
                },
            };
            clear(leftover, tell);
        }
    }
}

/// Removes a file that a run left under a temporary name. What is neither what that run wrote nor what it was to replace is
/// another program's save, which was moved aside a moment before the run was killed: it gets a name that is seen.
fn clear(leftover: &ConfigPath, tell: &dyn Fn(Notice)) {
    // What cannot be removed is in nobody's way.
    let Ok((dir, name)) = leftover.open_directory() else { return };
    let Some(parsed) = parse_temporary(&name) else { return };
    let Ok(stat) = rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW) else { return };
    if parsed.marks.is_none_or(|marks| temporary::is_expected(&stat, marks)) {
        if leftover.remove().is_ok() {
            tell(Notice::Removed(leftover.path.clone()));
        }
        return;
    }
    let target = OsStr::from_bytes(parsed.target);
    for attempt in 1..100 {
        let mut save = target.to_owned();
        save.push(format!(".saved.{attempt}"));
        match rustix::fs::renameat_with(&dir, &name, &dir, &save, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => {}
            Err(_) => return,
            Ok(()) => {
                let beside = |name| leftover.path.with_file_name(name);
                return tell(Notice::Rescued(beside(target), beside(save.as_os_str())));
            }
        }
    }
}

/// A directory that is locked.
struct Held {
    directory: Directory,
    file: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Under the lock. If it fails, the next run takes the file over.
        if self.directory.has(&self.file) {
            let _ = rustix::fs::unlinkat(&self.directory.dir, NAME, AtFlags::empty());
        }
    }
}

/// A directory that is to be locked.
struct Directory {
    dir: Arc<OwnedFd>,
    stat: Stat,
    /// As the user would write it.
    path: PathBuf,
    /// Whether it is known already what runs that were killed have left in it.
    is_searched: bool,
}

/// What came of one try.
enum Attempt {
    Held(File),
    /// Another holds it: whoever that is.
    Busy(Option<Holder>),
    /// There is no lock to be had here.
    Impossible(String),
    /// This process may not open more files.
    OutOfFiles(io::Error),
}

/// Who holds a lock.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Holder {
    Process(Pid),
    /// The lock of this user, which cannot be read.
    User(Uid),
}

impl Directory {
    /// The lock, once whoever holds it is done; none, if none can be had.
    fn acquire(&self, wait: Duration, deadline: Instant, tell: &dyn Fn(Notice)) -> Result<Option<File>> {
        let begun = Instant::now();
        let (mut pause, mut told) = (PAUSES.0, false);
        loop {
            let holder = match self.attempt() {
                Attempt::Held(file) => return Ok(Some(file)),
                Attempt::Impossible(why) => {
                    tell(Notice::Unlocked(format!(
                        "the directory {} cannot be locked ({why}); each file is still compared with what was read \
                         before it is replaced",
                        shown(&self.path)
                    )));
                    return Ok(None);
                }
                Attempt::OutOfFiles(error) => return Err(too_many(error)),
                Attempt::Busy(holder) => holder,
            };
            interrupt::stop_if_requested()?;
            let now = Instant::now();
            if now >= deadline {
                return Err(self.held(holder, wait));
            }
            if !told && now - begun >= SILENT {
                told = true;
                tell(Notice::Waiting(format!("waiting: {}", held_by(&self.path, holder))));
            }
            thread::sleep(pause.min(deadline - now));
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    fn attempt(&self) -> Attempt {
        let impossible = |error: Errno| match io::Error::from(error) {
            error if is_out_of_files(&error) => Attempt::OutOfFiles(error),
            error => Attempt::Impossible(error.to_string()),
        };
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let mut file = match rustix::fs::openat(&self.dir, NAME, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => {
                let new = flags | OFlags::CREATE | OFlags::EXCL;
                match rustix::fs::openat(&self.dir, NAME, new, Mode::from_raw_mode(0o600)) {
                    Ok(file) => self.shared_with_writers(File::from(file)),
                    Err(Errno::EXIST | Errno::INTR) => return Attempt::Busy(None),
                    Err(error) => return impossible(error),
                }
            }
            Err(Errno::INTR) => return Attempt::Busy(None),
            Err(error @ (Errno::ACCESS | Errno::PERM)) => {
                return match rustix::fs::statat(&self.dir, NAME, AtFlags::SYMLINK_NOFOLLOW) {
                    Err(Errno::NOENT) => Attempt::Busy(None),
                    Ok(stat) if self.is_trusted(&stat) => Attempt::Busy(Some(Holder::User(Uid::from_raw(stat.st_uid)))),
                    Ok(_) => Attempt::Impossible(foreign()),
                    Err(_) => impossible(error),
                };
            }
            Err(error) => return impossible(error),
        };
        let stat = match rustix::fs::fstat(&file) {
            Ok(stat) if stat.st_nlink == 0 => return Attempt::Busy(None),
            Ok(stat) if self.is_trusted(&stat) => stat,
            Ok(_) => return Attempt::Impossible(foreign()),
            Err(error) => return impossible(error),
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            // A file that others can open, they can hold: it was not made here.
            Err(Errno::WOULDBLOCK) if stat.st_mode & 0o7777 & !self.lock_mode() != 0 => {
                return Attempt::Impossible(foreign());
            }
            Err(Errno::WOULDBLOCK) => return Attempt::Busy(holder(&mut file)),
            Err(Errno::INTR) => return Attempt::Busy(None),
            Err(error) => return impossible(error),
        }
        // Its holder may have removed it before it let go.
        if !self.has(&file) {
            return Attempt::Busy(None);
        }
        // For the messages of others; without it they say less.
        let _ = file.set_len(0).and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
        Attempt::Held(file)
    }

    /// Opens a new lock to all who may write in the directory: they could replace the configs, so they may be waited for.
    fn shared_with_writers(&self, file: File) -> File {
        // If it fails, the others wait until it is gone, and cannot say whom they wait for.
        if geteuid().is_root() {
            let owner = (Uid::from_raw(self.stat.st_uid), Gid::from_raw(self.stat.st_gid));
            let _ = rustix::fs::fchown(&file, Some(owner.0), Some(owner.1));
        } else if self.stat.st_mode & 0o020 != 0 {
            let _ = rustix::fs::fchown(&file, None, Some(Gid::from_raw(self.stat.st_gid)));
        }
        let has_group = rustix::fs::fstat(&file).is_ok_and(|stat| stat.st_gid == self.stat.st_gid);
        let mode = if has_group { self.lock_mode() } else { self.lock_mode() & !0o060 };
        if mode != 0o600 {
            let _ = rustix::fs::fchmod(&file, Mode::from_raw_mode(mode));
        }
        file
    }

    /// Reading and writing for whoever may write in the directory.
    fn lock_mode(&self) -> u32 {
        let is_writable = |bit| self.stat.st_mode & bit != 0 && !self.is_sticky();
        [(0o020, 0o060), (0o002, 0o006)]
            .iter()
            .filter(|(bit, _)| is_writable(*bit))
            .fold(0o600, |mode, (_, add)| mode | add)
    }

    /// Whether those who may write in the directory may not touch each other's files there, as in /tmp.
    fn is_sticky(&self) -> bool {
        self.stat.st_mode & 0o1000 != 0
    }

    /// Whether a file is a lock of those who may write the configs, and of nobody else's making. In /tmp anybody can put
    /// one in the way.
    fn is_trusted(&self, stat: &Stat) -> bool {
        let is_plain = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && stat.st_nlink == 1
            && stat.st_size <= MAX_LOCK;
        is_plain && (!self.is_sticky() || [0, self.stat.st_uid, geteuid().as_raw()].contains(&stat.st_uid))
    }

    /// Whether this is the directory's lock still.
    fn has(&self, file: &File) -> bool {
        let there = rustix::fs::statat(&self.dir, NAME, AtFlags::SYMLINK_NOFOLLOW);
        matches!((there, rustix::fs::fstat(file)), (Ok(there), Ok(file)) if id(&there) == id(&file))
    }

    fn held(&self, holder: Option<Holder>, waited: Duration) -> Failure {
        let lock = self.path.join(NAME);
        LockFailure::Held { directory: self.path.clone(), lock, holder, waited }.into()
    }
}

/// The process that holds a lock, as far as it has said so and is alive.
fn holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.take(MAX_LOCK as u64).read_to_string(&mut text).ok()?;
    let pid = Pid::from_raw(text.trim_end().parse().ok()?)?;
    match test_kill_process(pid) {
        Ok(()) | Err(Errno::PERM) => Some(Holder::Process(pid)),
        Err(_) => None,
    }
}

fn foreign() -> String {
    format!("the file {NAME} in it is not a lock of those who may write there")
}

fn id(stat: &Stat) -> FileId {
    (stat.st_dev, stat.st_ino)
}

fn is_out_of_files(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn too_many(error: io::Error) -> Failure {
    LockFailure::TooManyFiles { error: error.into() }.into()
}
