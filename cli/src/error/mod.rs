//! Every message that a person sees when a command fails: what happened, what to do next, and the exit code.
//!
//! A failure contains paths, pointers, offsets, key ids and causes, but never a secret and never a sentence. The
//! sentences are in this folder: each topic has a file with one enum, and each variant has all three parts of its
//! message in one place (`message`). To change a message, search this folder for its words. To add a failure, add a
//! variant and its message.
//!
//! There is one exception. The reasons why a format refuses a text or a value are in `config/syntax/refusal.rs`, as a
//! [`Refusal`](crate::config::text::Refusal), also with one arm for each: `tests/formats` builds `config/syntax` without
//! this folder, and counts the refusals by their words.
//!
//! Some failures say more about another one, for example that nothing was changed. They wrap it: see [`Failure`].

mod bug;
mod config;
mod encryption;
mod exit;
mod file;
mod key;
mod lock;
mod notice;
mod program;
mod rotation;
mod skip;
mod terminal;
mod token;
mod usage;

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;

use rustix::io::Errno;

pub(crate) use bug::Bug;
pub(crate) use config::{Aim, ConfigFailure, Flaw, JsonFlaw, Suggestions, TextPosition};
pub(crate) use encryption::EncryptionFailure;
pub(crate) use exit::Exit;
pub(crate) use file::{CopyKind, FileFailure, Observed, Property, Refused, Step};
pub(crate) use key::{
    CommandFlaw, HomeFileFlaw, KeyFailure, KeySource, KeyTextFlaw, NamedBy, ReadFrom, StoreFlaw, VolatileFileSystem,
    volatile_warning,
};
pub(crate) use lock::{Holder, LockFailure};
pub(crate) use notice::{Caveat, KeyCaveat, LockNotice, NoLock};
pub(crate) use program::{ProgramFailure, StartFlaw};
pub(crate) use rotation::RotationFailure;
pub(crate) use skip::{NotSelected, SkipReason};
pub(crate) use terminal::{Consequence, Cut, NoPrompt, Question, TerminalFailure};
pub(crate) use token::{Advice, KeyElsewhere, TokenFailure};
pub(crate) use usage::{PatternFlaw, SecretFor, UsageFailure};

/// Why a command failed.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// A file or directory cannot be found, read or written.
    File(FileFailure),
    /// The content of a config is invalid or does not meet a requirement.
    Config(ConfigFailure),
    /// A token does not open, or a secret cannot be sealed.
    Token(TokenFailure),
    /// There is no usable master key, or no place for a new one.
    Key(KeyFailure),
    /// Another run works in the same directory.
    Lock(LockFailure),
    /// The command line is invalid.
    Usage(UsageFailure),
    /// `rotate`, its rollback or `backups prune` did not finish all of its work.
    Rotation(RotationFailure),
    /// `encrypt` did not finish a directory.
    Encryption(EncryptionFailure),
    /// Another program cannot be started, or failed.
    Program(ProgramFailure),
    /// A prompt at the terminal got no answer.
    Terminal(TerminalFailure),
    /// A signal arrived before anything was changed.
    Interrupted,
    /// `doctor` found `number` problems. The exit code is that of the first one.
    ThingsWrong { number: usize, first: Exit },
    /// The program broke its own invariant.
    Bug(Bug),

    /// Several failures, at least two, in order. The exit code is that of the first one.
    Several(Vec<Failure>),
    /// The failure came before anything was changed.
    NothingChanged(Box<Failure>),
    /// The failure came before anything was removed.
    NothingRemoved(Box<Failure>),
    /// The rotation can continue without this file.
    OrKeepGoing(Box<Failure>),
    /// The secrets can be written as they are, whatever the format.
    OrAsText(Box<Failure>),
    /// `set` can replace the old token without opening it.
    OrDiscardOld(Box<Failure>),
    /// A rotation of a config would fail like this. The step was tried before anything was changed.
    Obstacle(Box<Failure>),
    /// The work is done; only printing the result failed.
    WorkDone(Box<Failure>),
    /// One of many files failed, and the others did not.
    OneOfMany(Box<Failure>),
    /// `merge` failed before it wrote its result.
    NotMerged(Box<Failure>),
    /// The failure is about one of the versions that `merge` reads. `others_open` says whether other tokens opened.
    InVersion { version: &'static str, others_open: bool, failure: Box<Failure> },
    /// `merge` has merged the lines, and their text is not a config.
    MergedUnreadable(Box<Failure>),
}

