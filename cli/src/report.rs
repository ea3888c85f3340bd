//! What the command says: results on stdout, everything else on stderr.
//! Control characters are escaped on the way, so that a file name or a member's name cannot drive the terminal.
//! Also here: times and ages as people write them.

use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use fernseal_core::{MasterKey, stack};
use serde_json::{Value, json};

use crate::USED_STACK;
use crate::failure::{Exit, Failure, Result};

/// The version of cli/schema.json: it changes when a field goes or means something else.
pub(crate) const SCHEMA: u32 = 1;

/// How much is said on stderr.
pub(crate) struct Report {
    quiet: bool,
    verbose: Cell<bool>,
}

impl Report {
    pub(crate) fn new(quiet: bool, verbose: bool) -> Self {
        Self { quiet, verbose: Cell::new(verbose) }
    }

    /// The config asks for `"logging": {"level": "DEBUG"}`.
    pub(crate) fn be_verbose(&self) {
        self.verbose.set(!self.quiet);
    }

    /// Only what went wrong is to be said.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// What was done, in a line.
    pub(crate) fn note(&self, text: impl Display) {
        if !self.quiet {
            say(&text.to_string());
        }
    }

    /// What is allowed but should not stay so.
    pub(crate) fn warn(&self, text: impl Display) {
        say(&format!("warning: {text}"));
    }

    /// A step on the way, for whoever looks for a fault.
    pub(crate) fn trace(&self, text: impl Display) {
        if self.verbose.get() {
            say(&format!("debug: {text}"));
        }
    }
}

/// Writes to stderr; if that is closed there is nobody to tell.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{}", clean(text));
}

/// Writes a line of the result to stdout.
pub(crate) fn result(text: impl Display) -> Result<()> {
    writeln!(io::stdout(), "{}", clean(&text.to_string())).map_err(|error| stdout_failed(&error))
}

/// Writes a result for machines to stdout, in a line: `fields` under the version of the schema (cli/schema.json) and the
/// command's name.
pub(crate) fn json(command: &str, fields: Value) -> Result<()> {
    let mut whole = json!({ "schema": SCHEMA, "command": command });
    if let (Value::Object(whole), Value::Object(fields)) = (&mut whole, fields) {
        whole.extend(fields);
    }
    // JSON escapes control characters itself.
    result(whole)
}

/// For machines: files that were left as they are, each with the reason.
pub(crate) fn skipped_in_json(skipped: &[(String, String)]) -> Vec<Value> {
    skipped.iter().map(|(file, reason)| json!({ "file": file, "reason": reason })).collect()
}

/// For machines: files that failed.
pub(crate) fn failed_in_json(failed: &[(String, Failure)]) -> Vec<Value> {
    let in_json =
        |(file, failure): &(_, Failure)| json!({ "file": file, "reason": failure.what, "next": failure.next });
    failed.iter().map(in_json).collect()
}

/// Says why a command failed. A reader that went away has heard enough.
pub(crate) fn say_failure(failure: &Failure) {
    if !failure.what.is_empty() {
        say(&failure.to_string());
    }
}

/// Several failures in their order: the last is left to main, the others are said here; the exit code is the first one's.
pub(crate) fn say_all(failures: impl IntoIterator<Item = Failure>) -> Result<()> {
    let mut failures = failures.into_iter();
    let Some(mut last) = failures.next() else { return Ok(()) };
    let exit = last.exit;
    for failure in failures {
        say_failure(&last);
        last = failure;
    }
    Err(Failure { exit, ..last })
}

/// Writes bytes to stdout as they are.
pub(crate) fn result_bytes(pieces: &[&[u8]]) -> Result<()> {
    // Not through the buffer of stdout, in which a secret would stay.
    let write = || {
        io::stdout().flush()?;
        let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        pieces.iter().try_for_each(|piece| out.write_all(piece))
    };
    write().map_err(|error| stdout_failed(&error))
}

/// A failure to write to stdout. A reader that went away (`| head`) is no fault of ours: main keeps quiet about it.
fn stdout_failed(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::new(Exit::File, "", "");
    }
    Failure::new(Exit::File, format!("stdout cannot be written: {error}"), "the result is not complete; run it again")
}

/// `text` with control characters escaped, line ends excepted.
fn clean(text: &str) -> Cow<'_, str> {
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

/// The present, in Unix seconds.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A Unix time as a date in UTC: `2026-11-24 04:09:29`.
pub(crate) fn date(seconds: u64) -> String {
    let (year, month, day, hour, minute, second) = civil(seconds);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// A Unix time as it stands in a backup's name, in UTC: `20261124_040929`.
pub(crate) fn stamp(seconds: u64) -> String {
    let (year, month, day, hour, minute, second) = civil(seconds);
    format!("{year:04}{month:02}{day:02}_{hour:02}{minute:02}{second:02}")
}

/// Howard Hinnant's `civil_from_days`: eras of 400 years that begin on 1 March.
fn civil(seconds: u64) -> (u64, u64, u64, u64, u64, u64) {
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60)
}

/// How long ago `then` was.
pub(crate) fn age(then: u64, now: u64) -> String {
    let Some(seconds) = now.checked_sub(then) else { return "in the future".to_owned() };
    let (count, unit) = match seconds {
        0..120 => return "just now".to_owned(),
        120..7_200 => (seconds / 60, "minutes"),
        7_200..172_800 => (seconds / 3_600, "hours"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{count} {unit} ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_times_become_the_dates_that_gnu_date_prints() {
        assert_eq!(date(0), "1970-01-01 00:00:00");
        assert_eq!(date(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(date(1_764_000_000), "2025-11-24 16:00:00");
        assert_eq!(date(4_107_542_399), "2100-02-28 23:59:59");
        assert_eq!(stamp(4_107_542_400), "21000301_000000");
    }

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
