//! `check`: does a config hold a secret in plain text? For git hooks and CI; it needs no key.
//! Looked at are the guide's secret, those that `.fernseal.toml` or the caller names, and what merely looks like a token.
//! All configs are looked at, whatever is wrong with one of them; one finding makes the exit code 3.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::slice;

use fernseal_core::Error;
use fernseal_core::config;
use fernseal_core::json::{self, Kind};
use rustix::fs::FileType;
use serde_json::json;

use crate::Context;
use crate::args::Check;
use crate::document::{Document, looks};
use crate::failure::{Exit, Failure, Result};
use crate::report::{self, count, quoted, quoted_path, shown};
use crate::settings::{self, Settings};
use crate::{keys, store};

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
    // Settings that cannot be used fail all configs beside them.
    failures.dedup_by(|failure, before| failure.what == before.what);
    if !looked.findings.is_empty() {
        failures.insert(0, in_plain_text(&looked.findings));
    }
    if failures.is_empty() {
        context.report.note(format_args!("{}: no secret in plain text", count(looked.configs, "config")));
    }
    report::say_all(failures)
}

/// What is wrong with one value.
pub(super) struct Finding {
    config: String,
    pub(super) pointer: String,
    looks: Looks,
}

/// How a value that is no token looks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Looks {
    String,
    /// A number or a truth value.
    Scalar,
    /// An object or an array.
    Group,
    /// It begins nearly as a token does.
    Token,
}

impl Looks {
    /// How a value looks that is to be a secret; nothing, if that is as it must be.
    fn of(value: &json::Value<'_>) -> Option<Self> {
        match value.kind() {
            Kind::String => {
                (!value.raw().is_empty() && looks(value.raw()) == config::Looks::Plain).then_some(Self::String)
            }
            Kind::Scalar => (value.raw() != "null").then_some(Self::Scalar),
            Kind::Object | Kind::Array => Some(Self::Group),
        }
    }

    /// What to do about it, at `pointer` in `config`.
    fn next(self, config: &str, pointer: &str) -> String {
        match self {
            Self::String => format!("fernseal encrypt --in-place {config} --field {pointer}"),
            Self::Scalar => format!("fernseal set {config} {pointer}"),
            Self::Group => Failure::at(config, pointer, Error::NotAString).next,
            Self::Token => Failure::at(config, pointer, Error::LooksSealed).next,
        }
    }
}

impl Finding {
    pub(super) fn what(&self) -> &'static str {
        match self.looks {
            Looks::String | Looks::Scalar => "plain text",
            Looks::Group => "not a string, but an object or array",
            Looks::Token => "looks like a token, but is none",
        }
    }

    pub(super) fn next(&self, config: &Path) -> String {
        self.looks.next(&quoted_path(config), &quoted(&self.pointer))
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
                    super::load(config, context).and_then(|(_, document)| Ok((document, Settings::beside(config)?)));
                self.add(&config.path, read, required);
            }
        }
    }

    /// Fails where git does; of a file that is not as it must be it only takes note.
    fn at_staged(&mut self, required: &[String]) -> Result<()> {
        for Staged { path, kind, blob } in staged()? {
            let mut folders = path.parent().into_iter().flatten();
            let reason = if folders.any(|name| name.as_bytes().starts_with(b".")) {
                Some("in a hidden directory")
            } else {
                store::left_out(path.file_name().unwrap_or_default(), kind)
            };
            match reason {
                Some(reason) => self.skipped.push((shown(&path), reason.to_owned())),
                None => {
                    let document = Document::parse(shown(&path), git(&["cat-file", "blob", &blob])?);
                    self.add(&path, document.and_then(|document| Ok((document, staged_settings(&path)?))), required);
                }
            }
        }
        Ok(())
    }

    /// Looks at the config at `path`, or takes note of why it cannot be read.
    fn add(&mut self, path: &Path, read: Result<(Document, Settings)>, required: &[String]) {
        match read {
            Ok((document, settings)) => {
                self.configs += 1;
                self.look(&document, &settings, required);
            }
            Err(failure) => self.failed.push((shown(path), failure)),
        }
    }

    /// Looks at the values that must not be plain, and at all that look like tokens and are none.
    pub(super) fn look(&mut self, document: &Document, settings: &Settings, required: &[String]) {
        let config = &document.name;
        // Two pointers may lead to one value.
        let mut seen = BTreeSet::new();
        for pointer in settings.places(required) {
            let found = json::find(&document.text, pointer);
            if !matches!(found, Err(Error::NotFound)) {
                self.met.insert(pointer.to_owned());
            }
            match found {
                Err(Error::NotFound) => {}
                Err(error) => self.failed.push((config.clone(), document.failure(pointer, error))),
                Ok(value) if !seen.insert(value.span().start) => {}
                Ok(value) => self.findings.extend(Looks::of(&value).map(|looks| Finding {
                    config: config.clone(),
                    pointer: pointer.to_owned(),
                    looks,
                })),
            }
        }
        self.findings.extend(document.lookalikes.iter().map(|pointer| Finding {
            config: config.clone(),
            pointer: pointer.clone(),
            looks: Looks::Token,
        }));
    }

    fn tell(&self, as_json: bool) -> Result<()> {
        if as_json {
            let findings = self.findings.iter().map(
                |finding| json!({ "config": finding.config, "pointer": finding.pointer, "finding": finding.what() }),
            );
            return report::json(
                "check",
                json!({
                    "configs": self.configs,
                    "findings": findings.collect::<Vec<_>>(),
                    "skipped": report::skipped_in_json(&self.skipped),
                    "failed": report::failed_in_json(&self.failed),
                }),
            );
        }
        for (file, reason) in &self.skipped {
            report::result(format_args!("skipped {file}: {reason}"))?;
        }
        for finding in &self.findings {
            report::result(format_args!("{} {}: {}", finding.config, finding.pointer, finding.what()))?;
        }
        Ok(())
    }
}

