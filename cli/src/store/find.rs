//! Which configs there are: a named file, or all `*.json` below a directory in a stable order.
//! No link is followed below the directory. What is left out is told, with the reason.
//! Only names are kept, and one directory is open at a time, so that ten thousand files cost little.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType};

use super::write::is_temporary;
use super::{Config, parent};
use crate::failure::{Exit, Failure, Result};
use crate::report::shown;

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
            for name in names(&Config::named(&directory.join("."))).unwrap_or_default() {
                if is_temporary(&name) && temporary_of(&name) == real.file_name().unwrap_or_default() {
                    found.leftovers.push(Config { path: directory.join(name), root: Some(directory.clone()) });
                }
            }
            found.roots.push(directory);
            found.configs.push(Config::named(path));
        }
    }
    Ok(found)
}

impl Found {
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
        if is_temporary(&name) {
            self.leftovers.push(config);
            return;
        }
        let Some(text) = name.to_str().filter(|name| name.ends_with(".json")) else { return };
        let reason = if kind == FileType::Symlink {
            "a link: name it itself to rotate what it leads to"
        } else if kind != FileType::RegularFile {
            "not a regular file"
        } else if text.starts_with("config.example") || text.starts_with("example.") || text.ends_with(".example.json")
        {
            "an example"
        } else if text.contains(".backup.") {
            "a backup"
        } else {
            self.configs.push(config);
            return;
        };
        self.skipped.push((config.path, reason.to_owned()));
    }
}

/// The backups of `config`, the oldest first: beside it, or at the same place below `backup_dir`.
pub(crate) fn backups_of(config: &Config, backup_dir: Option<&Path>) -> Result<Vec<Config>> {
    let (directory, root) = match (backup_dir, &config.root) {
        (Some(backups), _) => (backups.join(parent(config.relative())), Some(backups.to_owned())),
        (None, Some(root)) => (parent(&config.path).to_owned(), Some(root.clone())),
        (None, None) => {
            let real = config.path.canonicalize().map_err(|error| config.unreadable(&error))?;
            (parent(&real).to_owned(), Some(parent(&real).to_owned()))
        }
    };
    let name = match &config.root {
        Some(_) => config.path.file_name().unwrap_or_default().to_owned(),
        None => config.path.canonicalize().unwrap_or_default().file_name().unwrap_or_default().to_owned(),
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

/// Of `NAME.backup.20261124_040929_2` the stamp and the count (1 where there is none).
fn stamp_of<'a>(file: &'a [u8], name: &[u8]) -> Option<(&'a [u8], u32)> {
    let rest = file.strip_prefix(name)?.strip_prefix(b".backup.")?;
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

/// The name of the file that a temporary one was to become.
fn temporary_of(name: &OsStr) -> &OsStr {
    let bytes = name.as_bytes();
    let target = bytes.get(1..bytes.len().saturating_sub(".fernseal-0123456789abcdef.tmp".len())).unwrap_or_default();
    OsStr::from_bytes(target)
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
