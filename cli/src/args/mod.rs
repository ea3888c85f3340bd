//! Defines the command line as one clap tree: help, completions and manual pages come from it.
//! A new verb starts here: its options, then its file in `commands/`.

mod guide;
pub(crate) mod reference;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::quote::Pointer;
use crate::time::MaxAge;

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
    pub(crate) key_file: Option<PathBuf>,
    /// Run COMMAND with sh -c and use its output as the master key
    #[arg(long, global = true, value_name = "COMMAND", conflicts_with = "key_file")]
    pub(crate) key_command: Option<OsString>,
    /// Read the configs that you name as FORMAT, whatever their file names are
    #[arg(long, global = true, value_name = "FORMAT", value_parser = FORMATS)]
    pub(crate) format: Option<String>,
    /// Append to FILE what each command did with keys and secrets; `journald:` is systemd's journal
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) audit_log: Option<PathBuf>,
    /// Wait at most SECONDS for another run that writes in the same directory [default: $PROXMOX_MCP_LOCK_WAIT or 10]
    #[arg(long, global = true, value_name = "SECONDS")]
    pub(crate) lock_wait: Option<u32>,
    /// Decrypt configs with up to N different salts; each takes one key derivation [default: 2048]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) max_tokens: Option<usize>,
    /// Never prompt at the terminal: fail if something is missing
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Print details of the work to stderr
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Print only errors and warnings to stderr
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

/// The names of formats, as `config::syntax` has them.
pub(crate) const FORMATS: [&str; 8] = ["json", "jsonc", "env", "toml", "yaml", "ini", "properties", "text"];

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

/// Which files of directories are looked at
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Files of directories")]
pub(crate) struct Select {
    /// In directories, also include files that match GLOB, such as '*.tf' or 'deploy/**/*.txt' (can be repeated)
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// In directories, skip files that match GLOB (can be repeated)
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
}

/// Find secrets in plain text, for git hooks and CI (exit code 3)
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "\
Examples:
  fernseal check proxmox-config/ --require /database/password
  fernseal check --staged                      in .git/hooks/pre-commit

Secrets, and what looks like one and is none, can be listed in .fernseal.toml;
the nearest one counts, from the config's directory up to the repository's top:
  secrets = [\"/mcpServers/*/env/*\", \"**/password\"]
  ignore = [\"/examples/**\"]")]
pub(crate) struct Check {
    /// Configs, or directories: all their files with a config's name. Examples, links, hidden directories and files
    /// that are no configs are skipped [default: .]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) select: Select,
    /// Take the values at POINTER for secrets too, as in /proxmox/password or /env/*; a config must have one (can be
    /// repeated)
    #[arg(long = "require", value_name = "POINTER")]
    pub(crate) required: Vec<Pointer>,
    /// What to do about values that nobody named, but that look like secrets
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    pub(crate) likely: Likely,
    /// Take tokens that are older than AGE for findings too, as in 365d; as a rotation renews their time, this is the
    /// age of the key
    #[arg(long, value_name = "AGE")]
    pub(crate) max_age: Option<MaxAge>,
    /// Also report legacy tokens, which share one salt
    #[arg(long)]
    pub(crate) no_legacy: bool,
    /// Check the configs that are staged in git instead; they need not have the value of --require
    #[arg(long, conflicts_with = "paths")]
    pub(crate) staged: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Print SARIF 2.1.0, which CI shows as annotations
    #[arg(long, conflicts_with = "json")]
    pub(crate) sarif: bool,
}

/// What a likely secret in plain text comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Likely {
    /// Fail, as named secrets do
    #[default]
    Fail,
    /// Print them, and do not fail
    Warn,
    /// Do not look for them
    Ignore,
}

/// Start a program with decrypted secrets in its environment or in private files
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "\
Examples:
  fernseal run config.encrypted.json --config-env PROXMOX_MCP_CONFIG -- python -m proxmox_mcp.server
  fernseal run config.encrypted.json --env TOKEN=/auth/token_value -- ./backup.sh
  fernseal run config.encrypted.json --file KEY=/ssh/key -- sh -c 'ssh -i \"$KEY\" pve uptime'")]
