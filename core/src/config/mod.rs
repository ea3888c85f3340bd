//! Opens, seals and rotates the secrets of a JSON config, from one buffer into another. Everything outside the values concerned
//! stays byte for byte.
//!
//! [`open`] and [`rotate`] work on every string that begins with `enc:`, [`seal`] on the strings that the caller names. How
//! tokens are opened and sealed depends on the feature `compact`: in `batch`, or one at a time in `single`.

#[cfg(not(feature = "compact"))]
mod batch;
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
use crate::key::MasterKey;
#[cfg(doc)]
use crate::token;
use crate::token::Opener;
#[cfg(not(feature = "compact"))]
use batch::{BATCH, TokenOpener, TokenSealer, check};
pub use kind::{ValueKind, classify};
use kind::{begins_sealed, open_string};
#[cfg(feature = "compact")]
use single::{BATCH, TokenOpener, TokenSealer, check};
#[cfg(feature = "typed")]
pub use typed::{Auth, Config, Logging, MAX_DEPTH, Proxmox, Text};

/// The JSON Pointer of the secret that every ProxmoxMCP config has.
pub const TOKEN_VALUE: &str = "/auth/token_value";

/// Opens every token of `json`, each with the first of `keys` that sealed it, and returns the opened text.
///
/// Costs one derivation for each token and for each key that is tried; tokens that share a salt, as legacy tokens do, share
/// it. So a text costs at most `keys.len()` derivations for each 140 bytes; a caller who opens configs of strangers limits
/// their length. Apart from derivations, the time is linear in `json.len()`: up to ten walks through the text. A build with
/// the feature `compact` instead takes two walks for each token and for each level that it lies below.
///
/// `out` needs `json.len()` bytes. It needs more if secrets contain many characters that JSON escapes, or if a token lies below
/// more than 20 levels; four times `json.len()` is always enough.
///
/// # Errors
/// [`Error::InvalidJson`] or [`Error::TooDeep`]; [`Error::DuplicateKey`] if a name on the way to a token occurs twice;
/// [`Error::Malformed`], [`Error::AuthenticationFailed`] or [`Error::NotUtf8`] for the first token that fails;
/// [`Error::BufferTooSmall`]. `out` is then zeroed. With the feature `compact`, a token below more than 64 levels is
/// [`Error::TooDeep`], and [`Error::DuplicateKey`] is found token by token.
pub fn open<'o>(json: &str, keys: &[MasterKey], out: &'o mut [u8]) -> Result<&'o str, Error> {
    let mut opener = TokenOpener::new(keys);
    rewrite_tokens(json, out, |value, ahead, buf| {
        let len = opener.open(value, ahead, buf)?;
        buffer::text(buf, len)?;
        json::escape_in_place(len, buf)
    })
}

/// Seals the secret of every token of `json` again: opens each token with the first of `old` that sealed it, seals the secret
/// with `new` and a new salt, and returns the new text. `now` is the time in Unix seconds, and `rng` provides salts and IVs.
///
/// Costs the time of [`open`] and one more derivation for each token. `out` needs `json.len()` bytes, and 25 more for each
/// legacy token, which becomes a salted one; for tokens below more than 20 levels it needs more, as [`open`] does.
///
/// # Errors
/// As [`open`], except [`Error::NotUtf8`]; also [`Error::KeyShort`] and [`Error::RandomFailed`]. `out` is then zeroed.
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
        let is_token = |value: &Value<'_>| value.raw_bytes().is_ok_and(begins_sealed);
        let more = || ahead.clone().map_while(Result::ok).filter(is_token).take(BATCH).count();
        sealer.seal_in_place(len, now, more, rng, buf)
    })
}

/// Returns the value at `pointer`: a string without its escapes, opened with the first of `keys` that sealed it if it begins
/// with `enc:`; a number, `true`, `false` or `null` as it is written. `out` needs the length of the value as it is written.
///
/// # Errors
/// [`Error::InvalidJson`], [`Error::TooDeep`], [`Error::InvalidPointer`], [`Error::NotFound`] or [`Error::DuplicateKey`];
/// [`Error::NotAString`] if the value is an object or array; [`Error::Malformed`], [`Error::AuthenticationFailed`] or
/// [`Error::NotUtf8`] if the string begins with `enc:` and does not open; [`Error::BufferTooSmall`]. `out` is then zeroed.
pub fn get<'o>(json: &str, pointer: &str, keys: &[MasterKey], out: &'o mut [u8]) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        let value = json::find(json, pointer)?;
        match value.kind() {
            Kind::Object | Kind::Array => Err(Error::NotAString),
            // A scalar contains no escapes and does not begin with `enc:`, so it is copied as it is.
            Kind::String | Kind::Scalar => open_string(value.raw_bytes()?, &mut Opener::new(keys), out),
        }
    })
}

/// Seals the strings at `pointers` with `master` and returns the new text. Tokens and placeholders among them stay as they are.
/// `now` is the time in Unix seconds, and `rng` provides salts and IVs.
///
/// Each value costs one derivation, and n pointers cost n walks through the text, and n more for every 32 of them. `out` needs
/// `json.len()` bytes, and [`token::token_len`] of its length for each value that is sealed.
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
        let len = json::unescape_into(value.raw_bytes()?, buf)?;
        match classify(buffer::text(buf, len)?) {
            ValueKind::Sealed | ValueKind::Placeholder => return Ok(None),
            ValueKind::Lookalike => return Err(Error::Lookalike),
            ValueKind::Plain => {}
        }
        sealer.seal_in_place(len, now, || upcoming.count_plain(), rng, buf).map(Some)
    })
}

/// The values at `pointers`, in the order of the text. They are found [`BATCH`] at a time, because there is no memory for all.
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
            // The value that comes last makes room for an earlier one.
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

    /// Returns how many of the values are to be sealed. It does not unescape them, so it may count one that is not.
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
    if let Err(error) = check(json, out) {
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

/// Copies `json`, which is valid, to `out`, with new strings where `replace` returns a length: it has then written the inside of
/// the new string, escaped for JSON, to the front of the buffer that it is given. It also gets the strings that follow.
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
