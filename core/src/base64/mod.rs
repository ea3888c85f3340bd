//! Base64url as tokens use it: canonical and padded. Other characters, missing padding and stray trailing bits are
//! [`Error::Malformed`].
//!
//! The crate `base64ct` encodes and decodes small texts, and [`block64`] encodes and decodes large ones. Both work
//! without branches or table look-ups that depend on the data. This module adds what `base64ct` lacks: encoding in
//! place, and decoding in pieces without a buffer for the whole text. A compact build decodes by [`chars`] instead.

use core::ops::Range;

use base64ct::{Base64Url, Base64UrlUnpadded, Encoding};
use zeroize::Zeroize;

use crate::buffer;
use crate::compact::COMPACT;
use crate::error::Error;

mod block64;
mod chars;

pub(crate) use chars::Decoder;

/// The number of characters that a decoder decodes in one step.
const CHARS: usize = if COMPACT { 64 } else { 1024 };

/// Returns the length in characters of `len` encoded bytes; `usize::MAX` if it overflows.
pub(crate) const fn encoded_len(len: usize) -> usize {
    // A third of `len`, rounded up. A division would link 180 bytes on processors without a divide instruction.
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

/// Returns the greatest number of bytes that `len` characters can encode. Padding makes it up to 2 fewer.
pub(crate) const fn decoded_len(len: usize) -> usize {
    len / 4 * 3
}

/// Decodes `text` to the front of `out` and returns the number of bytes.
pub(crate) fn decode(text: &[u8], out: &mut [u8]) -> Result<usize, Error> {
    decode_watched(text, out, |_| {})
}

/// Decodes as [`decode`] does. Calls `watch` after each block with all bytes decoded so far.
pub(crate) fn decode_watched(text: &[u8], out: &mut [u8], mut watch: impl FnMut(&[u8])) -> Result<usize, Error> {
    if COMPACT {
        let len = decode_chars(Decoder::once(), text, out)?;
        return if len <= out.len() { Ok(len) } else { Err(Error::BufferTooSmall) };
    }
    // The last block may be padded, and `block64` does not decode padding.
    let blocks = text.len().saturating_sub(1) / block64::CHARS;
    let mut written = 0;
    for block in text.as_chunks().0.iter().take(blocks) {
        let free = out.get_mut(written..).and_then(<[u8]>::first_chunk_mut).ok_or(Error::BufferTooSmall)?;
        block64::decode(block, free)?;
        written += free.len();
        watch(out.get(..written).ok_or(Error::BufferTooSmall)?);
    }
    let rest = text.get(blocks * block64::CHARS..).ok_or(Error::Malformed)?;
    StreamDecoder::default().push(rest, &mut |bytes: &[u8]| append(out, &mut written, bytes))?;
    Ok(written)
}

/// Decodes `text` by `decoder`. Writes the bytes to `out` as far as it is long enough, and returns how many there are.
#[inline(never)] // out of line: inlined, each caller would hold a copy in flash
pub(crate) fn decode_chars(mut decoder: Decoder, text: &[u8], out: &mut [u8]) -> Result<usize, Error> {
    for char in text {
        decoder.push(*char, out)?;
    }
    decoder.finish()
}

/// Decodes the text at `from` in `buf` as [`decode_chars`] does, to the front of `buf`.
fn decode_chars_in_place(mut decoder: Decoder, buf: &mut [u8], from: Range<usize>) -> Result<usize, Error> {
    for at in from {
        let char = *buf.get(at).ok_or(Error::BufferTooSmall)?;
        decoder.push(char, buf)?;
    }
    decoder.finish()
}

/// Decodes unpadded base64 in place and returns the decoded bytes.
#[inline(never)] // out of line: so the compiler drops base64ct's code for incomplete quanta
pub(crate) fn decode_quanta(quanta: &mut [[u8; 4]]) -> Result<&[u8], Error> {
    let (text, malformed) = (quanta.as_flattened_mut(), |_| Error::Malformed);
    if COMPACT {
        let len = decode_chars_in_place(Decoder::once(), text, 0..text.len())?;
        return text.get(..len).ok_or(Error::Malformed);
    }
    let blocks = block64::decode_blocks(text)?;
    let (before, after) = (blocks * block64::BYTES, blocks * block64::CHARS);
    let rest = text.get_mut(after..).ok_or(Error::Malformed)?;
    let len = Base64UrlUnpadded::decode_in_place(rest).map_err(malformed)?.len();
    buffer::move_within(text, after, len, before)?;
    text.get(..before + len).ok_or(Error::Malformed)
}

/// Encodes the first `len` bytes of `buf` in place and returns the number of characters.
pub(crate) fn encode_in_place(buf: &mut [u8], len: usize) -> Result<usize, Error> {
    let text_len = encoded_len(len);
    let (quanta, _) = buf.get_mut(..text_len).ok_or(Error::BufferTooSmall)?.as_chunks_mut::<4>();
    let blocks = if COMPACT { 0 } else { len / block64::BYTES };
    let mut bytes = [0_u8; 3];
    // From the last quantum to the first, so that the longer text overwrites only bytes that were already read.
    for at in (blocks * block64::CHARS / 4..quanta.len()).rev() {
        let source = quanta.as_flattened().iter().take(len).skip(at * 3);
        bytes = [0; 3];
        let used = bytes.iter_mut().zip(source).map(|(slot, byte)| *slot = *byte).count();
        let target = quanta.get_mut(at).ok_or(Error::BufferTooSmall)?;
        Base64Url::encode(&bytes, target).map_err(|_| Error::BufferTooSmall)?;
        target.iter_mut().skip(used + 1).for_each(|char| *char = b'=');
    }
    bytes.zeroize();
    block64::encode_blocks(quanta.as_flattened_mut(), blocks)?;
    Ok(text_len)
}

/// Receives the bytes of a text that is decoded in pieces. It is used as a `dyn`, so that firmware contains one copy of
/// the decoder for all sinks. It is not a `dyn FnMut`, because that vtable contains a `FnOnce` that is never called.
pub(crate) trait Sink {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Error>;
}

impl<F: FnMut(&[u8]) -> Result<(), Error>> Sink for F {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self(bytes)
    }
}

