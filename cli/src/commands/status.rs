//! `status`: shows what is encrypted in a config, and in which format. It needs no key, except with `--verify`.
//!
//! The state of `auth.token_value` uses the guide's words. A value that is not a valid token is never reported as
//! encrypted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fernseal_core::Error;
use fernseal_core::config::{TOKEN_VALUE, ValueKind};
use serde_json::json;

use super::{Reading, find_or_default, format_name, look, reason_to_skip, too_old};
use crate::audit::{Audit, Verb};
use crate::config::text::{ConfigText, Kind, SealedValue, TextFormat, ValueError, classify};
use crate::context::Context;
use crate::error::{self, Result};
use crate::keys::{self, KeyOptions, Keyring, derive};
use crate::output::{self, Report};
use crate::quote::{count, shown};
use crate::store::{ConfigPath, Selection};
use crate::time;
use crate::time::{MaxAge, age, date};
use crate::tokens::verify::{OpenedBy, Verification, check};

/// The options of `status`.
pub(crate) struct Options {
    /// If there is none, PROXMOX_MCP_CONFIG names the config.
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) selection: Selection,
    pub(crate) max_age: Option<MaxAge>,
    /// Whether to open every token.
    pub(crate) verify: bool,
    pub(crate) json: bool,
    pub(crate) keys: KeyOptions,
    pub(crate) reading: Reading,
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<()> {
    let found = find_or_default(&options.paths, &options.selection)?;
    let key_is_set = Keyring::is_set(&options.keys);
    if let ([config], false, [], []) = (&*found.configs, options.paths.len() > 1, &*found.skipped, &*found.unread)
        && !config.was_found()
    {
        return of_one(config, key_is_set, options, context);
    }
    let mut skipped: Vec<_> = found.skipped.into_iter().map(|(path, reason)| (shown(&path), reason)).collect();
    let (mut entries, mut failed, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    let (mut looked_at, mut aged) = (0, 0);
    let keys = if options.verify { Some(Keyring::load(&options.keys, &context.report)?) } else { None };
    let ids = keys.as_ref().map(|keys| {
        let masters: Vec<_> = keys.all().iter().map(|key| &**key).collect();
        derive::ids(&masters).iter().map(ToString::to_string).collect::<Vec<_>>()
    });
    let in_directory = found.configs.iter().any(ConfigPath::was_found);
    let mut rows = Vec::new();
    for config in &found.configs {
        let mut state = match State::of(config, options.reading, &context.report) {
            Ok(state) => state,
            Err(failure) => {
                match reason_to_skip(config, &failure) {
                    Some(reason) => skipped.push((shown(&config.path), reason)),
                    None => {
                        failed.push((shown(&config.path), failure.clone()));
                        failures.push(failure);
                    }
                }
                continue;
            }
        };
        looked_at += 1;
        if let Some(keys) = &keys {
            state.verify(&config.path, keys, options.reading, &context.audit)?;
        }
        if options.json {
            entries.push(state.in_json());
        } else if in_directory {
            rows.push(state.in_row(ids.as_deref()));
        } else {
            state.in_words(key_is_set, options.max_age)?;
            output::result("")?;
        }
        aged += options.max_age.map_or(0, |max_age| state.document.aged_tokens(max_age).count());
        failures.extend(state.verdict(keys.as_ref()).err());
    }
    for (path, failure) in found.unread {
        failed.push((shown(&path), failure.clone()));
        failures.push(failure);
    }
    if options.json {
        let fields = json!({
            "master_key": set_or_not(key_is_set),
            "configs": entries,
            "skipped": output::skipped_in_json(&skipped),
            "failed": output::failed_in_json(&failed),
        });
        output::json("status", fields)?;
    } else {
        tell_rows(rows)?;
        for (file, reason) in &skipped {
            output::result(format_args!("skipped {file}: {reason}"))?;
        }
        let looked_at = count(looked_at, "config");
        output::result(format_args!("{looked_at} checked, {} skipped, {} failed", skipped.len(), failed.len()))?;
    }
    failures.extend(options.max_age.filter(|_| aged > 0).map(|max_age| too_old(aged, max_age)));
    error::check_none(failures)
}

/// The columns of the table of a directory.
const COLUMNS: [&str; 6] = ["CONFIG", "FORMAT", "TOKENS", "OLDEST", "TOKEN VALUE", "KEY"];

/// Prints the table of a directory. Each column is as wide as its longest cell.
fn tell_rows(rows: Vec<[String; 6]>) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows: Vec<[String; 6]> = [COLUMNS.map(str::to_owned)].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        output::result(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// Reports on the only config.
fn of_one(config: &ConfigPath, key_is_set: bool, options: &Options, context: &Context) -> Result<()> {
    let mut state = State::of(config, options.reading, &context.report)?;
    let keys = if options.verify && !state.document.tokens.is_empty() {
        Some(Keyring::load(&options.keys, &context.report)?)
    } else {
        None
    };
    if let Some(keys) = &keys {
        state.verify(&config.path, keys, options.reading, &context.audit)?;
    }
    if options.json {
        let mut fields = state.in_json();
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("master_key".to_owned(), set_or_not(key_is_set).into());
        }
        output::json("status", fields)?;
    } else {
        state.in_words(key_is_set, options.max_age)?;
    }
    let aged = options.max_age.map_or(0, |max_age| state.document.aged_tokens(max_age).count());
    let too_old = options.max_age.filter(|_| aged > 0).map(|max_age| too_old(aged, max_age));
    error::check_none(state.verdict(keys.as_ref()).err().into_iter().chain(too_old))
}

fn set_or_not(key_is_set: bool) -> &'static str {
    if key_is_set { "SET" } else { "NOT SET" }
}

