//! Questions at the terminal that came to no answer, and why nobody is asked.

use std::fmt;
use std::path::PathBuf;

use super::rotation::NOTHING_REMOVED;
use super::{Cause, Exit, Message, message};
use crate::quote::shown;

#[derive(Debug, Clone)]
pub(crate) enum TerminalFailure {
    /// `/dev/tty` cannot be opened, read or set.
    Unusable { error: Cause },
    /// The answer is not text.
    NotUtf8,
    /// The answer is longer than any key or secret that is typed.
    LineTooLong,
    /// The question was cut off; `otherwise` says what that comes to.
    Cut { cut: Cut, otherwise: Otherwise },
    /// The person threw away what was edited.
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
                "nothing was taken over; set the terminal to UTF-8, or use a pipe",
            ),
            Self::LineTooLong => {
                message(Exit::Other, "the line is too long", "nothing was taken over; use a pipe or a file for it")
            }
            Self::Cut { cut, otherwise } => {
                let what = match cut {
                    Cut::Typed => "cancelled at the prompt",
                    Cut::HungUp => "the terminal hung up at the prompt",
                    Cut::Signal => "interrupted at the prompt",
                };
                message(Exit::Other, what, otherwise.to_string())
            }
            Self::Discarded { config } => message(
                Exit::Other,
                "the changes were thrown away",
                Otherwise::ChangesGone { config: config.clone() }.to_string(),
            ),
        }
    }
}

/// What cut a question off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Ctrl-C, Ctrl-\ or Ctrl-D.
    Typed,
    HungUp,
    Signal,
}

/// What it comes to where a question gets no answer, and what to do next.
#[derive(Debug, Clone)]
pub(crate) enum Otherwise {
    /// The master key was asked for.
    NoKey,
    /// The secret for `set` was asked for.
    NoSecret,
    /// The secret for `seal` was asked for.
    NothingSealed,
    /// The person was asked whether backups may go.
    BackupsStay,
    /// A new key was to be shown.
    KeyNotShown,
    /// A new key was shown, and nobody said that it is stored.
    KeyNotStored,
    /// The person was asked whether to edit a config again.
    ChangesGone { config: PathBuf },
}

impl fmt::Display for Otherwise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoKey => "nothing was changed; run it again, or name a key file with --key-file",
            Self::NoSecret => "nothing was changed; run it again when ready",
            Self::NothingSealed => "nothing was printed; run it again when ready",
            Self::BackupsStay => NOTHING_REMOVED,
            Self::KeyNotShown => "the key was not shown and is not stored anywhere; run it again, or use -o FILE",
            Self::KeyNotStored => {
                "the key that was shown is not in any file: if you did not store it, make another one"
            }
            Self::ChangesGone { config } => {
                return write!(f, "{} was not changed, and the changes are gone", shown(config));
            }
        })
    }
}

/// Why nobody is asked, or why a key cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    Forbidden,
    NoTerminal,
    /// For a key that is to be shown once.
    StdoutIsNoTerminal,
    /// The same, where the terminal cannot forget it.
    Scrollback,
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forbidden => "--no-input is given",
            Self::NoTerminal => "stdin or stderr is not a terminal",
            Self::StdoutIsNoTerminal => "stdout is not a terminal",
            Self::Scrollback => "the terminal would keep it in its scrollback (TERM=dumb)",
        })
    }
}
