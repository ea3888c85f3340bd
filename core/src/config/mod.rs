//! Opens, seals and rotates the secrets of a JSON config, from one buffer into another. All other bytes of the config
//! are copied unchanged.
//!
//! [`open`] and [`rotate`] work on every string that begins with `enc:`, [`seal`] on the strings that the caller names.
//! The module `batch` opens and seals the tokens; with the feature `compact`, `single` does.

#[cfg(not(feature = "compact"))]
mod batch;
mod check;
mod kind;
#[cfg(feature = "compact")]
mod single;
#[cfg(feature = "typed")]
mod typed;

use heapless::Vec;
use rand_core::TryCryptoRng;

use crate::buffer;
use crate::error::Error;
use crate::json::{self, Kind, Strings, Value};
use crate::kdf::{AtOnce, Pace};
use crate::key::{Key, MasterKey};
#[cfg(doc)]
use crate::token;
use crate::token::{Open, Opener};
#[cfg(not(feature = "compact"))]
use batch::{BATCH, TokenOpener, TokenSealer, check_paths};
pub use check::check;
pub use kind::{ValueKind, classify};
use kind::{begins_sealed, open_string};
#[cfg(feature = "compact")]
use single::{BATCH, TokenOpener, TokenSealer, check_paths};
#[cfg(feature = "typed")]
pub use typed::{Auth, Config, Logging, MAX_DEPTH, Proxmox, Text};

/// The JSON Pointer of the secret that every ProxmoxMCP config has.
pub const TOKEN_VALUE: &str = "/auth/token_value";

/// Opens every token of `json`, each with the first of `keys` that sealed it, and returns the opened text.
///
/// Time: one derivation for each token and for each key that is tried. Tokens with the same salt share it, as all
/// legacy tokens do. So a text costs at most `keys.len()` derivations for each 140 bytes; limit the length of configs
/// that come from strangers. All other work takes time linear in `json.len()`: at most ten walks through the text. With
/// the feature `compact` it takes two walks for each token and each level above it instead.
///
/// Buffer: `out` needs `json.len()` bytes. It needs more if secrets contain many characters that JSON escapes, or if a
/// token is more than 20 levels deep. Four times `json.len()` is always enough.
///
/// # Errors
/// [`Error::InvalidJson`] or [`Error::TooDeep`]; [`Error::DuplicateKey`] if a name on the path to a token occurs twice
/// in its object; [`Error::Malformed`], [`Error::AuthenticationFailed`] or [`Error::NotUtf8`] for the first token that
/// fails; [`Error::BufferTooSmall`]. On error, `out` is zeroed. With the feature `compact`, a token that is more than
/// 64 levels deep is [`Error::TooDeep`], and duplicate names are detected token by token.
pub fn open<'o>(json: &str, keys: &[MasterKey], out: &'o mut [u8]) -> Result<&'o str, Error> {
    open_in_slices(json, keys, &AtOnce, out)
}

/// Opens a config as [`open`] does, with derivations in slices.
///
/// # Errors
/// As [`open`], and [`Error::Cancelled`].
pub fn open_in_slices<'o>(
    json: &str,
    keys: &[MasterKey],
    pace: &dyn Pace,
    out: &'o mut [u8],
) -> Result<&'o str, Error> {
    let mut opener = TokenOpener::new(keys, pace);
    rewrite_tokens(json, out, |value, ahead, buf| {
        let len = opener.open(value, ahead, buf)?;
        buffer::text(buf, len)?;
        json::escape_in_place(len, buf)
    })
}

/// Rotates every token of `json` to the master key `new`: opens it with the first of `old` that sealed it, seals the
/// secret with `new` and a new salt, and returns the new text. `now` is the time in Unix seconds; `rng` provides the
/// salts and IVs.
///
/// It takes the time of [`open`] and one more derivation for each token. `out` needs `json.len()` bytes, and 25 more
/// for each legacy token, because it becomes a salted one. For tokens that are more than 20 levels deep it needs more,
/// as in [`open`].
///
/// # Errors
/// Those of [`open`], except [`Error::NotUtf8`]; also [`Error::KeyShort`] and [`Error::RandomFailed`]. On error, `out`
/// is zeroed.
pub fn rotate<'o, R: TryCryptoRng + ?Sized>(
    json: &str,
    old: &[MasterKey],
    new: &MasterKey,
    now: u64,
    rng: &mut R,
    out: &'o mut [u8],
) -> Result<&'o str, Error> {
    rotate_in_slices(json, old, new, now, rng, &AtOnce, out)
}

