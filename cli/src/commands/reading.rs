//! How a command reads the configs that the user names: their format, and the limit on what opening one may cost.

use crate::config::text::{ConfigText, FormatSource, TextFormat};
use crate::error::{ConfigFailure, Result};
use crate::store::ConfigPath;

/// The default limit on the keys that the tokens of one config need. A derivation takes 3 ms on two cores: this many take
/// 6 s, and a hostile config of 64 MiB would take 20 minutes. A real config with so many secrets would be larger than
/// half a megabyte, which is unlikely.
const MAX_KEYS: usize = 2048;

/// The options that determine how configs are read.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    /// The value of `--format`. It applies to the configs that the user names.
    pub(crate) format: Option<TextFormat>,
    /// The value of `--max-tokens`.
    pub(crate) max_tokens: Option<usize>,
}

impl Reading {
    /// Returns what determines the format of `config`. `--format` applies only to configs that the user named.
    pub(crate) fn format_source(self, config: &ConfigPath) -> FormatSource {
        let by_itself = if config.is_stream() { FormatSource::Content } else { FormatSource::Name };
        self.format.filter(|_| !config.was_found()).map_or(by_itself, FormatSource::Given)
    }

    /// Fails if opening all tokens of the config would take more derivations than the limit.
    pub(crate) fn check_cost(self, document: &ConfigText) -> Result<()> {
        let max = self.max_tokens.unwrap_or(MAX_KEYS);
        let keys = document.keys_to_derive();
        if keys > max {
            return Err(ConfigFailure::TooManyKeys { config: document.path.clone(), keys, max }.into());
        }
        Ok(())
    }
}