#[command(after_help = RUN_HELP)]
pub(crate) struct Run {
    /// The config [default: $PROXMOX_MCP_CONFIG]
    pub(crate) config: Option<PathBuf>,
    /// Set the variable NAME to the value at POINTER (can be repeated)
    #[arg(long = "env", value_name = "NAME=POINTER")]
    pub(crate) variables: Vec<String>,
    /// Set a variable for each member of the object at POINTER, named as the member (can be repeated)
    #[arg(long = "env-all", value_name = "POINTER")]
    pub(crate) objects: Vec<String>,
    /// Set the variable NAME to the path of a file with the value at POINTER (can be repeated)
    #[arg(long = "file", value_name = "NAME=POINTER")]
    pub(crate) files: Vec<String>,
    /// Set the variable NAME to the path of a file with the whole config, decrypted
    #[arg(long, value_name = "NAME")]
    pub(crate) config_env: Option<String>,
    /// Set the variable NAME to the number of a file descriptor with the whole config, decrypted
    #[arg(long, value_name = "NAME")]
    pub(crate) config_fd: Option<String>,
    /// Fill in ${VAR}, ${VAR:-default} and ${VAR:?message} in values that are not encrypted, from the environment
    #[arg(long)]
    pub(crate) expand: bool,
    /// Replace secrets in the program's output with `[redacted]`, also as JSON, base64, hex and percent-encoding
    #[arg(long)]
    pub(crate) redact: bool,
    /// Keep the master key's variables in the program's environment
    #[arg(long)]
    pub(crate) keep_key: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) program: Vec<OsString>,
}

const RUN_HELP: &str = "\
Files have mode 0600 and are in a folder of mode 0700 in memory: in $XDG_RUNTIME_DIR, /run/user/UID or /dev/shm. The
program and all that it starts can open them; they are removed when the program ends. Where no memory file system can be
written to, a path is /proc/PID/fd/N: while the program keeps that descriptor open, its user's other processes and root
can open it, and nobody else.
The program takes the place of fernseal, so its exit code is the program's: 127 if it was not found, 126 if it cannot be
executed. With --redact, fernseal stays and passes on output, signals and the exit code. That protects from accidents, in
agents and logs, not from an attacker: a program can print a secret in other forms. Secrets of fewer than 4 bytes are not
replaced.";

/// Find out what is wrong with a config and its master key, and what to do
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The config to look at [default: $PROXMOX_MCP_CONFIG]; or a directory: which keys its configs need, what each of
    /// the keys in the usual places opens, and which can be retired
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) select: Select,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print completions for a shell
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// bash, zsh, fish, powershell or elvish
    pub(crate) shell: Shell,
}

/// The shells that can complete the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

/// Print the manual page, or write all of them to DIR
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Where to write one page for the command and one for each verb
    pub(crate) dir: Option<PathBuf>,
}

/// Encrypt the secrets of a config
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "\
Examples:
  fernseal encrypt config.json                 write config.encrypted.json
  fernseal encrypt --in-place config.json --field /database/password
  fernseal encrypt --in-place config.json --found --dry-run
  fernseal encrypt configs/                    show what would be encrypted, and ask

