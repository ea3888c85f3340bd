//! `rotate`: what came of a rotation, in words or JSON, and what to do next.
//! The work itself is in `rotate.rs` and, the other way round, in `rollback.rs`.
//! The exit code says whether all was done: 0, 8 if some files failed, 9 if interrupted.

use std::path::PathBuf;

use serde_json::json;

use crate::Context;
use crate::args::Rotate;
use crate::failure::{Exit, Failure, Result};
use crate::report::{self, quoted, shown};
use crate::rotate::{self, Outcome};
use crate::{rollback, terminal};

pub(crate) fn run(args: &Rotate, context: &Context) -> Result<()> {
    if args.rollback {
        return rollback::run(args, context);
    }
    let outcome = rotate::run(args, context)?;
    let told = if args.json { report::json("rotate", in_json(&outcome, args)) } else { in_words(&outcome, args) };
    // How to go on matters more than that stdout is full or closed.
    verdict(&outcome, args)?;
    told?;
    match outcome.new_text.as_ref().filter(|_| !args.dry_run && !args.json && !outcome.rotated.is_empty()) {
        Some(text) => show_once(text, context),
        None => Ok(()),
    }
}

/// The key is in its file already: whoever does not want to see it loses nothing.
fn show_once(text: &str, context: &Context) -> Result<()> {
    if terminal::is_interactive()
        && !context.report.is_quiet()
        && terminal::ask_yes("Show the new key once? Type yes: ")?
    {
        return terminal::show_key_once(text);
    }
    Ok(())
}

fn in_words(outcome: &Outcome, args: &Rotate) -> Result<()> {
    let verb = if args.dry_run { "would rotate" } else { "rotated" };
    for file in &outcome.rotated {
        let backup = file.backup.as_ref().map(|path| format!(", backup {}", shown(path))).unwrap_or_default();
        report::result(format_args!("{verb} {} ({}{backup})", file.file, report::count(file.tokens, "token")))?;
    }
    for (file, reason) in &outcome.skipped {
        report::result(format_args!("skipped {file}: {reason}"))?;
    }
    for (file, failure) in &outcome.failed {
        report::result(format_args!("failed {file}: {}\n  next: {}", failure.what, failure.next))?;
    }
    let left = if outcome.left == 0 { String::new() } else { format!(", {} not reached", outcome.left) };
    report::result(format_args!(
        "{} {verb}, {} skipped, {} failed{left}",
        outcome.rotated.len(),
        outcome.skipped.len(),
        outcome.failed.len()
    ))?;
    if args.dry_run || !outcome.new_key_in_use {
        return Ok(());
    }
    let key_file = shown(&outcome.key_file);
    report::result(format_args!("Old key {}, new key {} in {key_file}", outcome.old_id, outcome.new_id))?;
    report::result("Update the environment of everything that reads these configs:")?;
    report::result(format_args!("  export PROXMOX_MCP_MASTER_KEY=\"$(cat {})\"", quoted(&key_file)))?;
    if outcome.rotated.iter().all(|file| file.backup.is_none()) {
        return report::result("If the old key leaked, change the secrets themselves at the service.");
    }
    let quote = |path: &PathBuf| quoted(&shown(path));
    let paths = args.paths.iter().map(quote).collect::<Vec<_>>().join(" ");
    let kept = args.backup_dir.as_ref().map(|path| format!(" --backup-dir {}", quote(path))).unwrap_or_default();
    report::result(format_args!("To go back while the old key is set: fernseal rotate --rollback {paths}{kept}"))?;
    report::result("Backups still open with the old key. If it leaked, change the secrets themselves at the service,")?;
    report::result(format_args!("and remove the backups: fernseal backups prune {paths}{kept}"))
}

fn in_json(outcome: &Outcome, args: &Rotate) -> serde_json::Value {
    json!({
        "dry_run": args.dry_run,
        "rotated": outcome.rotated.iter().map(|file| json!({
            "file": file.file, "tokens": file.tokens, "backup": file.backup.as_ref().map(|path| shown(path)),
        })).collect::<Vec<_>>(),
        "skipped": outcome.skipped.iter()
            .map(|(file, reason)| json!({ "file": file, "reason": reason })).collect::<Vec<_>>(),
        "failed": outcome.failed.iter()
            .map(|(file, failure)| json!({ "file": file, "reason": failure.what, "next": failure.next }))
            .collect::<Vec<_>>(),
        "left": outcome.left,
        "old_key_id": outcome.old_id,
        "new_key_id": outcome.new_id,
        "new_key_file": shown(&outcome.key_file),
    })
}

fn verdict(outcome: &Outcome, args: &Rotate) -> Result<()> {
    let resume = rotate::resume(args, &outcome.key_file);
    if outcome.left > 0 {
        let what = format!("interrupted: {} files are not rotated yet", outcome.left);
        return Err(Failure::new(Exit::Interrupted, what, format!("finish with: {resume}")));
    }
    match outcome.failed.len() {
        0 => Ok(()),
        _ if args.dry_run => Err(Failure::new(Exit::Partial, "some files cannot be rotated", "see the list")),
        count if outcome.new_text.is_some() && !outcome.key_file.exists() => Err(Failure::new(
            Exit::Partial,
            format!("{count} files cannot be rotated; nothing was changed"),
            "mend what is listed, then run it again",
        )),
        count => Err(Failure::new(
            Exit::Partial,
            format!("{count} files failed; each opens with the old key or the new one"),
            format!("mend what is listed, then finish with: {resume}"),
        )),
    }
}
