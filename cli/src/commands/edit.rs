//! `edit`: the whole config, opened, in the person's editor; what was changed is sealed anew when it is saved.
//! The opened text is in memory alone, and gone afterwards, however that comes about.
//! A secret that was not touched keeps its token, so that a difference shows what changed and nothing else.

use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use fernseal_core::Error;
use fernseal_core::config::Looks;
use fernseal_core::json::{self, Kind};
use serde_json::json;
use zeroize::Zeroizing;

use super::{check_length, open_all, read, seal_all};
use crate::Context;
use crate::args::Edit as Args;
use crate::audit::Entry;
use crate::document::{self, Document, Edit, looks, unescaped};
use crate::failure::{Exit, Failure, Result};
use crate::report::{self, count, say};
use crate::settings::Settings;
use crate::store::{Config, MemoryFile};
use crate::{interrupt, keys, terminal};

pub(crate) fn run(args: &Args, context: &Context) -> Result<()> {
    let (source, document) = read(&args.config, context)?;
    source.check_replaceable()?;
    let settings = Settings::beside(&Config::named(&args.config))?;
    let keys = context.keys()?;
    let master = keys.sealing(args.allow_short_key)?;
    let secrets = open_all(&document, &keys, context)?;
    let pointers = document.pointers();
    let mut entry =
        Entry { command: "edit", outcome: "started", files: &[&args.config], pointers: &pointers, keys: &[master] };
    context.audit.record(&entry)?;

    let opened = Zeroizing::new(document.edited(&document.opened_to(&secrets)).concat());
    let file = MemoryFile::create(args.config.file_name().unwrap_or_default(), &[&opened])?;
    let save = |saved: &Document, plan: &Plan<'_>| -> Result<Vec<String>> {
        for new in &plan.new {
            check_length(saved, &new.pointer, new.text.len())?;
        }
        let texts: Vec<&str> = plan.new.iter().map(|new| new.text.as_str()).collect();
        let sealed = seal_all(master, &texts, false, context)?;
        let kept = plan.kept.iter().map(|(value, token)| Edit::of(value, token));
        let new = plan.new.iter().zip(&sealed).map(|(new, token)| Edit::of(&new.value, token));
        let mut edits: Vec<Edit> = kept.chain(new).collect();
        document::in_order(&mut edits);
        source.replace(&saved.edited(&edits))?;
        Ok(plan.new.iter().map(|new| new.pointer.clone()).collect())
    };
    let named: Vec<&str> = settings.places(&args.fields).collect();
    let sealed = loop {
        start_editor(file.path())?;
        let text = file.read()?;
        if *text == *opened {
            break None;
        }
        let saved = Document::parse(document.name.clone(), text.to_vec());
        match saved.and_then(|saved| save(&saved, &Plan::make(&document, &secrets, &saved, &named)?)) {
            Ok(sealed) => break Some(sealed),
            Err(failure) if terminal::is_interactive() => {
                say(&failure.to_string());
                if !terminal::ask_yes("Edit it again? Anything but yes throws the changes away: ")? {
                    return Err(Failure::new(Exit::Other, "the changes were thrown away", "nothing was written"));
                }
            }
            Err(failure) => return Err(failure),
        }
    };
    entry.outcome = "done";
    let pointers: Vec<&str> = sealed.iter().flatten().map(String::as_str).collect();
    entry.pointers = &pointers;
    context.audit.record(&entry)?;
    if args.json {
        return report::json(
            "edit",
            json!({ "config": document.name, "saved": sealed.is_some(), "encrypted": pointers }),
        );
    }
    for pointer in &pointers {
        context.report.note(format_args!("encrypted {pointer}"));
    }
    match sealed {
        Some(_) => context.report.note(format_args!(
            "{} saved; {} encrypted anew",
            document.name,
            count(pointers.len(), "value")
        )),
        None => context.report.note(format_args!("{}: nothing was changed", document.name)),
    }
    Ok(())
}

/// What becomes of the strings of the saved text.
struct Plan<'s> {
    /// Secrets that were not touched, and their tokens, which are put back.
    kept: Vec<(json::Value<'s>, &'s str)>,
    /// Secrets that are sealed.
    new: Vec<New<'s>>,
}

/// A secret that is sealed.
struct New<'s> {
    value: json::Value<'s>,
    pointer: String,
    text: Zeroizing<String>,
}

impl<'s> Plan<'s> {
    /// Compares the saved text with the config as it was. A secret is known by its place or by its text, so that none is
    /// saved in plain text because it was moved; `named` are places of secrets too.
    fn make(before: &'s Document, secrets: &[Zeroizing<String>], saved: &'s Document, named: &[&str]) -> Result<Self> {
        let mut places = BTreeSet::new();
        for pointer in named.iter().copied().chain(before.tokens.iter().map(|token| &*token.pointer)) {
            match json::find(&saved.text, pointer) {
                Ok(value) if value.kind() == Kind::Scalar && value.raw() != "null" => {
                    return Err(saved.failure(pointer, Error::NotAString));
                }
                Ok(value) => _ = places.insert(value.span().start),
                Err(Error::NotFound) => {}
                Err(error) => return Err(saved.failure(pointer, error)),
            }
        }
        let mut plan = Self { kept: Vec::new(), new: Vec::new() };
        for value in json::strings(&saved.text) {
            let value = value.map_err(|error| saved.failure("", error))?;
            let Ok(text) = unescaped(value.raw()) else { continue };
            let known = before.tokens.iter().zip(secrets).filter(|(_, secret)| *text == ***secret);
            let known: Vec<_> = known.map(|(token, _)| token).collect();
            if text.is_empty() || (known.is_empty() && !places.contains(&value.span().start)) {
                continue;
            }
            // Only for these few: it costs a look at all of the text before the value.
            let pointer = value.pointer().to_string();
            // Of two equal secrets each keeps its own token.
            if let Some(token) = known.iter().find(|token| token.pointer == pointer).or(known.first()) {
                plan.kept.push((value, token.text(before)));
                continue;
            }
            match looks(value.raw()) {
                Looks::Plain => plan.new.push(New { value, pointer, text: text.into_owned() }),
                Looks::LooksSealed => return Err(saved.failure(&pointer, Error::LooksSealed)),
                Looks::Sealed | Looks::Placeholder => {}
            }
        }
        Ok(plan)
    }
}

/// Lets the person edit the file at `path`.
fn start_editor(path: &Path) -> Result<()> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let editor = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| "vi".into());
    let failed =
        |what: String| Failure::new(Exit::Other, what, "nothing was changed; set EDITOR to an editor that works");
    let mut script = editor.clone();
    if is_vim(&editor) {
        // No copy of the text anywhere else: no swap, backup, undo file, or registers that outlive it.
        script.push(" -n -i NONE -c 'set nobackup nowritebackup noundofile'");
    }
    script.push(" \"$@\"");
    interrupt::outlive_interrupts();
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(&editor).arg(path);
    // What an editor writes for its own use goes the way of the file.
    command.env("TMPDIR", path.parent().unwrap_or(path));
    keys::VARIABLES.iter().for_each(|name| _ = command.env_remove(name));
    let status = command.status().map_err(|error| failed(format!("the editor cannot be started: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(failed(format!("the editor {} failed ({status})", editor.to_string_lossy())))
}

/// Whether the editor is vim, by whatever name.
fn is_vim(editor: &OsString) -> bool {
    let program = Path::new(editor);
    let places = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&places).map(|place| place.join(program)).find_map(|path| path.canonicalize().ok());
    found.is_some_and(|path| path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.contains("vim")))
}
