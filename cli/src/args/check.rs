//! The arguments of `check`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{HELP, Select};
use crate::quote::Pointer;
use crate::time::MaxAge;

/// Find secrets in plain text, for git hooks and CI (exit code 3)
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "\
Examples:
  fernseal check proxmox-config/ --require /database/password
  fernseal check --staged                      in .git/hooks/pre-commit

Secrets, and what looks like one and is none, can be listed in .fernseal.toml. The nearest one \
counts, from the config's directory up to the top of the repository:
  secrets = [\"/mcpServers/*/env/*\", \"**/password\"]
  ignore = [\"/examples/**\"]")]
pub(crate) struct Check {
    /// Configs, or directories: all files in them whose names are those of configs. Examples, links, hidden directories
    /// and files that are not configs are skipped [default: .]
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Also treat the values at POINTER as secrets, as in /proxmox/password or /env/*; at least one config must have
    /// such a value (can be repeated)
    #[arg(long = "require", value_name = "POINTER")]
    pub(super) required: Vec<Pointer>,
    /// Values that nobody named but that look like secrets: fail as for those that are named, only print them, or do not
    /// search for them
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    pub(super) likely: OnLikely,
    /// Also report tokens that are older than AGE, as in 365d. A rotation renews all tokens, so their age is that of the
    /// key
    #[arg(long, value_name = "AGE")]
    pub(super) max_age: Option<MaxAge>,
    /// Also report legacy tokens, which share one salt
    #[arg(long)]
    pub(super) no_legacy: bool,
    /// Check the configs that are staged in git instead; they need not have the values of --require
    #[arg(long, conflicts_with = "paths")]
    pub(super) staged: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Print SARIF 2.1.0, which CI shows as annotations
    #[arg(long, conflicts_with = "json")]
    pub(super) sarif: bool,
    #[command(flatten)]
    pub(super) select: Select,
}

/// What to do about a likely secret in plain text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnLikely {
    #[default]
    Fail,
    Warn,
    Ignore,
}
