//! The ProxmoxMCP config as a Rust value that borrows from the text; fields that it does not know are ignored.
//! `json` checks the text first, strictly; serde-json-core, which recurses and lets junk pass, then only maps fields.
//! What it would read otherwise than other readers is refused: names of fields that occur twice or have escapes.

use core::fmt;

use serde::{Deserialize, Deserializer};
use serde_json_core::str::EscapedStr;

use crate::json::{self, Events, Value};
use crate::token::Opener;
use crate::{Error, MasterKey, buffer};

/// The greatest depth of nesting that [`Config::read`] takes, since serde-json-core recurses.
pub const MAX_DEPTH: usize = 16;

/// The fields that are read, by section.
const FIELDS: [(&str, &[&str]); 3] = [
    ("proxmox", &["host", "port", "verify_ssl", "service"]),
    ("auth", &["user", "token_name", "token_value"]),
    ("logging", &["level", "format", "file"]),
];

/// A config as ProxmoxMCP reads it. Its strings are [`Text`]s, which may be sealed and have escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Config<'a> {
    /// The server.
    #[serde(borrow)]
    pub proxmox: Proxmox<'a>,
    /// Who asks it.
    #[serde(borrow)]
    pub auth: Auth<'a>,
    /// What is logged.
    #[serde(borrow, default)]
    pub logging: Logging<'a>,
}

/// The section `proxmox`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Proxmox<'a> {
    /// Its name or address.
    #[serde(borrow)]
    pub host: Text<'a>,
    /// 8006 if the config does not say.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Whether its certificate is checked; true if the config does not say.
    #[serde(default = "default_verify_ssl")]
    pub verify_ssl: bool,
    /// `PVE` if the config does not say.
    #[serde(borrow, default = "default_service")]
    pub service: Text<'a>,
}

/// The section `auth`.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Auth<'a> {
    /// Such as `root@pam`.
    #[serde(borrow)]
    pub user: Text<'a>,
    /// The name of the API token.
    #[serde(borrow)]
    pub token_name: Text<'a>,
    /// The API token itself: the secret, or the token that it is sealed in.
    #[serde(borrow)]
    pub token_value: Text<'a>,
}

impl fmt::Debug for Auth<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [user, token_name] = [&self.user, &self.token_name].map(Text::raw);
        f.debug_struct("Auth").field("user", &user).field("token_name", &token_name).finish_non_exhaustive()
    }
}

/// The section `logging`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Logging<'a> {
    /// `INFO` if the config does not say.
    #[serde(borrow)]
    pub level: Text<'a>,
    /// A format of Python's `logging`; its date, name, level and message if the config does not say.
    #[serde(borrow)]
    pub format: Text<'a>,
    /// The file that is logged to, if any.
    #[serde(borrow)]
    pub file: Option<Text<'a>>,
}

impl Default for Logging<'_> {
    fn default() -> Self {
        Self { level: Text("INFO"), format: Text("%(asctime)s - %(name)s - %(levelname)s - %(message)s"), file: None }
    }
}

const fn default_port() -> u16 {
    8006
}

const fn default_verify_ssl() -> bool {
    true
}

const fn default_service<'a>() -> Text<'a> {
    Text("PVE")
}

impl<'a> Config<'a> {
    /// Reads a config, sealed or not; costs no derivation.
    ///
    /// Stricter than Python's reader: numbers and booleans in quotes are refused, as is `null` but for `file`.
    ///
    /// # Errors
    /// [`Error::InvalidJson`]; [`Error::TooDeep`] beyond [`MAX_DEPTH`] levels; [`Error::NotFound`] if a field without a
    /// default is missing; [`Error::UnexpectedKind`]; [`Error::DuplicateKey`] and [`Error::EscapedName`] for the name of
    /// a field or of its section.
    pub fn read(json: &'a str) -> Result<Self, Error> {
        check_depth(json)?;
        let root = json::root(json)?;
        for (section, fields) in FIELDS {
            let Some(section) = plain_member(&root, section)? else { continue };
            for field in fields {
                plain_member(&section, field)?;
            }
        }
        // serde-json-core knows no byte order mark.
        match serde_json_core::from_str(json.strip_prefix('\u{feff}').unwrap_or(json)) {
            Ok((config, _)) => Ok(config),
            // No name occurs twice, so what serde itself complains of is a field that is missing.
            Err(serde_json_core::de::Error::CustomError) => Err(Error::NotFound),
            Err(_) => Err(Error::UnexpectedKind),
        }
    }
}

fn check_depth(json: &str) -> Result<(), Error> {
    let mut events = Events::new(json);
    while let Some(event) = events.next() {
        event?;
        if events.depth() > MAX_DEPTH {
            return Err(Error::TooDeep);
        }
    }
    Ok(())
}

/// The member called `name`, which serde-json-core would not know if it were written with escapes.
fn plain_member<'a>(object: &Value<'a>, name: &str) -> Result<Option<Value<'a>>, Error> {
    match object.member(name)? {
        None => Ok(None),
        Some((raw, value)) if raw == name.as_bytes() => Ok(Some(value)),
        Some(_) => Err(Error::EscapedName),
    }
}

/// A string of a config, as it is written between its quotes: escapes are taken off when it is read.
#[derive(Clone, Copy)]
pub struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// The string as it is written, escapes and all.
    #[must_use]
    pub const fn raw(&self) -> &'a str {
        self.0
    }

    /// The string, if it is written without escapes; otherwise [`Text::unescape`] has it.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        if self.0.contains('\\') { None } else { Some(self.0) }
    }

    /// Whether the string begins as a token does (`enc:`), so that [`Text::open`] needs a key.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        super::begins_sealed(self.0.as_bytes())
    }

    /// The string, into at most `raw().len()` bytes of `out`.
    ///
    /// # Errors
    /// [`Error::NotText`] for half a surrogate pair, [`Error::BufferTooSmall`]; `out` is zeroed then.
    pub fn unescape<'o>(&self, out: &'o mut [u8]) -> Result<&'o str, Error> {
        json::unescape(self.0, out)
    }

    /// The string, opened with the first of `keys` that fits if it is sealed, into at most `raw().len()` bytes of `out`.
    /// Costs a derivation for each key that is tried.
    ///
    /// # Errors
    /// As [`Text::unescape`]; [`Error::Malformed`] or [`Error::Unauthentic`] if it begins with `enc:` and does not open.
    pub fn open<'o>(&self, keys: &[MasterKey], out: &'o mut [u8]) -> Result<&'o str, Error> {
        buffer::fill_text(out, |out| super::open_string(self.0.as_bytes(), &mut Opener::new(keys), out))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    /// For serde-json-core: other readers hand over strings whose escapes are taken off already.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        EscapedStr::deserialize(deserializer).map(|text| Self(text.0))
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        json::same_text(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl Eq for Text<'_> {}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        json::says(self.0.as_bytes(), other)
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes, hidden)", self.0.len())
    }
}
