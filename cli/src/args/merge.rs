//! The arguments of `merge`.

use std::path::PathBuf;

use clap::Args;

/// Merge two versions of a config, for git
#[derive(Debug, Args)]
#[command(after_help = MERGE_HELP)]
pub(crate) struct Merge {
    /// The version that both others come from (%O)
    pub(super) base: PathBuf,
    /// The version of this branch (%A), which the result replaces
    pub(super) ours: PathBuf,
    /// The version of the other branch (%B)
    pub(super) theirs: PathBuf,
    /// The config's path (%P), which tells its format and is named in messages [default: OURS]
    pub(super) path: Option<PathBuf>,
    /// Mark conflicts with lines of N characters (%L)
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub(super) marker_size: usize,
}

const MERGE_HELP: &str = "\
To let git merge configs by their decrypted values:
  echo '*.encrypted.json merge=fernseal' >> .gitattributes
  git config merge.fernseal.name 'configs with encrypted values'
  git config merge.fernseal.driver 'fernseal merge --marker-size %L -- %O %A %B %P'

Then two branches that set different secrets of one config do not conflict, nor do two that encrypted the same secrets \
anew. A token that needs no change stays as it is. In a conflict each side stands with its tokens: no secret is written \
in plain text, neither to OURS nor to another file.

The key is needed where both branches have new tokens. Without it, or if a token cannot be decrypted, the exit code is \
129: git stops and leaves everything as it was. Git before 2.42 goes on, and leaves the conflicts that it has without a \
driver.";
