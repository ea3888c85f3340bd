//! Which configs there are: a named file, or all `*.json` below a directory in a stable order.
//! No link is followed below the directory. What is left out is told, with the reason.
//! Only names are kept, and one directory is open at a time, so that ten thousand files cost little.

use std::collections::{BTreeMap, BTreeSet};
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
pub(super) const BACKUP_MARK: &[u8] = b".backup.";
/// The length of a backup's stamp, as in `20261124_040929`.
const STAMP_LEN: usize = 15;

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) configs: Vec<Config>,
    /// What was left out, and why.
    pub(crate) skipped: Vec<(PathBuf, String)>,
    /// Directories that cannot be read, and why: a config in them would be missed.
    pub(crate) unread: Vec<(PathBuf, Failure)>,
    /// The real directories that were asked for, and those of named files.
    pub(crate) roots: Vec<PathBuf>,
    /// Temporary files of runs that were killed.
    pub(super) leftovers: Vec<Config>,
}

/// Finds the configs that `paths` name: files as they are, directories with all below them. Each is found once.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Found> {
    let mut found = Found::default();
    for path in paths {
        let real = path.canonicalize().map_err(|error| Config::named(path).unreadable(&error))?;
        if real.is_dir() {
            found.roots.push(real);
            found.walk(path);
        } else {
            let directory = parent(&real).to_owned();
            found.leftovers.extend(leftovers_of(&directory, real.file_name().unwrap_or_default()));
            found.roots.push(directory);
            found.configs.push(Config::named(path));
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
            let config = Config { path, root: Some(root.to_owned()) };
            if kind != FileType::Directory {
                self.consider(config, kind);
                continue;
            }
            let inside = Config { path: config.path.join("."), root: Some(root.to_owned()) };
            let names = names(&inside).unwrap_or_else(|error| {
                let what = format!("the directory {} cannot be read: {error}", shown(&config.path));
                let next = "check its permissions; a config in it would be missed";
                self.unread.push((config.path.clone(), Failure::new(Exit::File, what, next)));
                Vec::new()
            });
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
    }

    fn consider(&mut self, config: Config, kind: FileType) {
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
    } else if name.windows(BACKUP_MARK.len()).any(|part| part == BACKUP_MARK) {
        Some("a backup")
    } else {
        None
    }
}

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
    pub(crate) fn of(&mut self, config: &Config) -> Result<Vec<Config>> {
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
            let inside = Config { path: directory.join("."), root: root.clone() };
            let read = backup_files(&inside).map_err(|error| inside.unreadable(&error))?;
            self.last = Some((directory.clone(), read));
        }
        let files = self.last.iter().filter_map(|(_, backups)| backups.get(&name)).flatten();
        Ok(files.map(|(_, _, file)| Config { path: directory.join(file), root: root.clone() }).collect())
    }
}

/// The backups in the directory that `inside` is in; none if there is no such directory.
fn backup_files(inside: &Config) -> io::Result<BackupFiles> {
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

/// When a backup was made, as it stands in its name.
pub(crate) fn backup_stamp(backup: &Path) -> Option<&str> {
    backup_parts(backup.file_name()?.as_bytes()).map(|(_, stamp, _)| stamp)
}

/// Of `NAME.backup.20261124_040929_2` the name, the stamp and the count (1 where there is none).
fn backup_parts(file: &[u8]) -> Option<(&[u8], &str, u32)> {
    let mark = file.windows(BACKUP_MARK.len()).rposition(|part| part == BACKUP_MARK)?;
    let (stamp, count) = file[mark + BACKUP_MARK.len()..].split_at_checked(STAMP_LEN)?;
    let is_stamp =
        stamp.iter().enumerate().all(|(at, byte)| if at == 8 { *byte == b'_' } else { byte.is_ascii_digit() });
    let stamp = std::str::from_utf8(stamp).ok().filter(|_| is_stamp)?;
    let count = match count.strip_prefix(b"_") {
        None if count.is_empty() => 1,
        None => return None,
        Some(count) => std::str::from_utf8(count).ok()?.parse().ok()?,
    };
    Some((&file[..mark], stamp, count))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backups_name_is_that_of_its_config_with_a_stamp_and_perhaps_a_count() {
        let name = b"a.json".as_slice();
        for (file, parts) in [
            (b"a.json.backup.20261124_040929".as_slice(), Some((name, "20261124_040929", 1))),
            (b"a.json.backup.20261124_040929_12", Some((name, "20261124_040929", 12))),
            (b"\xff.backup.1.backup.20261124_040929", Some((b"\xff.backup.1", "20261124_040929", 1))),
            (b"a.json.backup.20261124_04092", None),
            (b"a.json.backup.20261124-040929", None),
            (b"a.json.backup.20261124_04092x", None),
            (b"a.json.backup.20261124_040929_", None),
            (b"a.json.backup.20261124_0409290", None),
            (b"a.json.20261124_040929", None),
        ] {
            assert_eq!(backup_parts(file), parts, "{}", file.escape_ascii());
            assert_eq!(backup_stamp(Path::new(OsStr::from_bytes(file))), parts.map(|(_, stamp, _)| stamp));
        }
    }
}
