//! The commands, one file each, and the functions that several of them share.
//!
//! A command either does all of its work or fails with the reason. Each reads top to bottom: read the config, load the
//! keys, compute the result, write it. Each file begins with the command's `Options`: plain values, and never clap's. To
//! add a command, add a file here, its arguments in `args`, and its line in `main`.

pub(crate) mod backups;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod decrypt;
pub(crate) mod doctor;
pub(crate) mod edit;
pub(crate) mod encrypt;
pub(crate) mod get;
pub(crate) mod key;
pub(crate) mod keygen;
pub(crate) mod man;
pub(crate) mod merge;
pub(crate) mod open;
mod reading;
pub(crate) mod rotate;
pub(crate) mod run;
pub(crate) mod seal;
pub(crate) mod set;
pub(crate) mod status;
pub(crate) mod unset;
pub(crate) mod verify;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fernseal_core::Error;
use fernseal_core::token::{Format, PREFIX};
use zeroize::Zeroizing;

pub(crate) use self::reading::Reading;
use crate::config::secrets_file::SecretsFile;
use crate::config::text::{ConfigText, FormatSource, Place, SealedValue};
use crate::context::Context;
use crate::env::{self, CONFIG};
use crate::error::{
    Bug, ConfigFailure, Failure, FileFailure, Flaw, LockNotice, Question, Result, SkipReason, TerminalFailure,
    UsageFailure,
};
use crate::interrupt;
use crate::keys::Keyring;
use crate::output::Report;
use crate::output::terminal::{Answer, Prompts};
use crate::quote::is_key_text;
use crate::store::{self, Caveats, ConfigFile, ConfigPath, Found, Glob, Identity, Lock, Selection};
use crate::time::{self, MaxAge};
use crate::tokens;

/// The size limit of a secret, in bytes.
const MAX_SECRET: usize = 1 << 20;

/// The number of keys that are derived between two checks for a signal: enough to fill the SIMD lanes, and few enough
/// to take about a second.
const UNINTERRUPTED: usize = 512;

/// Returns the config of a command that only reads: the named one, or the one in PROXMOX_MCP_CONFIG.
fn config_or_default(named: Option<&Path>) -> Result<PathBuf> {
    let default = || env::variable(CONFIG).map(PathBuf::from);
    let none = || UsageFailure::NoConfigNamed { variable: env::unset(CONFIG) }.into();
    named.map(Path::to_owned).or_else(default).ok_or_else(none)
}

/// Finds the configs that `paths` name. Options, and `.fernseal.toml` in a directory, choose among its files.
pub(crate) fn find(paths: &[PathBuf], selection: &Selection) -> Result<Found> {
    let globs = |texts: &[String], way: &Path| -> Vec<Glob> {
        texts.iter().map(|text| Glob { text: text.clone(), way: way.to_owned() }).collect()
    };
    let mut selection = selection.clone();
    for directory in paths.iter().filter(|path| path.is_dir()) {
        let settings = SecretsFile::nearest(&ConfigPath::named(&directory.join("config")))?;
        selection.include.extend(globs(&settings.include, &settings.way));
        selection.exclude.extend(globs(&settings.exclude, &settings.way));
    }
    Ok(store::find(paths, &selection))
}

/// Finds the configs of a command that only reads, as [`find`] does, or the default one. Fails if there is none.
fn find_or_default(paths: &[PathBuf], selection: &Selection) -> Result<Found> {
    let mut found = match paths {
        [] => find(&[config_or_default(None)?], selection)?,
        paths => find(paths, selection)?,
    };
    found.look_at_others();
    found.refuse_none()?;
    Ok(found)
}

/// Takes the lock for writing `config`, and removes temporary files that killed runs left beside it.
fn lock(config: &Path, wait: Duration, context: &Context) -> Result<Lock> {
    let config = ConfigPath::named(config);
    let tell = |notice| tell_notice(notice, context);
    let lock = store::lock(&[config], wait, &tell)?;
    lock.remove_leftovers(&tell);
    Ok(lock)
}

/// Prints a notice about a lock.
pub(crate) fn tell_notice(notice: LockNotice, context: &Context) {
    if notice.is_warning() {
        context.report.warn(notice);
    } else {
        context.report.note(notice);
    }
}

/// Prints the caveats of a write as warnings.
pub(crate) fn tell_caveats(caveats: Caveats, context: &Context) {
    for caveat in caveats {
        context.report.warn(caveat);
    }
}

/// Fails with `failure` if the output is the input file itself.
fn refuse_same_file(source: &ConfigFile, out: &Path, failure: UsageFailure) -> Result<()> {
    if source.is_at(out)? { Err(failure.into()) } else { Ok(()) }
}

