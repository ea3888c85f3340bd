//! `encrypt DIR`: seals, in place, all secrets that `check` reports in the configs of a directory.
//!
//! First it reads every config and shows the values that it would seal. It writes nothing before the user has agreed,
//! or if a config has a problem. There is no journal and no backup, because they would contain the secrets in plain
//! text: each config is either unchanged or completely sealed, and the same command continues after an interruption.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::json;

use super::secrets::{Matches, Request, Scope, Secret, sealed};
use super::{Destination, Options};
use crate::audit::{Entry, Outcome, Verb};
use crate::commands::{self, UNINTERRUPTED, reason_to_skip};
use crate::config::naming::NamedValues;
use crate::config::secrets_file::{SecretsFile, SecretsFiles};
use crate::config::text::{ConfigText, FormatSource};
use crate::context::Context;
use crate::env;
use crate::env::SECRETS_FILE;
use crate::error::{
    self, ConfigFailure, EncryptionFailure, Failure, FileFailure, Question, Result, SkipReason, Suggestions,
    UsageFailure,
};
use crate::interrupt;
use crate::keys::parallel;
use crate::keys::{Keyring, derive};
use crate::output;
use crate::output::progress::Progress;
use crate::quote::{Pointer, count, one_line, shown};
use crate::store::{self, Caveats, ConfigFile, ConfigPath, Found, Identity};
use crate::time;
use crate::tokens;
use crate::tokens::batch::next_batch;

/// The number of threads that write: they mostly wait for the disk.
const WRITERS: usize = 8;

pub(super) fn run(options: &Options, fields: &NamedValues, context: &Context) -> Result<()> {
    if let Destination::File(file) = &options.destination
        && (file.path.is_some() || file.keep_mode)
    {
        return Err(UsageFailure::DirectoryWithOutput.into());
    }
    env::raise_file_limit();
    let mut found = commands::find(std::slice::from_ref(&options.config), &options.selection)?;
    found.refuse_none()?;
    let mut tree =
        Tree { options, fields, context, skipped: Vec::new(), failed: Vec::new(), matches: RefCell::default() };
    let planned = tree.plan(&mut found)?;
    let values = planned.iter().map(|config| config.pointers.len()).sum();
    if options.dry_run {
        let of = count(planned.len(), "config");
        context.report.note(format_args!("would encrypt {} of {of}; nothing was written", count(values, "value")));
        let would: Vec<Done<'_>> = planned.iter().map(Done::of).collect();
        tree.tell(&would, 0, None)?;
        return tree.verdict(0);
    }
    if planned.is_empty() {
        context.report.note(format_args!(
            "Nothing to encrypt in {}: no named value and none that looks like a secret is in plain text",
            count(found.configs.len(), "config")
        ));
        tree.tell(&[], 0, None)?;
        return tree.verdict(0);
    }
    if !options.yes {
        if options.json {
            return Err(UsageFailure::JsonUnconfirmed.into());
        }
        commands::confirm(Question::EncryptInPlace { values, configs: planned.len() }, options.keys.prompts)?;
    }
    let keys = Keyring::load(&options.keys, &context.report)?;
    let master = keys.sealing(options.allow_short_key)?;
    // Lock only now: a lock must not be held while the user types.
    let tell = |notice| commands::tell_notice(notice, context);
    let configs: Vec<ConfigPath> = planned.iter().map(|planned| planned.config.clone()).collect();
    let lock = store::lock(&configs, options.lock_wait, &tell)?;
    lock.remove_found_leftovers(&found, &tell);

    let files: Vec<PathBuf> = configs.iter().map(|config| config.path.clone()).collect();
    let pointers: Vec<&str> = planned.iter().flat_map(|config| config.pointers.iter().map(|at| &**at)).collect();
    let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let mut entry =
        Entry { verb: Verb::Encrypt, outcome: Outcome::Started, files: &paths, pointers: &pointers, keys: &[master] };
    context.audit.record(&entry)?;
    let (done, left) = tree.seal(&planned, &keys)?;
    let written: Vec<&Path> = done.iter().map(|done| done.path).collect();
    entry.outcome = if written.len() == paths.len() { Outcome::Done } else { Outcome::PartlyDone };
    entry.files = &written;
    context.audit.record_done(&entry, &context.report);
    let id = derive::id(master).to_string();
    let told = tree.tell(&done, left, Some(&id));
    tree.verdict(left)?;
    let values = done.iter().map(|done| done.pointers.len()).sum();
    let of = count(done.len(), "config");
    context.report.note(format_args!("Encrypted {} of {of}; the key's id is {id}", count(values, "value")));
    output::after_the_work(told)
}

/// A config with values to seal.
struct Planned {
    config: ConfigPath,
    identity: Identity,
    format: FormatSource,
    pointers: Vec<Pointer>,
}

/// A config that was written.
struct Done<'p> {
    path: &'p Path,
    pointers: &'p [Pointer],
    caveats: Caveats,
}

