//! Pointers to values: JSON Pointers (RFC 6901) such as `/auth/token_value`, and names joined by dots such as
//! `auth.token_value`, which have no escapes.

use core::{fmt, str};

use super::text::Unescape;
use crate::error::Error;

/// Writes one step of a JSON Pointer: a `/`, and the name with the escapes of RFC 6901. `raw_name` is the JSON text of
/// the name, without its quotes. A lone surrogate is written as U+FFFD.
///
/// # Errors
/// Those of `f`.
pub fn write_step(f: &mut impl fmt::Write, raw_name: &str) -> fmt::Result {
    write_name(f, raw_name.as_bytes())
}

pub(super) fn write_name(f: &mut impl fmt::Write, raw: &[u8]) -> fmt::Result {
    f.write_char('/')?;
    // An invalid escape becomes the byte 0x80, which is not valid UTF-8 and so is written as U+FFFD.
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
        f.write_str(match char.get(..len).map(str::from_utf8) {
            Some(Ok("~")) => "~0",
            Some(Ok("/")) => "~1",
            Some(Ok(char)) => char,
            Some(Err(_)) | None => "\u{fffd}",
        })?;
    }
    Ok(())
}

/// The steps of a pointer, still in its notation.
pub(super) struct Steps<'p> {
    text: &'p [u8],
    separator: u8,
    /// The byte that begins an escape. For dotted names, which have no escapes, it is a byte that UTF-8 does not
    /// contain.
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
            return Err(Error::InvalidPointer);
        }
        let separators = text.iter().filter(|byte| **byte == separator).count();
        Ok(Self { text, separator, mark, count: separators + usize::from(!pointer.is_empty()) })
    }

    /// Returns the step that leads from an open object or array to the next one, where `levels` levels are open. If
    /// there is no such step, it returns an empty name, which the caller does not use; an `Option` would cost 40 bytes
    /// of flash.
    pub(super) fn within(&self, levels: usize) -> Step<'p> {
        let text = self.text.split(|byte| *byte == self.separator).nth(levels.wrapping_sub(1)).unwrap_or(&[]);
        Step { text, mark: self.mark }
    }
}

/// One step of a pointer.
pub(super) struct Step<'p> {
    text: &'p [u8],
    mark: u8,
}

impl Step<'_> {
    /// Returns whether the step names the member whose name is `raw`, which may contain escapes.
    pub(super) fn is_name(&self, raw: &[u8]) -> bool {
        Unescape::new(raw).eq(Unescape::with_mark(self.text, self.mark))
    }

    /// Returns whether the step names the item with this index: digits without leading zeros (RFC 6901 §4).
    pub(super) fn is_index(&self, index: usize) -> bool {
        if let [] | [b'0', _, ..] = self.text {
            return false;
        }
        let mut value = 0;
        for byte in self.text {
            // No JSON text has so many items; without this check the value could overflow.
            if !byte.is_ascii_digit() || value >= usize::MAX / 10 {
                return false;
            }
            value = value * 10 + usize::from(byte - b'0');
        }
        value == index
    }
}
