//! Master keys: where they come from, which ones a command uses, and the keys derived from them.
//!
//! Key derivation itself is in fernseal-core.

mod available_keys;
mod command;
pub(crate) mod derive;
mod double_encoding;
mod handover;
mod keyring;
pub(crate) mod left_behind;
pub(crate) mod parallel;
mod source;

pub(crate) use available_keys::{AvailableKey, available_keys, keyring_of};
pub(crate) use command::run_bound;
pub(crate) use derive::{Derived, KeyRequest, Master};
pub(crate) use double_encoding::encoded_twice;
pub(crate) use handover::{KeyStore, text_of};
pub(crate) use keyring::{Keyring, unset_variable};
pub(crate) use source::{KeyOptions, KeyPlace, from_file, is_default_key_file, places};
