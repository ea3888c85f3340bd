//! `check`: does a config hold a secret in plain text? For git hooks and CI; it needs no key.
//! Looked at are the guide's secret, those that `.fernseal.toml` or the caller names, and what merely looks like a token.
//! All configs are looked at, whatever is wrong with one of them; one finding makes the exit code 3.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::slice;

use fernseal_core::Error;
use fernseal_core::config::Looks;
use fernseal_core::json::{self, Kind};
use serde_json::json;

use crate::args::Check;
use crate::config::secrets_file::SecretsFile;
use crate::config::text::{ConfigText, Place, looks};
use crate::context::Context;
use crate::error::{Exit, Failure, Result};
use crate::output;
use crate::quote::{count, quoted, quoted_path, shown};
use crate::store;
use crate::store::staged as git;

pub(crate) fn run(args: &Check, context: &Context) -> Result<()> {
    for pointer in &args.required {
        // It is wrong in all configs alike.
        if json::find("{}", pointer).is_err_and(|error| error == Error::BadPointer) {
            return Err(Failure::at("--require", pointer, Error::BadPointer));
        }
    }
    let mut looked = Looked::default();
    if args.staged {
        looked.at_staged(&args.required)?;
    } else {
        looked.at_paths(&args.paths, &args.required, context);
    }
    looked.tell(args.json)?;

    let mut failures: Vec<Failure> = looked.failed.into_iter().map(|(_, failure)| failure).collect();
    // A config that cannot be read may be the one that has it.
    let is_known = failures.is_empty();
    for pointer in args.required.iter().filter(|pointer| is_known && !looked.met.contains(*pointer)) {
        let what = format!("no config has a value at {pointer}");
        if !args.staged {
            failures.push(Failure::new(Exit::Malformed, what, "check the pointer's spelling"));
        } else if looked.configs > 0 {
            context.report.note(format_args!("{what}, of those that are staged"));
        }
    }
    // SecretsFile that cannot be used fail all configs beside them.
    failures.dedup_by(|failure, before| failure.what == before.what);
    if !looked.findings.is_empty() {
        failures.insert(0, in_plain_text(&looked.findings));
    }
    if failures.is_empty() {
        context.report.note(format_args!("{}: no secret in plain text", count(looked.configs, "config")));
    }
    output::say_all(failures)
}

/// What is wrong with one value.
pub(super) struct Finding {
    config: String,
    pub(super) pointer: String,
    flaw: Flaw,
}

/// What is wrong with a value that is to be a secret, or looks like one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Flaw {
    PlainString,
    /// A number or a truth value.
    PlainScalar,
    /// An object or an array.
    Group,
    /// It begins nearly as a token does.
    Lookalike,
}

impl Flaw {
    /// Of a value that is to be a secret; none, if it is as it must be.
    fn of(place: &Place<'_>) -> Option<Self> {
        match place.kind {
            Kind::String => (!place.raw.is_empty() && looks(place.raw) == Looks::Plain).then_some(Self::PlainString),
            Kind::Scalar => (place.raw != "null").then_some(Self::PlainScalar),
            Kind::Object | Kind::Array => Some(Self::Group),
        }
    }

    /// What to do about it, at `pointer` in `config`.
    fn next(self, config: &str, pointer: &str) -> String {
        match self {
            Self::PlainString => format!("fernseal encrypt --in-place {config} --field {pointer}"),
            Self::PlainScalar => format!("fernseal set {config} {pointer}"),
            Self::Group => Failure::at(config, pointer, Error::NotAString).next,
            Self::Lookalike => Failure::at(config, pointer, Error::LooksSealed).next,
        }
    }
}

impl Finding {
    pub(super) fn what(&self) -> &'static str {
        match self.flaw {
            Flaw::PlainString | Flaw::PlainScalar => "plain text",
            Flaw::Group => "not a string, but an object or array",
            Flaw::Lookalike => "looks like a token, but is none",
        }
    }

    pub(super) fn next(&self, config: &Path) -> String {
        self.flaw.next(&quoted_path(config), &quoted(&self.pointer))
    }
}