/// Rotates a config as [`rotate`] does, with derivations in slices.
///
/// # Errors
/// As [`rotate`], and [`Error::Cancelled`].
pub fn rotate_in_slices<'o, R: TryCryptoRng + ?Sized>(
    json: &str,
    old: &[MasterKey],
    new: &MasterKey,
    now: u64,
    rng: &mut R,
    pace: &dyn Pace,
    out: &'o mut [u8],
) -> Result<&'o str, Error> {
    let (mut opener, mut sealer) = (TokenOpener::new(old, pace), TokenSealer::new(new, pace));
    rewrite_tokens(json, out, |value, ahead, buf| {
        let len = opener.open(value, ahead, buf)?;
        let is_token = |value: &Value<'_>| value.raw_bytes().is_ok_and(begins_sealed);
        let more = || ahead.clone().map_while(Result::ok).filter(is_token).take(BATCH).count();
        sealer.seal_in_place(len, now, more, rng, buf)
    })
}

/// Returns the value at `pointer`. A string is unescaped, and opened with the first of `keys` that sealed it if it
/// begins with `enc:`. A number, `true`, `false` or `null` is returned as its JSON text. `out` needs the length of the
/// value's JSON text.
///
/// # Errors
/// [`Error::InvalidJson`], [`Error::TooDeep`], [`Error::InvalidPointer`], [`Error::NotFound`] or
/// [`Error::DuplicateKey`]; [`Error::NotAString`] if the value is an object or array; [`Error::Malformed`],
/// [`Error::AuthenticationFailed`] or [`Error::NotUtf8`] if the string begins with `enc:` and does not open;
/// [`Error::BufferTooSmall`]. On error, `out` is zeroed.
pub fn get<'o>(json: &str, pointer: &str, keys: &[MasterKey], out: &'o mut [u8]) -> Result<&'o str, Error> {
    get_in_slices(json, pointer, keys, &AtOnce, out)
}

/// Returns the value at `pointer` as [`get`] does, with derivations in slices.
///
/// # Errors
/// As [`get`], and [`Error::Cancelled`].
pub fn get_in_slices<'o>(
    json: &str,
    pointer: &str,
    keys: &[MasterKey],
    pace: &dyn Pace,
    out: &'o mut [u8],
) -> Result<&'o str, Error> {
    get_by(json, pointer, &mut Opener::new(keys, pace), out)
}

/// Returns the value at `pointer` as [`get`] does. If it is a token, `key` opens it, which [`kdf`](crate::kdf) derived from
/// the token's salt. Costs no derivation.
///
/// # Errors
/// As [`get`].
pub fn get_with<'o>(json: &str, pointer: &str, key: &Key, out: &'o mut [u8]) -> Result<&'o str, Error> {
    get_by(json, pointer, &mut &*key, out)
}

/// Returns the string at `pointer` without opening it: a token as its text.
///
/// # Errors
/// As [`get`] for values that are not tokens; [`Error::NotAString`] for every value that is not a string.
pub fn find<'o>(json: &str, pointer: &str, out: &'o mut [u8]) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        let value = json::find(json, pointer)?;
        match value.kind() {
            Kind::String => json::unescape_into(value.raw_bytes()?, out),
            _ => Err(Error::NotAString),
        }
    })
}

fn get_by<'o>(json: &str, pointer: &str, opener: &mut dyn Open, out: &'o mut [u8]) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        let value = json::find(json, pointer)?;
        match value.kind() {
            Kind::Object | Kind::Array => Err(Error::NotAString),
            // A scalar contains no escapes and does not begin with `enc:`, so it is copied unchanged.
            Kind::String | Kind::Scalar => open_string(value.raw_bytes()?, opener, out),
        }
    })
}

/// Seals the strings at `pointers` with `master` and returns the new text. Tokens and placeholders among them are left
/// unchanged. `now` is the time in Unix seconds; `rng` provides the salts and IVs.
///
/// It takes one derivation for each value. For n pointers it takes n walks through the text, and n more for every 32 of
/// them. `out` needs `json.len()` bytes, and [`token::token_len`] of the value's length for each value that is sealed.
///
/// # Errors
/// [`Error::InvalidJson`], [`Error::TooDeep`], [`Error::InvalidPointer`], [`Error::NotFound`], [`Error::DuplicateKey`],
/// [`Error::NotAString`] or [`Error::NotUtf8`]; [`Error::Lookalike`] if a value may be a damaged token; [`Error::KeyShort`],
/// [`Error::RandomFailed`] or [`Error::BufferTooSmall`]. `out` is then zeroed.
pub fn seal<'o, R: TryCryptoRng + ?Sized>(
    json: &str,
    pointers: &[&str],
    master: &MasterKey,
    now: u64,
    rng: &mut R,
    out: &'o mut [u8],
) -> Result<&'o str, Error> {
    seal_in_slices(json, pointers, master, now, rng, &AtOnce, out)
}

