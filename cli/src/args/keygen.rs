//! The arguments of `keygen`.

use std::path::PathBuf;

use clap::Args;

/// Make a new master key
#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// Write the key to the new file FILE, which only you can read
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Print the key to stdout, where it may end up in a log
    #[arg(long, conflicts_with = "output")]
    pub(super) print: bool,
    /// Print JSON: the key's id and file
    #[arg(long, requires = "output", conflicts_with = "print")]
    pub(super) json: bool,
}
