//! Decides which files of a directory are configs: by the endings of their names, and by the user's globs.

use crate::error::NotSelected;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::names::{EDITED_MARK, SAVED_MARK, backup_parts, temporary_of};

/// The endings of configs' names.
const ENDINGS: [&str; 9] = [".json", ".jsonc", ".yaml", ".yml", ".toml", ".env", ".ini", ".conf", ".properties"];

/// Reports whether the name is that of a config: by its ending, or as `.env` or `.env.*`.
pub(super) fn is_config_name(name: &OsStr) -> bool {
    let name = name.as_bytes();
    let has_ending = || ENDINGS.iter().any(|ending| name.ends_with(ending.as_bytes()));
    !is_ours(OsStr::from_bytes(name)) && (name.starts_with(b".env.") || has_ending())
}

/// Reports whether the name is that of a file that this program creates, or of its settings.
pub(super) fn is_ours(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    let holds = |mark: &str| bytes.windows(mark.len()).any(|part| part == mark.as_bytes());
    temporary_of(name).is_some()
        || backup_parts(bytes).is_some()
        || holds(EDITED_MARK)
        || holds(SAVED_MARK)
        || bytes.starts_with(b".fernseal.")
}

/// The user's globs, which complement the endings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// Files to include in addition.
    pub(crate) include: Vec<Glob>,
    /// Files to leave out.
    pub(crate) exclude: Vec<Glob>,
}

/// A glob of files.
#[derive(Debug, Clone)]
pub(crate) struct Glob {
    pub(crate) text: String,
    /// The path from the glob's directory to the one that is searched; empty if they are the same.
    pub(crate) way: PathBuf,
}

impl Selection {
    /// Checks whether a file is a config, by its path below the searched directory. The error is the reason why it is
    /// left out.
    pub(super) fn check(&self, below: &Path) -> Result<(), NotSelected> {
        let name = below.file_name().unwrap_or_default();
        if matches_any(&self.exclude, below) {
            Err(NotSelected::Excluded)
        } else if is_config_name(name) || matches_any(&self.include, below) {
            Ok(())
        } else {
            Err(NotSelected::OtherName)
        }
    }
}

/// Reports whether one of `globs` matches the path, or only its last part if the glob has no `/`.
fn matches_any(globs: &[Glob], below: &Path) -> bool {
    globs.iter().any(|Glob { text, way }| {
        let glob = text.strip_prefix("./").unwrap_or(text).as_bytes();
        match glob.contains(&b'/') {
            true => matches(glob, way.join(below).as_os_str().as_bytes()),
            false => matches(glob, below.file_name().unwrap_or_default().as_bytes()),
        }
    })
}

/// Reports whether `glob` matches `text`. `?` matches one byte except `/`, `*` any number of such bytes, and `**` any
/// number of bytes. `**/` also matches nothing.
fn matches(glob: &[u8], text: &[u8]) -> bool {
    // The offsets of the text up to which the glob matches so far. The time is the product of the two lengths.
    let mut places = vec![false; text.len() + 1];
    places[0] = true;
    let mut rest = glob;
    while let [first, behind @ ..] = rest {
        let mut next = vec![false; text.len() + 1];
        if *first == b'*' {
            let is_deep = behind.first() == Some(&b'*');
            rest = if is_deep { &behind[1..] } else { behind };
            let is_levels = is_deep && rest.first() == Some(&b'/');
            let mut is_open = false;
            for (at, is_here) in places.iter().enumerate() {
                is_open |= is_here;
                next[at] = is_open;
                is_open &= is_deep || text.get(at) != Some(&b'/');
            }
            if is_levels {
                // `**/` matches nothing, or whole directory names.
                let ends_level = |at: usize| places[at] || at > 0 && text[at - 1] == b'/' && next[at];
                places = (0..=text.len()).map(ends_level).collect();
                rest = &rest[1..];
                continue;
            }
        } else {
            for (at, byte) in text.iter().enumerate().filter(|(at, _)| places[*at]) {
                next[at + 1] = if *first == b'?' { *byte != b'/' } else { byte == first };
            }
            rest = behind;
        }
        places = next;
    }
    places[text.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_matches_as_a_shells_does() {
        for (glob, text, is_match) in [
            ("*.tf", "main.tf", true),
            ("*.tf", "a/main.tf", false),
            ("main.?f", "main.tf", true),
            ("a?b", "a/b", false),
            ("a/*.tf", "a/main.tf", true),
            ("a/*.tf", "a/b/main.tf", false),
            ("a/**/x", "a/x", true),
            ("a/**/x", "a/b/c/x", true),
            ("a/**/x", "a/bx", false),
            ("**/x", "x", true),
            ("a/**", "a/b/c", true),
            ("*", "", true),
            ("", "a", false),
            ("*a*b", "xaybzb", true),
            ("*a*b", "xaybzc", false),
            ("\u{fc}*", "\u{fc}x", true),
        ] {
            assert_eq!(matches(glob.as_bytes(), text.as_bytes()), is_match, "{glob} {text}");
        }
    }

    #[test]
    fn configs_are_known_by_their_names() {
        for name in [
            "a.json",
            "a.jsonc",
            "a.yaml",
            "a.yml",
            "a.toml",
            "a.env",
            ".env",
            ".env.local",
            "a.ini",
            "a.conf",
            "a.properties",
            ".env.encrypted",
        ] {
            assert!(is_config_name(OsStr::new(name)), "{name}");
        }
        for name in [
            "a",
            "a.txt",
            "env",
            "a.json.backup.20261124_040929",
            ".env.backup.20261124_040929",
            ".env.edited.20261124_040929",
            ".fernseal.toml",
            ".a.env.fernseal-0123456789abcdef.tmp",
        ] {
            assert!(!is_config_name(OsStr::new(name)), "{name}");
        }
    }
}
