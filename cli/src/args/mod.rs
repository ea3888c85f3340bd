//! Defines the command line as one clap tree: help, completions and manual pages come from it. This file has the top of
//! the tree; each verb has a file.
//!
//! A new verb starts here: its arguments in a file of its own and in [`Command`], then its file in `commands/` with the
//! options that it works with. `options` turns the one into the other.

mod backups;
mod check;
pub(crate) mod completions;
mod decrypt;
mod doctor;
mod edit;
mod encrypt;
mod get;
mod guide;
mod key;
mod keygen;
pub(crate) mod man;
mod merge;
mod open;
#[cfg(not(fuzzing))] // see its header
mod options;
pub(crate) mod reference;
mod rotate;
mod run;
mod seal;
mod set;
mod status;
mod unset;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use backups::Backups;
use check::Check;
use completions::Completions;
use decrypt::Decrypt;
use doctor::Doctor;
use edit::Edit;
use encrypt::Encrypt;
use get::Get;
use key::Key;
use keygen::Keygen;
use man::Man;
use merge::Merge;
use open::Open;
#[cfg(not(fuzzing))]
pub(crate) use options::CommonOptions;
use rotate::Rotate;
use run::Run;
use seal::Seal;
use set::Set;
use status::Status;
use unset::Unset;
use verify::Verify;

/// Keeps the secrets of configs encrypted at rest.
#[derive(Debug, Parser)]
#[command(name = "fernseal", version, arg_required_else_help = true, subcommand_required = true)]
#[command(override_usage = "fernseal CONFIG [-o OUT]\n       fernseal CONFIG --status\n       fernseal COMMAND …")]
#[command(help_template = HELP, before_help = EXAMPLES, after_help = reference::after_help())]
pub(crate) struct Cli {
    #[command(flatten)]
    guide: guide::Guide,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Help with the examples, which clap would put before the first line, behind the usage.
const HELP: &str = "{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}{all-args}{after-help}";

const EXAMPLES: &str = "\
Examples:
  fernseal keygen -o ~/.proxmox_mcp_key        make a master key
  export PROXMOX_MCP_MASTER_KEY=$(cat ~/.proxmox_mcp_key)
  fernseal config.json                         write config.encrypted.json
  fernseal config.encrypted.json --status      what is encrypted, and how
  fernseal get config.encrypted.json /auth/token_value
  fernseal rotate proxmox-config/              a new master key for all configs
  fernseal run config.encrypted.json --config-env PROXMOX_MCP_CONFIG -- python -m proxmox_mcp.server";

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Common {
    /// Read the master key from FILE
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Run COMMAND with sh -c and use its output as the master key
    #[arg(long, global = true, value_name = "COMMAND", conflicts_with = "key_file")]
    key_command: Option<OsString>,
    /// Read the configs that you name as FORMAT, whatever their file names are
    #[arg(long, global = true, value_name = "FORMAT", value_parser = FORMATS)]
    format: Option<String>,
    /// Append to FILE what each command did with keys and secrets; `journald:` is systemd's journal
    #[arg(long, global = true, value_name = "FILE")]
    audit_log: Option<PathBuf>,
    /// Wait at most SECONDS for another run that writes in the same directory [default: $PROXMOX_MCP_LOCK_WAIT or 10]
    #[arg(long, global = true, value_name = "SECONDS")]
    lock_wait: Option<u32>,
    /// Refuse to decrypt configs with more than N different salts, each of which takes a key derivation [default: 2048]
    #[arg(long, global = true, value_name = "N")]
    max_tokens: Option<usize>,
    /// Never ask at the terminal: fail if something is missing
    #[arg(long, global = true)]
    no_input: bool,
    /// Print details of the work to stderr
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Print only errors and warnings to stderr
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

/// The names of formats, as `config::syntax` has them.
const FORMATS: [&str; 8] = ["json", "jsonc", "env", "toml", "yaml", "ini", "properties", "text"];

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Encrypt the secrets of a config
    Encrypt(Encrypt),
    /// Write a config with its secrets in plain text
    Decrypt(Decrypt),
    /// Print one value, decrypted
    Get(Get),
    /// Replace one value with a secret from stdin or a prompt
    Set(Set),
    /// Remove one value, with its name
    Unset(Unset),
    /// Edit a config in plain text, only in memory; changed secrets are encrypted again
    Edit(Edit),
    /// Show what is encrypted, without a key
    Status(Status),
    /// Check that every token can be decrypted with the current keys
    Verify(Verify),
    /// Make a new master key
    Keygen(Keygen),
    /// Identify master keys
    #[command(subcommand)]
    Key(Key),
    /// Re-encrypt configs with a new master key; no failure can lose a secret
    Rotate(Rotate),
    /// List or remove the backups that rotations made
    Backups(Backups),
    /// Merge two versions of a config, for git
    Merge(Merge),
    /// Find secrets in plain text, for git hooks and CI (exit code 3)
    Check(Check),
    /// Encrypt one secret from stdin or a prompt, and print the token
    Seal(Seal),
    /// Print the secret of one token from stdin
    Open(Open),
    /// Start a program with decrypted secrets in its environment or in private files
    Run(Run),
    /// Find out what is wrong with a config and its master key, and what to do
    Doctor(Doctor),
    /// Run a program that is killed with its parent (see keys/command.rs)
    #[command(hide = true)]
    Bound {
        /// The parent's process number
        #[arg(long)]
        parent: i32,
        /// The program and its arguments
        #[arg(last = true, required = true)]
        program: Vec<OsString>,
    },
    /// Run a program in a session of its own on the terminal at stdout (see commands/run/relay.rs)
    #[command(hide = true)]
    Session {
        /// The program and its arguments
        #[arg(last = true, required = true)]
        program: Vec<OsString>,
    },
    /// Remove a folder in memory once its process has ended (see store/memory.rs)
    #[command(hide = true)]
    Sweep {
        /// Wait for the end, rather than start the process that waits
        #[arg(long)]
        stay: bool,
        /// The folder
        folder: PathBuf,
    },
    /// Print completions for a shell
    Completions(Completions),
    /// Print the manual page, or write all of them to DIR
    Man(Man),
}

/// Which files in directories count
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Files of directories")]
pub(crate) struct Select {
    /// In directories, also include files that match GLOB, such as '*.tf' or 'deploy/**/*.txt' (can be repeated)
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// In directories, skip files that match GLOB (can be repeated)
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
}

#[cfg(test)]
mod tests {
    use std::iter;

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_clap_tree_is_sound() {
        Cli::command().debug_assert();
    }

