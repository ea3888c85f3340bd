//! Locks directories, so that of two concurrent runs the second reads what the first has written. A run that writes a
//! config holds the lock of its directory from reading to renaming.
//!
//! The lock is an advisory lock (flock) on a file in the directory. The kernel releases it when the process ends, and
//! the run removes the file. The file's mode admits only those who may write in the directory: a user who can only read
//! the configs cannot open the lock file, and so cannot block others. The lock belongs to the directory because a
//! config gets a new inode with each write. Parent directories are not locked, so runs on two trees conflict only if
//! they share a directory with configs.
//!
//! If a directory cannot be locked, the command warns and continues: the atomic exchange in `write` still detects a
//! concurrent change.

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

use rustix::fs::{AtFlags, FileType, FlockOperation, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;
use rustix::process::{Pid, geteuid, test_kill_process};

use super::names::{SAVED_MARK, parse_temporary, temporary_of};
use super::tree::Tree;
use super::{ConfigPath, Found, parent, temporary};
use crate::error::{Failure, Holder, LockFailure, LockNotice, NoLock, Result};
use crate::interrupt;
use crate::platform;

/// The name of the lock file.
const NAME: &str = ".fernseal.lock";
/// Why a directory cannot be locked whose lock file was not made by this program.
const FOREIGN: NoLock = NoLock::Foreign { file: NAME };
/// The size limit of a lock file, which contains only a process id. A larger file was not made by this program.
const MAX_LOCK: i64 = 32;
/// The pause between two attempts: it starts with the first and doubles up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));
/// How long to wait silently before telling the user why.
const SILENT: Duration = Duration::from_secs(1);

/// The locks of several directories. Dropping this releases them.
pub(crate) struct Lock {
    held: BTreeMap<FileId, Held>,
}

/// Device and inode.
type FileId = (u64, u64);

/// Locks the directories of `configs`, and waits for other runs that hold one. All runs lock in the same order (by
/// device and inode), so they cannot deadlock. From here on, a signal only requests a stop.
pub(crate) fn lock(configs: &[ConfigPath], wait: Duration, tell: &dyn Fn(LockNotice)) -> Result<Lock> {
    interrupt::listen();
    let mut directories: BTreeMap<FileId, Directory> = BTreeMap::new();
    let mut last = None;
    for config in configs {
        let path = parent(&config.path);
        // Skip repeated directories, as configs of one directory come in a row. A named config may be a symlink to
        // another directory.
        if config.root.is_some() && last == Some(path) {
            continue;
        }
        last = Some(path);
        // If the directory cannot be opened, reading the config fails later and reports it.
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
    /// Removes the temporary files that killed runs left in the locked directories, except in those that `find` has
    /// searched already.
    pub(crate) fn remove_leftovers(&self, tell: &dyn Fn(LockNotice)) {
        for Held { directory, .. } in self.held.values().filter(|held| !held.directory.is_searched) {
            // If the directory cannot be listed, its files stay.
            let Ok(tree) = Tree::open(&directory.path) else { continue };
            for entry in tree.entries(Path::new("")).into_iter().flatten() {
                if temporary_of(&entry.name).is_some() {
                    remove_leftover(
                        &ConfigPath { path: directory.path.join(entry.name), root: Some(Arc::clone(&tree)) },
                        tell,
                    );
                }
            }
        }
    }

    /// Does the same as [`Self::remove_leftovers`], and removes the temporary files that `find` found elsewhere, where
    /// no other run is writing.
    pub(crate) fn remove_found_leftovers(&self, found: &Found, tell: &dyn Fn(LockNotice)) {
        self.remove_leftovers(tell);
        for leftover in &found.leftovers {
            let Ok((dir, _)) = leftover.open_directory() else { continue };
            let Ok(stat) = rustix::fs::fstat(&dir) else { continue };
            let directory = Directory { dir, stat, path: parent(&leftover.path).to_owned(), is_searched: true };
            let _held = match self.held.contains_key(&id(&stat)) {
                true => None,
                // A directory without configs, or one for backups: it is not locked yet.
                false => match directory.attempt() {
                    Attempt::Held(file) => Some(Held { directory, file }),
                    _ => continue,
                },
            };
            remove_leftover(leftover, tell);
        }
    }
}

/// Removes a file that a killed run left under a temporary name. If it is neither the file that the run wrote nor the
/// one that it was replacing, another program saved it just before the run was killed. Then it is kept, under a visible
/// name.
fn remove_leftover(leftover: &ConfigPath, tell: &dyn Fn(LockNotice)) {
    // Every error is ignored: a file that cannot be removed does no harm.
    let Ok((dir, name)) = leftover.open_directory() else { return };
    let Some(parsed) = parse_temporary(&name) else { return };
    let Ok(stat) = rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW) else { return };
    if parsed.marks.is_none_or(|marks| temporary::is_expected(&stat, marks)) {
        if leftover.remove().is_ok() {
            tell(LockNotice::Removed { path: leftover.path.clone() });
        }
        return;
    }
    let target = OsStr::from_bytes(parsed.target);
    for attempt in 1..100 {
        let mut save = target.to_owned();
        save.push(format!("{SAVED_MARK}{attempt}"));
        match platform::move_to_new(&dir, &name, &save) {
            Err(Errno::EXIST) => {}
            Err(_) => return,
            Ok(_) => {
                let beside = |name| leftover.path.with_file_name(name);
                return tell(LockNotice::Rescued { config: beside(target), save: beside(save.as_os_str()) });
            }
        }
    }
}

/// A locked directory.
struct Held {
    directory: Directory,
    file: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Remove the file while the lock is held. If this fails, the next run reuses the file.
        if self.directory.has_lock_file(&self.file) {
            let _ = rustix::fs::unlinkat(&self.directory.dir, NAME, AtFlags::empty());
        }
    }
}

