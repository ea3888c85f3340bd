//! `decrypt`: prints the whole config with its secrets in plain text, or writes it to a file of mode 0600.
//!
//! It opens every string with the `enc:` prefix. If one does not open, it writes nothing. The rest of the config stays
//! byte for byte.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::{Reading, config_or_default, into_text, load, look, open_all};
use crate::audit::{Entry, Outcome, Verb};
use crate::config::text::{ConfigText, Edit, Edits};
use crate::context::Context;
use crate::error::{Result, UsageFailure};
use crate::keys::{KeyOptions, Keyring};
use crate::output;
use crate::quote::{count, shown};
use crate::store::{ConfigPath, Output, Rights};
use crate::tokens;

/// The options of `decrypt`.
pub(crate) struct Options {
    /// If it is `None`, PROXMOX_MCP_CONFIG names it.
    pub(crate) config: Option<PathBuf>,
    pub(crate) destination: PlainText,
    pub(crate) keys: KeyOptions,
    pub(crate) reading: Reading,
    pub(crate) lock_wait: Duration,
}

/// Where the plain text goes.
pub(crate) enum PlainText {
    Stdout,
    /// To stdout for `git diff`, which must never fail: tokens that do not open stay as they are.
    GitDiff,
    File(PlainFile),
}

/// A file for the plain text.
pub(crate) struct PlainFile {
    pub(crate) path: PathBuf,
    /// Whether to overwrite the file if it exists.
    pub(crate) force: bool,
    /// Whether the file gets the owner and group of the config, and its mode without permissions for others.
    pub(crate) keep_mode: bool,
    /// Whether to report in JSON what was decrypted.
    pub(crate) json: bool,
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<()> {
    let path = config_or_default(options.config.as_deref())?;
    let file = match &options.destination {
        PlainText::GitDiff => return textconv(&path, options, context),
        PlainText::Stdout => None,
        PlainText::File(file) => Some(file),
    };
    // `-` means stdout, by convention.
    let out = file.filter(|file| file.path != Path::new("-"));
    if file.is_some_and(|file| file.json) && out.is_none() {
        return Err(UsageFailure::TwoForStdout.into());
    }
    let config = ConfigPath::named(&path);
    let (source, document) = match config.is_stream() {
        true if file.is_some_and(|file| file.keep_mode) => return Err(UsageFailure::StreamHasNoMode.into()),
        true => (None, look(&config, options.reading, &context.report)?),
        false => load(&config, options.reading, &context.report).map(|(source, document)| (Some(source), document))?,
    };
    if let (Some(out), Some(source)) = (out, &source) {
        let path = out.path.clone();
        super::refuse_same_file(source, &out.path, UsageFailure::DecryptedOverInput { path })?;
    }
    let keys = if document.tokens.is_empty() { None } else { Some(Keyring::load(&options.keys, &context.report)?) };
    // Lock only now: a lock must not be held while the user types a key. From here on, a change to OUT by another
    // program is detected and kept.
    let mut output = None;
    if let Some(out) = out {
        output = Some((out, super::lock(&out.path, options.lock_wait, context)?, Output::at(&out.path, out.force)?));
    }
    let mut edits = Vec::new();
    if let Some(keys) = keys {
        let secrets = open_all(&document, &keys, options.reading, &context.report)?;
        edits = document.opened_to(document.tokens.iter().zip(secrets.iter().map(|secret| secret.as_str())))?;
        context.audit.record(&Entry {
            verb: Verb::Decrypt,
            outcome: Outcome::Done,
            files: &[&path],
            pointers: &document.pointers(),
            keys: &[keys.current()],
        })?;
    } else {
        context.report.note(format_args!("{} has no encrypted values", document.name));
    }
    let edits = Edits::new(&document, edits)?;
    let pieces = edits.pieces();
    let Some((out, _lock, output)) = output else {
        return output::result_bytes(&pieces);
    };
    // Plain text must never be readable by everybody, even if the tokens are.
    let rights = source.filter(|_| out.keep_mode).map_or(Rights::PRIVATE, |source| Rights::kept_from(&source, 0o660));
    super::tell_caveats(output.write(rights, &pieces)?, context);
    context.report.note(format_args!(
        "{} decrypted into {} (mode {:03o})",
        count(edits.len(), "value"),
        shown(&out.path),
        rights.mode()
    ));
    context.report.warn(format_args!(
        "{} contains secrets in plain text: delete it when you no longer need it",
        shown(&out.path)
    ));
    if out.json {
        let fields = json!({ "config": document.name, "output": shown(&out.path), "decrypted": document.pointers() });
        return output::json("decrypt", fields);
    }
    Ok(())
}

/// Prints the config for `git diff`: it opens the tokens that it can, and leaves the rest unchanged. It never prompts. If the
/// key is missing or invalid, or the audit log cannot be written, it opens nothing and succeeds, so that `git diff`
/// continues.
fn textconv(path: &Path, options: &Options, context: &Context) -> Result<()> {
    let config = ConfigPath::named(path);
    let bytes = if config.is_stream() { config.read_stream()? } else { config.read()?.take_bytes() };
    let Ok(document) = ConfigText::parse(path, bytes.clone(), options.reading.format_source(&config)) else {
        return output::result_bytes(&[&bytes]);
    };
    let edits = match document.tokens.is_empty() || !Keyring::is_set(&options.keys) {
        true => Vec::new(),
        false => open_matching_tokens(&document, path, options, context).unwrap_or_else(|failure| {
            context.report.warn(format_args!("{}; the tokens are shown as they are", failure.what()));
            Vec::new()
        }),
    };
    output::result_bytes(&Edits::new(&document, edits)?.pieces())
}

/// Returns the edits for the tokens that the keys open.
fn open_matching_tokens(document: &ConfigText, path: &Path, options: &Options, context: &Context) -> Result<Vec<Edit>> {
    options.reading.check_cost(document)?;
    let keys = Keyring::load(&options.keys, &context.report)?;
    let tokens: Vec<_> = document.tokens.iter().map(|token| (document, token)).collect();
    let (mut secrets, mut pointers) = (Vec::new(), Vec::new());
    for ((_, token), opened) in tokens.iter().zip(tokens::open(&tokens, &keys)) {
        if let Ok(secret) = opened.and_then(|opened| into_text(opened.plain)) {
            secrets.push((*token, secret));
            pointers.push(&*token.pointer);
        }
    }
    context.audit.record(&Entry {
        verb: Verb::Decrypt,
        outcome: Outcome::Done,
        files: &[path],
        pointers: &pointers,
        keys: &[keys.current()],
    })?;
    document.opened_to(secrets.iter().map(|(token, secret)| (*token, secret.as_str())))
}
