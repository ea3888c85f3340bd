//! Base64url as tokens want it: canonical, padded, nothing else.
//! base64ct does the characters; here are what it lacks: encoding in place, and decoding piece by piece,
//! which checks a text without a buffer for it.

use base64ct::{Base64Url, Encoding};
use zeroize::Zeroize;

use crate::{Error, buffer};

/// Characters that a piecewise step takes, and the bytes they stand for.
const CHARS: usize = 64;
const BYTES: usize = 48;

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
    Pieces::default().push(text.as_bytes(), |bytes| put_at(out, &mut written, bytes))?;
    Ok(written)
}

/// Encodes the first `len` bytes of `buf` onto itself and says how many characters it wrote.
pub(crate) fn encode_in_place(buf: &mut [u8], len: usize) -> Result<usize, Error> {
    let text_len = encoded_len(len);
    let buf = buf.get_mut(..text_len).ok_or(Error::BufferTooSmall)?;
    // With the bytes at the end, the text that grows from the front never overtakes them.
    let start = text_len.checked_sub(len).ok_or(Error::BufferTooSmall)?;
    buffer::slide(buf, 0, len, start)?;
    let mut bytes = [0_u8; BYTES];
    let (mut read, mut written) = (start, 0);
    while read < text_len {
        let step = BYTES.min(text_len - read);
        let source = buf.get(read..read + step).ok_or(Error::BufferTooSmall)?;
        let bytes = bytes.get_mut(..step).ok_or(Error::BufferTooSmall)?;
        bytes.copy_from_slice(source);
        let target = buf.get_mut(written..).ok_or(Error::BufferTooSmall)?;
        written += Base64Url::encode(bytes, target).map_err(|_| Error::BufferTooSmall)?.len();
        read += step;
    }
    bytes.zeroize();
    Ok(written)
}

/// Decodes a text that arrives in pieces, without a buffer for the whole.
/// Every piece must have a multiple of four characters, and only the last may be padded.
#[derive(Default)]
pub(crate) struct Pieces {
    ended: bool,
}

impl Pieces {
    /// Decodes one piece and hands on its bytes, at most 48 at a time.
    pub(crate) fn push(&mut self, text: &[u8], mut sink: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let mut bytes = [0_u8; BYTES];
        for chars in text.chunks(CHARS) {
            if self.ended {
                return Err(Error::Malformed);
            }
            let bytes = Base64Url::decode(chars, &mut bytes).map_err(|_| Error::Malformed)?;
            self.ended = bytes.len() < decoded_len(chars.len());
            sink(bytes)?;
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
    /// Decodes one piece and hands on its bytes, at most 48 at a time.
    pub(crate) fn push(&mut self, text: &[u8], mut sink: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let Self { outer, inner } = self;
        outer.push(text, |text| inner.push(text, &mut sink))
    }

    /// Decodes `buf` onto itself and says how many bytes it wrote.
    pub(crate) fn decode_in_place(mut self, buf: &mut [u8]) -> Result<usize, Error> {
        let (mut read, mut written) = (0, 0);
        while read < buf.len() {
            let mut chars = [0_u8; CHARS];
            let step = CHARS.min(buf.len() - read);
            let chars = chars.get_mut(..step).ok_or(Error::BufferTooSmall)?;
            chars.copy_from_slice(buf.get(read..read + step).ok_or(Error::BufferTooSmall)?);
            self.push(chars, |bytes| put_at(buf, &mut written, bytes))?;
            read += step;
        }
        Ok(written)
    }
}

/// Appends `bytes` to the `written` first of `out`.
pub(crate) fn put_at(out: &mut [u8], written: &mut usize, bytes: &[u8]) -> Result<(), Error> {
    *written += buffer::put(out.get_mut(*written..).ok_or(Error::BufferTooSmall)?, bytes)?;
    Ok(())
}
