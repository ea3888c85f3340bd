//! The process: its environment variables, its limits, and the memory that keys pass through.

use std::env;
use std::ffi::OsString;

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
/// All variables that hold a master key or lead to one: no program that is started gets them.
pub(crate) const KEY_VARIABLES: [&str; 6] = [KEY, KEY_FILE, KEY_COMMAND, PREVIOUS, PREVIOUS_FILE, PREVIOUS_COMMAND];

/// The stack that a command or one of its threads uses, and more, in bytes.
pub(crate) const USED_STACK: usize = 64 * 1024;

/// The value of an environment variable; an empty variable counts as unset.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
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
