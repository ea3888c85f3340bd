//! `encrypt`: replaces the named secrets of a config with tokens, in a new file beside it or in place.
//!
//! Tokens and placeholders stay as they are. A value that looks like a damaged token is refused. Without a usable
//! master key, nothing is written.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use fernseal_core::Error;
use fernseal_core::config::ValueKind;
use serde_json::json;
use zeroize::Zeroizing;

use super::check::listed;
use super::{UNINTERRUPTED, check_length, read};
use crate::args::Encrypt;
use crate::audit::{Entry, Outcome, Verb};
use crate::config::placeholder;
use crate::config::secrets_file::SecretsFile;
use crate::config::text::{ConfigText, Edits, Kind, Place, TextFormat, ValueError, classify};
use crate::context::Context;
use crate::error::{ConfigFailure, Result, UsageFailure};
use crate::interrupt;
use crate::keys::derive;
use crate::output::{self, time};
use crate::quote::{Pointer, shown};
use crate::store::{ConfigPath, Output, Rights};
use crate::tokens;

pub(crate) fn run(args: &Encrypt, context: &Context) -> Result<()> {
    for pointer in &args.fields {
        super::refuse_swapped("encrypt", &args.config, Some("--field"), (**pointer).as_ref())?;
    }
    let config = ConfigPath::named(&args.config);
    if config.is_stream() {
        return encrypt_stream(&config, args, context);
    }
    let (mut source, first) = read(&args.config, context)?;
    let out = args.output.clone().unwrap_or_else(|| default_output(&args.config, first.format()));
    if !args.in_place {
        super::refuse_same_file(&source, &out, UsageFailure::EncryptedOverInput { path: out.clone() })?;
    }

    let settings = SecretsFile::beside(&ConfigPath::named(&args.config))?;
    let mut secrets = find_secrets(&first, args, &settings, context)?;
    let tell =
        |document: &ConfigText, secrets: &[Secret<'_>], written: Option<&Path>, key_id: Option<String>| match args.json
        {
            true => output::json(
                "encrypt",
                json!({
                    "config": document.name,
                    "output": written.map(shown),
                    "encrypted": secrets.iter().map(|secret| secret.pointer).collect::<Vec<_>>(),
                    "key_id": key_id,
                }),
            ),
            false => Ok(()),
        };
    if secrets.is_empty() && args.output.is_none() {
        let looked = settings.places(&args.fields).map(ToString::to_string).collect();
        context.report.note(format_args!(
            "Nothing to encrypt in {} at {}; other values were not checked, and nothing was written",
            first.name,
            listed(looked, "or")
        ));
        return tell(&first, &secrets, None, None);
    }
    let target = if args.in_place { &args.config } else { &out };
    let keys = context.keys()?;
    let master = keys.sealing(args.allow_short_key)?;
    // Lock only now: a lock must not be held while the user types a key. From here on, a change to the output by
    // another program is detected and kept.
    let _lock = super::lock(target, context)?;
    let output = if args.in_place { None } else { Some(Output::at(&out, args.force)?) };
    let again;
    let document = if source.is_unchanged()? {
        &first
    } else {
        (source, again) = read(&args.config, context)?;
        secrets = find_secrets(&again, args, &settings, context)?;
        &again
    };
    if !secrets.is_empty() {
        tokens::check_fit(document, document.tokens.iter(), &keys, context.threads)?;
    }
    let texts: Vec<&str> = secrets.iter().map(|secret| secret.text.as_str()).collect();
    let at = document.sealing_time(time::now());
    let mut tokens = Vec::with_capacity(texts.len());
    for part in texts.chunks(UNINTERRUPTED) {
        interrupt::stop_if_requested()?;
        tokens.extend(tokens::seal(master, part, args.legacy, at, context.threads)?);
    }
    let edit = |(secret, token): (&Secret<'_>, &String)| document.replace(secret.pointer, &secret.place, token);
    let edits = secrets.iter().zip(&tokens).map(edit).collect::<Result<_>>()?;
    let edits = Edits::new(document, edits)?;
    let pieces = edits.pieces();

    let mut entry = Entry {
        verb: Verb::Encrypt,
        outcome: Outcome::Started,
        files: &[&args.config, target],
        pointers: &secrets.iter().map(|secret| &**secret.pointer).collect::<Vec<_>>(),
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
    let id = (!secrets.is_empty()).then(|| derive::id(master, context.threads));
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

/// Encrypts what a pipe holds, to stdout or a file. No settings lie beside a pipe.
fn encrypt_stream(config: &ConfigPath, args: &Encrypt, context: &Context) -> Result<()> {
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
    let document = super::look(config, context)?;
    let settings = SecretsFile::default();
    let secrets = find_secrets(&document, args, &settings, context)?;
    let keys = context.keys()?;
    let master = keys.sealing(args.allow_short_key)?;
    let mut output = None;
    if let Some(out) = out {
        output = Some((super::lock(out, context)?, Output::at(out, args.force)?));
    }
    if !secrets.is_empty() {
        tokens::check_fit(&document, document.tokens.iter(), &keys, context.threads)?;
    }
    let texts: Vec<&str> = secrets.iter().map(|secret| secret.text.as_str()).collect();
    let sealed = tokens::seal(master, &texts, args.legacy, document.sealing_time(time::now()), context.threads)?;
    let edit = |(secret, token): (&Secret<'_>, &String)| document.replace(secret.pointer, &secret.place, token);
    let edits = Edits::new(&document, secrets.iter().zip(&sealed).map(edit).collect::<Result<_>>()?)?;
    let pointers: Vec<&str> = secrets.iter().map(|secret| &**secret.pointer).collect();
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
    let id = derive::id(master, context.threads);
    let fields = json!({ "config": document.name, "output": shown(out), "encrypted": pointers, "key_id": id });
    output::after_the_work(output::json("encrypt", fields))
}

/// A value to seal.
struct Secret<'a> {
    pointer: &'a Pointer,
    place: Place<'a>,
    text: Zeroizing<String>,
}

/// Finds the values at the guide's pointer and the named ones that are neither tokens nor placeholders. A pointer from
/// the command line must exist. The guide's value may be missing only if other pointers are named.
fn find_secrets<'a>(
    document: &'a ConfigText,
    args: &'a Encrypt,
    settings: &'a SecretsFile,
    context: &Context,
) -> Result<Vec<Secret<'a>>> {
    let Encrypt { fields, placeholders, .. } = args;
    let mut secrets: Vec<Secret<'a>> = Vec::new();
    let others_named = !fields.is_empty() || !settings.secrets.is_empty();
    let optional = settings.places(&[]).map(|pointer| (pointer, false));
    let wanted = fields.iter().map(|pointer| (pointer, true));
    let wanted: Vec<(&Pointer, bool)> = optional.chain(wanted).collect();
    let found = document.find_all(&wanted.iter().map(|(pointer, _)| &***pointer).collect::<Vec<_>>());
    // Two pointers may lead to the same value.
    let mut starts = BTreeSet::new();
    for ((pointer, is_wanted), found) in wanted.into_iter().zip(found) {
        let place = match found {
            Err(ValueError::Core(Error::NotFound)) if !is_wanted && others_named => continue,
            Err(ValueError::Core(Error::NotFound)) if !is_wanted => {
                return Err(ConfigFailure::NoTokenValue { config: document.path.clone() }.into());
            }
            found => found.map_err(|error| document.failure(pointer, error))?,
        };
        document.check_replaceable(pointer, &place)?;
        if place.kind != Kind::String {
            return Err(document.failure(pointer, Error::NotAString));
        }
        match classify(&place) {
            ValueKind::Sealed => context.report.note(format_args!("{pointer} is encrypted already")),
            ValueKind::Lookalike => {
                return Err(match document.token_from(place.start()) {
                    Some(token) => document.refusal(token, Error::Lookalike),
                    None => document.failure(pointer, Error::Lookalike),
                });
            }
            ValueKind::Placeholder if !*placeholders => {
                let form = place.text().ok().and_then(|text| placeholder::form(&text));
                context.report.note(format_args!(
                    "{pointer} contains a placeholder ({}), not a secret: not changed",
                    form.unwrap_or("${…}")
                ));
            }
            ValueKind::Plain if place.is_empty_string() => {
                context.report.note(format_args!("{pointer} is empty: not changed"));
            }
            ValueKind::Plain | ValueKind::Placeholder => {
                let text = place.text().map_err(|error| document.failure(pointer, error))?.into_owned();
                if text.trim_start().get(..3).is_some_and(|start| start.eq_ignore_ascii_case("enc")) {
                    context
                        .report
                        .warn(format_args!("{pointer} begins like a token, but is encrypted like any other value"));
                }
                check_length(document, pointer, text.len())?;
                if starts.insert(place.start()) {
                    secrets.push(Secret { pointer, place, text });
                }
            }
        }
    }
    Ok(secrets)
}

/// `DIR/NAME.json` → `DIR/NAME.encrypted.json`; only the file's name counts. The new name tells the format as the old
/// one does; where that tells none, by the format's ending.
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
    // A .env has no ending, and what begins with its name is one.
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
