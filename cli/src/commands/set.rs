//! `set`: replaces one value of a config with a sealed secret, in place. With `--create` it adds a missing value. The
//! secret comes from stdin or a prompt without echo, never from an argument. All bytes outside the value stay.

use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use std::time::Duration;

use fernseal_core::Error;
use fernseal_core::config::ValueKind;
use serde_json::json;
use zeroize::Zeroizing;

use super::{MAX_SECRET, Reading, check_length, into_text, read};
use crate::audit::{Entry, Outcome, Verb};
use crate::config::text::{ConfigText, Edit, Edits, Kind, Place, SealedValue, ValueError, classify};
use crate::context::Context;
use crate::error::{Aim, ConfigFailure, Consequence, Failure, FileFailure, Result, SecretFor, UsageFailure};
use crate::interrupt;
use crate::keys::{KeyOptions, Keyring, derive};
use crate::output::{self, Report};
use crate::quote::Pointer;
use crate::time;
use crate::tokens;

/// A text with all kinds of characters that tokens contain.
const SAMPLE: &str = "enc:AA";

/// The options of `set`.
pub(crate) struct Options {
    pub(crate) config: PathBuf,
    pub(crate) pointer: Pointer,
    /// Whether to add the value if it is missing.
    pub(crate) create: bool,
    /// Whether to replace a token even if it does not open.
    pub(crate) discard_old: bool,
    /// Whether the final line break of stdin is part of the secret.
    pub(crate) raw: bool,
    pub(crate) allow_short_key: bool,
    pub(crate) json: bool,
    pub(crate) keys: KeyOptions,
    pub(crate) reading: Reading,
    pub(crate) lock_wait: Duration,
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<()> {
    super::refuse_swapped("set", &options.config, None, (*options.pointer).as_ref())?;
    let (mut source, mut document) = read(&options.config, options.reading, &context.report)?;
    // Check the pointer before asking for a key or a secret.
    Target::find(&document, options)?;
    let keys = Keyring::load(&options.keys, &context.report)?;
    let master = keys.sealing(options.allow_short_key)?;
    check_keys(options, &document, &keys)?;
    let secret = read_secret(options, &document, &context.report)?;
    // Lock only now: a lock must not be held while the user types.
    let _lock = super::lock(&options.config, options.lock_wait, context)?;
    if !source.is_unchanged()? {
        (source, document) = read(&options.config, options.reading, &context.report)?;
        check_keys(options, &document, &keys)?;
    }
    let target = Target::find(&document, options)?;
    let at = document.sealing_time(time::now());
    let token = tokens::seal_one(master, &secret, at)?;

    let edits = Edits::new(&document, vec![target.edit(&document, &options.pointer, &token)?])?;
    let mut entry = Entry {
        verb: Verb::Set,
        outcome: Outcome::Started,
        files: &[&options.config],
        pointers: &[&options.pointer],
        keys: &[master],
    };
    interrupt::stop_if_requested()?;
    context.audit.record(&entry)?;
    let caveats = source.replace(&edits.pieces())?;
    super::tell_caveats(caveats, context);
    entry.outcome = Outcome::Done;
    context.audit.record_done(&entry, &context.report);
    let id = derive::id(master);
    if options.json {
        let fields = json!({ "config": document.name, "encrypted": [options.pointer], "key_id": id });
        return output::after_the_work(output::json("set", fields));
    }
    context.report.note(format_args!("{} at {} is encrypted; the key's id is {id}", document.name, options.pointer));
    Ok(())
}

/// The place for the secret.
enum Target<'d> {
    /// An existing value, which is replaced.
    Value(Place<'d>),
    /// A new member.
    New,
}

impl<'d> Target<'d> {
    fn find(document: &'d ConfigText, options: &Options) -> Result<Self> {
        let pointer = &*options.pointer;
        let value = match document.look_up(pointer) {
            Err(ValueError::Core(Error::NotFound)) if options.create => {
                // Each format writes all tokens alike, so where this sample is allowed, the real token is too.
                document.insert(pointer, SAMPLE)?;
                return Ok(Self::New);
            }
            Err(ValueError::Core(Error::NotFound)) => return Err(document.missing(pointer, Aim::Replace)),
            found => found.map_err(|error| document.failure(pointer, error))?,
        };
        if value.is_group() {
            return Err(document.failure(pointer, Error::NotAString));
        }
        document.check_replaceable(pointer, &value)?;
        Ok(Self::Value(value))
    }

