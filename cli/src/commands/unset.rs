//! `unset`: removes one member of a config, with its comma. Everything else stays byte for byte. It needs no key, as it
//! opens nothing. The removed secret is lost, unless a backup contains it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::{Reading, read};
use crate::audit::{Entry, Outcome, Verb};
use crate::config::text::{ConfigText, Edits};
use crate::context::Context;
use crate::error::Result;
use crate::interrupt;
use crate::output;
use crate::quote::{Pointer, count};

/// The options of `unset`.
pub(crate) struct Options {
    pub(crate) config: PathBuf,
    pub(crate) pointer: Pointer,
    pub(crate) json: bool,
    pub(crate) reading: Reading,
    pub(crate) lock_wait: Duration,
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<()> {
    super::refuse_swapped("unset", &options.config, None, (*options.pointer).as_ref())?;
    // Fail early: do not wait for a lock if the value cannot be removed.
    read(&options.config, options.reading, &context.report)?.1.remove(&options.pointer)?;
    let _lock = super::lock(&options.config, options.lock_wait, context)?;
    let (source, document) = read(&options.config, options.reading, &context.report)?;
    let edits = Edits::new(&document, vec![document.remove(&options.pointer)?])?;
    let removed = tokens_at(&document, &options.pointer)?;

    let is_token = document.token_at(&document.find(&options.pointer)?).is_some();
    let own = (!is_token).then_some(&*options.pointer);
    let pointers: Vec<&str> = own.into_iter().chain(removed.iter().copied()).collect();
    let mut entry = Entry {
        verb: Verb::Unset,
        outcome: Outcome::Started,
        files: &[&options.config],
        pointers: &pointers,
        keys: &[],
    };
    interrupt::stop_if_requested()?;
    context.audit.record(&entry)?;
    super::tell_caveats(source.replace(&edits.pieces())?, context);
    entry.outcome = Outcome::Done;
    context.audit.record_done(&entry, &context.report);
    if options.json {
        let fields = json!({ "config": document.name, "removed": options.pointer, "encrypted": removed });
        return output::after_the_work(output::json("unset", fields));
    }
    let with = match removed.len() {
        0 => String::new(),
        _ if is_token => ", an encrypted value".to_owned(),
        tokens => format!(", with {} in it", count(tokens, "encrypted value")),
    };
    context.report.note(format_args!("removed {} from {}{with}", options.pointer, document.name));
    Ok(())
}

/// Returns the pointers of the tokens that the value at `pointer` is or contains.
fn tokens_at<'d>(document: &'d ConfigText, pointer: &str) -> Result<Vec<&'d str>> {
    let span = document.find(pointer)?.spot.span;
    Ok(document.tokens.iter().filter(|token| token.is_within(&span)).map(|token| &*token.pointer).collect())
}
