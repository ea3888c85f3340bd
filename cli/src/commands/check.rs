//! `check`: searches configs for secrets in plain text, for git hooks and CI. It needs no key.
//!
//! It examines the guide's secret, the values that `.fernseal.toml` or the command line names, and values that look
//! like damaged tokens. It always examines all configs, and exits with code 3 if it finds anything.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread;

use fernseal_core::Error;
use fernseal_core::config::ValueKind;
use fernseal_core::json;
use fernseal_core::token::PREFIX;
use serde_json::json;

use crate::args::{Check, Select};
use crate::config::secrets_file::{SecretsFile, SecretsFiles};
use crate::config::text::{ConfigText, FormatSource, Kind, Place, ValueError, classify};
use crate::context::Context;
use crate::error::{self, ConfigFailure, Failure, FileFailure, Flaw, Namesakes, Result, UsageFailure};
use crate::keys::parallel;
use crate::output;
use crate::quote::{Pointer, count, shown};
use crate::store::staged as git;
use crate::store::{self, ConfigPath, Selection};

/// The number of configs that a thread takes at a time.
const PART: usize = 256;

pub(crate) fn run(args: &Check, context: &Context) -> Result<()> {
    for pointer in &args.required {
        // An invalid pointer is wrong for every config, so it fails once, at the start.
        if json::find("{}", pointer).is_err_and(|error| error == Error::InvalidPointer) {
            return Err(UsageFailure::RequiredNotAPointer { pointer: pointer.clone() }.into());
        }
    }
    let mut looked = Looked::default();
    let wanted = Wanted { required: &args.required, no_legacy: args.no_legacy };
    if args.staged {
        looked.at_staged(wanted)?;
    } else if args.paths.is_empty() {
        looked.at_paths(&[PathBuf::from(".")], &args.select, wanted, context);
    } else {
        looked.at_paths(&args.paths, &args.select, wanted, context);
    }
    looked.tell(args.json)?;

    let summary = looked.summary(if args.staged { "staged config" } else { "config" });
    let mut failures: Vec<Failure> = looked.failed.into_iter().map(|(_, failure)| failure).collect();
    // If a config could not be read, it may be the one that has the value.
    let is_known = failures.is_empty();
    for pointer in
        args.required.iter().filter(|pointer| is_known && looked.met.get(*pointer).is_none_or(|met| *met == 0))
    {
        let namesakes = looked.meant.remove(pointer).unwrap_or_else(Namesakes::none);
        let failure = Failure::from(ConfigFailure::RequiredNowhere { pointer: pointer.clone(), namesakes });
        if !args.staged {
            failures.push(failure);
        } else if looked.configs > 0 {
            context.report.note(format_args!("{} (among the staged configs)", failure.what()));
        }
    }
    // An invalid `.fernseal.toml` fails every config in its directory: keep one failure.
    failures.dedup_by(|failure, before| failure.what() == before.what());
    if !looked.findings.is_empty() {
        failures.insert(0, in_plain_text(&looked.findings));
    }
    if failures.is_empty() {
        context.report.note(summary);
    }
    error::check_none(failures)
}

/// What the command line requires of the configs, in addition to `.fernseal.toml`.
#[derive(Clone, Copy, Default)]
pub(super) struct Wanted<'a> {
    required: &'a [Pointer],
    no_legacy: bool,
}

/// A value with a flaw.
pub(super) struct Finding {
    config: String,
    pub(super) pointer: Pointer,
    pub(super) flaw: Flaw,
}

/// Returns the flaw of a value that must be a secret, or `None` if it is as required.
fn flaw_of(place: &Place<'_>) -> Option<Flaw> {
    match place.kind {
        Kind::String => (!place.is_empty_string() && classify(place) == ValueKind::Plain).then_some(Flaw::PlainString),
        Kind::Scalar => Some(Flaw::PlainScalar),
        Kind::Null => None,
        Kind::Map | Kind::List => Some(Flaw::Group),
    }
}

