//! Tokens in a text of any format: YAML, TOML, .env, INI, XML, a template, a mail.
//!
//! A token is base64url with colons, which no format escapes, so its grammar alone finds it. Everything else in the text
//! stays byte for byte. This module does not know the format: it writes a secret as it is, without quotes or escapes.
//! [`config`](crate::config) writes JSON.
//!
//! A token begins with `enc:` and extends as far as the structure of a token allows. With a letter, a digit, `-` or `_`
//! directly before or after it, it is part of a longer word. Text that begins like a token but is not one is a
//! lookalike.

use core::fmt;
use core::iter::FusedIterator;
use core::ops::Range;

use rand_core::TryCryptoRng;

use crate::kdf::AtOnce;
use crate::token::{self, Format, Opener, PREFIX, Token, is_word};
use crate::{Error, MasterKey, buffer};

/// The minimum number of characters of a lookalike. Shorter texts are words, such as names with the XML namespace
/// prefix `enc:`; the shortest token has 140 characters.
const LOOKALIKE_LEN: usize = 20;

/// A token in a text, or a lookalike. `Debug` shows nothing of the text.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    start: usize,
    text: &'a str,
    token: Result<Token<'a>, Error>,
}

impl fmt::Debug for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").field("span", &self.span()).field("token", &self.token.is_ok()).finish_non_exhaustive()
    }
}

impl<'a> Found<'a> {
    /// Returns its range in the text, in bytes.
    #[must_use]
    pub const fn span(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    /// Returns its text, as it is written.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// Returns the token.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it begins with `enc:` but is not a token; [`Error::Lookalike`] if it begins almost like
    /// a token (`ENC:`), or if a token is part of a longer word.
    pub const fn token(&self) -> Result<Token<'a>, Error> {
        self.token
    }
}

/// Returns the tokens and lookalikes of `text`, in order. They never overlap. Takes time linear in `text.len()`.
#[must_use]
pub const fn tokens(text: &str) -> Tokens<'_> {
    Tokens { text, offset: 0 }
}

/// Returns the tokens of `text` as [`tokens`] does, from `offset` on. To continue after a token, pass the end of its
/// span.
#[must_use]
pub const fn tokens_from(text: &str, offset: usize) -> Tokens<'_> {
    Tokens { text, offset }
}

/// The iterator that [`tokens`] returns.
#[derive(Clone)]
pub struct Tokens<'a> {
    text: &'a str,
    /// How far the text has been read.
    offset: usize,
}

impl fmt::Debug for Tokens<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        loop {
            let rest = self.text.as_bytes().get(self.offset..)?;
            let colon = self.offset + rest.iter().position(|byte| *byte == b':')?;
            let before = self.offset;
            self.offset = colon + 1;
            // A prefix does not begin in the text that was read before.
            let Some(start) = (colon + 1).checked_sub(PREFIX.len()).filter(|start| *start >= before) else { continue };
            if let Some(found) = self.at(start) {
                self.offset = found.span().end;
                return Some(found);
            }
        }
    }
}

impl FusedIterator for Tokens<'_> {}

impl<'a> Tokens<'a> {
    /// Returns the token or lookalike at `start`, if a prefix begins there.
    fn at(&self, start: usize) -> Option<Found<'a>> {
        let bytes = self.text.as_bytes();
        let prefix = bytes.get(start..start + PREFIX.len())?;
        if !prefix.eq_ignore_ascii_case(PREFIX.as_bytes()) {
            return None;
        }
        let is_free = |byte: Option<&u8>| !byte.is_some_and(|byte| is_word(*byte));
        let starts_free = is_free(start.checked_sub(1).and_then(|before| bytes.get(before)));
        let len = token::extent(bytes.get(start..)?);
        let text = self.text.get(start..start + len)?;
        let after = bytes.get(start + len);
        let token = if prefix == PREFIX.as_bytes() { Token::parse(text) } else { Err(Error::Lookalike) };
        if token.is_ok() {
            // One more `=` is too much padding.
            let stands_free = starts_free && is_free(after) && after != Some(&b'=');
            let token = if stands_free { token } else { Err(Error::Lookalike) };
            return Some(Found { start, text, token });
        }
        if !starts_free {
            return None;
        }
        // Take all characters that may be meant as one token. They are not read again, which keeps the search linear.
        let run = bytes.get(start..)?.iter().take_while(|byte| is_word(**byte) || matches!(byte, b'=' | b':')).count();
        let text = self.text.get(start..start + run)?;
        (run >= LOOKALIKE_LEN).then_some(Found { start, text, token })
    }
}

/// Opens every token of `text` with the first of `keys` that sealed it. The secret replaces the token as it is, without
/// quotes or escapes. Costs one derivation for each token and each key that is tried; consecutive tokens with the same
/// salt, such as legacy tokens, share it. `out` needs `text.len()` bytes.
///
/// # Errors
/// For the first token or lookalike that fails: the errors of [`Found::token`], [`Error::AuthenticationFailed`] or
/// [`Error::NotUtf8`]. Also [`Error::BufferTooSmall`]. On error, `out` is zeroed.
pub fn open<'o>(text: &str, keys: &[MasterKey], out: &'o mut [u8]) -> Result<&'o str, Error> {
    let mut opener = Opener::new(keys, &AtOnce);
    rewrite(text, out, |len, buf| {
        let len = opener.open_in_place(len, buf)?;
        buffer::text(buf, len).map(str::len)
    })
}

/// Rotates every token of `text`: opens it with the first of `old` that sealed it, and seals the secret with `new` and
/// a new salt. `now` is the time in Unix seconds. It takes the time of [`open`] and one more derivation for each token.
/// `out` needs `text.len()` bytes, and 25 more for each legacy token, because it becomes a salted one.
///
/// # Errors
/// Those of [`open`], except [`Error::NotUtf8`]; also [`Error::KeyShort`] and [`Error::RandomFailed`]. On error, `out`
/// is zeroed.
pub fn rotate<'o, R: TryCryptoRng + ?Sized>(
    text: &str,
    old: &[MasterKey],
    new: &MasterKey,
    now: u64,
    rng: &mut R,
    out: &'o mut [u8],
) -> Result<&'o str, Error> {
    let mut opener = Opener::new(old, &AtOnce);
    rewrite(text, out, |len, buf| {
        let len = opener.open_in_place(len, buf)?;
        token::seal_in_place(new, &Format::salted(rng)?, len, now, rng, &AtOnce, buf)
    })
}

/// Copies `text` to `out` and replaces the tokens. `replace` gets the length of a token and a buffer with the token at
/// its front. It writes the replacement to the front of the buffer and returns its length.
fn rewrite<'o>(
    text: &str,
    out: &'o mut [u8],
    mut replace: impl FnMut(usize, &mut [u8]) -> Result<usize, Error>,
) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        let (mut read, mut written) = (0, 0);
        let mut copy = |out: &mut [u8], written: usize, end: usize| {
            let part = text.as_bytes().get(read..end).ok_or(Error::BufferTooSmall)?;
            read = end;
            buffer::copy_to_front(out.get_mut(written..).ok_or(Error::BufferTooSmall)?, part)
        };
        for found in tokens(text) {
            found.token()?;
            let span = found.span();
            written += copy(out, written, span.start)?;
            let len = copy(out, written, span.end)?;
            written += replace(len, out.get_mut(written..).ok_or(Error::BufferTooSmall)?)?;
        }
        Ok(written + copy(out, written, text.len())?)
    })
}
