//! The arguments of `rotate`.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::{HELP, Select};

/// Re-encrypt configs with a new master key; no failure can lose a secret
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "\
Examples:
  fernseal rotate proxmox-config/              make a new key and put it in your home
  fernseal rotate proxmox-config/ --new-key-file new.key
  fernseal rotate proxmox-config/ --key-command 'pass show fernseal' \\
      --new-key-command 'pass insert -mf fernseal'
  fernseal rotate --rollback proxmox-config/   back, while the old key is set")]
pub(crate) struct Rotate {
    /// Configs, or directories: all files in them whose names are those of configs
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Rotate to the key in FILE: your own, or the key of an unfinished rotation
    #[arg(long, value_name = "FILE", conflicts_with_all = ["new_key_out", "rollback"])]
    pub(super) new_key_file: Option<PathBuf>,
    /// Write the new key to FILE, which must not exist [default: ~/.proxmox_mcp_key.ID]
    #[arg(long, value_name = "FILE", conflicts_with = "rollback")]
    pub(super) new_key_out: Option<PathBuf>,
    /// Run STORE with sh -c and the new key on its stdin, and read the key back with the key command before any config
    /// changes
    #[arg(long, value_name = "STORE", conflicts_with_all = ["new_key_file", "rollback"])]
    pub(super) new_key_command: Option<OsString>,
    /// Keep the backups in DIR, each under its config's full path [default: beside each config]
    #[arg(long, value_name = "DIR")]
    pub(super) backup_dir: Option<PathBuf>,
    /// Make no backups
    #[arg(long, conflicts_with_all = ["backup_dir", "rollback"])]
    pub(super) no_backup: bool,
    /// Skip configs that cannot be rotated, and rotate the others (exit code 8)
    #[arg(long, conflicts_with = "rollback")]
    pub(super) keep_going: bool,
    /// Check everything and print what would be done; write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Restore the newest backup of each config, if the current keys decrypt it
    #[arg(long)]
    pub(super) rollback: bool,
    /// Derive keys on N threads; with more than one, files are written at the same time [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) select: Select,
}
