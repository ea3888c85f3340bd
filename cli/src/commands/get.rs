//! `get`: opens one value and prints it to stdout.
//!
//! A number or boolean is printed as written. It derives one key, however many tokens the config contains.

use std::path::Path;

use serde_json::json;

use super::{config_or_default, open_one, read, unsealed};
use crate::args::Get;
use crate::audit::{Entry, Outcome, Verb};
use crate::context::Context;
use crate::error::{Result, UsageFailure};
use crate::output;

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
    let (_, document) = read(&path, context)?;
    let value = document.find(pointer).map_err(or_no_pointer)?;
    let text = match document.token_at(&value) {
        Some(token) => {
            let keys = context.keys()?;
            let secret = open_one(&document, token, &keys, context)?;
            context.audit.record(&Entry {
                verb: Verb::Get,
                outcome: Outcome::Done,
                files: &[&path],
                pointers: &[&token.pointer],
                keys: &[keys.current()],
            })?;
            secret
        }
        None => unsealed(&document, &value, pointer)?,
    };
    if args.json {
        return output::json("get", json!({ "config": document.name, "pointer": pointer, "value": &**text }));
    }
    output::result_bytes(&[text.as_bytes(), b"\n"])
}
