//! The typed config of ProxmoxMCP, borrowed from its text.
//! Our own reader checks the text first, strictly and to a small depth; serde-json-core then only maps the fields.
//! What that crate reads otherwise than JSON says is refused: see [`Config::read`].

use core::fmt;

use serde::Deserialize;
use serde_json_core::str::EscapedStr;

use crate::Error;
use crate::json::{self, Event, Events};

/// The greatest depth of nesting of a typed config: serde-json-core walks it by recursion.
pub const MAX_DEPTH: usize = 16;

/// Room for a member's name whose escapes are taken off, in bytes.
const MAX_ESCAPED_NAME: usize = 64;

/// A config of ProxmoxMCP. Fields that are not named here are ignored.
#[derive(Debug, Clone, Copy, Deserialize)]
#[non_exhaustive]
pub struct Config<'a> {
    /// The server.
    #[serde(borrow)]
    pub proxmox: Proxmox<'a>,
    /// The account.
    pub auth: Auth<'a>,
    /// The log.
    #[serde(default)]
    pub logging: Logging<'a>,
}

/// The server that is talked to.
#[derive(Debug, Clone, Copy, Deserialize)]
#[non_exhaustive]
pub struct Proxmox<'a> {
    /// Its name or address.
    #[serde(borrow)]
    pub host: Text<'a>,
    /// Its port: 8006, if none is given.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Whether its certificate is checked: `true`, if nothing is given.
    #[serde(default = "default_verify_ssl")]
    pub verify_ssl: bool,
    /// The service: `PVE`, if none is given.
    #[serde(default = "default_service")]
    pub service: Text<'a>,
}

/// The account that is used.
#[derive(Clone, Copy, Deserialize)]
#[non_exhaustive]
pub struct Auth<'a> {
    /// The user, as in `root@pam`.
    #[serde(borrow)]
    pub user: Text<'a>,
    /// The name of the API token.
    pub token_name: Text<'a>,
    /// The API token: sealed (`enc:…`), or plain.
    pub token_value: Text<'a>,
}

/// Where and how much is logged.
#[derive(Debug, Clone, Copy, Deserialize)]
#[non_exhaustive]
pub struct Logging<'a> {
    /// The level: `INFO`, if none is given.
    #[serde(borrow, default = "default_level")]
    pub level: Text<'a>,
    /// The format of a line.
    #[serde(default)]
    pub format: Option<Text<'a>>,
    /// The file.
    #[serde(default)]
    pub file: Option<Text<'a>>,
}

impl Default for Logging<'_> {
    fn default() -> Self {
        Self { level: default_level(), format: None, file: None }
    }
}

const fn default_port() -> u16 {
    8006
}

const fn default_verify_ssl() -> bool {
    true
}

const fn default_service() -> Text<'static> {
    Text(EscapedStr("PVE"))
}

const fn default_level() -> Text<'static> {
    Text(EscapedStr("INFO"))
}

impl fmt::Debug for Auth<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("user", &self.user)
            .field("token_name", &self.token_name)
            .field("token_value", &"hidden")
            .finish()
    }
}

/// A string of the config, as it is written there: escapes are taken off when it is read.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] EscapedStr<'a>);

impl<'a> Text<'a> {
    /// What stands between the quotes, escapes and all.
    #[must_use]
    pub const fn raw(&self) -> &'a str {
        self.0.0
    }

    /// The text, in at most `raw().len()` bytes of `out`.
    ///
    /// # Errors
    /// [`Error::NotText`] for half a surrogate pair, [`Error::BufferTooSmall`]; `out` is zeroed then.
    pub fn read<'o>(&self, out: &'o mut [u8]) -> Result<&'o str, Error> {
        json::unescape(self.raw(), out)
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        json::Unescape::new(self.raw()).eq(other.chars().map(|char| Ok(char.into())))
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.raw())
    }
}

impl<'a> Config<'a> {
    /// Reads the config `json`, with or without a BOM.
    ///
    /// Stricter than JSON in this: at most [`MAX_DEPTH`] levels; a name that is written with escapes has at most 64
    /// bytes and no surrogate pairs, even where it would be ignored; the port is written as a plain whole number.
    ///
    /// # Errors
    /// [`Error::InvalidJson`], [`Error::TooDeep`]; [`Error::NotAConfig`] for a field that is missing, of another type,
    /// or there twice.
    pub fn read(json: &'a str) -> Result<Self, Error> {
        let mut events = Events::new(json);
        while let Some(event) = events.next() {
            if let Event::ObjectStart(_) | Event::ArrayStart(_) = event?
                && events.depth() > MAX_DEPTH
            {
                return Err(Error::TooDeep);
            }
        }
        let json = json.strip_prefix('\u{feff}').unwrap_or(json);
        serde_json_core::from_str_escaped(json, &mut [0; MAX_ESCAPED_NAME])
            .map(|(config, _)| config)
            .map_err(|_| Error::NotAConfig)
    }
}
