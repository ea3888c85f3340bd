//! Rolls back a rotation: replaces each config with its newest backup.
//!
//! It does so only if the current keys open the backup, and nothing but the rotation has changed the config since. If
//! the new key is still where the rotation left it, the secrets themselves are compared. The backups stay.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::audit::{Entry, Outcome, Verb};
use crate::commands::{self, Reading};
use crate::config::text::{ConfigText, SealedValue};
use crate::context::Context;
use crate::env;
use crate::error::{self, Bug, Result, RotationFailure, SkipReason};
use crate::interrupt;
use crate::keys::left_behind::LeftBehind;
use crate::keys::{KeyOptions, Keyring};
use crate::output::Report;
use crate::output::progress::Progress;
use crate::quote::shown;
use crate::store::{self, BackupPlace, ConfigFile, ConfigPath, Selection};
use crate::tokens::batch::{next_batch, open_each};
use crate::tokens::verify::verify_all;
use crate::tokens::{self, Opened};

/// The options of a rollback.
pub(crate) struct Options {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) selection: Selection,
    /// If it is `None`, the backups are beside the configs.
    pub(crate) backup_dir: Option<PathBuf>,
    pub(crate) dry_run: bool,
    /// The number of threads that derive keys.
    pub(crate) jobs: Option<NonZeroUsize>,
    pub(crate) json: bool,
    pub(crate) keys: KeyOptions,
    pub(crate) reading: Reading,
    pub(crate) lock_wait: Duration,
}

/// The result of a rollback.
pub(crate) struct RollbackReport {
    /// The result for each config that was reached, in order.
    pub(crate) files: Vec<(String, Result<RollbackOutcome>)>,
    /// The files that do not count as configs, with the reasons.
    pub(crate) skipped: Vec<(String, SkipReason)>,
    /// The number of configs that were not reached because of an interruption.
    pub(crate) left: usize,
}

impl RollbackReport {
    /// Returns how many configs failed. They are unchanged.
    pub(crate) fn failed(&self) -> usize {
        self.files.iter().filter(|(_, done)| done.is_err()).count()
    }

    /// Reports whether no config has a backup or needs one.
    pub(crate) fn has_nothing(&self) -> bool {
        let is_nothing = |done: &Result<_>| {
            matches!(done, Ok(RollbackOutcome::Skipped(SkipReason::NoBackup | SkipReason::NoToken(_))))
        };
        self.left == 0 && self.files.iter().all(|(_, done)| is_nothing(done))
    }
}

