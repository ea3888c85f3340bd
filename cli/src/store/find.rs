//! Finds configs: a named file, or the files below a named directory whose names are those of configs, in a stable
//! order. It follows no link below the directory. The result contains the files that were left out, with the reasons,
//! and the paths that could not be read, because a config there would be missed. It keeps only names, and few
//! directories are open at a time, so that ten thousand files cost little.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType};

use super::names::{BACKUP_MARK, shortened, temporary_of};
use super::selection::{Selection, is_ours};
use super::tree::{Tree, TreeEntry};
use super::{ConfigPath, owners, parent};
use crate::error::{self, Failure, FileFailure, NotSelected, Result, SkipReason};
use crate::platform;

/// The result of a search.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) configs: Vec<ConfigPath>,
    /// The files that were left out, each with the reason.
    pub(crate) skipped: Vec<(PathBuf, SkipReason)>,
    /// The paths that could not be read, with the failure, and named directories without a config.
    pub(crate) unread: Vec<(PathBuf, Failure)>,
    /// The real paths of the named directories, and of the directories of named files.
    pub(crate) roots: Vec<PathBuf>,
    /// Temporary files of runs that were killed.
    pub(super) leftovers: Vec<ConfigPath>,
    /// The real paths of the named files.
    named: Vec<PathBuf>,
    /// Other files below directories: their names are not those of configs, or the user left them out.
    others: Vec<(ConfigPath, NotSelected)>,
}

/// Finds the configs that `paths` name: files themselves, and directories with everything below them. Each config is
/// listed once.
pub(crate) fn find(paths: &[PathBuf], selection: &Selection) -> Found {
    let mut found = Found::default();
    // The locations seen so far; needed only if several paths may overlap.
    let mut met = BTreeSet::new();
    for path in paths {
        let before = found.configs.len();
        if let Err(error) = found.look_at(path, selection) {
            found.unread.push((path.clone(), ConfigPath::named(path).unreadable(error)));
        }
        if paths.len() > 1 {
            for config in found.configs.split_off(before) {
                if config.is_stream() {
                    found.configs.push(config);
                    continue;
                }
                match config.backup_place().map(|place| met.insert(place)) {
                    Ok(true) => found.configs.push(config),
                    Ok(false) => {}
                    Err(error) => found.unread.push((config.path.clone(), config.unreadable(error))),
                }
            }
        }
    }
    found
}

impl Found {
    /// Fails if no config was found, as there is nothing to work on.
    pub(crate) fn refuse_none(&mut self) -> Result<()> {
        if self.configs.is_empty() {
            error::check_none(self.unread.drain(..).map(|(_, failure)| failure))
        } else {
            Ok(())
        }
    }

    /// Also looks for temporary files of killed runs beside the named files and among the backups in `backup_dir`.
    pub(crate) fn look_for_leftovers(&mut self, backup_dir: Option<&Path>) {
        let mut names: BTreeMap<PathBuf, Vec<OsString>> = BTreeMap::new();
        let mut expect = |directory: PathBuf, name: &OsStr| names.entry(directory).or_default().push(name.to_owned());
        for path in &self.named {
            expect(parent(path).to_owned(), path.file_name().unwrap_or_default());
        }
        for (config, backup_dir) in
            backup_dir.into_iter().flat_map(|dir| self.configs.iter().map(move |config| (config, dir)))
        {
            match config.backup_place() {
                // A rotation tries the deepest directory of the path that exists.
                Ok((below, name)) => below.ancestors().for_each(|above| expect(backup_dir.join(above), &name)),
                Err(error) => self.unread.push((config.path.clone(), config.unreadable(error))),
            }
        }
        for (directory, names) in names {
            match leftovers_of(&directory, &names) {
                Ok(leftovers) => self.leftovers.extend(leftovers),
                // The directory does not exist, as no backup was made there yet.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.unread.push((directory.clone(), directory_unreadable(&directory, error))),
            }
        }
    }

    /// Adds the configs of a named path: a stream, a file, or a directory with everything below it.
    fn look_at(&mut self, path: &Path, selection: &Selection) -> io::Result<()> {
        if ConfigPath::named(path).is_stream() {
            self.configs.push(ConfigPath::named(path));
            return Ok(());
        }
        owners::check_links(path)?;
        let real = path.canonicalize()?;
        if !real.metadata()?.is_dir() {
            self.roots.push(parent(&real).to_owned());
            self.named.push(real);
            self.configs.push(ConfigPath::named(path));
            return Ok(());
        }
        self.roots.push(real);
        let (configs, skipped, unread) = (self.configs.len(), self.skipped.len(), self.unread.len());
        match Tree::open(path) {
            Ok(tree) => self.walk(&tree, selection),
            Err(error) => self.unread.push((path.to_owned(), directory_unreadable(path, error))),
        }
        if self.configs.len() == configs && self.unread.len() == unread {
            let left_out = &self.skipped[skipped..];
            let first = left_out.iter().take(3).cloned().collect();
            let failure = FileFailure::NoConfig { directory: path.to_owned(), left_out: left_out.len(), first };
            self.unread.push((path.to_owned(), failure.into()));
        }
        Ok(())
    }

