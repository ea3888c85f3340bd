//! What commands need to know about a config: its text and tokens, the names of its secrets, and placeholders.
//!
//! Reading and writing files is in `store`.

pub(crate) mod findings;
mod likely;
pub(crate) mod naming;
pub(crate) mod pattern;
pub(crate) mod placeholder;
pub(crate) mod secrets_file;
mod syntax;
pub(crate) mod text;