/// Decodes a text that arrives in pieces. The length of each piece must be a multiple of four characters. Only the last
/// piece may be padded.
#[derive(Default)]
pub(crate) struct StreamDecoder {
    /// Whether padding was read. Nothing may follow it.
    ended: bool,
}

impl StreamDecoder {
    /// Decodes one piece and passes its bytes to `sink`.
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
            // Padding is read as zero bits. The bytes that it adds are zero unless the last character has stray bits.
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

/// Decodes a text that was base64-encoded twice and arrives in pieces. The rules of [`StreamDecoder`] apply.
#[derive(Default)]
pub(crate) struct DoubleDecoder {
    outer: StreamDecoder,
    inner: StreamDecoder,
}

impl DoubleDecoder {
    /// Decodes one piece and passes its bytes to `sink`.
    pub(crate) fn push(&mut self, text: &[u8], sink: &mut dyn Sink) -> Result<(), Error> {
        let Self { outer, inner } = self;
        outer.push(text, &mut |text: &[u8]| inner.push(text, sink))
    }

    /// Decodes the text at `from` in `buf` to the front of `buf` and returns the number of bytes.
    #[inline(never)] // out of line: inlined, its buffer would be on the stack while the bytes are decrypted
    pub(crate) fn decode_in_place(mut self, buf: &mut [u8], mut from: Range<usize>) -> Result<usize, Error> {
        if COMPACT {
            return decode_chars_in_place(Decoder::twice(), buf, from);
        }
        let mut written = 0;
        while !from.is_empty() {
            let mut chars = [0_u8; CHARS];
            let step = CHARS.min(from.len());
            let chars = chars.get_mut(..step).ok_or(Error::BufferTooSmall)?;
            chars.copy_from_slice(buf.get(from.start..from.start + step).ok_or(Error::BufferTooSmall)?);
            self.push(chars, &mut |bytes: &[u8]| append(buf, &mut written, bytes))?;
            from.start += step;
        }
        Ok(written)
    }
}

/// Appends `bytes` to the first `written` bytes of `out`, and adds their number to `written`.
pub(crate) fn append(out: &mut [u8], written: &mut usize, bytes: &[u8]) -> Result<(), Error> {
    *written += buffer::copy_to_front(out.get_mut(*written..).ok_or(Error::BufferTooSmall)?, bytes)?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic
mod tests {
    use super::*;

    /// Returns `len` bytes, their text by base64ct, and its length.
    fn texts(len: usize) -> ([u8; 2200], [u8; 2200], usize) {
        let (mut buf, mut wanted) = ([0xa5; 2200], [0xa5; 2200]);
        buf[..len].iter_mut().fold(0_u8, |last, byte| {
            *byte = last.wrapping_mul(77).wrapping_add(41);
            *byte
        });
        let text_len = Base64Url::encode(&buf[..len], &mut wanted).unwrap().len();
        (buf, wanted, text_len)
    }

    #[test]
    fn bytes_of_every_number_are_encoded_and_decoded_as_by_base64ct_and_what_lies_behind_stays() {
        for len in 0..1600 {
            let (bytes, wanted, text_len) = texts(len);
            let mut buf = bytes;
            assert_eq!((encode_in_place(&mut buf, len), encoded_len(len)), (Ok(text_len), text_len));
            assert_eq!(buf, wanted, "{len} bytes");
            let mut out = [0xa5; 2200];
            assert_eq!(decode(&buf[..text_len], &mut out[..len]), Ok(len));
            assert_eq!(out, bytes, "{len} bytes");
        }
    }

    #[test]
    fn a_text_decodes_alike_character_by_character() {
        let (mut taken, mut refused) = (0, 0);
        let mut check = |text: &[u8]| {
            for layers in 1..=2 {
                let (mut wanted, mut written) = ([0xa5; 400], 0);
                let mut sink = |bytes: &[u8]| append(&mut wanted, &mut written, bytes);
                let (decoder, streamed) = match layers {
                    1 => (Decoder::once(), StreamDecoder::default().push(text, &mut sink)),
                    _ => (Decoder::twice(), DoubleDecoder::default().push(text, &mut sink)),
                };
                let streamed = streamed.map(|()| &wanted[..written]);
                let mut found = [0xa5; 400];
                let decoded = decode_chars(decoder, text, &mut found).map(|len| &found[..len]);
                assert_eq!(decoded, streamed, "{layers} layers of {}", text.escape_ascii());
                *(if decoded.is_ok() { &mut taken } else { &mut refused }) += 1;
            }
        };
        for len in 0..100 {
            let (_, mut text, inner_len) = texts(len);
            let outer_len = encode_in_place(&mut text, inner_len).unwrap();
            for cut in 0..=outer_len {
                check(&text[..cut]);
            }
            for at in (0..outer_len).rev().take(24) {
                for char in *b"=+A-_P9\x80" {
                    let mut text = text;
                    text[at] = char;
                    check(&text[..outer_len]);
                }
            }
        }
        assert!(taken > 3000 && refused > 3000, "{taken} taken, {refused} refused");
    }

    #[test]
    fn bytes_that_do_not_fit_are_counted() {
        let mut out = [0xa5; 2];
        assert_eq!(decode_chars(Decoder::once(), b"QUJDREVG", &mut out), Ok(6));
        assert_eq!(out, *b"AB");
    }

    #[test]
    fn nothing_may_follow_padding_wherever_a_piece_ends() {
        for len in (4..=2 * CHARS + 8).step_by(4) {
            let mut text = [b'A'; 2 * CHARS + 12];
            text[len - 1] = b'=';
            let mut pieces = StreamDecoder::default();
            assert_eq!(pieces.push(&text[..len], &mut |_: &[u8]| Ok(())), Ok(()));
            assert_eq!(pieces.push(&text[len..len + 4], &mut |_: &[u8]| Ok(())), Err(Error::Malformed));
            assert_eq!(decode(&text[..len + 4], &mut [0; 2 * CHARS]), Err(Error::Malformed), "{len} characters");
        }
    }

    #[test]
    fn two_layers_of_every_length_are_decoded_onto_themselves() {
        for len in 0..1200 {
            let (bytes, mut buf, inner_len) = texts(len);
            let outer_len = encode_in_place(&mut buf, inner_len).unwrap();
            buf.copy_within(..outer_len, 7);
            assert_eq!(DoubleDecoder::default().decode_in_place(&mut buf, 7..7 + outer_len), Ok(len));
            assert_eq!(buf[..len], bytes[..len], "{len} bytes");
        }
    }

    #[test]
    fn a_character_is_refused_where_base64ct_refuses_it_at_every_length() {
        let (mut taken, mut refused) = (0, 0);
        for len in 1..1600 {
            let (_, text, text_len) = texts(len);
            for at in [0, text_len / 2, text_len - 4, text_len - 3, text_len - 2, text_len - 1] {
                // Padding, characters that are not base64url, and some that leave stray bits at the end.
                for char in *b"=+A-_\x80" {
                    let (mut text, mut out, mut wanted) = (text, [0xa5; 1600], [0xa5; 1600]);
                    text[at] = char;
                    let text = &text[..text_len];
                    let wanted = Base64Url::decode(text, &mut wanted).map_err(|_| Error::Malformed);
                    let decoded = decode(text, &mut out).map(|len| &out[..len]);
                    assert_eq!(decoded, wanted.as_ref().map(|bytes| &**bytes).map_err(|error| *error), "{len}, {at}");
                    *(if decoded.is_ok() { &mut taken } else { &mut refused }) += 1;
                }
            }
        }
        assert!(taken > 1000 && refused > 1000, "{taken} taken, {refused} refused");
    }
}
