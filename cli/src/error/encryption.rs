//! Failures of `encrypt` with a directory: what was not done, and how to continue.

use super::{Exit, Message, message};
use crate::quote::count;

#[derive(Debug, Clone)]
pub(crate) enum EncryptionFailure {
    /// A signal arrived, and `left` files were not reached.
    Interrupted { left: usize },
    /// This many files failed, and the others are encrypted.
    SomeFailed { files: usize },
}

impl EncryptionFailure {
    pub(super) fn message(&self) -> Message {
        match self {
            Self::Interrupted { left } => message(
                Exit::Interrupted,
                format!("interrupted: {} not encrypted yet", count(*left, "file")),
                "run the same command again: it goes on where it stopped",
            ),
            Self::SomeFailed { files } => message(
                Exit::Partial,
                format!("{} not encrypted", count(*files, "file")),
                "mend what is listed, then run the same command again",
            ),
        }
    }
}
