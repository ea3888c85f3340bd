//! `merge`: git's merge driver for configs with tokens. It merges the opened texts, and never writes them to a disk.
//!
//! Two tokens of one secret differ in every character, so git alone finds conflicts where no secret changed. Here each
//! token becomes a stand-in, the same for equal secrets, and git merges the lines ([`lines`]). Where that leaves
//! conflicts, the secrets are merged by their pointers first ([`values`]), so that two neighbours can change. Then each
//! stand-in becomes a token of its secret again. A secret is sealed again only if no token fits: the versions are under
//! different keys, or one of them has encrypted a value that the other has changed.

mod lines;
mod secrets;
mod values;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use self::lines::{Marked, Part, StandIns};
use self::secrets::Secrets;
use self::values::{Settled, Value};
use super::Reading;
use crate::audit::{Entry, Outcome, Verb};
use crate::config::text::{ConfigText, FormatSource, TextFormat};
use crate::context::Context;
use crate::error::{Bug, ConfigFailure, Failure, Result};
use crate::interrupt;
use crate::keys::{KeyOptions, Keyring};
use crate::output::Report;
use crate::quote::{Pointer, count, shown};
use crate::store::{ConfigPath, merge_lines};
use crate::time;
use crate::tokens;

/// The names of the versions in messages and conflicts. Every array of three has this order.
const NAMES: [&str; 3] = ["base", "ours", "theirs"];
const BASE: usize = 0;
const OURS: usize = 1;
const THEIRS: usize = 2;

