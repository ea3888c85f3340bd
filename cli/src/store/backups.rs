//! The backups of configs, beside them or in a directory of backups.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::find::names;
use super::names::backup_parts;
use super::{ConfigPath, parent};
use crate::error::{Exit, Failure, Result};
use crate::quote::shown;

/// Finds the backups of one config after the other: beside it, or below `backup_dir`. Configs of one directory come
/// together, so it is read once and not once for each of them.
pub(crate) struct Backups<'d> {
    backup_dir: Option<&'d Path>,
    /// The directory that was read last, and the backups in it.
    last: Option<(PathBuf, BackupFiles)>,
}

/// The backups of a directory by the names of their configs: stamp, count and file name of each, the oldest first.
type BackupFiles = BTreeMap<OsString, BTreeSet<(String, u32, OsString)>>;

impl<'d> Backups<'d> {
    /// A `backup_dir` that is none is a slip, which would pass for configs without backups.
    pub(crate) fn new(backup_dir: Option<&'d Path>) -> Result<Self> {
        match backup_dir.filter(|dir| !dir.is_dir()) {
            Some(dir) => {
                let what = format!("no backups in {}: it is no directory", shown(dir));
                Err(Failure::new(Exit::File, what, "name the directory that was given to the rotation"))
            }
            None => Ok(Self { backup_dir, last: None }),
        }
    }

    /// The backups of `config`, the oldest first.
    pub(crate) fn of(&mut self, config: &ConfigPath) -> Result<Vec<ConfigPath>> {
        let (below, name) = config.backup_place().map_err(|error| config.unreadable(&error))?;
        let (directory, root) = match (self.backup_dir, &config.root) {
            (Some(backups), _) => (backups.join(below), Some(backups.to_owned())),
            (None, Some(root)) => (parent(&config.path).to_owned(), Some(root.clone())),
            (None, None) => {
                let directory = Path::new("/").join(below);
                (directory.clone(), Some(directory))
            }
        };
        if self.last.as_ref().is_none_or(|(last, _)| *last != directory) {
            let inside = ConfigPath { path: directory.join("."), root: root.clone() };
            let read = backup_files(&inside).map_err(|error| inside.unreadable(&error))?;
            self.last = Some((directory.clone(), read));
        }
        let files = self.last.iter().filter_map(|(_, backups)| backups.get(&name)).flatten();
        Ok(files.map(|(_, _, file)| ConfigPath { path: directory.join(file), root: root.clone() }).collect())
    }
}

/// The backups in the directory that `inside` is in; none if there is no such directory.
fn backup_files(inside: &ConfigPath) -> io::Result<BackupFiles> {
    let names = match names(inside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        names => names?,
    };
    let mut backups = BackupFiles::new();
    for file in names {
        if let Some((of, stamp, count)) = backup_parts(file.as_bytes()) {
            let of = OsStr::from_bytes(of).to_owned();
            backups.entry(of).or_default().insert((stamp.to_owned(), count, file.clone()));
        }
    }
    Ok(backups)
}