Secrets can be named once for all configs of a directory: in .fernseal.toml, see
the section FILES of fernseal(1).")]
pub(crate) struct Encrypt {
    /// The config to read; or a directory, all of whose configs are encrypted in place: what is named, and what looks
    /// like a secret
    pub(crate) config: PathBuf,
    #[command(flatten)]
    pub(crate) select: Select,
    /// Where to write [default: beside CONFIG, with the ending .encrypted.json]
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite OUT if it exists
    #[arg(long)]
    pub(crate) force: bool,
    /// Replace CONFIG itself, which keeps its owner, group and mode
    #[arg(long, conflicts_with_all = ["output", "force", "keep_mode"])]
    pub(crate) in_place: bool,
    /// Give OUT the owner, group and mode of CONFIG; without this option only you can read OUT
    #[arg(long)]
    pub(crate) keep_mode: bool,
    /// Take the values at POINTER for secrets too, as in /proxmox/password or /env/* (can be repeated)
    #[arg(long = "field", value_name = "POINTER")]
    pub(crate) fields: Vec<Pointer>,
    /// Take values for secrets too that look like secrets, as check finds them
    #[arg(long)]
    pub(crate) found: bool,
    /// Say what would be encrypted; write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask before what was found is encrypted in place
    #[arg(long)]
    pub(crate) yes: bool,
    /// In a directory, leave out configs that cannot be encrypted, and encrypt the others (exit code 8)
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Also encrypt values that contain placeholders, such as ${VAR} or {{ name }}
    #[arg(long)]
    pub(crate) placeholders: bool,
    /// Write legacy tokens, which share one salt
    #[arg(long)]
    pub(crate) legacy: bool,
    /// Encrypt even with a master key of fewer than 16 bytes
    #[arg(long)]
    pub(crate) allow_short_key: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Write a config with its secrets in plain text
#[derive(Debug, Args)]
#[command(after_help = TEXTCONV_HELP)]
pub(crate) struct Decrypt {
    /// The config to read [default: $PROXMOX_MCP_CONFIG]
    pub(crate) config: Option<PathBuf>,
    /// Where to write; only you can read the file [default: stdout]
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite OUT if it exists
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
    /// Give OUT the owner and group of CONFIG, and its mode without permissions for others
    #[arg(long, requires = "output")]
    pub(crate) keep_mode: bool,
    /// For `git diff`: print a token unchanged if it cannot be decrypted, and do not fail
    #[arg(long, conflicts_with_all = ["output", "force"])]
    pub(crate) textconv: bool,
    /// Print JSON: what was decrypted into OUT
    #[arg(long, requires = "output", conflicts_with = "textconv")]
    pub(crate) json: bool,
}

const TEXTCONV_HELP: &str = "\
To see in `git diff` which secrets changed, in plain text and only on your terminal:
  echo '*.encrypted.json diff=fernseal' >> .gitattributes
  git config diff.fernseal.textconv 'fernseal decrypt --textconv'
Leave diff.fernseal.cachetextconv off: git would keep the secrets in the repository.";

/// Merge two versions of a config, for git
#[derive(Debug, Args)]
#[command(after_help = MERGE_HELP)]
pub(crate) struct Merge {
    /// The version that both others come from (%O)
    pub(crate) base: PathBuf,
    /// The version of this branch (%A), which the result replaces
    pub(crate) ours: PathBuf,
    /// The version of the other branch (%B)
    pub(crate) theirs: PathBuf,
    /// The config's path (%P), which tells its format and is named in messages [default: OURS]
    pub(crate) path: Option<PathBuf>,
    /// Mark conflicts with lines of N characters (%L)
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub(crate) marker_size: usize,
}

const MERGE_HELP: &str = "\
To let git merge configs by their decrypted values:
  echo '*.encrypted.json merge=fernseal' >> .gitattributes
  git config merge.fernseal.name 'configs with encrypted values'
  git config merge.fernseal.driver 'fernseal merge --marker-size %L -- %O %A %B %P'
Two branches that set two secrets of one config do not conflict then, nor do two that gave it new tokens for the same
secrets. A token that needs no change stays as it is. In a conflict each side stands with its tokens: no secret is
written in plain text, neither to OURS nor to another file. The key is needed where both branches have new tokens.
Without it, or if a token does not decrypt, the exit code is 129: git stops and leaves everything as it was. Git before
2.42 goes on, and leaves the conflicts that it has without a driver.";

/// Print one value, decrypted
#[derive(Debug, Args)]
#[command(override_usage = "fernseal get [OPTIONS] [CONFIG] POINTER")]
pub(crate) struct Get {
    /// The config [default: $PROXMOX_MCP_CONFIG], and the value, as in /auth/token_value or auth.token_value
    #[arg(required = true, num_args = 1..=2, value_names = ["CONFIG", "POINTER"])]
    pub(crate) what: Vec<OsString>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Replace one value with a secret from stdin or a prompt
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "\
Example:
  printf %s \"$NEW_TOKEN\" | fernseal set config.encrypted.json /auth/token_value")]
