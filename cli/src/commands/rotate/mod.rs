//! `rotate`: reports what a rotation or rollback did, in words or JSON, and what to do next.
//!
//! The work itself is in `rotation` and `rollback`. Nothing is asked except for the old master key, if it is not set: a
//! rotation on an unattended terminal must not hang. The exit code is 0 if everything was done, 8 if some files failed,
//! and 9 after an interruption.

pub(crate) mod rollback;
pub(crate) mod rotation;

use serde_json::json;

use crate::context::Context;
use crate::error::{Failure, Result, RotationFailure};
use crate::keys::derive;
use crate::output;
use crate::quote::{and_skipped, count, exports, quoted_path, shown};
use crate::store::BackupPlace;

use rollback::RollbackOutcome;
use rotation::{RotationReport, follow_up, resume};

/// The options of `rotate`.
pub(crate) enum Options {
    Rotation(rotation::Options),
    Rollback(rollback::Options),
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<()> {
    match options {
        Options::Rotation(options) => rotate(options, context),
        Options::Rollback(options) => roll_back(options, context),
    }
}

fn rotate(options: &rotation::Options, context: &Context) -> Result<()> {
    options.jobs.into_iter().for_each(derive::use_threads);
    let outcome = rotation::run(options, context)?;
    let told = if options.json {
        output::json("rotate", in_json(&outcome, options))
    } else {
        in_words(&outcome, options, context)
    };
    // How to continue matters more than an error on stdout.
    verdict(&outcome, options, context)?;
    if options.dry_run { told } else { output::after_the_work(told) }
}

fn in_words(outcome: &RotationReport, options: &rotation::Options, context: &Context) -> Result<()> {
    let verb = if options.dry_run { "would rotate" } else { "rotated" };
    for file in &outcome.rotated {
        let backup = file.backup.as_ref().map_or_else(String::new, |path| format!(", backup {}", shown(path)));
        output::result(format_args!("{verb} {} ({}{backup})", file.file, count(file.tokens, "token")))?;
    }
    for (file, reason) in &outcome.skipped {
        output::result(format_args!("skipped {file}: {reason}"))?;
    }
    for (file, failure) in &outcome.failed {
        output::result(failed(file, failure))?;
    }
    let left = if outcome.left == 0 { String::new() } else { format!(", {} not reached", outcome.left) };
    output::result(format_args!(
        "{} {verb}, {} skipped, {} failed{left}",
        outcome.rotated.len(),
        outcome.skipped.len(),
        outcome.failed.len()
    ))?;
    if options.dry_run || !outcome.new_key_in_use {
        return Ok(());
    }
    let key_file = shown(&outcome.key_file);
    let old_key_file = outcome.old_key_file.as_deref();
    match old_key_file {
        None => output::result(format_args!("Old key {}, new key {} in {key_file}", outcome.old_id, outcome.new_id))?,
        Some(old) => output::result(format_args!(
            "Old key {} in {}, new key {} in the store and in {key_file}",
            outcome.old_id,
            shown(old),
            outcome.new_id
        ))?,
    }
    let is_whole = outcome.left == 0 && outcome.failed.is_empty();
    if is_whole && let Some(old) = old_key_file {
        output::result("What reads these configs with the key from the store has the new one from now on.")?;
        let (key_file, old) = (quoted_path(&outcome.key_file), quoted_path(old));
        output::result(format_args!("Once nothing needs the two files any more, remove them: rm {key_file} {old}"))?;
    } else if is_whole {
        output::result("Update the environment of everything that reads these configs:")?;
        output::result(exports(&outcome.key_file))?;
    }
    // Files that were already under the new key have backups from an earlier run.
    let has_backups = options.backups != BackupPlace::Nowhere;
    if has_backups {
        let old_key = old_key_file.or(options.keys.file.as_deref());
        let back = follow_up("rotate --rollback", options, old_key, context);
        let condition = if old_key_file.is_some() { "" } else { " while the old key is set" };
        output::result(format_args!("To go back{condition}: {back}"))?;
    }
    match (is_whole, has_backups) {
        // The rest still needs the old key, and the failure that follows says how to continue.
        (false, _) => Ok(()),
        (true, false) => output::result("If the old key leaked, change the secrets themselves at the service."),
        (true, true) => {
            let new_key = options.keys.is_any().then_some(&*outcome.key_file);
            let prune = follow_up("backups prune", options, new_key, context);
            output::result(format_args!(
                "Backups still open with the old key. If it leaked, change the secrets themselves at the service,\n\
                 and remove the backups: {prune}"
            ))
        }
    }
}

fn in_json(outcome: &RotationReport, options: &rotation::Options) -> serde_json::Value {
    json!({
        "dry_run": options.dry_run,
        "rotated": outcome.rotated.iter().map(|file| json!({
            "file": file.file, "tokens": file.tokens, "backup": file.backup.as_ref().map(|path| shown(path)),
        })).collect::<Vec<_>>(),
        "skipped": output::skipped_in_json(&outcome.skipped),
        "failed": output::failed_in_json(&outcome.failed),
        "left": outcome.left,
        "old_key_id": outcome.old_id,
        "new_key_id": outcome.new_id,
        "new_key_file": shown(&outcome.key_file),
        "old_key_file": outcome.old_key_file.as_deref().map(shown),
    })
}

fn verdict(outcome: &RotationReport, options: &rotation::Options, context: &Context) -> Result<()> {
    let resume = resume(options, outcome.old_key_file.as_deref(), &outcome.key_file, context);
    if outcome.left > 0 {
        return Err(RotationFailure::Interrupted { left: outcome.left, resume }.into());
    }
    let failed = outcome.failed.len();
    if failed == 0 && outcome.rotated.is_empty() && !outcome.new_key_in_use {
        let (configs, skipped) = (outcome.configs, outcome.paths_skipped);
        return Err(RotationFailure::NothingToRotate { configs, skipped }.into());
    }
    if failed == 0 {
        return Ok(());
    }
    if options.dry_run {
        return Err(RotationFailure::WouldFail.into());
    }
    if outcome.new_text.is_some() && !outcome.key_made {
        return Err(RotationFailure::AllLeftOut { files: failed }.into());
    }
    let left_out = outcome.left_out;
    Err(RotationFailure::SomeFailed { left_out, failed: failed - left_out, resume }.into())
}

/// Formats the lines for a file that failed.
fn failed(file: &str, failure: &Failure) -> String {
    format!("failed {file}: {}\n  next: {}", failure.what(), failure.next())
}

fn roll_back(options: &rollback::Options, context: &Context) -> Result<()> {
    options.jobs.into_iter().for_each(derive::use_threads);
    let outcome = rollback::run(options, context)?;
    let told = if options.json { rollback_in_json(&outcome, options) } else { rollback_in_words(&outcome, options) };
    if outcome.left > 0 {
        return Err(RotationFailure::RollbackInterrupted { left: outcome.left }.into());
    }
    match outcome.failed() {
        0 if outcome.has_nothing() => Err(RotationFailure::NothingToPutBack {
            configs: outcome.files.len(),
            skipped: outcome.skipped.len(),
            backup_dir: options.backup_dir.clone(),
        }
        .into()),
        0 if options.dry_run => told,
        0 => output::after_the_work(told),
        files if options.dry_run => Err(RotationFailure::SomeWouldNotGoBack { files }.into()),
        files => Err(RotationFailure::SomeNotPutBack { files }.into()),
    }
}

fn rollback_in_words(outcome: &rollback::RollbackReport, options: &rollback::Options) -> Result<()> {
    let (verb, put, fails) = match options.dry_run {
        true => ("would restore", "would be restored", "would fail"),
        false => ("restored", "restored", "failed"),
    };
    for (file, reason) in &outcome.skipped {
        output::result(format_args!("skipped {file}: {reason}"))?;
    }
    for (file, done) in &outcome.files {
        output::result(match done {
            Ok(RollbackOutcome::PutBack(backup)) => format!("{verb} {file} from {backup}"),
            Ok(RollbackOutcome::Skipped(reason)) => format!("skipped {file}: {reason}"),
            Err(failure) => failed(file, failure),
        })?;
    }
    let put_back = outcome.files.iter().filter(|(_, done)| matches!(done, Ok(RollbackOutcome::PutBack(_)))).count();
    let of = outcome.files.len() + outcome.left;
    let skipped = and_skipped(outcome.skipped.len());
    output::result(format_args!("{put_back} {put}, {} {fails}, of {of}{skipped}", outcome.failed()))
}

fn rollback_in_json(outcome: &rollback::RollbackReport, options: &rollback::Options) -> Result<()> {
    let files = outcome.files.iter().map(|(file, done)| match done {
        Ok(RollbackOutcome::PutBack(backup)) => json!({ "file": file, "result": "restored", "backup": backup }),
        Ok(RollbackOutcome::Skipped(reason)) => {
            json!({ "file": file, "result": "skipped", "reason": reason.to_string() })
        }
        Err(failure) => {
            json!({ "file": file, "result": "failed", "reason": failure.what(), "next": failure.next() })
        }
    });
    let files: Vec<_> = files.collect();
    let skipped = output::skipped_in_json(&outcome.skipped);
    output::json(
        "rollback",
        json!({ "dry_run": options.dry_run, "files": files, "skipped": skipped, "left": outcome.left }),
    )
}
