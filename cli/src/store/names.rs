//! The names that files get: temporary ones, backups, and what can be read from them.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Between a config's name and the stamp of a backup of it.
pub(super) const BACKUP_MARK: &[u8] = b".backup.";
/// The length of a backup's stamp, as in `20261124_040929`.
const STAMP_LEN: usize = 15;

/// The temporary name of a file `NAME` is `.NAME.fernseal-<16 hex digits>.tmp`.
pub(super) const TEMPORARY_MARK: &str = ".fernseal-";
pub(super) const TEMPORARY_END: &str = ".tmp";

/// If a file's name is one of our temporary ones: the name that it was to become, perhaps shortened.
pub(super) fn temporary_of(name: &OsStr) -> Option<&[u8]> {
    let rest = name.as_bytes().strip_prefix(b".")?.strip_suffix(TEMPORARY_END.as_bytes())?;
    let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(16)?)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    rest.strip_suffix(TEMPORARY_MARK.as_bytes())
}

/// As much of a name as a temporary one takes up: a name may have 255 bytes, and the temporary one must fit too.
pub(super) fn shortened(name: &OsStr) -> &[u8] {
    name.as_bytes().get(..200).unwrap_or(name.as_bytes())
}

/// When a backup was made, as it stands in its name.
pub(crate) fn backup_stamp(backup: &Path) -> Option<&str> {
    backup_parts(backup.file_name()?.as_bytes()).map(|(_, stamp, _)| stamp)
}

/// Of `NAME.backup.20261124_040929_2` the name, the stamp and the count (1 where there is none).
pub(super) fn backup_parts(file: &[u8]) -> Option<(&[u8], &str, u32)> {
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

/// Sixteen random hexadecimal digits, for a name that nobody else has.
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
}
