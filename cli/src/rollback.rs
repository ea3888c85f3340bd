//! The way back from a rotation: the newest backup of each config is put in its place.
//! Only where it opens with the key at hand, and only where nothing has changed since but what the rotation changed.
//! The backups stay.

use serde_json::json;

use crate::Context;
use crate::args::Rotate;
use crate::audit::Entry;
use crate::document::Document;
use crate::failure::{Exit, Failure, Result};
use crate::keys::{self, Keyring};
use crate::report::{self, shown};
use crate::store::{self, Config};
use crate::{commands, interrupt};

/// What became of one config.
enum Done {
    /// The backup is in its place.
    RolledBack(String),
    /// It was left, for this reason.
    Skipped(&'static str),
}

pub(crate) fn run(args: &Rotate, context: &Context) -> Result<()> {
    interrupt::listen();
    let keys = context.keys()?;
    let mut found = store::find(&args.paths)?;
    if let Some(backup_dir) = &args.backup_dir {
        found.look_into(backup_dir);
    }
    let lock = store::lock(&found)?;
    let files: Vec<_> = found.configs.iter().map(|config| config.path.as_path()).collect();
    let mut entry =
        Entry { command: "rollback", outcome: "started", files: &files, pointers: &[], keys: &[keys.current()] };
    if !args.dry_run {
        context.audit.record(&entry)?;
        lock.remove_leftovers(|path| {
            context.report.note(format_args!("removed {}, left by a run that was killed", shown(path)));
        });
    }

    let mut results = Vec::new();
    let (mut rolled_back, mut failed, mut reached) = (0, 0, 0);
    // A stdout that is full or closed is told of at the end: it does not keep files from going back.
    let mut told = Ok(());
    for config in &found.configs {
        if interrupt::requested() {
            break;
        }
        reached += 1;
        let file = shown(&config.path);
        let (line, entry) = match roll_back(config, &keys, args, context) {
            Ok(Done::RolledBack(backup)) => {
                rolled_back += 1;
                let verb = if args.dry_run { "would put back" } else { "put back" };
                (
                    format!("{verb} {file} from {backup}"),
                    json!({ "file": file, "result": "put back", "backup": backup }),
                )
            }
            Ok(Done::Skipped(reason)) => {
                (format!("skipped {file}: {reason}"), json!({ "file": file, "result": "skipped", "reason": reason }))
            }
            Err(failure) => {
                failed += 1;
                (
                    format!("failed {file}: {}\n  next: {}", failure.what, failure.next),
                    json!({ "file": file, "result": "failed", "reason": failure.what, "next": failure.next }),
                )
            }
        };
        if args.json {
            results.push(entry);
        } else {
            told = told.and_then(|()| report::result(line));
        }
    }
    let left = found.configs.len() - reached;
    told = told.and_then(|()| match args.json {
        true => report::json("rollback", json!({ "dry_run": args.dry_run, "files": results, "left": left })),
        false => report::result(format_args!("{rolled_back} put back, {failed} failed, of {}", found.configs.len())),
    });
    if !args.dry_run {
        entry.outcome = if failed == 0 && left == 0 { "done" } else { "partly done" };
        if let Err(failure) = context.audit.record(&entry) {
            context.report.warn(failure.what);
        }
    }
    if left > 0 {
        let what = format!("interrupted: {left} files were not looked at");
        return Err(Failure::new(Exit::Interrupted, what, "run the same command again: it goes on where it stopped"));
    }
    match failed {
        0 => told,
        _ => Err(Failure::new(
            Exit::Partial,
            format!("{failed} files were not put back and are as they were"),
            "see the list",
        )),
    }
}

fn roll_back(config: &Config, keys: &Keyring, args: &Rotate, context: &Context) -> Result<Done> {
    let backups = store::backups_of(config, args.backup_dir.as_deref())?;
    let Some(newest) = backups.last() else { return Ok(Done::Skipped("no backup")) };
    let (source, present) = commands::load(config, context)?;
    if opens(&present, keys, context).is_ok() {
        return Ok(Done::Skipped("opens with the key at hand already"));
    }
    let (_, before) = commands::load(newest, context)?;
    opens(&before, keys, context)?;
    if !present.differs_only_in_tokens(&before) {
        let what = format!("{} was edited since {} was made", present.name, before.name);
        return Err(Failure::new(Exit::Other, what, "compare the two, and copy by hand what is wanted"));
    }
    if present.is_newer_than(store::backup_stamp(&newest.path).unwrap_or_default()) {
        let what = format!("a secret in {} was set since {} was made", present.name, before.name);
        let next = "the backup does not hold it; go on with the new key, or copy by hand what is wanted";
        return Err(Failure::new(Exit::Other, what, next));
    }
    if !args.dry_run {
        source.replace(&[before.text.as_bytes()])?;
    }
    Ok(Done::RolledBack(before.name))
}

/// Whether every token of `document` opens.
pub(crate) fn opens(document: &Document, keys: &Keyring, context: &Context) -> Result<()> {
    let tokens: Vec<_> = document.tokens.iter().map(|token| (document, token)).collect();
    for (opened, (_, token)) in keys::open(&tokens, keys, context.threads).into_iter().zip(&tokens) {
        opened.map_err(|error| document.failure(&token.pointer, error))?;
    }
    Ok(())
}
