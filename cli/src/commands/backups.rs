//! `backups`: what rotations left beside the configs, and its removal once it is no longer needed.
//! A backup goes only when the config that it is of has tokens, and all of them open with the key at hand.
//! Nothing is removed unasked.

use serde_json::json;

use super::load;
use crate::args::{Backups, BackupsAt, BackupsVerb, Prune};
use crate::audit::Entry;
use crate::config::text::ConfigText;
use crate::context::Context;
use crate::error::{Exit, Failure, Result};
use crate::output;
use crate::output::terminal;
use crate::quote::{count, shown};
use crate::store::{self, ConfigPath, Found};
use crate::tokens::verify::{Verification, verify_each};

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
        listed.unread.dedup_by(|(_, failure), (_, before)| failure.what == before.what);
        Ok(listed)
    }

    fn into_failures(self) -> impl Iterator<Item = Failure> {
        self.unread.into_iter().map(|(_, failure)| failure)
    }
}

fn list(at: &BackupsAt) -> Result<()> {
    let listed = Listed::of(&mut store::find(&at.paths), at)?;
    tell(&listed, at.json)?;
    output::say_all(listed.into_failures())
}

fn tell(listed: &Listed, as_json: bool) -> Result<()> {
    if as_json {
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
    output::result(format_args!(
        "{} of {}",
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
    let mut found = store::find(&args.at.paths);
    let listed = Listed::of(&mut found, &args.at)?;
    if !listed.unread.is_empty() {
        return output::say_all(
            listed
                .into_failures()
                .map(|failure| Failure { next: format!("nothing was removed; {}", failure.next), ..failure }),
        );
    }
    // Not while a rotation makes some.
    let _lock = store::lock(&found)?;
    let configs = listed.looked_at;
    let keys = context.keys()?;
    let mut removable = Vec::new();
    let mut kept = Vec::new();
    let read = |(config, _): &(ConfigPath, _)| load(config, context).map(|(_, document)| document);
    verify_each(listed.configs, read, &keys, context, |(config, backups), checked| {
        match checked.and_then(|(document, checked)| verdict(&document, &checked)) {
            Ok(()) => removable.extend(backups),
            Err(failure) => kept.push((config, failure)),
        }
    });
    for (config, failure) in &kept {
        context.report.warn(format_args!("the backups of {} stay: {}", shown(&config.path), failure.what));
    }
    if !args.at.json {
        for backup in &removable {
            output::result(shown(&backup.path))?;
        }
    }
    let mut removed = Vec::new();
    let mut failed = Vec::new();
    if !removable.is_empty() {
        let question = format!("Remove {}? Type yes: ", count(removable.len(), "backup"));
        if !args.yes && !terminal::ask_yes(&question)? {
            let next = "nothing was removed; answer yes, or give --yes";
            return Err(Failure::new(Exit::Other, "not confirmed", next));
        }
        let files: Vec<_> = removable.iter().map(|backup| backup.path.as_path()).collect();
        let mut entry = Entry {
            command: "backups prune",
            outcome: "started",
            files: &files,
            keys: &[keys.current()],
            ..Entry::default()
        };
        context.audit.record(&entry)?;
        for backup in &removable {
            match backup.remove() {
                Ok(()) => removed.push(shown(&backup.path)),
                Err(failure) => failed.push((shown(&backup.path), failure)),
            }
        }
        entry.outcome = if failed.is_empty() { "done" } else { "partly done" };
        context.audit.record_done(&entry, &context.report);
    }
    if args.at.json {
        let kept: Vec<_> = kept
            .iter()
            .map(|(config, failure)| json!({ "config": shown(&config.path), "reason": failure.what }))
            .collect();
        output::json(
            "backups prune",
            json!({
                "removed": removed,
                "kept": kept,
                "looked_at": configs,
                "skipped": output::skipped_in_json(&listed.skipped),
                "failed": output::failed_in_json(&failed),
            }),
        )?;
    } else {
        output::result(format_args!(
            "{} removed, of {}",
            count(removed.len(), "backup"),
            looked_at(configs, listed.skipped.len())
        ))?;
    }
    if !failed.is_empty() {
        return output::say_all(failed.into_iter().map(|(_, failure)| failure));
    }
    match kept.len() {
        0 => Ok(()),
        kept => Err(Failure::new(
            Exit::Partial,
            format!("the backups of {} stay", count(kept, "config")),
            "the warnings say why; `fernseal verify CONFIG` says which tokens open",
        )),
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
