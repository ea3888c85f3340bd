//! `get`: opens one value and prints it to stdout.
//!
//! A number or boolean is printed as written. Tokens inside a text, such as `Bearer enc:…`, are opened if `decrypt`
//! would open them too. No key is derived for other tokens.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Reading, config_or_default, look, open, opened_value, unsealed};
use crate::audit::{Entry, Outcome, Verb};
use crate::context::Context;
use crate::error::{Result, UsageFailure};
use crate::keys::{KeyOptions, Keyring};
use crate::output;
use crate::quote::Pointer;
use crate::store::ConfigPath;

/// The options of `get`.
pub(crate) struct Options {
    /// If it is `None`, PROXMOX_MCP_CONFIG names it.
    pub(crate) config: Option<PathBuf>,
    pub(crate) pointer: Pointer,
    pub(crate) json: bool,
    pub(crate) keys: KeyOptions,
    pub(crate) reading: Reading,
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<()> {
    let (config, pointer) = (options.config.as_deref(), &*options.pointer);
    // If the only argument is a file and not a pointer, the pointer is missing, and the message must say so.
    let or_no_pointer = |failure| match config.is_none() && Path::new(pointer).is_file() {
        true => UsageFailure::NoPointerNamed { config: pointer.into() }.into(),
        false => failure,
    };
    let path = config_or_default(config).map_err(or_no_pointer)?;
    super::refuse_swapped("get", &path, None, pointer.as_ref())?;
    let document = look(&ConfigPath::named(&path), options.reading, &context.report)?;
    let value = document.find(pointer).map_err(or_no_pointer)?;
    let tokens = document.tokens_of(&value);
    let text = if tokens.is_empty() {
        unsealed(&document, &value, pointer)?
    } else {
        let keys = Keyring::load(&options.keys, &context.report)?;
        let opened: Vec<_> =
            tokens.iter().copied().zip(open(&document, &tokens, &keys, options.reading, &context.report)?).collect();
        let text = opened_value(&document, &value, pointer, &opened)?;
        context.audit.record(&Entry {
            verb: Verb::Get,
            outcome: Outcome::Done,
            files: &[&path],
            pointers: &[document.token_at(&value).map_or(pointer, |token| &token.pointer)],
            keys: &[keys.current()],
        })?;
        text
    };
    if options.json {
        return output::json("get", json!({ "config": document.name, "pointer": pointer, "value": &**text }));
    }
    output::result_bytes(&[text.as_bytes(), b"\n"])
}