    /// Returns the edit that writes `token` there.
    fn edit(&self, document: &ConfigText, pointer: &str, token: &str) -> Result<Edit> {
        match self {
            Self::Value(value) => document.replace(pointer, value, token),
            Self::New => document.insert(pointer, token),
        }
    }
}

/// Refuses keys that do not belong to the config. The replaced token must open, because its secret may exist nowhere
/// else. If no token is replaced, one of the others must open: otherwise no single key would open the whole config.
fn check_keys(options: &Options, document: &ConfigText, keys: &Keyring) -> Result<()> {
    let target = Target::find(document, options)?;
    let value = match &target {
        Target::Value(value) => Some(value),
        Target::New => None,
    };
    let replaced = value.and_then(|value| document.token_at(value));
    if !options.discard_old {
        let is_lookalike = |value: &Place<'_>| value.kind == Kind::String && classify(value) == ValueKind::Lookalike;
        let refusal = match replaced {
            Some(token) => {
                let opened = tokens::open(&[(document, token)], keys);
                let Some(error) = opened.into_iter().find_map(std::result::Result::err) else { return Ok(()) };
                Some(tokens::refusal(document, token, error, keys))
            }
            // The user may still be able to repair a damaged token.
            None if value.is_some_and(is_lookalike) => Some(document.failure(&options.pointer, Error::Lookalike)),
            None => None,
        };
        if let Some(refusal) = refusal {
            return Err(Failure::OrDiscardOld(Box::new(Failure::NothingChanged(Box::new(refusal)))));
        }
    }
    let is_other = |token: &&SealedValue| replaced.is_none_or(|replaced| token.pointer != replaced.pointer);
    tokens::check_fit(document, document.tokens.iter().filter(is_other), keys)
}

/// Reads the secret from a prompt, or from stdin if that is not a terminal.
fn read_secret(options: &Options, document: &ConfigText, report: &Report) -> Result<Zeroizing<String>> {
    let check = |len| check_length(document, &options.pointer, len);
    let secret = if io::stdin().is_terminal() { ask(options)? } else { read_stdin(options.raw, check, report)? };
    if secret.is_empty() {
        return Err(UsageFailure::SecretEmpty { secret: secret_for(options) }.into());
    }
    Ok(secret)
}

fn secret_for(options: &Options) -> SecretFor {
    SecretFor::Value(options.pointer.clone())
}

fn ask(options: &Options) -> Result<Zeroizing<String>> {
    let question = format!("Secret for {}: ", options.pointer);
    let [first, second] = options
        .keys
        .prompts
        .ask_secret_twice(&question, &Consequence::NoSecret)?
        .map_err(|why| UsageFailure::SecretMissing { secret: secret_for(options), why })?;
    if first != second {
        return Err(UsageFailure::SecretsDiffer { secret: secret_for(options) }.into());
    }
    Ok(first)
}

/// Reads the secret from stdin. A single line loses the line end that `echo` adds; a text of several lines, such as a
/// private key, keeps it. `check` refuses a secret that is too long.
pub(super) fn read_stdin(raw: bool, check: impl Fn(usize) -> Result<()>, report: &Report) -> Result<Zeroizing<String>> {
    // Allocate everything at once: a growing buffer would leave copies of the secret in memory.
    let room = MAX_SECRET + 3;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    io::stdin()
        .lock()
        .take(room as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| FileFailure::StdinUnreadable { error: error.into() })?;
    // A longer input was cut, possibly inside a character.
    if bytes.len() == room {
        check(room)?;
    }
    let line_end = if raw { 0 } else { line_end(&bytes) };
    let len = bytes.len() - line_end;
    bytes.truncate(len);
    check(bytes.len())?;
    if line_end > 0 && !bytes.is_empty() {
        report.note("the line break at the end of stdin was left out of the secret (--raw keeps it)");
    }
    into_text(bytes).map_err(|_| ConfigFailure::SecretNotUtf8.into())
}

/// Returns the length of the line ends after a single line (a shell's `$(…)` also strips all of them), or 0 for a text
/// of several lines.
fn line_end(bytes: &[u8]) -> usize {
    let mut line = bytes;
    while let Some(shorter) = line.strip_suffix(b"\n") {
        line = shorter.strip_suffix(b"\r").unwrap_or(shorter);
    }
    if line.contains(&b'\n') { 0 } else { bytes.len() - line.len() }
}

#[cfg(test)]
mod tests {
    use super::line_end;

    #[test]
    fn one_line_loses_its_line_ends_and_several_keep_them() {
        for (text, len) in [
            ("", 0),
            ("a", 0),
            ("a\n", 1),
            ("a\r\n", 2),
            ("a\n\n", 2),
            ("\n", 1),
            ("a\r", 0),
            ("a b\n", 1),
            ("a\nb", 0),
            ("a\nb\n", 0),
            ("a\r\nb\r\n", 0),
            ("\na\n", 0),
            ("a\nb\n\n", 0),
        ] {
            assert_eq!(line_end(text.as_bytes()), len, "{text:?}");
        }
    }
}
