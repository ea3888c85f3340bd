//! `rotate`: what came of a rotation, in words or JSON, and what to do next.
//! The work itself is in `rotate.rs` and, the other way round, in `rollback.rs`.
//! The exit code says whether all was done: 0, 8 if some files failed, 9 if interrupted.

use serde_json::json;

use crate::Context;
use crate::args::Rotate;
use crate::failure::{Exit, Failure, Result};
use crate::report::{self, shown};
use crate::rotate::{self, Outcome};
use crate::{rollback, terminal};

pub(crate) fn run(args: &Rotate, context: &Context) -> Result<()> {
    if args.rollback {
        return rollback::run(args, context);
    }
    let outcome = rotate::run(args, context)?;
    if args.json {
        report::result(in_json(&outcome, args))?;
    } else {
        in_words(&outcome, args)?;
        if let Some(text) = outcome.new_text.as_ref().filter(|_| !args.dry_run && !outcome.rotated.is_empty()) {
            show_once(text, context)?;
        }
    }
    verdict(&outcome, args)
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
    report::result(format_args!(
        "{} {verb}, {} skipped, {} failed",
        outcome.rotated.len(),
        outcome.skipped.len(),
        outcome.failed.len()
    ))?;
    if args.dry_run || outcome.rotated.is_empty() {
        return Ok(());
    }
    let key_file = shown(&outcome.key_file);
    report::result(format_args!("Old key {}, new key {} in {key_file}", outcome.old_id, outcome.new_id))?;
    report::result("Update the environment of everything that reads these configs:")?;
    report::result(format_args!("  export PROXMOX_MCP_MASTER_KEY=$(cat {key_file})"))?;
    report::result("To go back while the old key is set: fernseal rotate --rollback PATH")?;
    report::result("Backups still open with the old key. If it leaked, change the secrets themselves at the service,")?;
    report::result("and remove the backups: fernseal backups prune DIR")
}

fn in_json(outcome: &Outcome, args: &Rotate) -> serde_json::Value {
    json!({
        "schema": 1,
        "command": "rotate",
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
    let resume = format!("fernseal rotate PATH --new-key-file {}", shown(&outcome.key_file));
    if outcome.left > 0 {
        let what = format!("interrupted: {} files are not rotated yet", outcome.left);
        return Err(Failure::new(Exit::Interrupted, what, format!("finish with: {resume}")));
    }
    match outcome.failed.len() {
        0 => Ok(()),
        _ if args.dry_run => Err(Failure::new(Exit::Partial, "some files cannot be rotated", "see the list")),
        count => Err(Failure::new(
            Exit::Partial,
            format!("{count} files were not rotated and are as they were"),
            format!("mend what is listed, then finish with: {resume}"),
        )),
    }
}
