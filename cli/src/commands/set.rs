//! `set`: one value of a config becomes a sealed secret, in place.
//! The secret comes from stdin or a prompt without echo, never from an argument.
//! Only the value's own span changes.

use std::io::{self, IsTerminal, Read};

use fernseal_core::Error;
use fernseal_core::json::{self, Kind};
use serde_json::json;
use zeroize::Zeroizing;

use super::{MAX_SECRET, check_length, into_text, read};
use crate::args::Set;
use crate::audit::Entry;
use crate::config::text::{ConfigText, Edit};
use crate::context::Context;
use crate::error::{Exit, Failure, Result};
use crate::interrupt;
use crate::keys::Keyring;
use crate::output::terminal;
use crate::output::{self, time};
use crate::quote::Pointer;
use crate::tokens;

/// How a secret is handed over.
const PIPE: &str = "pipe the secret in: printf %s \"$SECRET\" | fernseal set …";

pub(crate) fn run(args: &Set, context: &Context) -> Result<()> {
    if !args.surplus.is_empty() {
        let what = "a secret is no argument: others see it there, and the shell keeps it";
        return Err(Failure::new(Exit::Usage, what, PIPE));
    }
    let (mut source, mut document) = read(&args.config, context)?;
    // Before anybody is asked for a key or a secret.
    find_value(&document, &args.pointer)?;
    let keys = context.keys()?;
    let master = keys.sealing(args.allow_short_key)?;
    check_fit(&document, &args.pointer, &keys, context)?;
    let secret = read_secret(&document, &args.pointer)?;
    // Not before: a lock is not held while a person types.
    let _lock = super::lock(&args.config, context)?;
    if !source.is_unchanged()? {
        (source, document) = read(&args.config, context)?;
        check_fit(&document, &args.pointer, &keys, context)?;
    }
    let value = find_value(&document, &args.pointer)?;
    let at = document.sealing_time(time::now());
    let token = tokens::seal(master, &[&secret], false, at, context.threads)?.pop().unwrap_or_default();

    let edits = [Edit::of(&value, &token)];
    let mut entry = Entry {
        command: "set",
        outcome: "started",
        files: &[&args.config],
        pointers: &[&args.pointer],
        keys: &[master],
    };
    interrupt::stop_if_requested()?;
    context.audit.record(&entry)?;
    let caveats = source.replace(&document.edited(&edits))?;
    super::tell_caveats(caveats, context);
    entry.outcome = "done";
    context.audit.record_done(&entry, &context.report);
    if args.json {
        return output::json("set", json!({ "config": document.name, "encrypted": [args.pointer] }));
    }
    context.report.note(format_args!("{} at {} is encrypted", document.name, args.pointer));
    Ok(())
}

/// The value at `pointer`, which can be replaced by a secret.
fn find_value<'d>(document: &'d ConfigText, pointer: &str) -> Result<json::Value<'d>> {
    let value = json::find(&document.text, pointer).map_err(|error| {
        let failure = document.failure(pointer, error);
        let next = "add it to the config with any text first (`fernseal edit`), or check the pointer's spelling";
        if error == Error::NotFound { Failure { next: next.to_owned(), ..failure } } else { failure }
    })?;
    match value.kind() {
        Kind::Object | Kind::Array => Err(document.failure(pointer, Error::NotAString)),
        Kind::String | Kind::Scalar => Ok(value),
    }
}

/// The tokens that stay must open with the keys at hand.
fn check_fit(document: &ConfigText, pointer: &str, keys: &Keyring, context: &Context) -> Result<()> {
    let value = find_value(document, pointer)?;
    let replaced = document.token_at(&value).map(|token| &token.pointer);
    let others = document.tokens.iter().filter(|token| Some(&token.pointer) != replaced);
    tokens::check_fit(document, others, keys, context.threads)
}

/// The secret, without the line end that `echo` or Enter put there.
fn read_secret(document: &ConfigText, pointer: &Pointer) -> Result<Zeroizing<String>> {
    let secret = if io::stdin().is_terminal() {
        let ask = |question: &str| {
            terminal::ask_secret(question)?
                .ok_or_else(|| Failure::new(Exit::Usage, "nobody to ask for the secret", PIPE))
        };
        let secret = ask(&format!("Secret for {pointer}: "))?;
        check_length(document, pointer, secret.len())?;
        if ask("The same again: ")? != secret {
            return Err(Failure::new(Exit::Usage, "the two are not the same", "nothing was changed; try again"));
        }
        secret
    } else {
        // Room for all of it from the start: a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET + 3));
        io::stdin().lock().take(MAX_SECRET as u64 + 3).read_to_end(&mut bytes).map_err(|error| {
            Failure::new(Exit::File, format!("stdin cannot be read: {error}"), "nothing was changed; try again")
        })?;
        if bytes.ends_with(b"\n") {
            bytes.pop();
            if bytes.ends_with(b"\r") {
                bytes.pop();
            }
        }
        // What is longer was cut, perhaps in the middle of a character.
        check_length(document, pointer, bytes.len())?;
        into_text(bytes).map_err(|_| {
            let next = "such bytes cannot stand in a JSON string; encode them, for example as base64";
            Failure::new(Exit::Malformed, "the secret on stdin is not UTF-8 text", next)
        })?
    };
    if secret.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            "the secret is empty",
            "nothing was changed; type or pipe the secret in",
        ));
    }
    Ok(secret)
}
