//! Opens directories below a root that the user named, without following a symlink.
//!
//! Each directory is opened relative to its parent's file descriptor, so nobody can substitute another directory on the
//! way (a TOCTOU race). The file descriptors along recently used paths stay open: a walk in tree order opens each
//! directory once, whatever its depth. Each path keeps a limited number of descriptors, denser towards its end.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::{open_dir, open_dir_in, reopen_readable};
use crate::platform::{self, Listed};

/// The most file descriptors that are kept along one path. With 32, walking back from a depth of ten thousand levels
/// opens each directory at most five times.
const HELD: usize = 32;
/// The most paths that are kept, as several threads work in different directories.
const WAYS: usize = 4;

/// A root directory, with everything below it.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The path in the form in which the user would write it.
    path: PathBuf,
    /// The path with symlinks resolved.
    real: PathBuf,
    root: Arc<OwnedFd>,
    /// Recently used paths; the last one used is at the end.
    ways: Mutex<Vec<Way>>,
}

/// An entry of a directory: its name, and its type or why that is unknown.
pub(super) struct TreeEntry {
    pub(super) name: OsString,
    pub(super) kind: io::Result<FileType>,
}

impl Tree {
    /// Opens the directory at `path`. If it is a symlink, opens the directory that it leads to.
    pub(super) fn open(path: &Path) -> io::Result<Arc<Self>> {
        let root = Arc::new(open_dir(path)?);
        Ok(Arc::new(Self { path: path.to_owned(), real: path.canonicalize()?, root, ways: Mutex::default() }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn real(&self) -> &Path {
        &self.real
    }

    /// Returns the part of `path` below the root.
    pub(super) fn below<'p>(&self, path: &'p Path) -> io::Result<&'p Path> {
        path.strip_prefix(&self.path).map_err(io::Error::other)
    }

    /// Opens the directory at `below`, a path relative to the root.
    pub(super) fn directory(&self, below: &Path) -> io::Result<Arc<OwnedFd>> {
        let path = below.as_os_str().as_bytes();
        if path.is_empty() {
            return Ok(Arc::clone(&self.root));
        }
        let mut ways = self.ways();
        // A path that continues beyond the shared part stays in the list: another thread may be using it, or the walk
        // may return to it.
        let (shared, nearest) = ways.iter().map(|way| way.shared(path)).zip(0..).max().unwrap_or_default();
        let mut way = match ways.get(nearest).filter(|_| shared > 0) {
            Some(way) if shared < way.path.len() => way.up_to(shared),
            Some(_) => ways.remove(nearest),
            None => Way::default(),
        };
        if ways.len() == WAYS {
            ways.remove(0);
        }
        let directory = way.lead_to(path, &self.root);
        ways.push(way);
        directory
    }

    /// Lists the directory at `below`, sorted by name.
    pub(super) fn entries(&self, below: &Path) -> io::Result<Vec<TreeEntry>> {
        // The kept descriptors may not allow listing.
        let directory = reopen_readable(&*self.directory(below)?)?;
        let mut entries = read(&directory)?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn ways(&self) -> MutexGuard<'_, Vec<Way>> {
        // A poisoned lock is harmless: a path is taken out of the list while it changes.
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A path from the root to an open directory, with file descriptors along it.
#[derive(Debug, Default)]
struct Way {
    /// The path relative to the root.
    path: Vec<u8>,
    /// Open directories along the path, uppermost first: the length of the path to each, and its descriptor.
    held: Vec<(usize, Arc<OwnedFd>)>,
}

impl Way {
    /// Returns how many bytes of `path` lead to a directory that is open here.
    fn shared(&self, path: &[u8]) -> usize {
        let common = self.path.iter().zip(path).take_while(|(a, b)| a == b).count();
        let is_on_way = |end: usize| end <= common && matches!(path.get(end), None | Some(b'/'));
        self.held.iter().rev().map(|(end, _)| *end).find(|end| is_on_way(*end)).unwrap_or(0)
    }

    /// Copies the part of this path up to `end`.
    fn up_to(&self, end: usize) -> Self {
        let held = self.held.iter().take_while(|(held, _)| *held <= end).cloned();
        Self { path: self.path[..end].to_vec(), held: held.collect() }
    }

    /// Extends this path to `path`, which begins with it.
    fn lead_to(&mut self, path: &[u8], root: &Arc<OwnedFd>) -> io::Result<Arc<OwnedFd>> {
        let start = self.path.len();
        let mut directory = Arc::clone(self.held.last().map_or(root, |(_, held)| held));
        let mut end = start;
        for name in path[start..].split_inclusive(|byte| *byte == b'/') {
            end += name.len();
            let name = name.strip_suffix(b"/").unwrap_or(name);
            if name.is_empty() || name == b"." {
                continue;
            }
            directory = Arc::new(open_dir_in(&directory, Path::new(OsStr::from_bytes(name)))?);
            let end = if path[..end].ends_with(b"/") { end - 1 } else { end };
            self.path.extend_from_slice(&path[self.path.len()..end]);
            self.held.push((end, Arc::clone(&directory)));
            self.close_oldest();
        }
        Ok(directory)
    }

    /// Closes one descriptor if there are too many. It picks the one with the smallest gap in relation to its distance
    /// from the end, so that the descriptors are denser towards the end.
    fn close_oldest(&mut self) {
        if self.held.len() <= HELD {
            return;
        }
        let last = self.path.len() + 1;
        let start = |at: usize| at.checked_sub(1).and_then(|above| self.held.get(above)).map_or(0, |(end, _)| *end);
        let gap = |at: usize| (self.held[at + 1].0 - start(at)) as u128;
        let distance = |at: usize| (last - self.held[at].0) as u128;
        let least = (0..self.held.len() - 1).min_by(|a, b| (gap(*a) * distance(*b)).cmp(&(gap(*b) * distance(*a))));
        if let Some(least) = least {
            self.held.remove(least);
        }
    }
}

/// Lists a directory in the order in which the kernel returns it.
fn read(directory: &OwnedFd) -> io::Result<Vec<TreeEntry>> {
    let mut entries = Vec::new();
    for Listed { name, kind: told } in platform::list(directory)? {
        let kind = kind(directory, &name, told);
        entries.extend(kind.map(|kind| TreeEntry { name, kind }));
    }
    Ok(entries)
}

/// Returns an entry's type, without following symlinks, or `None` if the entry no longer exists. Some file systems do
/// not return the type with the name, so it takes another system call.
fn kind(directory: &OwnedFd, name: &OsStr, told: FileType) -> Option<io::Result<FileType>> {
    if told != FileType::Unknown {
        return Some(Ok(told));
    }
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => None,
        stat => Some(stat.map(|stat| platform::file_type(platform::mode(&stat))).map_err(io::Error::from)),
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use super::*;

    #[test]
    fn where_a_name_comes_without_its_kind_the_kind_is_asked() {
        let place = env::temp_dir().join(format!("fernseal-kinds-{}", process::id()));
        fs::create_dir_all(place.join("d")).unwrap();
        std::os::unix::fs::symlink("d", place.join("l")).unwrap();
        let directory = open_dir(&place).unwrap();
        let asked = |name: &str| kind(&directory, OsStr::new(name), FileType::Unknown).map(io::Result::unwrap);
        assert_eq!(asked("d"), Some(FileType::Directory));
        assert_eq!(asked("l"), Some(FileType::Symlink));
        assert_eq!(asked("gone"), None);
        let too_long = "n".repeat(300);
        assert!(kind(&directory, OsStr::new(&too_long), FileType::Unknown).unwrap().is_err());
        fs::remove_dir_all(place).unwrap();
    }

    #[test]
    fn handles_on_a_deep_way_are_few_and_the_way_back_is_short() {
        let place = env::temp_dir().join(format!("fernseal-deep-{}", process::id()));
        fs::create_dir(&place).unwrap();
        let mut directory = Arc::new(open_dir(&place).unwrap());
        const DEPTH: usize = 600;
        for _ in 0..DEPTH {
            rustix::fs::mkdirat(&directory, "d", rustix::fs::Mode::RWXU).unwrap();
            directory = Arc::new(open_dir_in(&directory, Path::new("d")).unwrap());
        }
        drop(directory);
        let tree = Tree::open(&place).unwrap();
        let mut opened = 0;
        for depth in (0..=DEPTH).chain((0..=DEPTH).rev()) {
            let path = vec!["d"; depth].join("/");
            let shared = tree.ways().iter().map(|way| way.shared(path.as_bytes())).max().unwrap_or(0);
            opened += (path.len() - shared).div_ceil(2);
            tree.directory(Path::new(&path)).unwrap();
            assert!(tree.ways().len() <= WAYS && tree.ways().iter().all(|way| way.held.len() <= HELD));
        }
        assert!(opened < 6 * DEPTH, "{opened} directories were opened");
        // std removes directories of any depth.
        fs::remove_dir_all(place).unwrap();
    }
}
