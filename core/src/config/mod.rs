//! A config opened or sealed from one fixed buffer into another; all but the values concerned stays byte for byte.
//! Opening and rotating concern every string with the `enc:` prefix, sealing the strings that the caller names.
//! Also here: what a value is, to a tool that must not mistake one thing for another.

#[cfg(not(feature = "compact"))]
mod batch;
#[cfg(feature = "compact")]
mod single;
#[cfg(feature = "typed")]
mod typed;

#[cfg(feature = "typed")]
pub use typed::{Auth, Config, Logging, MAX_DEPTH, Proxmox, Text};

use heapless::Vec;
use rand_core::TryCryptoRng;

use crate::json::{self, Kind, Strings, Value};
use crate::token::{self, Opener, Token};
use crate::{Error, MasterKey, buffer};
#[cfg(not(feature = "compact"))]
use batch::{BATCH, TokenOpener, TokenSealer, check};
#[cfg(feature = "compact")]
use single::{BATCH, TokenOpener, TokenSealer, check};

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
/// tokens that share a salt, as legacy tokens do, share it. Beside that it takes time linear in `json`: some walks through
/// the text, at most ten. `out` takes `json.len()` bytes, more only where secrets hold many characters that JSON escapes or
/// where tokens lie deeper than 20 levels; four times `json.len()` is always enough.
///
/// # Errors
/// [`Error::InvalidJson`], [`Error::TooDeep`]; [`Error::DuplicateKey`]; [`Error::Malformed`], [`Error::Unauthentic`] or
/// [`Error::NotText`] for the first sealed value that is at fault; [`Error::BufferTooSmall`]. `out` is zeroed then.
pub fn open<'o>(json: &str, keys: &[MasterKey], out: &'o mut [u8]) -> Result<&'o str, Error> {
    let mut opener = TokenOpener::new(keys);
    rewrite_tokens(json, out, |value, ahead, buf| {
        let len = opener.open(value, ahead, buf)?;
        buffer::text(buf, len)?;
        json::escape_in_place(len, buf)
    })
}

/// Seals every sealed value of `json` anew: opened with the first of `old` that fits, sealed under `new` at `now` (Unix
/// seconds) with a salt of its own. Two derivations for each token, as [`open`] counts them. `out` takes `json.len()`
/// bytes and 25 for each legacy token, which becomes a salted one; more for depth, as [`open`] does.
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
    let (mut opener, mut sealer) = (TokenOpener::new(old), TokenSealer::new(new));
    rewrite_tokens(json, out, |value, ahead, buf| {
        let len = opener.open(value, ahead, buf)?;
        let is_token = |value: &Value<'_>| begins_sealed(value.raw_bytes());
        let more = || ahead.clone().map_while(Result::ok).filter(is_token).take(BATCH).count();
        sealer.seal_in_place(len, now, more, rng, buf)
    })
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

/// Seals the strings at `pointers` under `master` at `now` (Unix seconds), each at the cost of a derivation and of a walk
/// through the text. Tokens and placeholders among them stay. `out` takes `json.len()` bytes and, for each value sealed,
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
    let mut sealer = TokenSealer::new(master);
    let mut upcoming = Upcoming::new(json, pointers);
    rewrite(json, out, |value, _, buf| {
        if !upcoming.take(value) {
            return Ok(None);
        }
        let len = json::unescape_into(value.raw_bytes(), buf)?;
        match looks(buffer::text(buf, len)?) {
            Looks::Sealed | Looks::Placeholder => return Ok(None),
            Looks::LooksSealed => return Err(Error::LooksSealed),
            Looks::Plain => {}
        }
        sealer.seal_in_place(len, now, || upcoming.count_plain(), rng, buf).map(Some)
    })
}

/// The values at some pointers, in the order in which they stand in the text. Each value is found once, [`BATCH`] of them at
/// a time: it is not looked for at each string of the text.
struct Upcoming<'a, 'p> {
    json: &'a str,
    pointers: &'p [&'p str],
    /// The next of them, the last first.
    values: Vec<Value<'a>, BATCH>,
}

