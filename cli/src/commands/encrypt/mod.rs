//! `encrypt`: replaces the named secrets of a config with tokens, in a new file beside it or in place.
//!
//! Tokens and placeholders stay as they are. A value that looks like a damaged token is refused. Without a usable
//! master key, nothing is written.

mod secrets;
mod tree;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use self::secrets::{Request, Scope, Secret, sealed};
use super::{Reading, UNINTERRUPTED, read};
use crate::audit::{Entry, Outcome, Verb};
use crate::config::naming::NamedValues;
use crate::config::secrets_file::SecretsFile;
use crate::config::text::{ConfigText, TextFormat};
use crate::context::Context;
use crate::error::{ConfigFailure, Question, Result, UsageFailure};
use crate::interrupt;
use crate::keys::{KeyOptions, Keyring, derive};
use crate::output;
use crate::quote::{Pointer, count, shown};
use crate::store::{ConfigPath, Output, Rights, Selection};
use crate::time;
use crate::tokens;

/// The options of `encrypt`.
pub(crate) struct Options {
    /// A config, or a directory.
    pub(crate) config: PathBuf,
    pub(crate) selection: Selection,
    pub(crate) destination: Destination,
    /// The values to encrypt, besides those that `.fernseal.toml` names.
    pub(crate) fields: Vec<Pointer>,
    /// Whether to encrypt values that look like secrets.
    pub(crate) found: bool,
    pub(crate) dry_run: bool,
    /// Whether to replace configs without a question.
    pub(crate) yes: bool,
    /// Whether to skip configs that cannot be encrypted, and to encrypt the others.
    pub(crate) keep_going: bool,
    /// Whether to encrypt values that contain placeholders.
    pub(crate) placeholders: bool,
    /// Whether to write legacy tokens.
    pub(crate) legacy: bool,
    pub(crate) allow_short_key: bool,
    pub(crate) json: bool,
    pub(crate) keys: KeyOptions,
    pub(crate) reading: Reading,
    pub(crate) lock_wait: Duration,
}

/// Where the encrypted config goes. The configs of a directory are always replaced.
pub(crate) enum Destination {
    /// It replaces the config.
    InPlace,
    File(NewFile),
}

