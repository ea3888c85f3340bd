//! The settings that every command shares: output, audit log, where keys come from, and limits.
//!
//! Options of a single command do not belong here.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::audit::Audit;
use crate::config::text::{ConfigText, TextFormat};
use crate::error::{ConfigFailure, Result, UsageFailure};
use crate::keys::{KeyOptions, Keyring};
use crate::output::Report;
use crate::output::terminal::Prompts;

/// The default limit on the salts of one config. Each takes a derivation of 100 000 iterations, 3 ms on two cores: this
/// many take 6 s, and a hostile config of 64 MiB would take 20 minutes. A real config with so many secrets would be
/// larger than half a megabyte, which is unlikely.
const MAX_SALTS: usize = 2048;

/// The settings that every command shares.
pub(crate) struct Context {
    pub(crate) report: Report,
    pub(crate) audit: Audit,
    pub(crate) key_file: Option<PathBuf>,
    /// The value of `--format`. It applies to the configs that the user names.
    pub(crate) format: Option<TextFormat>,
    pub(crate) prompts: Prompts,
    pub(crate) key_command: Option<OsString>,
    /// The value of `--max-tokens`.
    pub(crate) max_tokens: Option<usize>,
    /// How long to wait for another run that holds a directory's lock.
    pub(crate) lock_wait: Duration,
}

impl Context {
    /// Fails if opening all tokens of the config would take more derivations than the limit.
    pub(crate) fn check_cost(&self, document: &ConfigText) -> Result<()> {
        let max = self.max_tokens.unwrap_or(MAX_SALTS);
        match document.salts() {
            salts if salts > max => {
                Err(ConfigFailure::TooManySalts { config: document.path.clone(), salts, max }.into())
            }
            _ => Ok(()),
        }
    }

    /// Loads the keys. A command calls this before it changes anything.
    pub(crate) fn keys(&self) -> Result<Keyring> {
        Keyring::load(self.key_options(), self.prompts, &self.report)
    }

    /// Returns the options that name the master key.
    pub(crate) fn key_options(&self) -> KeyOptions<'_> {
        KeyOptions { file: self.key_file.as_deref(), command: self.key_command.as_deref() }
    }
}

/// The variable that sets `--lock-wait`.
const LOCK_WAIT: &str = "PROXMOX_MCP_LOCK_WAIT";
/// Longer than a `set` or a rotation of a few configs takes, and short enough for a person to wait.
const DEFAULT_LOCK_WAIT: Duration = Duration::from_secs(10);

/// Returns how long to wait for a lock: the option, or else the variable, or else the default.
pub(crate) fn lock_wait(option: Option<u32>) -> Result<Duration> {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    match (option, crate::env::variable(LOCK_WAIT)) {
        (Some(option), _) => Ok(seconds(option)),
        (None, None) => Ok(DEFAULT_LOCK_WAIT),
        (None, Some(text)) => match text.to_str().and_then(|text| text.parse().ok()) {
            Some(number) => Ok(seconds(number)),
            None => Err(UsageFailure::LockWaitNotSeconds { variable: LOCK_WAIT, value: text }.into()),
        },
    }
}
