//! `rotate`, its way back, and the removal of backups: what was not done, and how to go on.

use std::path::PathBuf;

use super::{Absence, Exit, Message, message};
use crate::quote::{count, shown};

#[derive(Debug, Clone)]
pub(crate) enum RotationFailure {
    // Forward.
    /// A signal came before the first file was changed.
    InterruptedWhileChecking,
    /// So many files are left; the command finishes the rotation.
    Interrupted { left: usize, resume: String },
    /// None of so many configs has a token.
    NothingToRotate { configs: usize },
    /// A dry run found files that fail.
    WouldFail,
    /// So many files were left out, and no file was rotated.
    AllLeftOut { files: usize },
    /// So many files were left out before the rotation began, and so many failed in it.
    SomeFailed { left_out: usize, failed: usize, resume: String },

    // Back.
    /// A signal came; so many files were not reached.
    RollbackInterrupted { left: usize },
    /// None of so many configs has a backup.
    NothingToPutBack { configs: usize },
    /// So many files are as they were.
    SomeNotPutBack { files: usize },
    /// A config needs a backup and has none.
    NoBackup { config: PathBuf },
    /// More than tokens changed since the backup.
    EditedSince { config: PathBuf, backup: PathBuf },
    /// A secret is newer than the backup, or was moved since.
    SecretChangedSince { config: PathBuf, backup: PathBuf },

    // `backups prune`.
    /// A signal came; so many backups were not removed.
    PruneInterrupted { left: usize },
    /// The question was answered with something else than yes.
    NotConfirmed,
    /// Nobody was asked whether to remove so many backups.
    NotAsked { backups: usize, why: Absence },
    /// The backups of so many configs may still be needed.
    BackupsStay { configs: usize },
    /// A config has lost its tokens, of which its backups have the last.
    NoTokensLeft { config: PathBuf },
}

/// The question before backups are removed.
pub(crate) fn removal_question(backups: usize) -> String {
    format!("Remove {}?", count(backups, "backup"))
}

/// What to do where the answer was not yes.
pub(super) const NOTHING_REMOVED: &str = "nothing was removed; run it again and answer yes, or give --yes";

const GOES_ON: &str = "run the same command again: it goes on where it stopped";

impl RotationFailure {
    pub(super) fn message(&self) -> Message {
        match self {
            Self::InterruptedWhileChecking => {
                message(Exit::Interrupted, "interrupted while checking", "nothing was changed; run it again when ready")
            }
            Self::Interrupted { left, resume } => message(
                Exit::Interrupted,
                format!("interrupted: {} not rotated yet", count(*left, "file")),
                format!("finish with: {resume}"),
            ),
            Self::NothingToRotate { configs } => message(
                Exit::File,
                format!("nothing to rotate: no encrypted value in {}", count(*configs, "config")),
                "nothing was changed; check the path, or encrypt the configs first",
            ),
            Self::WouldFail => message(Exit::Partial, "some files cannot be rotated", "see the list"),
            Self::AllLeftOut { files } => message(
                Exit::Partial,
                format!("{} left out; nothing was changed", count(*files, "file")),
                "mend what is listed, then run it again",
            ),
            Self::SomeFailed { left_out, failed, resume } => {
                let left_out = (*left_out > 0).then(|| format!("{} left out, not changed", count(*left_out, "file")));
                let failed = match failed {
                    0 => None,
                    1 => Some("1 file failed; it opens with the old key or the new one".to_owned()),
                    failed => Some(format!("{failed} files failed; each opens with the old key or the new one")),
                };
                let what: Vec<String> = left_out.into_iter().chain(failed).collect();
                message(Exit::Partial, what.join("; "), format!("mend what is listed, then finish with: {resume}"))
            }

            Self::RollbackInterrupted { left } => {
                message(Exit::Interrupted, format!("interrupted: {} not looked at", count(*left, "file")), GOES_ON)
            }
            Self::NothingToPutBack { configs } => message(
                Exit::File,
                format!("nothing to put back: no backup of {}", count(*configs, "config")),
                "nothing was changed; check the path, or say where backups are (--backup-dir)",
            ),
            Self::SomeNotPutBack { files } => message(
                Exit::Partial,
                format!("{} failed; no backup was touched", count(*files, "file")),
                "see the list",
            ),
            Self::NoBackup { config } => message(
                Exit::Unopened,
                format!("{} does not open with the key at hand, and has no backup", shown(config)),
                "set the key that it is under, or say where backups are (--backup-dir)",
            ),
            Self::EditedSince { config, backup } => message(
                Exit::Other,
                format!("{} was edited since {} was made", shown(config), shown(backup)),
                "compare the two, and copy by hand what is wanted",
            ),
            Self::SecretChangedSince { config, backup } => message(
                Exit::Other,
                format!("a secret in {} was set or moved since {} was made", shown(config), shown(backup)),
                "the backup does not hold it; go on with the new key, or copy by hand what is wanted",
            ),

            Self::PruneInterrupted { left } => {
                message(Exit::Interrupted, format!("interrupted: {} not removed", count(*left, "backup")), GOES_ON)
            }
            Self::NotConfirmed => message(Exit::Other, "not confirmed", NOTHING_REMOVED),
            Self::NotAsked { backups, why } => message(
                Exit::Other,
                format!("not confirmed: \"{}\" was not asked, as {why}", removal_question(*backups)),
                NOTHING_REMOVED,
            ),
            Self::BackupsStay { configs } => message(
                Exit::Partial,
                format!("the backups of {} stay", count(*configs, "config")),
                "the warnings say why; `fernseal verify CONFIG` says which tokens open",
            ),
            Self::NoTokensLeft { config } => message(
                Exit::Other,
                format!("{} has no encrypted values any more", shown(config)),
                "remove its backups by hand if none is needed",
            ),
        }
    }
}