/// What came of a look at configs.
#[derive(Default)]
pub(super) struct Looked {
    configs: usize,
    pub(super) findings: Vec<Finding>,
    /// What was left out, and why.
    skipped: Vec<(String, String)>,
    /// What could not be looked at.
    pub(super) failed: Vec<(String, Failure)>,
    /// The pointers at which a config has a value.
    met: BTreeSet<String>,
}

impl Looked {
    fn at_paths(&mut self, paths: &[PathBuf], required: &[String], context: &Context) {
        for path in paths {
            let found = match store::find(slice::from_ref(path)) {
                Ok(found) => found,
                Err(failure) => {
                    self.failed.push((shown(path), failure));
                    continue;
                }
            };
            self.skipped.extend(found.skipped.into_iter().map(|(path, reason)| (shown(&path), reason)));
            self.failed.extend(found.unread.into_iter().map(|(path, failure)| (shown(&path), failure)));
            for config in &found.configs {
                let read =
                    super::load(config, context).and_then(|(_, document)| Ok((document, SecretsFile::beside(config)?)));
                self.add(&config.path, read, required);
            }
        }
    }

    /// Fails where git does; of a file that is not as it must be it only takes note.
    fn at_staged(&mut self, required: &[String]) -> Result<()> {
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
                    let document = ConfigText::parse(shown(path), staged.read()?);
                    let read = document.and_then(|document| Ok((document, SecretsFile::staged_beside(path)?)));
                    self.add(path, read, required);
                }
            }
        }
        Ok(())
    }

    /// Looks at the config at `path`, or takes note of why it cannot be read.
    fn add(&mut self, path: &Path, read: Result<(ConfigText, SecretsFile)>, required: &[String]) {
        match read {
            Ok((document, settings)) => {
                self.configs += 1;
                self.look(&document, &settings, required);
            }
            Err(failure) => self.failed.push((shown(path), failure)),
        }
    }

    /// Looks at the values that must not be plain, and at all that look like tokens and are none.
    pub(super) fn look(&mut self, document: &ConfigText, settings: &SecretsFile, required: &[String]) {
        let config = &document.name;
        // Two pointers may lead to one value.
        let mut seen = BTreeSet::new();
        let pointers: Vec<&str> = settings.places(required).collect();
        for (pointer, found) in pointers.iter().copied().zip(document.find_all(&pointers)) {
            if !matches!(found, Err(Error::NotFound)) {
                self.met.insert(pointer.to_owned());
            }
            match found {
                Err(Error::NotFound) => {}
                Err(error) => self.failed.push((config.clone(), document.failure(pointer, error))),
                Ok(place) if !seen.insert(place.start()) => {}
                Ok(place) => self.findings.extend(Flaw::of(&place).map(|flaw| Finding {
                    config: config.clone(),
                    pointer: pointer.to_owned(),
                    flaw,
                })),
            }
        }
        self.findings.extend(document.lookalikes.iter().map(|pointer| Finding {
            config: config.clone(),
            pointer: pointer.clone(),
            flaw: Flaw::Lookalike,
        }));
    }

    fn tell(&self, as_json: bool) -> Result<()> {
        if as_json {
            let findings = self.findings.iter().map(
                |finding| json!({ "config": finding.config, "pointer": finding.pointer, "finding": finding.what() }),
            );
            return output::json(
                "check",
                json!({
                    "configs": self.configs,
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
            output::result(format_args!("{} {}: {}", finding.config, finding.pointer, finding.what()))?;
        }
        Ok(())
    }
}

/// What the findings come to, with what to do about each kind of them.
fn in_plain_text(findings: &[Finding]) -> Failure {
    let mut kinds: Vec<Flaw> = findings.iter().map(|finding| finding.flaw).collect();
    kinds.sort();
    kinds.dedup();
    let mut next: Vec<String> = kinds.iter().map(|flaw| flaw.next("CONFIG", "POINTER")).collect();
    if kinds != [Flaw::Lookalike] {
        next.push("what was committed before is no secret any more".to_owned());
    }
    let what = format!("{} in plain text or damaged", count(findings.len(), "secret"));
    Failure::new(Exit::PlainText, what, next.join("; "))
}
