//! `edit`: opens the whole config in the user's editor, and seals what has changed when it is saved.
//!
//! The opened text exists only in memory and is removed afterwards, whatever happens. An unchanged secret keeps its
//! token, so that a diff shows only real changes.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fernseal_core::Error;
use fernseal_core::config::ValueKind;
use serde_json::json;
use zeroize::Zeroizing;

use super::{Reading, check_length, open, read};
use crate::audit::{Entry, Outcome, Verb};
use crate::config::naming::NamedValues;
use crate::config::pattern::Patterns;
use crate::config::secrets_file::SecretsFile;
use crate::config::text::{ConfigText, Edit, Edits, Kind, Leaf, SealedValue, ValueError, classify};
use crate::context::Context;
use crate::env::KEY_VARIABLES;
use crate::error::{Consequence, Exit, FileFailure, ProgramFailure, Result, TerminalFailure};
use crate::interrupt;
use crate::keys::{KeyOptions, Keyring, derive};
use crate::output::terminal::{Answer, Prompts};
use crate::output::{self, say_failure};
use crate::quote::{Pointer, count};
use crate::store::{ConfigPath, MemoryFile};
use crate::time;
use crate::tokens;

/// The options of `edit`.
pub(crate) struct Options {
    pub(crate) config: PathBuf,
    /// The values to encrypt, besides those that `.fernseal.toml` names.
    pub(crate) fields: Vec<Pointer>,
    pub(crate) allow_short_key: bool,
    pub(crate) json: bool,
    pub(crate) keys: KeyOptions,
    pub(crate) reading: Reading,
    pub(crate) lock_wait: Duration,
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<()> {
    for pointer in &options.fields {
        super::refuse_swapped("edit", &options.config, Some("--field"), (**pointer).as_ref())?;
    }
    let fields = NamedValues::of_option("--field", &options.fields)?;
    let (source, document) = read(&options.config, options.reading, &context.report)?;
    source.check_replaceable()?;
    // Check this before the user types anything.
    document.check_values_known()?;
    let settings = SecretsFile::nearest(&ConfigPath::named(&options.config))?;
    let keys = Keyring::load(&options.keys, &context.report)?;
    let master = keys.sealing(options.allow_short_key)?;
    // A token that is not a whole value stays encrypted in the text, because its secret could not be found again after
    // the edit.
    let tokens: Vec<&SealedValue> = document.tokens.iter().filter(|token| token.is_value()).collect();
    let secrets = open(&document, &tokens, &keys, options.reading, &context.report)?;
    let with_secrets = || tokens.iter().copied().zip(secrets.iter().map(|secret| secret.as_str()));
    let pointers = document.pointers();
    let mut entry = Entry {
        verb: Verb::Edit,
        outcome: Outcome::Started,
        files: &[&options.config],
        pointers: &pointers,
        keys: &[master],
    };
    context.audit.record(&entry)?;

    let opened = Zeroizing::new(Edits::new(&document, document.opened_to(with_secrets())?)?.pieces().concat());
    // A config that was read has a file name.
    let name = options.config.file_name().unwrap_or(OsStr::new("config.json"));
    // A signal must not end this process between the creation of the folder and the start of its sweeper.
    let signals = interrupt::listen_until_dropped();
    let file = MemoryFile::create(name, &[&opened])?;
    drop(signals);
    interrupt::stop_if_requested()?;
    let named = Named::new(&settings, &fields);
    let before = Before::new(&document, &with_secrets().collect::<Vec<_>>());
    let save = |text: &[u8]| -> Result<Saving> {
        let saved = ConfigText::parse(&document.path, text.to_vec(), document.source)?;
        saved.check_values_known()?;
        let Plan { kept, pasted, new } = before.compare(&saved, &named)?;
        check_pasted(&saved, &pasted, &keys, options.reading)?;
        for new in &new {
            check_length(&saved, &new.leaf.pointer, new.text.len())?;
        }
        let texts: Vec<&str> = new.iter().map(|new| new.text.as_str()).collect();
        let sealed = tokens::seal(master, &texts, false, document.sealing_time(time::now()))?;
        let mut edits = kept;
        for (new, token) in new.iter().zip(&sealed) {
            edits.push(saved.replace(&new.leaf.pointer, &new.leaf.place, token)?);
        }
        let edits = Edits::new(&saved, edits)?;
        let pieces = edits.pieces();
        // Parse the result before writing it, as it must be readable. For example, a repeated name becomes an error
        // once a token is below it.
        ConfigText::parse(&document.path, pieces.concat(), document.source)?;
        // Lock only now: the editor may be open for hours, and other runs must not wait for it.
        let _lock = super::lock(&options.config, options.lock_wait, context)?;
        interrupt::stop_if_requested()?;
        match source.replace(&pieces) {
            Ok(caveats) => super::tell_caveats(caveats, context),
            Err(failure) if source.is_unchanged()? => return Err(failure),
            Err(_) => {
                let (path, caveats) = source.keep_edited(&time::stamp(time::now()), &pieces)?;
                super::tell_caveats(caveats, context);
                return Ok(Saving::Beside(path));
            }
        }
        let sealed = |new: &New<'_>| Sealed { pointer: new.leaf.pointer.clone(), from: new.from.cloned() };
        Ok(Saving::Done(new.iter().map(sealed).collect()))
    };
    let saved = loop {
        start_editor(file.path(), options.json)?;
        let text = file.read()?;
        if *text == *opened {
            break None;
        }
        match save(&text) {
            Ok(Saving::Done(saved)) => break Some(saved),
            Ok(Saving::Beside(path)) => {
                entry.outcome = Outcome::Failed;
                context.audit.record_done(&entry, &context.report);
                return Err(FileFailure::ChangedWhileEdited { path: document.path, edited: path }.into());
            }
            Err(failure) if failure.exit() == Exit::Interrupted => return Err(failure),
            Err(failure) if options.keys.prompts.absence().is_none() => {
                say_failure(&failure);
                edit_again(&document.path, options.keys.prompts)?;
            }
            Err(failure) => return Err(failure),
        }
    };
    entry.outcome = Outcome::Done;
    let pointers: Vec<&str> = saved.iter().flatten().map(|sealed| &*sealed.pointer).collect();
    entry.pointers = &pointers;
    context.audit.record_done(&entry, &context.report);
    let id = (!pointers.is_empty()).then(|| derive::id(master));
    if options.json {
        let fields = json!({ "config": document.name, "saved": saved.is_some(), "encrypted": pointers, "key_id": id });
        return output::after_the_work(output::json("edit", fields));
    }
    let Some(saved) = saved else {
        context.report.note(format_args!("{}: nothing was changed", document.name));
        return Ok(());
    };
    for Sealed { pointer, from } in &saved {
        let from =
            from.as_ref().map_or_else(String::new, |from| format!(": it contains the secret that was at {from}"));
        context.report.note(format_args!("encrypted {pointer}{from}"));
    }
    let number = count(saved.len(), "value");
    let under = id.map_or_else(String::new, |id| format!("; the key's id is {id}"));
    context.report.note(format_args!("{} saved; {number} newly encrypted{under}", document.name));
    Ok(())
}

/// The result of an attempt to save.
enum Saving {
    Done(Vec<Sealed>),
    /// Another program saved the config meanwhile. Its version stays, and the edited text is in this file.
    Beside(PathBuf),
}

/// Asks whether to edit the text again. Only the word "discard" declines, because it throws the changes away.
fn edit_again(config: &Path, prompts: Prompts) -> Result<()> {
    let question = "Edit it again? Press Enter, or type discard to throw the changes away: ";
    let otherwise = Consequence::ChangesGone { config: config.to_owned() };
    loop {
        match prompts.ask(question, &otherwise)? {
            Ok((Answer::Other, word)) if word == "discard" => {
                return Err(TerminalFailure::Discarded { config: config.to_owned() }.into());
            }
            Ok((Answer::Other, _)) => {}
            Ok((Answer::Yes | Answer::Default, _)) | Err(_) => return Ok(()),
        }
    }
}

/// Refuses a token that the user pasted and that does not open, as the config would be under two keys.
fn check_pasted(saved: &ConfigText, pasted: &[usize], keys: &Keyring, reading: Reading) -> Result<()> {
    let tokens: Vec<_> =
        pasted.iter().filter_map(|start| saved.token_from(*start)).map(|token| (saved, token)).collect();
    if !tokens.is_empty() {
        reading.check_cost(saved)?;
    }
    let opened = tokens::open(&tokens, keys);
    let refused = tokens.iter().zip(opened).find_map(|((_, token), opened)| Some((token, opened.err()?)));
    refused.map_or(Ok(()), |(token, error)| Err(tokens::refusal(saved, token, error, keys)))
}

/// The values that are secrets because they are named, whatever they contain.
struct Named<'a> {
    pointers: Vec<&'a str>,
    patterns: [Patterns; 2],
}

