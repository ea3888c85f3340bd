//! `check`: searches configs for secrets in plain text, for git hooks and CI. It needs no key.
//!
//! It examines the guide's secret, the values that `.fernseal.toml` or the command line names, values that look like
//! secrets, and values that look like damaged tokens; on request, also tokens that are old or in the old form. It
//! always examines all configs, and exits with code 3 if it finds anything.

mod finding;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use fernseal_core::Error;
use fernseal_core::token::PREFIX;

pub(super) use self::finding::Finding;
use self::finding::{File, FoundAt, flaw_of, flaw_of_leaf};
pub(super) use self::report::listed;
use super::Reading;
use crate::config::findings::Why;
use crate::config::naming::{NamedValues, find_leaves};
use crate::config::pattern::{Pattern, Patterns};
use crate::config::secrets_file::{SecretsFile, SecretsFiles};
use crate::config::text::{ConfigText, FormatSource, ValueError};
use crate::context::Context;
use crate::env::SECRETS_FILE;
use crate::error::{self, ConfigFailure, Failure, FileFailure, Flaw, Result, SkipReason, Suggestions};
use crate::keys::derive;
use crate::keys::parallel;
use crate::output::Report;
use crate::output::sarif::Region;
use crate::quote::{Pointer, shown};
use crate::store::staged as git;
use crate::store::{self, ConfigPath, Selection};
use crate::time::{self, MaxAge};

/// The number of configs that a thread takes at a time.
const PART: usize = 256;

/// The options of `check`.
pub(crate) struct Options {
    pub(crate) configs: Configs,
    /// The values that must be encrypted, besides those that `.fernseal.toml` names.
    pub(crate) required: Vec<Pointer>,
    pub(crate) likely: Likely,
    pub(crate) max_age: Option<MaxAge>,
    /// Whether legacy tokens are findings.
    pub(crate) no_legacy: bool,
    pub(crate) form: Form,
    pub(crate) reading: Reading,
}

/// The configs to examine.
pub(crate) enum Configs {
    At {
        paths: Vec<PathBuf>,
        selection: Selection,
    },
    /// Those that are staged in git.
    Staged,
}

/// What to do about values that look like secrets, but that nobody named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Likely {
    /// They fail the command, as named secrets do.
    Fail,
    /// They are printed.
    Warn,
    /// They are not searched for.
    Ignore,
}

/// The form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Words,
    Json,
    Sarif,
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<()> {
    let required = NamedValues::of_option("--require", &options.required)?;
    let wanted = Wanted {
        required: &required,
        no_legacy: options.no_legacy,
        likely: options.likely,
        max_age: options.max_age,
        with_regions: options.form == Form::Sarif,
    };
    let mut looked = Looked::default();
    match &options.configs {
        Configs::Staged => looked.at_staged(wanted)?,
        Configs::At { paths, selection } => looked.at_paths(paths, selection, wanted, options.reading, &context.report),
    }
    let are_staged = matches!(options.configs, Configs::Staged);
    let failing = looked.failing(options.likely);
    match options.form {
        Form::Words => looked.tell()?,
        Form::Json => looked.tell_in_json()?,
        Form::Sarif => looked.tell_in_sarif(options.likely)?,
    }
    // Only a few configs may be staged, so a pattern that matches none of them is not a mistake.
    if !are_staged {
        looked.tell_unmatched(&context.report);
    }

    let summary = looked.summary(if are_staged { "staged config" } else { "config" }, options.likely);
    let mut failures: Vec<Failure> = looked.failed.into_iter().map(|(_, failure)| failure).collect();
    // If a config could not be read, it may be the one that has the value.
    let is_known = failures.is_empty();
    for pointer in
        options.required.iter().filter(|pointer| is_known && looked.met.get(*pointer).is_none_or(|met| *met == 0))
    {
        let namesakes = looked.meant.remove(pointer).unwrap_or_else(Suggestions::none);
        let failure = Failure::from(ConfigFailure::RequiredNowhere { pointer: pointer.clone(), namesakes });
        if !are_staged {
            failures.push(failure);
        } else if looked.configs > 0 {
            context.report.note(format_args!("{} (among the staged configs)", failure.what()));
        }
    }
    // An invalid `.fernseal.toml` fails every config in its directory: keep one failure.
    failures.dedup_by(|failure, before| failure.what() == before.what());
    if !failing.is_empty() {
        failures.insert(0, ConfigFailure::Flawed { counts: failing, max_age: options.max_age }.into());
    }
    if failures.is_empty() {
        context.report.note(summary);
    }
    error::check_none(failures)
}

/// What the command line requires of the configs, in addition to `.fernseal.toml`.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) required: &'a NamedValues,
    pub(super) no_legacy: bool,
    pub(super) likely: Likely,
    pub(super) max_age: Option<MaxAge>,
    /// Whether each finding needs its lines and columns.
    pub(super) with_regions: bool,
}

