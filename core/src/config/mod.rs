//! A config opened or sealed from one fixed buffer into another; all but the values concerned stays byte for byte.
//! Opening and rotating concern every string with the `enc:` prefix, sealing the strings that the caller names.
//! Also here: what a value is, to a tool that must not mistake one thing for another.

#[cfg(feature = "typed")]
mod typed;

#[cfg(feature = "typed")]
pub use typed::{Auth, Config, Logging, MAX_DEPTH, Proxmox, Text};

use rand_core::TryCryptoRng;

use crate::json::{self, Kind, Value};
use crate::token::{self, Format, Opener, Token};
use crate::{Error, MasterKey, buffer};

/// The pointer of the secret that every ProxmoxMCP config has.
pub const TOKEN_VALUE: &str = "/auth/token_value";

/// What a string value is, by its looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    /// It begins with `enc:` and is a token.
    Sealed,
    /// It begins with `enc:` and is no token, or begins nearly so (`ENC:`, white space before it).
    LooksSealed,
    /// All of it is `${NAME}`, `${NAME:-default}` or the like: a name to be filled in by whoever reads the config.
    Placeholder,
    /// Anything else.
    Plain,
}

/// What the string `text` (escapes taken off) is, by its looks.
#[must_use]
pub fn looks(text: &str) -> Looks {
    let start = text.trim_start().as_bytes();
    if Token::parse(text).is_ok() {
        Looks::Sealed
    } else if start.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(token::PREFIX.as_bytes())) {
        Looks::LooksSealed
    } else if is_placeholder(text) {
        Looks::Placeholder
    } else {
        Looks::Plain
    }
}

fn is_placeholder(text: &str) -> bool {
    let Some(inner) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else { return false };
    let name_len = inner.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    let (name, rest) = inner.split_at_checked(name_len).unwrap_or_default();
    let starts_well = !name.is_empty() && !name.starts_with(|char: char| char.is_ascii_digit());
    starts_well && (rest.is_empty() || rest.starts_with([':', '-', '?', '+', '=']) && !rest.contains('}'))
}

/// Opens every sealed value of `json` with the first of `keys` that fits. Costs a derivation for each token and key;
/// neighbours that share a salt, as legacy tokens do, share it. Beside that each token costs two walks of the text for each
/// level that it lies below, to see that no name occurs twice. `out` takes `json.len()` bytes, more only where secrets hold
/// many characters that JSON escapes; four times `json.len()` is always enough.
///
/// # Errors
/// [`Error::InvalidJson`], [`Error::TooDeep`]; [`Error::Malformed`], [`Error::Unauthentic`], [`Error::NotText`] or
/// [`Error::DuplicateKey`] for the first sealed value that is at fault; [`Error::BufferTooSmall`]. `out` is zeroed then.
pub fn open<'o>(json: &str, keys: &[MasterKey], out: &'o mut [u8]) -> Result<&'o str, Error> {
    let mut opener = Opener::new(keys);
    rewrite(json, out, |value, buf| {
        let Some(len) = open_value(value, &mut opener, buf)? else { return Ok(None) };
        buffer::text(buf, len)?;
        json::escape_in_place(len, buf).map(Some)
    })
}

/// Seals every sealed value of `json` anew: opened with the first of `old` that fits, sealed under `new` at `now` (Unix
/// seconds) with a salt of its own. Two derivations for each token, as [`open`] counts them. `out` takes `json.len()`
/// bytes and 25 for each legacy token, which becomes a salted one.
///
/// # Errors
/// As [`open`], but for [`Error::NotText`]; [`Error::KeyShort`], [`Error::RandomFailed`]. `out` is zeroed then.
pub fn rotate<'o, R: TryCryptoRng + ?Sized>(
    json: &str,
    old: &[MasterKey],
    new: &MasterKey,
    now: u64,
    rng: &mut R,
    out: &'o mut [u8],
) -> Result<&'o str, Error> {
    let mut opener = Opener::new(old);
    rewrite(json, out, |value, buf| {
        let Some(len) = open_value(value, &mut opener, buf)? else { return Ok(None) };
        token::seal_in_place(new, &Format::salted(rng)?, len, now, rng, buf).map(Some)
    })
}

/// Opens the value to the front of `buf`, if it is sealed.
fn open_value(value: &Value<'_>, opener: &mut Opener<'_>, buf: &mut [u8]) -> Result<Option<usize>, Error> {
    if !begins_sealed(value.raw_bytes()) {
        return Ok(None);
    }
    value.is_unique()?;
    open_string(value.raw_bytes(), opener, buf).map(Some)
}

/// Takes the escapes off a string and opens it, if it is sealed, at the front of `buf`; says how long it is.
fn open_string(raw: &[u8], opener: &mut Opener<'_>, buf: &mut [u8]) -> Result<usize, Error> {
    let len = json::unescape_into(raw, buf)?;
    if begins_sealed(raw) { opener.open_in_place(len, buf) } else { Ok(len) }
}

