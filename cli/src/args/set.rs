//! The arguments of `set`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::HELP;
use crate::quote::Pointer;

/// Replace one value with a secret from stdin or a prompt
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "\
Example:
  printf %s \"$NEW_TOKEN\" | fernseal set config.encrypted.json /auth/token_value")]
pub(crate) struct Set {
    /// The config to change
    pub(super) config: PathBuf,
    /// The value to replace, as in /auth/token_value or auth.token_value
    pub(super) pointer: Pointer,
    /// Add the value to an existing object if it is missing, or at the end of an array: /keys/-
    #[arg(long)]
    pub(super) create: bool,
    /// A further argument, which may be the secret. It is accepted here so that clap does not print it, and then
    /// refused
    #[arg(hide = true)]
    pub(super) surplus: Vec<OsString>,
    /// Replace a token even if the current keys do not decrypt it; the secret in it is lost
    #[arg(long)]
    pub(super) discard_old: bool,
    /// Use every byte of stdin, including the final line break
    #[arg(long)]
    pub(super) raw: bool,
    /// Encrypt even with a master key of fewer than 16 bytes
    #[arg(long)]
    pub(super) allow_short_key: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}