/// A directory to lock.
struct Directory {
    dir: Arc<OwnedFd>,
    stat: Stat,
    /// The path in the form in which the user would write it.
    path: PathBuf,
    /// Whether `find` has searched it for leftovers of killed runs.
    is_searched: bool,
}

/// The result of one attempt to lock.
enum Attempt {
    Held(File),
    /// Another process holds the lock; this is the holder, if known.
    Busy(Option<Holder>),
    /// The directory cannot be locked, for this reason.
    Impossible(NoLock),
    /// This process has too many open files.
    OutOfFiles(io::Error),
}

impl Directory {
    /// Waits for the lock until `deadline`. Returns `None` if the directory cannot be locked at all.
    fn acquire(&self, wait: Duration, deadline: Instant, tell: &dyn Fn(LockNotice)) -> Result<Option<File>> {
        let begun = Instant::now();
        let (mut pause, mut told) = (PAUSES.0, false);
        loop {
            let holder = match self.attempt() {
                Attempt::Held(file) => return Ok(Some(file)),
                Attempt::Impossible(why) => {
                    tell(LockNotice::Unlocked { directory: self.path.clone(), why });
                    return Ok(None);
                }
                Attempt::OutOfFiles(error) => return Err(too_many(error)),
                Attempt::Busy(holder) => holder,
            };
            interrupt::stop_if_requested()?;
            let now = Instant::now();
            if now >= deadline {
                return Err(self.held_by_another(holder, wait));
            }
            if !told && now - begun >= SILENT {
                told = true;
                tell(LockNotice::Waiting { directory: self.path.clone(), holder });
            }
            thread::sleep(pause.min(deadline - now));
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    fn attempt(&self) -> Attempt {
        let impossible = |error: Errno| match io::Error::from(error) {
            error if is_out_of_files(&error) => Attempt::OutOfFiles(error),
            error => Attempt::Impossible(NoLock::Failed(error.into())),
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
                    Ok(_) => Attempt::Impossible(FOREIGN),
                    Err(_) => impossible(error),
                };
            }
            Err(error) => return impossible(error),
        };
        let stat = match rustix::fs::fstat(&file) {
            Ok(stat) if platform::links(&stat) == 0 => return Attempt::Busy(None),
            Ok(stat) if self.is_trusted(&stat) => stat,
            Ok(_) => return Attempt::Impossible(FOREIGN),
            Err(error) => return impossible(error),
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            // Users without write permission in the directory can open this file and hold its lock, so this program did
            // not make it.
            Err(Errno::WOULDBLOCK) if platform::mode(&stat) & 0o7777 & !self.lock_mode() != 0 => {
                return Attempt::Impossible(FOREIGN);
            }
            Err(Errno::WOULDBLOCK) => return Attempt::Busy(holder(&mut file)),
            Err(Errno::INTR) => return Attempt::Busy(None),
            Err(error) => return impossible(error),
        }
        // A race: the previous holder may have removed the file before it released the lock.
        if !self.has_lock_file(&file) {
            return Attempt::Busy(None);
        }
        // Best effort: the process id only improves other runs' messages.
        let _ = file.set_len(0).and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
        Attempt::Held(file)
    }

