//! The way back from a rotation: the newest backup of each config is put in its place.
//! Only where it opens with the key at hand, and only where nothing but tokens has changed since.
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
    let found = store::find(&args.paths)?;
    let _lock = store::lock(&found)?;
    let files: Vec<_> = found.configs.iter().map(|config| config.path.as_path()).collect();
    let mut entry =
        Entry { command: "rollback", outcome: "started", files: &files, pointers: &[], keys: &[keys.current()] };
    if !args.dry_run {
        context.audit.record(&entry)?;
    }

    let mut results = Vec::new();
    let (mut rolled_back, mut failed) = (0, 0);
    for config in &found.configs {
        if interrupt::requested() {
            let next = "run the same command again: it goes on where it stopped";
            return Err(Failure::new(Exit::Interrupted, "interrupted between two files", next));
        }
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
            report::result(line)?;
        }
    }
    if args.json {
        report::result(json!({ "schema": 1, "command": "rollback", "dry_run": args.dry_run, "files": results }))?;
    } else {
        report::result(format_args!("{rolled_back} put back, {failed} failed, of {}", found.configs.len()))?;
    }
    if !args.dry_run {
        entry.outcome = if failed == 0 { "done" } else { "partly done" };
        if let Err(failure) = context.audit.record(&entry) {
            context.report.warn(failure);
        }
    }
    match failed {
        0 => Ok(()),
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
