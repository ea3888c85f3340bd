//! `verify`: every token of the named configs is opened, and nothing of the secrets is shown.
//! It says which tokens still need a previous key, so that this key can be retired one day.
//! All configs are looked at, whatever is wrong with one of them.

use std::path::{Path, PathBuf};

use fernseal_core::Error;
use serde_json::json;

use super::{config_or_default, read};
use crate::Context;
use crate::args::Verify;
use crate::audit::Entry;
use crate::document::Document;
use crate::failure::Result;
use crate::keys::{self, Keyring};
use crate::report::{self, say};

pub(crate) fn run(args: &Verify, context: &Context) -> Result<()> {
    let configs: Vec<PathBuf> =
        if args.configs.is_empty() { vec![config_or_default(None)?] } else { args.configs.clone() };
    let keys = context.keys()?;
    let mut entries = Vec::new();
    let mut failures = Vec::new();
    for path in &configs {
        if let Err(failure) = verify(path, &keys, args.json, &mut entries, context) {
            failures.push(failure);
        }
    }
    if args.json {
        report::json("verify", json!({ "tokens": entries }))?;
    }
    // The first failure is the command's own; main says it.
    let mut failures = failures.into_iter();
    let first = failures.next();
    failures.for_each(|failure| say(&failure.to_string()));
    first.map_or(Ok(()), Err)
}

fn verify(
    path: &Path,
    keys: &Keyring,
    as_json: bool,
    entries: &mut Vec<serde_json::Value>,
    context: &Context,
) -> Result<()> {
    let (_, document) = read(path, context)?;
    let checked = check(&document, keys, context);
    if document.tokens.is_empty() && !as_json {
        report::result(format_args!("{}: no encrypted values", document.name))?;
    }
    for (at, token) in document.tokens.iter().enumerate() {
        if as_json {
            let opens = checked.opens(at);
            entries.push(json!({ "config": document.name, "pointer": token.pointer, "opens": opens }));
        } else {
            report::result(format_args!("{} {}: {}", document.name, token.pointer, checked.words(at)))?;
        }
    }
    let verdict = checked.verdict(&document);
    context.audit.record(&Entry {
        command: "verify",
        outcome: verdict.as_ref().map_or_else(|failure| &*failure.what, |()| "done"),
        files: &[path],
        pointers: &document.pointers(),
        keys: &[keys.current()],
    })?;
    verdict
}

/// For each token of a config: opened, and with which key, or why not.
pub(super) struct Checked(Vec<std::result::Result<usize, Error>>);

/// Opens every token of `document`.
pub(super) fn check(document: &Document, keys: &Keyring, context: &Context) -> Checked {
    let tokens: Vec<_> = document.tokens.iter().map(|token| (document, token)).collect();
    let opened = keys::open(&tokens, keys, context.threads);
    Checked(opened.into_iter().map(|opened| opened.map(|opened| opened.master)).collect())
}

impl Checked {
    /// Which key opened the token: `current`, `previous` or none.
    pub(super) fn opens(&self, at: usize) -> Option<&'static str> {
        match self.0.get(at) {
            Some(Ok(0)) => Some("current"),
            Some(Ok(_)) => Some("previous"),
            _ => None,
        }
    }

    pub(super) fn words(&self, at: usize) -> &'static str {
        match (self.opens(at), self.0.get(at)) {
            (Some("current"), _) => "opens",
            (Some(_), _) => "opens with a previous key only: rotate before that key is retired",
            (None, Some(Err(Error::Malformed))) => "Invalid encrypted token format",
            (None, _) => "Token decryption failed",
        }
    }

    /// The first token that does not open.
    pub(super) fn verdict(&self, document: &Document) -> Result<()> {
        match document.tokens.iter().zip(&self.0).find_map(|(token, opened)| Some((token, opened.err()?))) {
            Some((token, error)) => Err(document.failure(&token.pointer, error)),
            None => Ok(()),
        }
    }
}
