//! Failures of the command line, and of environment variables that configure the program.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use super::{Exit, Message, NoPrompt, message};
use crate::env::Unset;
use crate::quote::{Pointer, one_line, quoted, quoted_path, shown};

#[derive(Debug, Clone)]
pub(crate) enum UsageFailure {
    /// Neither the command line nor the environment names a config.
    NoConfigNamed { variable: Unset },
    /// The config and the pointer are swapped. `config` and `pointer` are the two arguments in the given order, and
    /// `option` is the option before the pointer, if any.
    Swapped { verb: &'static str, option: Option<&'static str>, config: PathBuf, pointer: PathBuf },
    /// The only argument is a file, so the pointer is missing.
    NoPointerNamed { config: PathBuf },
    /// The pointer is not UTF-8.
    PointerNotUtf8,
    /// The value of `option` is neither a pointer nor a pattern.
    NotAPattern { option: &'static str, text: Pointer, flaw: PatternFlaw },
    /// The output of `encrypt` is its input.
    EncryptedOverInput { path: PathBuf },
    /// The output of `decrypt` is its input.
    DecryptedOverInput { path: PathBuf },
    /// `-` was given as a config that must be a file: it is written, or read more than once.
    StdinForFile,
    /// `-` was given as an output that must be a file.
    DashForOutput,
    /// `-` was given as the file for a key.
    DashForKey,
    /// Found values should be encrypted in place, but with `--json` they can neither be shown nor confirmed.
    JsonUnconfirmed,
    /// `encrypt` was given a directory, and an option for one output.
    DirectoryWithOutput,
    /// `encrypt --in-place` was given a pipe.
    StreamInPlace,
    /// `--keep-mode` was given for a pipe.
    StreamHasNoMode,
    /// The config and what `--json` prints would both go to stdout.
    TwoForStdout,
    /// Two options that exclude each other were given, one before the verb and one after it. Otherwise clap refuses them.
    Exclusive { one: &'static str, other: &'static str },
    /// The value of PROXMOX_MCP_LOCK_WAIT is not a number.
    LockWaitNotSeconds { variable: &'static str, value: OsString },

    // `set`, `seal` and `open`.
    /// The secret was given as an argument, which other users can see.
    SecretAsArgument { secret: SecretFor },
    /// No secret is on stdin, and the user cannot be asked.
    SecretMissing { secret: SecretFor, why: NoPrompt },
    /// The secret is empty.
    SecretEmpty { secret: SecretFor },
    /// The two answers of the prompt differ.
    SecretsDiffer { secret: SecretFor },
    /// `open` was given the token as an argument.
    TokenAsArgument,

    // `rotate`.
    /// `--new-key-command` without a command that reads the key back.
    NoKeyCommandForStore,

    // `run`.
    /// No program follows `--`.
    NoProgram,
    /// The value of `--env` or `--file` is not NAME=POINTER.
    NotAnAssignment { text: String },
    /// Two options set the same variable.
    VariableTwice { name: String },

    /// The hidden command `sweep` was given a folder that is not a memory folder.
    NotAMemoryFolder,
}

/// The purpose of a secret from stdin or a prompt.
#[derive(Debug, Clone)]
pub(crate) enum SecretFor {
    /// A value of a config (`set`).
    Value(Pointer),
    /// A token on stdout (`seal`).
    Token,
}

impl SecretFor {
    /// Returns the hint for a missing secret.
    fn pipe(&self) -> &'static str {
        match self {
            Self::Value(_) => "pipe the secret in: printf %s \"$SECRET\" | fernseal set …",
            Self::Token => "pipe the secret in: printf %s \"$SECRET\" | fernseal seal",
        }
    }

    /// Returns what was not done without it.
    fn not_done(&self) -> &'static str {
        match self {
            Self::Value(_) => "nothing was changed",
            Self::Token => "nothing was printed",
        }
    }
}

/// The message for `-` as a file name. A user who writes it means stdout, and would get a file of that name.
const DASH: &str = "\"-\" is not a file name here; use ./- for a file of that name";

