//! `get`: one value, opened, to stdout.
//! A number or a truth value is printed as it is written.
//! It costs one derivation, whatever else is in the config.

use std::path::Path;

use serde_json::json;

use super::{config_or_default, open, read, unsealed};
use crate::Context;
use crate::args::Get;
use crate::audit::Entry;
use crate::failure::{Exit, Failure, Result};
use crate::report;

pub(crate) fn run(args: &Get, context: &Context) -> Result<()> {
    let (config, pointer) = match &*args.what {
        [config, pointer] => (Some(Path::new(config)), pointer.to_str()),
        [pointer] => (None, pointer.to_str()),
        _ => (None, None),
    };
    let pointer = pointer.ok_or_else(|| {
        Failure::new(Exit::Usage, "the pointer is not UTF-8 text", "name a value, as in /auth/token_value")
    })?;
    let path = config_or_default(config)?;
    let (_, document) = read(&path, context)?;
    let value = document.find(pointer)?;
    let text = match document.token_at(&value) {
        Some(token) => {
            let keys = context.keys()?;
            let secret = open(&document, &[token], &keys, context)?.pop().unwrap_or_default();
            context.audit.record(&Entry {
                command: "get",
                outcome: "done",
                files: &[&path],
                pointers: &[&token.pointer],
                keys: &[keys.current()],
            })?;
            secret
        }
        None => unsealed(&document, &value, pointer)?,
    };
    if args.json {
        return report::json("get", json!({ "config": document.name, "pointer": pointer, "value": &**text }));
    }
    report::result_bytes(&[text.as_bytes(), b"\n"])
}
