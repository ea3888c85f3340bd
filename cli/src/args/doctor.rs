//! The arguments of `doctor`.

use std::path::PathBuf;

use clap::Args;

use super::Select;

/// Find out what is wrong with a config and its master key, and what to do
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The config to look at [default: $PROXMOX_MCP_CONFIG]; or a directory: which keys its configs need, what each of
    /// the keys in the usual places opens, and which can be retired
    pub(super) config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) select: Select,
}
