//! Which format a text has: by the name of its file, or of a pipe by what is in it.
//! A text that could be two things is never guessed at.

use super::reading::WHOLE;
use super::{Document, Kind, Refusal, TextFormat};
use zeroize::Zeroizing;

/// What to do where it is not clear.
const NAME_IT: &str = "name the format with --format";

/// What is said of a text that no format fits.
const NONE: &str = "its format was not recognized";

/// The endings of systemd's units and of what is written like them.
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
    /// The format of that name, as `--format` takes it.
    pub(crate) fn of_option(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The format that a file of this name has; none, if the name tells nothing.
    ///
    /// # Errors
    /// That the name tells two.
    pub(crate) fn of_name(name: &str) -> Result<Option<Self>, Refusal> {
        // Of a copy that this program made, the name of the config that it is of.
        let is_stamp = |stamp: &str| stamp.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
        let copied = [".backup.", ".edited.", ".saved."].iter().find_map(|mark| name.rsplit_once(mark));
        let name = copied.filter(|(_, stamp)| is_stamp(stamp)).map_or(name, |(name, _)| name).to_ascii_lowercase();
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
            Some(other) => {
                let what = format!("its name fits two formats: env and {}", other.name());
                Err(Refusal::new(WHOLE, what, NAME_IT))
            }
        }
    }

    /// The format of the text of the file `name`; none, if the name tells nothing and it is not JSON either.
    ///
    /// # Errors
    /// That the name tells two.
    pub(super) fn of_file(name: &str, text: &str) -> Result<Option<Self>, Refusal> {
        let by_name = Self::of_name(name);
        if matches!(by_name, Ok(Some(format)) if format != Self::Ini) {
            return by_name;
        }
        // Such names tell little, and what is JSON is JSON. What begins with one brace is meant to be.
        let start = text.trim_start_matches('\u{feff}').trim_start();
        let is_meant = start.strip_prefix('{').is_some_and(|rest| !rest.starts_with(['{', '%', '#', '-']));
        let is_json = || start.starts_with(['[', '"']) && read(Self::Json, text).is_some();
        if is_meant || start.is_empty() && by_name == Ok(None) || is_json() {
            return Ok(Some(Self::Json));
        }
        by_name
    }

    /// The format of a text that has no name.
    ///
    /// # Errors
    /// That it could be several, or is none that is known.
    pub(crate) fn of_content(text: &str) -> Result<Self, Refusal> {
        // All of JSON is YAML too, and who begins with a brace or a comment of JSONC means JSON.
        let start = text.trim_start_matches('\u{feff}').trim_start();
        if ["{", "//", "/*"].iter().any(|sign| start.starts_with(sign)) {
            let readable = |format: &Self| read(*format, text).is_some();
            if let Some(format) = [Self::Json, Self::Jsonc].into_iter().find(readable) {
                return Ok(format);
            }
        }
        let others = [Self::Json, Self::Env, Self::Toml, Self::Yaml, Self::Ini];
        let read: Vec<_> = others.into_iter().filter_map(|format| read(format, text).filter(says_much)).collect();
        let is_clear = |document: &&Document| document.leaves().all(|leaf| document.text_of(leaf).is_ok());
        let mut fitting: Vec<_> = read.iter().filter(is_clear).map(Document::format).collect();
        if fitting.is_empty() {
            fitting = read.iter().map(Document::format).collect();
        }
        match *fitting {
            [format] => Ok(format),
            [Self::Json, Self::Yaml] => Ok(Self::Json),
            [] => Err(Refusal::new(WHOLE, NONE, NAME_IT)),
            _ => {
                let names: Vec<_> = fitting.iter().map(|format| format.name()).collect();
                Err(Refusal::new(WHOLE, format!("its content fits several formats: {}", names.join(" or ")), NAME_IT))
            }
        }
    }
}

fn read(format: TextFormat, text: &str) -> Option<Document> {
    Document::parse(format, Zeroizing::new(text.to_owned())).ok()
}

/// Whether it has values with names, or several: a line of prose is YAML too.
fn says_much(document: &Document) -> bool {
    document.values.first().is_some_and(|root| matches!(root.kind, Kind::Map | Kind::List))
        && document.leaves().count() > 0
}
