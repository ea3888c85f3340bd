//! Finds the backups of configs, beside them or in a backup directory.
//!
//! `write` makes backups, and `names` defines what they are called.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::names::backup_parts;
use super::tree::Tree;
use super::{ConfigPath, parent};
use crate::error::{FileFailure, Result};

/// Finds the backups of one config after another: beside it, or below `backup_dir`. It keeps the listing of the last
/// directory, as configs of one directory come in a row.
pub(crate) struct Backups {
    backup_dir: Option<Arc<Tree>>,
    /// The last directory that was listed, and the backups in it.
    last: Option<(PathBuf, Option<Arc<Tree>>, BackupFiles)>,
}

/// The backups in a directory by config name: time stamp, counter and file name of each, oldest first.
type BackupFiles = BTreeMap<OsString, BTreeSet<(String, u32, OsString)>>;

impl Backups {
    /// Opens `backup_dir`. Fails if it is not a usable directory: with a mistyped name, every config would seem to have
    /// no backup.
    pub(crate) fn new(backup_dir: Option<&Path>) -> Result<Self> {
        let open = |dir: &Path| {
            Tree::open(dir)
                .map_err(|error| FileFailure::BackupDirUnusable { directory: dir.to_owned(), error: error.into() })
        };
        Ok(Self { backup_dir: backup_dir.map(open).transpose()?, last: None })
    }

    /// Returns the backups of `config`, oldest first.
    pub(crate) fn of(&mut self, config: &ConfigPath) -> Result<Vec<ConfigPath>> {
        let (below, name) = config.backup_place().map_err(|error| config.unreadable(error))?;
        let directory = match (&self.backup_dir, &config.root) {
            (Some(backups), _) => backups.path().join(below),
            (None, Some(_)) => parent(&config.path).to_owned(),
            (None, None) => Path::new("/").join(below),
        };
        if self.last.as_ref().is_none_or(|(last, ..)| last.as_os_str() != directory.as_os_str()) {
            let tree = self.backup_dir.as_ref().or(config.root.as_ref()).cloned();
            let (tree, read) = backup_files(tree, &directory).map_err(|error| FileFailure::BackupsUnreadable {
                directory: directory.clone(),
                error: error.into(),
            })?;
            self.last = Some((directory, tree, read));
        }
        let backups_of = |(directory, tree, backups): &(PathBuf, Option<Arc<Tree>>, BackupFiles)| {
            let files = backups.get(&name).into_iter().flatten();
            let place =
                |(_, _, file): &(String, u32, OsString)| ConfigPath { path: directory.join(file), root: tree.clone() };
            files.map(place).collect()
        };
        Ok(self.last.as_ref().map_or_else(Vec::new, backups_of))
    }
}

/// Lists the backups in `directory`, which is in `tree` or otherwise becomes its own tree. The list is empty if the
/// directory does not exist.
fn backup_files(tree: Option<Arc<Tree>>, directory: &Path) -> io::Result<(Option<Arc<Tree>>, BackupFiles)> {
    let read = || -> io::Result<_> {
        let tree = tree.map_or_else(|| Tree::open(directory), Ok)?;
        let entries = tree.entries(tree.below(directory)?)?;
        Ok((tree, entries))
    };
    let (tree, entries) = match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, BackupFiles::new())),
        read => read?,
    };
    let mut backups = BackupFiles::new();
    for file in entries.into_iter().map(|entry| entry.name) {
        if let Some((of, stamp, count)) = backup_parts(file.as_bytes()) {
            let of = OsStr::from_bytes(of).to_owned();
            backups.entry(of).or_default().insert((stamp.to_owned(), count, file.clone()));
        }
    }
    Ok((Some(tree), backups))
}