impl<'a, 'p> Upcoming<'a, 'p> {
    fn new(json: &'a str, pointers: &'p [&'p str]) -> Self {
        let mut upcoming = Self { json, pointers, values: Vec::new() };
        upcoming.find(0);
        upcoming
    }

    /// Whether `value` is the next of them; it is then taken out.
    fn take(&mut self, value: &Value<'_>) -> bool {
        let is_next = self.values.last().is_some_and(|next| next.span() == value.span());
        if is_next {
            self.values.pop();
            if self.values.is_empty() {
                self.find(value.span().end);
            }
        }
        is_next
    }

    /// Finds the first values from `offset` on.
    fn find(&mut self, offset: usize) {
        let start = |value: &Value<'a>| value.span().start;
        for value in self.pointers.iter().filter_map(|pointer| json::find(self.json, pointer).ok()) {
            let at = self.values.partition_point(|other| start(other) > start(&value));
            if start(&value) < offset || self.values.get(at).is_some_and(|other| start(other) == start(&value)) {
                continue;
            }
            // The last of them makes room for an earlier one.
            if self.values.is_full() {
                if at == 0 {
                    continue;
                }
                self.values.remove(0);
            }
            let at = self.values.partition_point(|other| start(other) > start(&value));
            let _ = self.values.insert(at, value);
        }
    }

    /// How many of them are to be sealed, as far as can be told without taking off escapes.
    fn count_plain(&self) -> usize {
        self.values.iter().filter(|value| looks(value.raw()) == Looks::Plain).count()
    }
}

/// Whether a string, as written between its quotes, begins with `enc:` once its escapes are taken off.
fn begins_sealed(raw: &[u8]) -> bool {
    let mut start = json::Unescape::new(raw);
    token::PREFIX.bytes().all(|byte| start.next() == Some(Ok(byte)))
}

/// As [`rewrite`], for the strings that begin with `enc:`, once it is sure that no name on the way to one occurs twice.
fn rewrite_tokens<'o>(
    json: &str,
    out: &'o mut [u8],
    mut replace: impl FnMut(&Value<'_>, &Strings<'_>, &mut [u8]) -> Result<usize, Error>,
) -> Result<&'o str, Error> {
    if let Err(error) = check(json, out) {
        return buffer::fill_text(out, |_| Err(error));
    }
    rewrite(
        json,
        out,
        |value, ahead, buf| {
            if begins_sealed(value.raw_bytes()) { replace(value, ahead, buf).map(Some) } else { Ok(None) }
        },
    )
}

/// Copies `json`, which is JSON, to `out`, but for the strings that `replace` replaces: it leaves the new inside of the
/// string, ready for JSON, at the front of the buffer that it is given, and says how long it is. It gets the strings that
/// follow as well.
fn rewrite<'o>(
    json: &str,
    out: &'o mut [u8],
    mut replace: impl FnMut(&Value<'_>, &Strings<'_>, &mut [u8]) -> Result<Option<usize>, Error>,
) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        let (mut read, mut written) = (0, 0);
        let mut strings = json::strings(json);
        while let Some(value) = strings.next() {
            let value = value?;
            let inside = value.inside();
            let before = json.as_bytes().get(read..inside.start).ok_or(Error::InvalidJson)?;
            let rest = out.get_mut(written..).ok_or(Error::BufferTooSmall)?;
            let here = buffer::put(rest, before)?;
            let rest = rest.get_mut(here..).ok_or(Error::BufferTooSmall)?;
            read = inside.end;
            written += here
                + match replace(&value, &strings, rest)? {
                    Some(len) => len,
                    None => buffer::put(rest, value.raw_bytes())?,
                };
        }
        let after = json.as_bytes().get(read..).ok_or(Error::InvalidJson)?;
        Ok(written + buffer::put(out.get_mut(written..).ok_or(Error::BufferTooSmall)?, after)?)
    })
}
