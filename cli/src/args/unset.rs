//! The arguments of `unset`.

use std::path::PathBuf;

use clap::Args;

use crate::quote::Pointer;

/// Remove one value, with its name
#[derive(Debug, Args)]
pub(crate) struct Unset {
    /// The config to change
    pub(super) config: PathBuf,
    /// The value to remove, as in /auth/token_value or auth.token_value; an object is removed with all its members
    pub(super) pointer: Pointer,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}
