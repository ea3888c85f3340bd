//! Every note and warning that files, locks and keys give rise to while a command succeeds. As for failures, each
//! variant holds paths and causes, and its words are in one place. Notes and warnings that only one verb prints are in
//! the file of that verb.

use std::fmt;
use std::path::PathBuf;

use super::lock::held_by;
use super::{Cause, Holder, Property};
use crate::quote::shown;

/// A shortcoming of a write that succeeded: what the file system does not support. It is printed as a warning. Any other
/// shortcoming is a failure.
#[derive(Debug, Clone)]
pub(crate) enum Caveat {
    /// The directory of this file cannot be synced.
    Unsynced { path: PathBuf, error: Cause },
    /// The new file lacks an attribute of the old one.
    AttributeLost { path: PathBuf, property: Property, error: Cause },
    /// The replaced file is still there, as `left`.
    OldLeft { path: PathBuf, left: PathBuf },
}

impl fmt::Display for Caveat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsynced { path, error } => write!(
                f,
                "the directory of {} cannot be synced ({error}): a power failure could undo the change",
                shown(path)
            ),
            Self::AttributeLost { path, property, error } => {
                write!(f, "{} has lost its {property}: {error}", shown(path))
            }
            Self::OldLeft { path, left } => {
                write!(f, "the old content of {} cannot be removed: remove {} by hand", shown(path), shown(left))
            }
        }
    }
}

/// What a run meets while it locks directories and removes what killed runs left.
#[derive(Debug, Clone)]
pub(crate) enum LockNotice {
    /// Another run holds the lock, and this run waits for it.
    Waiting { directory: PathBuf, holder: Option<Holder> },
    /// The directory cannot be locked.
    Unlocked { directory: PathBuf, why: NoLock },
    /// This file, which a killed run had left, was removed.
    Removed { path: PathBuf },
    /// A killed run had displaced a file that another program had just saved as `config`. It is called `save` now.
    Rescued { config: PathBuf, save: PathBuf },
}

impl LockNotice {
    /// Reports whether it is a warning, not a note.
    pub(crate) fn is_warning(&self) -> bool {
        match self {
            Self::Unlocked { .. } | Self::Rescued { .. } => true,
            Self::Waiting { .. } | Self::Removed { .. } => false,
        }
    }
}

impl fmt::Display for LockNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting { directory, holder } => write!(f, "waiting: {}", held_by(directory, *holder)),
            Self::Unlocked { directory, why } => write!(
                f,
                "the directory {} cannot be locked ({why}); each file is still compared with what was read before it is \
                 replaced",
                shown(directory)
            ),
            Self::Removed { path } => write!(f, "removed {}, left by a run that was killed", shown(path)),
            Self::Rescued { config, save } => write!(
                f,
                "a killed run was replacing {} when another program saved it; that save is now in {}: compare the two",
                shown(config),
                shown(save)
            ),
        }
    }
}

/// Why a directory cannot be locked.
#[derive(Debug, Clone)]
pub(crate) enum NoLock {
    Failed(Cause),
    /// Someone who may not write in the directory made the file with the name of the lock file.
    Foreign {
        file: &'static str,
    },
}

impl fmt::Display for NoLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "{error}"),
            Self::Foreign { file } => write!(f, "the file {file} in it is not a lock of those who may write there"),
        }
    }
}

/// A weakness of a key that is used all the same.
#[derive(Debug, Clone)]
pub(crate) enum KeyCaveat {
    /// `source` is the name of the place that it comes from.
    EncodedTwice {
        source: String,
    },
    Short,
    /// Other users have access to the key file. `owner` is the user who can change that, if it is not this one.
    Shared {
        path: PathBuf,
        mode: u32,
        owner: Option<u32>,
    },
}

impl fmt::Display for KeyCaveat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EncodedTwice { source } => write!(
                f,
                "the master key from {source} is base64-encoded twice: decoding it gives the text of a key (see base64 -d)"
            ),
            Self::Short => {
                f.write_str("the master key is shorter than 16 bytes, and can be guessed: rotate to a new one")
            }
            Self::Shared { path, mode, owner } => {
                write!(f, "key file {} can be used by others (mode {mode:03o}): ", shown(path))?;
                match owner {
                    None => f.write_str("run chmod 600 on it"),
                    Some(owner) => write!(f, "it belongs to another user ({owner}), who can change that"),
                }
            }
        }
    }
}
