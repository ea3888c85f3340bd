//! Finds the settings file for a config: the nearest one, from the config's directory upwards.
//!
//! The search ends at the top of the repository, so that files outside it do not change what CI finds. Without a
//! repository it ends at the root. This module does not check the owner of the file.

use std::io;
use std::path::{Path, PathBuf};

/// Returns the file `name` in the nearest directory above that of `config`, and the path from there down to the
/// config's directory. In a repository, the search ends at its top. The caller checks the config's own directory first:
/// it is not searched here.
pub(crate) fn nearest_above(config: &Path, name: &str) -> io::Result<Option<(PathBuf, PathBuf)>> {
    let directory = config.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // With `..` or links, the names in the path would not be those of the directories above.
    let real = directory.canonicalize()?;
    let mut below = &*real;
    for directory in real.ancestors().skip(1) {
        // `.git` is a directory, or a file in worktrees and submodules.
        if exists(&below.join(".git"))? {
            return Ok(None);
        }
        let file = directory.join(name);
        if exists(&file)? {
            return Ok(Some((file, real.strip_prefix(directory).unwrap_or(Path::new("")).to_owned())));
        }
        below = directory;
    }
    Ok(None)
}

/// Reports whether the name exists, even as a dangling symlink.
fn exists(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_nearest_file_above_counts_up_to_the_repositorys_top() {
        let top = std::env::temp_dir().join(format!("fernseal-nearest-{}", std::process::id()));
        fs::create_dir_all(top.join("repo/a/b")).unwrap();
        let top = top.canonicalize().unwrap();
        let found = |config: &str| nearest_above(&top.join(config), "s.toml").unwrap();
        let at = |file: &str, way: &str| Some((top.join(file), way.into()));
        assert_eq!(found("repo/a/b/c.json"), None);
        fs::write(top.join("s.toml"), "").unwrap();
        assert_eq!(found("repo/a/b/c.json"), at("s.toml", "repo/a/b"));
        fs::write(top.join("repo/s.toml"), "").unwrap();
        assert_eq!(found("repo/a/b/c.json"), at("repo/s.toml", "a/b"));
        // The file in the config's own directory does not count as above it.
        assert_eq!(found("repo/c.json"), at("s.toml", "repo"));
        fs::create_dir(top.join("repo/.git")).unwrap();
        assert_eq!(found("repo/c.json"), None);
        assert_eq!(found("repo/a/b/c.json"), at("repo/s.toml", "a/b"));
        // A worktree within the repository has its own top.
        fs::write(top.join("repo/a/.git"), "gitdir: x").unwrap();
        assert_eq!(found("repo/a/b/c.json"), None);
        assert_eq!(found("repo/a/b/../../c.json"), None);
        fs::remove_dir_all(&top).unwrap();
    }
}
