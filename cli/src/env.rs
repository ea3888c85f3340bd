//! The environment variables of keys, the limits of the process, and the protection of its memory.
//!
//! Variables of single features, such as the audit log, are defined where they are used.

use std::env;
use std::ffi::OsString;
use std::fmt;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The variable that contains the master key.
pub(crate) const KEY: &str = "PROXMOX_MCP_MASTER_KEY";
/// The variable that contains the path of a file with the master key.
pub(crate) const KEY_FILE: &str = "PROXMOX_MCP_MASTER_KEY_FILE";
/// The variable that contains a command whose output is the master key.
pub(crate) const KEY_COMMAND: &str = "PROXMOX_MCP_MASTER_KEY_COMMAND";
/// The variable that contains previous keys. They open tokens but never seal.
pub(crate) const PREVIOUS: &str = "PROXMOX_MCP_MASTER_KEY_PREVIOUS";
/// The variable that contains the path of a file with previous keys.
pub(crate) const PREVIOUS_FILE: &str = "PROXMOX_MCP_MASTER_KEY_PREVIOUS_FILE";
/// The variable that contains a command whose output is previous keys.
pub(crate) const PREVIOUS_COMMAND: &str = "PROXMOX_MCP_MASTER_KEY_PREVIOUS_COMMAND";
/// The variable that names the config of a command that only reads.
pub(crate) const CONFIG: &str = "PROXMOX_MCP_CONFIG";
/// The file with the settings of the configs beside and below it.
pub(crate) const SECRETS_FILE: &str = ".fernseal.toml";
/// All variables that contain a master key or lead to one. Programs that this one starts do not get them, except with
/// `run --keep-key`.
pub(crate) const KEY_VARIABLES: [&str; 6] = [KEY, KEY_FILE, KEY_COMMAND, PREVIOUS, PREVIOUS_FILE, PREVIOUS_COMMAND];

/// An upper bound on the stack that a command or one of its threads uses, in bytes. This much is wiped when it ends.
pub(crate) const USED_STACK: usize = 64 * 1024;

/// Returns the value of an environment variable. An empty variable counts as unset.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Returns whether a variable is set and empty. Whitespace counts as empty, because it is not a key.
pub(crate) fn is_empty(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| value.to_str().is_some_and(|text| text.trim().is_empty()))
}

/// A variable without a value: it is not set, or it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unset {
    name: &'static str,
    is_empty: bool,
}

/// Returns whether the variable `name`, which has no value, is unset or empty.
pub(crate) fn unset(name: &'static str) -> Unset {
    Unset { name, is_empty: is_empty(name) }
}

impl Unset {
    pub(crate) fn is_empty(&self) -> bool {
        self.is_empty
    }
}

impl fmt::Display for Unset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, if self.is_empty { "is empty" } else { "is not set" })
    }
}

/// Disables core dumps, because keys pass through this memory. Returns the previous limit on core dumps.
pub(crate) fn keep_memory_private() -> Rlimit {
    let before = getrlimit(Resource::Core);
    // Best effort: if the system refuses, the command still works.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: before.maximum });
    before
}

/// Raises the limit on open files to the hard limit: a rotation keeps the directories of its next configs open.
pub(crate) fn raise_file_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Best effort: the present limit may be enough.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
