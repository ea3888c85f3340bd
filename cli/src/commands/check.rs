//! `check`: does a config hold a secret in plain text? For git hooks and CI; it needs no key.
//! Looked at are the guide's secret, those that `.fernseal.toml` or the caller names, and what merely looks like a token.
//! All configs are looked at; one finding makes the exit code 3.

use std::path::Path;
use std::process::Command;

use fernseal_core::Error;
use fernseal_core::config::Looks;
use fernseal_core::json;
use serde_json::json;

use crate::Context;
use crate::args::Check;
use crate::document::{Document, looks};
use crate::failure::{Exit, Failure, Result};
use crate::report;
use crate::settings::{self, Settings};
use crate::{keys, store};

/// What is wrong with one value.
pub(super) struct Finding {
    config: String,
    pub(super) pointer: String,
    pub(super) what: &'static str,
}

pub(crate) fn run(args: &Check, context: &Context) -> Result<()> {
    let mut findings = Vec::new();
    let mut configs = 0;
    if args.staged {
        for name in staged()? {
            let document = Document::parse(name.clone(), git(&["show", &format!(":{name}")])?)?;
            findings.extend(look(&document, &staged_settings(&name)?, &args.required)?);
            configs += 1;
        }
    } else {
        for config in store::find(&args.paths)?.configs {
            let (_, document) = super::load(&config, context)?;
            findings.extend(look(&document, &Settings::beside(&config)?, &args.required)?);
            configs += 1;
        }
    }
    if args.json {
        let entries: Vec<_> = findings
            .iter()
            .map(|finding| json!({ "config": finding.config, "pointer": finding.pointer, "finding": finding.what }))
            .collect();
        report::json("check", json!({ "configs": configs, "findings": entries }))?;
    } else {
        for finding in &findings {
            report::result(format_args!("{} {}: {}", finding.config, finding.pointer, finding.what))?;
        }
    }
    if findings.is_empty() {
        context.report.note(format_args!("{}: no secret in plain text", report::count(configs, "config")));
        return Ok(());
    }
    Err(Failure::new(
        Exit::PlainText,
        format!("{} in plain text or damaged", report::count(findings.len(), "secret")),
        "encrypt them: fernseal encrypt --in-place CONFIG [--field POINTER]; what was committed before is no secret any more",
    ))
}

/// Looks at the values that must not be plain, and at all that look like tokens and are none.
pub(super) fn look(document: &Document, settings: &Settings, required: &[String]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut found = |pointer: String, what| findings.push(Finding { config: document.name.clone(), pointer, what });
    for pointer in settings.places(required) {
        let value = match json::find(&document.text, pointer) {
            Err(Error::NotFound) => continue,
            found => found.map_err(|error| document.failure(pointer, error))?,
        };
        if value.kind() != json::Kind::String || (looks(value.raw()) == Looks::Plain && !value.raw().is_empty()) {
            found(pointer.to_owned(), "plain text");
        }
    }
    for pointer in &document.lookalikes {
        found(pointer.clone(), "looks like a token, but is none");
    }
    Ok(findings)
}

/// The settings that are staged beside a staged config.
fn staged_settings(config: &str) -> Result<Settings> {
    let name = Path::new(config).with_file_name(settings::NAME);
    let name = name.to_string_lossy();
    if git(&["ls-files", "--cached", "-z", "--", &format!(":(top,literal){name}")])?.is_empty() {
        return Ok(Settings::default());
    }
    Settings::parse(&name, &git(&["show", &format!(":{name}")])?)
}

/// The names of the JSON files that are staged, as git has them.
fn staged() -> Result<Vec<String>> {
    let names = git(&["diff", "--cached", "--name-only", "--diff-filter=ACMR", "-z", "--", "*.json"])?;
    Ok(names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect())
}

/// What git prints. It gets no master key.
fn git(arguments: &[&str]) -> Result<Vec<u8>> {
    let mut command = Command::new("git");
    keys::VARIABLES.iter().for_each(|name| _ = command.env_remove(name));
    let failed = |why: String| {
        Failure::new(
            Exit::Other,
            format!("git cannot be asked: {why}"),
            "run it in a git repository, or name the files",
        )
    };
    let output = command.args(arguments).output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
