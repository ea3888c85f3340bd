//! Writes findings as SARIF 2.1.0 (OASIS, errata 01), which CI systems show as annotations on lines.
//!
//! A log has one run, with a rule for each kind of finding. A location is a file's URI, a line and a column, with the
//! pointer as a logical location. The log contains no value and no snippet of a file. This module does not depend on
//! any command: it turns a list into JSON.

use std::collections::BTreeMap;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The kind of a finding: a rule in SARIF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A named secret in plain text.
    PlainSecret,
    /// A value that is likely a secret.
    LikelySecret,
    /// A named secret that is an object or an array.
    NotAString,
    /// A value that looks like a token but is not one.
    DamagedToken,
    /// A token in the old form.
    LegacyToken,
    /// A token that is older than allowed.
    AgedToken,
}

impl Rule {
    const ALL: [Self; 6] = [
        Self::PlainSecret,
        Self::LikelySecret,
        Self::NotAString,
        Self::DamagedToken,
        Self::LegacyToken,
        Self::AgedToken,
    ];

    /// Returns the rule's id. It must never change: CI systems identify closed alerts by it.
    fn id(self) -> &'static str {
        match self {
            Self::PlainSecret => "plain-secret",
            Self::LikelySecret => "likely-secret",
            Self::NotAString => "not-a-string",
            Self::DamagedToken => "damaged-token",
            Self::LegacyToken => "legacy-token",
            Self::AgedToken => "aged-token",
        }
    }

    fn summary(self) -> &'static str {
        match self {
            Self::PlainSecret => "A named secret is in plain text.",
            Self::LikelySecret => "A value that is likely a secret is in plain text.",
            Self::NotAString => "A named secret is an object or an array.",
            Self::DamagedToken => "A value looks like an encrypted token, but is not one.",
            Self::LegacyToken => "A token is in the old form, without a salt of its own.",
            Self::AgedToken => "A token, and so its key, is older than --max-age.",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::PlainSecret => {
                "Encrypt the value: fernseal encrypt --in-place CONFIG --field POINTER. Then change the secret where it \
                 is used: whoever has the old file knows it."
            }
            Self::LikelySecret => {
                "Encrypt the value: fernseal encrypt --in-place CONFIG --field POINTER. If it is no secret, list its \
                 pointer under ignore in .fernseal.toml."
            }
            Self::NotAString => "Only a string, a number or a truth value can be encrypted: name one inside it.",
            Self::DamagedToken => "Restore the token from a backup, or encrypt the secret again.",
            Self::LegacyToken => "Rotate the key: fernseal rotate CONFIG. It gives each token a salt of its own.",
            Self::AgedToken => "Rotate the key: fernseal rotate CONFIG. It gives each token the present time.",
        }
    }
}

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// It fails the command.
    Error,
    /// It is only reported.
    Warning,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A region of a text. Lines and columns count from 1, columns are in characters, and the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    start: (usize, usize),
    end: (usize, usize),
}

impl Region {
    /// Returns the regions of the byte ranges `spans` of `text`, in one pass: a file may have many findings in one long
    /// line.
    pub(crate) fn of_each(text: &str, spans: &[Range<usize>]) -> Vec<Self> {
        let mut offsets: Vec<usize> = spans.iter().flat_map(|span| [span.start, span.end]).collect();
        offsets.sort_unstable();
        let mut places = BTreeMap::new();
        // A byte order mark does not count as a column.
        let mut read = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let (mut line, mut column) = (1, 1);
        for offset in offsets {
            for byte in text.as_bytes().get(read..offset).unwrap_or(&[]) {
                match *byte {
                    b'\n' => (line, column) = (line + 1, 1),
                    // Count each character once: skip UTF-8 continuation bytes.
                    byte => column += usize::from(byte & 0xc0 != 0x80),
                }
            }
            read = read.max(offset);
            places.insert(offset, (line, column));
        }
        spans.iter().map(|span| Self { start: places[&span.start], end: places[&span.end] }).collect()
    }
}

/// One finding.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) rule: Rule,
    pub(crate) level: Level,
    pub(crate) file: PathBuf,
    pub(crate) pointer: String,
    pub(crate) region: Option<Region>,
    /// Two sentences: what was found, and what to do. It never contains the value.
    pub(crate) message: String,
}

/// A file that was left out or could not be read, with the reason.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    /// An error for a file that failed, as it may contain a secret; a warning for a file that was left out.
    pub(crate) level: Level,
    pub(crate) file: PathBuf,
    pub(crate) message: String,
}

