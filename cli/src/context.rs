//! What every command works with.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use rustix::process::Rlimit;

use crate::audit::Audit;
use crate::error::Result;
use crate::keys::{KeyOptions, Keyring};
use crate::output::Report;

/// What every command works with.
pub(crate) struct Context {
    pub(crate) report: Report,
    pub(crate) audit: Audit,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) key_command: Option<OsString>,
    pub(crate) threads: NonZeroUsize,
    /// The limit on core dumps as it was: for a program that is started.
    pub(crate) core_limit: Rlimit,
}

impl Context {
    pub(crate) fn keys(&self) -> Result<Keyring> {
        Keyring::load(self.key_options(), &self.report)
    }

    /// The options that name the master key.
    pub(crate) fn key_options(&self) -> KeyOptions<'_> {
        KeyOptions { file: self.key_file.as_deref(), command: self.key_command.as_deref() }
    }
}
