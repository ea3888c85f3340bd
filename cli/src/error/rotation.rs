//! Failures of `rotate`, its rollback and `backups prune`: what was not done, and how to continue.

use std::path::PathBuf;

use super::{Exit, Message, message};
use crate::quote::{and_skipped, count, shown};

#[derive(Debug, Clone)]
pub(crate) enum RotationFailure {
    // `rotate`.
    /// A signal arrived before the first file was changed.
    InterruptedWhileChecking,
    /// `left` files are not rotated yet. The command `resume` finishes the rotation.
    Interrupted { left: usize, resume: String },
    /// None of the configs has a token. `skipped` paths were not examined.
    NothingToRotate { configs: usize, skipped: usize },
    /// A dry run found files that would fail.
    WouldFail,
    /// This many files were left out, and none was rotated.
    AllLeftOut { files: usize },
    /// `left_out` files were left out before the rotation began, and `failed` files failed during it.
    SomeFailed { left_out: usize, failed: usize, resume: String },

    // `rotate --rollback`.
    /// A signal arrived, and `left` files were not reached.
    RollbackInterrupted { left: usize },
    /// None of the configs has a backup, beside it or in the backup directory. `skipped` paths were not examined.
    NothingToPutBack { configs: usize, skipped: usize, backup_dir: Option<PathBuf> },
    /// This many files failed and are unchanged.
    SomeNotPutBack { files: usize },
    /// A dry run of a rollback found this many files that would fail.
    SomeWouldNotGoBack { files: usize },
    /// A config does not open and has no backup.
    NoBackup { config: PathBuf },
    /// The config has changed since the backup in more than its tokens.
    EditedSince { config: PathBuf, backup: PathBuf },
    /// A secret was set or moved after the backup.
    SecretChangedSince { config: PathBuf, backup: PathBuf },

    // `backups prune`.
    /// A signal arrived, and `left` backups were not removed.
    PruneInterrupted { left: usize },
    /// The backups of this many configs may still be needed, so they were kept.
    BackupsStay { configs: usize },
    /// A config has no tokens any more, so its backups may contain the last copies.
    NoTokensLeft { config: PathBuf },
}

const GOES_ON: &str = "run the same command again: it continues where it stopped";

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
            Self::NothingToRotate { configs, skipped } => message(
                Exit::File,
                format!(
                    "nothing to rotate: no encrypted value in {}{}",
                    count(*configs, "config"),
                    and_skipped(*skipped)
                ),
                "nothing was changed; check the path, or encrypt the configs first",
            ),
            Self::WouldFail => message(Exit::Partial, "some files cannot be rotated", "see the list"),
            Self::AllLeftOut { files } => message(
                Exit::Partial,
                format!("{} left out; nothing was changed", count(*files, "file")),
                "fix the listed problems, then run it again",
            ),
            Self::SomeFailed { left_out, failed, resume } => {
                let left_out =
                    (*left_out > 0).then(|| format!("{} left out and not changed", count(*left_out, "file")));
                // A file that another program saved meanwhile may contain tokens under any key.
                let failed = (*failed > 0)
                    .then(|| format!("{} failed; keep the old key and the new one", count(*failed, "file")));
                let what: Vec<String> = left_out.into_iter().chain(failed).collect();
                message(Exit::Partial, what.join("; "), format!("fix the listed problems, then finish with: {resume}"))
            }

            Self::RollbackInterrupted { left } => {
                message(Exit::Interrupted, format!("interrupted: {} not reached", count(*left, "file")), GOES_ON)
            }
            Self::NothingToPutBack { configs, skipped, backup_dir } => {
                let place = match backup_dir {
                    Some(directory) => format!("in {} of", shown(directory)),
                    None => "beside".to_owned(),
                };
                message(
                    Exit::File,
                    format!(
                        "nothing to restore: no backup {place} {}{}",
                        count(*configs, "config"),
                        and_skipped(*skipped)
                    ),
                    "nothing was changed; check the path, or name the directory of the backups with --backup-dir",
                )
            }
            Self::SomeNotPutBack { files } => message(
                Exit::Partial,
                format!("{} failed; no backup was touched", count(*files, "file")),
                "see the list",
            ),
            Self::SomeWouldNotGoBack { files } => message(
                Exit::Partial,
                format!("{} would fail; nothing was changed", count(*files, "file")),
                "see the list",
            ),
            Self::NoBackup { config } => message(
                Exit::Unopened,
                format!("the current keys do not decrypt {}, and it has no backup", shown(config)),
                "set the key that it was encrypted with, or name the directory of its backups with --backup-dir",
            ),
            Self::EditedSince { config, backup } => message(
                Exit::Other,
                format!("{} was edited after {} was made", shown(config), shown(backup)),
                "compare the two files, and copy what you need by hand",
            ),
            Self::SecretChangedSince { config, backup } => message(
                Exit::Other,
                format!("a secret in {} was set or moved after {} was made", shown(config), shown(backup)),
                "the backup does not contain that secret; keep the new key, or copy what you need by hand",
            ),

            Self::PruneInterrupted { left } => {
                message(Exit::Interrupted, format!("interrupted: {} not removed", count(*left, "backup")), GOES_ON)
            }
            Self::BackupsStay { configs } => message(
                Exit::Partial,
                format!("the backups of {} were kept", count(*configs, "config")),
                "the warnings say why; `fernseal verify CONFIG` shows which tokens can be decrypted",
            ),
            Self::NoTokensLeft { config } => message(
                Exit::Other,
                format!("{} no longer has encrypted values", shown(config)),
                "remove its backups by hand if you do not need them",
            ),
        }
    }
}