/// The result of examining configs.
#[derive(Default)]
pub(super) struct Looked {
    configs: usize,
    pub(super) findings: Vec<Finding>,
    /// The files that were skipped, with the reasons.
    skipped: Vec<(String, String)>,
    /// The number of configs in which legacy tokens are findings.
    without_legacy: usize,
    /// The files that could not be examined.
    pub(super) failed: Vec<(String, Failure)>,
    /// For each pointer that was searched for, the number of configs that have a value there.
    pub(super) met: BTreeMap<Pointer, usize>,
    /// For each pointer of the command line that has no value: the pointers that the user may have meant.
    meant: BTreeMap<Pointer, Namesakes>,
}

impl Looked {
    fn at_paths(&mut self, paths: &[PathBuf], select: &Select, wanted: Wanted<'_>, context: &Context) {
        // Invalid settings are ignored here. Later they make each config beside them fail.
        let mut found = super::find(paths, select).unwrap_or_else(|_| store::find(paths, Selection::default()));
        found.look_at_others();
        self.skipped.extend(found.skipped.into_iter().map(|(path, reason)| (shown(&path), reason)));
        self.failed.extend(found.unread.into_iter().map(|(path, failure)| (shown(&path), failure)));
        // Debug messages must come in order, so they need a single thread.
        let threads = if context.report.is_verbose() { 0 } else { context.threads.get() };
        let work = |configs: &[ConfigPath]| Self::at_configs(configs, wanted, context);
        let parts: Vec<&[ConfigPath]> = found.configs.chunks(PART).collect();
        let threads = if parts.len() > 1 { threads } else { 0 };
        let looked = thread::scope(|scope| parallel::begin(scope, threads, parts, work).finish());
        looked.into_iter().for_each(|part| self.take(part));
        if self.configs == 0 && self.failed.is_empty() && found.configs.iter().any(ConfigPath::was_found) {
            let failure = FileFailure::NoConfigLookedAt { skipped: self.skipped.len() };
            self.failed.push((paths.iter().map(|path| shown(path)).collect::<Vec<_>>().join(", "), failure.into()));
        }
    }

    fn at_configs(configs: &[ConfigPath], wanted: Wanted<'_>, context: &Context) -> Self {
        let mut looked = Self::default();
        let mut settings = SecretsFiles::default();
        for config in configs {
            let document = match config.is_stream() {
                true => super::look(config, context),
                false => config.read_to_look().and_then(|mut source| super::parse(config, &mut source, context)),
            };
            // A stream cannot be read a second time, so its failure is always reported.
            let could_hold = |words: &[&str]| if config.is_stream() { Ok(true) } else { config.could_hold(words) };
            let settings = if config.is_stream() { Ok(Rc::default()) } else { settings.beside(config) };
            looked.add(&config.path, document, settings, wanted, could_hold);
        }
        looked
    }

    /// Adds the result for the configs that follow.
    fn take(&mut self, part: Self) {
        self.configs += part.configs;
        self.without_legacy += part.without_legacy;
        self.findings.extend(part.findings);
        self.skipped.extend(part.skipped);
        self.failed.extend(part.failed);
        for (pointer, met) in part.met {
            *self.met.entry(pointer).or_default() += met;
        }
        for (pointer, meant) in part.meant {
            self.meant.entry(pointer).or_insert(meant);
        }
    }

    /// Examines the staged configs. Fails if git fails; a failure of one file is only recorded.
    fn at_staged(&mut self, wanted: Wanted<'_>) -> Result<()> {
        let mut settings = SecretsFiles::default();
        for staged in git::staged()? {
            let path = &staged.path;
            let mut folders = path.parent().into_iter().flatten();
            let reason = if folders.any(|name| name.as_bytes().starts_with(b".")) {
                Some("in a hidden directory")
            } else {
                store::left_out(path.file_name().unwrap_or_default(), staged.kind)
            };
            match reason {
                Some(reason) => self.skipped.push((shown(path), reason.to_owned())),
                None => {
                    let document = ConfigText::parse(path, staged.read()?, FormatSource::Name);
                    // If the search fails, the file could contain them.
                    let could_hold = |words: &[&str]| Ok(store::could_hold(&*staged.read()?, words).unwrap_or(true));
                    self.add(path, document, settings.staged_beside(path), wanted, could_hold);
                }
            }
        }
        Ok(())
    }

