//! The arguments of `decrypt`.

use std::path::PathBuf;

use clap::Args;

/// Write a config with its secrets in plain text
#[derive(Debug, Args)]
#[command(after_help = TEXTCONV_HELP)]
pub(crate) struct Decrypt {
    /// The config to read [default: $PROXMOX_MCP_CONFIG]
    pub(super) config: Option<PathBuf>,
    /// Where to write; only you can read the file [default: stdout]
    #[arg(short, long, value_name = "OUT")]
    pub(super) output: Option<PathBuf>,
    /// Overwrite OUT if it exists
    #[arg(long, requires = "output")]
    pub(super) force: bool,
    /// Give OUT the owner and group of CONFIG, and its mode without permissions for others
    #[arg(long, requires = "output")]
    pub(super) keep_mode: bool,
    /// For `git diff`: print a token unchanged if it cannot be decrypted, and do not fail
    #[arg(long, conflicts_with_all = ["output", "force"])]
    pub(super) textconv: bool,
    /// Print JSON: which values were decrypted into OUT
    #[arg(long, requires = "output", conflicts_with = "textconv")]
    pub(super) json: bool,
}

const TEXTCONV_HELP: &str = "\
To see in `git diff` which secrets changed, in plain text and only on your terminal:
  echo '*.encrypted.json diff=fernseal' >> .gitattributes
  git config diff.fernseal.textconv 'fernseal decrypt --textconv'

Leave diff.fernseal.cachetextconv off: git would keep the secrets in the repository.";
