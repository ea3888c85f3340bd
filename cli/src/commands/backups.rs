//! `backups`: what rotations left beside the configs, and its removal once it is no longer needed.
//! A backup goes only when the config that it is of has tokens, and all of them open with the key at hand.
//! Nothing is removed unasked.

use serde_json::json;

use super::load;
use crate::args::{Backups, BackupsAt, Prune};
use crate::audit::Entry;
use crate::config::text::ConfigText;
use crate::context::Context;
use crate::error::{Exit, Failure, Result};
use crate::keys::Keyring;
use crate::output;
use crate::output::terminal::Answer;
use crate::quote::{self, shown};
use crate::store::{self, ConfigPath};
use crate::tokens::verify::{Verification, verify_each};

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
    // Not while a rotation makes some.
    let _lock = store::lock(&found)?;
    let found = backups(&found.configs, &args.at)?;
    let keys = context.keys()?;
    let mut removable = Vec::new();
    let mut kept = Vec::new();
    let read = |(config, _): &(ConfigPath, _)| load(config, context).map(|(_, document)| document);
    verify_each(found, read, &keys, context, |(config, backups), checked| {
        match checked.and_then(|(document, checked)| verdict(&document, &checked, &keys, context)) {
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
    if !removable.is_empty() {
        let question = format!("Remove {}?", quote::count(removable.len(), "backup"));
        if !args.yes {
            confirm(&question, context)?;
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
            backup.remove()?;
        }
        entry.outcome = "done";
        context.audit.record_done(&entry, &context.report);
    }
    if args.at.json {
        let kept: Vec<_> = kept
            .iter()
            .map(|(config, failure)| json!({ "config": shown(&config.path), "reason": failure.what }))
            .collect();
        let removed: Vec<_> = removable.iter().map(|backup| shown(&backup.path)).collect();
        output::json("backups prune", json!({ "removed": removed, "kept": kept }))?;
    } else {
        output::result(format_args!("{} removed", quote::count(removable.len(), "backup")))?;
    }
    match kept.len() {
        0 => Ok(()),
        count => Err(Failure::new(
            Exit::Partial,
            format!("the backups of {} stay", quote::count(count, "config")),
            "the warnings say why; `fernseal verify CONFIG` says which tokens open",
        )),
    }
}

/// Asks `question`; anything but yes, Enter alone too, is a no.
fn confirm(question: &str, context: &Context) -> Result<()> {
    let otherwise = "nothing was removed; run it again and answer yes, or give --yes";
    let refused = |what: String| Err(Failure::new(Exit::Other, what, otherwise));
    match context.prompts.ask(&format!("{question} Type yes: "), otherwise)? {
        Some((Answer::Yes, _)) => Ok(()),
        Some(_) => refused("not confirmed".to_owned()),
        None => {
            let why = context.prompts.absence().unwrap_or("nobody is there");
            refused(format!("not confirmed: \"{question}\" was not asked, as {why}"))
        }
    }
}

/// Whether the backups of a config may go. One that has lost its tokens opens as well, but its backups have the last of them.
fn verdict(document: &ConfigText, checked: &Verification, keys: &Keyring, context: &Context) -> Result<()> {
    if document.tokens.is_empty() {
        let what = format!("{} has no encrypted values any more", document.name);
        return Err(Failure::new(Exit::Other, what, "remove its backups by hand if none is needed"));
    }
    checked.verdict(document, keys, context)
}