impl<'a> Named<'a> {
    fn new(settings: &'a SecretsFile, fields: &'a NamedValues) -> Self {
        let pointers = settings.places(fields).map(|place| place.exact.as_str()).collect();
        Self { pointers, patterns: [settings.secrets.patterns.clone(), fields.patterns.clone()] }
    }
}

/// A value that was sealed.
struct Sealed {
    pointer: Pointer,
    /// The previous pointer of its secret, if that was moved or copied.
    from: Option<Pointer>,
}

/// What to do with the strings of the saved text.
#[derive(Default)]
struct Plan<'s> {
    /// Unchanged secrets, which get their old tokens back.
    kept: Vec<Edit>,
    /// The offsets of strings that are tokens now and were not before.
    pasted: Vec<usize>,
    /// Secrets to seal. A moved or copied secret is sealed again: if two secrets swapped places and kept their tokens,
    /// a rollback could not notice that.
    new: Vec<New<'s>>,
}

/// A secret to seal.
struct New<'s> {
    leaf: Leaf<'s>,
    text: Zeroizing<String>,
    /// The pointer of the token that contained it before.
    from: Option<&'s Pointer>,
}

/// The config before the edit, indexed by its secrets and their pointers.
struct Before<'s> {
    document: &'s ConfigText,
    /// Each token and its secret, by pointer.
    by_pointer: BTreeMap<&'s str, (&'s SealedValue, &'s str)>,
    /// The first token of each secret.
    by_secret: BTreeMap<&'s str, &'s SealedValue>,
    /// Plain strings that happen to equal a secret, by pointer.
    equal: BTreeMap<Pointer, &'s str>,
}

