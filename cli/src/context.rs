//! What every command works with: its output and the audit log.
//!
//! Whatever a command can do without is in its options, also if several commands have it.

use crate::audit::Audit;
use crate::output::Report;

/// What every command works with.
pub(crate) struct Context {
    pub(crate) report: Report,
    pub(crate) audit: Audit,
}
