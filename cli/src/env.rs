//! The process: its environment variables, its limits, and the memory that keys pass through.

use std::env;
use std::ffi::OsString;
use std::fmt;

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, setrlimit};

/// The variable that holds the master key.
pub(crate) const KEY: &str = "PROXMOX_MCP_MASTER_KEY";
/// The variable that names a file with the master key.
pub(crate) const KEY_FILE: &str = "PROXMOX_MCP_MASTER_KEY_FILE";
/// The variable that holds a command whose output is the master key.
pub(crate) const KEY_COMMAND: &str = "PROXMOX_MCP_MASTER_KEY_COMMAND";
/// The variable that holds keys which open tokens and never seal.
pub(crate) const PREVIOUS: &str = "PROXMOX_MCP_MASTER_KEY_PREVIOUS";
/// The variable that names a file with such keys.
pub(crate) const PREVIOUS_FILE: &str = "PROXMOX_MCP_MASTER_KEY_PREVIOUS_FILE";
/// The variable that holds a command whose output is such keys.
pub(crate) const PREVIOUS_COMMAND: &str = "PROXMOX_MCP_MASTER_KEY_PREVIOUS_COMMAND";
/// The variable that names the config of a command that only reads.
pub(crate) const CONFIG: &str = "PROXMOX_MCP_CONFIG";
/// All variables that hold a master key or lead to one: no program that is started gets them.
pub(crate) const KEY_VARIABLES: [&str; 6] = [KEY, KEY_FILE, KEY_COMMAND, PREVIOUS, PREVIOUS_FILE, PREVIOUS_COMMAND];

/// The stack that a command or one of its threads uses, and more, in bytes.
pub(crate) const USED_STACK: usize = 64 * 1024;

/// The value of an environment variable; an empty variable counts as unset.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether a variable is there and holds nothing. A key of whitespace alone is none either.
pub(crate) fn is_empty(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| value.to_str().is_some_and(|text| text.trim().is_empty()))
}

/// A variable that names nothing: it is not set, or it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unset {
    name: &'static str,
    is_empty: bool,
}

/// Why the variable `name` names nothing.
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

/// No core dump, no debugger of the same user: keys pass through this memory. Returns the limit on core dumps before.
pub(crate) fn keep_memory_private() -> Rlimit {
    let before = getrlimit(Resource::Core);
    // Where the system will not have it, the command still does its work.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: before.maximum });
    before
}

/// Opens the way to as many open files as the system lets a user have: a rotation holds the directories of its next configs.
pub(crate) fn raise_file_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // If it fails, what is allowed may still be enough.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
