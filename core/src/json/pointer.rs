//! Pointers to values: JSON Pointers (RFC 6901), and names joined by dots.

use core::{fmt, str};

use super::text::Unescape;
use crate::Error;

/// Writes one step of a JSON Pointer: `/` and the name (escaped as in a JSON text) in RFC 6901's escapes.
///
/// # Errors
/// Those of `f`.
pub fn write_step(f: &mut impl fmt::Write, raw_name: &str) -> fmt::Result {
    write_name(f, raw_name.as_bytes())
}

pub(super) fn write_name(f: &mut impl fmt::Write, raw: &[u8]) -> fmt::Result {
    f.write_char('/')?;
    // A wrong escape becomes what no character begins with.
    let mut bytes = Unescape::new(raw).map(|byte| byte.unwrap_or(0x80));
    while let Some(first) = bytes.next() {
        let mut char = [first, 0, 0, 0];
        let len = match first {
            0..0xc0 => 1,
            0xc0..0xe0 => 2,
            0xe0..0xf0 => 3,
            _ => 4,
        };
        char.iter_mut().take(len).skip(1).zip(&mut bytes).for_each(|(slot, byte)| *slot = byte);
        f.write_str(match str::from_utf8(char.get(..len).unwrap_or_default()) {
            Ok("~") => "~0",
            Ok("/") => "~1",
            Ok(char) => char,
            Err(_) => "\u{fffd}",
        })?;
    }
    Ok(())
}

/// The steps of a pointer.
pub(super) struct Steps<'p> {
    text: &'p [u8],
    separator: u8,
    /// What escapes begin with; dotted names have none.
    mark: u8,
    pub(super) count: usize,
}

impl<'p> Steps<'p> {
    pub(super) fn new(pointer: &'p str) -> Result<Self, Error> {
        let (text, separator, mark) = match pointer.as_bytes() {
            [b'/', text @ ..] => (text, b'/', b'~'),
            text => (text, b'.', 0xff),
        };
        if Unescape::with_mark(text, mark).any(|byte| byte.is_err()) {
            return Err(Error::BadPointer);
        }
        let separators = text.iter().filter(|byte| **byte == separator).count();
        Ok(Self { text, separator, mark, count: separators + usize::from(!pointer.is_empty()) })
    }

    /// The step that leads on from a value when so many levels are open; an empty one behind the last.
    pub(super) fn within(&self, levels: usize) -> Step<'p> {
        let text = self.text.split(|byte| *byte == self.separator).nth(levels.wrapping_sub(1)).unwrap_or_default();
        Step { text, mark: self.mark }
    }
}

/// One step of a pointer, still in its notation.
pub(super) struct Step<'p> {
    text: &'p [u8],
    mark: u8,
}

impl Step<'_> {
    /// Whether it leads to the member whose name is written `raw`.
    pub(super) fn is_name(&self, raw: &[u8]) -> bool {
        Unescape::new(raw).eq(Unescape::with_mark(self.text, self.mark))
    }

    /// Whether it leads to the item with this index. RFC 6901 §4: digits, without leading zeros.
    pub(super) fn is_index(&self, index: usize) -> bool {
        if let [] | [b'0', _, ..] = self.text {
            return false;
        }
        let mut value = 0;
        for byte in self.text {
            // A greater one no text is long enough for.
            if !byte.is_ascii_digit() || value >= usize::MAX / 10 {
                return false;
            }
            value = value * 10 + usize::from(byte - b'0');
        }
        value == index
    }
}
