//! How paths, names and words are shown: escaped for a terminal, quoted for a shell.
//! A master key that was given in the place of a path is never shown.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use fernseal_core::{MasterKey, stack};

use crate::env::USED_STACK;

/// `text` with control characters escaped, line ends excepted.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let control = |char: char| char.is_control() && char != '\n';
    if !text.contains(control) {
        return Cow::Borrowed(text);
    }
    text.chars()
        .map(|char| if control(char) { char.escape_default().to_string() } else { char.to_string() })
        .collect::<String>()
        .into()
}

/// Whether `text` is a master key of 32 bytes: where a path or a config is expected, it was put there by mistake.
pub(crate) fn is_key_text(text: &str) -> bool {
    let text = text.trim_ascii();
    let is_key = || MasterKey::from_text(text).is_ok_and(|key| !key.is_short());
    text.len() == 44 && text.ends_with('=') && stack::wiped_after::<USED_STACK, _>(is_key)
}

/// A path for messages: no control characters, line ends neither, and no master key that was given in a path's place.
pub(crate) fn shown(path: &Path) -> String {
    let path = path.to_string_lossy();
    if is_key_text(&path) {
        return "(a master key, not a path)".to_owned();
    }
    clean(&path).replace('\n', "\\n")
}

/// A number of things, in words: `1 token`, `2 tokens`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// A word as a shell takes it; bash's form for what cannot be printed as it is.
pub(crate) fn quoted(word: impl AsRef<OsStr>) -> String {
    let word = word.as_ref();
    let plain = |char: char| char.is_ascii_alphanumeric() || "/._-+@".contains(char);
    match word.to_str().filter(|text| !text.contains(char::is_control)) {
        Some(text) if !text.is_empty() && text.chars().all(plain) => text.to_owned(),
        Some(text) => format!("'{}'", text.replace('\'', "'\\''")),
        None => {
            let escaped = |byte: &u8| match byte {
                b' '..=b'~' if !b"'\\".contains(byte) => char::from(*byte).to_string(),
                _ => format!("\\{byte:03o}"),
            };
            format!("$'{}'", word.as_bytes().iter().map(escaped).collect::<String>())
        }
    }
}

/// A path as a command takes it from a shell: one that begins with `-` would be an option.
pub(crate) fn quoted_path(path: &Path) -> String {
    if path.as_os_str().as_bytes().starts_with(b"-") { quoted(Path::new(".").join(path)) } else { quoted(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_a_quoted_path_for_that_path() {
        for (path, word) in [
            (b"a/b.json".as_slice(), "a/b.json"),
            (b"it's c.json", "'it'\\''s c.json'"),
            (b"-c.json", "./-c.json"),
            ("\u{fc}.json".as_bytes(), "'\u{fc}.json'"),
            (b"\xff 7'\\.json", "$'\\377 7\\047\\134.json'"),
            (b"a\n1", "$'a\\0121'"),
        ] {
            assert_eq!(quoted_path(Path::new(OsStr::from_bytes(path))), word);
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(clean("a\x1b[2Jb\nc"), "a\\u{1b}[2Jb\nc");
        assert_eq!(shown(Path::new("a\nb")), "a\\nb");
    }

    #[test]
    fn a_master_key_in_a_paths_place_is_not_shown_and_a_path_as_long_is() {
        for key in ["4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8=", "4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8=\n"] {
            assert_eq!(shown(Path::new(key)), "(a master key, not a path)");
        }
        let path = "/var/lib/proxmox-mcp/configs/production/main";
        assert_eq!((path.len(), shown(Path::new(path))), (44, path.to_owned()));
    }
}