    /// Returns all commands of the tree.
    fn all(tree: &clap::Command) -> impl Iterator<Item = &clap::Command> {
        let below = tree.get_subcommands().flat_map(|verb| iter::once(verb).chain(verb.get_subcommands()));
        iter::once(tree).chain(below)
    }

    /// Otherwise the lines of a paragraph are wrapped one by one, on terminals that are narrower than the source.
    #[test]
    fn a_paragraph_of_the_help_is_one_line() {
        let tree = Cli::command();
        for command in all(&tree) {
            let texts = [command.get_before_help(), command.get_after_help()];
            for text in texts.into_iter().flatten().map(ToString::to_string) {
                let lines: Vec<&str> = text.lines().collect();
                let is_text = |line: &str| !line.is_empty() && !line.starts_with(' ');
                let broken = lines.windows(2).find(|pair| is_text(pair[0]) && is_text(pair[1]));
                assert_eq!(broken, None, "{}", command.get_name());
            }
        }
    }

    /// A heading holds for all options after it, so those that choose files come last.
    #[test]
    fn each_option_of_the_help_is_under_its_heading() {
        let tree = Cli::command();
        for arg in all(&tree).flat_map(clap::Command::get_arguments) {
            let chooses_files = ["include", "exclude"].contains(&arg.get_id().as_str());
            assert_eq!(arg.get_help_heading() == Some("Files of directories"), chooses_files, "{}", arg.get_id());
        }
    }
}
