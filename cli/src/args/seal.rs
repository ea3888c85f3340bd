//! The arguments of `seal`.

use std::ffi::OsString;

use clap::Args;

use super::HELP;

/// Encrypt one secret from stdin or a prompt, and print the token
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "\
Example:
  printf 'db_password = \"%s\"\\n' \"$(pass db | fernseal seal)\" >> prod.tfvars")]
pub(crate) struct Seal {
    /// A further argument, which may be the secret. It is accepted here so that clap does not print it, and then
    /// refused
    #[arg(hide = true)]
    pub(super) surplus: Vec<OsString>,
    /// Use every byte of stdin, including the final line break
    #[arg(long)]
    pub(super) raw: bool,
    /// Encrypt even with a master key of fewer than 16 bytes
    #[arg(long)]
    pub(super) allow_short_key: bool,
}
