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
use crate::group::{next_group, open_each};
use crate::keys::{Keyring, Opened};
use crate::progress::Progress;
use crate::report;

pub(crate) fn run(args: &Verify, context: &Context) -> Result<()> {
    let configs: Vec<PathBuf> =
        if args.configs.is_empty() { vec![config_or_default(None)?] } else { args.configs.clone() };
    let keys = context.keys()?;
    let mut entries = Vec::new();
    let mut failures = Vec::new();
    let read = |path: &PathBuf| read(path, context).map(|(_, document)| document);
    check_each(configs, read, &keys, context, |path, checked| {
        let told = checked.and_then(|(document, checked)| {
            tell(&path, &document, &checked, &keys, args.json.then_some(&mut entries), context)
        });
        failures.extend(told.err());
    });
    if args.json {
        report::json("verify", json!({ "tokens": entries }))?;
    }
    report::say_all(failures)
}

/// Says of each token whether it opens, and logs it.
fn tell(
    path: &Path,
    document: &Document,
    checked: &Checked,
    keys: &Keyring,
    entries: Option<&mut Vec<serde_json::Value>>,
    context: &Context,
) -> Result<()> {
    match entries {
        Some(entries) => entries.extend(document.tokens.iter().enumerate().map(
            |(at, token)| json!({ "config": document.name, "pointer": token.pointer, "opens": checked.opens(at) }),
        )),
        None if document.tokens.is_empty() => {
            report::result(format_args!("{}: no encrypted values", document.name))?;
        }
        None => {
            for (at, token) in document.tokens.iter().enumerate() {
                report::result(format_args!("{} {}: {}", document.name, token.pointer, checked.words(at)))?;
            }
        }
    }
    checked.record("verify", path, document, keys, context)?;
    checked.verdict(document)
}

/// For each token of a config: opened, and with which key, or why not.
#[derive(Default)]
pub(crate) struct Checked(Vec<std::result::Result<usize, Error>>);

/// Opens every token of each of `configs`, many at once, and hands on what came of each, in order.
pub(super) fn check_each<T>(
    configs: Vec<T>,
    load: impl Fn(&T) -> Result<Document>,
    keys: &Keyring,
    context: &Context,
    mut then: impl FnMut(T, Result<(Document, Checked)>),
) {
    let progress = Progress::new("checking", configs.len(), context);
    let mut waiting = configs.into_iter();
    loop {
        let load = |config| (load(&config), config);
        let group = next_group(&mut waiting, context.threads, load, |(document, _)| document.iter().collect());
        if group.is_empty() {
            break;
        }
        let documents: Vec<&Document> = group.iter().flat_map(|(document, _)| document).collect();
        let mut checked = check_all(&documents, keys, context).into_iter();
        group.iter().for_each(|_| progress.step());
        progress.beside(|| {
            for (document, config) in group {
                then(config, document.map(|document| (document, checked.next().unwrap_or_default())));
            }
        });
    }
}

/// Opens every token of `documents` at once.
pub(crate) fn check_all(documents: &[&Document], keys: &Keyring, context: &Context) -> Vec<Checked> {
    let masters = |opened: Vec<std::result::Result<Opened, Error>>| {
        Checked(opened.into_iter().map(|opened| opened.map(|opened| opened.master)).collect())
    };
    open_each(documents, keys, context.threads).into_iter().map(masters).collect()
}

/// Opens every token of `document`.
pub(super) fn check(document: &Document, keys: &Keyring, context: &Context) -> Checked {
    check_all(&[document], keys, context).pop().unwrap_or_default()
}

impl Checked {
    /// Logs that `command` opened the tokens of the document at `path`.
    pub(super) fn record(
        &self,
        command: &str,
        path: &Path,
        document: &Document,
        keys: &Keyring,
        context: &Context,
    ) -> Result<()> {
        let verdict = self.verdict(document);
        context.audit.record(&Entry {
            command,
            outcome: verdict.as_ref().map_or_else(|failure| &*failure.what, |()| "done"),
            files: &[path],
            pointers: &document.pointers(),
            keys: &[keys.current()],
        })
    }

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
    pub(crate) fn verdict(&self, document: &Document) -> Result<()> {
        for (at, token) in document.tokens.iter().enumerate() {
            // What was not opened does not open.
            if let Err(error) = self.0.get(at).copied().unwrap_or(Err(Error::Unauthentic)) {
                return Err(document.refusal(token, error));
            }
        }
        Ok(())
    }
}
