//! The arguments of `key`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Identify master keys
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Print the ids of the keys in files
    Id(KeyIds),
}

/// Print the ids of the keys in files
#[derive(Debug, Args)]
pub(crate) struct KeyIds {
    /// The key files
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}