/// What is encrypted in a config.
struct State {
    document: ConfigText,
    token_value: TokenValue,
    checked: Option<Verification>,
}

impl State {
    fn of(config: &ConfigPath, reading: Reading, report: &Report) -> Result<Self> {
        let document = look(config, reading, report)?;
        Ok(Self { token_value: TokenValue::of(&document), document, checked: None })
    }

    /// Also verifies every token.
    fn verify(&mut self, path: &Path, keys: &Keyring, reading: Reading, audit: &Audit) -> Result<()> {
        if self.document.tokens.is_empty() {
            return Ok(());
        }
        reading.check_cost(&self.document)?;
        let checked = check(&self.document, keys);
        checked.record(Verb::Status, path, &self.document, keys, audit)?;
        self.checked = Some(checked);
        Ok(())
    }

    /// Returns what is wrong with the config. `keys` are the keys that were used to verify it, if any.
    fn verdict(&self, keys: Option<&Keyring>) -> Result<()> {
        let document = &self.document;
        if let (Some(checked), Some(keys)) = (&self.checked, keys) {
            return checked.verdict(document, keys);
        }
        match document.tokens.iter().find(|token| token.form.is_err()) {
            Some(token) => Err(document.refusal(token, Error::Malformed)),
            None if self.token_value == TokenValue::Lookalike => Err(document.failure(TOKEN_VALUE, Error::Lookalike)),
            None => Ok(()),
        }
    }

    fn in_words(&self, key_is_set: bool, max_age: Option<MaxAge>) -> Result<()> {
        let tokens = &self.document.tokens;
        output::result(format_args!("Configuration: {}", self.document.name))?;
        output::result(format_args!("Token value: {}", self.token_value.words()))?;
        let unset = keys::unset_variable();
        let why = if !key_is_set && unset.is_empty() { format!(" ({unset})") } else { String::new() };
        output::result(format_args!("Master key: {}{why}", set_or_not(key_is_set)))?;
        output::result(format_args!("Encrypted values: {}", tokens.iter().filter(|token| token.form.is_ok()).count()))?;
        let legacy = self.document.legacy_tokens().count();
        if legacy > 0 {
            output::result(format_args!(
                "Legacy tokens: {legacy} (they share one salt; a rotation gives each its own)"
            ))?;
        }
        let now = time::now();
        for (at, token) in tokens.iter().enumerate() {
            let form = match token.form {
                Ok((format, time)) => {
                    let old = super::age_note(token, max_age);
                    format!("{}, encrypted {} UTC ({}){old}", format_name(&format), date(time), age(time, now))
                }
                Err(_) => "INVALID: Invalid encrypted token format".to_owned(),
            };
            match &self.checked {
                Some(checked) => output::result(format_args!("  {}: {form}, {}", token.pointer, checked.words(at)))?,
                None => output::result(format_args!("  {}: {form}", token.pointer))?,
            }
        }
        Ok(())
    }