/// What the findings come to, with what to do about each kind of them.
fn in_plain_text(findings: &[Finding]) -> Failure {
    let mut kinds: Vec<Looks> = findings.iter().map(|finding| finding.looks).collect();
    kinds.sort();
    kinds.dedup();
    let mut next: Vec<String> = kinds.iter().map(|looks| looks.next("CONFIG", "POINTER")).collect();
    if kinds != [Looks::Token] {
        next.push("what was committed before is no secret any more".to_owned());
    }
    let what = format!("{} in plain text or damaged", count(findings.len(), "secret"));
    Failure::new(Exit::PlainText, what, next.join("; "))
}

/// A JSON file that is staged.
struct Staged {
    /// From the top of the repository.
    path: PathBuf,
    kind: FileType,
    /// Git's name for its content.
    blob: String,
}

/// The JSON files that are staged, wherever in the repository.
fn staged() -> Result<Vec<Staged>> {
    // In a folder that is no repository, `git diff` compares two files.
    git(&["rev-parse", "--git-dir"])?;
    let raw = ["diff", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-relative", "--diff-filter=AMT"];
    let listed = git(&raw)?;
    // `:MODE MODE BLOB BLOB STATUS` and a path by turns, before and after.
    let mut fields = listed.split(|byte| *byte == 0);
    let mut staged = Vec::new();
    while let (Some(entry), Some(path)) = (fields.next(), fields.next()) {
        let entry = String::from_utf8_lossy(entry);
        let mut words = entry.split(' ').skip(1);
        if let (Some(mode), Some(blob)) = (words.next(), words.nth(1))
            && path.ends_with(b".json")
        {
            let mode = u32::from_str_radix(mode, 8).unwrap_or_default();
            let path = PathBuf::from(OsStr::from_bytes(path));
            staged.push(Staged { path, kind: FileType::from_raw_mode(mode), blob: blob.to_owned() });
        }
    }
    Ok(staged)
}

/// The settings that are staged beside a staged config.
fn staged_settings(config: &Path) -> Result<Settings> {
    let path = config.with_file_name(settings::NAME);
    let mut only = OsString::from(":(top,literal)");
    only.push(&path);
    let listed = git(&["ls-files".as_ref(), "--stage".as_ref(), "-z".as_ref(), "--".as_ref(), only.as_os_str()])?;
    // `MODE BLOB STAGE` and the path.
    match String::from_utf8_lossy(&listed).split(' ').nth(1) {
        Some(blob) => Settings::parse(&shown(&path), &git(&["cat-file", "blob", blob])?),
        None => Ok(Settings::default()),
    }
}

/// What git prints. It gets no master key.
fn git<S: AsRef<OsStr>>(arguments: &[S]) -> Result<Vec<u8>> {
    let mut command = Command::new("git");
    keys::VARIABLES.iter().for_each(|name| _ = command.env_remove(name));
    let failed = |why: &dyn Display| {
        let next = "run it in a git repository, or name the files";
        Failure::new(Exit::Other, format!("git cannot be asked: {why}"), next)
    };
    let output = command.args(arguments).output().map_err(|error| failed(&error))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(failed(&String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default()))
}