/// The result of examining configs.
#[derive(Default)]
pub(super) struct Looked {
    configs: usize,
    pub(super) findings: Vec<Finding>,
    /// The files that were skipped, with the reasons.
    skipped: Vec<(String, SkipReason)>,
    /// The number of configs in which legacy tokens are findings.
    without_legacy: usize,
    /// The files that could not be examined.
    pub(super) failed: Vec<(String, Failure)>,
    /// For each pointer that was searched for, the number of configs that have a value there.
    pub(super) met: BTreeMap<Pointer, usize>,
    /// For each pointer of the command line that has no value: the pointers that the user may have meant.
    meant: BTreeMap<Pointer, Suggestions>,
    /// For each pattern under `secrets` in the settings, and each under `ignore`, in how many configs it matched.
    patterns: BTreeMap<Pointer, usize>,
    ignored: BTreeMap<Pointer, usize>,
}

impl Looked {
    fn at_paths(
        &mut self,
        paths: &[PathBuf],
        selection: &Selection,
        wanted: Wanted<'_>,
        reading: Reading,
        report: &Report,
    ) {
        // Invalid settings are ignored here. Later they make each config beside them fail.
        let mut found = super::find(paths, selection).unwrap_or_else(|_| store::find(paths, &Selection::default()));
        found.look_at_others();
        self.skipped.extend(found.skipped.into_iter().map(|(path, reason)| (shown(&path), reason)));
        self.failed.extend(found.unread.into_iter().map(|(path, failure)| (shown(&path), failure)));
        // Debug messages must come in order, so they need a single thread.
        let threads = if report.is_verbose() { 0 } else { derive::threads().get() };
        let work = |configs: &[ConfigPath]| Self::at_configs(configs, wanted, reading, report);
        let parts: Vec<&[ConfigPath]> = found.configs.chunks(PART).collect();
        let threads = if parts.len() > 1 { threads } else { 0 };
        let looked = thread::scope(|scope| parallel::begin(scope, threads, parts, work).finish());
        looked.into_iter().for_each(|part| self.take(part));
        if self.configs == 0 && self.failed.is_empty() && found.configs.iter().any(ConfigPath::was_found) {
            let failure = FileFailure::NoConfigLookedAt { skipped: self.skipped.len() };
            self.failed.push((paths.iter().map(|path| shown(path)).collect::<Vec<_>>().join(", "), failure.into()));
        }
    }

