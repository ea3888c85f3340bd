//! What every command works with.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use rustix::process::Rlimit;

use crate::audit::Audit;
use crate::error::Result;
use crate::keys::Keyring;
use crate::output::Report;
use crate::output::terminal::Prompts;

/// What every command works with.
pub(crate) struct Context {
    pub(crate) report: Report,
    pub(crate) audit: Audit,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) prompts: Prompts,
    pub(crate) threads: NonZeroUsize,
    /// The limit on core dumps as it was: for a program that is started.
    pub(crate) core_limit: Rlimit,
}

impl Context {
    /// The keys at hand. A command takes them before it changes anything.
    pub(crate) fn keys(&self) -> Result<Keyring> {
        Keyring::load(self.key_file.as_deref(), self.prompts, &self.report)
    }
}