/// Fails if the config and the pointer are swapped. `option` is the option before the pointer, if there is one.
fn refuse_swapped(verb: &'static str, config: &Path, option: Option<&'static str>, pointer: &OsStr) -> Result<()> {
    let file = Path::new(pointer);
    // If it is a master key, the message would show it as the pointer.
    let is_key = || config.to_str().is_some_and(is_key_text);
    if is_key() || ConfigPath::named(config).is_stream() || config.symlink_metadata().is_ok() || !file.is_file() {
        return Ok(());
    }
    Err(UsageFailure::Swapped { verb, option, config: config.to_owned(), pointer: file.to_owned() }.into())
}

/// Asks a question. Any answer but yes, including Enter, means no.
fn confirm(question: Question, prompts: Prompts) -> Result<()> {
    match prompts.ask(&format!("{question} Type yes: "), &question.otherwise())? {
        Ok((Answer::Yes, _)) => Ok(()),
        Ok(_) => Err(TerminalFailure::NotConfirmed { question }.into()),
        Err(why) => Err(TerminalFailure::NotAsked { question, why }.into()),
    }
}

/// Reads a config for a command that does not write it. The config may be a stream.
pub(crate) fn look(config: &ConfigPath, reading: Reading, report: &Report) -> Result<ConfigText> {
    if !config.is_stream() {
        return load(config, reading, report).map(|(_, document)| document);
    }
    // A file with the name `-` is given as `./-`.
    let path = if config.path.as_os_str() == "-" { Path::new("stdin") } else { &*config.path };
    let document = ConfigText::parse(path, config.read_stream()?, reading.format_source(config))?;
    tell_tokens(&document, report);
    Ok(document)
}

/// Reads the config that the user named.
fn read(path: &Path, reading: Reading, report: &Report) -> Result<(ConfigFile, ConfigText)> {
    load(&ConfigPath::named(path), reading, report)
}

/// Reads a config. Turns on debug messages if the config asks for them.
pub(crate) fn load(config: &ConfigPath, reading: Reading, report: &Report) -> Result<(ConfigFile, ConfigText)> {
    let mut source = config.read()?;
    let document = parse(config, &mut source, reading, report)?;
    Ok((source, document))
}

/// Reads a config again that must still be the file with this identity; if it is not, fails with `changed`.
pub(crate) fn read_again(
    config: &ConfigPath,
    identity: Identity,
    format: FormatSource,
    changed: impl FnOnce(PathBuf) -> FileFailure,
) -> Result<(ConfigFile, ConfigText)> {
    let mut source = config.read()?;
    if source.identity() != identity {
        return Err(changed(config.path.clone()).into());
    }
    let document = ConfigText::parse(&config.path, source.take_bytes(), format)?;
    Ok((source, document))
}

/// Reads a config as [`load`] does, before all its tokens are opened. Fails if that takes too many derivations.
pub(crate) fn read_to_open(config: &ConfigPath, reading: Reading, report: &Report) -> Result<(ConfigFile, ConfigText)> {
    let (source, document) = load(config, reading, report)?;
    reading.check_cost(&document)?;
    Ok((source, document))
}

/// Parses a config that was read: the second half of [`load`].
pub(crate) fn parse(
    config: &ConfigPath,
    source: &mut ConfigFile,
    reading: Reading,
    report: &Report,
) -> Result<ConfigText> {
    let document = ConfigText::parse(&config.path, source.take_bytes(), reading.format_source(config))?;
    tell_tokens(&document, report);
    Ok(document)
}

/// Turns debug mode on if the config asks for it, and then prints its tokens as debug messages.
fn tell_tokens(document: &ConfigText, report: &Report) {
    if document.wants_debug() {
        report.be_verbose();
    }
    report.trace(format_args!(
        "{}: {} bytes, {} values that begin with enc:",
        document.name,
        document.text.len(),
        document.tokens.len()
    ));
    for token in &document.tokens {
        match token.form {
            Ok((format, _)) => report.trace(format_args!("{}: {}", token.pointer, format_name(&format))),
            Err(_) => report.trace(format_args!("{}: not a token", token.pointer)),
        }
    }
}

/// Returns why a config can be skipped although reading it failed: nobody named it, and it contains no token. Returns
/// `None` if it was named or may contain one.
pub(crate) fn reason_to_skip(config: &ConfigPath, failure: &Failure) -> Option<SkipReason> {
    // If the search fails, the file could contain one.
    let may_have_token = || config.could_hold(&[PREFIX]).unwrap_or(true);
    (config.was_found() && !may_have_token()).then(|| SkipReason::NoToken(Box::new(failure.clone())))
}

