//! Whose files count, and whose links are followed: the rules of ssh, sudo and the kernel, for every reader of key files,
//! `.fernseal.toml` and the audit log, and for every path that the user names.
//!
//! A file that decides something must be root's or the user's own, as ssh and sudo have it. Under sudo it may be that of the
//! user who called it, as git has it: that user has chosen the command and all its arguments. What root has mounted, file by
//! file or read-only, was handed over by whoever runs the container, and counts whatever its owner's number is in there.
//!
//! A link in a directory where everybody may write, as /tmp, is followed as the kernel does under fs.protected_symlinks: if it
//! is the user's own or that of the directory's owner. (The kernel sees to it only where it follows the link itself, and only
//! where that is switched on.) Root follows another user's link only to a file of that same user, wherever it is.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;
use rustix::process::geteuid;

use super::{open_dir, parent};
use crate::error::Refused;
use crate::platform::{self, names_descriptor};

/// As many links as the kernel follows on one path.
const MAX_LINKS: usize = 40;

/// Refuses a regular file that belongs to somebody who is not trusted. A pipe, a terminal or a device was opened by whoever
/// started the command.
pub(crate) fn check_owner(file: &File, path: &Path) -> io::Result<()> {
    let meta = file.metadata()?;
    if !meta.is_file() || is_trusted(meta.uid()) || is_handed_over(file) || names_descriptor(path) {
        return Ok(());
    }
    Err(Refused::File { owner: meta.uid() }.into())
}

/// Whether files of this user count.
fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == geteuid().as_raw() || Some(uid) == caller_of_sudo()
}

/// The user who has called sudo, as sudo says.
fn caller_of_sudo() -> Option<u32> {
    crate::env::variable("SUDO_UID")?.to_str()?.parse().ok()
}

/// Whether root has mounted the file: by itself, as Compose does with secrets, or with all that is beside it, read-only.
fn is_handed_over(file: &File) -> bool {
    platform::attributes(file, OsStr::new("")).is_mount_root
        || rustix::fs::fstatvfs(file).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// Refuses a path on which another user has put a link that must not be followed. What cannot be looked at is met by
/// whoever opens it.
pub(crate) fn check_links(path: &Path) -> io::Result<()> {
    match resolve(path) {
        Err(error) if Refused::of(&error).is_some() => Err(error),
        _ => Ok(()),
    }
}

/// The path without links. Fails if one of them must not be followed, or where there is no such file.
pub(super) fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut real = PathBuf::new();
    let mut waiting: Vec<OsString> = names(path);
    // The links of others, which root follows to their own files.
    let mut foreign: Vec<(PathBuf, u32)> = Vec::new();
    let mut followed = 0;
    while let Some(name) = waiting.pop() {
        match Path::new(&name).components().next() {
            Some(Component::RootDir) => real = PathBuf::from("/"),
            Some(Component::ParentDir) => match real.components().next_back() {
                Some(Component::Normal(_)) => _ = real.pop(),
                Some(Component::RootDir) => {}
                _ => real.push(".."),
            },
            Some(Component::Normal(_)) => {
                real.push(&name);
                let meta = real.symlink_metadata()?;
                if !meta.is_symlink() {
                    continue;
                }
                followed += 1;
                if followed > MAX_LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = fs::read_link(&real)?;
                check_link(&real, &meta)?;
                if geteuid().is_root() && !is_trusted(meta.uid()) {
                    foreign.push((real.clone(), meta.uid()));
                }
                real.pop();
                waiting.extend(names(&target));
            }
            _ => {}
        }
    }
    if real.as_os_str().is_empty() {
        real.push(".");
    }
    if foreign.is_empty() {
        return Ok(real);
    }
    let owner_of_file = real.metadata()?.uid();
    match foreign.into_iter().find(|(_, owner)| *owner != owner_of_file) {
        Some((link, owner)) => Err(Refused::Link { link, owner }.into()),
        None => Ok(real),
    }
}

/// The names on a path, the first last.
fn names(path: &Path) -> Vec<OsString> {
    path.components().rev().map(|name| name.as_os_str().to_owned()).collect()
}

/// The kernel's rule for links in directories where everybody may write.
fn check_link(link: &Path, meta: &Metadata) -> io::Result<()> {
    const STICKY_FOR_ALL: u32 = 0o1002;
    let directory = parent(link).metadata()?;
    let is_shared = directory.mode() & STICKY_FOR_ALL == STICKY_FOR_ALL;
    if is_shared && ![geteuid().as_raw(), directory.uid()].contains(&meta.uid()) {
        return Err(Refused::Link { link: link.to_owned(), owner: meta.uid() }.into());
    }
    Ok(())
}

/// Opens a directory at a path that [`resolve`] has found, and follows no link that was put there since.
pub(super) fn open_dir_without_links(path: &Path) -> io::Result<OwnedFd> {
    match platform::open_without_links(path)? {
        Some(directory) => Ok(directory),
        None => open_dir(path),
    }
}
