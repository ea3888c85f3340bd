//! The output of `check`: lines, JSON or SARIF, and a summary if nothing was found.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Finding, Likely, Looked};
use crate::env::SECRETS_FILE;
use crate::error::{Exit, Flaw, Result};
use crate::output::sarif::{self, Level, Rule};
use crate::output::{self, Report};
use crate::quote::{Pointer, count};

impl Looked {
    /// Returns how many findings of each kind fail the command.
    pub(super) fn failing(&self, likely: Likely) -> Vec<(Flaw, usize)> {
        let mut counts: BTreeMap<Flaw, usize> = BTreeMap::new();
        for finding in self.findings.iter().filter(|finding| finding.fails(likely)) {
            *counts.entry(finding.flaw).or_default() += 1;
        }
        counts.into_iter().collect()
    }

    /// Prints a note for each pattern of the settings that matched nothing in any config.
    pub(super) fn tell_unmatched(&self, report: &Report) {
        for pattern in unmatched(&self.patterns) {
            report.note(format_args!(
                "{pattern}, under secrets in {SECRETS_FILE}, matches nothing in the checked configs"
            ));
        }
        for pattern in unmatched(&self.ignored) {
            report.note(format_args!(
                "{pattern}, under ignore in {SECRETS_FILE}, matches nothing that looks like a secret"
            ));
        }
    }

    /// Describes what was examined, when nothing that fails was found. It claims no more than that.
    pub(super) fn summary(&self, config: &str, likely: Likely) -> String {
        let (there, missing): (Vec<_>, Vec<_>) = self.met.iter().partition(|(_, met)| **met > 0);
        let there: Vec<String> = there.iter().map(|(pointer, met)| format!("{pointer} (in {met})")).collect();
        let missing: Vec<String> = missing.iter().map(|(pointer, _)| pointer.to_string()).collect();
        let mut parts = Vec::new();
        if !there.is_empty() {
            parts.push(format!("no plain text at {}", listed(there, "and")));
        }
        if !missing.is_empty() {
            parts.push(format!("none has a value at {}", listed(missing, "or")));
        }
        if !self.met.is_empty() {
            parts.push(match (likely, self.findings.len()) {
                (Likely::Ignore, _) => "other values were not checked".to_owned(),
                (_, 0) => "no other value looks like a secret".to_owned(),
                (_, likely) => count(likely, "likely secret"),
            });
        }
        match self.without_legacy {
            0 => {}
            all if all == self.configs => parts.push("no legacy token".to_owned()),
            some => parts.push(format!("no legacy token in {some} of them")),
        }
        if !self.skipped.is_empty() {
            parts.push(format!("{} skipped", count(self.skipped.len(), "path")));
        }
        let configs = format!("{} checked", count(self.configs, config));
        if parts.is_empty() { configs } else { format!("{configs}: {}", parts.join("; ")) }
    }

    pub(super) fn tell(&self) -> Result<()> {
        for (file, reason) in &self.skipped {
            output::result(format_args!("skipped {file}: {reason}"))?;
        }
        for finding in &self.findings {
            output::result(format_args!("{} {}: {}", finding.file.name, finding.pointer, finding.what()))?;
            output::result(format_args!("  next: {}", finding.next()))?;
        }
        Ok(())
    }

    pub(super) fn tell_in_json(&self) -> Result<()> {
        let met = self.met.iter().map(|(pointer, met)| json!({ "pointer": pointer, "configs": met }));
        let findings = self.findings.iter().map(|finding| {
            json!({
                "config": finding.file.name,
                "pointer": finding.pointer,
                "finding": finding.what(),
                "likely": finding.flaw.is_likely(),
                "next": finding.next(),
            })
        });
        output::json(
            "check",
            json!({
                "configs": self.configs,
                "pointers": met.collect::<Vec<_>>(),
                "unmatched": unmatched(&self.patterns).chain(unmatched(&self.ignored)).collect::<Vec<_>>(),
                "findings": findings.collect::<Vec<_>>(),
                "skipped": output::skipped_in_json(&self.skipped),
                "failed": output::failed_in_json(&self.failed),
            }),
        )
    }

    pub(super) fn tell_in_sarif(&self, likely: Likely) -> Result<()> {
        let finding = |finding: &Finding| sarif::Finding {
            rule: match finding.flaw {
                Flaw::PlainString | Flaw::PlainScalar => Rule::PlainSecret,
                Flaw::LikelyString | Flaw::LikelyScalar => Rule::LikelySecret,
                Flaw::Group => Rule::NotAString,
                Flaw::Lookalike => Rule::DamagedToken,
                Flaw::Legacy => Rule::LegacyToken,
                Flaw::Aged => Rule::AgedToken,
            },
            level: if finding.fails(likely) { Level::Error } else { Level::Warning },
            file: finding.file.path.clone(),
            pointer: finding.pointer.to_string(),
            region: finding.region(),
            message: format!("{}: {}. Next: {}", finding.pointer, finding.what(), finding.next()),
        };
        let findings: Vec<sarif::Finding> = self.findings.iter().map(finding).collect();
        let notice = |level, file: &str, message: String| sarif::Notice { level, file: file.into(), message };
        let skipped =
            self.skipped.iter().map(|(file, reason)| notice(Level::Warning, file, format!("skipped: {reason}")));
        let failed = self.failed.iter().map(|(file, failure)| notice(Level::Error, file, failure.what()));
        let exit = match self.failed.first() {
            _ if !self.failing(likely).is_empty() => Exit::PlainText as u8,
            Some((_, failure)) => failure.exit() as u8,
            None => 0,
        };
        output::result(sarif::log(&findings, &skipped.chain(failed).collect::<Vec<_>>(), exit))
    }
}

/// Returns the patterns that matched in no config.
fn unmatched(patterns: &BTreeMap<Pointer, usize>) -> impl Iterator<Item = &Pointer> {
    patterns.iter().filter(|(_, met)| **met == 0).map(|(pattern, _)| pattern)
}

/// Joins a list into words. A long list is cut after eight entries.
pub(in crate::commands) fn listed(mut words: Vec<String>, and: &str) -> String {
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
