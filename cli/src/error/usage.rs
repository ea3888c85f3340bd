//! Command lines that make no sense, and settings of the environment that do not.

use std::ffi::OsString;
use std::path::PathBuf;

use fernseal_core::Error;

use super::config::value_problem;
use super::{Absence, Exit, Message, message, value_hint};
use crate::quote::{Pointer, one_line, shown};

#[derive(Debug, Clone)]
pub(crate) enum UsageFailure {
    /// Neither the command line nor the environment names a config.
    NoConfigNamed,
    /// One word was given, and it is a file, not a value.
    NoPointerNamed { config: PathBuf },
    /// What stands behind the config is not text.
    PointerNotUtf8,
    /// What stands behind `--require`.
    RequiredNotAPointer { pointer: Pointer },
    /// `encrypt` would write over what it reads.
    EncryptedOverInput { path: PathBuf },
    /// `decrypt` would write over what it reads.
    DecryptedOverInput { path: PathBuf },
    /// `-` as an output that can only be a file.
    DashForOutput,
    /// `-` as a file for a key.
    DashForKey,
    /// The config and what `--json` prints would both go to stdout.
    TwoForStdout,
    /// The variable or option for waiting is not a number.
    LockWaitNotSeconds { variable: &'static str, value: OsString },

    /// `-` as a config that is written back, or read more than once.
    StdinForFile,
    /// `encrypt --in-place` on a pipe.
    StreamInPlace,

    // `seal` and `open`.
    /// `open` was given a word.
    TokenAsArgument,
    /// There is nothing on stdin for `seal`, and nobody is asked.
    SealMissing { why: Absence },
    /// What `seal` was given has more than 1 MiB.
    SealTooLong,
    /// What `open` was given is not one token.
    NotOneToken,

    // `set`.
    /// Others can see an argument.
    SecretAsArgument,
    /// There is no secret on stdin, and nobody is asked.
    SecretMissing { pointer: Pointer, why: Absence },
    /// stdin or both answers were empty.
    SecretEmpty,
    /// The two answers are not the same.
    SecretsDiffer,

    // `run`.
    /// Nothing stands behind `--`.
    NoProgram,
    /// `--env` or `--file` is not followed by NAME=POINTER.
    NotAnAssignment { text: String },
    /// Two options set one variable.
    VariableTwice { name: String },

    /// The hidden command that removes folders in memory was given another one.
    NotAMemoryFolder,
}

/// The hint for a secret that is not where it must be.
const PIPE_IT_IN: &str = "pipe the secret in: printf %s \"$SECRET\" | fernseal set …";

/// Whoever writes `-` means stdout, and would leave a file of that name behind.
const DASH: &str = "\"-\" is not a file name here; use ./- for a file of that name";

impl UsageFailure {
    pub(super) fn message(&self) -> Message {
        let usage = |what: String, next| message(Exit::Usage, what, next);
        match self {
            Self::NoConfigNamed => {
                usage("no config named".to_owned(), "name it, or set PROXMOX_MCP_CONFIG to its path")
            }
            Self::NoPointerNamed { config } => usage(
                format!("no pointer named: which value of {}?", shown(config)),
                "name it behind the config, as in /auth/token_value",
            ),
            Self::PointerNotUtf8 => {
                usage("the pointer is not UTF-8 text".to_owned(), "name a value, as in /auth/token_value")
            }
            Self::RequiredNotAPointer { pointer } => {
                usage(value_problem("--require", pointer, Error::InvalidPointer), value_hint(Error::InvalidPointer))
            }
            Self::EncryptedOverInput { path } => usage(
                format!("{} is the input itself", shown(path)),
                "name another output, or replace the config itself with `fernseal encrypt --in-place`",
            ),
            Self::DecryptedOverInput { path } => usage(
                format!("{} is the input itself", shown(path)),
                "name another output, or change the config with `fernseal edit`, which leaves no plain text",
            ),
            Self::DashForOutput => usage(
                DASH.to_owned(),
                "name a new file or a regular one; `fernseal decrypt` without -o writes to stdout",
            ),
            Self::DashForKey => {
                usage(DASH.to_owned(), "name a file; only `fernseal keygen --print` writes a key to stdout")
            }
            Self::TwoForStdout => {
                usage("stdout cannot take the config and what --json prints".to_owned(), "name a file with -o OUT")
            }
            Self::LockWaitNotSeconds { variable, value } => usage(
                format!("{variable} is not a number of seconds: {}", value.to_string_lossy()),
                "set it to a whole number, as in 30, or unset it",
            ),

            Self::StdinForFile => usage(
                "\"-\" is stdin, which this command cannot write back to".to_owned(),
                "name a file; ./- is a file of that name",
            ),
            Self::StreamInPlace => usage(
                "a pipe cannot be replaced".to_owned(),
                "leave --in-place out: the encrypted config goes to stdout, or to a file with -o OUT",
            ),

            Self::TokenAsArgument => usage(
                "the token comes from stdin, not from an argument".to_owned(),
                "pipe it in: printf %s \"$TOKEN\" | fernseal open",
            ),
            Self::SealMissing { why } => usage(
                format!("the secret is not on stdin, and is not asked for, as {why}"),
                "pipe the secret in: printf %s \"$SECRET\" | fernseal seal",
            ),
            Self::SealTooLong => message(
                Exit::Malformed,
                "the secret on stdin is longer than 1 MiB",
                "nothing was printed; a token is no place for it",
            ),
            Self::NotOneToken => message(
                Exit::Malformed,
                "Invalid encrypted token format: stdin does not hold one token and nothing else",
                "pipe one token in, as `fernseal seal` prints it; `fernseal decrypt -` opens all of a text",
            ),

            Self::SecretAsArgument => {
                usage("a secret is no argument: others see it there, and the shell keeps it".to_owned(), PIPE_IT_IN)
            }
            Self::SecretMissing { pointer, why } => {
                usage(format!("the secret for {pointer} is not on stdin, and is not asked for, as {why}"), PIPE_IT_IN)
            }
            Self::SecretEmpty => {
                usage("the secret is empty".to_owned(), "nothing was changed; type or pipe the secret in")
            }
            Self::SecretsDiffer => usage("the two are not the same".to_owned(), "nothing was changed; try again"),

            Self::NoProgram => usage("no program named".to_owned(), "name it behind --"),
            Self::NotAnAssignment { text } => usage(
                format!("{} is not NAME=POINTER", one_line(text)),
                "write the variable, =, and the value's pointer, as in TOKEN=/auth/token_value",
            ),
            Self::VariableTwice { name } => usage(
                format!("the variable {} would be set twice", one_line(name)),
                "name another variable for one of the two",
            ),

            Self::NotAMemoryFolder => {
                usage("not a folder in memory".to_owned(), "`edit` and `run` use this command themselves")
            }
        }
    }
}
