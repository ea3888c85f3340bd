//! Base64url as tokens want it: canonical, padded, nothing else; in place, or piece by piece without a buffer.
//! Without branches or look-ups that depend on the characters, but for whether they are valid: keys pass through it.
//! Small on purpose: on a microcontroller every kind of decoding shares one function of a few instructions.

use crate::{Error, buffer};

/// The text length of `len` bytes; `usize::MAX` if that does not fit.
pub(crate) const fn encoded_len(len: usize) -> usize {
    len.div_ceil(3).saturating_mul(4)
}

/// An upper bound (at most 2 too many) of the bytes that `len` characters stand for.
pub(crate) const fn decoded_len(len: usize) -> usize {
    len / 4 * 3
}

/// Decodes `text` to the front of `out` and says how many bytes it wrote.
pub(crate) fn decode(text: &str, out: &mut [u8]) -> Result<usize, Error> {
    let mut written = 0;
    let mut pieces = Pieces::default();
    pieces.push(text.as_bytes(), |bytes| {
        written += buffer::put(out.get_mut(written..).ok_or(Error::BufferTooSmall)?, bytes)?;
        Ok(())
    })?;
    pieces.finish().map(|()| written)
}

/// Encodes the first `len` bytes of `buf` onto itself and says how many characters it wrote.
pub(crate) fn encode_in_place(buf: &mut [u8], len: usize) -> Result<usize, Error> {
    let text_len = encoded_len(len);
    let buf = buf.get_mut(..text_len).ok_or(Error::BufferTooSmall)?;
    // With the bytes at the end, the text that grows from the front never overtakes them.
    let mut read = text_len.checked_sub(len).ok_or(Error::BufferTooSmall)?;
    buffer::shift(buf, 0, read, len)?;
    let mut written = 0;
    while read < text_len {
        let mut group = [0; 3];
        group.iter_mut().zip(buf.iter().skip(read)).for_each(|(slot, byte)| *slot = *byte);
        let mut chars = encode_group(group);
        chars.iter_mut().skip(text_len - read + 1).for_each(|char| *char = b'=');
        written += buffer::put(buf.get_mut(written..).ok_or(Error::BufferTooSmall)?, &chars)?;
        read += group.len();
    }
    Ok(written)
}

/// Decodes a text that arrives in pieces of any length, without a buffer for the whole.
#[derive(Default)]
pub(crate) struct Pieces {
    /// The characters that wait for the rest of their four.
    group: [u8; 4],
    waiting: usize,
    /// Whether there was padding, so that nothing may follow.
    ended: bool,
}

impl Pieces {
    /// Decodes one piece and hands on its bytes, at most three at a time.
    pub(crate) fn push(&mut self, text: &[u8], mut sink: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        for char in text {
            let [_, b, c, d] = self.group;
            self.group = [b, c, d, *char];
            self.waiting = (self.waiting + 1) % 4;
            if self.waiting > 0 {
                continue;
            }
            let (bytes, len) = decode_padded_group(self.group).filter(|_| !self.ended).ok_or(Error::Malformed)?;
            self.ended = len < 3;
            sink(bytes.get(..len).unwrap_or_default())?;
        }
        Ok(())
    }

    /// The text has ended: no character waits for the rest of its four.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        if self.waiting == 0 { Ok(()) } else { Err(Error::Malformed) }
    }
}

/// As [`Pieces`], for base64 of base64.
#[derive(Default)]
pub(crate) struct TwoLayers {
    outer: Pieces,
    inner: Pieces,
}

impl TwoLayers {
    /// Decodes one piece and hands on its bytes, at most three at a time.
    pub(crate) fn push(&mut self, text: &[u8], sink: &mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let Self { outer, inner } = self;
        outer.push(text, |text| inner.push(text, &mut *sink))
    }

    /// The text has ended.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        self.outer.finish().and(self.inner.finish())
    }
}

/// Four characters to at most three bytes, and how many they are.
#[inline(never)] // once, not once for each way of decoding
fn decode_padded_group(group: [u8; 4]) -> Option<([u8; 3], usize)> {
    let (chars, len) = match group {
        [a, b, b'=', b'='] => ([a, b, b'A', b'A'], 1),
        [a, b, c, b'='] => ([a, b, c, b'A'], 2),
        all => (all, 3),
    };
    let bytes = decode_group(chars)?;
    // RFC 4648 section 3.5: bits behind the last byte are zero, or there would be two texts for it.
    if bytes.iter().skip(len).all(|byte| *byte == 0) { Some((bytes, len)) } else { None }
}

