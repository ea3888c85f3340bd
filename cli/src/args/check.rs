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
    /// Configs, or directories: all their files with a config's name. Examples, links, hidden directories and files
    /// that are no configs are skipped [default: .]
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Take the values at POINTER for secrets too, as in /proxmox/password or /env/*; a config must have one (can be
    /// repeated)
    #[arg(long = "require", value_name = "POINTER")]
    pub(super) required: Vec<Pointer>,
    /// What to do about values that nobody named, but that look like secrets
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    pub(super) likely: OnLikely,
    /// Take tokens that are older than AGE for findings too, as in 365d; as a rotation renews their time, this is the
    /// age of the key
    #[arg(long, value_name = "AGE")]
    pub(super) max_age: Option<MaxAge>,
    /// Also report legacy tokens, which share one salt
    #[arg(long)]
    pub(super) no_legacy: bool,
    /// Check the configs that are staged in git instead; they need not have the value of --require
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
    /// Fail, as named secrets do
    #[default]
    Fail,
    /// Print them, and do not fail
    Warn,
    /// Do not look for them
    Ignore,
}
