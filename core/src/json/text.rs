//! The inside of JSON strings: escapes put on, taken off and seen through.

use core::slice;

use crate::{COMPACT, Error, buffer};

/// The length of `plain` as the inside of a JSON string, in bytes.
#[must_use]
pub fn escaped_len(plain: &str) -> usize {
    plain.bytes().map(|byte| escape_of(byte).len()).sum()
}

/// Writes `plain` as the inside of a JSON string, into [`escaped_len`] bytes of `out`: only what must be escaped is.
///
/// # Errors
/// [`Error::BufferTooSmall`]; `out` is zeroed then.
pub fn escape<'o>(plain: &str, out: &'o mut [u8]) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        buffer::put(out, plain.as_bytes())?;
        escape_in_place(plain.len(), out)
    })
}

/// Reads the inside of a JSON string (as [`Value::raw`](super::Value::raw) gives it) into at most `raw.len()` bytes of `out`.
///
/// # Errors
/// [`Error::InvalidJson`] for a wrong escape, [`Error::NotText`] for half a surrogate pair,
/// [`Error::BufferTooSmall`]; `out` is zeroed then.
pub fn unescape<'o>(raw: &str, out: &'o mut [u8]) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| unescape_into(raw.as_bytes(), out))
}

/// Writes the first `len` bytes of `buf`, which are text, onto themselves as the inside of a JSON string.
pub(crate) fn escape_in_place(len: usize, buf: &mut [u8]) -> Result<usize, Error> {
    let plain = buf.get(..len).ok_or(Error::BufferTooSmall)?;
    // The text is a secret, and most have nothing to escape: nothing more than that is then told by the time.
    if !COMPACT && plain.iter().fold(0, |any, byte| any | must_be_escaped(*byte)) == 0 {
        return Ok(len);
    }
    let escaped_len: usize = plain.iter().map(|byte| escape_of(*byte).len()).sum();
    let buf = buf.get_mut(..escaped_len).ok_or(Error::BufferTooSmall)?;
    // From the last to the first: the escaped text grows away from the bytes that are still to be read.
    let mut at = escaped_len;
    for read in (0..len).rev() {
        let escape = escape_of(buf.get(read).copied().unwrap_or_default());
        at -= escape.len();
        buffer::put(buf.get_mut(at..).ok_or(Error::BufferTooSmall)?, escape.as_bytes())?;
    }
    Ok(escaped_len)
}

/// As [`unescape`], to the front of `out`; half a surrogate pair makes bytes that are no text.
pub(crate) fn unescape_into(raw: &[u8], out: &mut [u8]) -> Result<usize, Error> {
    let mut written = 0;
    for byte in Unescape::new(raw) {
        *out.get_mut(written).ok_or(Error::BufferTooSmall)? = byte?;
        written += 1;
    }
    Ok(written)
}

/// One byte of UTF-8 as it stands in a JSON string.
#[derive(Clone, Copy)]
struct Escape {
    bytes: [u8; 6],
    len: usize,
}

impl Escape {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    const fn len(self) -> usize {
        self.len
    }
}

/// 1 if [`escape_of`] escapes it, 0 if not, without a branch.
fn must_be_escaped(byte: u8) -> u8 {
    u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\')
}

/// RFC 8259 §7: quotes, backslashes and control characters must be escaped.
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

/// The UTF-8 of a JSON string's inside, a byte at a time. Half a surrogate pair, which RFC 8259 §8.2 lets stand, comes in
/// the three bytes that it would have, which are not UTF-8.
#[derive(Clone)]
pub(crate) struct Unescape<'a> {
    raw: slice::Iter<'a, u8>,
    /// What escapes begin with: `\\`, or in a JSON Pointer `~`.
    mark: u8,
    /// The code point of which bytes are still to come, and the bits that these stand for.
    point: u32,
    bits: u32,
}

impl<'a> Unescape<'a> {
    pub(crate) fn new(raw: &'a [u8]) -> Self {
        Self::with_mark(raw, b'\\')
    }

    pub(super) fn with_mark(raw: &'a [u8], mark: u8) -> Self {
        Self { raw: raw.iter(), mark, point: 0, bits: 0 }
    }

    /// What stands for a code point behind the mark.
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
            // The first byte says how many follow.
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

/// Whether a JSON string, as written between the quotes, says `plain`.
#[cfg(feature = "typed")]
pub(crate) fn says(raw: &[u8], plain: &str) -> bool {
    Unescape::new(raw).eq(plain.bytes().map(Ok))
}

/// Whether two JSON strings, as written between the quotes, say the same.
pub(crate) fn same_text(a: &[u8], b: &[u8]) -> bool {
    Unescape::new(a).eq(Unescape::new(b))
}