/// Returns the log of one run. `exit` is the command's exit code. The run counts as successful if findings are the only
/// reason for an exit code other than 0.
pub(crate) fn log(findings: &[Finding], notices: &[Notice], exit: u8) -> Value {
    let rules: Vec<Value> = Rule::ALL
        .into_iter()
        .map(|rule| {
            json!({
                "id": rule.id(),
                "shortDescription": { "text": rule.summary() },
                "help": { "text": rule.help() },
                "defaultConfiguration": { "level": "error" },
                "properties": { "tags": ["security"], "security-severity": "7.5" },
            })
        })
        .collect();
    let notifications: Vec<Value> = notices
        .iter()
        .map(|notice| {
            json!({
                "level": notice.level.name(),
                "message": { "text": notice.message },
                "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(&notice.file) } } }],
            })
        })
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Fernseal",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_HOMEPAGE"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": notices.iter().all(|notice| notice.level != Level::Error),
                "exitCode": exit,
                "toolExecutionNotifications": notifications,
            }],
            "results": findings.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn result(finding: &Finding) -> Value {
    let uri = uri(&finding.file);
    // A location without a region is the file itself; GitHub shows that at its first line.
    let mut physical = json!({ "artifactLocation": { "uri": uri } });
    if let Some(Region { start, end }) = finding.region {
        physical["region"] =
            json!({ "startLine": start.0, "startColumn": start.1, "endLine": end.0, "endColumn": end.1 });
    }
    json!({
        "ruleId": finding.rule.id(),
        "ruleIndex": Rule::ALL.iter().position(|rule| *rule == finding.rule),
        "level": finding.level.name(),
        "message": { "text": finding.message },
        "locations": [{
            "physicalLocation": physical,
            "logicalLocations": [{ "fullyQualifiedName": finding.pointer, "kind": "member" }],
        }],
        // The fingerprint stays the same when lines above the finding are added or removed.
        "partialFingerprints": { "filePointer/v1": format!("{uri}#{}", finding.pointer) },
    })
}

/// Returns a path as a URI reference (RFC 3986). A relative path stays relative: in CI, to the root of the repository.
fn uri(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encoded = |bytes: &[u8]| -> String {
        bytes
            .iter()
            .map(|byte| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") })
            .collect()
    };
    let mut steps = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => steps.push(encoded(name.as_bytes())),
            Component::ParentDir => steps.push("..".to_owned()),
            Component::RootDir => steps.push("file://".to_owned()),
            Component::CurDir | Component::Prefix(_) => {}
        }
    }
    steps.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_counts_lines_and_characters_from_one() {
        let text = "\u{feff}a: ü\r\n  \"k\u{1f511}\": \"ä\"\n";
        let at = |needle: &str| text.find(needle).unwrap();
        let spans = [at("\"ä")..at("\"ä") + 4, at("ü")..at("ü") + 2];
        let regions = [Region { start: (2, 9), end: (2, 12) }, Region { start: (1, 4), end: (1, 5) }];
        assert_eq!(Region::of_each(text, &spans), regions);
        let whole = 0..1;
        assert_eq!(Region::of_each("a", &[whole]), [Region { start: (1, 1), end: (1, 2) }]);
    }

    #[test]
    fn a_path_becomes_a_uri_that_leads_to_it() {
        for (path, wanted) in [
            ("./a b/c#1.json", "a%20b/c%231.json"),
            ("/etc/x.yml", "file:///etc/x.yml"),
            ("../a:b", "../a%3Ab"),
            ("ü.json", "%C3%BC.json"),
        ] {
            assert_eq!(uri(Path::new(path)), wanted);
        }
    }

    #[test]
    fn a_result_names_its_rule_and_its_place() {
        let finding = Finding {
            rule: Rule::LikelySecret,
            level: Level::Warning,
            file: "conf/a.json".into(),
            pointer: "/db/password".into(),
            region: Some(Region { start: (2, 7), end: (2, 10) }),
            message: "likely: name `password`".into(),
        };
        let notice = Notice { level: Level::Warning, file: "b.bin".into(), message: "not UTF-8".into() };
        let log = log(&[finding.clone(), Finding { region: None, ..finding }], &[notice], 3);
        let run = &log["runs"][0];
        let result = &run["results"][0];
        let rule = &run["tool"]["driver"]["rules"][usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!((&result["ruleId"], &rule["id"]), (&json!("likely-secret"), &json!("likely-secret")));
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "conf/a.json");
        assert_eq!(place["region"], json!({ "startLine": 2, "startColumn": 7, "endLine": 2, "endColumn": 10 }));
        assert_eq!(result["partialFingerprints"]["filePointer/v1"], "conf/a.json#/db/password");
        assert!(run["results"][1]["locations"][0]["physicalLocation"].get("region").is_none());
        assert_eq!(run["invocations"][0]["exitCode"], 3);
        assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    }
}
