//! Why a file was skipped, as every command prints it.

use std::fmt;

use super::Failure;

#[derive(Debug, Clone)]
pub(crate) enum SkipReason {
    HiddenDirectory,
    InHiddenDirectory,
    Symlink,
    NotRegular,
    Example,
    Backup,
    /// It contains a token, but it was not selected.
    NotSelected(NotSelected),
    /// It cannot be read as a config, and it contains no token.
    NoToken(Box<Failure>),
    /// It cannot be read as a config, and it contains neither a token nor the name of a secret.
    NoTokenAndNoListedName(Box<Failure>),
    /// It is a config without tokens.
    NothingEncrypted,
    UnderNewKey,
    /// A rollback is not needed.
    Decryptable,
    /// There is neither a backup nor a token that would need one.
    NoBackup,
}

/// Why a file in a directory does not count as a config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotSelected {
    Excluded,
    OtherName,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HiddenDirectory => "hidden directory",
            Self::InHiddenDirectory => "in a hidden directory",
            Self::Symlink => "a symbolic link: name it directly to include its target",
            Self::NotRegular => "not a regular file",
            Self::Example => "an example",
            Self::Backup => "a backup",
            Self::NotSelected(NotSelected::Excluded) => "it contains a token, but --exclude excludes it",
            Self::NotSelected(NotSelected::OtherName) => {
                "it contains a token, but its name is not a config's name: name it directly, or use --include"
            }
            Self::NoToken(failure) => return write!(f, "{}; it contains no token", failure.what()),
            Self::NoTokenAndNoListedName(failure) => {
                return write!(
                    f,
                    "{}; searched only for tokens and the names of listed secrets: none found",
                    failure.what()
                );
            }
            Self::NothingEncrypted => "no encrypted values",
            Self::UnderNewKey => "already under the new key",
            Self::Decryptable => "the current keys already decrypt it",
            Self::NoBackup => "no backup",
        })
    }
}
