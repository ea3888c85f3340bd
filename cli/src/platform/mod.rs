//! Functions that differ between systems, in two files with the same functions: `linux` for Linux, and `portable` for
//! macOS and the BSDs.
//!
//! A system call, a flag or a path that other systems lack belongs in `linux`, with a replacement in `portable`. What
//! both share is here and in `xattr`. The rest of the command calls neither directly. With `--cfg fernseal_portable`
//! Linux uses `portable` too, which is how it is tested (`tests/platforms.sh`).

#[cfg(all(target_os = "linux", not(fernseal_portable)))]
#[path = "linux.rs"]
mod system;
#[cfg(not(all(target_os = "linux", not(fernseal_portable))))]
#[path = "portable.rs"]
mod system;
mod xattr;

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitStatus;

use rustix::fs::{AtFlags, FileType, Mode, RawMode, Stat};
use rustix::io::Errno;

pub(crate) use system::*;
pub(crate) use xattr::{attribute, attribute_names, set_attribute};

/// The properties of a file besides its mode, as far as the system reports them.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Attributes {
    /// Whether it is a mount point.
    pub(crate) is_mount_root: bool,
    /// Whether it is immutable or append-only.
    pub(crate) is_fixed: bool,
}

/// A directory entry, with its type if the system returns that with the name, otherwise `Unknown`.
pub(crate) struct Listed {
    pub(crate) name: OsString,
    pub(crate) kind: FileType,
}

/// The kind of a file system, as far as this program must distinguish them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "some systems do not have all of them")]
pub(crate) enum FileSystem {
    Tmpfs,
    Ramfs,
    Overlay,
    Other,
}

/// Renames a file. Fails if the new name exists. Returns whether the old name was removed: this step can fail although
/// the new name exists by then.
pub(crate) fn move_to_new(dir: &OwnedFd, from: &OsStr, to: &OsStr) -> rustix::io::Result<bool> {
    match rename_to_new(dir, from, to) {
        // The file system does not support it. A hard link also fails if the name exists.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rustix::fs::linkat(dir, from, dir, to, AtFlags::empty())?;
            Ok(rustix::fs::unlinkat(dir, from, AtFlags::empty()).is_ok())
        }
        renamed => renamed.map(|()| true),
    }
}

/// The fields of `struct stat`, which have other types on other systems.
#[allow(clippy::unnecessary_cast, reason = "on Linux they have these types")]
mod fields {
    use super::{Mode, RawMode, Stat};

    /// Returns the type of the file and its permission bits.
    pub(crate) fn mode(stat: &Stat) -> u32 {
        stat.st_mode as u32
    }

    /// Returns device and inode.
    pub(crate) fn id(stat: &Stat) -> (u64, u64) {
        (stat.st_dev as u64, stat.st_ino as u64)
    }

    /// Returns the number of hard links.
    pub(crate) fn links(stat: &Stat) -> u64 {
        stat.st_nlink as u64
    }

    /// Returns the time of the last change of the content, in seconds and nanoseconds.
    pub(crate) fn modified(stat: &Stat) -> (i64, u64) {
        (stat.st_mtime as i64, stat.st_mtime_nsec as u64)
    }

    /// Returns the time of the last change of anything, in seconds and nanoseconds.
    pub(crate) fn changed(stat: &Stat) -> (i64, u64) {
        (stat.st_ctime as i64, stat.st_ctime_nsec as u64)
    }

    /// Returns permission bits in the type of the system.
    pub(crate) fn permissions(mode: u32) -> Mode {
        Mode::from_raw_mode(mode as RawMode)
    }

    /// Returns the type of a file from the mode in a `struct stat` or in git's output.
    pub(crate) fn file_type(mode: u32) -> super::FileType {
        super::FileType::from_raw_mode(mode as RawMode)
    }
}
pub(crate) use fields::*;

/// Reports whether a path names a file that is open already, as `/dev/stdin` and `<(…)` do.
pub(crate) fn names_descriptor(path: &Path) -> bool {
    path == Path::new("/dev/stdin") || path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd")
}

/// Ends this process in the way that `status` describes: with the same exit code, or by the same signal.
pub(crate) fn end_as(status: ExitStatus) -> ! {
    use std::os::unix::process::ExitStatusExt;
    if let Some(signal) = status.signal() {
        // Returns only if the signal does not end a process.
        let _ = signal_hook::low_level::emulate_default_handler(signal);
    }
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    std::process::exit(code)
}
