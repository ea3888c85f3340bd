//! Escapes and unescapes the contents of JSON strings, and compares them without their escapes.
//!
//! "Raw" means the JSON text of a string: without the quotes, with the escapes.

use core::slice;

use crate::buffer;
use crate::compact::COMPACT;
use crate::error::Error;

/// Returns the length in bytes of `plain` as the contents of a JSON string.
#[must_use]
pub fn escaped_len(plain: &str) -> usize {
    plain.bytes().map(|byte| escape_of(byte).len()).sum()
}

/// Escapes `plain` for a JSON string. Escapes only quotes, backslashes and control characters, as RFC 8259 §7 requires.
/// `out` needs [`escaped_len`] bytes.
///
/// # Errors
/// [`Error::BufferTooSmall`]; `out` is then zeroed.
pub fn escape<'o>(plain: &str, out: &'o mut [u8]) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        buffer::copy_to_front(out, plain.as_bytes())?;
        escape_in_place(plain.len(), out)
    })
}

/// Unescapes the contents of a JSON string, which [`Value::raw`](super::Value::raw) returns. `out` needs at most
/// `raw.len()` bytes.
///
/// # Errors
/// [`Error::InvalidJson`] for an invalid escape, [`Error::NotUtf8`] for a lone surrogate, [`Error::BufferTooSmall`]. On
/// error, `out` is zeroed.
pub fn unescape<'o>(raw: &str, out: &'o mut [u8]) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| unescape_into(raw.as_bytes(), out))
}

/// Escapes the first `len` bytes of `buf`, which are text, in place. Returns the length of the escaped text.
pub(crate) fn escape_in_place(len: usize, buf: &mut [u8]) -> Result<usize, Error> {
    let plain = buf.get(..len).ok_or(Error::BufferTooSmall)?;
    // The text is a secret. Most secrets contain nothing to escape; then the running time reveals only this fact.
    if !COMPACT && plain.iter().fold(0, |any, byte| any | must_be_escaped(*byte)) == 0 {
        return Ok(len);
    }
    let escaped_len: usize = plain.iter().map(|byte| escape_of(*byte).len()).sum();
    let buf = buf.get_mut(..escaped_len).ok_or(Error::BufferTooSmall)?;
    // From the last byte to the first, so that the growing text overwrites only bytes that were read.
    let mut at = escaped_len;
    for read in (0..len).rev() {
        let escape = escape_of(*buf.get(read).ok_or(Error::BufferTooSmall)?);
        at -= escape.len();
        let target = buf.get_mut(at..at + escape.len()).ok_or(Error::BufferTooSmall)?;
        target.iter_mut().zip(escape.bytes).for_each(|(slot, byte)| *slot = byte);
    }
    Ok(escaped_len)
}

/// Unescapes `raw` to the front of `out` and returns the length. A lone surrogate becomes bytes that are not UTF-8.
pub(crate) fn unescape_into(raw: &[u8], out: &mut [u8]) -> Result<usize, Error> {
    let mut written = 0;
    for byte in Unescape::new(raw) {
        *out.get_mut(written).ok_or(Error::BufferTooSmall)? = byte?;
        written += 1;
    }
    Ok(written)
}

/// The spelling of one byte of UTF-8 in a JSON string: the first `len` of `bytes`.
#[derive(Clone, Copy)]
struct Escape {
    bytes: [u8; 6],
    len: usize,
}

impl Escape {
    const fn len(self) -> usize {
        self.len
    }
}

/// Returns 1 if [`escape_of`] escapes `byte`, otherwise 0, without a branch.
fn must_be_escaped(byte: u8) -> u8 {
    u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\')
}