/// The result for one config.
pub(crate) enum RollbackOutcome {
    /// The config was replaced with this backup.
    PutBack(String),
    Skipped(SkipReason),
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<RollbackReport> {
    interrupt::listen();
    env::raise_file_limit();
    let keys = Keyring::load(&options.keys, &context.report)?;
    let mut found = commands::find(&options.paths, &options.selection)?;
    found.refuse_none()?;
    let mut backups = store::Backups::new(options.backup_dir.as_deref())?;
    found.look_for_leftovers(options.backup_dir.as_deref());
    let unread = std::mem::take(&mut found.unread);
    let tell = |notice| commands::tell_notice(notice, context);
    let locked: &[ConfigPath] = if options.dry_run { &[] } else { &found.configs };
    let lock = store::lock(locked, options.lock_wait, &tell)?;
    let paths: Vec<_> = found.configs.iter().map(|config| config.path.as_path()).collect();
    let mut entry = Entry {
        verb: Verb::Rollback,
        outcome: Outcome::Started,
        files: &paths,
        pointers: &[],
        keys: &[keys.current()],
    };
    if !options.dry_run {
        context.audit.record(&entry)?;
        lock.remove_found_leftovers(&found, &tell);
    }

    let files = roll_back(&found.configs, &mut backups, &keys, options, context);
    let left = found.configs.len() - files.len();
    let unread = unread.into_iter().map(|(directory, failure)| (shown(&directory), Err(failure)));
    let skipped = found.skipped.iter().map(|(path, reason)| (shown(path), reason.clone())).collect();
    let outcome = RollbackReport { files: files.into_iter().chain(unread).collect(), skipped, left };
    if !options.dry_run {
        entry.outcome = if outcome.left == 0 && outcome.failed() == 0 { Outcome::Done } else { Outcome::PartlyDone };
        context.audit.record_done(&entry, &context.report);
    }
    Ok(outcome)
}

/// Rolls back the configs in batches. Each config is checked before it is changed, and the configs of a batch are
/// checked together, because deriving the keys takes most of the time.
fn roll_back(
    configs: &[ConfigPath],
    backups: &mut store::Backups,
    keys: &Keyring,
    options: &Options,
    context: &Context,
) -> Vec<(String, Result<RollbackOutcome>)> {
    let progress = Progress::new("rolling back", configs.len(), &context.report);
    let mut files = Vec::with_capacity(configs.len());
    let mut waiting = configs.iter().take_while(|_| !interrupt::requested());
    loop {
        let load = |config: &ConfigPath| (shown(&config.path), load(config, backups, options.reading, &context.report));
        let mut group = next_batch(&mut waiting, load, |(_, loaded)| {
            let candidate = loaded.as_ref().ok().and_then(|loaded| loaded.as_ref().ok());
            candidate.into_iter().flat_map(|file| [&file.present].into_iter().chain(file.backup_text())).collect()
        });
        if group.is_empty() {
            return files;
        }
        let candidates =
            group.iter_mut().flat_map(|(_, loaded)| loaded.as_mut().ok()).flat_map(|loaded| loaded.as_mut().ok());
        check_candidates(candidates.collect(), keys);
        for (file, loaded) in group {
            if interrupt::requested() {
                break;
            }
            let done = loaded.and_then(|loaded| match loaded {
                Ok(candidate) => candidate.put_back(options.dry_run, context),
                Err(skipped) => Ok(RollbackOutcome::Skipped(skipped)),
            });
            files.push((file, done));
            progress.step();
        }
    }
}

/// A config that has a backup, or that needs one because it does not open.
struct Candidate {
    source: ConfigFile,
    present: ConfigText,
    /// Whether all tokens of the current text open.
    opens: bool,
    /// Whether its secrets are known to differ from those of the backup.
    has_other_secrets: bool,
    /// The newest backup, or why it is unusable.
    backup: Result<Backup>,
}

/// The newest backup of a config.
struct Backup {
    text: ConfigText,
    /// The time stamp in its name.
    stamp: String,
}

/// Reads a config and its newest backup. Returns the reason to skip it if it has neither a backup nor a token that
/// would need one.
fn load(
    config: &ConfigPath,
    backups: &mut store::Backups,
    reading: Reading,
    report: &Report,
) -> Result<std::result::Result<Candidate, SkipReason>> {
    let backups = backups.of(config)?;
    let loaded = commands::read_to_open(config, reading, report);
    let Some(newest) = backups.last() else {
        let (source, present) = match loaded {
            Ok(loaded) => loaded,
            Err(failure) => {
                let reason = commands::reason_to_skip(config, &failure);
                return reason.map(Err).ok_or(failure);
            }
        };
        if present.tokens.is_empty() {
            return Ok(Err(SkipReason::NoBackup));
        }
        let backup = Err(RotationFailure::NoBackup { config: present.path.clone() }.into());
        return Ok(Ok(Candidate { source, present, opens: false, has_other_secrets: false, backup }));
    };
    let (source, present) = loaded?;
    // The backup was found by the stamp in its name, so there is one.
    let stamp = store::backup_stamp(&newest.path).ok_or(Bug::BackupWithoutStamp)?.to_owned();
    let backup = commands::read_to_open(newest, reading, report).map(|(_, text)| Backup { text, stamp });
    Ok(Ok(Candidate { source, present, opens: false, has_other_secrets: false, backup }))
}

/// Opens the configs, and the backups of those that do not open.
fn check_candidates(mut candidates: Vec<&mut Candidate>, keys: &Keyring) {
    let presents: Vec<&ConfigText> = candidates.iter().map(|file| &file.present).collect();
    let checked = verify_all(&presents, keys);
    for (file, checked) in candidates.iter_mut().zip(checked) {
        file.opens = checked.opens_all(&file.present);
    }
    candidates.retain(|file| !file.opens && file.backup.is_ok());
    let backups: Vec<&ConfigText> = candidates.iter().filter_map(|file| file.backup_text()).collect();
    let opened = open_each(&backups, keys);
    let mut compared: Vec<(&mut Candidate, Vec<Opened>)> = Vec::new();
    for (file, opened) in candidates.into_iter().zip(opened) {
        let Some(backup) = file.backup_text() else { continue };
        let unopened =
            backup.tokens.iter().zip(&opened).find_map(|(token, opened)| Some((token, *opened.as_ref().err()?)));
        match unopened {
            Some((token, error)) => {
                file.backup = Err(tokens::refusal(backup, token, error, keys));
            }
            None => compared.push((file, opened.into_iter().flatten().collect())),
        }
    }
    compare(compared, keys);
}

/// Compares the secrets of the configs with those of their backups, if a key that a rotation left opens the configs.
/// This detects two tokens that swapped places: their times are not newer than the backup, and the text around them is
/// the same.
fn compare(mut waiting: Vec<(&mut Candidate, Vec<Opened>)>, keys: &Keyring) {
    let mut in_vain = 0;
    while let Some((first, _)) = waiting.first() {
        let tokens: Vec<&SealedValue> = first.present.tokens.iter().collect();
        let opens = |left: &&LeftBehind| tokens::opens(&left.master, &first.present, &tokens);
        let Some(left) = keys.left_behind().iter().find(opens) else {
            in_vain += 1;
            if in_vain == MAX_FAILURES {
                return;
            }
            waiting.remove(0);
            continue;
        };
        // Most of the other configs are under the same key, so all are tried at once.
        let sealed =
            waiting.iter().flat_map(|(file, _)| file.present.tokens.iter().map(|token| (&file.present, token)));
        let sealed: Vec<_> = sealed.collect();
        let mut opened = tokens::open_under(&left.master, &sealed).into_iter();
        waiting.retain_mut(|(file, before)| {
            let present: Vec<_> = opened.by_ref().take(file.present.tokens.len()).collect();
            if present.iter().any(std::result::Result::is_err) {
                return true;
            }
            let before = before.iter().map(|opened| &opened.plain);
            file.has_other_secrets = !present.iter().flatten().eq(before);
            false
        });
    }
}

/// The comparison stops after this many configs that no key opens, because each of them costs a derivation per key.
const MAX_FAILURES: usize = 8;

impl Candidate {
    fn backup_text(&self) -> Option<&ConfigText> {
        self.backup.as_ref().ok().map(|backup| &backup.text)
    }

    /// Replaces the config with its backup. All configs of the batch were checked before.
    fn put_back(self, dry_run: bool, context: &Context) -> Result<RollbackOutcome> {
        if self.opens {
            return Ok(RollbackOutcome::Skipped(SkipReason::Decryptable));
        }
        let (present, Backup { text: before, stamp }) = (self.present, self.backup?);
        if !present.differs_only_in_tokens(&before) {
            return Err(RotationFailure::EditedSince { config: present.path, backup: before.path }.into());
        }
        if self.has_other_secrets || present.is_newer_than(&stamp) {
            return Err(RotationFailure::SecretChangedSince { config: present.path, backup: before.path }.into());
        }
        if dry_run {
            error::check_none(self.source.obstacles_to_replacing(&BackupPlace::Nowhere, true))?;
        } else {
            commands::tell_caveats(self.source.replace(&[before.text.as_bytes()])?, context);
        }
        Ok(RollbackOutcome::PutBack(before.name))
    }
}
