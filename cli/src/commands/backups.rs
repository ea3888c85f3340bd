//! `backups`: lists the backups that rotations left beside the configs, and removes them.
//!
//! Backups of a config are removed only if the config contains tokens and all of them open with the current keys.
//! Nothing is removed without confirmation.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::{Reading, find, read_to_open, tell_caveats, tell_notice};
use crate::audit::{Entry, Outcome, Verb};
use crate::config::text::ConfigText;
use crate::context::Context;
use crate::env;
use crate::error::{self, Failure, Question, Result, RotationFailure, SkipReason};
use crate::interrupt;
use crate::keys::{KeyOptions, Keyring};
use crate::output;
use crate::quote::{and_skipped, count, shown};
use crate::store::{self, ConfigPath, Found, Identity, Selection};
use crate::tokens::verify::{self, Verification, verify_each};

/// The options of `backups`.
pub(crate) struct Options {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) selection: Selection,
    /// If it is `None`, the backups are beside the configs.
    pub(crate) backup_dir: Option<PathBuf>,
    pub(crate) json: bool,
    pub(crate) action: Action,
}

/// What to do with the backups.
pub(crate) enum Action {
    List,
    Prune(Pruning),
}

/// The options of `backups prune`.
pub(crate) struct Pruning {
    /// Whether to remove without a question.
    pub(crate) yes: bool,
    pub(crate) keys: KeyOptions,
    pub(crate) reading: Reading,
    pub(crate) lock_wait: Duration,
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<()> {
    match &options.action {
        Action::List => list(options),
        Action::Prune(pruning) => prune(options, pruning, context),
    }
}

/// The backups that were found, and how much was searched.
struct Listed {
    /// Each config that has backups, with its backups, oldest first.
    configs: Vec<(ConfigPath, Vec<ConfigPath>)>,
    /// The number of configs that were found.
    examined: usize,
    /// The files that do not count as configs, with the reasons.
    skipped: Vec<(String, SkipReason)>,
    /// The paths that could not be read, with the failures.
    unread: Vec<(String, Failure)>,
}

impl Listed {
    fn of(found: &mut Found, options: &Options) -> Result<Self> {
        found.refuse_none()?;
        let mut finder = store::Backups::new(options.backup_dir.as_deref())?;
        let mut listed = Self {
            configs: Vec::new(),
            examined: found.configs.len(),
            skipped: found.skipped.iter().map(|(path, reason)| (shown(path), reason.clone())).collect(),
            unread: found.unread.drain(..).map(|(path, failure)| (shown(&path), failure)).collect(),
        };
        for config in &found.configs {
            match finder.of(config) {
                Ok(backups) if backups.is_empty() => {}
                Ok(backups) => listed.configs.push((config.clone(), backups)),
                Err(failure) => listed.unread.push((shown(&config.path), failure)),
            }
        }
        // If the backup directory is unreadable, every config in it fails for the same reason: keep one.
        listed.unread.dedup_by(|(_, failure), (_, before)| failure.what() == before.what());
        Ok(listed)
    }

