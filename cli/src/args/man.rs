//! The arguments of `man`.

use std::path::PathBuf;

use clap::Args;

/// Print the manual page, or write all of them to DIR
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Where to write one page for the command and one for each verb
    pub(crate) dir: Option<PathBuf>,
}
