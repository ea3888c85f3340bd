//! Reads the guide's spellings. `fernseal CONFIG --status` becomes `fernseal status CONFIG` before clap parses it, so
//! the two spellings cannot differ in their options, defaults or messages.
//!
//! clap alone could parse the guide's flags as options of the tree's top. But each option of `encrypt`, `status` and
//! `rotate` is legal after them, and would be written twice, and be listed twice in the help.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ErrorKind};
use clap::{Args, CommandFactory, Parser};

use super::Cli;

/// The guide's flags. They become verbs before parsing; clap knows them only for help and completions.
#[derive(Debug, Args)]
#[command(next_help_heading = "As in the guide")]
pub(super) struct Guide {
    /// Show what is encrypted in CONFIG (= fernseal status CONFIG)
    #[arg(long)]
    status: bool,
    /// Make a new master key (= fernseal keygen)
    #[arg(long)]
    generate_key: bool,
    /// Give CONFIG a new master key (= fernseal rotate CONFIG)
    #[arg(long, value_name = "CONFIG")]
    rotate_key: Option<PathBuf>,
    /// Give all configs in DIR a new master key (= fernseal rotate DIR)
    #[arg(long, value_name = "DIR")]
    rotate_key_all: Option<PathBuf>,
}

/// `Exit::NotMerged`. The fuzz target for arguments builds this folder without the errors.
const NOT_MERGED: i32 = 129;

impl Cli {
    /// Parses the arguments of the process. Invalid arguments end the process with exit code 2. For `merge` it is
    /// another one: git takes 2 for conflicts that are marked in the file.
    pub(crate) fn from_process() -> Self {
        let args: Vec<OsString> = std::env::args_os().collect();
        let is_merge = args.get(1).is_some_and(|verb| verb == "merge");
        Self::from_args(args).unwrap_or_else(|error| {
            if is_merge && error.use_stderr() {
                // If stderr is closed, the exit code says it.
                let _ = error.print();
                std::process::exit(NOT_MERGED);
            }
            error.exit()
        })
    }

    /// Parses arguments, of which the first is the program's name.
    pub(crate) fn from_args(args: Vec<OsString>) -> Result<Self, clap::Error> {
        if let [program, help, verb, ..] = &*args
            && help == "help"
        {
            suggestion(program, verb, ContextKind::SuggestedSubcommand)?;
        }
        Self::try_parse_from(into_verbs(args)?)
    }
}

/// Translates the guide's spelling into verbs: the flag becomes the verb, and the rest keeps its order.
fn into_verbs(args: Vec<OsString>) -> Result<Vec<OsString>, clap::Error> {
    let tree = Cli::command();
    let takes_value = |option: &str| {
        let args = || tree.get_subcommands().flat_map(clap::Command::get_arguments).chain(tree.get_arguments());
        match option.strip_prefix("--") {
            Some(long) => args().any(|arg| arg.get_long() == Some(long) && arg.get_action().takes_values()),
            None => args().any(|arg| {
                arg.get_action().takes_values() && arg.get_short().is_some_and(|short| option == format!("-{short}"))
            }),
        }
    };

    let is_known = |option: &str| {
        let mut args = tree.get_subcommands().flat_map(clap::Command::get_arguments).chain(tree.get_arguments());
        matches!(option, "--help" | "--version") || args.any(|arg| arg.get_long() == option.strip_prefix("--"))
    };

    let mut verbs: Vec<&str> = Vec::new();
    let mut rest: Vec<OsString> = Vec::new();
    let mut words = 0;
    let mut first_word = None;
    let mut args = args.into_iter();
    let program = args.next().unwrap_or_default();
    let mut guide_possible = true;
    while let Some(arg) = args.next() {
        if !guide_possible {
            rest.push(arg);
            continue;
        }
        let (name, value) = split_option(&arg);
        let verb = match name {
            "--" => {
                words += args.len();
                rest.push(arg);
                rest.extend(args.by_ref());
                continue;
            }
            "--status" if value.is_none() => "status",
            "--generate-key" if value.is_none() => "keygen",
            "--rotate-key" | "--rotate-key-all" => {
                words += usize::from(value.is_some());
                rest.extend(value);
                "rotate"
            }
            _ if name.starts_with('-') && name.len() > 1 => {
                if name.starts_with("--") && !is_known(name) {
                    // Suggest one of the guide's flags. After a verb, clap suggests one of its options instead.
                    suggestion(&program, &arg, ContextKind::SuggestedArg)?;
                }
                let value_follows = value.is_none() && takes_value(name);
                rest.push(arg);
                rest.extend(if value_follows { args.next() } else { None });
                continue;
            }
            _ => {
                // If the first word is not a verb, this is the guide's spelling.
                guide_possible = words > 0 || (name != "help" && tree.find_subcommand(name).is_none());
                words += 1;
                first_word.get_or_insert(rest.len());
                rest.push(arg);
                continue;
            }
        };
        verbs.push(verb);
    }
    let verb = match (guide_possible, &*verbs) {
        (true, []) if words > 0 => {
            // A word that resembles a verb and is not a file is a misspelled verb.
            let is_verb = |word: &&OsString| {
                word.to_str().is_some_and(|word| !word.contains(['.', '/'])) && !Path::new(word).exists()
            };
            if let Some(word) = first_word.and_then(|at| rest.get(at)).filter(is_verb) {
                suggestion(&program, word, ContextKind::SuggestedSubcommand)?;
            }
            Some("encrypt")
        }
        (true, [verb]) => Some(*verb),
        (true, [_, _, ..]) => {
            let message = "only one of --status, --generate-key, --rotate-key and --rotate-key-all can be used";
            return Err(Cli::command().error(ErrorKind::ArgumentConflict, message));
        }
        (false, [verb, ..]) => {
            let message = format!("the flag for `{verb}` cannot be used with another command");
            return Err(Cli::command().error(ErrorKind::ArgumentConflict, message));
        }
        _ => None,
    };
    Ok([program].into_iter().chain(verb.map(OsString::from)).chain(rest).collect())
}

