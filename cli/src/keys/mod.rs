//! Master keys: where they come from, which of them a command works with, and the keys that are derived from them.

pub(crate) mod derive;
mod keyring;
pub(crate) mod left_behind;
pub(crate) mod parallel;
mod source;

pub(crate) use derive::{Derived, Job, Master};
pub(crate) use keyring::Keyring;
pub(crate) use source::{exports, from_file, make_permanent};
