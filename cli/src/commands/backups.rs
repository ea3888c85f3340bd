//! `backups`: what rotations left beside the configs, and its removal once it is no longer needed.
//! A backup goes only when the config that it is of has tokens, and all of them open with the key at hand.
//! Nothing is removed unasked.

use std::cell::Cell;

use serde_json::json;

use super::{find, load_to_open, tell_caveats, tell_notice};
use crate::args::{Backups, BackupsAt, BackupsVerb, Prune};
use crate::audit::{Entry, Outcome, Verb};
use crate::config::text::ConfigText;
use crate::context::Context;
use crate::env;
use crate::error::{self, Failure, Otherwise, Result, RotationFailure, removal_question};
use crate::interrupt;
use crate::keys::Keyring;
use crate::output;
use crate::output::terminal::Answer;
use crate::quote::{count, shown};
use crate::store::{self, ConfigPath, Found, Identity};
use crate::tokens::verify::{self, Verification, verify_each};

pub(crate) fn run(args: &Backups, context: &Context) -> Result<()> {
    match &args.verb {
        None => list(&args.at),
        Some(BackupsVerb::List(at)) => list(at),
        Some(BackupsVerb::Prune(args)) => prune(args, context),
    }
}

/// The backups of configs, and how much was looked at.
struct Listed {
    /// Each config that has backups, with them, the oldest first.
    configs: Vec<(ConfigPath, Vec<ConfigPath>)>,
    /// How many configs were looked at.
    looked_at: usize,
    /// What was not taken for a config, each with the reason.
    skipped: Vec<(String, String)>,
    /// What cannot be looked at, and why.
    unread: Vec<(String, Failure)>,
}

