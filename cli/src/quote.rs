//! Prepares text for display: escapes it for a terminal, quotes it for a shell, and encodes it as one line of JSON.
//!
//! Everything that comes from elsewhere (paths, member names, output of other programs) passes through here before a
//! person sees it, so that it cannot control the terminal or forge a line. If a path turns out to be a master key, the
//! key is not shown.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use fernseal_core::{MasterKey, stack};
use serde::{Deserialize, Serialize};

use crate::env::{KEY, KEY_FILE, USED_STACK, is_empty, variable};

/// The invisible characters of Unicode 16.0: format characters (general category Cf), line separators (Zl) and
/// paragraph separators (Zp). They can reorder a line, hide in it or end it. A test compares this table with Python's
/// `unicodedata`.
const INVISIBLE: [(char, char); 21] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{2064}'),
    ('\u{2066}', '\u{206f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0001}', '\u{e0001}'),
    ('\u{e0020}', '\u{e007f}'),
];

/// Reports whether `char` must be escaped: it is a control character, or an invisible one from [`INVISIBLE`].
pub(crate) fn is_escaped(char: char) -> bool {
    if char.is_ascii() {
        return char.is_ascii_control();
    }
    char.is_control() || INVISIBLE.iter().any(|(first, last)| (*first..=*last).contains(&char))
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_escaped(char) { escaped.extend(char.escape_default()) } else { escaped.push(char) }
    }
    escaped.into()
}

/// Escapes text from elsewhere, such as a name in a file or the output of another program, so that it stays on one
/// line.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_escaped)
}

/// Escapes a message of this program, which may quote text from elsewhere. Newlines stay, as the message may have
/// several lines.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    escaped(text, |char| char != '\n' && is_escaped(char))
}

/// The JSON Pointer or dotted name of a value, exactly as it is in the file or on the command line. Code and JSON
/// output see the exact text; `Display` escapes it for people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Pointer(String);

impl From<String> for Pointer {
    fn from(exact: String) -> Self {
        Self(exact)
    }
}

impl AsRef<str> for Pointer {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Deref for Pointer {
    type Target = str;

    /// Returns the exact text. To show it to a person, use `Display`.
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&self.0))
    }
}

/// Encodes `value` as one line of JSON. Characters that could control a terminal become `\u` escapes, so a JSON reader
/// still gets the exact text.
pub(crate) fn json_line(value: &serde_json::Value) -> String {
    let text = value.to_string();
    if !text.contains(is_escaped) {
        return text;
    }
    let mut line = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match is_escaped(char) {
            true => char.encode_utf16(&mut [0; 2]).iter().for_each(|unit| line.push_str(&format!("\\u{unit:04x}"))),
            false => line.push(char),
        }
    }
    line
}

/// Reports whether `text` is a master key of 32 bytes. Callers expect a path or a config there, so such a key was given
/// by mistake.
pub(crate) fn is_key_text(text: &str) -> bool {
    let text = text.trim_ascii();
    let is_key = || MasterKey::from_text(text).is_ok_and(|key| !key.is_short());
    text.len() == 44 && text.ends_with('=') && stack::wiped_after::<USED_STACK, _>(is_key)
}

/// Returns a path for a message, on one line and escaped. A master key that was given instead of a path is not shown.
pub(crate) fn shown(path: &Path) -> String {
    let path = path.to_string_lossy();
    if is_key_text(&path) {
        return "(a master key, not a path)".to_owned();
    }
    one_line(&path).into_owned()
}

/// Returns a suffix that says what a relative path is relative to; empty for an absolute path.
pub(crate) fn relative_to(path: &Path) -> String {
    if path.is_absolute() || path.to_str().is_some_and(is_key_text) {
        return String::new();
    }
    match std::env::current_dir() {
        Ok(directory) => format!(" (relative to {})", shown(&directory)),
        Err(_) => " (relative to the current directory, which is gone)".to_owned(),
    }
}

/// Returns a number with its noun: `1 token`, `2 tokens`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Returns the end of a sentence that says what was examined: `; 2 paths skipped`, or nothing if no path was.
pub(crate) fn and_skipped(paths: usize) -> String {
    if paths == 0 { String::new() } else { format!("; {} skipped", count(paths, "path")) }
}

/// Quotes a word for a shell. A word with unprintable characters or invalid UTF-8 uses bash's `$'…'` form.
pub(crate) fn quoted(word: impl AsRef<OsStr>) -> String {
    let word = word.as_ref();
    let plain = |char: char| char.is_ascii_alphanumeric() || "/._-+@".contains(char);
    match word.to_str().filter(|text| !text.contains(is_escaped)) {
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

/// Returns the shell lines that make the key in `file` the master key. If a variable already names a key file, it must
/// name the new one, because two different keys are refused.
pub(crate) fn exports(file: &Path) -> String {
    let as_text = format!("  export {KEY}=\"$(cat {})\"", quoted_path(file));
    if variable(KEY_FILE).is_none() {
        return as_text;
    }
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let by_name = format!("  export {KEY_FILE}={}", quoted(absolute));
    let is_text_set = std::env::var_os(KEY).is_some() && !is_empty(KEY);
    if is_text_set { format!("{as_text}\n{by_name}") } else { by_name }
}

/// Quotes a path for a shell command. A path that begins with `-` gets `./` in front, as the command would take it for
/// an option.
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
