//! The ProxmoxMCP config as a Rust value that borrows from the text. Unknown fields are ignored.
//!
//! [`json`] checks the text first, because serde-json-core, which then maps the fields, is recursive and accepts some
//! invalid JSON. Field names that occur twice or contain escapes are refused, because serde-json-core would read them
//! differently from other readers. A new field of the config is added here, in [`FIELDS`], and in `fernseal_config` of
//! the C API.

use core::fmt;

use serde::{Deserialize, Deserializer};
use serde_json_core::str::EscapedStr;

use super::kind::{begins_sealed, open_string};
use crate::buffer;
use crate::error::Error;
use crate::json::{self, Events, Value};
use crate::kdf::{AtOnce, Pace};
use crate::key::MasterKey;
use crate::token::Opener;

/// How deeply a text may be nested for [`Config::read`]; serde-json-core recurses.
pub const MAX_DEPTH: usize = 16;

/// The sections that are read, each with its fields.
const FIELDS: [(&str, &[&str]); 3] = [
    ("proxmox", &["host", "port", "verify_ssl", "service"]),
    ("auth", &["user", "token_name", "token_value"]),
    ("logging", &["level", "format", "file"]),
];

/// A config as ProxmoxMCP reads it. Its strings are [`Text`]s, because they may be sealed or contain escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Config<'a> {
    /// The Proxmox server.
    #[serde(borrow)]
    pub proxmox: Proxmox<'a>,
    /// The API token that logs in to it.
    #[serde(borrow)]
    pub auth: Auth<'a>,
    /// The log settings.
    #[serde(borrow, default)]
    pub logging: Logging<'a>,
}

/// The section `proxmox`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Proxmox<'a> {
    /// The server's host name or address.
    #[serde(borrow)]
    pub host: Text<'a>,
    /// The server's port; 8006 if the config has none.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Whether the server's certificate is verified; true if the config does not say.
    #[serde(default = "default_verify_ssl")]
    pub verify_ssl: bool,
    /// The kind of server; `PVE` if the config does not say.
    #[serde(borrow, default = "default_service")]
    pub service: Text<'a>,
}

/// The section `auth`.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Auth<'a> {
    /// The user, such as `root@pam`.
    #[serde(borrow)]
    pub user: Text<'a>,
    /// The name of the API token.
    #[serde(borrow)]
    pub token_name: Text<'a>,
    /// The secret of the API token, in plain text or sealed.
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
    /// The log level; `INFO` if the config has none.
    #[serde(borrow)]
    pub level: Text<'a>,
    /// The log format, as Python's `logging` defines it; date, name, level and message if the config has none.
    #[serde(borrow)]
    pub format: Text<'a>,
    /// The log file, if there is one.
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
    /// Reads a config, whether its values are sealed or not. Costs no derivation.
    ///
    /// It is stricter than Python's reader: it refuses numbers and booleans in quotes, and `null` except for `file`.
    ///
    /// # Errors
    /// [`Error::InvalidJson`]; [`Error::TooDeep`] if the text is nested more deeply than [`MAX_DEPTH`]; [`Error::NotFound`] if a
    /// field without a default is missing; [`Error::UnexpectedKind`] if a value has the wrong kind or range;
    /// [`Error::DuplicateKey`] if the name of a field or section occurs twice, [`Error::EscapedName`] if it has escapes.
    pub fn read(json: &'a str) -> Result<Self, Error> {
        check_depth(json)?;
        let root = json::root(json)?;
        for (section, fields) in FIELDS {
            let Some(section) = plain_member(&root, section)? else { continue };
            for field in fields {
                plain_member(&section, field)?;
            }
        }
        // serde-json-core does not accept a byte order mark.
        match serde_json_core::from_str(json.strip_prefix('\u{feff}').unwrap_or(json)) {
            Ok((config, _)) => Ok(config),
            // No name occurs twice, so an error of serde's own means that a field is missing.
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

/// Returns the member called `name`. Refuses a name that is written with escapes, which serde-json-core would not recognise.
fn plain_member<'a>(object: &Value<'a>, name: &str) -> Result<Option<Value<'a>>, Error> {
    match object.member(name)? {
        None => Ok(None),
        Some((raw, value)) if raw == name.as_bytes() => Ok(Some(value)),
        Some(_) => Err(Error::EscapedName),
    }
}

/// The JSON text of a string of a config, with its escapes. Two of them are equal if they are equal without escapes.
#[derive(Clone, Copy)]
pub struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// Returns the JSON text of the string, without quotes and with escapes.
    #[must_use]
    pub const fn raw(&self) -> &'a str {
        self.0
    }

    /// Returns the string if it is written without escapes. [`Text::unescape`] returns any string.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        if self.0.contains('\\') { None } else { Some(self.0) }
    }

    /// Returns whether the string begins with `enc:`, so that [`Text::open`] needs a key.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        begins_sealed(self.0.as_bytes())
    }

    /// Returns the string without its escapes. `out` needs at most `raw().len()` bytes.
    ///
    /// # Errors
    /// [`Error::NotUtf8`] for a lone surrogate, [`Error::BufferTooSmall`]; `out` is then zeroed.
    pub fn unescape<'o>(&self, out: &'o mut [u8]) -> Result<&'o str, Error> {
        json::unescape(self.0, out)
    }

    /// Returns the string without its escapes, opened with the first of `keys` that sealed it if it begins with `enc:`. `out`
    /// needs at most `raw().len()` bytes. A sealed string costs one derivation for each key that is tried.
    ///
    /// # Errors
    /// As [`Text::unescape`]; [`Error::Malformed`] or [`Error::AuthenticationFailed`] if it begins with `enc:` and does not open.
    pub fn open<'o>(&self, keys: &[MasterKey], out: &'o mut [u8]) -> Result<&'o str, Error> {
        self.open_in_slices(keys, &AtOnce, out)
    }

    /// Returns the string as [`Text::open`] does, with derivations in slices.
    ///
    /// # Errors
    /// As [`Text::open`], and [`Error::Cancelled`].
    pub fn open_in_slices<'o>(&self, keys: &[MasterKey], pace: &dyn Pace, out: &'o mut [u8]) -> Result<&'o str, Error> {
        buffer::fill_text(out, |out| open_string(self.0.as_bytes(), &mut Opener::new(keys, pace), out))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    /// Works with serde-json-core only: other readers of serde pass strings without escapes, which this type would unescape
    /// again.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        EscapedStr::deserialize(deserializer).map(|text| Self(text.0))
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        json::same_unescaped(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl Eq for Text<'_> {}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        json::unescaped_eq(self.0.as_bytes(), other)
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