/// Seals strings as [`seal`] does, with derivations in slices.
///
/// # Errors
/// As [`seal`], and [`Error::Cancelled`].
pub fn seal_in_slices<'o, R: TryCryptoRng + ?Sized>(
    json: &str,
    pointers: &[&str],
    master: &MasterKey,
    now: u64,
    rng: &mut R,
    pace: &dyn Pace,
    out: &'o mut [u8],
) -> Result<&'o str, Error> {
    let is_string = |pointer: &&str| match json::find(json, pointer)?.kind() {
        Kind::String => Ok(()),
        _ => Err(Error::NotAString),
    };
    if let Err(error) = pointers.iter().try_for_each(is_string) {
        return buffer::fill_text(out, |_| Err(error));
    }
    let mut sealer = TokenSealer::new(master, pace);
    let mut upcoming = Upcoming::new(json, pointers);
    rewrite(json, out, |value, _, buf| {
        if !upcoming.take(value) {
            return Ok(None);
        }
        let len = json::unescape_into(value.raw_bytes()?, buf)?;
        match classify(buffer::text(buf, len)?) {
            ValueKind::Sealed | ValueKind::Placeholder => return Ok(None),
            ValueKind::Lookalike => return Err(Error::Lookalike),
            ValueKind::Plain => {}
        }
        sealer.seal_in_place(len, now, || upcoming.count_plain(), rng, buf).map(Some)
    })
}

/// The values at `pointers`, in the order of the text. They are searched for [`BATCH`] at a time, because there is no
/// heap for all of them.
struct Upcoming<'a, 'p> {
    json: &'a str,
    pointers: &'p [&'p str],
    /// The next values, in reverse order.
    values: Vec<Value<'a>, BATCH>,
}

impl<'a, 'p> Upcoming<'a, 'p> {
    fn new(json: &'a str, pointers: &'p [&'p str]) -> Self {
        let mut upcoming = Self { json, pointers, values: Vec::new() };
        upcoming.find(0);
        upcoming
    }

    /// Returns whether `value` is the next of the values, and removes it then.
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

    /// Finds the first values that begin at `offset` or after it.
    fn find(&mut self, offset: usize) {
        let start = |value: &Value<'a>| value.span().start;
        for value in self.pointers.iter().filter_map(|pointer| json::find(self.json, pointer).ok()) {
            let at = self.values.partition_point(|other| start(other) > start(&value));
            if start(&value) < offset || self.values.get(at).is_some_and(|other| start(other) == start(&value)) {
                continue;
            }
            // An earlier value replaces the last one.
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

    /// Returns how many of the values will be sealed. It does not unescape them, so it may count one that will not.
    fn count_plain(&self) -> usize {
        self.values.iter().filter(|value| classify(value.raw()) == ValueKind::Plain).count()
    }
}

/// Checks `json` and rewrites it as [`rewrite`] does. `replace` is called for the strings that begin with `enc:`.
fn rewrite_tokens<'o>(
    json: &str,
    out: &'o mut [u8],
    mut replace: impl FnMut(&Value<'_>, &Strings<'_>, &mut [u8]) -> Result<usize, Error>,
) -> Result<&'o str, Error> {
    if let Err(error) = check_paths(json, out) {
        return buffer::fill_text(out, |_| Err(error));
    }
    rewrite(
        json,
        out,
        |value, ahead, buf| {
            if begins_sealed(value.raw_bytes()?) { replace(value, ahead, buf).map(Some) } else { Ok(None) }
        },
    )
}

/// Copies `json`, which is valid, to `out`, and replaces strings. For each string it calls `replace` with the string,
/// the strings that follow, and a buffer. To replace the string, `replace` writes the inside of the new string, escaped
/// for JSON, to the front of that buffer and returns its length; otherwise it returns `None`.
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
            let here = buffer::copy_to_front(rest, before)?;
            let rest = rest.get_mut(here..).ok_or(Error::BufferTooSmall)?;
            read = inside.end;
            written += here
                + match replace(&value, &strings, rest)? {
                    Some(len) => len,
                    None => buffer::copy_to_front(rest, value.raw_bytes()?)?,
                };
        }
        let after = json.as_bytes().get(read..).ok_or(Error::InvalidJson)?;
        Ok(written + buffer::copy_to_front(out.get_mut(written..).ok_or(Error::BufferTooSmall)?, after)?)
    })
}
