//! `get`: opens one value and prints it to stdout.
//!
//! A number or boolean is printed as written. Tokens inside a text, such as `Bearer enc:…`, are opened if `decrypt`
//! would open them too. No key is derived for other tokens.

use std::path::Path;

use serde_json::json;

use super::{config_or_default, look, open, opened_value, unsealed};
use crate::args::Get;
use crate::audit::{Entry, Outcome, Verb};
use crate::context::Context;
use crate::error::{Result, UsageFailure};
use crate::keys::Keyring;
use crate::output;
use crate::store::ConfigPath;

pub(crate) fn run(args: &Get, context: &Context) -> Result<()> {
    let (config, pointer) = match &*args.what {
        [config, pointer] => (Some(Path::new(config)), pointer.to_str()),
        [pointer] => (None, pointer.to_str()),
        _ => (None, None),
    };
    let pointer = pointer.ok_or(UsageFailure::PointerNotUtf8)?;
    // If the only argument is a file and not a pointer, the pointer is missing, and the message must say so.
    let or_no_pointer = |failure| match config.is_none() && Path::new(pointer).is_file() {
        true => UsageFailure::NoPointerNamed { config: pointer.into() }.into(),
        false => failure,
    };
    let path = config_or_default(config).map_err(or_no_pointer)?;
    super::refuse_swapped("get", &path, None, pointer.as_ref())?;
    let document = look(&ConfigPath::named(&path), context.reading, &context.report)?;
    let value = document.find(pointer).map_err(or_no_pointer)?;
    let tokens = document.tokens_of(&value);
    let text = if tokens.is_empty() {
        unsealed(&document, &value, pointer)?
    } else {
        let keys = Keyring::load(&context.keys, &context.report)?;
        let opened: Vec<_> =
            tokens.iter().copied().zip(open(&document, &tokens, &keys, context.reading, &context.report)?).collect();
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
    if args.json {
        return output::json("get", json!({ "config": document.name, "pointer": pointer, "value": &**text }));
    }
    output::result_bytes(&[text.as_bytes(), b"\n"])
}