/// The result of everything that can fail in this program.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// Returns the exit code of the command.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Several(failures) => failures.first().map_or(Exit::Other, Self::exit),
            failure => failure.message().exit,
        }
    }

    /// Returns what happened.
    pub(crate) fn what(&self) -> String {
        self.message().what
    }

    /// Returns what to do next.
    pub(crate) fn next(&self) -> String {
        self.message().next.into_owned()
    }

    /// Reports whether no message is printed: the reader of stdout went away (`| head`).
    pub(crate) fn is_silent(&self) -> bool {
        match self {
            Self::File(FileFailure::ReaderGone) => true,
            Self::WorkDone(failure) | Self::OneOfMany(failure) => failure.is_silent(),
            Self::Several(failures) => failures.iter().all(Self::is_silent),
            _ => false,
        }
    }

    /// Returns the failures that are reported to the user, one by one.
    pub(crate) fn told(&self) -> Vec<&Self> {
        match self {
            Self::Several(failures) => failures.iter().flat_map(Self::told).collect(),
            failure if failure.is_silent() => Vec::new(),
            failure => vec![failure],
        }
    }

    /// Reports whether a token did not open.
    pub(crate) fn is_unopened(&self) -> bool {
        self.exit() == Exit::Unopened
    }

    /// Returns the failures in `others`, if there are any, followed by this one.
    pub(crate) fn after(self, mut others: Vec<Self>) -> Self {
        if others.is_empty() {
            return self;
        }
        others.push(self);
        Self::Several(others)
    }

    fn message(&self) -> Message {
        match self {
            Self::File(failure) => failure.message(),
            Self::Config(failure) => failure.message(),
            Self::Token(failure) => failure.message(),
            Self::Key(failure) => failure.message(),
            Self::Lock(failure) => failure.message(),
            Self::Usage(failure) => failure.message(),
            Self::Rotation(failure) => failure.message(),
            Self::Encryption(failure) => failure.message(),
            Self::Program(failure) => failure.message(),
            Self::Terminal(failure) => failure.message(),
            Self::Bug(bug) => bug.message(),

            Self::Interrupted => {
                message(Exit::Interrupted, "interrupted", "nothing was changed; run it again when ready")
            }
            Self::ThingsWrong { number, first } => {
                let what = match number {
                    1 => "one thing is wrong".to_owned(),
                    number => format!("{number} things are wrong"),
                };
                message(*first, what, "begin with the first line that says WRONG")
            }

            Self::Several(failures) => {
                let what: Vec<String> = failures.iter().map(Self::what).collect();
                let mut next: Vec<String> = Vec::new();
                for hint in failures.iter().map(Self::next) {
                    if !next.contains(&hint) {
                        next.push(hint);
                    }
                }
                message(self.exit(), what.join("; "), next.join("; "))
            }
            Self::NothingChanged(failure) => failure.message().with_next(|next| format!("nothing was changed; {next}")),
            Self::NothingRemoved(failure) => failure.message().with_next(|next| format!("nothing was removed; {next}")),
            Self::OrKeepGoing(failure) => {
                failure.message().with_next(|next| format!("{next} (or leave such files out with --keep-going)"))
            }
            Self::OrAsText(failure) => failure
                .message()
                .with_next(|next| format!("{next}; --format text writes the secrets as they are, without quotes")),
            Self::OrDiscardOld(failure) => failure.message().with_next(|next| {
                format!("{next}; if you no longer need the old secret, --discard-old replaces it without decrypting it")
            }),
            Self::Obstacle(failure) => {
                failure.message().with_next(|_| "fix that, or work on a copy in another directory".to_owned())
            }
            Self::WorkDone(failure) => failure
                .message()
                .with_next(|_| "the work is done; only the output is incomplete: do not run it again".to_owned()),
            Self::OneOfMany(failure) => Message { exit: Exit::Partial, ..failure.message() },
            Self::NotMerged(failure) => {
                let message = failure.message().with_next(|next| format!("the secrets were not merged; {next}"));
                Message { exit: Exit::NotMerged, ..message }
            }
            Self::InVersion { version, others_open, failure } => {
                let mut message = failure.message();
                message.what = format!("{} ({version})", message.what);
                if *others_open {
                    return message.with_next(|next| {
                        format!(
                            "{next}; if the versions are under different keys, set the newer key, and the older one in \
                             PROXMOX_MCP_MASTER_KEY_PREVIOUS, and merge again"
                        )
                    });
                }
                message
            }
            Self::MergedUnreadable(failure) => {
                let message = failure.message().with_next(|next| {
                    format!("the lines of both sides do not fit together: mend them by hand; {next}")
                });
                Message { exit: Exit::Other, ..message }
            }
        }
    }
}

/// Fails with `failures`, unless the list is empty.
pub(crate) fn check_none(failures: impl IntoIterator<Item = Failure>) -> Result<()> {
    let mut failures: Vec<Failure> = failures.into_iter().collect();
    match failures.pop() {
        None => Ok(()),
        Some(last) => Err(last.after(failures)),
    }
}