impl Listed {
    fn of(found: &mut Found, at: &BackupsAt) -> Result<Self> {
        found.refuse_none()?;
        let mut finder = store::Backups::new(at.backup_dir.as_deref())?;
        let mut listed = Self {
            configs: Vec::new(),
            looked_at: found.configs.len(),
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
        // A directory of backups that cannot be read fails all configs of it.
        listed.unread.dedup_by(|(_, failure), (_, before)| failure.what() == before.what());
        Ok(listed)
    }

    fn into_failures(self) -> impl Iterator<Item = Failure> {
        self.unread.into_iter().map(|(_, failure)| failure)
    }
}

fn list(at: &BackupsAt) -> Result<()> {
    let listed = Listed::of(&mut find(&at.paths, &at.select)?, at)?;
    tell(&listed, at)?;
    error::check_none(listed.into_failures())
}

fn tell(listed: &Listed, at: &BackupsAt) -> Result<()> {
    if at.json {
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
                "looked_at": listed.looked_at,
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
    let place = match &at.backup_dir {
        Some(directory) => format!("in {} of", shown(directory)),
        None => "beside".to_owned(),
    };
    output::result(format_args!(
        "{} {place} {}",
        count(backups, "backup"),
        looked_at(listed.looked_at, listed.skipped.len())
    ))
}

/// How much was looked at.
fn looked_at(configs: usize, skipped: usize) -> String {
    let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
    format!("{} looked at{skipped}", count(configs, "config"))
}

fn prune(args: &Prune, context: &Context) -> Result<()> {
    let mut found = find(&args.at.paths, &args.at.select)?;
    let mut listed = Listed::of(&mut found, &args.at)?;
    if !listed.unread.is_empty() {
        let failures = listed.into_failures();
        return error::check_none(failures.map(|failure| Failure::NothingRemoved(Box::new(failure))));
    }
    let candidates = std::mem::take(&mut listed.configs).into_iter();
    let candidates = candidates.map(|(config, backups)| Candidate { config, backups, judged: Cell::new(None) });
    let keys = context.keys()?;
    let mut removable = Vec::new();
    let mut kept = Vec::new();
    let read = |candidate: &Candidate| {
        let (source, document) = load_to_open(&candidate.config, context)?;
        candidate.judged.set(Some(source.identity()));
        Ok(document)
    };
    verify_each(candidates.collect(), read, &keys, context, |candidate, checked| {
        match checked.and_then(|(document, checked)| verdict(&document, &checked, &keys, context)) {
            Ok(()) => removable.push(candidate),
            Err(failure) => kept.push((candidate.config, failure)),
        }
    });
    let backups = || removable.iter().flat_map(|candidate| &candidate.backups);
    let mut removal = Removal::default();
    if !removable.is_empty() {
        if !args.yes {
            if !args.at.json {
                backups().try_for_each(|backup| output::result(shown(&backup.path)))?;
            }
            confirm(backups().count(), context)?;
        }
        // Not before: a lock is not held while a person thinks.
        let configs: Vec<_> = removable.iter().map(|candidate| candidate.config.clone()).collect();
        let tell = |notice| tell_notice(notice, context);
        env::raise_file_limit();
        let _lock = store::lock(&configs, context.lock_wait, &tell)?;
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
        // With a question they are on the screen already.
        let names_each = args.yes && !args.at.json;
        for candidate in &removable {
            if let Err(failure) = removal.remove(candidate, &keys, names_each, context) {
                kept.push((candidate.config.clone(), failure));
            }
        }
        let files: Vec<_> = removal.removed.iter().map(|backup| backup.path.as_path()).collect();
        entry.outcome = if removal.left == 0 && kept.is_empty() { Outcome::Done } else { Outcome::PartlyDone };
        entry.files = &files;
        context.audit.record_done(&entry, &context.report);
    }
    for (config, failure) in &kept {
        context.report.warn(format_args!("the backups of {} stay: {}", shown(&config.path), failure.what()));
    }
    let told = if args.at.json {
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
                "looked_at": listed.looked_at,
                "skipped": output::skipped_in_json(&listed.skipped),
                "failed": output::failed_in_json(&removal.failed),
            }),
        )
    } else {
        output::result(format_args!(
            "{} removed, of {}",
            count(removal.removed.len(), "backup"),
            looked_at(listed.looked_at, listed.skipped.len())
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
    /// What the config was when it was judged.
    judged: Cell<Option<Identity>>,
}

/// How far the removal has come.
#[derive(Default)]
struct Removal<'c> {
    removed: Vec<&'c ConfigPath>,
    /// Backups that cannot be removed, and why.
    failed: Vec<(String, Failure)>,
    /// How many were not reached, because of an interruption.
    left: usize,
}

impl<'c> Removal<'c> {
    /// Removes the backups of a config that is still what was judged, or passes again. With `names_each` each is named on
    /// stdout once it is gone, so that a run that is killed has said which are.
    ///
    /// # Errors
    /// That the config changed and does not pass any more; its backups stay then.
    fn remove(&mut self, candidate: &'c Candidate, keys: &Keyring, names_each: bool, context: &Context) -> Result<()> {
        let Candidate { config, backups, judged } = candidate;
        if !judged.get().is_some_and(|identity| config.is_still(identity)) {
            let (_, document) = load_to_open(config, context)?;
            verdict(&document, &verify::check(&document, keys, context), keys, context)?;
        }
        for backup in backups {
            if interrupt::requested() {
                self.left += 1;
                continue;
            }
            // Another run may have been faster.
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
                // A closed stdout is no reason to leave the rest; it is told at the end.
                let _ = output::result(shown(&backup.path));
            }
        }
        Ok(())
    }
}

/// Asks whether so many backups are to go; anything but yes, Enter alone too, is a no.
fn confirm(backups: usize, context: &Context) -> Result<()> {
    let question = format!("{} Type yes: ", removal_question(backups));
    match context.prompts.ask(&question, &Otherwise::BackupsStay)? {
        Ok((Answer::Yes, _)) => Ok(()),
        Ok(_) => Err(RotationFailure::NotConfirmed.into()),
        Err(why) => Err(RotationFailure::NotAsked { backups, why }.into()),
    }
}

/// Whether the backups of a config may go. One that has lost its tokens opens as well, but its backups have the last of them.
fn verdict(document: &ConfigText, checked: &Verification, keys: &Keyring, context: &Context) -> Result<()> {
    if document.tokens.is_empty() {
        return Err(RotationFailure::NoTokensLeft { config: document.path.clone() }.into());
    }
    checked.verdict(document, keys, context)
}