    fn at_configs(configs: &[ConfigPath], wanted: Wanted<'_>, reading: Reading, report: &Report) -> Self {
        let mut looked = Self::default();
        let mut settings = SecretsFiles::default();
        for config in configs {
            let document = match config.is_stream() {
                true => super::look(config, reading, report),
                false => {
                    config.read_to_look().and_then(|mut source| super::parse(config, &mut source, reading, report))
                }
            };
            // A stream cannot be read a second time, so its failure is always reported.
            let could_hold = |words: &[&str]| if config.is_stream() { Ok(true) } else { config.could_hold(words) };
            let settings = if config.is_stream() { Ok(Rc::default()) } else { settings.nearest(config) };
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
        for (all, part) in
            [(&mut self.met, part.met), (&mut self.patterns, part.patterns), (&mut self.ignored, part.ignored)]
        {
            part.into_iter().for_each(|(pointer, met)| *all.entry(pointer).or_default() += met);
        }
        for (pointer, meant) in part.meant {
            self.meant.entry(pointer).or_insert(meant);
        }
    }

    /// Examines the staged configs. Fails if git fails; a failure of one file is only recorded.
    fn at_staged(&mut self, wanted: Wanted<'_>) -> Result<()> {
        let mut settings = SecretsFiles::default();
        let files = git::FilesNamed::list(SECRETS_FILE)?;
        let way = git::way_to_top()?;
        for staged in git::staged()? {
            let path = &staged.path;
            let mut folders = path.parent().into_iter().flatten();
            let reason = if folders.any(|name| name.as_bytes().starts_with(b".")) {
                Some(SkipReason::InHiddenDirectory)
            } else {
                store::left_out(path.file_name().unwrap_or_default(), staged.kind)
            };
            match reason {
                Some(reason) => self.skipped.push((shown(path), reason)),
                None => {
                    let document = ConfigText::parse(path, staged.read()?, FormatSource::Name);
                    // If the search fails, the file could contain them.
                    let could_hold = |words: &[&str]| Ok(store::could_hold(&*staged.read()?, words).unwrap_or(true));
                    let first = self.findings.len();
                    self.add(path, document, settings.staged(&files, path), wanted, could_hold);
                    let file = Arc::new(File { name: shown(path), path: way.join(path) });
                    self.findings.iter_mut().skip(first).for_each(|finding| finding.file = Arc::clone(&file));
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
                self.look(path, &document, &settings, wanted);
            }
            (Ok(document), Ok(settings)) => {
                self.look_at_tokens(path, &document, &settings, wanted);
                // The arm above handles a document without a fault, so this one has a fault.
                self.failed_or_foreign(path, document.fault(), Ok(settings), wanted.required, could_hold);
            }
            (Ok(_), Err(failure)) => self.failed.push((shown(path), failure)),
            (Err(failure), settings) => {
                self.failed_or_foreign(path, Some(failure), settings, wanted.required, could_hold);
            }
        }
    }

    /// Records a file that cannot be read: as skipped if it contains no secret's name and no token, otherwise as
    /// failed.
    fn failed_or_foreign(
        &mut self,
        path: &Path,
        failure: Option<Failure>,
        settings: Result<Rc<SecretsFile>>,
        required: &NamedValues,
        could_hold: impl FnOnce(&[&str]) -> Result<bool>,
    ) {
        let Some(failure) = failure else { return };
        let holds_none = settings.is_ok_and(|settings| {
            let names: Vec<String> = settings.places(required).map(|pointer| last_name(&pointer.exact)).collect();
            let patterns = [&settings.secrets.patterns, &required.patterns].into_iter().flat_map(Patterns::iter);
            let of_patterns = patterns.map(|(pattern, _)| pattern.word());
            let words: Vec<&str> = names.iter().map(String::as_str).chain(of_patterns).chain([PREFIX]).collect();
            matches!(could_hold(&words), Ok(false))
        });
        match holds_none {
            true => {
                self.skipped.push((shown(path), SkipReason::NoTokenAndNoListedName(Box::new(failure))));
            }
            false => self.failed.push((shown(path), failure)),
        }
    }

    /// Examines the values that must not be plain text, those that look like secrets, and those that look like tokens
    /// but are not. `path` is the file as the user can name it.
    pub(super) fn look(&mut self, path: &Path, document: &ConfigText, settings: &SecretsFile, wanted: Wanted<'_>) {
        if let Err(failure) = document.check_values_known() {
            self.look_at_tokens(path, document, settings, wanted);
            // If --require names a value, the user must learn that it was not checked.
            self.failed.extend((!wanted.required.is_empty()).then(|| (document.name.clone(), failure)));
            return;
        }
        let first = self.findings.len();
        let file = Arc::new(File { name: document.name.clone(), path: path.to_owned() });
        let mut add = Adding { file, with_places: wanted.with_regions, findings: std::mem::take(&mut self.findings) };
        // Two pointers may lead to the same value.
        let mut seen = BTreeSet::new();
        self.look_at_pointers(document, settings, wanted, &mut seen, &mut add);
        if let Err(failure) = self.look_at_leaves(document, settings, wanted, &mut seen, &mut add) {
            self.failed.push((document.name.clone(), failure));
        }
        self.findings = add.findings;
        self.look_at_tokens(path, document, settings, wanted);
        if wanted.with_regions {
            place_in_lines(&mut self.findings[first..], &document.text);
        }
    }

    /// Examines the values that pointers lead to.
    fn look_at_pointers(
        &mut self,
        document: &ConfigText,
        settings: &SecretsFile,
        wanted: Wanted<'_>,
        seen: &mut BTreeSet<usize>,
        add: &mut Adding,
    ) {
        let named: Vec<_> = settings.places(wanted.required).collect();
        let exact: Vec<&str> = named.iter().map(|named| named.exact.as_str()).collect();
        for (named, found) in named.into_iter().zip(document.find_all(&exact)) {
            let pointer = &named.written;
            count_in(&mut self.met, pointer, !matches!(found, Err(ValueError::Core(Error::NotFound))));
            match found {
                Err(ValueError::Core(Error::NotFound)) => {
                    let is_required = wanted.required.pointers.iter().any(|required| required.written == *pointer);
                    if is_required && !self.meant.contains_key(pointer) {
                        let namesakes = document.namesakes(pointer);
                        if !namesakes.is_none() {
                            self.meant.insert(pointer.clone(), namesakes);
                        }
                    }
                }
                Err(error) => self.failed.push((document.name.clone(), document.failure(pointer, error))),
                Ok(place) if !seen.insert(place.start()) => {}
                Ok(place) => {
                    if let Some(flaw) = flaw_of(&place) {
                        add.finding(pointer, flaw, None, Some(&place.spot.span));
                    }
                }
            }
        }
    }

    /// Examines the values that patterns match or that look like secrets.
    fn look_at_leaves(
        &mut self,
        document: &ConfigText,
        settings: &SecretsFile,
        wanted: Wanted<'_>,
        seen: &mut BTreeSet<usize>,
        add: &mut Adding,
    ) -> Result<()> {
        let mut secrets = [settings.secrets.patterns.clone(), wanted.required.patterns.clone()];
        let mut ignored = (wanted.likely != Likely::Ignore).then(|| settings.ignore.clone());
        find_leaves(document, &mut secrets, ignored.as_mut(), |leaf, why| {
            let flaw = flaw_of_leaf(leaf, &why);
            let Some(flaw) = flaw.filter(|_| seen.insert(leaf.leaf.place.start())) else { return };
            let reason = match why {
                Why::Named(_) => None,
                Why::Likely(reason) => Some(reason.to_string().into()),
            };
            add.finding(&leaf.leaf.pointer, flaw, reason, Some(&leaf.leaf.place.spot.span));
        })?;
        let text = |pattern: &Pattern| Pointer::from(pattern.as_str().to_owned());
        let [of_settings, of_caller] = &secrets;
        of_caller.iter().for_each(|(pattern, is_met)| count_in(&mut self.met, &text(pattern), is_met));
        for (pattern, is_met) in of_settings.iter() {
            count_in(&mut self.patterns, &text(pattern), is_met);
            if is_met {
                count_in(&mut self.met, &text(pattern), true);
            }
        }
        for (pattern, is_met) in ignored.iter().flat_map(Patterns::iter) {
            count_in(&mut self.ignored, &text(pattern), is_met);
        }
        Ok(())
    }

    /// Records values that look like tokens but are not, and, if that is not allowed, tokens in the old form and tokens
    /// that are too old.
    fn look_at_tokens(&mut self, path: &Path, document: &ConfigText, settings: &SecretsFile, wanted: Wanted<'_>) {
        let no_legacy = wanted.no_legacy || settings.no_legacy;
        self.without_legacy += usize::from(no_legacy && document.fault().is_none());
        let file = Arc::new(File { name: document.name.clone(), path: path.to_owned() });
        let mut add = Adding { file, with_places: wanted.with_regions, findings: std::mem::take(&mut self.findings) };
        let lookalikes = || document.lookalikes.iter().map(|pointer| &**pointer);
        let places = match wanted.with_regions {
            true => document.find_all(&lookalikes().collect::<Vec<_>>()),
            false => Vec::new(),
        };
        for (at, pointer) in document.lookalikes.iter().enumerate() {
            let place = places.get(at).and_then(|place| place.as_ref().ok());
            add.finding(pointer, Flaw::Lookalike, None, place.map(|place| &place.spot.span));
        }
        for token in document.legacy_tokens().filter(|_| no_legacy) {
            add.finding(&token.pointer, Flaw::Legacy, None, Some(&token.span()));
        }
        if let Some(max_age) = wanted.max_age {
            let now = time::now();
            for token in document.aged_tokens(max_age) {
                let age = token.form.ok().map(|(_, sealed)| time::age(sealed, now).into());
                add.finding(&token.pointer, Flaw::Aged, age, Some(&token.span()));
            }
        }
        self.findings = add.findings;
    }
}

/// Collects the findings of one file.
struct Adding {
    file: Arc<File>,
    with_places: bool,
    findings: Vec<Finding>,
}

impl Adding {
    fn finding(&mut self, pointer: &Pointer, flaw: Flaw, reason: Option<Box<str>>, span: Option<&Range<usize>>) {
        let place = span.filter(|_| self.with_places).map(|span| Box::new(FoundAt::Bytes(span.clone())));
        self.findings.push(Finding { file: Arc::clone(&self.file), pointer: pointer.clone(), flaw, reason, place });
    }
}

/// Turns the places of findings in `text` from bytes into lines and columns, in one pass.
fn place_in_lines(findings: &mut [Finding], text: &str) {
    let places = || findings.iter().flat_map(|finding| finding.place.as_deref());
    let spans: Vec<Range<usize>> = places()
        .filter_map(|place| match place {
            FoundAt::Bytes(span) => Some(span.clone()),
            FoundAt::Lines(_) => None,
        })
        .collect();
    let regions = Region::of_each(text, &spans);
    let placed = findings.iter_mut().flat_map(|finding| finding.place.as_deref_mut());
    placed.zip(regions).for_each(|(place, region)| *place = FoundAt::Lines(region));
}

/// Counts a config for `pointer` if it has a value there.
fn count_in(met: &mut BTreeMap<Pointer, usize>, pointer: &Pointer, is_there: bool) {
    match met.get_mut(pointer) {
        Some(met) => *met += usize::from(is_there),
        None => _ = met.insert(pointer.clone(), usize::from(is_there)),
    }
}

/// Returns the last name of a pointer (RFC 6901). A config with the value must contain this name.
fn last_name(pointer: &str) -> String {
    let (_, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    name.replace("~1", "/").replace("~0", "~")
}