    fn walk(&mut self, tree: &Arc<Tree>, selection: &Selection) {
        // The current directory, and its depth below the root.
        let (mut here, mut depth) = (tree.path().to_owned(), 0);
        let mut waiting = Vec::new();
        self.read_directory(tree, &here, 0, &mut waiting);
        // A stack: `read_directory` pushes entries in reverse, so they come off in order.
        while let Some((level, name, kind)) = waiting.pop() {
            while depth > level {
                here.pop();
                depth -= 1;
            }
            if kind == FileType::Directory && name.as_bytes().starts_with(b".") {
                self.skipped.push((here.join(name), SkipReason::HiddenDirectory));
            } else if kind == FileType::Directory {
                here.push(name);
                depth += 1;
                self.read_directory(tree, &here, depth, &mut waiting);
            } else {
                self.consider(ConfigPath { path: here.join(name), root: Some(Arc::clone(tree)) }, kind, selection);
            }
        }
    }

    /// Pushes the entries of a directory.
    fn read_directory(
        &mut self,
        tree: &Arc<Tree>,
        path: &Path,
        depth: usize,
        waiting: &mut Vec<(usize, OsString, FileType)>,
    ) {
        let entries = tree.below(path).and_then(|below| tree.entries(below)).unwrap_or_else(|error| {
            self.unread.push((path.to_owned(), directory_unreadable(path, error)));
            Vec::new()
        });
        for TreeEntry { name, kind } in entries.into_iter().rev() {
            match kind {
                Err(error) => {
                    let path = path.join(name);
                    let failure = FileFailure::EntryUnreadable { path: path.clone(), error: error.into() };
                    self.unread.push((path, failure.into()));
                }
                Ok(kind) => waiting.push((depth, name, kind)),
            }
        }
    }

    fn consider(&mut self, config: ConfigPath, kind: FileType, selection: &Selection) {
        let name = config.path.file_name().unwrap_or_default();
        let below = config.root.as_ref().and_then(|tree| tree.below(&config.path).ok()).unwrap_or(&config.path);
        let taken = selection.check(below);
        if temporary_of(name).is_some() {
            self.leftovers.push(config);
        } else if taken.is_ok() || kind == FileType::Symlink && leads_to_directory(&config) {
            match left_out(name, kind) {
                Some(reason) => self.skipped.push((config.path, reason)),
                None => self.configs.push(config),
            }
        } else if let Err(reason) = taken
            && kind == FileType::RegularFile
            && !is_ours(name)
        {
            self.others.push((config, reason));
        }
    }

    /// Records the files that contain a token but were left out because of their names: a rotation would not include
    /// such a token, and it could be lost. Large files are not read, as people do not write large files by hand.
    pub(crate) fn look_at_others(&mut self) {
        const LARGE: usize = 1 << 20;
        for (other, reason) in std::mem::take(&mut self.others) {
            // A file that cannot be read does not count as a config.
            if other.holds_token(LARGE).unwrap_or(false) {
                self.skipped.push((other.path, SkipReason::NotSelected(reason)));
            }
        }
    }
}

/// Reports whether a symlink leads to a directory, or may lead to one that this user cannot see.
fn leads_to_directory(link: &ConfigPath) -> bool {
    let stat = link.open_directory().and_then(|(dir, name)| Ok(rustix::fs::statat(&dir, &name, AtFlags::empty())?));
    match stat {
        Ok(stat) => platform::file_type(platform::mode(&stat)) == FileType::Directory,
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

fn directory_unreadable(path: &Path, error: io::Error) -> Failure {
    FileFailure::DirectoryUnreadable { path: path.to_owned(), error: error.into() }.into()
}

/// Returns why a file with the name of a config does not count as one unless the user names it, or `None` if it counts.
pub(crate) fn left_out(name: &OsStr, kind: FileType) -> Option<SkipReason> {
    let name = name.as_bytes();
    if kind == FileType::Symlink {
        Some(SkipReason::Symlink)
    } else if kind != FileType::RegularFile {
        Some(SkipReason::NotRegular)
    } else if is_example(name) {
        Some(SkipReason::Example)
    } else if name.windows(BACKUP_MARK.len()).any(|part| part == BACKUP_MARK.as_bytes()) {
        Some(SkipReason::Backup)
    } else {
        None
    }
}

/// Reports whether the name is that of an example, which contains no secret.
fn is_example(name: &[u8]) -> bool {
    let holds = |mark: &[u8]| name.windows(mark.len()).any(|part| part == mark);
    name.starts_with(b"config.example")
        || name.starts_with(b"example.")
        || holds(b".example.")
        || name.ends_with(b".example")
        || name.starts_with(b".env.sample")
        || name.starts_with(b".env.template")
}

/// Lists the temporary files in `directory` whose target was one of `names` or a backup of one.
fn leftovers_of(directory: &Path, names: &[OsString]) -> io::Result<Vec<ConfigPath>> {
    let tree = Tree::open(directory)?;
    let is_of = |target: &[u8], name: &OsString| {
        let rest = target.strip_prefix(shortened(name));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(BACKUP_MARK.as_bytes()))
    };
    let mut leftovers = Vec::new();
    for TreeEntry { name, .. } in tree.entries(Path::new(""))? {
        if temporary_of(&name).is_some_and(|target| names.iter().any(|name| is_of(target, name))) {
            leftovers.push(ConfigPath { path: directory.join(name), root: Some(Arc::clone(&tree)) });
        }
    }
    Ok(leftovers)
}
