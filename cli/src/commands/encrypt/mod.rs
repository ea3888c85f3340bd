//! `encrypt`: replaces the named secrets of a config with tokens, in a new file beside it or in place.
//!
//! Tokens and placeholders stay as they are. A value that looks like a damaged token is refused. Without a usable
//! master key, nothing is written.

mod secrets;
mod tree;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use serde_json::json;

use self::secrets::{Request, Scope, Secret, sealed};
use super::{UNINTERRUPTED, read};
use crate::args::Encrypt;
use crate::audit::{Entry, Outcome, Verb};
use crate::config::naming::NamedValues;
use crate::config::secrets_file::SecretsFile;
use crate::config::text::{ConfigText, TextFormat};
use crate::context::Context;
use crate::error::{ConfigFailure, Question, Result, UsageFailure};
use crate::interrupt;
use crate::keys::{Keyring, derive};
use crate::output;
use crate::quote::{Pointer, count, shown};
use crate::store::{ConfigPath, Output, Rights};
use crate::time;
use crate::tokens;

pub(crate) fn run(args: &Encrypt, context: &Context) -> Result<()> {
    for pointer in &args.fields {
        super::refuse_swapped("encrypt", &args.config, Some("--field"), (**pointer).as_ref())?;
    }
    let fields = NamedValues::of_option("--field", &args.fields)?;
    let config = ConfigPath::named(&args.config);
    if config.is_stream() {
        return encrypt_stream(&config, args, &fields, context);
    }
    if args.config.is_dir() {
        return tree::run(args, &fields, context);
    }
    let (mut source, first) = read(&args.config, context.reading, &context.report)?;
    let out = args.output.clone().unwrap_or_else(|| default_output(&args.config, first.format()));
    if !args.in_place {
        super::refuse_same_file(&source, &out, UsageFailure::EncryptedOverInput { path: out.clone() })?;
    }

    let settings = SecretsFile::nearest(&ConfigPath::named(&args.config))?;
    let request = Request {
        fields: &fields,
        settings: &settings,
        found: args.found,
        placeholders: args.placeholders,
        scope: Scope::One,
    };
    let mut secrets = request.find(&first, context)?;
    let tell =
        |document: &ConfigText, secrets: &[Secret<'_>], written: Option<&Path>, key_id: Option<String>| match args.json
        {
            true => output::json(
                "encrypt",
                json!({
                    "dry_run": args.dry_run,
                    "config": document.name,
                    "output": written.map(shown),
                    "encrypted": secrets.iter().map(|secret| &secret.pointer).collect::<Vec<_>>(),
                    "key_id": key_id,
                }),
            ),
            false => Ok(()),
        };
    if args.dry_run {
        if !args.json {
            secrets.iter().try_for_each(|secret| secret.show(&first))?;
        }
        let number = count(secrets.len(), "value");
        context.report.note(format_args!("would encrypt {number} of {}; nothing was written", first.name));
        return tell(&first, &secrets, None, None);
    }
    if secrets.is_empty() && args.output.is_none() {
        context.report.note(format_args!("{}, and nothing was written", request.nothing_in(&first)));
        return tell(&first, &secrets, None, None);
    }
    let target = if args.in_place { &args.config } else { &out };
    let asks = args.in_place && args.found && !args.yes;
    if asks {
        // If stdout is for JSON, the values cannot be shown before the question.
        if args.json {
            return Err(UsageFailure::JsonUnconfirmed.into());
        }
        secrets.iter().try_for_each(|secret| secret.show(&first))?;
        super::confirm(Question::EncryptInPlace { values: secrets.len(), configs: 1 }, context.keys.prompts)?;
    }
    let keys = Keyring::load(&context.keys, &context.report)?;
    let master = keys.sealing(args.allow_short_key)?;
    // Lock only now: a lock must not be held while the user types a key. From here on, a change to the output by
    // another program is detected and kept.
    let _lock = super::lock(target, context.lock_wait, context)?;
    let output = if args.in_place { None } else { Some(Output::at(&out, args.force)?) };
    let again;
    let document = if source.is_unchanged()? {
        &first
    } else {
        (source, again) = read(&args.config, context.reading, &context.report)?;
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
        tokens.extend(tokens::seal(master, part, args.legacy, at)?);
    }
    let edits = sealed(document, &secrets, &tokens)?;
    let pieces = edits.pieces();

    let mut entry = Entry {
        verb: Verb::Encrypt,
        outcome: Outcome::Started,
        files: &[&args.config, target],
        pointers: &secrets.iter().map(|secret| &*secret.pointer).collect::<Vec<_>>(),
        keys: &[master],
    };
    interrupt::stop_if_requested()?;
    context.audit.record(&entry)?;
    let rights = if args.keep_mode { Rights::kept_from(&source, 0o777) } else { Rights::of_owner(&source) };
    let caveats = match output {
        None => source.replace(&pieces)?,
        Some(output) => output.write(rights, &pieces)?,
    };
    super::tell_caveats(caveats, context);
    if !args.in_place && !args.keep_mode && rights.mode() != source.mode() {
        context.report.note(format_args!(
            "only you can read {} (mode {:03o}); {} has mode {:03o}, which --keep-mode would keep",
            shown(&out),
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
    context.report.note(format_args!("Encrypted configuration written to {}{under}", shown(target)));
    if !args.in_place && !secrets.is_empty() {
        context.report.note(format_args!(
            "{} still contains the secrets in plain text: delete it once the new file works",
            document.name
        ));
    }
    output::after_the_work(tell(document, &secrets, Some(target), id))
}

/// Encrypts a config from a pipe, to stdout or a file. A pipe has no settings file.
fn encrypt_stream(config: &ConfigPath, args: &Encrypt, fields: &NamedValues, context: &Context) -> Result<()> {
    if args.in_place {
        return Err(UsageFailure::StreamInPlace.into());
    }
    if args.keep_mode {
        return Err(UsageFailure::StreamHasNoMode.into());
    }
    let out = args.output.as_ref().filter(|out| *out != Path::new("-"));
    if args.json && out.is_none() {
        return Err(UsageFailure::TwoForStdout.into());
    }
    let document = super::look(config, context.reading, &context.report)?;
    let settings = SecretsFile::default();
    let request =
        Request { fields, settings: &settings, found: args.found, placeholders: args.placeholders, scope: Scope::One };
    let secrets = request.find(&document, context)?;
    if args.dry_run {
        return secrets.iter().try_for_each(|secret| secret.show(&document));
    }
    let keys = Keyring::load(&context.keys, &context.report)?;
    let master = keys.sealing(args.allow_short_key)?;
    let mut output = None;
    if let Some(out) = out {
        output = Some((super::lock(out, context.lock_wait, context)?, Output::at(out, args.force)?));
    }
    if !secrets.is_empty() {
        tokens::check_fit(&document, document.tokens.iter(), &keys)?;
    }
    let texts: Vec<&str> = secrets.iter().map(|secret| secret.text.as_str()).collect();
    let tokens = tokens::seal(master, &texts, args.legacy, document.sealing_time(time::now()))?;
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
    let Some(out) = out.filter(|_| args.json) else { return Ok(()) };
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
