//! Failures of prompts at the terminal, and reasons not to ask at all.

use std::fmt;
use std::path::PathBuf;

use super::{Cause, Exit, Message, message};
use crate::quote::{count, shown};

#[derive(Debug, Clone)]
pub(crate) enum TerminalFailure {
    /// /dev/tty cannot be opened, read or configured.
    Unusable { error: Cause },
    /// The answer is not UTF-8.
    NotUtf8,
    /// The answer is longer than the prompt's buffer.
    LineTooLong,
    /// The prompt was cut off. `otherwise` is the consequence.
    Cut { cut: Cut, otherwise: Consequence },
    /// The answer to the question was not yes.
    NotConfirmed { question: Question },
    /// The question could not be asked.
    NotAsked { question: Question, why: NoPrompt },
    /// The user discarded the edited text.
    Discarded { config: PathBuf },
}

impl TerminalFailure {
    pub(super) fn message(&self) -> Message {
        match self {
            Self::Unusable { error } => {
                message(Exit::File, format!("the terminal cannot be used: {error}"), "use a pipe or a file instead")
            }
            Self::NotUtf8 => message(
                Exit::Other,
                "what was typed is not UTF-8 text",
                "the input was not used; set the terminal to UTF-8, or use a pipe",
            ),
            Self::LineTooLong => {
                message(Exit::Other, "the line is too long", "the input was not used; use a pipe or a file for it")
            }
            Self::Cut { cut, otherwise } => {
                let what = match cut {
                    Cut::Typed => "cancelled at the prompt",
                    Cut::HungUp => "the terminal was closed at the prompt",
                    Cut::Signal => "interrupted at the prompt",
                };
                message(Exit::Other, what, otherwise.to_string())
            }
            Self::NotConfirmed { question } => message(Exit::Other, "not confirmed", question.otherwise().to_string()),
            Self::NotAsked { question, why } => message(
                Exit::Other,
                format!("not confirmed: \"{question}\" was not asked because {why}"),
                question.otherwise().to_string(),
            ),
            Self::Discarded { config } => message(
                Exit::Other,
                "the changes were discarded",
                Consequence::ChangesGone { config: config.clone() }.to_string(),
            ),
        }
    }
}

/// What cut a prompt off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Ctrl-C, Ctrl-\ or Ctrl-D.
    Typed,
    HungUp,
    Signal,
}

/// A question that is answered with yes, or with anything else for no.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Question {
    RemoveBackups {
        number: usize,
    },
    /// Asks whether to encrypt this many values of this many configs.
    EncryptInPlace {
        values: usize,
        configs: usize,
    },
}

impl Question {
    /// Returns the consequence if the answer is not yes.
    pub(crate) fn otherwise(self) -> Consequence {
        match self {
            Self::RemoveBackups { .. } => Consequence::BackupsStay,
            Self::EncryptInPlace { .. } => Consequence::NothingEncrypted,
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RemoveBackups { number } => write!(f, "Remove {}?", count(*number, "backup")),
            Self::EncryptInPlace { values, configs } => {
                write!(f, "Encrypt {} of {} in place?", count(*values, "value"), count(*configs, "config"))
            }
        }
    }
}

/// The consequence of a prompt without an answer, and what to do next.
#[derive(Debug, Clone)]
pub(crate) enum Consequence {
    /// The prompt asked for the master key.
    NoKey,
    /// The prompt asked for the secret of `set`.
    NoSecret,
    /// The prompt asked for the secret of `seal`.
    NothingSealed,
    /// The prompt asked whether to remove backups.
    BackupsStay,
    /// The prompt asked whether to encrypt values in place.
    NothingEncrypted,
    /// A new key was about to be shown.
    KeyNotShown,
    /// A new key was shown, but the user did not confirm that it is stored.
    KeyNotStored,
    /// The prompt asked whether to edit a config again.
    ChangesGone { config: PathBuf },
}

impl fmt::Display for Consequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoKey => "nothing was changed; run it again, or name a key file with --key-file",
            Self::NoSecret => "nothing was changed; run it again when ready",
            Self::NothingSealed => "nothing was printed; run it again when ready",
            Self::BackupsStay => "nothing was removed; run it again and answer yes, or add --yes",
            Self::NothingEncrypted => "nothing was written; run it again and answer yes, or give --yes",
            Self::KeyNotShown => "the key was not shown and is not stored anywhere; run it again, or use -o FILE",
            Self::KeyNotStored => {
                "the key that was shown is not in any file: if you did not store it, make another one"
            }
            Self::ChangesGone { config } => {
                return write!(f, "{} was not changed, and your changes are lost", shown(config));
            }
        })
    }
}

/// Why the user is not asked, or why a key cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPrompt {
    Forbidden,
    NoTerminal,
    /// Only for showing a key: stdout is not a terminal.
    StdoutIsNoTerminal,
    /// Only for showing a key: the terminal would keep it in its scrollback.
    Scrollback,
}

impl fmt::Display for NoPrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forbidden => "--no-input is given",
            Self::NoTerminal => "stdin or stderr is not a terminal",
            Self::StdoutIsNoTerminal => "stdout is not a terminal",
            Self::Scrollback => "the terminal would keep it in its scrollback (TERM=dumb)",
        })
    }
}
