//! `doctor`: checks a config and its master key for everything that commonly goes wrong, and says what to do about it.
//!
//! The checks follow the guide's chapter on troubleshooting. It continues after a problem, never asks for a key, and
//! changes nothing.

mod tree;

use std::io;
use std::path::{Path, PathBuf};

use fernseal_core::Error;
use fernseal_core::fernet::MAX_CLOCK_SKEW;
use serde_json::json;

use crate::audit::Verb;
use crate::commands::check::{Likely, Looked, Wanted, listed};
use crate::commands::{Reading, config_or_default};
use crate::config::naming::NamedValues;
use crate::config::secrets_file::SecretsFile;
use crate::config::text::{ConfigText, TextFormat};
use crate::context::Context;
use crate::env::SECRETS_FILE;
use crate::error::{ConfigFailure, Exit, Failure, KeyFailure, Result};
use crate::keys::{self, KeyOptions, KeyPlace, Keyring, derive};
use crate::output::{self, Report};
use crate::quote::{Pointer, count, quoted_path, shown};
use crate::store::{self, ConfigPath, Selection};
use crate::time;
use crate::tokens;
use crate::tokens::verify::{OpenedBy, check};

/// The options of `doctor`.
pub(crate) struct Options {
    /// A config, or a directory. If it is `None`, PROXMOX_MCP_CONFIG names it.
    pub(crate) config: Option<PathBuf>,
    pub(crate) selection: Selection,
    pub(crate) json: bool,
    pub(crate) keys: KeyOptions,
    pub(crate) reading: Reading,
}

pub(crate) fn run(options: &Options, context: &Context) -> Result<()> {
    let mut doctor = Doctor::default();
    let path = config_or_default(options.config.as_deref());
    if let Ok(path) = path.as_deref().map(Path::to_owned)
        && path.is_dir()
    {
        doctor.tree(&path, options, &context.report)?;
        return doctor.tell(options.json);
    }
    let document = match &path {
        Ok(path) => doctor.config(path, options.reading),
        Err(failure) => {
            doctor.wrong("config file", failure);
            None
        }
    };
    let keys = doctor.keys(path.as_deref().ok(), document.as_ref(), &options.keys, &context.report);
    if let (Ok(path), Some(document)) = (&path, &document) {
        if let Some(keys) = &keys {
            doctor.opening(path, document, keys, options.reading, context);
        }
        doctor.backups(path);
    }
    doctor.tell(options.json)
}

/// The result of a check.
#[derive(Clone, Copy)]
enum State {
    Good,
    /// It works but could be better.
    Note,
    Wrong(Exit),
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Note => "note",
            Self::Wrong(_) => "WRONG",
        }
    }
}

/// One line of the report.
struct Finding {
    check: &'static str,
    state: State,
    what: String,
    next: Option<String>,
}

/// The report so far.
#[derive(Default)]
struct Doctor(Vec<Finding>);

impl Doctor {
    fn good(&mut self, check: &'static str, what: impl Into<String>) {
        self.0.push(Finding { check, state: State::Good, what: what.into(), next: None });
    }

    fn note(&mut self, check: &'static str, what: impl Into<String>, next: impl Into<String>) {
        self.0.push(Finding { check, state: State::Note, what: what.into(), next: Some(next.into()) });
    }

    fn wrong(&mut self, check: &'static str, failure: &Failure) {
        let state = State::Wrong(failure.exit());
        self.0.push(Finding { check, state, what: failure.what(), next: Some(failure.next()) });
    }