/// Four characters, none of them padding, to three bytes; none if one is not of the alphabet.
pub(crate) fn decode_group(chars: [u8; 4]) -> Option<[u8; 3]> {
    // A character that is not of the alphabet is -1, and makes the whole negative.
    let bits = chars.iter().fold(0_i32, |bits, char| bits << 6 | value_of(*char));
    let [_, bytes @ ..] = bits.to_be_bytes();
    // The first character's sign is shifted to bit 18 and up, which stays in the word.
    if bits < 0 { None } else { Some(bytes) }
}

/// The value of a character, 0 to 63, or -1.
fn value_of(char: u8) -> i32 {
    let char = i32::from(char);
    // All ones if the character lies within: both differences are negative then, and none is below -256.
    let within = |low: u8, high: u8| ((i32::from(low) - 1 - char) & (char - 1 - i32::from(high))) >> 8;
    (within(b'A', b'Z') & (char - i32::from(b'A') + 1))
        + (within(b'a', b'z') & (char - i32::from(b'a') + 27))
        + (within(b'0', b'9') & (char - i32::from(b'0') + 53))
        + (within(b'-', b'-') & 63)
        + (within(b'_', b'_') & 64)
        - 1
}

/// Three bytes to four characters.
fn encode_group([a, b, c]: [u8; 3]) -> [u8; 4] {
    [a >> 2, a << 4 & 0x30 | b >> 4, b << 2 & 0x3c | c >> 6, c & 0x3f].map(char_of)
}

/// The character of a value below 64.
fn char_of(value: u8) -> u8 {
    // 0xff if the value lies beyond, else 0; the character is the value and what its range adds, modulo 256.
    let beyond = |last: u8| (last.wrapping_sub(value) >> 7).wrapping_neg();
    value
        .wrapping_add(b'A')
        .wrapping_add(beyond(25) & b'a'.wrapping_sub(b'A' + 26))
        .wrapping_add(beyond(51) & b'0'.wrapping_sub(b'a' + 26))
        .wrapping_add(beyond(61) & b'-'.wrapping_sub(b'0' + 10))
        .wrapping_add(beyond(62) & b'_'.wrapping_sub(b'-' + 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)] // what is missing should fail the test

    extern crate std;

    use super::*;
    use base64ct::{Base64Url, Encoding};
    use proptest::prelude::*;
    use std::string::String;
    use std::vec::Vec;

    fn decodes_alike(text: &str) {
        let mut wanted = [0; 64];
        let wanted = Base64Url::decode(text, &mut wanted).map_err(|_| Error::Malformed);
        let mut out = [0xa5; 64];
        assert_eq!(decode(text, &mut out).map(|len| &out[..len]), wanted, "{text:?}");
        let mut twice = TwoLayers::default();
        let mut pieces = Vec::new();
        let inner = text.as_bytes().iter().copied().map(|char| [char; 1]);
        let outer: String = Base64Url::encode_string(&inner.flatten().collect::<Vec<u8>>());
        let taken = outer.bytes().try_for_each(|char| {
            twice.push(&[char], &mut |bytes| {
                pieces.extend_from_slice(bytes);
                Ok(())
            })
        });
        assert_eq!(taken.and_then(|()| twice.finish()).map(|()| &*pieces), wanted, "{text:?}");
    }

    #[test]
    fn every_character_in_every_place_decodes_as_base64ct_has_it() {
        for char in 0..=0x7f_u8 {
            for place in 0..8 {
                for text in [*b"abcdABCD", *b"abcdAB==", *b"abcdABC=", *b"AB==abcd"] {
                    let mut text = text;
                    text[place] = char;
                    decodes_alike(core::str::from_utf8(&text).unwrap());
                }
            }
        }
        for byte in 0x80..=0xff_u8 {
            assert_eq!(decode_group([byte, b'A', b'A', b'A']), None);
            assert_eq!(decode_group([b'A', b'A', b'A', byte]), None);
        }
    }

    #[test]
    fn every_value_encodes_as_base64ct_has_it() {
        for value in 0..64_u8 {
            let mut wanted = [0; 4];
            let wanted = Base64Url::encode(&[value << 2, 0, value], &mut wanted).unwrap();
            let mut buf = [value << 2, 0, value, 0xa5];
            assert_eq!(encode_in_place(&mut buf, 3), Ok(4));
            assert_eq!(buf, wanted.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn bytes_encode_as_base64ct_has_it(bytes in prop::collection::vec(any::<u8>(), 0..48)) {
            let mut wanted = [0; 64];
            let wanted = Base64Url::encode(&bytes, &mut wanted).unwrap();
            let mut buf = [0xa5; 64];
            buffer::put(&mut buf, &bytes).unwrap();
            let len = encode_in_place(&mut buf, bytes.len()).unwrap();
            prop_assert_eq!(&buf[..len], wanted.as_bytes());
            decodes_alike(wanted);
        }

        #[test]
        fn texts_decode_as_base64ct_has_it(text in "[A-Za-z0-9_=+/ -]{0,24}") {
            decodes_alike(&text);
        }
    }
}
