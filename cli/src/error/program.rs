//! Failures of other programs: git, the editor, and the program that `run` starts.

use std::ffi::OsString;
use std::process::ExitStatus;

use super::{Cause, Exit, Message, message};
use crate::quote::one_line;

#[derive(Debug, Clone)]
pub(crate) enum ProgramFailure {
    /// Git did not start.
    GitNotStarted { error: Cause },
    /// Git failed, with the first line of its error output, if any.
    GitFailed { said: Option<String> },
    /// The output of git has an unknown format.
    GitUnknown { entry: String },
    /// `git merge-file` failed, with the first line of its error output, if any.
    GitNotMerged { said: Option<String> },
    /// There is no folder in memory for the files that `git merge-file` reads.
    NoMemoryForMerge { error: Cause },
    /// The shell that runs the editor did not start.
    EditorNotStarted { error: Cause },
    /// The editor exited with a failure.
    EditorFailed { editor: OsString, status: ExitStatus },
    /// The program for `run` did not start.
    NotStarted { program: OsString, flaw: StartFlaw },
    /// The sweeper process, which removes a folder in memory, did not start.
    SweeperNotStarted { error: Cause },
}

/// Why a program did not start.
#[derive(Debug, Clone)]
pub(crate) enum StartFlaw {
    /// The arguments and the environment exceed the system's limit (E2BIG).
    TooLong,
    NotInPath,
    NotFound,
    /// The file exists, but its interpreter or loader does not.
    InterpreterNotFound,
    Other(Cause),
}

impl ProgramFailure {
    pub(super) fn message(&self) -> Message {
        match self {
            Self::GitNotStarted { error } => git(&format!("cannot run git: {error}")),
            Self::GitFailed { said: Some(said) } => git(&format!("git failed: {}", one_line(said))),
            Self::GitFailed { said: None } => git("git failed without a message"),
            Self::GitUnknown { entry } => message(
                Exit::Other,
                format!("git listed the staged files in an unknown format: {}", one_line(entry)),
                "name the files instead, and report this",
            ),
            Self::GitNotMerged { said } => message(
                Exit::Other,
                match said {
                    Some(said) => format!("git merge-file failed: {}", one_line(said)),
                    None => "git merge-file failed and said nothing".to_owned(),
                },
                "check that the three files are text",
            ),
            Self::NoMemoryForMerge { error } => message(
                Exit::File,
                format!("no file can be made in memory, where git is to merge: {error}"),
                "mount a tmpfs on /dev/shm, or set XDG_RUNTIME_DIR to one",
            ),
            Self::EditorNotStarted { error } => editor(format!("the editor cannot be started: {error}")),
            Self::EditorFailed { editor: name, status } => {
                editor(format!("the editor {} failed ({status})", one_line(&name.to_string_lossy())))
            }
            Self::NotStarted { program, flaw } => {
                let (exit, why, next) = flaw.parts();
                let what = format!("{} cannot be started: {why}", one_line(&program.to_string_lossy()));
                message(exit, what, next)
            }
            Self::SweeperNotStarted { error } => {
                message(Exit::Other, format!("cannot start a second process: {error}"), "raise the limit on processes")
            }
        }
    }
}

fn git(what: &str) -> Message {
    message(Exit::Other, what, "run it in a git repository, or name the files")
}

fn editor(what: String) -> Message {
    message(Exit::Other, what, "nothing was changed; set EDITOR to an editor that works")
}

impl StartFlaw {
    fn parts(&self) -> (Exit, String, &'static str) {
        match self {
            Self::TooLong => (
                Exit::NotExecutable,
                "its arguments or its environment are too long for the system".to_owned(),
                "pass long values in files: --file NAME=POINTER, or --config-env NAME",
            ),
            Self::NotInPath => (
                Exit::ProgramNotFound,
                "it is not in any directory of PATH".to_owned(),
                "check its name, or give its path",
            ),
            Self::NotFound => (Exit::ProgramNotFound, "it was not found".to_owned(), "check its path"),
            Self::InterpreterNotFound => (
                Exit::ProgramNotFound,
                "its interpreter or loader was not found".to_owned(),
                "check the interpreter that its first line names, and that it is for this system",
            ),
            Self::Other(error) => {
                (Exit::NotExecutable, error.to_string(), "check that it is a program, and that you may execute it")
            }
        }
    }
}