    /// Examines the config at `path`, or records why it cannot be read. A file that is not a config is skipped only if
    /// its bytes contain neither a token nor the name of a secret. Otherwise it may be a broken config with a plaintext
    /// secret, which is a failure.
    fn add(
        &mut self,
        path: &Path,
        document: Result<ConfigText>,
        settings: Result<Rc<SecretsFile>>,
        wanted: Wanted<'_>,
        could_hold: impl FnOnce(&[&str]) -> Result<bool>,
    ) {
        match (document, settings) {
            (Ok(document), Ok(settings)) if document.fault().is_none() => {
                self.configs += 1;
                self.look(&document, &settings, wanted);
            }
            (Ok(document), Ok(settings)) => {
                self.look_at_tokens(&document, wanted.no_legacy || settings.no_legacy);
                // The arm above handles a document without a fault, so this one has a fault.
                self.failed_or_foreign(path, document.fault(), Ok(settings), wanted.required, could_hold);
            }
            (Ok(_), Err(failure)) => self.failed.push((shown(path), failure)),
            (Err(failure), settings) => {
                self.failed_or_foreign(path, Some(failure), settings, wanted.required, could_hold);
            }
        }
    }

    /// Records a file that cannot be read: as skipped if it holds no secret's name and no token, otherwise as failed.
    fn failed_or_foreign(
        &mut self,
        path: &Path,
        failure: Option<Failure>,
        settings: Result<Rc<SecretsFile>>,
        required: &[Pointer],
        could_hold: impl FnOnce(&[&str]) -> Result<bool>,
    ) {
        let Some(failure) = failure else { return };
        let holds_none = settings.is_ok_and(|settings| {
            let names: Vec<String> = settings.places(required).map(|pointer| last_name(pointer)).collect();
            let words: Vec<&str> = names.iter().map(String::as_str).chain([PREFIX]).collect();
            matches!(could_hold(&words), Ok(false))
        });
        match holds_none {
            true => {
                let reason = format!("{}; it contains no token and no name of a secret", failure.what());
                self.skipped.push((shown(path), reason));
            }
            false => self.failed.push((shown(path), failure)),
        }
    }

    /// Examines the values that must not be plain text, and all values that look like tokens but are not.
    pub(super) fn look(&mut self, document: &ConfigText, settings: &SecretsFile, wanted: Wanted<'_>) {
        let config = &document.name;
        let no_legacy = wanted.no_legacy || settings.no_legacy;
        self.without_legacy += usize::from(no_legacy);
        if let Err(failure) = document.check_values_known() {
            self.look_at_tokens(document, no_legacy);
            // If --require names a value, the user must learn that it was not checked.
            self.failed.extend((!wanted.required.is_empty()).then(|| (config.clone(), failure)));
            return;
        }
        // Two pointers may lead to the same value.
        let mut seen = BTreeSet::new();
        let pointers: Vec<&Pointer> = settings.places(wanted.required).collect();
        let texts: Vec<&str> = pointers.iter().map(|pointer| &***pointer).collect();
        for (pointer, found) in pointers.into_iter().zip(document.find_all(&texts)) {
            let is_there = usize::from(!matches!(found, Err(ValueError::Core(Error::NotFound))));
            match self.met.get_mut(pointer) {
                Some(met) => *met += is_there,
                None => _ = self.met.insert(pointer.clone(), is_there),
            }
            match found {
                Err(ValueError::Core(Error::NotFound))
                    if wanted.required.contains(pointer) && !self.meant.contains_key(pointer) =>
                {
                    let namesakes = document.namesakes(pointer);
                    if !namesakes.is_none() {
                        self.meant.insert(pointer.clone(), namesakes);
                    }
                }
                Err(ValueError::Core(Error::NotFound)) => {}
                Err(error) => self.failed.push((config.clone(), document.failure(pointer, error))),
                Ok(place) if !seen.insert(place.start()) => {}
                Ok(place) => self.findings.extend(flaw_of(&place).map(|flaw| Finding {
                    config: config.clone(),
                    pointer: pointer.clone(),
                    flaw,
                })),
            }
        }
        self.look_at_tokens(document, no_legacy);
    }

