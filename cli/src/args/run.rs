//! The arguments of `run`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::HELP;

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
    pub(super) config: Option<PathBuf>,
    /// Set the variable NAME to the value at POINTER (can be repeated)
    #[arg(long = "env", value_name = "NAME=POINTER")]
    pub(super) variables: Vec<String>,
    /// Set a variable for each member of the object at POINTER, named as the member (can be repeated)
    #[arg(long = "env-all", value_name = "POINTER")]
    pub(super) objects: Vec<String>,
    /// Set the variable NAME to the path of a file with the value at POINTER (can be repeated)
    #[arg(long = "file", value_name = "NAME=POINTER")]
    pub(super) files: Vec<String>,
    /// Set the variable NAME to the path of a file with the whole config, decrypted
    #[arg(long, value_name = "NAME")]
    pub(super) config_env: Option<String>,
    /// Set the variable NAME to the number of a file descriptor with the whole config, decrypted
    #[arg(long, value_name = "NAME")]
    pub(super) config_fd: Option<String>,
    /// Fill in ${VAR}, ${VAR:-default} and ${VAR:?message} in values that are not encrypted, from the environment
    #[arg(long)]
    pub(super) expand: bool,
    /// Replace secrets in the program's output with `[redacted]`, also as JSON, base64, hex and percent-encoding
    #[arg(long)]
    pub(super) redact: bool,
    /// Keep the master key's variables in the program's environment
    #[arg(long)]
    pub(super) keep_key: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(super) program: Vec<OsString>,
}

const RUN_HELP: &str = "\
Files have mode 0600 and are in a folder of mode 0700 in memory: in $XDG_RUNTIME_DIR, /run/user/UID or /dev/shm. The \
program and all that it starts can open them. They are removed when the program ends. If no memory file system can be \
written to, a path is /proc/PID/fd/N: while the program keeps that descriptor open, its user's other processes and root \
can open it, and nobody else.

The program takes the place of fernseal, so the exit code is the program's; it is 127 if the program was not found, and \
126 if it cannot be executed. With --redact, fernseal stays and passes on output, signals and the exit code.

--redact protects from accidents in agents and logs, not from an attacker: a program can print a secret in other forms. \
Secrets of fewer than 4 bytes are not replaced.";