/// Fails with a suggestion if `word` resembles a valid first word.
fn suggestion(program: &OsStr, word: &OsStr, kind: ContextKind) -> Result<(), clap::Error> {
    Cli::try_parse_from([program, word]).err().filter(|error| error.get(kind).is_some()).map_or(Ok(()), Err)
}

/// Splits `--name=value`. Anything else is returned whole, without a value.
fn split_option(arg: &OsStr) -> (&str, Option<OsString>) {
    // An argument that is not UTF-8 is not an option of this program.
    let text = arg.to_str().unwrap_or_default();
    match text.split_once('=') {
        Some((name, value)) if name.starts_with("--") => (name, Some(value.into())),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verbs(line: &str) -> String {
        let args = line.split(' ').map(OsString::from).collect();
        let verbs = into_verbs(args).unwrap();
        verbs.join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn the_guides_spellings_become_verbs_wherever_the_flag_stands() {
        assert_eq!(verbs("fernseal c.json"), "fernseal encrypt c.json");
        assert_eq!(verbs("fernseal c.json -o out.json"), "fernseal encrypt c.json -o out.json");
        assert_eq!(verbs("fernseal -o status c.json"), "fernseal encrypt -o status c.json");
        assert_eq!(verbs("fernseal -oout.json c.json"), "fernseal encrypt -oout.json c.json");
        assert_eq!(verbs("fernseal c.json --status"), "fernseal status c.json");
        assert_eq!(verbs("fernseal --status c.json"), "fernseal status c.json");
        assert_eq!(verbs("fernseal --key-file status c.json --status"), "fernseal status --key-file status c.json");
        assert_eq!(verbs("fernseal --generate-key"), "fernseal keygen");
        assert_eq!(verbs("fernseal --rotate-key c.json"), "fernseal rotate c.json");
        assert_eq!(verbs("fernseal --rotate-key=c.json"), "fernseal rotate c.json");
        assert_eq!(verbs("fernseal --rotate-key-all d/ --dry-run"), "fernseal rotate d/ --dry-run");
        assert_eq!(verbs("fernseal -- --status"), "fernseal encrypt -- --status");
        assert_eq!(verbs("fernseal -- status"), "fernseal encrypt -- status");
    }

    #[test]
    fn verbs_stay_as_they_are() {
        assert_eq!(verbs("fernseal status c.json"), "fernseal status c.json");
        assert_eq!(verbs("fernseal -v encrypt status"), "fernseal -v encrypt status");
        assert_eq!(verbs("fernseal --version"), "fernseal --version");
        assert_eq!(verbs("fernseal help status"), "fernseal help status");
    }

    #[test]
    fn two_modes_at_once_are_a_usage_error() {
        for line in ["fernseal c.json --status --generate-key", "fernseal --rotate-key c.json --rotate-key-all d"] {
            let args = line.split(' ').map(OsString::from).collect();
            assert_eq!(into_verbs(args).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