/// A config that was read again for writing.
struct Loaded {
    source: ConfigFile,
    document: ConfigText,
}

impl<'p> Done<'p> {
    fn of(planned: &'p Planned) -> Self {
        Self { path: &planned.config.path, pointers: &planned.pointers, caveats: Caveats::new() }
    }
}

struct Tree<'a> {
    options: &'a Options,
    fields: &'a NamedValues,
    context: &'a Context,
    /// The files that were left as they are, with the reasons.
    skipped: Vec<(String, SkipReason)>,
    failed: Vec<(String, Failure)>,
    matches: RefCell<Matches>,
}

impl Tree<'_> {
    /// Reads all configs and shows the values that would be sealed. Fails if a config has a problem, unless that config
    /// may be left out.
    fn plan(&mut self, found: &mut Found) -> Result<Vec<Planned>> {
        let context = self.context;
        let progress = Progress::new("reading", found.configs.len(), &context.report);
        let mut planned = Vec::new();
        let mut settings = SecretsFiles::default();
        self.skipped.extend(found.skipped.iter().map(|(path, why)| (shown(path), why.clone())));
        self.failed.extend(found.unread.drain(..).map(|(path, failure)| (shown(&path), failure)));
        for config in &found.configs {
            interrupt::stop_if_requested()?;
            progress.step();
            match progress.beside(|| self.plan_one(config, &mut settings)) {
                Ok(config) => planned.extend(config),
                Err(failure) => match reason_to_skip(config, &failure) {
                    Some(reason) => self.skipped.push((shown(&config.path), reason)),
                    None => self.failed.push((shown(&config.path), failure)),
                },
            }
        }
        let matches = self.matches.borrow();
        for pattern in matches.unmatched() {
            let pattern = one_line(pattern);
            context.report.note(format_args!(
                "{pattern}, under secrets in {SECRETS_FILE}, matches nothing in the checked configs"
            ));
        }
        // A config that cannot be read may be the one with the value.
        let unmet = self.options.fields.iter().filter(|field| self.failed.is_empty() && !matches.has_matched(field));
        error::check_none(unmet.map(|pointer| {
            let failure = ConfigFailure::RequiredNowhere { pointer: pointer.clone(), namesakes: Suggestions::none() };
            Failure::NothingChanged(Box::new(failure.into()))
        }))?;
        drop(matches);
        if self.options.keep_going {
            return Ok(planned);
        }
        let unchanged = |(_, failure)| Failure::OrKeepGoing(Box::new(Failure::NothingChanged(Box::new(failure))));
        error::check_none(self.failed.drain(..).map(unchanged))?;
        Ok(planned)
    }

    /// Reads one config. Returns `None` if nothing in it is to be sealed.
    fn plan_one(&self, config: &ConfigPath, settings: &mut SecretsFiles) -> Result<Option<Planned>> {
        let (source, document) = commands::load(config, self.options.reading, &self.context.report)?;
        if let Some(failure) = document.fault() {
            return Err(failure);
        }
        if document.check_values_known().is_err() {
            return Ok(None);
        }
        let settings = settings.nearest(config)?;
        let secrets = self.request(&settings, Scope::Many(&self.matches)).find(&document, self.context)?;
        if secrets.is_empty() {
            return Ok(None);
        }
        source.check_replaceable()?;
        if !self.options.json && (self.options.dry_run || !self.options.yes) {
            secrets.iter().try_for_each(|secret| secret.show(&document))?;
        }
        let pointers = secrets.into_iter().map(|secret| secret.pointer).collect();
        Ok(Some(Planned { config: config.clone(), identity: source.identity(), format: document.source, pointers }))
    }

    fn request<'w>(&'w self, settings: &'w SecretsFile, scope: Scope<'w>) -> Request<'w> {
        Request { fields: self.fields, settings, found: true, placeholders: self.options.placeholders, scope }
    }

    /// Seals and writes the configs, batch after batch. Returns the configs that were written, and the number of those
    /// that were not reached.
    fn seal<'p>(&mut self, planned: &'p [Planned], keys: &Keyring) -> Result<(Vec<Done<'p>>, usize)> {
        let context = self.context;
        let progress = Progress::new("encrypting", planned.len(), &context.report);
        let mut settings = SecretsFiles::default();
        let (mut done, mut left, mut waiting) = (Vec::new(), 0, planned.iter());
        while waiting.len() > 0 && !interrupt::requested() {
            let changed = |path| FileFailure::Changed { path };
            let load = |planned: &'p Planned| {
                let loaded = commands::read_again(&planned.config, planned.identity, planned.format, changed);
                (planned, loaded.map(|(source, document)| Loaded { source, document }))
            };
            let group =
                next_batch(&mut waiting, load, |(_, loaded)| loaded.iter().map(|file| &file.document).collect());
            let mut ready = Vec::new();
            for (planned, loaded) in group {
                let file = loaded.and_then(|file| {
                    tokens::check_fit(&file.document, file.document.tokens.iter(), keys)?;
                    Ok(file)
                });
                match file {
                    Ok(file) => ready.push((planned, file)),
                    Err(failure) => self.failed.push((shown(&planned.config.path), failure)),
                }
            }
            let mut secrets: Vec<(usize, Vec<Secret<'_>>)> = Vec::new();
            for (at, (planned, file)) in ready.iter().enumerate() {
                let found = settings
                    .nearest(&planned.config)
                    .and_then(|settings| self.request(&settings, Scope::Again).find(&file.document, context))
                    .and_then(|found| match found.iter().map(|secret| &secret.pointer).eq(&planned.pointers) {
                        true => Ok(found),
                        // The user agreed only to the values that were shown.
                        false => Err(ConfigFailure::ChangedSinceShown { config: planned.config.path.clone() }.into()),
                    });
                match found {
                    Ok(found) => secrets.push((at, found)),
                    Err(failure) => self.failed.push((shown(&planned.config.path), failure)),
                }
            }
            let mut tokens = self.tokens(&secrets, &ready, keys)?.into_iter();
            let mut writing = Vec::new();
            for (at, secrets) in &secrets {
                let (planned, file) = &ready[*at];
                let tokens: Vec<String> = tokens.by_ref().take(secrets.len()).collect();
                writing.push((*planned, file, secrets, tokens));
            }
            let write = |(planned, file, secrets, tokens): (&'p Planned, &Loaded, &Vec<Secret<'_>>, Vec<String>)| {
                let written = (!interrupt::requested()).then(|| write(&planned.config, file, secrets, &tokens));
                progress.step();
                (planned, written)
            };
            let written = thread::scope(|scope| parallel::begin(scope, WRITERS, writing, write).finish());
            for (planned, written) in written {
                match written {
                    None => left += 1,
                    Some(Ok(caveats)) => done.push(Done { caveats, ..Done::of(planned) }),
                    Some(Err(failure)) => self.failed.push((shown(&planned.config.path), failure)),
                }
            }
        }
        for done in &mut done {
            commands::tell_caveats(std::mem::take(&mut done.caveats), context);
        }
        Ok((done, left + waiting.len()))
    }

    /// Returns a token for each secret, in order. It derives the keys of many tokens at once.
    fn tokens(
        &self,
        secrets: &[(usize, Vec<Secret<'_>>)],
        files: &[(&Planned, Loaded)],
        keys: &Keyring,
    ) -> Result<Vec<String>> {
        let master = keys.sealing(self.options.allow_short_key)?;
        let now = time::now();
        let at = files.iter().map(|(_, file)| file.document.sealing_time(now)).max().unwrap_or(now);
        let texts: Vec<&str> =
            secrets.iter().flat_map(|(_, secrets)| secrets.iter().map(|secret| secret.text.as_str())).collect();
        let mut tokens = Vec::with_capacity(texts.len());
        for part in texts.chunks(UNINTERRUPTED) {
            tokens.extend(tokens::seal(master, part, self.options.legacy, at)?);
        }
        Ok(tokens)
    }

    fn tell(&self, done: &[Done<'_>], left: usize, key_id: Option<&str>) -> Result<()> {
        if self.options.json {
            let encrypted = done.iter().map(|done| json!({ "file": shown(done.path), "pointers": done.pointers }));
            let fields = json!({
                "dry_run": self.options.dry_run,
                "encrypted": encrypted.collect::<Vec<_>>(),
                "skipped": output::skipped_in_json(&self.skipped),
                "failed": output::failed_in_json(&self.failed),
                "left": left,
                "key_id": key_id,
            });
            return output::json("encrypt directory", fields);
        }
        for (file, reason) in &self.skipped {
            output::result(format_args!("skipped {file}: {reason}"))?;
        }
        for done in done.iter().filter(|_| !self.options.dry_run) {
            output::result(format_args!("encrypted {}: {}", shown(done.path), count(done.pointers.len(), "value")))?;
        }
        for (file, failure) in &self.failed {
            output::result(format_args!("failed {file}: {}\n  next: {}", failure.what(), failure.next()))?;
        }
        Ok(())
    }

    fn verdict(&self, left: usize) -> Result<()> {
        match self.failed.len() {
            _ if left > 0 => Err(EncryptionFailure::Interrupted { left }.into()),
            0 => Ok(()),
            files => Err(EncryptionFailure::SomeFailed { files }.into()),
        }
    }
}

/// Replaces `secrets` with `tokens`, and writes the config.
fn write(config: &ConfigPath, file: &Loaded, secrets: &[Secret<'_>], tokens: &[String]) -> Result<Caveats> {
    let edits = sealed(&file.document, secrets, tokens)?;
    let pieces = edits.pieces();
    let caveats = file.source.replace(&pieces)?;
    if !config.holds(&pieces)? {
        return Err(FileFailure::NotWhatWasWritten { path: config.path.clone() }.into());
    }
    Ok(caveats)
}