    /// Returns the state as a row of the table. `ids` are the ids of the keys, if the tokens were opened.
    fn in_row(&self, ids: Option<&[String]>) -> [String; 6] {
        let document = &self.document;
        let now = time::now();
        let valid = || document.tokens.iter().filter_map(|token| token.form.ok());
        let (all, legacy) = (valid().count(), document.legacy_tokens().count());
        let invalid = document.tokens.len() - all;
        let kinds = [(legacy, "legacy"), (invalid, "invalid")].into_iter().filter(|(number, _)| *number > 0);
        let kinds: Vec<String> = kinds.map(|(number, kind)| format!("{number} {kind}")).collect();
        let tokens = if kinds.is_empty() { all.to_string() } else { format!("{all} ({})", kinds.join(", ")) };
        let oldest = valid().map(|(_, sealed)| sealed).min();
        let key = match (&self.checked, ids) {
            (Some(checked), Some(ids)) => {
                let key = |at| checked.master(at).and_then(|master| ids.get(master)).map_or("none", String::as_str);
                let keys: BTreeSet<&str> = (0..document.tokens.len()).map(key).collect();
                keys.into_iter().collect::<Vec<_>>().join(" ")
            }
            // A token does not show its key.
            _ if document.tokens.is_empty() => "-".to_owned(),
            _ => "?".to_owned(),
        };
        [
            document.name.clone(),
            document.format().map_or("unknown", TextFormat::name).to_owned(),
            tokens,
            oldest.map_or_else(|| "-".to_owned(), |sealed| age(sealed, now)),
            self.token_value.words().to_owned(),
            key,
        ]
    }

    fn in_json(&self) -> serde_json::Value {
        let entry = |(at, token): (usize, &SealedValue)| {
            let mut entry = match token.form {
                Ok((format, time)) => json!({
                    "pointer": token.pointer, "valid": true, "format": format_name(&format), "timestamp": time,
                }),
                Err(_) => json!({ "pointer": token.pointer, "valid": false }),
            };
            if let (Some(checked), Some(entry)) = (&self.checked, entry.as_object_mut()) {
                entry.insert("opens".to_owned(), checked.opens(at).map_or("none", OpenedBy::name).into());
            }
            entry
        };
        let tokens: Vec<serde_json::Value> = self.document.tokens.iter().enumerate().map(entry).collect();
        json!({
            "config": self.document.name,
            "token_value": self.token_value.words(),
            "tokens": tokens,
            "legacy": self.document.legacy_tokens().count(),
        })
    }
}

/// The state of `auth.token_value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenValue {
    /// A name in its pointer occurs twice.
    Ambiguous,
    NotFound,
    NotAString,
    Empty,
    Encrypted,
    /// It begins almost like a token (`ENC:`, or whitespace in front) but is not one.
    Lookalike,
    Placeholder,
    PlainText,
}

impl TokenValue {
    fn of(document: &ConfigText) -> Self {
        match document.look_up(TOKEN_VALUE) {
            Err(ValueError::Core(Error::DuplicateKey)) => Self::Ambiguous,
            Err(_) => Self::NotFound,
            Ok(value) if value.kind != Kind::String => Self::NotAString,
            Ok(value) if value.is_empty_string() => Self::Empty,
            Ok(value) => match classify(&value) {
                ValueKind::Sealed => Self::Encrypted,
                ValueKind::Lookalike => Self::Lookalike,
                ValueKind::Placeholder => Self::Placeholder,
                ValueKind::Plain => Self::PlainText,
            },
        }
    }

    /// Returns the guide's words for the state.
    fn words(self) -> &'static str {
        match self {
            Self::Ambiguous => "AMBIGUOUS (the name occurs twice)",
            Self::NotFound => "NOT FOUND",
            Self::NotAString => "NOT A STRING",
            Self::Empty => "EMPTY",
            Self::Encrypted => "ENCRYPTED",
            Self::Lookalike => "INVALID (begins like a token, but is not one)",
            Self::Placeholder => "PLACEHOLDER",
            Self::PlainText => "PLAIN TEXT",
        }
    }
}
