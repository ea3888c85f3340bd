//! Which configs there are: a named file, or all `*.json` below a directory in a stable order.
//! No link is followed below the directory. What is left out is told, with the reason.
//! Only names are kept, and one directory is open at a time, so that ten thousand files cost little.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType};

use super::write::{shortened, temporary_of};
use super::{Config, parent};
use crate::failure::{Exit, Failure, Result};
use crate::report::shown;

/// Between a config's name and the stamp of a backup of it.
const BACKUP_MARK: &[u8] = b".backup.";

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) configs: Vec<Config>,
    /// What was left out, and why.
    pub(crate) skipped: Vec<(PathBuf, String)>,
    /// The real directories that were asked for, and those of named files.
    pub(crate) roots: Vec<PathBuf>,
    /// Temporary files of runs that were killed.
    pub(super) leftovers: Vec<Config>,
}

/// Finds the configs that `paths` name: files as they are, directories with all below them.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Found> {
    let mut found = Found::default();
    for path in paths {
        let real = path.canonicalize().map_err(|error| Config::named(path).unreadable(&error))?;
        if real.is_dir() {
            found.roots.push(real);
            found.walk(path)?;
        } else {
            let directory = parent(&real).to_owned();
            found.leftovers.extend(leftovers_of(&directory, real.file_name().unwrap_or_default()));
            found.roots.push(directory);
            found.configs.push(Config::named(path));
        }
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

    fn walk(&mut self, root: &Path) -> Result<()> {
        // The last is the next: names are pushed in reverse order.
        let mut waiting = vec![(root.to_owned(), FileType::Directory)];
        while let Some((path, kind)) = waiting.pop() {
            let config = Config { path, root: Some(root.to_owned()) };
            if kind != FileType::Directory {
                self.consider(config, kind);
                continue;
            }
            let inside = Config { path: config.path.join("."), root: Some(root.to_owned()) };
            let names = names(&inside).map_err(|error| {
                let what = format!("the directory {} cannot be read: {error}", shown(&config.path));
                Failure::new(Exit::File, what, "check its permissions; a config in it would be missed")
            })?;
            for name in names.into_iter().rev() {
                let path = config.path.join(&name);
                let kind = kind_of(&Config { path: path.clone(), root: Some(root.to_owned()) });
                if kind == FileType::Directory && name.as_bytes().starts_with(b".") {
                    self.skipped.push((path, "hidden directory".to_owned()));
                } else {
                    waiting.push((path, kind));
                }
            }
        }
        Ok(())
    }

    fn consider(&mut self, config: Config, kind: FileType) {
        let name = config.path.file_name().unwrap_or_default().to_owned();
        if temporary_of(&name).is_some() {
            self.leftovers.push(config);
            return;
        }
        let text = name.as_bytes();
        if !text.ends_with(b".json") {
            return;
        }
        let reason = if kind == FileType::Symlink {
            "a link: name it itself to rotate what it leads to"
        } else if kind != FileType::RegularFile {
            "not a regular file"
        } else if text.starts_with(b"config.example")
            || text.starts_with(b"example.")
            || text.ends_with(b".example.json")
        {
            "an example"
        } else if text.windows(BACKUP_MARK.len()).any(|part| part == BACKUP_MARK) {
            "a backup"
        } else {
            self.configs.push(config);
            return;
        };
        self.skipped.push((config.path, reason.to_owned()));
    }
}

/// The backups of `config`, the oldest first: beside it, or below `backup_dir`.
pub(crate) fn backups_of(config: &Config, backup_dir: Option<&Path>) -> Result<Vec<Config>> {
    let (below, name) = config.backup_place().map_err(|error| config.unreadable(&error))?;
    let (directory, root) = match (backup_dir, &config.root) {
        (Some(backups), _) => (backups.join(below), Some(backups.to_owned())),
        (None, Some(root)) => (parent(&config.path).to_owned(), Some(root.clone())),
        (None, None) => {
            let directory = Path::new("/").join(below);
            (directory.clone(), Some(directory))
        }
    };
    let inside = Config { path: directory.join("."), root: root.clone() };
    let names = match names(&inside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        names => names.map_err(|error| inside.unreadable(&error))?,
    };
    let mut backups: Vec<(Vec<u8>, u32, OsString)> = names
        .into_iter()
        .filter_map(|file| {
            let (stamp, count) = stamp_of(file.as_bytes(), name.as_bytes())?;
            Some((stamp.to_owned(), count, file))
        })
        .collect();
    backups.sort();
    Ok(backups.into_iter().map(|(_, _, file)| Config { path: directory.join(file), root: root.clone() }).collect())
}

/// When a backup was made, as it stands in its name.
pub(crate) fn backup_stamp(backup: &Path) -> Option<&str> {
    let name = backup.file_name()?.to_str()?;
    name.get(name.rfind(".backup.")? + BACKUP_MARK.len()..)?.get(..15)
}

/// Of `NAME.backup.20261124_040929_2` the stamp and the count (1 where there is none).
fn stamp_of<'a>(file: &'a [u8], name: &[u8]) -> Option<(&'a [u8], u32)> {
    let rest = file.strip_prefix(name)?.strip_prefix(BACKUP_MARK)?;
    let (stamp, count) = rest.split_at_checked(15)?;
    let (date, time) = stamp.split_at(8);
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    if !digits(date) || !time.starts_with(b"_") || !digits(&time[1..]) {
        return None;
    }
    match count.strip_prefix(b"_") {
        None if count.is_empty() => Some((stamp, 1)),
        None => None,
        Some(count) => Some((stamp, std::str::from_utf8(count).ok()?.parse().ok()?)),
    }
}

/// The temporary files in `directory` that were to become `name` or a backup of it.
fn leftovers_of(directory: &Path, name: &OsStr) -> Vec<Config> {
    let inside = Config { path: directory.join("."), root: Some(directory.to_owned()) };
    let mut names = names(&inside).unwrap_or_default();
    names.retain(|file| {
        temporary_of(file).is_some_and(|target| {
            let rest = target.strip_prefix(shortened(name));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(BACKUP_MARK))
        })
    });
    names.into_iter().map(|file| Config { path: directory.join(file), root: inside.root.clone() }).collect()
}

/// The names in the directory that `inside` is in, in byte order.
fn names(inside: &Config) -> io::Result<Vec<OsString>> {
    let (dir, _) = Config { path: inside.path.join("x"), root: inside.root.clone() }.open_directory()?;
    let mut names = Vec::new();
    for entry in Dir::read_from(&dir)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    names.sort();
    Ok(names)
}

/// What kind of file it is; a link is a link.
fn kind_of(config: &Config) -> FileType {
    let Ok((dir, name)) = config.open_directory() else { return FileType::Unknown };
    rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW)
        .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
}
