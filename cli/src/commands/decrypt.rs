//! `decrypt`: prints the whole config with its secrets in plain text, or writes it to a file of mode 0600.
//!
//! It opens every string with the `enc:` prefix. If one does not open, it writes nothing. The rest of the config stays
//! byte for byte.

use std::path::Path;

use serde_json::json;

use super::{config_or_default, into_text, load, look, open_all};
use crate::args::Decrypt;
use crate::audit::{Entry, Outcome, Verb};
use crate::config::text::{ConfigText, Edit, Edits};
use crate::context::Context;
use crate::error::{Result, UsageFailure};
use crate::keys::Keyring;
use crate::output;
use crate::quote::{count, shown};
use crate::store::{ConfigPath, Output, Rights};
use crate::tokens;

pub(crate) fn run(args: &Decrypt, context: &Context) -> Result<()> {
    let path = config_or_default(args.config.as_deref())?;
    if args.textconv {
        return textconv(&path, context);
    }
    // `-` means stdout, by convention.
    let out = args.output.as_ref().filter(|out| *out != Path::new("-"));
    if args.json && out.is_none() {
        return Err(UsageFailure::TwoForStdout.into());
    }
    let config = ConfigPath::named(&path);
    let (source, document) = match config.is_stream() {
        true if args.keep_mode => return Err(UsageFailure::StreamHasNoMode.into()),
        true => (None, look(&config, context.reading, &context.report)?),
        false => load(&config, context.reading, &context.report).map(|(source, document)| (Some(source), document))?,
    };
    if let (Some(out), Some(source)) = (out, &source) {
        super::refuse_same_file(source, out, UsageFailure::DecryptedOverInput { path: out.clone() })?;
    }
    let keys = if document.tokens.is_empty() { None } else { Some(Keyring::load(&context.keys, &context.report)?) };
    // Lock only now: a lock must not be held while the user types a key. From here on, a change to OUT by another
    // program is detected and kept.
    let mut output = None;
    if let Some(out) = out {
        output = Some((out, super::lock(out, context.lock_wait, context)?, Output::at(out, args.force)?));
    }
    let mut edits = Vec::new();
    if let Some(keys) = keys {
        let secrets = open_all(&document, &keys, context.reading, &context.report)?;
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
    let rights = source.filter(|_| args.keep_mode).map_or(Rights::PRIVATE, |source| Rights::kept_from(&source, 0o660));
    super::tell_caveats(output.write(rights, &pieces)?, context);
    context.report.note(format_args!(
        "{} decrypted into {} (mode {:03o})",
        count(edits.len(), "value"),
        shown(out),
        rights.mode()
    ));
    context
        .report
        .warn(format_args!("{} contains secrets in plain text: delete it when you no longer need it", shown(out)));
    if args.json {
        let fields = json!({ "config": document.name, "output": shown(out), "decrypted": document.pointers() });
        return output::json("decrypt", fields);
    }
    Ok(())
}

/// Prints the config for `git diff`: tokens that open are opened, and everything else stays. It never prompts. If the
/// key is missing or invalid, or the audit log cannot be written, it opens nothing and succeeds, so that `git diff`
/// continues.
fn textconv(path: &Path, context: &Context) -> Result<()> {
    let config = ConfigPath::named(path);
    let bytes = if config.is_stream() { config.read_stream()? } else { config.read()?.take_bytes() };
    let Ok(document) = ConfigText::parse(path, bytes.clone(), context.reading.format_source(&config)) else {
        return output::result_bytes(&[&bytes]);
    };
    let edits = match document.tokens.is_empty() || !Keyring::is_set(&context.keys) {
        true => Vec::new(),
        false => open_what_opens(&document, path, context).unwrap_or_else(|failure| {
            context.report.warn(format_args!("{}; the tokens are shown as they are", failure.what()));
            Vec::new()
        }),
    };
    output::result_bytes(&Edits::new(&document, edits)?.pieces())
}

/// Returns the edits for the tokens that the keys open.
fn open_what_opens(document: &ConfigText, path: &Path, context: &Context) -> Result<Vec<Edit>> {
    context.reading.check_cost(document)?;
    let keys = Keyring::load(&context.keys, &context.report)?;
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