/// Opens `tokens`. Returns their secrets, or the first failure.
fn open(
    document: &ConfigText,
    tokens: &[&SealedValue],
    keys: &Keyring,
    reading: Reading,
    report: &Report,
) -> Result<Vec<Zeroizing<String>>> {
    if tokens.len() > 1 {
        reading.check_cost(document)?;
    }
    open_unlimited(document, tokens, keys, report)
}

/// Does the same as [`open()`], whatever it costs.
fn open_unlimited(
    document: &ConfigText,
    tokens: &[&SealedValue],
    keys: &Keyring,
    report: &Report,
) -> Result<Vec<Zeroizing<String>>> {
    let tokens: Vec<_> = tokens.iter().map(|token| (document, *token)).collect();
    let mut opened = Vec::with_capacity(tokens.len());
    for part in tokens.chunks(UNINTERRUPTED) {
        interrupt::stop_if_requested()?;
        opened.extend(tokens::open(part, keys));
    }
    tokens
        .iter()
        .zip(opened)
        .map(|((_, token), opened)| {
            let secret = opened.and_then(|opened| into_text(opened.plain));
            report.trace(format_args!("{}: {}", token.pointer, if secret.is_ok() { "opened" } else { "refused" }));
            secret.map_err(|error| tokens::refusal(document, token, error, keys))
        })
        .collect()
}

/// Opens one token.
fn open_one(document: &ConfigText, token: &SealedValue, keys: &Keyring, report: &Report) -> Result<Zeroizing<String>> {
    only(open_unlimited(document, &[token], keys, report)?)
}

/// Returns the only element of a list.
fn only<T>(things: Vec<T>) -> Result<T> {
    let number = things.len();
    let one: std::result::Result<[T; 1], _> = things.try_into();
    one.map(|[thing]| thing).map_err(|_| Bug::SecretsOfOneToken { number }.into())
}

/// Opens all tokens of a config. Returns their secrets, or the first failure.
fn open_all(
    document: &ConfigText,
    keys: &Keyring,
    reading: Reading,
    report: &Report,
) -> Result<Vec<Zeroizing<String>>> {
    open(document, &document.tokens.iter().collect::<Vec<_>>(), keys, reading, report)
}

/// Returns a value that is not a token as text: a string without its escapes, a number or boolean as written.
fn unsealed(document: &ConfigText, value: &Place<'_>, pointer: &str) -> Result<Zeroizing<String>> {
    if value.is_group() {
        return Err(document.failure(pointer, Error::NotAString));
    }
    Ok(value.text().map_err(|error| document.failure(pointer, error))?.into_owned())
}

/// Returns a value as text. Tokens that it is or contains are replaced by their secrets, which are in `opened`.
fn opened_value(
    document: &ConfigText,
    value: &Place<'_>,
    pointer: &str,
    opened: &[(&SealedValue, Zeroizing<String>)],
) -> Result<Zeroizing<String>> {
    let Some(token) = document.token_at(value) else {
        return document.opened_within(pointer, unsealed(document, value, pointer)?, opened);
    };
    let secret = opened.iter().find(|(opened, _)| std::ptr::eq(*opened, token)).map(|(_, secret)| secret.clone());
    secret.ok_or_else(|| document.failure(pointer, Error::NotFound))
}

/// Converts bytes to text. Bytes that are not UTF-8 are wiped.
fn into_text(mut bytes: Zeroizing<Vec<u8>>) -> std::result::Result<Zeroizing<String>, Error> {
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(Error::NotUtf8)
        }
    }
}

/// Fails if a secret for `pointer` exceeds the size limit.
fn check_length(document: &ConfigText, pointer: &str, len: usize) -> Result<()> {
    if len <= MAX_SECRET {
        return Ok(());
    }
    let pointer = pointer.to_owned().into();
    Err(ConfigFailure::SecretTooLong { config: document.path.clone(), pointer }.into())
}

/// Returns the note after a token that is older than `max_age`.
fn age_note(token: &SealedValue, max_age: Option<MaxAge>) -> String {
    let sealed = token.form.ok().map(|(_, sealed)| sealed);
    let exceeded = max_age.filter(|max_age| sealed.is_some_and(|sealed| max_age.is_exceeded(sealed, time::now())));
    exceeded.map_or_else(String::new, |max_age| format!(", older than {max_age}"))
}

/// Returns the failure for this many tokens that are older than `max_age`.
fn too_old(tokens: usize, max_age: MaxAge) -> Failure {
    ConfigFailure::Flawed { counts: vec![(Flaw::Aged, tokens)], max_age: Some(max_age) }.into()
}

/// Returns the name of a token's format for reports.
fn format_name(format: &Format) -> &'static str {
    match format {
        Format::Salted(_) => "per-value salt",
        Format::Legacy => "legacy",
    }
}