impl UsageFailure {
    pub(super) fn message(&self) -> Message {
        let usage = |what: String, next| message(Exit::Usage, what, next);
        match self {
            Self::NoConfigNamed { variable } => {
                usage(format!("no config named, and {variable}"), "name it, or set PROXMOX_MCP_CONFIG to its path")
            }
            Self::Swapped { verb, option, config, pointer } => {
                let option = option.map_or_else(String::new, |option| format!("{option} "));
                message(
                    Exit::Usage,
                    format!(
                        "{} is not a file, but {} is: the config and the pointer are swapped",
                        shown(config),
                        shown(pointer)
                    ),
                    format!(
                        "the config comes first: fernseal {verb} {} {option}{}",
                        quoted_path(pointer),
                        quoted(config)
                    ),
                )
            }
            Self::NoPointerNamed { config } => usage(
                format!("no pointer named: which value of {}?", shown(config)),
                "name it after the config, as in /auth/token_value",
            ),
            Self::PointerNotUtf8 => {
                usage("the pointer is not UTF-8 text".to_owned(), "name a value, as in /auth/token_value")
            }
            Self::NotAPattern { option, text, flaw } => usage(
                format!("{option}: not a pointer or pattern: \"{text}\": {flaw}"),
                "it looks like /auth/token_value, /env/* or **/password",
            ),
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
            Self::StdinForFile => usage(
                "\"-\" is stdin, which this command cannot write back to".to_owned(),
                "name a file; ./- is a file of that name",
            ),
            Self::StreamInPlace => usage(
                "a pipe cannot be replaced".to_owned(),
                "leave --in-place out: the encrypted config goes to stdout, or to a file with -o OUT",
            ),
            Self::StreamHasNoMode => usage(
                "a pipe has no owner and no mode that could be kept".to_owned(),
                "leave --keep-mode out: the output is for you alone (mode 600)",
            ),
            Self::JsonUnconfirmed => usage(
                "with --json, what was found is not shown before it is encrypted in place".to_owned(),
                "look at it with --dry-run, then say --yes",
            ),
            Self::DirectoryWithOutput => usage(
                "the configs of a directory are encrypted in place".to_owned(),
                "leave -o, --force and --keep-mode out, or name one config",
            ),
            Self::TwoForStdout => usage(
                "the config and the JSON of --json cannot both go to stdout".to_owned(),
                "name a file with -o OUT",
            ),
            Self::Exclusive { one, other } => {
                usage(format!("{one} cannot be used with {other}"), "leave out one of the two")
            }
            Self::LockWaitNotSeconds { variable, value } => usage(
                format!("{variable} is not a number of seconds: {}", value.to_string_lossy()),
                "set it to a whole number, as in 30, or unset it",
            ),

            Self::SecretAsArgument { secret } => usage(
                "a secret must not be an argument: other users see it, and the shell history keeps it".to_owned(),
                secret.pipe(),
            ),
            Self::SecretMissing { secret, why } => {
                let place = match secret {
                    SecretFor::Value(pointer) => format!("for {pointer} is"),
                    SecretFor::Token => "is".to_owned(),
                };
                usage(format!("the secret {place} not on stdin, and there is no prompt because {why}"), secret.pipe())
            }
            Self::SecretEmpty { secret } => message(
                Exit::Usage,
                "the secret is empty",
                format!("{}; type or pipe the secret in", secret.not_done()),
            ),
            Self::SecretsDiffer { secret } => {
                message(Exit::Usage, "the two entries are not the same", format!("{}; try again", secret.not_done()))
            }
            Self::TokenAsArgument => usage(
                "the token comes from stdin, not from an argument".to_owned(),
                "pipe it in: printf %s \"$TOKEN\" | fernseal open",
            ),

            Self::NoKeyCommandForStore => usage(
                "no key command reads the new key back from the store (--new-key-command)".to_owned(),
                "name one with --key-command COMMAND or PROXMOX_MCP_MASTER_KEY_COMMAND; --key-file FILE names the old key \
                 if the store does not have it yet",
            ),

            Self::NoProgram => usage("no program named".to_owned(), "name it after --"),
            Self::NotAnAssignment { text } => usage(
                format!("{} is not NAME=POINTER", one_line(text)),
                "write the variable, =, and the value's pointer, as in TOKEN=/auth/token_value",
            ),
            Self::VariableTwice { name } => usage(
                format!("the variable {} would be set twice", one_line(name)),
                "use different variables for the two values",
            ),

            Self::NotAMemoryFolder => {
                usage("not a folder in memory".to_owned(), "`edit` and `run` use this command themselves")
            }
        }
    }
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PatternFlaw {
    Empty,
    /// `**` and other characters between two slashes or dots.
    LevelsNotAlone,
    /// A `~` without one of the characters that it escapes.
    UnknownEscape,
}

impl fmt::Display for PatternFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::LevelsNotAlone => "** must be alone between two slashes or dots; within a name use *",
            Self::UnknownEscape => "~ is followed by 0 (a tilde), 1 (a slash) or 2 (an asterisk)",
        })
    }
}
