//! Merges three texts by lines. It runs `git merge-file`, so that the result, the conflicts and their style are git's.
//!
//! Git reads the texts from files in a folder in memory, which are removed right afterwards. The caller must have
//! replaced the secrets in the texts.

use std::ffi::OsStr;
use std::io;
use std::process::Command;

use zeroize::Zeroizing;

use super::MemoryFolder;
use crate::env::KEY_VARIABLES;
use crate::error::{ProgramFailure, Result};

/// The result of a merge by lines.
pub(crate) struct LineMerge {
    pub(crate) text: Zeroizing<String>,
    /// The number of conflicts that are marked in the text.
    pub(crate) conflicts: usize,
}

/// Merges the texts of the base, of ours and of theirs. `labels` are their names in conflicts, and `marker_size` is the
/// length of the lines that mark them.
pub(crate) fn merge_lines(texts: [&str; 3], labels: [&str; 3], marker_size: usize) -> Result<LineMerge> {
    let no_folder = |error: io::Error| ProgramFailure::NoMemoryForMerge { error: error.into() };
    let folder = MemoryFolder::create().map_err(no_folder)?;
    let mut git = Command::new("git");
    KEY_VARIABLES.iter().for_each(|name| _ = git.env_remove(name));
    git.args(["merge-file", "-p", "-q", &format!("--marker-size={marker_size}")]);
    // Git expects ours first.
    for at in [1, 0, 2] {
        git.args(["-L", labels[at]]);
    }
    git.arg("--");
    for at in [1, 0, 2] {
        let name = ["base", "ours", "theirs"][at];
        git.arg(folder.add(OsStr::new(name), &[texts[at].as_bytes()]).map_err(no_folder)?);
    }
    let output = git.output().map_err(|error| ProgramFailure::GitNotStarted { error: error.into() })?;
    let text = Zeroizing::new(output.stdout);
    // The exit code is the number of conflicts, at most 127.
    let conflicts = output.status.code().filter(|code| (0..128).contains(code));
    let text = std::str::from_utf8(&text).ok().map(|text| Zeroizing::new(text.to_owned()));
    match (conflicts, text) {
        (Some(conflicts), Some(text)) => Ok(LineMerge { text, conflicts: conflicts as usize }),
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(ProgramFailure::GitNotMerged { said: said.lines().next().map(str::to_owned) }.into())
        }
    }
}