pub(crate) struct Set {
    /// The config to change
    pub(crate) config: PathBuf,
    /// The value to replace, as in /auth/token_value or auth.token_value
    pub(crate) pointer: Pointer,
    /// Add the value to an existing object if it is missing, or at the end of an array: /keys/-
    #[arg(long)]
    pub(crate) create: bool,
    /// A further argument, which may be the secret. It is accepted here so that clap does not print it, and then
    /// refused
    #[arg(hide = true)]
    pub(crate) surplus: Vec<OsString>,
    /// Replace a token even if the current keys do not decrypt it; the secret in it is lost
    #[arg(long)]
    pub(crate) discard_old: bool,
    /// Use every byte of stdin, including the final line break
    #[arg(long)]
    pub(crate) raw: bool,
    /// Encrypt even with a master key of fewer than 16 bytes
    #[arg(long)]
    pub(crate) allow_short_key: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Remove one value, with its name
#[derive(Debug, Args)]
pub(crate) struct Unset {
    /// The config to change
    pub(crate) config: PathBuf,
    /// The value to remove, as in /auth/token_value or auth.token_value; a JSON object is removed with all its members
    pub(crate) pointer: Pointer,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Encrypt one secret from stdin or a prompt, and print the token
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "\
Example:
  printf 'db_password = \"%s\"\\n' \"$(pass db | fernseal seal)\" >> prod.tfvars")]
pub(crate) struct Seal {
    /// A further argument, which may be the secret. It is accepted here so that clap does not print it, and then
    /// refused
    #[arg(hide = true)]
    pub(crate) surplus: Vec<OsString>,
    /// Use every byte of stdin, including the final line break
    #[arg(long)]
    pub(crate) raw: bool,
    /// Encrypt even with a master key of fewer than 16 bytes
    #[arg(long)]
    pub(crate) allow_short_key: bool,
}

/// Print the secret of one token from stdin
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "\
Example:
  psql -Atc 'select token from account' | fernseal open")]
pub(crate) struct Open {
    /// A further argument, which may be the token. It is accepted here so that the message can say how to pass a token
    #[arg(hide = true)]
    pub(crate) surplus: Vec<OsString>,
}

/// Edit a config in plain text, only in memory; changed secrets are encrypted again
#[derive(Debug, Args)]
#[command(
    after_help = "The editor is $VISUAL, $EDITOR or vi. The text is in $XDG_RUNTIME_DIR or /dev/shm while it runs;
configure an editor so that it keeps no copies elsewhere (fernseal does that for vim)."
)]
pub(crate) struct Edit {
    /// The config to edit
    pub(crate) config: PathBuf,
    /// Take the values at POINTER for secrets too, as in /proxmox/password or /env/* (can be repeated)
    #[arg(long = "field", value_name = "POINTER")]
    pub(crate) fields: Vec<Pointer>,
    /// Encrypt even with a master key of fewer than 16 bytes
    #[arg(long)]
    pub(crate) allow_short_key: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show what is encrypted, without a key
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Configs, or directories: all their files with a config's name [default: $PROXMOX_MCP_CONFIG]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) select: Select,
    /// Fail (exit code 3) if a token is older than AGE, as in 365d; as a rotation renews their time, this is the age of
    /// the key
    #[arg(long, value_name = "AGE")]
    pub(crate) max_age: Option<MaxAge>,
    /// Also open every token (needs the key)
    #[arg(long)]
    pub(crate) verify: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Check that every token can be decrypted with the current keys
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Configs, or directories: all their files with a config's name [default: $PROXMOX_MCP_CONFIG]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) select: Select,
    /// Fail (exit code 3) if a token is older than AGE, as in 365d; as a rotation renews their time, this is the age of
    /// the key
    #[arg(long, value_name = "AGE")]
    pub(crate) max_age: Option<MaxAge>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Make a new master key
#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// Write the key to FILE, which only you can read; FILE must not exist
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Print the key to stdout, where it may end up in a log
    #[arg(long, conflicts_with = "output")]
    pub(crate) print: bool,
    /// Print JSON: the key's id and file
    #[arg(long, requires = "output", conflicts_with = "print")]
    pub(crate) json: bool,
}