/// The options of `merge`.
pub(crate) struct Options {
    pub(crate) base: PathBuf,
    /// The result replaces this file.
    pub(crate) ours: PathBuf,
    pub(crate) theirs: PathBuf,
    /// The config's path in git, for its format and for messages. If it is `None`, that is `ours`.
    pub(crate) path: Option<PathBuf>,
    /// The number of characters in the lines that mark a conflict.
    pub(crate) marker_size: usize,
    pub(crate) keys: KeyOptions,
    pub(crate) reading: Reading,
    pub(crate) lock_wait: Duration,
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<()> {
    match merge(options, context) {
        Ok(left) => left.map_or(Ok(()), Err),
        Err(failure) => {
            if options.path.is_some() {
                // If this fails too, the first failure is still the one to report.
                let _ = leave_to_git(options, context);
            }
            Err(Failure::NotMerged(Box::new(failure)))
        }
    }
}

/// Writes to OURS, git's temporary file, the content that it would have without a merge driver. Git ignores it after
/// this exit code. But older versions such as 2.39 take every exit code for conflicts: without conflict markers in the
/// file, the other side's changes would be lost.
fn leave_to_git(options: &Options, context: &Context) -> Result<()> {
    let read = |path: &Path| {
        let mut file = ConfigPath::named(path).read()?;
        let bytes = Zeroizing::new(file.take_bytes());
        let text = std::str::from_utf8(&bytes).map(|text| Zeroizing::new(text.to_owned()));
        let not_utf8 = |error: std::str::Utf8Error| ConfigFailure::NotUtf8 {
            config: path.to_owned(),
            offset: error.valid_up_to(),
        };
        Ok::<_, Failure>((file, text.map_err(not_utf8)?))
    };
    let [(_, base), (ours_file, ours), (_, theirs)] =
        [read(&options.base)?, read(&options.ours)?, read(&options.theirs)?];
    let merged = merge_lines([&base, &ours, &theirs], NAMES, options.marker_size)?;
    let _lock = super::lock(&options.ours, options.lock_wait, context)?;
    super::tell_caveats(ours_file.replace(&[merged.text.as_bytes()])?, context);
    Ok(())
}

/// Merges, and writes the result to OURS. Returns the conflicts or errors that the user must resolve.
fn merge(options: &Options, context: &Context) -> Result<Option<Failure>> {
    // Git gives the versions temporary names, which do not show the format.
    let path = options.path.as_ref().unwrap_or(&options.ours);
    let format = options.reading.format_source(&ConfigPath::named(path));
    let mut source = ConfigPath::named(&options.ours).read()?;
    let documents = [
        parse(path, ConfigPath::named(&options.base).read()?.take_bytes(), format)?,
        parse(path, source.take_bytes(), format)?,
        parse(path, ConfigPath::named(&options.theirs).read()?.take_bytes(), format)?,
    ];
    let merged = match merge_tokens(&documents, options.marker_size)? {
        Some(text) => Merged::without_key(text),
        None => merge_opened(&documents, options, &context.report)?,
    };

    let _lock = super::lock(&options.ours, options.lock_wait, context)?;
    interrupt::stop_if_requested()?;
    let record = |outcome| {
        let Some(keys) = &merged.keys else { return Ok(()) };
        let (files, pointers) = ([path.as_path()], documents[OURS].pointers());
        let (pointers, keys) = (pointers.as_slice(), [keys.current()]);
        context.audit.record(&Entry { verb: Verb::Merge, outcome, files: &files, pointers, keys: &keys })
    };
    record(Outcome::Started)?;
    super::tell_caveats(source.replace(&[merged.text.as_bytes()])?, context);
    if let Err(failure) = record(Outcome::Done) {
        context.report.warn(format_args!("{}; merge itself: done", failure.what()));
    }
    if merged.sealed > 0 {
        context.report.note(format_args!("{}: {} newly encrypted", shown(path), count(merged.sealed, "value")));
    }
    if merged.conflicts > 0 {
        let (config, Merged { conflicts, differing, .. }) = (path.clone(), merged);
        return Ok(Some(ConfigFailure::MergeConflicts { config, conflicts, differing }.into()));
    }
    Ok(unreadable(path, &documents, &merged.text))
}

/// The result of a merge.
struct Merged {
    text: Zeroizing<String>,
    conflicts: usize,
    /// The pointers of the secrets that the two sides have changed differently.
    differing: Vec<Pointer>,
    /// The number of secrets that were sealed again.
    sealed: usize,
    /// The keys, if any were needed.
    keys: Option<Keyring>,
}

impl Merged {
    fn without_key(text: Zeroizing<String>) -> Self {
        Self { text, conflicts: 0, differing: Vec::new(), sealed: 0, keys: None }
    }
}

/// Reads a version. If the text is invalid in its format, only its tokens are read: the base may be empty, or contain
/// conflict markers that git itself added.
fn parse(path: &Path, bytes: Vec<u8>, format: FormatSource) -> Result<ConfigText> {
    let bytes = Zeroizing::new(bytes);
    ConfigText::parse(path, bytes.to_vec(), format)
        .or_else(|_| ConfigText::parse(path, bytes.to_vec(), FormatSource::Given(TextFormat::Text)))
}

/// Merges the texts without opening their tokens, if one side has the same tokens as the base. Then every token of the
/// result is the other side's, and no key is needed. Returns `None` if this is not the case or gives conflicts.
fn merge_tokens(documents: &[ConfigText; 3], marker_size: usize) -> Result<Option<Zeroizing<String>>> {
    let tokens = documents.each_ref().map(|document| {
        let mut tokens: Vec<_> = document.tokens.iter().map(|token| token.text(document)).collect();
        tokens.sort_unstable();
        tokens
    });
    if tokens[BASE] != tokens[OURS] && tokens[BASE] != tokens[THEIRS] {
        return Ok(None);
    }
    let texts = documents.each_ref().map(|document| document.text.as_str());
    let merged = merge_lines(texts, NAMES, marker_size)?;
    Ok((merged.conflicts == 0).then_some(merged.text))
}

/// Merges the opened texts.
fn merge_opened(documents: &[ConfigText; 3], options: &Options, report: &Report) -> Result<Merged> {
    let keys = Keyring::load(&options.keys, report)?;
    let secrets = Secrets::open(documents, &keys, options.reading)?;
    let stand_ins = StandIns::new(documents.each_ref().map(|document| document.text.as_str()));
    let labels = stand_ins.labels();
    let merge = |marked: &[Marked<'_>; 3]| {
        merge_lines(
            marked.each_ref().map(|marked| marked.text.as_str()),
            labels.each_ref().map(String::as_str),
            options.marker_size,
        )
    };

    let nothing = Settled::default();
    let mut marked = documents.each_ref().map(|document| Marked::new(document, &secrets, &nothing, &stand_ins));
    let mut merged = merge(&marked)?;
    let mut settled = nothing;
    if merged.conflicts > 0 {
        settled = Settled::new(documents, &secrets);
        let by_value = documents.each_ref().map(|document| Marked::new(document, &secrets, &settled, &stand_ins));
        let merged_by_value = merge(&by_value)?;
        if merged_by_value.conflicts < merged.conflicts {
            (marked, merged) = (by_value, merged_by_value);
        }
    }
    let parts = lines::restore(&merged.text, &marked, &stand_ins, &secrets, &settled, options.marker_size);
    let (text, sealed) = written(documents, &parts, &secrets, &keys)?;
    let differing = if merged.conflicts > 0 { settled.differing } else { Vec::new() };
    Ok(Merged { text, conflicts: merged.conflicts, differing, sealed, keys: Some(keys) })
}

/// Returns the text of `parts` with all tokens under one key, and the number of secrets that were sealed for that.
/// Tokens in conflicts stay as they are.
fn written<'p>(
    documents: &[ConfigText; 3],
    parts: &'p [Part<'_>],
    secrets: &'p Secrets<'_>,
    keys: &Keyring,
) -> Result<(Zeroizing<String>, usize)> {
    /// The index of the key that seals.
    const CURRENT: usize = 0;
    let key_of = |part: &Part<'_>| match part {
        Part::Token(token) | Part::Value(Value::Token(token)) => Some(secrets.key_of(token)),
        Part::Value(Value::New(_)) => Some(CURRENT),
        Part::Text(_) | Part::InConflict(_) => None,
    };
    let is_mixed = parts.iter().filter_map(key_of).collect::<BTreeSet<_>>().len() > 1;
    // Returns the secret of a part that needs a new token.
    let to_seal = |part: &'p Part<'_>| match part {
        Part::Value(Value::New(secret)) => Some(secret.as_str()),
        Part::Token(token) | Part::Value(Value::Token(token)) if is_mixed && secrets.key_of(token) != CURRENT => {
            Some(secrets.secret_of(token))
        }
        _ => None,
    };
    let new: Vec<&str> = parts.iter().filter_map(to_seal).collect();
    let mut sealed = Vec::new();
    if !new.is_empty() {
        let now = time::now();
        let at = documents.iter().map(|document| document.sealing_time(now)).max().unwrap_or(now);
        sealed = tokens::seal(keys.sealing(false)?, &new, false, at)?;
    }
    let mut sealed = sealed.iter();
    let mut text = Zeroizing::new(String::new());
    for part in parts {
        let new = to_seal(part).and_then(|_| sealed.next());
        text.push_str(match (new, part) {
            (Some(token), _) => token,
            (None, Part::Text(text) | Part::InConflict(text) | Part::Token(text)) => text,
            (None, Part::Value(Value::Token(token))) => token,
            // Every new secret was sealed.
            (None, Part::Value(Value::New(_))) => return Err(Bug::TokensOfOneSecret { number: 0 }.into()),
        });
    }
    Ok((text, new.len()))
}

/// Returns the failure if the merged text is not a valid config although its versions are: lines that are valid in
/// their versions may be invalid together.
fn unreadable(path: &Path, documents: &[ConfigText; 3], text: &str) -> Option<Failure> {
    let format = documents[OURS].source;
    documents[OURS].format()?;
    let read = ConfigText::parse(path, text.as_bytes().to_vec(), format).and_then(|merged| merged.check_values_known());
    read.err().map(|failure| Failure::MergedUnreadable(Box::new(failure)))
}