    /// Checks the file itself, its JSON, and its tokens.
    fn config(&mut self, path: &Path, reading: Reading) -> Option<ConfigText> {
        let config = ConfigPath::named(path);
        let name = shown(path);
        let mut source = config.read().map_err(|failure| self.wrong("config file", &failure)).ok()?;
        let mode = source.mode() & 0o777;
        if mode & 0o022 == 0 {
            self.good("config file", format!("{name} can be read (mode {mode:03o})"));
        } else {
            let next = format!("chmod 600 {}: anyone who can write to it can swap its tokens", quoted_path(path));
            self.note("config file", format!("{name} can be written by others (mode {mode:03o})"), next);
        }
        let document = ConfigText::parse(path, source.take_bytes(), reading.format_source(&config));
        let document = document.map_err(|failure| self.wrong("JSON", &failure)).ok()?;
        match (document.format(), document.fault()) {
            (Some(TextFormat::Json), _) => self.good("JSON", "the config is valid JSON in UTF-8"),
            (Some(format), _) => self.good("format", format!("the config is valid {} in UTF-8", format.title())),
            (None, Some(failure)) => self.wrong("format", &failure),
            (None, None) => self.note("format", "its format was not recognized", "name the format with --format"),
        }
        if document.wants_debug() {
            let next = "remove \"level\": \"DEBUG\" from \"logging\" when you are done";
            self.note("debug mode", "the config asks for debug messages", next);
        }

        match SecretsFile::nearest(&config) {
            Err(failure) => self.wrong("plain text", &failure),
            Ok(settings) => self.plain_text(path, &document, &settings),
        }
        let broken = document.tokens.iter().filter_map(|token| Some((token, token.form.err()?)));
        let failures: Vec<Failure> = broken.map(|(token, error)| document.refusal(token, error)).collect();
        if document.tokens.is_empty() {
            let next = format!("encrypt its secrets: fernseal encrypt {}", quoted_path(path));
            self.note("tokens", "the config has no encrypted values", next);
        } else if failures.is_empty() {
            match document.legacy_tokens().count() {
                0 => self.good("tokens", format!("{} with a valid format", count(document.tokens.len(), "token"))),
                old => {
                    let what = format!("{} (they share one salt)", count(old, "legacy token"));
                    self.note("tokens", what, format!("a rotation renews them: fernseal rotate {}", quoted_path(path)));
                }
            }
        }
        failures.iter().for_each(|failure| self.wrong("tokens", failure));
        Some(document)
    }

    /// Checks that the values that must be secrets are encrypted.
    fn plain_text(&mut self, path: &Path, document: &ConfigText, settings: &SecretsFile) {
        let mut looked = Looked::default();
        let required = NamedValues::default();
        let (likely, max_age) = (Likely::Warn, None);
        let wanted = Wanted { required: &required, no_legacy: false, likely, max_age, with_regions: false };
        looked.look(path, document, settings, wanted);
        // A broken token is reported by another check.
        looked.findings.retain(|finding| document.tokens.iter().all(|token| token.pointer != finding.pointer));
        if looked.findings.iter().all(|finding| finding.flaw.is_likely()) && looked.failed.is_empty() {
            let (there, missing): (Vec<_>, Vec<_>) = looked.met.into_iter().partition(|(_, met)| *met > 0);
            let pointers =
                |met: Vec<(Pointer, usize)>| met.into_iter().map(|(pointer, _)| pointer.to_string()).collect();
            let missing: Vec<String> = pointers(missing);
            if there.is_empty() {
                let what =
                    format!("the config has no value at {}, and other values were not checked", listed(missing, "or"));
                let next = format!("name its secrets beside it in {SECRETS_FILE}: secrets = [\"/database/password\"]");
                self.note("plain text", what, next);
            } else if missing.is_empty() {
                self.good("plain text", format!("none at {}", listed(pointers(there), "or")));
            } else {
                let there = listed(pointers(there), "or");
                self.good("plain text", format!("none at {there} (and no value at {})", listed(missing, "or")));
            }
        }
        for (_, failure) in &looked.failed {
            self.wrong("plain text", failure);
        }
        let (likely, certain): (Vec<_>, Vec<_>) = looked.findings.iter().partition(|finding| finding.flaw.is_likely());
        for finding in likely {
            self.note("plain text", format!("{} {}", finding.pointer, finding.what()), finding.next());
        }
        for finding in certain {
            let (config, pointer) = (path.to_owned(), finding.pointer.clone());
            self.wrong("plain text", &ConfigFailure::FlawedValue { config, pointer, flaw: finding.flaw }.into());
        }
    }

