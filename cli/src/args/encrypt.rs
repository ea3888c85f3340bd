//! The arguments of `encrypt`.

use std::path::PathBuf;

use clap::Args;

use super::{HELP, Select};
use crate::quote::Pointer;

/// Encrypt the secrets of a config
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "\
Examples:
  fernseal encrypt config.json                 write config.encrypted.json
  fernseal encrypt --in-place config.json --field /database/password
  fernseal encrypt --in-place config.json --found --dry-run
  fernseal encrypt configs/                    show what would be encrypted, and ask

Secrets can be named once for all configs of a directory: in .fernseal.toml, see the \
section FILES of fernseal(1).")]
pub(crate) struct Encrypt {
    /// The config to read; or a directory: all of its configs are encrypted in place, that is, their named secrets and
    /// the values that look like secrets
    pub(super) config: PathBuf,
    /// Where to write [default: beside CONFIG, with the ending .encrypted.json]
    #[arg(short, long, value_name = "OUT")]
    pub(super) output: Option<PathBuf>,
    /// Overwrite OUT if it exists
    #[arg(long)]
    pub(super) force: bool,
    /// Replace CONFIG itself, which keeps its owner, group and mode
    #[arg(long, conflicts_with_all = ["output", "force", "keep_mode"])]
    pub(super) in_place: bool,
    /// Give OUT the owner, group and mode of CONFIG; without this option only you can read OUT
    #[arg(long)]
    pub(super) keep_mode: bool,
    /// Also treat the values at POINTER as secrets, as in /proxmox/password or /env/* (can be repeated)
    #[arg(long = "field", value_name = "POINTER")]
    pub(super) fields: Vec<Pointer>,
    /// Also encrypt values that look like secrets, as check finds them
    #[arg(long)]
    pub(super) found: bool,
    /// Print what would be encrypted; write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Encrypt what was found without asking
    #[arg(long)]
    pub(super) yes: bool,
    /// In a directory, skip configs that cannot be encrypted, and encrypt the others (exit code 8)
    #[arg(long)]
    pub(super) keep_going: bool,
    /// Also encrypt values that contain placeholders, such as ${VAR} or {{ name }}
    #[arg(long)]
    pub(super) placeholders: bool,
    /// Write legacy tokens, which share one salt
    #[arg(long)]
    pub(super) legacy: bool,
    /// Encrypt even with a master key of fewer than 16 bytes
    #[arg(long)]
    pub(super) allow_short_key: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) select: Select,
}
