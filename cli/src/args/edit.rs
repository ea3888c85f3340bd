//! The arguments of `edit`.

use std::path::PathBuf;

use clap::Args;

use crate::quote::Pointer;

/// Edit a config in plain text, only in memory; changed secrets are encrypted again
#[derive(Debug, Args)]
#[command(after_help = "The editor is $VISUAL, $EDITOR or vi. The text is in $XDG_RUNTIME_DIR or /dev/shm while it \
                  runs. Configure the editor so that it keeps no copies elsewhere (fernseal does that for vim).")]
pub(crate) struct Edit {
    /// The config to edit
    pub(super) config: PathBuf,
    /// Also treat the values at POINTER as secrets, as in /proxmox/password or /env/* (can be repeated)
    #[arg(long = "field", value_name = "POINTER")]
    pub(super) fields: Vec<Pointer>,
    /// Encrypt even with a master key of fewer than 16 bytes
    #[arg(long)]
    pub(super) allow_short_key: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}
