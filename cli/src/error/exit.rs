//! The exit codes, which scripts rely on. `args/reference.rs` lists them for the help and the manual.

/// The exit codes of the command (0 is success).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// A failure without a code of its own.
    Other = 1,
    /// The command line is invalid.
    Usage = 2,
    /// `check` found a secret in plain text.
    PlainText = 3,
    /// A token could not be opened.
    Unopened = 4,
    /// No usable master key.
    Key = 5,
    /// A config or token is malformed.
    Malformed = 6,
    /// A file could not be read or written.
    File = 7,
    /// Some of many files failed.
    Partial = 8,
    /// Interrupted; can be resumed.
    Interrupted = 9,
    /// The program for `run` cannot be executed. env, nohup and sudo use the same code.
    NotExecutable = 126,
    /// The program for `run` was not found. env, nohup and sudo use the same code.
    ProgramNotFound = 127,
    /// `merge` has failed. Git takes a code of at most 128 for conflicts that are marked in the file.
    NotMerged = 129,
}
