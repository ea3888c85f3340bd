//! The arguments of `open`.

use std::ffi::OsString;

use clap::Args;

use super::HELP;

/// Print the secret of one token from stdin
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "\
Example:
  psql -Atc 'select token from account' | fernseal open")]
pub(crate) struct Open {
    /// A further argument, which may be the token. It is accepted here so that the message can say how to pass a token
    #[arg(hide = true)]
    pub(super) surplus: Vec<OsString>,
}
