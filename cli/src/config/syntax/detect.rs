//! Determines the format of a text: from the name of its file, or for a pipe from the content.
//!
//! It never guesses: if a name or a content fits two formats, it returns a refusal that names them.

use super::{Document, Kind, Refusal, RefusalReason, TextFormat};
use zeroize::Zeroizing;

/// The extensions of systemd units and of files in the same format.
const UNITS: [&str; 15] = [
    "service",
    "socket",
    "timer",
    "mount",
    "automount",
    "swap",
    "path",
    "slice",
    "scope",
    "target",
    "network",
    "netdev",
    "link",
    "container",
    "volume",
];

impl TextFormat {
    /// Returns the format with this name, as `--format` takes it.
    pub(crate) fn of_option(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Returns the format for this file name, or `None` if the name does not tell.
    ///
    /// # Errors
    /// The name fits two formats.
    pub(crate) fn of_name(name: &str) -> Result<Option<Self>, Refusal> {
        let name = name.to_ascii_lowercase();
        let ending = name.rsplit_once('.').map(|(_, ending)| ending);
        let by_ending = match ending {
            _ if matches!(&*name, "tsconfig.json" | "devcontainer.json" | "settings.json") => Some(Self::Jsonc),
            Some("json") => Some(Self::Json),
            Some("jsonc") => Some(Self::Jsonc),
            Some("yaml" | "yml") => Some(Self::Yaml),
            Some("toml") => Some(Self::Toml),
            Some("env") => Some(Self::Env),
            Some("ini" | "conf") => Some(Self::Ini),
            Some("properties") => Some(Self::Properties),
            Some(ending) if UNITS.contains(&ending) => Some(Self::Ini),
            _ => None,
        };
        if !name.starts_with(".env.") {
            return Ok(by_ending);
        }
        match by_ending {
            None | Some(Self::Env) => Ok(Some(Self::Env)),
            Some(other) => Err(Refusal::of_whole(RefusalReason::NameFitsTwo(other))),
        }
    }

    /// Returns the format of a file from its name and text, or `None` if the name does not tell and the text is not
    /// JSON.
    ///
    /// # Errors
    /// The name fits two formats.
    pub(super) fn of_file(name: &str, text: &str) -> Result<Option<Self>, Refusal> {
        let by_name = Self::of_name(name);
        if matches!(by_name, Ok(Some(format)) if format != Self::Ini) {
            return by_name;
        }
        // A file named as INI, or with any other name, may contain JSON. A text that begins with a single brace is
        // meant as JSON, even if it is invalid.
        let start = text.trim_start_matches('\u{feff}').trim_start();
        let is_meant = start.strip_prefix('{').is_some_and(|rest| !rest.starts_with(['{', '%', '#', '-']));
        let is_json = || start.starts_with(['[', '"']) && read(Self::Json, text).is_some();
        if is_meant || start.is_empty() && by_name == Ok(None) || is_json() {
            return Ok(Some(Self::Json));
        }
        by_name
    }

    /// Returns the format of a text without a file name.
    ///
    /// # Errors
    /// The text fits several formats, or none.
    pub(crate) fn of_content(text: &str) -> Result<Self, Refusal> {
        // JSON is also valid YAML. A text that begins with a brace or a JSONC comment is meant as JSON.
        let start = text.trim_start_matches('\u{feff}').trim_start();
        if ["{", "//", "/*"].iter().any(|sign| start.starts_with(sign)) {
            let readable = |format: &Self| read(*format, text).is_some();
            if let Some(format) = [Self::Json, Self::Jsonc].into_iter().find(readable) {
                return Ok(format);
            }
        }
        let others = [Self::Json, Self::Env, Self::Toml, Self::Yaml, Self::Ini];
        let read: Vec<_> = others.into_iter().filter_map(|format| read(format, text).filter(has_members)).collect();
        let is_clear = |document: &&Document| document.leaves().all(|leaf| document.text_of(leaf).is_ok());
        let mut fitting: Vec<_> = read.iter().filter(is_clear).map(Document::format).collect();
        if fitting.is_empty() {
            fitting = read.iter().map(Document::format).collect();
        }
        match *fitting {
            [format] => Ok(format),
            [Self::Json, Self::Yaml] => Ok(Self::Json),
            [] => Err(Refusal::of_whole(RefusalReason::UnknownFormat)),
            _ => Err(Refusal::of_whole(RefusalReason::ContentFitsSeveral(fitting))),
        }
    }
}

fn read(format: TextFormat, text: &str) -> Option<Document> {
    Document::parse(format, Zeroizing::new(text.to_owned())).ok()
}

/// Reports whether the document has members or items. A line of prose is also valid YAML, but has none.
fn has_members(document: &Document) -> bool {
    document.values.first().is_some_and(|root| matches!(root.kind, Kind::Map | Kind::List))
        && document.leaves().count() > 0
}
