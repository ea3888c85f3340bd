//! The arguments of `get`.

use std::ffi::OsString;

use clap::Args;

/// Print one value, decrypted
#[derive(Debug, Args)]
#[command(override_usage = "fernseal get [OPTIONS] [CONFIG] POINTER")]
pub(crate) struct Get {
    /// The config [default: $PROXMOX_MCP_CONFIG], and the value, as in /auth/token_value or auth.token_value
    #[arg(required = true, num_args = 1..=2, value_names = ["CONFIG", "POINTER"])]
    pub(super) what: Vec<OsString>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}