/// The value at `pointer`, opened with the first of `keys` that fits if it is sealed. A number, `true`, `false` or
/// `null` comes as it is written. `out` takes the length of the value as it is written.
///
/// # Errors
/// [`Error::InvalidJson`], [`Error::TooDeep`], [`Error::BadPointer`], [`Error::NotFound`], [`Error::DuplicateKey`];
/// [`Error::NotAString`] for an object or array; [`Error::Malformed`], [`Error::Unauthentic`], [`Error::NotText`];
/// [`Error::BufferTooSmall`]. `out` is zeroed then.
pub fn get<'o>(json: &str, pointer: &str, keys: &[MasterKey], out: &'o mut [u8]) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        let value = json::find(json, pointer)?;
        match value.kind() {
            Kind::Object | Kind::Array => Err(Error::NotAString),
            // A scalar has no escapes and is not sealed: it comes as it is.
            Kind::String | Kind::Scalar => open_string(value.raw_bytes(), &mut Opener::new(keys), out),
        }
    })
}

/// Seals the strings at `pointers` under `master` at `now` (Unix seconds), each at the cost of a derivation.
/// Tokens and placeholders among them stay. `out` takes `json.len()` bytes and, for each value sealed,
/// [`token::token_len`] of its length.
///
/// # Errors
/// [`Error::InvalidJson`], [`Error::TooDeep`], [`Error::BadPointer`], [`Error::NotFound`], [`Error::DuplicateKey`],
/// [`Error::NotAString`], [`Error::NotText`]; [`Error::LooksSealed`] for a value that may be a damaged token;
/// [`Error::KeyShort`], [`Error::RandomFailed`], [`Error::BufferTooSmall`]. `out` is zeroed then.
pub fn seal<'o, R: TryCryptoRng + ?Sized>(
    json: &str,
    pointers: &[&str],
    master: &MasterKey,
    now: u64,
    rng: &mut R,
    out: &'o mut [u8],
) -> Result<&'o str, Error> {
    let is_string = |pointer: &&str| match json::find(json, pointer)?.kind() {
        Kind::String => Ok(()),
        _ => Err(Error::NotAString),
    };
    if let Err(error) = pointers.iter().try_for_each(is_string) {
        return buffer::fill_text(out, |_| Err(error));
    }
    // Where the next of them begins: it is not looked for at each string of the text.
    let next_from = |offset: usize| {
        let starts = pointers.iter().filter_map(|pointer| Some(json::find(json, pointer).ok()?.span().start));
        starts.filter(|start| *start >= offset).min()
    };
    let mut next = next_from(0);
    rewrite(json, out, |value, buf| {
        if next != Some(value.span().start) {
            return Ok(None);
        }
        next = next_from(value.span().end);
        let len = json::unescape_into(value.raw_bytes(), buf)?;
        match looks(buffer::text(buf, len)?) {
            Looks::Sealed | Looks::Placeholder => return Ok(None),
            Looks::LooksSealed => return Err(Error::LooksSealed),
            Looks::Plain => {}
        }
        token::seal_in_place(master, &Format::salted(rng)?, len, now, rng, buf).map(Some)
    })
}

/// Whether a string, as written between its quotes, begins with `enc:` once its escapes are taken off.
fn begins_sealed(raw: &[u8]) -> bool {
    let mut start = json::Unescape::new(raw);
    token::PREFIX.bytes().all(|byte| start.next() == Some(Ok(byte)))
}

/// Copies `json` to `out`, but for the strings that `replace` replaces: it leaves the new inside of the string, ready
/// for JSON, at the front of the buffer that it is given, and says how long it is.
fn rewrite<'o>(
    json: &str,
    out: &'o mut [u8],
    mut replace: impl FnMut(&Value<'_>, &mut [u8]) -> Result<Option<usize>, Error>,
) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        json::root(json)?;
        let (mut read, mut written) = (0, 0);
        for value in json::strings(json) {
            let value = value?;
            let inside = value.inside();
            let before = json.as_bytes().get(read..inside.start).ok_or(Error::InvalidJson)?;
            let rest = out.get_mut(written..).ok_or(Error::BufferTooSmall)?;
            let here = buffer::put(rest, before)?;
            let rest = rest.get_mut(here..).ok_or(Error::BufferTooSmall)?;
            read = inside.end;
            written += here
                + match replace(&value, rest)? {
                    Some(len) => len,
                    None => buffer::put(rest, value.raw_bytes())?,
                };
        }
        let after = json.as_bytes().get(read..).ok_or(Error::InvalidJson)?;
        Ok(written + buffer::put(out.get_mut(written..).ok_or(Error::BufferTooSmall)?, after)?)
    })
}