impl<'s> Before<'s> {
    fn new(document: &'s ConfigText, opened: &[(&'s SealedValue, &'s str)]) -> Self {
        let opened = || opened.iter().copied();
        let by_pointer: BTreeMap<_, _> = opened().map(|(token, secret)| (&*token.pointer, (token, secret))).collect();
        let by_secret: BTreeMap<_, _> = opened().rev().map(|(token, secret)| (secret, token)).collect();
        let equal = |leaf: Leaf<'_>| {
            let text = leaf.place.text().ok().filter(|_| leaf.place.kind == Kind::String)?;
            Some((leaf.pointer, *by_secret.get_key_value(&*text)?.0))
        };
        let equal = document.leaves().filter_map(equal).collect();
        Self { document, by_pointer, by_secret, equal }
    }

    /// Compares the saved text with the config before the edit. A secret is recognized by its pointer or by its text,
    /// so that moving it never saves it in plain text. A string stays plain only if it was the same plain string
    /// before. `named` are additional pointers of secrets.
    fn compare(&self, saved: &'s ConfigText, named: &Named<'_>) -> Result<Plan<'s>> {
        let mut places = BTreeSet::new();
        let mut patterns = named.patterns.clone();
        for (pointer, place) in named.pointers.iter().zip(saved.find_all(&named.pointers)) {
            match place {
                Ok(place) => _ = places.insert(place.start()),
                Err(ValueError::Core(Error::NotFound)) => {}
                Err(error) => return Err(saved.failure(pointer, error)),
            }
        }
        let mut plan = Plan::default();
        for leaf in saved.leaves() {
            let own = self.by_pointer.get(&*leaf.pointer);
            let is_named = places.contains(&leaf.place.start());
            if leaf.place.kind != Kind::String {
                if leaf.place.kind != Kind::Null && (own.is_some() || is_named) {
                    return Err(saved.failure(&leaf.pointer, Error::NotAString));
                }
                continue;
            }
            // A value that is not a string stays as it is if only a pattern names it.
            let is_named = is_named || patterns.iter_mut().any(|patterns| patterns.find(&leaf.pointer).is_some());
            let text = match leaf.place.text() {
                Ok(text) => text,
                // The text is ambiguous, so it may contain a secret.
                Err(error) if own.is_some() || is_named => return Err(saved.failure(&leaf.pointer, error)),
                Err(_) => continue,
            };
            // Each of two equal secrets keeps its own token.
            if let Some((token, _)) = own.filter(|(_, secret)| **secret == *text) {
                plan.kept.push(saved.replace(&leaf.pointer, &leaf.place, token.text(self.document))?);
            } else if text.is_empty() {
                // An empty string is not a secret any more.
                continue;
            } else if let Some(token) = self.by_secret.get(&*text) {
                if is_named || self.equal.get(&leaf.pointer).is_none_or(|before| **before != *text) {
                    plan.new.push(New { text: text.into_owned(), leaf, from: Some(&token.pointer) });
                }
            } else if own.is_some() || is_named {
                match classify(&leaf.place) {
                    ValueKind::Plain => plan.new.push(New { text: text.into_owned(), leaf, from: None }),
                    ValueKind::Lookalike => return Err(saved.failure(&leaf.pointer, Error::Lookalike)),
                    ValueKind::Sealed => plan.pasted.push(leaf.place.start()),
                    ValueKind::Placeholder => {}
                }
            } else if classify(&leaf.place) == ValueKind::Sealed {
                plan.pasted.push(leaf.place.start());
            }
        }
        Ok(plan)
    }
}