    /// Opens a new lock file to all who may write in the directory. They could replace the configs anyway, so they may
    /// make others wait.
    fn shared_with_writers(&self, file: File) -> File {
        // Best effort: on failure, other users wait until the file is gone and cannot name its holder.
        if geteuid().is_root() {
            let owner = (Uid::from_raw(self.stat.st_uid), Gid::from_raw(self.stat.st_gid));
            let _ = rustix::fs::fchown(&file, Some(owner.0), Some(owner.1));
        } else if platform::mode(&self.stat) & 0o020 != 0 {
            let _ = rustix::fs::fchown(&file, None, Some(Gid::from_raw(self.stat.st_gid)));
        }
        let has_group = rustix::fs::fstat(&file).is_ok_and(|stat| stat.st_gid == self.stat.st_gid);
        let mode = if has_group { self.lock_mode() } else { self.lock_mode() & !0o060 };
        if mode != 0o600 {
            let _ = rustix::fs::fchmod(&file, platform::permissions(mode));
        }
        file
    }

    /// Returns the mode of the lock file: read and write permission for those who may write in the directory.
    fn lock_mode(&self) -> u32 {
        let is_writable = |bit| platform::mode(&self.stat) & bit != 0 && !self.is_sticky();
        [(0o020, 0o060), (0o002, 0o006)]
            .iter()
            .filter(|(bit, _)| is_writable(*bit))
            .fold(0o600, |mode, (_, add)| mode | add)
    }

    /// Reports whether the directory has the sticky bit, as /tmp does: its writers may not touch each other's files.
    fn is_sticky(&self) -> bool {
        platform::mode(&self.stat) & 0o1000 != 0
    }

    /// Reports whether `stat` is that of a lock file made by someone who may write the configs. In /tmp anyone could
    /// create a file of this name to block others.
    fn is_trusted(&self, stat: &Stat) -> bool {
        let is_plain = platform::file_type(platform::mode(stat)) == FileType::RegularFile
            && platform::links(stat) == 1
            && stat.st_size <= MAX_LOCK;
        is_plain && (!self.is_sticky() || [0, self.stat.st_uid, geteuid().as_raw()].contains(&stat.st_uid))
    }

    /// Reports whether `file` is still the directory's lock file.
    fn has_lock_file(&self, file: &File) -> bool {
        let there = rustix::fs::statat(&self.dir, NAME, AtFlags::SYMLINK_NOFOLLOW);
        matches!((there, rustix::fs::fstat(file)), (Ok(there), Ok(file)) if id(&there) == id(&file))
    }

    fn held_by_another(&self, holder: Option<Holder>, waited: Duration) -> Failure {
        let lock = self.path.join(NAME);
        LockFailure::Held { directory: self.path.clone(), lock, holder, waited }.into()
    }
}

/// Reads the holder from a lock file. Returns `None` if it names no running process.
fn holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.take(MAX_LOCK as u64).read_to_string(&mut text).ok()?;
    let pid = Pid::from_raw(text.trim_end().parse().ok()?)?;
    match test_kill_process(pid) {
        Ok(()) | Err(Errno::PERM) => Some(Holder::Process(pid)),
        Err(_) => None,
    }
}

fn id(stat: &Stat) -> FileId {
    platform::id(stat)
}

fn is_out_of_files(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn too_many(error: io::Error) -> Failure {
    LockFailure::TooManyFiles { error: error.into() }.into()
}