/// Implements `From` for the failures of each topic, so that `?` and `into()` convert them.
macro_rules! topics {
    ($($topic:ident($failure:ty),)*) => {
        $(impl From<$failure> for Failure {
            fn from(failure: $failure) -> Self {
                Self::$topic(failure)
            }
        })*
    };
}

topics! {
    File(FileFailure),
    Config(ConfigFailure),
    Token(TokenFailure),
    Key(KeyFailure),
    Lock(LockFailure),
    Usage(UsageFailure),
    Rotation(RotationFailure),
    Encryption(EncryptionFailure),
    Program(ProgramFailure),
    Terminal(TerminalFailure),
    Bug(Bug),
}

/// The three parts of a failure's message.
struct Message {
    exit: Exit,
    /// Returns what happened.
    what: String,
    /// Returns what to do next.
    next: Cow<'static, str>,
}

fn message(exit: Exit, what: impl Into<String>, next: impl Into<Cow<'static, str>>) -> Message {
    Message { exit, what: what.into(), next: next.into() }
}

impl Message {
    fn with_next(self, next: impl FnOnce(&str) -> String) -> Self {
        Self { next: next(&self.next).into(), ..self }
    }
}

/// An error of the system. Unlike [`io::Error`] it can be cloned, as one failure may be reported for several configs.
#[derive(Debug, Clone)]
pub(crate) struct Cause(Arc<io::Error>);

impl Cause {
    fn kind(&self) -> io::ErrorKind {
        self.0.kind()
    }

    /// Does the same as [`Refused::of`].
    pub(crate) fn refused(&self) -> Option<Refused> {
        Refused::of(&self.0)
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self(Arc::new(error))
    }
}

impl From<Errno> for Cause {
    fn from(error: Errno) -> Self {
        io::Error::from(error).into()
    }
}

impl From<io::ErrorKind> for Cause {
    fn from(kind: io::ErrorKind) -> Self {
        io::Error::from(kind).into()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_regular(path: &str) -> Failure {
        FileFailure::NotRegular { path: path.into() }.into()
    }

    fn reader_gone() -> Failure {
        FileFailure::ReaderGone.into()
    }

    #[test]
    fn several_failures_are_told_in_order_under_the_first_code() {
        assert!(check_none([]).is_ok());
        let only = check_none([Failure::Interrupted]).unwrap_err();
        assert!(matches!(only, Failure::Interrupted));
        let several = check_none([Failure::Interrupted, reader_gone(), not_regular("a")]).unwrap_err();
        assert_eq!(several.exit(), Exit::Interrupted);
        let told: Vec<String> = several.told().into_iter().map(Failure::what).collect();
        assert_eq!(told, ["interrupted", "a is not a regular file"]);
    }

    #[test]
    fn inside_another_failure_several_share_one_hint() {
        let several = check_none([not_regular("a"), not_regular("b"), Failure::Interrupted]).unwrap_err();
        let failure = Failure::NothingChanged(Box::new(several));
        assert_eq!(failure.what(), "a is not a regular file; b is not a regular file; interrupted");
        let next = "nothing was changed; name a regular file; nothing was changed; run it again when ready";
        assert_eq!(failure.next(), next);
    }

    #[test]
    fn what_is_known_besides_stands_around_the_hint() {
        let boxed = |failure| Box::new(failure);
        let failure = Failure::OrKeepGoing(boxed(Failure::NothingChanged(boxed(not_regular("a")))));
        assert_eq!(failure.what(), "a is not a regular file");
        let next = "nothing was changed; name a regular file (or leave such files out with --keep-going)";
        assert_eq!(failure.next(), next);
        assert_eq!(failure.exit(), Exit::File);
        assert_eq!(Failure::OneOfMany(boxed(failure)).exit(), Exit::Partial);
    }

    #[test]
    fn a_reader_that_went_away_is_told_nothing() {
        assert!(reader_gone().is_silent());
        assert!(Failure::WorkDone(Box::new(reader_gone())).is_silent());
        assert!(Failure::Several(vec![reader_gone(), reader_gone()]).is_silent());
        assert!(!Failure::Several(vec![reader_gone(), not_regular("a")]).is_silent());
        assert!(!Failure::from(FileFailure::Stdout { error: io::ErrorKind::StorageFull.into() }).is_silent());
    }

    #[test]
    fn numbers_agree_with_their_nouns() {
        let no_config = |left_out| {
            let first = vec![("d/x".into(), SkipReason::Backup)];
            Failure::from(FileFailure::NoConfig { directory: "d".into(), left_out, first }).what()
        };
        assert_eq!(no_config(0), "no config in d: no file in it has a config's name");
        assert_eq!(no_config(1), "no config in d: 1 entry left out");
        assert_eq!(no_config(2), "no config in d: 2 entries left out");
    }
}
