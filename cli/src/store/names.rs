//! The file names that the program makes and recognizes: temporary files, backups and other copies of configs.
//!
//! This module only builds and parses names; it touches no file. Change it when a name's format changes.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Separates a config's name from the time stamp in the name of its backup.
pub(super) const BACKUP_MARK: &str = ".backup.";
/// The same for an edited text that could not become the config.
pub(super) const EDITED_MARK: &str = ".edited.";
/// Separates a config's name from a number in the name of what another program saved to it while a run was killed.
pub(super) const SAVED_MARK: &str = ".saved.";
/// The length of a backup's time stamp, such as `20261124_040929`.
pub(super) const STAMP_LEN: usize = 15;

/// Marks the name of a temporary file. There are two forms:
///
/// * `.NAME.fernseal-<16 random hex digits>.tmp`: a file that is being written, where the file system requires a name
///   from the start.
/// * `.NAME.fernseal-<32 hex digits>.tmp`: a file that is about to be exchanged with `NAME`. The digits are the
///   fingerprints of the new and of the old file (`mark_of`), so that a later run can tell after a crash which of the
///   two it found.
pub(super) const TEMPORARY_MARK: &str = ".fernseal-";
pub(super) const TEMPORARY_END: &str = ".tmp";

/// A temporary file's name, parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TemporaryName<'n> {
    /// The name of the target file, possibly shortened.
    pub(super) target: &'n [u8],
    /// The fingerprints of the new and of the old file, if the two were about to be exchanged.
    pub(super) marks: Option<(u64, u64)>,
}

/// Builds the temporary name for `target` with these digits.
pub(super) fn temporary_name(target: &OsStr, digits: &str) -> OsString {
    let mut name = OsString::from(".");
    name.push(OsStr::from_bytes(shortened(target)));
    name.push(format!("{TEMPORARY_MARK}{digits}{TEMPORARY_END}"));
    name
}

/// Formats the digits for a file that is about to be exchanged with another.
pub(super) fn mark_digits(new: u64, old: u64) -> String {
    format!("{new:016x}{old:016x}")
}

/// Parses a file name. Returns `None` if it is not a temporary name of this program.
pub(super) fn parse_temporary(name: &OsStr) -> Option<TemporaryName<'_>> {
    let rest = name.as_bytes().strip_prefix(b".")?.strip_suffix(TEMPORARY_END.as_bytes())?;
    let at = rest.windows(TEMPORARY_MARK.len()).rposition(|part| part == TEMPORARY_MARK.as_bytes())?;
    let (target, digits) = (&rest[..at], &rest[at + TEMPORARY_MARK.len()..]);
    let digits =
        std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let marks = match digits.len() {
        16 => None,
        32 => {
            let (new, old) = digits.split_at(16);
            Some((u64::from_str_radix(new, 16).ok()?, u64::from_str_radix(old, 16).ok()?))
        }
        _ => return None,
    };
    Some(TemporaryName { target, marks })
}

/// Returns the target's name, possibly shortened, if `name` is a temporary name of this program.
pub(super) fn temporary_of(name: &OsStr) -> Option<&[u8]> {
    parse_temporary(name).map(|name| name.target)
}

/// Returns the first 200 bytes of a name. Linux limits names to 255 bytes, and the temporary name adds up to 50.
pub(super) fn shortened(name: &OsStr) -> &[u8] {
    name.as_bytes().get(..200).unwrap_or(name.as_bytes())
}

/// Returns the time stamp in a backup's name.
pub(crate) fn backup_stamp(backup: &Path) -> Option<&str> {
    backup_parts(backup.file_name()?.as_bytes()).map(|(_, stamp, _)| stamp)
}

/// Splits `NAME.backup.20261124_040929_2` into the name, the time stamp and the counter, which is 1 if absent.
pub(super) fn backup_parts(file: &[u8]) -> Option<(&[u8], &str, u32)> {
    let mark = file.windows(BACKUP_MARK.len()).rposition(|part| part == BACKUP_MARK.as_bytes())?;
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

/// Returns the name of the config that a file is a copy of, or the name of the file itself. A copy has the format of its
/// config.
pub(crate) fn name_without_copy_mark(file: &str) -> &str {
    let is_stamp = |stamp: &str| stamp.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let copied = [BACKUP_MARK, EDITED_MARK, SAVED_MARK].iter().find_map(|mark| file.rsplit_once(mark));
    copied.filter(|(_, stamp)| is_stamp(stamp)).map_or(file, |(config, _)| config)
}

/// Returns sixteen random hex digits, which make a name unique.
pub(super) fn random_digits() -> io::Result<String> {
    Ok(format!("{:016x}", getrandom::u64().map_err(io::Error::other)?))
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

    #[test]
    fn a_copys_name_tells_that_of_its_config() {
        for (file, config) in [
            ("a.json.backup.20261124_040929", "a.json"),
            (".env.edited.20261124_040929_2", ".env"),
            ("a.yaml.saved.1", "a.yaml"),
            ("a.saved.json", "a.saved.json"),
            ("a.json", "a.json"),
        ] {
            assert_eq!(name_without_copy_mark(file), config);
        }
    }

    #[test]
    fn a_temporary_name_tells_its_target_and_both_marks() {
        let parsed = |name: &'static str| parse_temporary(OsStr::new(name));
        let of = |target, marks| Some(TemporaryName { target, marks });
        let (written, exchanged) = (temporary_name(OsStr::new("a.json"), "0123456789abcdef"), mark_digits(1, u64::MAX));
        assert_eq!(parse_temporary(&written), of(b"a.json", None));
        assert_eq!(
            parse_temporary(&temporary_name(OsStr::new("a.json"), &exchanged)),
            of(b"a.json", Some((1, u64::MAX)))
        );
        assert_eq!(parsed(".a.fernseal-x.fernseal-0123456789abcdef.tmp"), of(b"a.fernseal-x", None));
        for name in [
            "a.json.fernseal-0123456789abcdef.tmp",
            ".a.json.fernseal-0123456789abcde.tmp",
            ".a.json.fernseal-0123456789abcdeg.tmp",
            ".a.json.fernseal-0123456789abcdef",
            ".a.json.fernseal-0123456789abcdef0.tmp",
        ] {
            assert_eq!(parsed(name), None, "{name}");
        }
    }
}
