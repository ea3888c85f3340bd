//! A config as the commands see it: its text and tokens, the secrets of a folder, placeholders.

pub(crate) mod placeholder;
pub(crate) mod secrets_file;
mod syntax;
pub(crate) mod text;
