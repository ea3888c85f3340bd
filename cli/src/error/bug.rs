//! Broken invariants of the program itself. The command stops before it writes or prints anything.

use std::path::PathBuf;

use fernseal_core::Error;

use super::{Exit, Message, message};
use crate::quote::shown;

#[derive(Debug, Clone)]
pub(crate) enum Bug {
    /// Two edits of a config overlap, or one is outside the text.
    EditsOverlap { config: PathBuf, offset: usize },
    /// Sealing one secret returned another number of tokens.
    TokensOfOneSecret { number: usize },
    /// Opening one token returned another number of secrets.
    SecretsOfOneToken { number: usize },
    /// A config was read, but its tokens were not verified.
    NotVerified { config: PathBuf },
    /// The name of a backup has no time stamp.
    BackupWithoutStamp,
    /// A key cannot be written as text.
    KeyWithoutText,
    /// A key that was just made is not valid.
    NewKeyInvalid(Error),
}

impl Bug {
    pub(super) fn message(&self) -> Message {
        let contradiction = |what: String| {
            let what = format!("internal error: {what}");
            message(Exit::Other, what, "nothing was written; please report this")
        };
        match self {
            Self::EditsOverlap { config, offset } => {
                contradiction(format!("two edits of {} overlap at byte {offset}", shown(config)))
            }
            Self::TokensOfOneSecret { number } => {
                contradiction(format!("encrypting one secret returned {number} tokens"))
            }
            Self::SecretsOfOneToken { number } => {
                contradiction(format!("decrypting one token returned {number} results"))
            }
            Self::NotVerified { config } => contradiction(format!("{} was not verified", shown(config))),
            Self::BackupWithoutStamp => contradiction("the name of a backup has no time stamp".to_owned()),
            Self::KeyWithoutText => contradiction("a key without a text".to_owned()),
            Self::NewKeyInvalid(error) => {
                message(Exit::Other, format!("the new key is not valid: {error}"), "report this")
            }
        }
    }
}
