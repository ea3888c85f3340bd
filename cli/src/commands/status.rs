//! `status`: what is encrypted in a config, and how; works without a key.
//! The state of `auth.token_value` is told in the guide's words.
//! What is no token is never called encrypted.

use fernseal_core::Error;
use fernseal_core::config::{Looks, TOKEN_VALUE};
use fernseal_core::json::{self, Kind};
use serde_json::json;

use super::{config_or_default, format_name, read};
use crate::args::Status;
use crate::config::text::{ConfigText, looks};
use crate::context::Context;
use crate::error::Result;
use crate::keys::Keyring;
use crate::output::time::{age, date};
use crate::output::{self, time};
use crate::tokens::verify::{Verification, check};

pub(crate) fn run(args: &Status, context: &Context) -> Result<()> {
    let path = config_or_default(args.config.as_deref())?;
    let (_, document) = read(&path, context)?;
    let token_value = token_value(&document);
    let key_is_set = Keyring::is_set(context.key_options());
    let checked = match args.verify && !document.tokens.is_empty() {
        true => {
            let keys = context.keys()?;
            let checked = check(&document, &keys, context);
            checked.record("status", &path, &document, &keys, context)?;
            Some(checked)
        }
        false => None,
    };

    if args.json {
        output::json("status", in_json(&document, token_value, key_is_set, checked.as_ref()))?;
    } else {
        in_words(&document, token_value, key_is_set, checked.as_ref())?;
    }

    if let Some(checked) = checked {
        return checked.verdict(&document);
    }
    match document.tokens.iter().find(|token| token.form.is_err()) {
        Some(token) => Err(document.refusal(token, Error::Malformed)),
        None if token_value == INVALID => Err(document.failure(TOKEN_VALUE, Error::LooksSealed)),
        None => Ok(()),
    }
}

/// What begins like a token (`ENC:`, white space before it) and is none.
const INVALID: &str = "INVALID (begins like a token, but is none)";

/// The state of `auth.token_value`.
fn token_value(document: &ConfigText) -> &'static str {
    match json::find(&document.text, TOKEN_VALUE) {
        Err(Error::DuplicateKey) => "AMBIGUOUS (the name occurs twice)",
        Err(_) => "NOT FOUND",
        Ok(value) if value.kind() != Kind::String => "NOT A STRING",
        Ok(value) if value.raw().is_empty() => "EMPTY",
        Ok(value) => match looks(value.raw()) {
            Looks::Sealed => "ENCRYPTED",
            Looks::LooksSealed => INVALID,
            Looks::Placeholder => "PLACEHOLDER",
            Looks::Plain => "PLAIN TEXT",
        },
    }
}

fn in_words(document: &ConfigText, token_value: &str, key_is_set: bool, checked: Option<&Verification>) -> Result<()> {
    output::result(format_args!("Configuration: {}", document.name))?;
    output::result(format_args!("Token value: {token_value}"))?;
    output::result(format_args!("Master key: {}", if key_is_set { "SET" } else { "NOT SET" }))?;
    output::result(format_args!("Encrypted values: {}", document.tokens.iter().filter(|t| t.form.is_ok()).count()))?;
    let now = time::now();
    for (at, token) in document.tokens.iter().enumerate() {
        let form = match token.form {
            Ok((format, time)) => format!("{}, sealed {} UTC ({})", format_name(&format), date(time), age(time, now)),
            Err(_) => "INVALID: Invalid encrypted token format".to_owned(),
        };
        let verdict = checked.map(|checked| format!(", {}", checked.words(at))).unwrap_or_default();
        output::result(format_args!("  {}: {form}{verdict}", token.pointer))?;
    }
    Ok(())
}

fn in_json(
    document: &ConfigText,
    token_value: &str,
    key_is_set: bool,
    checked: Option<&Verification>,
) -> serde_json::Value {
    let tokens: Vec<serde_json::Value> = document
        .tokens
        .iter()
        .enumerate()
        .map(|(at, token)| {
            let mut entry = match token.form {
                Ok((format, time)) => json!({
                    "pointer": token.pointer, "valid": true, "format": format_name(&format), "timestamp": time,
                }),
                Err(_) => json!({ "pointer": token.pointer, "valid": false }),
            };
            if let (Some(checked), Some(entry)) = (checked, entry.as_object_mut()) {
                entry.insert("opens".to_owned(), checked.opens(at).into());
            }
            entry
        })
        .collect();
    json!({
        "config": document.name,
        "token_value": token_value,
        "master_key": if key_is_set { "SET" } else { "NOT SET" },
        "tokens": tokens,
    })
}
