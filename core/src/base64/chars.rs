//! Decodes base64url character by character, in one layer or two, for microcontrollers: for two layers it takes a third of
//! the flash of the decoders that a server uses.
//!
//! Only a compact build uses it. The tests compare it with the other decoders. As they do, it branches on whether a
//! character is valid and on padding, never on a value, and looks nothing up by one.

use core::hint::black_box;

use crate::error::Error;

/// Decodes a text that arrives in characters.
pub(crate) struct Decoder {
    /// The outer layer, then the inner one.
    layers: [Quantum; 2],
    /// Whether the text was encoded once.
    once: bool,
    /// How many bytes were decoded.
    len: usize,
}

/// The four characters of one layer that are being decoded.
#[derive(Default)]
struct Quantum {
    /// The bits of the characters so far.
    bits: u32,
    /// The number of characters so far.
    chars: u32,
    /// The number of `=` so far. They are read as zero bits, and only another `=` may follow.
    padding: u32,
}

impl Decoder {
    /// A decoder of a text that was encoded once.
    pub(crate) fn once() -> Self {
        Self { layers: Default::default(), once: true, len: 0 }
    }

    /// A decoder of a text that was encoded twice.
    pub(crate) fn twice() -> Self {
        Self { once: false, ..Self::once() }
    }

    /// Decodes one character. Writes the bytes to `out` as far as it is long enough: [`Decoder::finish`] returns how many
    /// there are.
    pub(crate) fn push(&mut self, char: u8, out: &mut [u8]) -> Result<(), Error> {
        let layers = if self.once { self.layers.split_at_mut(1).0 } else { &mut self.layers };
        push(layers, char, out, &mut self.len)
    }

    /// Returns the number of bytes, unless the text ends within four characters.
    pub(crate) fn finish(&self) -> Result<usize, Error> {
        let [outer, inner] = &self.layers;
        if outer.chars | inner.chars == 0 { Ok(self.len) } else { Err(Error::Malformed) }
    }
}

/// Passes a character through the layers that are left, and appends what comes out to the first `len` bytes of `out`.
#[inline(never)]
fn push(layers: &mut [Quantum], char: u8, out: &mut [u8], len: &mut usize) -> Result<(), Error> {
    let Some((quantum, inner)) = layers.split_first_mut() else {
        if let Some(slot) = out.get_mut(*len) {
            *slot = char;
        }
        *len += 1;
        return Ok(());
    };
    let value = if char == b'=' && quantum.chars >= 2 {
        quantum.padding += 1;
        0
    } else if quantum.padding == 0 {
        value(char)?
    } else {
        return Err(Error::Malformed);
    };
    quantum.bits = quantum.bits << 6 | value;
    quantum.chars += 1;
    if quantum.chars == 4 {
        quantum.chars = 0;
        for rest in (0..3).rev() {
            let [_, byte, ..] = quantum.bits.to_be_bytes();
            quantum.bits <<= 8;
            if rest >= quantum.padding {
                push(inner, byte, out, len)?;
            } else if byte != 0 {
                return Err(Error::Malformed);
            }
        }
    }
    Ok(())
}

/// The first and the last character of each range of the alphabet (RFC 4648 §5), and the value of the first one plus 1.
static RANGES: [[u8; 3]; 5] = [[b'A', b'Z', 1], [b'a', b'z', 27], [b'0', b'9', 53], [b'-', b'-', 63], [b'_', b'_', 64]];

/// Returns the six bits of a character.
fn value(char: u8) -> Result<u32, Error> {
    let char = i32::from(char);
    // The value plus 1, or 0 if no range contains the character.
    let mut sum = 0;
    for [first, last, value] in &RANGES {
        let at = char - i32::from(*first);
        // All bits are set if a difference is negative, so if the range does not contain the character. The compiler may not
        // know this, or it could branch on it.
        let outside = black_box((at | (i32::from(*last) - char)) >> 31);
        sum |= !outside & (at + i32::from(*value));
    }
    u32::try_from(sum - 1).map_err(|_| Error::Malformed)
}
