//! `backups`: what rotations left beside the configs, and its removal once it is no longer needed.
//! A backup goes only when the config that it is of has tokens, and all of them open with the key at hand.
//! Nothing is removed unasked.

use std::cell::Cell;

use serde_json::json;

use super::{load, tell_caveats, tell_notice};
use crate::args::{Backups, BackupsAt, Prune};
use crate::audit::Entry;
use crate::config::text::ConfigText;
use crate::context::Context;
use crate::env;
use crate::error::{Exit, Failure, Result};
use crate::interrupt;
use crate::keys::Keyring;
use crate::output;
use crate::output::terminal;
use crate::quote::{self, shown};
use crate::store::{self, ConfigPath, Identity};
use crate::tokens::verify::{self, Verification, verify_each};

pub(crate) fn run(args: &Backups, context: &Context) -> Result<()> {
    match args {
        Backups::List(at) => list(at),
        Backups::Prune(args) => prune(args, context),
    }
}

/// Each config that has backups, with them, the oldest first.
fn backups(configs: &[ConfigPath], at: &BackupsAt) -> Result<Vec<(ConfigPath, Vec<ConfigPath>)>> {
    let mut found = Vec::new();
    let mut finder = store::Backups::new(at.backup_dir.as_deref())?;
    for config in configs {
        let backups = finder.of(config)?;
        if !backups.is_empty() {
            found.push((config.clone(), backups));
        }
    }
    Ok(found)
}

fn list(at: &BackupsAt) -> Result<()> {
    let store::Found { configs, unread, .. } = store::find(&at.paths)?;
    let found = backups(&configs, at)?;
    tell(&found, at.json)?;
    output::say_all(unread.into_iter().map(|(_, failure)| failure))
}

fn tell(found: &[(ConfigPath, Vec<ConfigPath>)], as_json: bool) -> Result<()> {
    if as_json {
        let entries: Vec<_> = found
            .iter()
            .map(|(config, backups)| {
                let backups: Vec<_> = backups.iter().map(|backup| shown(&backup.path)).collect();
                json!({ "config": shown(&config.path), "backups": backups })
            })
            .collect();
        return output::json("backups list", json!({ "configs": entries }));
    }
    for (config, backups) in found {
        output::result(format_args!("{}:", shown(&config.path)))?;
        for backup in backups {
            output::result(format_args!("  {}", shown(&backup.path)))?;
        }
    }
    output::result(quote::count(found.iter().map(|(_, backups)| backups.len()).sum(), "backup"))
}

fn prune(args: &Prune, context: &Context) -> Result<()> {
    let mut found = store::find(&args.at.paths)?;
    output::say_all(found.unread.drain(..).map(|(_, failure)| failure))?;
    let candidates = backups(&found.configs, &args.at)?;
    let candidates =
        candidates.into_iter().map(|(config, backups)| Candidate { config, backups, judged: Cell::new(None) });
    let keys = context.keys()?;
    let mut removable = Vec::new();
    let mut kept = Vec::new();
    let read = |candidate: &Candidate| {
        let (source, document) = load(&candidate.config, context)?;
        candidate.judged.set(Some(source.identity()));
        Ok(document)
    };
    verify_each(candidates.collect(), read, &keys, context, |candidate, checked| {
        match checked.and_then(|(document, checked)| verdict(&document, &checked)) {
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
            let question = format!("Remove {}? Type yes: ", quote::count(backups().count(), "backup"));
            if !terminal::ask_yes(&question)? {
                let next = "nothing was removed; answer yes, or give --yes";
                return Err(Failure::new(Exit::Other, "not confirmed", next));
            }
        }
        // Not before: a lock is not held while a person thinks.
        let configs: Vec<_> = removable.iter().map(|candidate| candidate.config.clone()).collect();
        let tell = |notice| tell_notice(notice, context);
        env::raise_file_limit();
        let _lock = store::lock(&configs, context.lock_wait, &tell)?;
        interrupt::stop_if_requested()?;
        let files: Vec<_> = backups().map(|backup| backup.path.as_path()).collect();
        let mut entry = Entry {
            command: "backups prune",
            outcome: "started",
            files: &files,
            keys: &[keys.current()],
            ..Entry::default()
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
        entry.outcome = if removal.left == 0 && kept.is_empty() { "done" } else { "partly done" };
        entry.files = &files;
        context.audit.record_done(&entry, &context.report);
    }
    for (config, failure) in &kept {
        context.report.warn(format_args!("the backups of {} stay: {}", shown(&config.path), failure.what));
    }
    let told = if args.at.json {
        let kept: Vec<_> = kept
            .iter()
            .map(|(config, failure)| json!({ "config": shown(&config.path), "reason": failure.what }))
            .collect();
        let removed: Vec<_> = removal.removed.iter().map(|backup| shown(&backup.path)).collect();
        output::json("backups prune", json!({ "removed": removed, "kept": kept }))
    } else {
        output::result(format_args!("{} removed", quote::count(removal.removed.len(), "backup")))
    };
    if removal.left > 0 {
        let what = format!("interrupted: {} not removed", quote::count(removal.left, "backup"));
        return Err(Failure::new(Exit::Interrupted, what, "run the same command again: it goes on where it stopped"));
    }
    told?;
    match kept.len() {
        0 => Ok(()),
        count => Err(Failure::new(
            Exit::Partial,
            format!("the backups of {} stay", quote::count(count, "config")),
            "the warnings say why; `fernseal verify CONFIG` says which tokens open",
        )),
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
    /// How many were not reached, because of an interruption.
    left: usize,
}

impl<'c> Removal<'c> {
    /// Removes the backups of a config that is still what was judged, or passes again. With `names_each` each is named on
    /// stdout once it is gone, so that a run that is killed has said which are.
    fn remove(&mut self, candidate: &'c Candidate, keys: &Keyring, names_each: bool, context: &Context) -> Result<()> {
        let Candidate { config, backups, judged } = candidate;
        if !judged.get().is_some_and(|identity| config.is_still(identity)) {
            let (_, document) = load(config, context)?;
            verdict(&document, &verify::check(&document, keys, context))?;
        }
        for backup in backups {
            if interrupt::requested() {
                self.left += 1;
                continue;
            }
            // Another run may have been faster.
            if !backup.exists() {
                continue;
            }
            tell_caveats(backup.remove()?, context);
            self.removed.push(backup);
            if names_each {
                // That stdout is closed is no reason to leave the rest, and is told at the end.
                let _ = output::result(shown(&backup.path));
            }
        }
        Ok(())
    }
}

/// Whether the backups of a config may go. One that has lost its tokens opens as well, but its backups have the last of them.
fn verdict(document: &ConfigText, checked: &Verification) -> Result<()> {
    if document.tokens.is_empty() {
        let what = format!("{} has no encrypted values any more", document.name);
        return Err(Failure::new(Exit::Other, what, "remove its backups by hand if none is needed"));
    }
    checked.verdict(document)
}
