//! Decides whose files are trusted and whose links are followed, by the rules of ssh, sudo and the kernel. These rules
//! are for every reader of key files, `.fernseal.toml` and the audit log, and for every path that the user names.
//!
//! A file that controls the program must belong to root or to the user, as with ssh and sudo. Under sudo, it may also
//! belong to the user who called sudo, as with git: that user has chosen the command and its arguments. A file that
//! root has mounted, by itself or on a read-only file system, comes from whoever runs the container. It is trusted
//! whatever its owner is inside the container.
//!
//! A link in a directory where everybody may write, such as /tmp, is followed only if it belongs to the user or to the
//! directory's owner, as the kernel does with fs.protected_symlinks. (The kernel's check covers only links that it
//! follows itself, and only if it is enabled.) Root follows another user's link only to a file of that same user, in
//! any directory.

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

/// The maximum number of links on one path, which is the kernel's.
const MAX_LINKS: usize = 40;

/// Fails for a regular file of a user who is not trusted. Pipes, terminals and devices are not checked: whoever started
/// the command opened them.
pub(crate) fn check_owner(file: &File, path: &Path) -> io::Result<()> {
    let meta = file.metadata()?;
    if !meta.is_file() || is_trusted(meta.uid()) || is_handed_over(file) || names_descriptor(path) {
        return Ok(());
    }
    Err(Refused::File { owner: meta.uid() }.into())
}

/// Reports whether files of this user are trusted.
fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == geteuid().as_raw() || Some(uid) == caller_of_sudo()
}

/// Returns the user who called sudo, from sudo's variable.
fn caller_of_sudo() -> Option<u32> {
    crate::env::variable("SUDO_UID")?.to_str()?.parse().ok()
}

/// Reports whether root has mounted the file: by itself, as Compose does with secrets, or on a read-only file system.
fn is_handed_over(file: &File) -> bool {
    platform::attributes(file, OsStr::new("")).is_mount_root
        || rustix::fs::fstatvfs(file).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// Fails if the path contains another user's link that must not be followed. Other errors are ignored here: opening the
/// file reports them.
pub(crate) fn check_links(path: &Path) -> io::Result<()> {
    match resolve(path) {
        Err(error) if Refused::of(&error).is_some() => Err(error),
        _ => Ok(()),
    }
}

/// Returns the path without links. Fails if one of them must not be followed, or if the file does not exist.
pub(super) fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut real = PathBuf::new();
    let mut waiting: Vec<OsString> = names(path);
    // The links of other users, which root follows only to those users' own files.
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

/// Returns the names of a path in reverse order.
fn names(path: &Path) -> Vec<OsString> {
    path.components().rev().map(|name| name.as_os_str().to_owned()).collect()
}

/// Checks a link by the kernel's rule for directories where everybody may write.
fn check_link(link: &Path, meta: &Metadata) -> io::Result<()> {
    const STICKY_FOR_ALL: u32 = 0o1002;
    let directory = parent(link).metadata()?;
    let is_shared = directory.mode() & STICKY_FOR_ALL == STICKY_FOR_ALL;
    if is_shared && ![geteuid().as_raw(), directory.uid()].contains(&meta.uid()) {
        return Err(Refused::Link { link: link.to_owned(), owner: meta.uid() }.into());
    }
    Ok(())
}

/// Opens a directory at a path that [`resolve`] returned, and follows no link that was created since.
pub(super) fn open_dir_without_links(path: &Path) -> io::Result<OwnedFd> {
    match platform::open_without_links(path)? {
        Some(directory) => Ok(directory),
        None => open_dir(path),
    }
}
