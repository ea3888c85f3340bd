//! `verify`: opens every token of the named configs, and shows no secret.
//!
//! It reports which tokens still need a previous key, so that the user knows when that key can be retired. It always
//! processes all configs, even if one of them fails.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Reading, find_or_default, look, reason_to_skip, too_old};
use crate::audit::{Audit, Verb};
use crate::config::text::ConfigText;
use crate::context::Context;
use crate::error::{self, Result};
use crate::keys::{KeyOptions, Keyring, derive};
use crate::output;
use crate::quote::{and_skipped, count, shown};
use crate::store::{ConfigPath, Selection};
use crate::time::MaxAge;
use crate::tokens::verify::{OpenedBy, Verification, verify_each};

/// The options of `verify`.
pub(crate) struct Options {
    /// If there is none, PROXMOX_MCP_CONFIG names the config.
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) selection: Selection,
    pub(crate) max_age: Option<MaxAge>,
    pub(crate) json: bool,
    pub(crate) keys: KeyOptions,
    pub(crate) reading: Reading,
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<()> {
    let found = find_or_default(&options.paths, &options.selection)?;
    let keys = Keyring::load(&options.keys, &context.report)?;
    let mut entries = Vec::new();
    let mut failures = Vec::new();
    let mut skipped: Vec<_> = found.skipped.into_iter().map(|(path, reason)| (shown(&path), reason)).collect();
    let mut failed = Vec::new();
    let (mut configs, mut tokens) = (0, 0);
    let in_directory = found.configs.iter().any(ConfigPath::was_found);
    if !options.json {
        for (file, reason) in &skipped {
            output::result(format_args!("skipped {file}: {reason}"))?;
        }
    }
    let mut aged = 0;
    let read = |config: &ConfigPath| {
        let document = look(config, options.reading, &context.report)?;
        options.reading.check_cost(&document)?;
        Ok(document)
    };
    verify_each(found.configs, read, &keys, &context.report, |config, checked| {
        let (document, checked) = match checked {
            Ok(checked) => checked,
            Err(failure) => {
                match reason_to_skip(&config, &failure) {
                    Some(reason) if options.json => skipped.push((shown(&config.path), reason)),
                    Some(reason) => {
                        failures
                            .extend(output::result(format_args!("skipped {}: {reason}", shown(&config.path))).err());
                        skipped.push((shown(&config.path), reason));
                    }
                    None => {
                        failed.push((shown(&config.path), failure.clone()));
                        failures.push(failure);
                    }
                }
                return;
            }
        };
        configs += 1;
        tokens += document.tokens.len();
        aged += options.max_age.map_or(0, |max_age| document.aged_tokens(max_age).count());
        let entries = options.json.then_some(&mut entries);
        failures.extend(tell(&config.path, &document, &checked, &keys, entries, options.max_age, &context.audit).err());
    });
    for (path, failure) in found.unread {
        failed.push((shown(&path), failure.clone()));
        failures.push(failure);
    }
    if options.json {
        output::json(
            "verify",
            json!({
                "configs": configs,
                "tokens": entries,
                "skipped": output::skipped_in_json(&skipped),
                "failed": output::failed_in_json(&failed),
            }),
        )?;
    }
    failures.extend(options.max_age.filter(|_| aged > 0).map(|max_age| too_old(aged, max_age)));
    if failures.is_empty() && in_directory {
        let skipped = and_skipped(skipped.len());
        let configs = count(configs, "config");
        context.report.note(match tokens {
            0 => format!("{configs} checked: no token found{skipped}"),
            1 => format!("1 token in {configs} checked: it can be decrypted{skipped}"),
            tokens => format!("{tokens} tokens in {configs} checked: all can be decrypted{skipped}"),
        });
    }
    error::check_none(failures)
}

/// Prints whether each token opens, and writes the audit log.
fn tell(
    path: &Path,
    document: &ConfigText,
    checked: &Verification,
    keys: &Keyring,
    entries: Option<&mut Vec<serde_json::Value>>,
    max_age: Option<MaxAge>,
    audit: &Audit,
) -> Result<()> {
    match entries {
        Some(entries) => {
            let ids = derive::ids(&keys.all().iter().map(|key| &**key).collect::<Vec<_>>());
            let id = |at| Some(ids.get(checked.master(at)?)?.to_string());
            entries.extend(document.tokens.iter().enumerate().map(|(at, token)| {
                json!({
                    "config": document.name,
                    "pointer": token.pointer,
                    "timestamp": token.form.ok().map(|(_, sealed)| sealed),
                    "opens": checked.opens(at).map_or("none", OpenedBy::name),
                    "key_id": id(at),
                })
            }));
        }
        None if document.tokens.is_empty() => {
            output::result(format_args!("{}: no encrypted values", document.name))?;
        }
        None => {
            for (at, token) in document.tokens.iter().enumerate() {
                let age = super::age_note(token, max_age);
                output::result(format_args!("{} {}: {}{age}", document.name, token.pointer, checked.words(at)))?;
            }
        }
    }
    checked.record(Verb::Verify, path, document, keys, audit)?;
    checked.verdict(document, keys)
}
