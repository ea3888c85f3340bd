//! `completions`: prints the script that makes a shell complete the command.
//!
//! At each TAB, the script asks the program itself, which knows its options, the files and the pointers of the config.
//! Completion needs no key and opens no token.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, CommandFactory, ValueHint};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};

use crate::args::Cli;
use crate::args::completions::{Completions, Shell};
use crate::config::text::{ConfigText, FormatSource};
use crate::error::Result;
use crate::output;
use crate::store::ConfigPath;

/// The environment variable through which the scripts ask.
const VARIABLE: &str = "_FERNSEAL_COMPLETE";

/// Answers a shell's completion request and exits, if this process was started for one.
pub(crate) fn answer() {
    let shells = Shells(&[&BashWithFiles, &Elvish, &Fish, &Powershell, &Zsh]);
    CompleteEnv::with_factory(tree).var(VARIABLE).shells(shells).complete();
}

pub(crate) fn run(args: &Completions) -> Result<()> {
    let shell: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &BashWithFiles,
        Shell::Elvish => &Elvish,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
        Shell::Zsh => &Zsh,
    };
    let mut script = Vec::new();
    shell
        .write_registration(VARIABLE, "fernseal", "fernseal", "fernseal", &mut script)
        .map_err(output::stdout_failed)?;
    if args.shell == Shell::Zsh {
        script.extend_from_slice(ZSH_AUTOLOAD.as_bytes());
    }
    output::result_bytes(&[&script])
}

/// zsh loads a script from its function path at the first TAB. This addition answers that first TAB too.
const ZSH_AUTOLOAD: &str = "if [[ $funcstack[1] == _fernseal ]]; then\n    _clap_dynamic_completer_fernseal\nfi\n";

/// Builds the command line for completion: without hidden verbs, and with a completer for each kind of value.
fn tree() -> Command {
    let tree = Cli::command();
    let visible = tree.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned().collect::<Vec<_>>();
    Command::new("fernseal")
        .version(env!("CARGO_PKG_VERSION"))
        .args(tree.get_arguments().cloned())
        .subcommands(visible)
        .mut_subcommands(with_completers)
}

fn with_completers(command: Command) -> Command {
    command.mut_args(with_completer).mut_subcommands(with_completers)
}

fn with_completer(arg: Arg) -> Arg {
    let names: Vec<String> = arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
    match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["CONFIG", "POINTER"] => arg.add(ArgValueCompleter::new(config_or_pointer)),
        ["POINTER"] => arg.add(ArgValueCompleter::new(pointers)),
        ["NAME=POINTER"] => arg.add(ArgValueCompleter::new(assignments)),
        ["COMMAND"] => arg.add(ArgValueCompleter::new(programs)),
        ["DIR"] => arg.value_hint(ValueHint::DirPath),
        _ => arg,
    }
}

/// Returns the words of the command line that is being completed, after the program's name.
fn words() -> Vec<OsString> {
    env::args_os().skip_while(|word| word != "--").skip(2).collect()
}

/// Returns the config that the words name, or the default config.
fn named_config() -> Option<PathBuf> {
    let is_file = |word: &OsString| Path::new(word).is_file();
    let named = words().into_iter().skip(1).find(is_file);
    named.or_else(|| crate::env::variable("PROXMOX_MCP_CONFIG")).map(PathBuf::from)
}

/// Completes a pointer of the config. An unreadable config gives no candidates.
fn pointers(start: &OsStr) -> Vec<CompletionCandidate> {
    let Some(start) = start.to_str() else { return Vec::new() };
    let text = named_config().and_then(|path| {
        let bytes = ConfigPath::named(&path).read().ok()?.take_bytes();
        ConfigText::parse(path.to_string_lossy().into_owned(), bytes, FormatSource::Name).ok()
    });
    let Some(text) = text else { return Vec::new() };
    let pointers = text.leaves().map(|leaf| leaf.pointer);
    let fitting = pointers.filter(|pointer| pointer.starts_with(start));
    fitting.map(|pointer| CompletionCandidate::new(&*pointer)).collect()
}

/// Completes an argument of `get`, which takes a config and a pointer, or only a pointer.
fn config_or_pointer(start: &OsStr) -> Vec<CompletionCandidate> {
    let mut candidates = pointers(start);
    if words().iter().skip(1).all(|word| word.as_os_str() == start || !Path::new(word).is_file()) {
        candidates.extend(PathCompleter::any().complete(start));
    }
    candidates
}

/// Completes the pointer in `NAME=POINTER`.
fn assignments(start: &OsStr) -> Vec<CompletionCandidate> {
    let Some((name, pointer)) = start.to_str().and_then(|start| start.split_once('=')) else { return Vec::new() };
    pointers(pointer.as_ref()).into_iter().map(|candidate| candidate.add_prefix(format!("{name}="))).collect()
}

/// Completes a program in PATH, or a file, as an argument of the program may be one.
fn programs(start: &OsStr) -> Vec<CompletionCandidate> {
    let mut candidates = PathCompleter::any().complete(start);
    let is_program =
        |path: &Path| path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    let Some(start) = start.to_str().filter(|start| !start.is_empty() && !start.contains('/')) else {
        return candidates;
    };
    let is_first = words().iter().rev().nth(1).is_some_and(|word| word == "--");
    for directory in crate::env::variable("PATH")
        .filter(|_| is_first)
        .iter()
        .flat_map(|path| env::split_paths(path).collect::<Vec<_>>())
    {
        let entries = directory.read_dir().into_iter().flatten().flatten();
        let fitting = entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(start)));
        candidates.extend(
            fitting.filter(|entry| is_program(&entry.path())).map(|entry| CompletionCandidate::new(entry.file_name())),
        );
    }
    candidates
}

/// Works like clap's completer for bash, but lets bash quote candidates that are files, so that names with spaces stay
/// whole.
struct BashWithFiles;

impl EnvCompleter for BashWithFiles {
    fn name(&self) -> &'static str {
        "bash"
    }

    fn is(&self, name: &str) -> bool {
        name == "bash"
    }

    fn write_registration(
        &self,
        variable: &str,
        name: &str,
        _command: &str,
        completer: &str,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        write!(
            out,
            r#"_{name}() {{
    local IFS=$'\013' words=("${{COMP_WORDS[@]}}") candidate
    words[COMP_CWORD]=$2
    COMPREPLY=($(_CLAP_IFS=$IFS _CLAP_COMPLETE_INDEX=$COMP_CWORD {variable}=bash {completer} -- "${{words[@]}}" 2>/dev/null))
    for candidate in "${{COMPREPLY[@]}}"; do
        if [[ -e $candidate ]]; then
            compopt -o filenames 2>/dev/null
        elif [[ $candidate == *= ]]; then
            compopt -o nospace 2>/dev/null
        fi
    done
}}
complete -o bashdefault -o default -F _{name} {name}
"#
        )
    }

    fn write_complete(
        &self,
        command: &mut Command,
        words: Vec<OsString>,
        directory: Option<&Path>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        Bash.write_complete(command, words, directory, out)
    }
}
