//! Other programs: git, the editor, and the one that `run` starts.

use std::ffi::OsString;
use std::process::ExitStatus;

use super::{Cause, Exit, Message, message};
use crate::quote::one_line;

#[derive(Debug, Clone)]
pub(crate) enum ProgramFailure {
    /// Git is missing.
    GitNotStarted { error: Cause },
    /// The first line that git said; nothing, if it said nothing.
    GitFailed { said: Option<String> },
    /// Git lists a file in a way that this program does not know.
    GitUnknown { entry: String },
    /// The shell that starts the editor is missing.
    EditorNotStarted { error: Cause },
    /// The editor ended with a failure.
    EditorFailed { editor: OsString, status: ExitStatus },
    /// The program that `run` is to start.
    NotStarted { program: OsString, flaw: StartFlaw },
    /// The process that removes a folder in memory later.
    SweeperNotStarted { error: Cause },
}

/// Why a program did not start.
#[derive(Debug, Clone)]
pub(crate) enum StartFlaw {
    /// `E2BIG`.
    TooLong,
    NotInPath,
    NotFound,
    /// The file is there; the program that is to run it is not.
    InterpreterNotFound,
    Other(Cause),
}

impl ProgramFailure {
    pub(super) fn message(&self) -> Message {
        match self {
            Self::GitNotStarted { error } => git(&format!("cannot run git: {error}")),
            Self::GitFailed { said: Some(said) } => git(&format!("git failed: {}", one_line(said))),
            Self::GitFailed { said: None } => git("git failed and said nothing"),
            Self::GitUnknown { entry } => message(
                Exit::Other,
                format!("git lists what is staged in an unknown way: {}", one_line(entry)),
                "name the files instead, and report this",
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
            Self::SweeperNotStarted { error } => message(
                Exit::Other,
                format!("no second process can be started: {error}"),
                "raise the limit on processes",
            ),
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
                "a variable or an argument is too long for the system, or all of them are".to_owned(),
                "hand long values over in files: --file NAME=POINTER, or --config-env NAME",
            ),
            Self::NotInPath => {
                (Exit::ProgramNotFound, "it is in no directory of PATH".to_owned(), "check its name, or give its path")
            }
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
