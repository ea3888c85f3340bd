//! `verify`: every token of the named configs is opened, and nothing of the secrets is shown.
//! It says which tokens still need a previous key, so that this key can be retired one day.
//! All configs are looked at, whatever is wrong with one of them.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{config_or_default, read};
use crate::args::Verify;
use crate::config::text::ConfigText;
use crate::context::Context;
use crate::error::Result;
use crate::keys::Keyring;
use crate::output;
use crate::tokens::verify::{Verification, verify_each};

pub(crate) fn run(args: &Verify, context: &Context) -> Result<()> {
    let configs: Vec<PathBuf> =
        if args.configs.is_empty() { vec![config_or_default(None)?] } else { args.configs.clone() };
    let keys = context.keys()?;
    let mut entries = Vec::new();
    let mut failures = Vec::new();
    let read = |path: &PathBuf| read(path, context).map(|(_, document)| document);
    verify_each(configs, read, &keys, context, |path, checked| {
        let told = checked.and_then(|(document, checked)| {
            tell(&path, &document, &checked, &keys, args.json.then_some(&mut entries), context)
        });
        failures.extend(told.err());
    });
    if args.json {
        output::json("verify", json!({ "tokens": entries }))?;
    }
    output::say_all(failures)
}

/// Says of each token whether it opens, and logs it.
fn tell(
    path: &Path,
    document: &ConfigText,
    checked: &Verification,
    keys: &Keyring,
    entries: Option<&mut Vec<serde_json::Value>>,
    context: &Context,
) -> Result<()> {
    match entries {
        Some(entries) => entries.extend(document.tokens.iter().enumerate().map(
            |(at, token)| json!({ "config": document.name, "pointer": token.pointer, "opens": checked.opens(at) }),
        )),
        None if document.tokens.is_empty() => {
            output::result(format_args!("{}: no encrypted values", document.name))?;
        }
        None => {
            for (at, token) in document.tokens.iter().enumerate() {
                output::result(format_args!("{} {}: {}", document.name, token.pointer, checked.words(at)))?;
            }
        }
    }
    checked.record("verify", path, document, keys, context)?;
    checked.verdict(document, keys, context)
}
