//! What a person sees when a command fails: what happened, and what to do next.
//! Each failure has the exit code that scripts go by.
//! Nothing secret goes in: files, pointers, offsets and key ids are all there is.

use std::fmt;

use fernseal_core::Error;

use crate::quote::one_line;

/// The exit codes of the command (0 is success).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Something that has no code of its own.
    Other = 1,
    /// The command line makes no sense.
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
    /// Some files of many failed.
    Partial = 8,
    /// Interrupted; can be resumed.
    Interrupted = 9,
    /// The program that `run` was to start cannot be executed; the code is that of env, nohup and sudo.
    NotExecutable = 126,
    /// The program that `run` was to start was not found; the code is that of env, nohup and sudo.
    ProgramNotFound = 127,
}

/// Why a command failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// What happened.
    pub(crate) what: String,
    /// What to do next.
    pub(crate) next: String,
}

/// The result of all that can fail here.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { exit, what: what.into(), next: next.into() }
    }

    /// Something that cannot be, if the code is right: it stops here, before anything is written or printed.
    pub(crate) fn broken(what: impl fmt::Display) -> Self {
        let next = "nothing was written; please report this";
        Self::new(Exit::Other, format!("fernseal contradicts itself: {what}"), next)
    }

    /// The master key's file was named where a config is meant.
    pub(crate) fn key_for_config(file: &str) -> Self {
        let what = format!("Invalid JSON: {file} holds a master key, not a config");
        Self::new(Exit::Malformed, what, "were the config and the key file swapped?")
    }

    /// A config of more bytes than are read.
    pub(crate) fn config_too_large(file: &str) -> Self {
        Self::new(Exit::File, format!("{file} is larger than 64 MiB"), "no config is that large; check the path")
    }

    /// `-` for a config that is to be changed, or read more than once.
    pub(crate) fn stdin_is_no_file() -> Self {
        let what = "\"-\" is stdin, which this command cannot write back to";
        Self::new(Exit::Usage, what, "name a file; ./- is a file of that name")
    }

    /// What is on stdin is not what `open` opens.
    pub(crate) fn not_one_token() -> Self {
        let what = "Invalid encrypted token format: stdin does not hold one token and nothing else";
        let next = "pipe one token in, as `fernseal seal` prints it; `fernseal decrypt -` opens all of a text";
        Self::new(Exit::Malformed, what, next)
    }

    /// A token was given as an argument.
    pub(crate) fn token_is_no_argument() -> Self {
        let next = "pipe it in: printf %s \"$TOKEN\" | fernseal open";
        Self::new(Exit::Usage, "the token comes from stdin, not from an argument", next)
    }

    /// What can only be a secret was given as an argument; `pipe` shows how it is handed over.
    pub(crate) fn secret_is_no_argument(pipe: &str) -> Self {
        Self::new(Exit::Usage, "a secret is no argument: others see it there, and the shell keeps it", pipe)
    }

    /// A secret of more bytes than are sealed, of `place`.
    pub(crate) fn secret_too_long(place: &str) -> Self {
        let what = format!("the secret is longer than 1 MiB: {place}");
        Self::new(Exit::Malformed, what, "nothing was written; a config is no place for it")
    }

    /// A secret was typed twice, in two ways.
    pub(crate) fn secrets_differ(next: &str) -> Self {
        Self::new(Exit::Usage, "the two are not the same", next)
    }

    /// Nobody is there who could type the secret, for the reason in `why`.
    pub(crate) fn no_secret_on_stdin(why: Option<&str>) -> Self {
        let what = format!("the secret is not on stdin, and is not asked for, as {}", why.unwrap_or("nobody is there"));
        Self::new(Exit::Usage, what, "pipe the secret in: printf %s \"$SECRET\" | fernseal seal")
    }

    /// A secret without a character.
    pub(crate) fn secret_is_empty(next: &str) -> Self {
        Self::new(Exit::Usage, "the secret is empty", next)
    }

    /// Stdin fails.
    pub(crate) fn stdin_unreadable(error: &std::io::Error) -> Self {
        Self::new(Exit::File, format!("stdin cannot be read: {error}"), "nothing was changed; try again")
    }

    /// Where `encrypt` has stdin for its config and is to replace it.
    pub(crate) fn stream_in_place() -> Self {
        let next = "leave --in-place out: the encrypted config goes to stdout, or to a file with -o OUT";
        Self::new(Exit::Usage, "a pipe cannot be replaced", next)
    }

    /// A config that its format does not allow; `what` names the file and the place.
    pub(crate) fn unreadable(what: String, next: &str) -> Self {
        Self::new(Exit::Malformed, what, next)
    }

    /// A value that is left as it is, because of what `why` says about its format.
    pub(crate) fn left_as_it_is(file: &str, pointer: &str, why: &str, next: &str) -> Self {
        let what = format!("{why}: {} at {}", one_line(file), one_line(pointer));
        Self::new(Exit::Malformed, what, next)
    }

    /// A token outside of all values whose secret cannot stand there.
    pub(crate) fn outside_of_values(file: &str, pointer: &str) -> Self {
        let what =
            format!("the secret cannot be written outside of a value: {} at {}", one_line(file), one_line(pointer));
        Self::new(Exit::Malformed, what, "make the token a value of its own, or remove it")
    }

    /// What core refused, at `pointer` in `file`.
    pub(crate) fn at(file: &str, pointer: &str, error: Error) -> Self {
        let (exit, what, next) = match error {
            Error::AuthenticationFailed => (
                Exit::Unopened,
                "Token decryption failed",
                "set the master key that the token was encrypted with; if it is set, the token was changed: \
                 restore the config from a backup",
            ),
            Error::Malformed => (
                Exit::Malformed,
                "Invalid encrypted token format",
                "a token is enc: and unbroken base64; check that the file was not damaged on its way here",
            ),
            Error::Lookalike => (
                Exit::Malformed,
                "Invalid encrypted token format: the value begins like a token but is none",
                "restore the token, or put the plain secret in its place",
            ),
            Error::NotUtf8 => (
                Exit::Malformed,
                "the value is not UTF-8 text",
                "such bytes cannot stand in a JSON string; seal a text, for example base64",
            ),
            Error::DuplicateKey => (
                Exit::Malformed,
                "a name on the way to this value occurs twice in its object",
                "readers disagree on which of the two counts: remove one of them",
            ),
            Error::NotFound => (
                Exit::Malformed,
                "no value at this pointer",
                "`fernseal status CONFIG` lists the encrypted values; a pointer looks like /auth/token_value",
            ),
            Error::InvalidPointer => {
                (Exit::Usage, "not a pointer", "a pointer looks like /auth/token_value or auth.token_value")
            }
            Error::NotAString => (Exit::Malformed, "the value is not a string", "name a string in it"),
            Error::RandomFailed => (
                Exit::Other,
                "the system's random source failed",
                "nothing was written; without random numbers nothing can be sealed",
            ),
            Error::KeyShort => (
                Exit::Key,
                "the master key is shorter than 16 bytes",
                "make a new key with `fernseal keygen`; a short key still opens what it sealed",
            ),
            _ => (Exit::Malformed, "Invalid JSON", "check the file with a JSON validator"),
        };
        Self::new(exit, format!("{what}: {} at {}", one_line(file), one_line(pointer)), next)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\n  next: {}", self.what, self.next)
    }
}