    /// Checks the master key: where it comes from, and who else can read it.
    fn keys(
        &mut self,
        config: Option<&Path>,
        document: Option<&ConfigText>,
        options: &KeyOptions,
        report: &Report,
    ) -> Option<Keyring> {
        let places = keys::places(options, report);
        let listed: Vec<String> = places.iter().map(|place| format!("{}: {}", place.name, place.words())).collect();
        self.good("key places", format!("in order of priority:\n        {}", listed.join("\n        ")));
        if !places.iter().any(KeyPlace::is_set) {
            let failure = Failure::from(KeyFailure::NoneFound { variable: keys::unset_variable() });
            if document.is_some_and(|document| document.tokens.is_empty()) {
                self.note("master key", failure.what(), "`fernseal keygen` makes one");
            } else {
                self.wrong("master key", &failure);
            }
            return None;
        }
        let keys = Keyring::from_places(places, options.prompts, report)
            .map_err(|failure| self.wrong("master key", &failure))
            .ok()?;
        let id = derive::id(keys.current());
        let previous = match keys.all().len() - 1 {
            0 => String::new(),
            more => format!(", and {}", count(more, "previous key")),
        };
        match keys.sealing(false) {
            Ok(_) => self.good("master key", format!("set, its id is {id}{previous}")),
            Err(failure) => self.note("master key", failure.what(), failure.next()),
        }
        let folder = |path: &Path| path.canonicalize().map(|real| real.parent().map(Path::to_owned));
        for file in Keyring::files(options) {
            let Some(config) = config else { continue };
            match folder(config).and_then(|config| Ok(folder(&file)? == config)) {
                Ok(true) => {
                    let what = format!("the key file {} is in the same directory as the config", shown(&file));
                    self.note("key file", what, "move it elsewhere: whoever gets the directory has both");
                }
                // A pipe has no directory, and a missing config was reported already.
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    self.wrong("key file", &KeyFailure::PlaceUnknown { path: file, error: error.into() }.into());
                }
            }
        }
        Some(keys)
    }

    /// Checks that the key opens the tokens.
    fn opening(&mut self, path: &Path, document: &ConfigText, keys: &Keyring, reading: Reading, context: &Context) {
        if let Err(failure) = reading.check_cost(document) {
            return self.wrong("decryption", &failure);
        }
        let checked = check(document, keys);
        if let Err(failure) = checked.record(Verb::Doctor, path, document, keys, &context.audit) {
            context.report.warn(failure.what());
        }
        let opened = (0..document.tokens.len()).filter(|at| checked.opens(*at).is_some()).count();
        if opened > 0 {
            self.good(
                "decryption",
                format!(
                    "{} of {} can be decrypted with the current keys",
                    count(opened, "token"),
                    document.tokens.len()
                ),
            );
        }
        let mut is_first = true;
        for (at, token) in document.tokens.iter().enumerate() {
            match checked.opens(at) {
                Some(OpenedBy::Previous) => {
                    let next = format!("fernseal rotate {}", quoted_path(path));
                    self.note("decryption", format!("{}: {}", token.pointer, checked.words(at)), next);
                }
                None if token.form.is_ok() => {
                    // Search for another key only once: it is the same for most tokens of a config.
                    let failure = match std::mem::take(&mut is_first) {
                        true => tokens::refusal(document, token, Error::AuthenticationFailed, keys),
                        false => document.refusal(token, Error::AuthenticationFailed),
                    };
                    self.wrong("decryption", &failure);
                }
                _ => {}
            }
        }
        let ahead = time::now().saturating_add(MAX_CLOCK_SKEW);
        if document.tokens.iter().any(|token| token.form.is_ok_and(|(_, time)| time > ahead)) {
            self.note(
                "clock",
                "the time of a token is in the future",
                "check the clocks of this machine and of the one that encrypted it",
            );
        }
    }

    /// Reports backups beside the config.
    fn backups(&mut self, path: &Path) {
        let backups = store::Backups::new(None).and_then(|mut finder| finder.of(&ConfigPath::named(path)));
        let backups = match backups {
            Ok(backups) => backups,
            Err(failure) => return self.wrong("backups", &failure),
        };
        if !backups.is_empty() {
            let what = format!("{} beside the config: old keys still decrypt them", count(backups.len(), "backup"));
            let next = format!("when everything works: fernseal backups prune {}", quoted_path(path));
            self.note("backups", what, next);
        }
    }

    fn tell(&self, as_json: bool) -> Result<()> {
        if as_json {
            let checks = self.0.iter().map(|finding| {
                let state = finding.state.name().to_lowercase();
                json!({ "check": finding.check, "state": state, "what": finding.what, "next": finding.next })
            });
            output::json("doctor", json!({ "checks": checks.collect::<Vec<_>>() }))?;
        } else {
            for Finding { check, state, what, next } in &self.0 {
                output::result(format_args!("{:5} {check}: {what}", state.name()))?;
                if let Some(next) = next {
                    output::result(format_args!("      next: {next}"))?;
                }
            }
        }
        let mut wrong = self.0.iter().filter_map(|finding| match finding.state {
            State::Wrong(exit) => Some(exit),
            _ => None,
        });
        let Some(first) = wrong.next() else { return Ok(()) };
        Err(Failure::ThingsWrong { number: wrong.count() + 1, first })
    }
}