/// Identify master keys
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Print the ids of the keys in files
    Id(KeyIds),
}

/// Print the ids of the keys in files
#[derive(Debug, Args)]
pub(crate) struct KeyIds {
    /// The key files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Re-encrypt configs with a new master key; no failure can lose a secret
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "\
Examples:
  fernseal rotate proxmox-config/              make a new key and put it in your home
  fernseal rotate proxmox-config/ --new-key-file new.key
  fernseal rotate proxmox-config/ --key-command 'pass show fernseal' --new-key-command 'pass insert -mf fernseal'
  fernseal rotate --rollback proxmox-config/   back, while the old key is set")]
pub(crate) struct Rotate {
    /// Configs, or directories: all their files with a config's name
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) select: Select,
    /// Rotate to the key in FILE: your own, or the key of an unfinished rotation
    #[arg(long, value_name = "FILE", conflicts_with_all = ["new_key_out", "rollback"])]
    pub(crate) new_key_file: Option<PathBuf>,
    /// Write the new key to FILE, which must not exist [default: ~/.proxmox_mcp_key.ID]
    #[arg(long, value_name = "FILE", conflicts_with = "rollback")]
    pub(crate) new_key_out: Option<PathBuf>,
    /// Run STORE by sh -c with the new key on its stdin, and read the key back by the key command before any config
    /// changes
    #[arg(long, value_name = "STORE", conflicts_with_all = ["new_key_file", "rollback"])]
    pub(crate) new_key_command: Option<OsString>,
    /// Keep the backups in DIR, each under its config's full path [default: beside each config]
    #[arg(long, value_name = "DIR")]
    pub(crate) backup_dir: Option<PathBuf>,
    /// Make no backups
    #[arg(long, conflicts_with_all = ["backup_dir", "rollback"])]
    pub(crate) no_backup: bool,
    /// Leave out configs that cannot be rotated, and rotate the others (exit code 8)
    #[arg(long, conflicts_with = "rollback")]
    pub(crate) keep_going: bool,
    /// Check everything and print what would be done; write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Restore the newest backup of each config, if the current keys decrypt it
    #[arg(long)]
    pub(crate) rollback: bool,
    /// Derive keys on N threads; with more than one, files are written at the same time [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// List or remove the backups that rotations made
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(override_usage = "fernseal backups [list] [OPTIONS] PATH…\n       fernseal backups prune [OPTIONS] PATH…")]
pub(crate) struct Backups {
    /// What to do; without a subcommand the backups are listed
    #[command(subcommand)]
    pub(crate) verb: Option<BackupsVerb>,
    #[command(flatten)]
    pub(crate) at: BackupsAt,
}

/// What to do with backups
#[derive(Debug, Subcommand)]
pub(crate) enum BackupsVerb {
    /// List the backups of the configs below PATH
    List(BackupsAt),
    /// Remove the backups of those configs below PATH that the current keys decrypt
    Prune(Prune),
}

/// Where backups are looked for
#[derive(Debug, Args)]
pub(crate) struct BackupsAt {
    /// The directories of the configs, or configs
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) select: Select,
    /// Where the backups are, if not beside the configs
    #[arg(long, value_name = "DIR")]
    pub(crate) backup_dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Remove backups
#[derive(Debug, Args)]
pub(crate) struct Prune {
    #[command(flatten)]
    pub(crate) at: BackupsAt,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_clap_tree_is_sound() {
        Cli::command().debug_assert();
    }
}
