//! The arguments of `verify`.

use std::path::PathBuf;

use clap::Args;

use super::Select;
use crate::time::MaxAge;

/// Check that every token can be decrypted with the current keys
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Configs, or directories: all files in them whose names are those of configs [default: $PROXMOX_MCP_CONFIG]
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Fail (exit code 3) if a token is older than AGE, as in 365d. A rotation renews all tokens, so their age is that of
    /// the key
    #[arg(long, value_name = "AGE")]
    pub(super) max_age: Option<MaxAge>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) select: Select,
}
