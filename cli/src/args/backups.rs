//! The arguments of `backups`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Select;

/// List or remove the backups that rotations made
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(override_usage = "fernseal backups [list] [OPTIONS] PATH…\n       fernseal backups prune [OPTIONS] PATH…")]
pub(crate) struct Backups {
    /// What to do; without a subcommand the backups are listed
    #[command(subcommand)]
    pub(super) verb: Option<BackupsVerb>,
    #[command(flatten)]
    pub(super) at: BackupsAt,
}

/// What to do with backups
#[derive(Debug, Subcommand)]
pub(crate) enum BackupsVerb {
    /// List the backups of the configs below PATH
    List(BackupsAt),
    /// Remove the backups of each config below PATH, if the current keys decrypt that config
    Prune(Prune),
}

/// Where backups are looked for
#[derive(Debug, Args)]
pub(crate) struct BackupsAt {
    /// The directories of the configs, or configs
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Where the backups are, if not beside the configs
    #[arg(long, value_name = "DIR")]
    pub(super) backup_dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) select: Select,
}

/// Remove backups
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Do not ask
    #[arg(long)]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) at: BackupsAt,
}