    /// Records values that look like tokens but are not, and legacy tokens if they are not allowed.
    fn look_at_tokens(&mut self, document: &ConfigText, no_legacy: bool) {
        let lookalikes = document.lookalikes.iter().map(|pointer| (pointer, Flaw::Lookalike));
        let legacy = document.legacy_tokens().filter(|_| no_legacy).map(|token| (&token.pointer, Flaw::Legacy));
        self.findings.extend(lookalikes.chain(legacy).map(|(pointer, flaw)| Finding {
            config: document.name.clone(),
            pointer: pointer.clone(),
            flaw,
        }));
    }

    /// Describes what was examined, when nothing was found. It claims no more than that.
    fn summary(&self, config: &str) -> String {
        let configs = count(self.configs, config);
        let (there, missing): (Vec<_>, Vec<_>) = self.met.iter().partition(|(_, met)| **met > 0);
        let there = there.iter().map(|(pointer, met)| format!("{pointer} (in {met})")).collect();
        let missing: Vec<String> = missing.iter().map(|(pointer, _)| pointer.to_string()).collect();
        let mut summary = match (self.met.is_empty(), &*missing) {
            (true, _) => format!("{configs} checked"),
            _ if self.met.len() == missing.len() => {
                format!(
                    "{configs} checked: none has a value at {}, and other values were not checked",
                    listed(missing, "or")
                )
            }
            (_, []) => format!("{configs} checked: no plain text at {}", listed(there, "and")),
            _ => format!(
                "{configs} checked: no plain text at {}; none has a value at {}",
                listed(there, "and"),
                listed(missing, "or")
            ),
        };
        match self.without_legacy {
            0 => {}
            all if all == self.configs => summary += "; no legacy token",
            some => summary += &format!("; no legacy token in {some} of them"),
        }
        if !self.skipped.is_empty() {
            summary += &format!("; {} skipped", count(self.skipped.len(), "path"));
        }
        summary
    }

    fn tell(&self, as_json: bool) -> Result<()> {
        if as_json {
            let met = self.met.iter().map(|(pointer, met)| json!({ "pointer": pointer, "configs": met }));
            let findings = self.findings.iter().map(
                |finding| json!({ "config": finding.config, "pointer": finding.pointer, "finding": finding.flaw.name() }),
            );
            return output::json(
                "check",
                json!({
                    "configs": self.configs,
                    "pointers": met.collect::<Vec<_>>(),
                    "findings": findings.collect::<Vec<_>>(),
                    "skipped": output::skipped_in_json(&self.skipped),
                    "failed": output::failed_in_json(&self.failed),
                }),
            );
        }
        for (file, reason) in &self.skipped {
            output::result(format_args!("skipped {file}: {reason}"))?;
        }
        for finding in &self.findings {
            output::result(format_args!("{} {}: {}", finding.config, finding.pointer, finding.flaw.name()))?;
        }
        Ok(())
    }
}

/// Returns the last name of a pointer, of either form (`/auth/token_value` or `auth.token_value`). A config with the
/// value must contain this name.
fn last_name(pointer: &str) -> String {
    match pointer.rsplit_once('/') {
        Some((_, name)) => name.replace("~1", "/").replace("~0", "~"),
        None => pointer.rsplit('.').next().unwrap_or(pointer).to_owned(),
    }
}

/// Joins a list into words. A long list is cut after eight entries.
pub(super) fn listed(mut words: Vec<String>, and: &str) -> String {
    const SHOWN: usize = 8;
    if words.len() > SHOWN + 1 {
        let more = words.split_off(SHOWN).len();
        words.push(format!("{more} more"));
    }
    match words.pop() {
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} {and} {last}", words.join(", ")),
        None => String::new(),
    }
}

/// Returns the failure for a list of findings.
fn in_plain_text(findings: &[Finding]) -> Failure {
    let mut flaws: Vec<Flaw> = findings.iter().map(|finding| finding.flaw).collect();
    let legacy = flaws.iter().filter(|flaw| **flaw == Flaw::Legacy).count();
    flaws.sort();
    flaws.dedup();
    ConfigFailure::Flawed { secrets: findings.len() - legacy, legacy, flaws }.into()
}
