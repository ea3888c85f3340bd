//! Base64url as tokens want it: canonical, padded, nothing else.
//! base64ct does the characters, large texts apart; here are what it lacks: encoding in place, and decoding piece by piece,
//! which checks a text without a buffer for it.

use core::ops::Range;

use base64ct::{Base64Url, Base64UrlUnpadded, Encoding};
use zeroize::Zeroize;

use crate::{Error, SMALL, buffer};

mod wide;

/// Characters that a piecewise step takes.
const CHARS: usize = if SMALL { 64 } else { 1024 };

/// The text length of `len` bytes; `usize::MAX` if that does not fit.
pub(crate) const fn encoded_len(len: usize) -> usize {
    // A third, rounded up; processors that cannot divide would have 180 bytes linked for a division.
    let (mut quanta, mut rest) = (0, len);
    while rest > 3 {
        // rest = 4 × q + r = 3 × q + (q + r)
        quanta += rest / 4;
        rest = rest / 4 + rest % 4;
    }
    if rest > 0 {
        quanta += 1;
    }
    quanta.saturating_mul(4)
}

/// An upper bound (at most 2 too many) of the bytes that `len` characters stand for.
pub(crate) const fn decoded_len(len: usize) -> usize {
    len / 4 * 3
}

/// Decodes `text` to the front of `out` and says how many bytes it wrote.
pub(crate) fn decode(text: &[u8], out: &mut [u8]) -> Result<usize, Error> {
    let mut written = 0;
    Pieces::default().push(text, &mut |bytes: &[u8]| put_at(out, &mut written, bytes))?;
    Ok(written)
}

/// Decodes characters among which is no padding onto themselves, and returns the bytes.
#[inline(never)] // once, and there without what base64ct would do with a rest
pub(crate) fn decode_quanta(quanta: &mut [[u8; 4]]) -> Result<&[u8], Error> {
    let malformed = |_| Error::Malformed;
    if SMALL {
        return Base64UrlUnpadded::decode_in_place(quanta.as_flattened_mut()).map_err(malformed);
    }
    let blocks = wide::decode_blocks(quanta)?;
    let (before, after) = (blocks * wide::BYTES, blocks * wide::CHARS);
    let text = quanta.as_flattened_mut();
    let rest = text.get_mut(after..).ok_or(Error::Malformed)?;
    let len = Base64UrlUnpadded::decode_in_place(rest).map_err(malformed)?.len();
    buffer::slide(text, after, len, before)?;
    text.get(..before + len).ok_or(Error::Malformed)
}

/// Encodes the first `len` bytes of `buf` onto itself and says how many characters it wrote.
pub(crate) fn encode_in_place(buf: &mut [u8], len: usize) -> Result<usize, Error> {
    let text_len = encoded_len(len);
    let (quanta, _) = buf.get_mut(..text_len).ok_or(Error::BufferTooSmall)?.as_chunks_mut::<4>();
    let blocks = if SMALL { 0 } else { len / wide::BYTES };
    let mut bytes = [0_u8; 3];
    // From the last to the first: the text grows away from the bytes that are still to be read.
    for at in (blocks * wide::CHARS / 4..quanta.len()).rev() {
        let source = quanta.as_flattened().iter().take(len).skip(at * 3);
        bytes = [0; 3];
        let used = bytes.iter_mut().zip(source).map(|(slot, byte)| *slot = *byte).count();
        let target = quanta.get_mut(at).ok_or(Error::BufferTooSmall)?;
        Base64Url::encode(&bytes, target).map_err(|_| Error::BufferTooSmall)?;
        target.iter_mut().skip(used + 1).for_each(|char| *char = b'=');
    }
    bytes.zeroize();
    wide::encode_blocks(quanta, blocks);
    Ok(text_len)
}

/// What takes the bytes of a text that is decoded in pieces. Used as a `dyn`, of which a microcontroller has one copy for
/// all sinks; a trait of its own, because each `dyn FnMut` brings a `FnOnce` that nobody calls.
pub(crate) trait Sink {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Error>;
}

impl<F: FnMut(&[u8]) -> Result<(), Error>> Sink for F {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self(bytes)
    }
}

/// Decodes a text that arrives in pieces, without a buffer for the whole.
/// Every piece must have a multiple of four characters, and only the last may be padded.
#[derive(Default)]
pub(crate) struct Pieces {
    ended: bool,
}

impl Pieces {
    /// Decodes one piece and hands on its bytes, a few at a time.
    pub(crate) fn push(&mut self, text: &[u8], sink: &mut dyn Sink) -> Result<(), Error> {
        let (quanta, rest) = text.as_chunks();
        if !rest.is_empty() {
            return Err(Error::Malformed);
        }
        let mut buf = [[0; 4]; CHARS / 4];
        for quanta in quanta.chunks(buf.len()) {
            if self.ended {
                return Err(Error::Malformed);
            }
            let buf = buf.get_mut(..quanta.len()).ok_or(Error::Malformed)?;
            buf.copy_from_slice(quanta);
            // Padding is taken for zeros, and the bytes that come of it must then be zero, or there were stray bits.
            let tail = buf.as_flattened_mut().iter_mut().rev().take(2);
            let padding = tail.take_while(|char| **char == b'=').map(|char| *char = b'A').count();
            let bytes = decode_quanta(buf)?;
            let (bytes, rest) = bytes.split_at_checked(bytes.len() - padding).ok_or(Error::Malformed)?;
            if rest.iter().any(|byte| *byte != 0) {
                return Err(Error::Malformed);
            }
            self.ended = padding > 0;
            sink.take(bytes)?;
        }
        Ok(())
    }
}

/// As [`Pieces`], for base64 of base64.
#[derive(Default)]
pub(crate) struct TwoLayers {
    outer: Pieces,
    inner: Pieces,
}

impl TwoLayers {
    /// Decodes one piece and hands on its bytes, a few at a time.
    pub(crate) fn push(&mut self, text: &[u8], sink: &mut dyn Sink) -> Result<(), Error> {
        let Self { outer, inner } = self;
        outer.push(text, &mut |text: &[u8]| inner.push(text, sink))
    }

    /// Decodes the text at `from` to the front of the same `buf` and says how many bytes it wrote.
    #[inline(never)] // its buffer would lie on the stack of all that goes on with the bytes
    pub(crate) fn decode_in_place(mut self, buf: &mut [u8], mut from: Range<usize>) -> Result<usize, Error> {
        let mut written = 0;
        while !from.is_empty() {
            let mut chars = [0_u8; CHARS];
            let step = CHARS.min(from.len());
            let chars = chars.get_mut(..step).ok_or(Error::BufferTooSmall)?;
            chars.copy_from_slice(buf.get(from.start..from.start + step).ok_or(Error::BufferTooSmall)?);
            self.push(chars, &mut |bytes: &[u8]| put_at(buf, &mut written, bytes))?;
            from.start += step;
        }
        Ok(written)
    }
}

/// Appends `bytes` to the `written` first of `out`.
pub(crate) fn put_at(out: &mut [u8], written: &mut usize, bytes: &[u8]) -> Result<(), Error> {
    *written += buffer::put(out.get_mut(*written..).ok_or(Error::BufferTooSmall)?, bytes)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From outside of core only the lengths of tokens can be asked for.
    #[test]
    fn a_text_has_four_characters_for_every_three_bytes_begun() {
        for len in 0..1_000 {
            assert_eq!(encoded_len(len), len.div_ceil(3) * 4, "{len}");
        }
    }
}