/// Returns the spelling of `byte` in a JSON string (RFC 8259 §7).
fn escape_of(byte: u8) -> Escape {
    let short = |char| Escape { bytes: [b'\\', char, 0, 0, 0, 0], len: 2 };
    match byte {
        b'"' | b'\\' => short(byte),
        0x08 => short(b'b'),
        0x09 => short(b't'),
        0x0a => short(b'n'),
        0x0c => short(b'f'),
        0x0d => short(b'r'),
        0..0x20 => {
            let low = byte & 0xf;
            let digit = if low < 10 { b'0' + low } else { b'a' + low - 10 };
            Escape { bytes: [b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), digit], len: 6 }
        }
        _ => Escape { bytes: [byte, 0, 0, 0, 0, 0], len: 1 },
    }
}

/// Unescapes the inside of a JSON string, or a step of a JSON Pointer, to UTF-8 one byte at a time.
///
/// RFC 8259 §8.2 allows lone surrogates. One becomes the three bytes that UTF-8 would encode it with, which are not valid UTF-8.
#[derive(Clone)]
pub(crate) struct Unescape<'a> {
    raw: slice::Iter<'a, u8>,
    /// The byte that escapes begin with: `\` in JSON, `~` in a JSON Pointer.
    mark: u8,
    /// The code point that was escaped last.
    point: u32,
    /// How many of its low bits are in bytes that are still to be returned.
    bits: u32,
}

impl<'a> Unescape<'a> {
    pub(crate) fn new(raw: &'a [u8]) -> Self {
        Self::with_mark(raw, b'\\')
    }

    pub(super) fn with_mark(raw: &'a [u8], mark: u8) -> Self {
        Self { raw: raw.iter(), mark, point: 0, bits: 0 }
    }

    /// Reads an escape after its mark, and returns its code point.
    fn escaped(&mut self) -> Option<u32> {
        let byte = *self.raw.next()?;
        if self.mark == b'~' {
            return match byte {
                b'0' => Some('~'.into()),
                b'1' => Some('/'.into()),
                _ => None,
            };
        }
        Some(match byte {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => 0x0a,
            b'r' => 0x0d,
            b't' => 0x09,
            b'u' => {
                let high = self.hex()?;
                if let (0xd800..0xdc00, [b'\\', b'u', ahead @ ..]) = (high, self.raw.as_slice()) {
                    let mut ahead = Self::new(ahead);
                    if let low @ 0xdc00..0xe000 = ahead.hex()? {
                        self.raw = ahead.raw;
                        return Some(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
                    }
                }
                high
            }
            b'"' | b'\\' | b'/' => byte.into(),
            _ => return None,
        })
    }

    /// Reads four hex digits.
    fn hex(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |value, _| Some(value * 16 + char::from(*self.raw.next()?).to_digit(16)?))
    }
}

impl Iterator for Unescape<'_> {
    type Item = Result<u8, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (marks, mask) = if self.bits == 0 {
            let byte = *self.raw.next()?;
            if byte != self.mark {
                return Some(Ok(byte));
            }
            let Some(point) = self.escaped() else { return Some(Err(Error::InvalidJson)) };
            self.point = point;
            // The first byte of a character tells how many follow (RFC 3629 §3).
            let marks;
            (self.bits, marks) = match point {
                0..0x80 => (0, 0),
                0x80..0x800 => (6, 0xc0),
                0x800..0x1_0000 => (12, 0xe0),
                _ => (18, 0xf0),
            };
            (marks, 0xff)
        } else {
            self.bits -= 6;
            (0x80, 0x3f)
        };
        let [byte, ..] = (self.point >> self.bits).to_le_bytes();
        Some(Ok(marks + (byte & mask)))
    }
}

/// Returns whether the raw string is `plain` without its escapes.
#[cfg(feature = "typed")]
pub(crate) fn unescaped_eq(raw: &[u8], plain: &str) -> bool {
    Unescape::new(raw).eq(plain.bytes().map(Ok))
}

/// Returns whether two raw strings are equal without their escapes.
pub(crate) fn same_unescaped(a: &[u8], b: &[u8]) -> bool {
    Unescape::new(a).eq(Unescape::new(b))
}
