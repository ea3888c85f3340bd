//! Reads, finds, locks and writes files so that none is ever half-written.
//!
//! After a crash or a power failure each file is either the old one or the new one. Everything that the program writes
//! goes through this module: configs, keys, backups, logs and outputs. `config` defines what a config's text means.

mod backups;
mod durable;
mod file;
mod find;
mod lock;
mod memory;
mod merge_file;
mod names;
mod nearest;
pub(crate) mod owners;
mod search;
mod selection;
pub(crate) mod staged;
mod temporary;
mod tree;
mod volatile;
mod write;

pub(crate) use backups::Backups;
pub(crate) use durable::Caveats;
pub(crate) use file::{ConfigFile, ConfigPath, Identity};
pub(crate) use find::{Found, find, left_out};
pub(crate) use lock::{Lock, lock};
pub(crate) use memory::{MemoryFile, MemoryFolder, sweep};
pub(crate) use merge_file::merge_lines;
pub(crate) use names::{backup_stamp, name_without_copy_mark};
pub(crate) use nearest::nearest_above;
pub(crate) use search::could_hold;
pub(crate) use selection::{Glob, Selection};
pub(crate) use volatile::goes_before;
pub(crate) use write::{
    BackupPlace, Output, Rights, Unsyncable, append_line, check_backup_dir, check_creatable, create_key, make_durable,
};

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, Stat};

use crate::platform::{DIRECTORY, file_type, mode};

/// The size limit of a config, in bytes.
const MAX_CONFIG: u64 = 64 << 20;

/// Returns the directory part of `path`, or `.` if it has none.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Opens a directory that the user named, to reach files in it.
fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, DIRECTORY, Mode::empty())?)
}

/// Opens a directory inside another, without following a symlink.
fn open_dir_in(dir: &OwnedFd, name: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(dir, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?)
}

/// Opens a directory again for reading, which listing and syncing require and [`DIRECTORY`] may not allow.
fn reopen_readable(dir: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(dir, ".", flags, Mode::empty())?)
}

/// Opens a regular file for reading. Returns `None` if it is not a regular file or cannot be opened.
fn stat_and_open(dir: &OwnedFd, name: &OsStr) -> Option<(Stat, File)> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = File::from(rustix::fs::openat(dir, name, flags, Mode::empty()).ok()?);
    let stat = rustix::fs::fstat(&file).ok()?;
    (file_type(mode(&stat)) == FileType::RegularFile).then_some((stat, file))
}
