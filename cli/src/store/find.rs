//! Which configs there are: a named file, or all `*.json` below a directory in a stable order.
//! No link is followed below the directory. What is left out is told, with the reason.
//! Only names are kept, and one directory is open at a time, so that ten thousand files cost little.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType};

use super::names::{BACKUP_MARK, shortened, temporary_of};
use super::{ConfigPath, parent, reopen_readable};
use crate::error::{Exit, Failure, Result};
use crate::quote::shown;

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) configs: Vec<ConfigPath>,
    /// What was left out, and why.
    pub(crate) skipped: Vec<(PathBuf, String)>,
    /// Directories that cannot be read, and why: a config in them would be missed.
    pub(crate) unread: Vec<(PathBuf, Failure)>,
    /// The real directories that were asked for, and those of named files.
    pub(crate) roots: Vec<PathBuf>,
    /// Temporary files of runs that were killed.
    pub(super) leftovers: Vec<ConfigPath>,
}

/// Finds the configs that `paths` name: files as they are, directories with all below them. Each is found once.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Found> {
    let mut found = Found::default();
    for path in paths {
        let real = path.canonicalize().map_err(|error| ConfigPath::named(path).unreadable(&error))?;
        if real.is_dir() {
            found.roots.push(real);
            found.walk(path);
        } else {
            let directory = parent(&real).to_owned();
            found.leftovers.extend(leftovers_of(&directory, real.file_name().unwrap_or_default()));
            found.roots.push(directory);
            found.configs.push(ConfigPath::named(path));
        }
    }
    if paths.len() > 1 {
        let mut met = BTreeSet::new();
        // What has no place cannot be read either, and that is told then.
        found.configs.retain(|config| config.backup_place().map_or(true, |place| met.insert(place)));
    }
    Ok(found)
}

impl Found {
    /// Looks for temporary files among the backups in `backup_dir` too.
    pub(crate) fn look_into(&mut self, backup_dir: &Path) {
        for config in &self.configs {
            let Ok((below, name)) = config.backup_place() else { continue };
            self.leftovers.extend(leftovers_of(&backup_dir.join(below), &name));
        }
    }

    fn walk(&mut self, root: &Path) {
        // The last is the next: names are pushed in reverse order.
        let mut waiting = vec![(root.to_owned(), FileType::Directory)];
        while let Some((path, kind)) = waiting.pop() {
            let config = ConfigPath { path, root: Some(root.to_owned()) };
            if kind != FileType::Directory {
                self.consider(config, kind);
                continue;
            }
            let inside = ConfigPath { path: config.path.join("."), root: Some(root.to_owned()) };
            let names = names(&inside).unwrap_or_else(|error| {
                let what = format!("the directory {} cannot be read: {error}", shown(&config.path));
                let next = "check its permissions; a config in it would be missed";
                self.unread.push((config.path.clone(), Failure::new(Exit::File, what, next)));
                Vec::new()
            });
            for name in names.into_iter().rev() {
                let path = config.path.join(&name);
                let kind = kind_of(&ConfigPath { path: path.clone(), root: Some(root.to_owned()) });
                if kind == FileType::Directory && name.as_bytes().starts_with(b".") {
                    self.skipped.push((path, "hidden directory".to_owned()));
                } else {
                    waiting.push((path, kind));
                }
            }
        }
    }

    fn consider(&mut self, config: ConfigPath, kind: FileType) {
        let name = config.path.file_name().unwrap_or_default().to_owned();
        if temporary_of(&name).is_some() {
            self.leftovers.push(config);
            return;
        }
        let leads_on = kind == FileType::Symlink && config.path.is_dir();
        if !leads_on && !name.as_bytes().ends_with(b".json") {
            return;
        }
        match left_out(&name, kind) {
            Some(reason) => self.skipped.push((config.path, reason.to_owned())),
            None => self.configs.push(config),
        }
    }
}

/// Why a JSON file is no config unless it is named itself; nothing, if it is one.
pub(crate) fn left_out(name: &OsStr, kind: FileType) -> Option<&'static str> {
    let name = name.as_bytes();
    if kind == FileType::Symlink {
        Some("a link: name it itself to take in what it leads to")
    } else if kind != FileType::RegularFile {
        Some("not a regular file")
    } else if name.starts_with(b"config.example") || name.starts_with(b"example.") || name.ends_with(b".example.json") {
        Some("an example")
    } else if name.windows(BACKUP_MARK.len()).any(|part| part == BACKUP_MARK.as_bytes()) {
        Some("a backup")
    } else {
        None
    }
}

/// The temporary files in `directory` that were to become `name` or a backup of it.
fn leftovers_of(directory: &Path, name: &OsStr) -> Vec<ConfigPath> {
    let inside = ConfigPath { path: directory.join("."), root: Some(directory.to_owned()) };
    let mut names = names(&inside).unwrap_or_default();
    names.retain(|file| {
        temporary_of(file).is_some_and(|target| {
            let rest = target.strip_prefix(shortened(name));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(BACKUP_MARK.as_bytes()))
        })
    });
    names.into_iter().map(|file| ConfigPath { path: directory.join(file), root: inside.root.clone() }).collect()
}

/// The names in the directory that `inside` is in, in byte order.
pub(super) fn names(inside: &ConfigPath) -> io::Result<Vec<OsString>> {
    let (dir, _) = ConfigPath { path: inside.path.join("x"), root: inside.root.clone() }.open_directory()?;
    let mut names = Vec::new();
    for entry in Dir::new(reopen_readable(&dir)?)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    names.sort();
    Ok(names)
}

/// What kind of file it is; a link is a link.
fn kind_of(config: &ConfigPath) -> FileType {
    let Ok((dir, name)) = config.open_directory() else { return FileType::Unknown };
    rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW)
        .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
}
