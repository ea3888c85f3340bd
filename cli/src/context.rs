//! The settings that every command shares: output, audit log, where keys come from, and limits.
//!
//! Options of a single command do not belong here.

use std::time::Duration;

use crate::audit::Audit;
use crate::commands::Reading;
use crate::error::{Result, UsageFailure};
use crate::keys::KeyOptions;
use crate::output::Report;

/// The settings that every command shares.
pub(crate) struct Context {
    pub(crate) report: Report,
    pub(crate) audit: Audit,
    pub(crate) keys: KeyOptions,
    pub(crate) reading: Reading,
    /// How long to wait for another run that holds a directory's lock.
    pub(crate) lock_wait: Duration,
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
