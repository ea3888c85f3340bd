//! The arguments of `status`.

use std::path::PathBuf;

use clap::Args;

use super::Select;
use crate::time::MaxAge;

/// Show what is encrypted, without a key
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Configs, or directories: all files in them whose names are those of configs [default: $PROXMOX_MCP_CONFIG]
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Fail (exit code 3) if a token is older than AGE, as in 365d. A rotation renews all tokens, so their age is that of
    /// the key
    #[arg(long, value_name = "AGE")]
    pub(super) max_age: Option<MaxAge>,
    /// Also decrypt every token (needs the key)
    #[arg(long)]
    pub(super) verify: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) select: Select,
}
