//! Reads the configs in git's index, whose contents may differ from those in the working tree.
//!
//! It runs `git` rather than reading the repository, so that the user's git settings apply. The environment of git
//! contains no master key.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::FileType;

use super::selection::is_config_name;
use crate::env::KEY_VARIABLES;
use crate::error::{Failure, ProgramFailure, Result};
use crate::platform;

/// A config that is staged.
pub(crate) struct Staged {
    /// The path from the top of the repository.
    pub(crate) path: PathBuf,
    pub(crate) kind: FileType,
    /// The object id of its content.
    blob: String,
}

impl Staged {
    pub(crate) fn read(&self) -> Result<Vec<u8>> {
        read(&self.blob)
    }
}

/// Returns the configs that are staged, anywhere in the repository.
pub(crate) fn staged() -> Result<Vec<Staged>> {
    // Outside of a repository, `git diff` would compare two files instead of failing.
    git(&["rev-parse", "--git-dir"])?;
    let raw = ["diff", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-relative", "--diff-filter=AMT"];
    let listed = git(&raw)?;
    // The output alternates between `:MODE MODE BLOB BLOB STATUS` (old and new mode, old and new blob) and a path.
    let mut fields = listed.split(|byte| *byte == 0);
    let mut staged = Vec::new();
    while let (Some(entry), Some(path)) = (fields.next(), fields.next()) {
        let entry = String::from_utf8_lossy(entry);
        if !is_config_name(Path::new(OsStr::from_bytes(path)).file_name().unwrap_or_default()) {
            continue;
        }
        let mut words = entry.split(' ').skip(1);
        let mode = words.next().and_then(|mode| u32::from_str_radix(mode, 8).ok());
        let (Some(mode), Some(blob)) = (mode, words.nth(1)) else { return Err(unknown(&entry)) };
        let path = PathBuf::from(OsStr::from_bytes(path));
        staged.push(Staged { path, kind: platform::file_type(mode), blob: blob.to_owned() });
    }
    Ok(staged)
}

/// The files in the index with a given name, anywhere in the repository: path and object id.
#[derive(Default)]
pub(crate) struct FilesNamed(BTreeMap<PathBuf, String>);

impl FilesNamed {
    pub(crate) fn list(name: &str) -> Result<Self> {
        let only = format!(":(top,glob)**/{name}");
        let listed = git(&["ls-files", "--full-name", "--stage", "-z", "--", &only])?;
        // Each entry is `MODE BLOB STAGE`, a tab and the path.
        let mut blobs = BTreeMap::new();
        for entry in listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
            let invalid = || unknown(&String::from_utf8_lossy(entry));
            let tab = entry.iter().position(|byte| *byte == b'\t').ok_or_else(invalid)?;
            let words = String::from_utf8_lossy(&entry[..tab]);
            let blob = words.split(' ').nth(1).ok_or_else(invalid)?;
            blobs.insert(PathBuf::from(OsStr::from_bytes(&entry[tab + 1..])), blob.to_owned());
        }
        Ok(Self(blobs))
    }

    /// Reads the file in the directory of `config`, or the nearest one above it.
    pub(crate) fn nearest(&self, config: &Path, name: &str) -> Result<Option<(PathBuf, Vec<u8>)>> {
        let mut paths = config.ancestors().skip(1).map(|directory| directory.join(name));
        let Some((path, blob)) = paths.find_map(|path| self.0.get_key_value(&path)) else { return Ok(None) };
        read(blob).map(|bytes| Some((path.clone(), bytes)))
    }
}

/// Returns the relative path from the current directory to the top of the repository. Staged paths start there.
pub(crate) fn way_to_top() -> Result<PathBuf> {
    let way = git(&["rev-parse", "--show-cdup"])?;
    Ok(PathBuf::from(OsStr::from_bytes(way.trim_ascii_end())))
}

/// Returns the failure for output of git that this program cannot parse.
fn unknown(entry: &str) -> Failure {
    ProgramFailure::GitUnknown { entry: entry.to_owned() }.into()
}

fn read(blob: &str) -> Result<Vec<u8>> {
    git(&["cat-file", "blob", blob])
}

/// Runs git and returns its output.
fn git<S: AsRef<OsStr>>(arguments: &[S]) -> Result<Vec<u8>> {
    let mut command = Command::new("git");
    KEY_VARIABLES.iter().for_each(|name| _ = command.env_remove(name));
    let output =
        command.args(arguments).output().map_err(|error| ProgramFailure::GitNotStarted { error: error.into() })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(ProgramFailure::GitFailed { said: said.lines().next().map(str::to_owned) }.into())
}
