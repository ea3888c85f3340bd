//! Files that stay whole: each is the old one or the new one, whatever fails and whenever the power goes.
//! Configs, keys, backups and logs are all written here.

mod backups;
mod file;
mod find;
mod lock;
mod memory;
mod names;
pub(crate) mod staged;
mod write;

pub(crate) use backups::Backups;
pub(crate) use file::{ConfigFile, ConfigPath, Identity};
pub(crate) use find::{Found, find, left_out};
pub(crate) use lock::lock;
pub(crate) use memory::{MemoryFile, MemoryFolder, sweep};
pub(crate) use names::backup_stamp;
pub(crate) use write::{append_line, check_backup_dir, check_creatable, create, create_key, make_durable};

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// The largest config that is read, in bytes.
const MAX_CONFIG: u64 = 64 << 20;

/// The directory part of a path; `.` if it has none.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Opens a directory that the user named.
fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Opens a directory in a directory, and follows no link.
fn open_dir_in(dir: &OwnedFd, name: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::openat(dir, name, flags, Mode::empty())?)
}
