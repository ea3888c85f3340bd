//! Base64url of whole blocks of 64 characters, written so that the compiler vectorises it. Without this module, sealing
//! and opening large secrets would spend most of their time in base64. A compact build does not use it.
//!
//! It computes each character by arithmetic, as `base64ct` does, without branches or table look-ups that depend on the
//! data.

use crate::error::Error;

/// The length of an encoded block, in characters.
pub(super) const CHARS: usize = 64;
/// The length of a decoded block, in bytes.
pub(super) const BYTES: usize = 48;

/// Decodes the whole blocks of `text`, which has no padding, in place. Returns the number of blocks.
pub(super) fn decode_blocks(text: &mut [u8]) -> Result<usize, Error> {
    let blocks = text.len() / CHARS;
    for at in 0..blocks {
        let chars = *text.get(at * CHARS..).and_then(<[u8]>::first_chunk).ok_or(Error::Malformed)?;
        decode(&chars, text.get_mut(at * BYTES..).and_then(<[u8]>::first_chunk_mut).ok_or(Error::Malformed)?)?;
    }
    Ok(blocks)
}

/// Encodes the first `blocks` blocks of bytes of `buf` in place, from the last to the first.
pub(super) fn encode_blocks(buf: &mut [u8], blocks: usize) -> Result<(), Error> {
    for at in (0..blocks).rev() {
        let chars = encode(buf.get(at * BYTES..).and_then(<[u8]>::first_chunk).ok_or(Error::BufferTooSmall)?);
        *buf.get_mut(at * CHARS..).and_then(<[u8]>::first_chunk_mut).ok_or(Error::BufferTooSmall)? = chars;
    }
    Ok(())
}

/// Decodes `chars` to `bytes`.
pub(super) fn decode(chars: &[u8; CHARS], bytes: &mut [u8; BYTES]) -> Result<(), Error> {
    let (mut values, mut all) = ([0; CHARS], 0);
    for (value, char) in values.iter_mut().zip(chars) {
        // The sum is the character's value plus 1, or 0 if the character is not base64url. Subtracting 1 gives 255 for
        // the latter.
        let mut sum = 0;
        for (first, count, value) in [(b'A', 26, 0), (b'a', 26, 26), (b'0', 10, 52), (b'-', 1, 62), (b'_', 1, 63)] {
            let at = char.wrapping_sub(first);
            sum |= mask(at < count) & at.wrapping_add(value + 1);
        }
        *value = u8::wrapping_sub(sum, 1);
        all |= *value;
    }
    for (six, eight) in bytes.as_chunks_mut::<6>().0.iter_mut().zip(values.as_chunks::<8>().0) {
        // Eight values of 6 bits, the first in the lowest byte. Neighbours are joined to 12, then 24, then 48 bits.
        let values = u64::from_le_bytes(*eight);
        let values = ((values & 0x003f_003f_003f_003f) << 6) | (values >> 8 & 0x003f_003f_003f_003f);
        let values = ((values & 0x0000_0fff_0000_0fff) << 12) | (values >> 16 & 0x0000_0fff_0000_0fff);
        let values = ((values & 0x0000_0000_00ff_ffff) << 24) | (values >> 32);
        let [_, _, joined @ ..] = values.to_be_bytes();
        *six = joined;
    }
    if all == u8::MAX { Err(Error::Malformed) } else { Ok(()) }
}

/// Encodes `bytes`.
fn encode(bytes: &[u8; BYTES]) -> [u8; CHARS] {
    let mut chars = [0; CHARS];
    for (eight, six) in chars.as_chunks_mut::<8>().0.iter_mut().zip(bytes.as_chunks::<6>().0) {
        // The steps of `decode`, reversed.
        let [a, b, c, d, e, f] = *six;
        let values = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let values = ((values & 0x0000_0000_00ff_ffff) << 32) | (values >> 24);
        let values = ((values & 0x0000_0fff_0000_0fff) << 16) | (values >> 12 & 0x0000_0fff_0000_0fff);
        let values = ((values & 0x003f_003f_003f_003f) << 8) | (values >> 6 & 0x003f_003f_003f_003f);
        *eight = values.to_le_bytes();
    }
    for char in &mut chars {
        // The character is `A` plus the value, plus an offset after each of these values, where the alphabet continues
        // elsewhere in ASCII. The comparison is signed because the vector instructions of x86-64 have no unsigned one.
        let value = char.cast_signed();
        *char = char.wrapping_add(b'A');
        for (from, further) in [(26, 6), (52, 181), (62, 243), (63, 49)] {
            *char = char.wrapping_add(mask(value >= from) & further);
        }
    }
    chars
}

/// Returns a byte with all bits set if `condition` holds, otherwise 0.
const fn mask(condition: bool) -> u8 {
    (condition as u8).wrapping_neg()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding};

    use super::*;

    fn decoded(chars: &[u8; CHARS]) -> Result<[u8; BYTES], Error> {
        let mut bytes = [0xa5; BYTES];
        decode(chars, &mut bytes).map(|()| bytes)
    }

    #[test]
    fn a_block_is_what_base64ct_makes_of_it_and_each_byte_counts() {
        let mut bytes = [0; BYTES];
        for (at, settled) in (0..BYTES).zip(0x5a..) {
            for byte in 0..=255 {
                bytes[at] = byte;
                let mut wanted = [0xa5; CHARS];
                Base64UrlUnpadded::encode(&bytes, &mut wanted).unwrap();
                assert_eq!(encode(&bytes), wanted);
                assert_eq!(decoded(&wanted), Ok(bytes));
            }
            bytes[at] = settled;
        }
    }

    #[test]
    fn a_character_is_refused_wherever_base64ct_refuses_it() {
        for at in 0..CHARS {
            for char in 0..=255 {
                let mut chars = *b"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8w";
                chars[at] = char;
                let mut wanted = [0xa5; BYTES];
                let wanted = Base64UrlUnpadded::decode(chars, &mut wanted).map_err(|_| Error::Malformed);
                assert_eq!(decoded(&chars).as_ref().map(<[u8; BYTES]>::as_slice), wanted.as_ref().map(|bytes| *bytes));
            }
        }
    }

    #[test]
    fn blocks_are_coded_onto_themselves_and_what_lies_behind_stays() {
        let mut buf = [0xa5; 2 * CHARS + 32];
        for (byte, value) in buf[..2 * BYTES].iter_mut().zip(0..) {
            *byte = value;
        }
        let (before, mut wanted) = (buf, [0xa5; 2 * CHARS]);
        Base64UrlUnpadded::encode(&before[..2 * BYTES], &mut wanted).unwrap();
        assert_eq!(encode_blocks(&mut buf, 2), Ok(()));
        assert_eq!(buf[..2 * CHARS], wanted);
        assert_eq!(buf[2 * CHARS..], [0xa5; 32]);
        assert_eq!(decode_blocks(&mut buf[..2 * CHARS]), Ok(2));
        assert_eq!(buf[..2 * BYTES], before[..2 * BYTES]);
        buf[80..84].copy_from_slice(b"ab=d");
        assert_eq!(decode_blocks(&mut buf[CHARS..2 * CHARS]), Err(Error::Malformed));
    }
}