    fn into_failures(self) -> impl Iterator<Item = Failure> {
        self.unread.into_iter().map(|(_, failure)| failure)
    }
}

fn list(options: &Options) -> Result<()> {
    let listed = Listed::of(&mut find(&options.paths, &options.selection)?, options)?;
    tell(&listed, options)?;
    error::check_none(listed.into_failures())
}

fn tell(listed: &Listed, options: &Options) -> Result<()> {
    if options.json {
        let entries: Vec<_> = listed
            .configs
            .iter()
            .map(|(config, backups)| {
                let backups: Vec<_> = backups.iter().map(|backup| shown(&backup.path)).collect();
                json!({ "config": shown(&config.path), "backups": backups })
            })
            .collect();
        return output::json(
            "backups list",
            json!({
                "configs": entries,
                "looked_at": listed.examined,
                "skipped": output::skipped_in_json(&listed.skipped),
                "failed": output::failed_in_json(&listed.unread),
            }),
        );
    }
    for (config, backups) in &listed.configs {
        output::result(format_args!("{}:", shown(&config.path)))?;
        for backup in backups {
            output::result(format_args!("  {}", shown(&backup.path)))?;
        }
    }
    let backups = listed.configs.iter().map(|(_, backups)| backups.len()).sum();
    let place = match &options.backup_dir {
        Some(directory) => format!("in {} of", shown(directory)),
        None => "beside".to_owned(),
    };
    output::result(format_args!(
        "{} {place} {} checked{}",
        count(backups, "backup"),
        count(listed.examined, "config"),
        and_skipped(listed.skipped.len())
    ))
}

fn prune(options: &Options, pruning: &Pruning, context: &Context) -> Result<()> {
    let mut found = find(&options.paths, &options.selection)?;
    let mut listed = Listed::of(&mut found, options)?;
    if !listed.unread.is_empty() {
        let failures = listed.into_failures();
        return error::check_none(failures.map(|failure| Failure::NothingRemoved(Box::new(failure))));
    }
    let candidates = std::mem::take(&mut listed.configs).into_iter();
    let candidates = candidates.map(|(config, backups)| Candidate { config, backups, judged: Cell::new(None) });
    let keys = Keyring::load(&pruning.keys, &context.report)?;
    let mut removable = Vec::new();
    let mut kept = Vec::new();
    let read = |candidate: &Candidate| {
        let (source, document) = read_to_open(&candidate.config, pruning.reading, &context.report)?;
        candidate.judged.set(Some(source.identity()));
        Ok(document)
    };
    verify_each(candidates.collect(), read, &keys, &context.report, |candidate, checked| {
        match checked.and_then(|(document, checked)| verdict(&document, &checked, &keys)) {
            Ok(()) => removable.push(candidate),
            Err(failure) => kept.push((candidate.config, failure)),
        }
    });
    let backups = || removable.iter().flat_map(|candidate| &candidate.backups);
    let mut removal = Removal::default();
    if !removable.is_empty() {
        if !pruning.yes {
            if !options.json {
                backups().try_for_each(|backup| output::result(shown(&backup.path)))?;
            }
            super::confirm(Question::RemoveBackups { number: backups().count() }, pruning.keys.prompts)?;
        }
        // Lock only now: a lock must not be held while a prompt waits for an answer.
        let configs: Vec<_> = removable.iter().map(|candidate| candidate.config.clone()).collect();
        let tell = |notice| tell_notice(notice, context);
        env::raise_file_limit();
        let _lock = store::lock(&configs, pruning.lock_wait, &tell)?;
        interrupt::stop_if_requested()?;
        let files: Vec<_> = backups().map(|backup| backup.path.as_path()).collect();
        let mut entry = Entry {
            verb: Verb::PruneBackups,
            outcome: Outcome::Started,
            files: &files,
            pointers: &[],
            keys: &[keys.current()],
        };
        context.audit.record(&entry)?;
        // With a prompt, the files are on the screen already.
        let names_each = pruning.yes && !options.json;
        for candidate in &removable {
            if let Err(failure) = removal.remove(candidate, &keys, names_each, pruning.reading, context) {
                kept.push((candidate.config.clone(), failure));
            }
        }
        let files: Vec<_> = removal.removed.iter().map(|backup| backup.path.as_path()).collect();
        entry.outcome = if removal.left == 0 && kept.is_empty() { Outcome::Done } else { Outcome::PartlyDone };
        entry.files = &files;
        context.audit.record_done(&entry, &context.report);
    }
    for (config, failure) in &kept {
        context.report.warn(format_args!("the backups of {} were kept: {}", shown(&config.path), failure.what()));
    }
    let told = if options.json {
        let kept: Vec<_> = kept
            .iter()
            .map(|(config, failure)| json!({ "config": shown(&config.path), "reason": failure.what() }))
            .collect();
        let removed: Vec<_> = removal.removed.iter().map(|backup| shown(&backup.path)).collect();
        output::json(
            "backups prune",
            json!({
                "removed": removed,
                "kept": kept,
                "looked_at": listed.examined,
                "skipped": output::skipped_in_json(&listed.skipped),
                "failed": output::failed_in_json(&removal.failed),
            }),
        )
    } else {
        output::result(format_args!(
            "{} removed, of {} checked{}",
            count(removal.removed.len(), "backup"),
            count(listed.examined, "config"),
            and_skipped(listed.skipped.len())
        ))
    };
    if removal.left > 0 {
        return Err(RotationFailure::PruneInterrupted { left: removal.left }.into());
    }
    if !removal.failed.is_empty() {
        let failures = removal.failed.into_iter().map(|(_, failure)| Failure::OneOfMany(Box::new(failure)));
        return error::check_none(failures);
    }
    told?;
    match kept.len() {
        0 => Ok(()),
        configs => Err(RotationFailure::BackupsStay { configs }.into()),
    }
}

/// A config and its backups.
struct Candidate {
    config: ConfigPath,
    backups: Vec<ConfigPath>,
    /// The config's identity when its tokens were verified.
    judged: Cell<Option<Identity>>,
}

/// The progress of the removal.
#[derive(Default)]
struct Removal<'c> {
    removed: Vec<&'c ConfigPath>,
    /// The backups that could not be removed, with the failures.
    failed: Vec<(String, Failure)>,
    /// The number of backups that were not reached because of an interruption.
    left: usize,
}

impl<'c> Removal<'c> {
    /// Removes the backups of a config, if the config is unchanged since it was verified or passes again. With
    /// `names_each`, prints each file right after its removal, so that the output is true even if the run is killed.
    ///
    /// # Errors
    /// Fails if the config has changed and does not pass any more. Its backups stay then.
    fn remove(
        &mut self,
        candidate: &'c Candidate,
        keys: &Keyring,
        names_each: bool,
        reading: Reading,
        context: &Context,
    ) -> Result<()> {
        let Candidate { config, backups, judged } = candidate;
        if !judged.get().is_some_and(|identity| config.is_still(identity)) {
            let (_, document) = read_to_open(config, reading, &context.report)?;
            verdict(&document, &verify::check(&document, keys), keys)?;
        }
        for backup in backups {
            if interrupt::requested() {
                self.left += 1;
                continue;
            }
            // Another run may have removed it already.
            if !backup.exists()? {
                continue;
            }
            match backup.remove() {
                Ok(caveats) => tell_caveats(caveats, context),
                Err(failure) => {
                    self.failed.push((shown(&backup.path), failure));
                    continue;
                }
            }
            self.removed.push(backup);
            if names_each {
                // If stdout is closed, continue with the rest. The error is reported at the end.
                let _ = output::result(shown(&backup.path));
            }
        }
        Ok(())
    }
}

/// Decides whether the backups of a config may be removed. A config without tokens would pass the check too, but then
/// its backups may contain the last copies of them.
fn verdict(document: &ConfigText, checked: &Verification, keys: &Keyring) -> Result<()> {
    if document.tokens.is_empty() {
        return Err(RotationFailure::NoTokensLeft { config: document.path.clone() }.into());
    }
    checked.verdict(document, keys)
}