/// A new file for the result. The config itself is not changed.
pub(crate) struct NewFile {
    /// If it is `None`, the file is beside the config.
    pub(crate) path: Option<PathBuf>,
    /// Whether to overwrite the file if it exists.
    pub(crate) force: bool,
    /// Whether the file gets the owner, group and mode of the config.
    pub(crate) keep_mode: bool,
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<()> {
    for pointer in &options.fields {
        super::refuse_swapped("encrypt", &options.config, Some("--field"), (**pointer).as_ref())?;
    }
    let fields = NamedValues::of_option("--field", &options.fields)?;
    let config = ConfigPath::named(&options.config);
    if config.is_stream() {
        return encrypt_stream(&config, options, &fields, context);
    }
    if options.config.is_dir() {
        return tree::run(options, &fields, context);
    }
    let (mut source, first) = read(&options.config, options.reading, &context.report)?;
    let new_file = match &options.destination {
        Destination::InPlace => None,
        Destination::File(file) => Some(file),
    };
    let out = |file: &NewFile| file.path.clone().unwrap_or_else(|| default_output(&options.config, first.format()));
    let target = new_file.map_or_else(|| options.config.clone(), out);
    if new_file.is_some() {
        super::refuse_same_file(&source, &target, UsageFailure::EncryptedOverInput { path: target.clone() })?;
    }

    let settings = SecretsFile::nearest(&ConfigPath::named(&options.config))?;
    let request = Request {
        fields: &fields,
        settings: &settings,
        found: options.found,
        placeholders: options.placeholders,
        scope: Scope::One,
    };
    let mut secrets = request.find(&first, context)?;
    let tell =
        |document: &ConfigText, secrets: &[Secret<'_>], written: Option<&Path>, key_id: Option<String>| match options
            .json
        {
            true => output::json(
                "encrypt",
                json!({
                    "dry_run": options.dry_run,
                    "config": document.name,
                    "output": written.map(shown),
                    "encrypted": secrets.iter().map(|secret| &secret.pointer).collect::<Vec<_>>(),
                    "key_id": key_id,
                }),
            ),
            false => Ok(()),
        };
    if options.dry_run {
        if !options.json {
            secrets.iter().try_for_each(|secret| secret.show(&first))?;
        }
        let number = count(secrets.len(), "value");
        context.report.note(format_args!("would encrypt {number} of {}; nothing was written", first.name));
        return tell(&first, &secrets, None, None);
    }
    if secrets.is_empty() && new_file.is_none_or(|file| file.path.is_none()) {
        context.report.note(format_args!("{}, and nothing was written", request.nothing_in(&first)));
        return tell(&first, &secrets, None, None);
    }
    let asks = new_file.is_none() && options.found && !options.yes;
    if asks {
        // If stdout is for JSON, the values cannot be shown before the question.
        if options.json {
            return Err(UsageFailure::JsonUnconfirmed.into());
        }
        secrets.iter().try_for_each(|secret| secret.show(&first))?;
        super::confirm(Question::EncryptInPlace { values: secrets.len(), configs: 1 }, options.keys.prompts)?;
    }
    let keys = Keyring::load(&options.keys, &context.report)?;
    let master = keys.sealing(options.allow_short_key)?;
    // Lock only now: a lock must not be held while the user types a key. From here on, a change to the output by
    // another program is detected and kept.
    let _lock = super::lock(&target, options.lock_wait, context)?;
    let output = new_file.map(|file| Output::at(&target, file.force)).transpose()?;
    let again;
    let document = if source.is_unchanged()? {
        &first
    } else {
        (source, again) = read(&options.config, options.reading, &context.report)?;
        let shown: Vec<Pointer> = secrets.iter().map(|secret| secret.pointer.clone()).collect();
        secrets = request.find(&again, context)?;
        // The user agreed only to the values that were shown.
        if asks && !shown.iter().eq(secrets.iter().map(|secret| &secret.pointer)) {
            return Err(ConfigFailure::ChangedSinceShown { config: again.path.clone() }.into());
        }
        &again
    };
    if !secrets.is_empty() {
        tokens::check_fit(document, document.tokens.iter(), &keys)?;
    }
    let texts: Vec<&str> = secrets.iter().map(|secret| secret.text.as_str()).collect();
    let at = document.sealing_time(time::now());
    let mut tokens = Vec::with_capacity(texts.len());
    for part in texts.chunks(UNINTERRUPTED) {
        interrupt::stop_if_requested()?;
        tokens.extend(tokens::seal(master, part, options.legacy, at)?);
    }
    let edits = sealed(document, &secrets, &tokens)?;
    let pieces = edits.pieces();

    let mut entry = Entry {
        verb: Verb::Encrypt,
        outcome: Outcome::Started,
        files: &[&options.config, &target],
        pointers: &secrets.iter().map(|secret| &*secret.pointer).collect::<Vec<_>>(),
        keys: &[master],
    };
    interrupt::stop_if_requested()?;
    context.audit.record(&entry)?;
    let keeps_mode = new_file.is_some_and(|file| file.keep_mode);
    let rights = if keeps_mode { Rights::kept_from(&source, 0o777) } else { Rights::of_owner(&source) };
    let caveats = match output {
        None => source.replace(&pieces)?,
        Some(output) => output.write(rights, &pieces)?,
    };
    super::tell_caveats(caveats, context);
    if new_file.is_some() && !keeps_mode && rights.mode() != source.mode() {
        context.report.note(format_args!(
            "only you can read {} (mode {:03o}); {} has mode {:03o}, which --keep-mode would keep",
            shown(&target),
            rights.mode(),
            document.name,
            source.mode()
        ));
    }
    entry.outcome = Outcome::Done;
    context.audit.record_done(&entry, &context.report);

    for secret in &secrets {
        context.report.note(format_args!("encrypted {}", secret.pointer));
    }
    let id = (!secrets.is_empty()).then(|| derive::id(master));
    let under = id.as_ref().map_or_else(String::new, |id| format!("; the key's id is {id}"));
    context.report.note(format_args!("Encrypted configuration written to {}{under}", shown(&target)));
    if new_file.is_some() && !secrets.is_empty() {
        context.report.note(format_args!(
            "{} still contains the secrets in plain text: delete it once the new file works",
            document.name
        ));
    }
    output::after_the_work(tell(document, &secrets, Some(&target), id))
}

/// Encrypts a config from a pipe, to stdout or a file. A pipe has no settings file.
fn encrypt_stream(config: &ConfigPath, options: &Options, fields: &NamedValues, context: &Context) -> Result<()> {
    let Destination::File(file) = &options.destination else {
        return Err(UsageFailure::StreamInPlace.into());
    };
    if file.keep_mode {
        return Err(UsageFailure::StreamHasNoMode.into());
    }
    let out = file.path.as_ref().filter(|out| *out != Path::new("-"));
    if options.json && out.is_none() {
        return Err(UsageFailure::TwoForStdout.into());
    }
    let document = super::look(config, options.reading, &context.report)?;
    let settings = SecretsFile::default();
    let request = Request {
        fields,
        settings: &settings,
        found: options.found,
        placeholders: options.placeholders,
        scope: Scope::One,
    };
    let secrets = request.find(&document, context)?;
    if options.dry_run {
        return secrets.iter().try_for_each(|secret| secret.show(&document));
    }
    let keys = Keyring::load(&options.keys, &context.report)?;
    let master = keys.sealing(options.allow_short_key)?;
    let mut output = None;
    if let Some(out) = out {
        output = Some((super::lock(out, options.lock_wait, context)?, Output::at(out, file.force)?));
    }
    if !secrets.is_empty() {
        tokens::check_fit(&document, document.tokens.iter(), &keys)?;
    }
    let texts: Vec<&str> = secrets.iter().map(|secret| secret.text.as_str()).collect();
    let tokens = tokens::seal(master, &texts, options.legacy, document.sealing_time(time::now()))?;
    let edits = sealed(&document, &secrets, &tokens)?;
    let pointers: Vec<&str> = secrets.iter().map(|secret| &*secret.pointer).collect();
    context.audit.record(&Entry {
        verb: Verb::Encrypt,
        outcome: Outcome::Done,
        files: &out.iter().map(|out| out.as_path()).collect::<Vec<_>>(),
        pointers: &pointers,
        keys: &[master],
    })?;
    match output {
        None => output::result_bytes(&edits.pieces())?,
        Some((_lock, output)) => super::tell_caveats(output.write(Rights::PRIVATE, &edits.pieces())?, context),
    }
    secrets.iter().for_each(|secret| context.report.note(format_args!("encrypted {}", secret.pointer)));
    let Some(out) = out.filter(|_| options.json) else { return Ok(()) };
    let id = derive::id(master);
    let fields =
        json!({ "dry_run": false, "config": document.name, "output": shown(out), "encrypted": pointers, "key_id": id });
    output::after_the_work(output::json("encrypt", fields))
}

/// Returns the default output: `DIR/NAME.encrypted.json` for `DIR/NAME.json`. The new name shows the format as the old
/// one does; if the old one does not, the new name gets the format's extension.
fn default_output(config: &Path, format: Option<TextFormat>) -> PathBuf {
    // A path without a file name cannot be read as a config, so it never comes here.
    let name = config.file_name().unwrap_or(config.as_os_str());
    let ending = format.unwrap_or(TextFormat::Json).name();
    let tells_format = |extension: &OsStr| {
        extension == ending
            || format != Some(TextFormat::Json) && TextFormat::of_name(&name.to_string_lossy()) == Ok(format)
    };
    let (stem, extension) = match config.extension().filter(|extension| tells_format(extension)) {
        Some(extension) => (config.file_stem().unwrap_or(name), extension),
        None => (name, OsStr::new(ending)),
    };
    let mut out = OsString::from(stem);
    // `.env` has no extension. A name that begins with `.env` is recognized as this format.
    if format == Some(TextFormat::Env) && name.as_encoded_bytes().starts_with(b".env") {
        out = name.to_owned();
        out.push(".encrypted");
        return config.with_file_name(out);
    }
    out.push(".encrypted.");
    out.push(extension);
    config.with_file_name(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_output_is_worked_out_on_the_file_name_alone() {
        for (config, out) in [
            ("config.yaml", "config.encrypted.yaml"),
            ("a.b.yml", "a.b.encrypted.yml"),
            ("values", "values.encrypted.yaml"),
            ("values.json", "values.json.encrypted.yaml"),
        ] {
            assert_eq!(default_output(Path::new(config), Some(TextFormat::Yaml)), Path::new(out));
        }
        for (config, out) in [
            (".env", ".env.encrypted"),
            ("d/.env.local", "d/.env.local.encrypted"),
            ("prod.env", "prod.encrypted.env"),
            ("vars", "vars.encrypted.env"),
        ] {
            assert_eq!(default_output(Path::new(config), Some(TextFormat::Env)), Path::new(out));
        }
        assert_eq!(default_output(Path::new("a.service"), Some(TextFormat::Ini)), Path::new("a.encrypted.service"));
        for (config, out) in [
            ("config.json", "config.encrypted.json"),
            ("v.d/config", "v.d/config.encrypted.json"),
            ("/etc/x.json/c.json", "/etc/x.json/c.encrypted.json"),
            ("a.conf", "a.conf.encrypted.json"),
            (".json", ".json.encrypted.json"),
        ] {
            assert_eq!(default_output(Path::new(config), Some(TextFormat::Json)), Path::new(out));
        }
    }
}