/// Runs the editor on the file at `path` and waits for it. If stdout is reserved for JSON, the editor's stdout is
/// stderr.
fn start_editor(path: &Path, is_json: bool) -> Result<()> {
    let editor =
        crate::env::variable("VISUAL").or_else(|| crate::env::variable("EDITOR")).unwrap_or_else(|| "vi".into());
    let mut script = editor.clone();
    if is_vim(&editor) {
        // Keep vim from copying the text: no swap file, backup, undo file or saved registers.
        script.push(" -n -i NONE -c 'set nobackup nowritebackup noundofile'");
    }
    script.push(" \"$@\"");
    let _interrupts = interrupt::leave_interrupts_to_another();
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(&editor).arg(path);
    // The editor's temporary files go to the folder in memory and are removed with it.
    command.env("TMPDIR", path.parent().unwrap_or(path));
    KEY_VARIABLES.iter().for_each(|name| _ = command.env_remove(name));
    if is_json && !io::stdout().is_terminal() {
        command.stdout(io::stderr());
    }
    let status = command.status().map_err(|error| ProgramFailure::EditorNotStarted { error: error.into() })?;
    if status.success() {
        return Ok(());
    }
    Err(ProgramFailure::EditorFailed { editor, status }.into())
}

/// Programs that run the program named in their arguments.
const RUNNERS: [&str; 8] = ["command", "doas", "env", "exec", "nice", "nohup", "setsid", "sudo"];

/// Reports whether the shell would start vim for this value of EDITOR, under whatever name. It ignores quoted text
/// after the first word: that is a command of another shell, which would not pass options on.
fn is_vim(editor: &OsStr) -> bool {
    let editor = editor.to_string_lossy();
    let editor = editor.trim_start();
    if let Some(quote) = editor.chars().next().filter(|first| matches!(first, '\'' | '"')) {
        return editor.split(quote).nth(1).is_some_and(leads_to_vim);
    }
    let is_assignment = |word: &&str| word.split_once('=').is_some_and(|(name, _)| !name.contains('/'));
    let mut words = editor.split_whitespace().take_while(|word| !word.contains(['\'', '"'])).skip_while(is_assignment);
    let Some(first) = words.next() else { return false };
    match RUNNERS.contains(&first.rsplit('/').next().unwrap_or(first)) {
        true => words.any(leads_to_vim),
        false => leads_to_vim(first),
    }
}

/// Reports whether a program is vim, by its own name or by that of the file that it links to.
fn leads_to_vim(program: &str) -> bool {
    let has_its_name = |path: &Path| path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.contains("vim"));
    let places = env::var_os("PATH").filter(|_| !program.contains('/'));
    let places = places.iter().flat_map(|places| env::split_paths(places)).chain([PathBuf::new()]);
    let found = places.map(|place| place.join(program)).find_map(|path| path.canonicalize().ok());
    has_its_name(Path::new(program)) || found.is_some_and(|path| has_its_name(&path))
}
