//! The arguments of `doctor`.

use std::path::PathBuf;

use clap::Args;

use super::Select;

/// Find out what is wrong with a config and its master key, and what to do
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The config to examine [default: $PROXMOX_MCP_CONFIG]; or a directory: doctor says which keys its configs need,
    /// what each key in the usual places decrypts, and which keys can be deleted
    pub(super) config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) select: Select,
}
