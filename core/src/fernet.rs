//! Fernet tokens, spec version 0x80 (fernet/spec, `Spec.md`): AES-128-CBC under HMAC-SHA256.
//! `0x80 ‖ seconds (u64, big-endian) ‖ IV (16) ‖ ciphertext (PKCS #7) ‖ MAC (32)`, in padded base64url.
//! Time is an argument, randomness a trait; opening checks structure, MAC, freshness, and decrypts last.

use aes::Aes128;
use aes::cipher::array::Array;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use rand_core::TryCryptoRng;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{Error, Key, base64, buffer};

/// The lengths of the fields, in bytes, in the order in which they lie.
mod field {
    pub(super) const VERSION: u8 = 0x80;
    pub(super) const HEAD: usize = 1 + 8 + IV;
    pub(super) const IV: usize = 16;
    pub(super) const BLOCK: usize = 16;
    pub(super) const MAC: usize = 32;
}

/// How far a token's timestamp may lie in the future, in seconds: clocks differ.
pub const MAX_CLOCK_SKEW: u64 = 60;

/// Whether a token's timestamp is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Any timestamp will do.
    Any,
    /// Refuse a token older than `ttl` seconds, or from more than [`MAX_CLOCK_SKEW`] seconds in the future.
    Within {
        /// The present, in Unix seconds.
        now: u64,
        /// The greatest age, in seconds.
        ttl: u64,
    },
}

impl Freshness {
    fn accepts(self, timestamp: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Within { now, ttl } => {
                timestamp.saturating_add(ttl) >= now && now.saturating_add(MAX_CLOCK_SKEW) >= timestamp
            }
        }
    }
}

/// The length of the token of a secret of `plain_len` bytes, in characters; `usize::MAX` if that does not fit.
#[must_use]
pub const fn token_len(plain_len: usize) -> usize {
    base64::encoded_len(raw_len(plain_len))
}

/// A buffer length, in bytes, that opens any token of `token_len` characters.
#[must_use]
pub const fn open_len(token_len: usize) -> usize {
    base64::decoded_len(token_len)
}

/// The length of the token before base64; `usize::MAX` if that does not fit.
const fn raw_len(plain_len: usize) -> usize {
    (plain_len / field::BLOCK * field::BLOCK).saturating_add(field::HEAD + field::BLOCK + field::MAC)
}

/// Seals `plain` under `key` at `now` (Unix seconds), with an IV from `rng`, into [`token_len`] bytes of `out`.
///
/// # Errors
/// [`Error::BufferTooSmall`], [`Error::RandomFailed`]; `out` is zeroed then.
pub fn seal<'o, R: TryCryptoRng + ?Sized>(
    key: &Key,
    plain: &[u8],
    now: u64,
    rng: &mut R,
    out: &'o mut [u8],
) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        buffer::put(out, plain)?;
        seal_in_place(key, plain.len(), now, rng, out)
    })
}

/// Opens `token` with `key`, into [`open_len`] bytes of `out`, and returns the secret.
///
/// # Errors
/// [`Error::Malformed`], [`Error::Unauthentic`], [`Error::Expired`], [`Error::BufferTooSmall`]; `out` is zeroed then.
pub fn open<'o>(key: &Key, token: &str, freshness: Freshness, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
    open_any(core::slice::from_ref(key), token, freshness, out)
}

/// As [`open`], with the first of several keys that fits.
///
/// # Errors
/// As [`open`]; [`Error::Unauthentic`] if no key fits.
pub fn open_any<'o>(keys: &[Key], token: &str, freshness: Freshness, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
    buffer::fill_bytes(out, |out| {
        let len = base64::decode(token, out)?;
        open_raw(keys, freshness, out.get_mut(..len).ok_or(Error::BufferTooSmall)?).map(|(len, _)| len)
    })
}

/// Seals the secret of `token` anew: opened with any of `keys`, sealed with the first, the timestamp kept.
/// `out` takes [`token_len`] of the secret's length; the old token's length is always enough.
///
/// # Errors
/// As [`open`] and [`seal`]; [`Error::Unauthentic`] if no key fits.
pub fn rotate<'o, R: TryCryptoRng + ?Sized>(
    keys: &[Key],
    token: &str,
    rng: &mut R,
    out: &'o mut [u8],
) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        let first = keys.first().ok_or(Error::Unauthentic)?;
        let len = base64::decode(token, out)?;
        let raw = out.get_mut(..len).ok_or(Error::BufferTooSmall)?;
        let (plain_len, timestamp) = open_raw(keys, Freshness::Any, raw)?;
        seal_in_place(first, plain_len, timestamp, rng, out)
    })
}

/// The time at which `token` says that it was sealed, in Unix seconds. Nothing proves it: see [`verified_timestamp`].
///
/// # Errors
/// [`Error::Malformed`].
pub fn timestamp(token: &str) -> Result<u64, Error> {
    let mut scan = Scan::default();
    let mut pieces = base64::Pieces::default();
    pieces.push(token.as_bytes(), |bytes| {
        scan.push(bytes);
        Ok(())
    })?;
    pieces.finish().and(scan.finish())
}

/// The time at which `token` was sealed, in Unix seconds, once its MAC has been checked with `key`.
///
/// # Errors
/// [`Error::Malformed`], [`Error::Unauthentic`].
pub fn verified_timestamp(key: &Key, token: &str) -> Result<u64, Error> {
    let timestamp = timestamp(token)?;
    let mut scan = MacScan { mac: mac(key)?, tail: [0; field::MAC], len: 0 };
    base64::Pieces::default().push(token.as_bytes(), |bytes| {
        scan.push(bytes);
        Ok(())
    })?;
    scan.mac.verify_slice(&scan.tail).map(|()| timestamp).map_err(|_| Error::Unauthentic)
}

/// Seals the first `len` bytes of `buf` onto themselves; says how many characters the token has.
pub(crate) fn seal_in_place<R: TryCryptoRng + ?Sized>(
    key: &Key,
    len: usize,
    now: u64,
    rng: &mut R,
    buf: &mut [u8],
) -> Result<usize, Error> {
    let raw_len = raw_len(len);
    let raw = buf.get_mut(..raw_len).ok_or(Error::BufferTooSmall)?;
    buffer::shift(raw, 0, field::HEAD, len)?;
    let (signed, tag) = raw.split_at_mut_checked(raw_len - field::MAC).ok_or(Error::BufferTooSmall)?;
    let (head, body) = signed.split_first_chunk_mut::<{ field::HEAD }>().ok_or(Error::BufferTooSmall)?;
    let (version, rest) = head.split_at_mut(1);
    let (seconds, iv) = rest.split_at_mut(8);
    version.fill(field::VERSION);
    seconds.copy_from_slice(&now.to_be_bytes());
    rng.try_fill_bytes(iv).map_err(|_| Error::RandomFailed)?;
    let padding = u8::try_from(body.len() - len).map_err(|_| Error::BufferTooSmall)?;
    body.iter_mut().skip(len).for_each(|byte| *byte = padding);
    let (blocks, _) = Array::slice_as_chunks_mut(body);
    cbc::Encryptor::<Aes128>::new_from_slices(key.encrypting(), iv)
        .map_err(|_| Error::Malformed)?
        .encrypt_blocks(blocks);
    tag.copy_from_slice(&tag_of(key, signed)?);
    base64::encode_in_place(buf, raw_len)
}

/// Opens the token (base64 taken off) that fills `raw`; leaves the secret at its front and says how long it is,
/// and when it was sealed.
pub(crate) fn open_raw(keys: &[Key], freshness: Freshness, raw: &mut [u8]) -> Result<(usize, u64), Error> {
    let timestamp = structure(raw.len(), raw.first_chunk().ok_or(Error::Malformed)?)?;
    let (signed, tag) = raw.split_last_chunk_mut::<{ field::MAC }>().ok_or(Error::Malformed)?;
    let key =
        keys.iter().find(|key| tag_of(key, signed).is_ok_and(|own| own.ct_eq(tag).into())).ok_or(Error::Unauthentic)?;
    if !freshness.accepts(timestamp) {
        return Err(Error::Expired);
    }
    let (head, body) = signed.split_first_chunk_mut::<{ field::HEAD }>().ok_or(Error::Malformed)?;
    let iv = head.last_chunk::<{ field::IV }>().ok_or(Error::Malformed)?;
    let mut cbc = cbc::Decryptor::<Aes128>::new_from_slices(key.encrypting(), iv).map_err(|_| Error::Malformed)?;
    // Not decrypt_padded, which has a panic path.
    let (blocks, _) = Array::slice_as_chunks_mut(body);
    if cfg!(target_os = "none") {
        // One by one leaves out the code for several at once, 2 KiB on a microcontroller.
        blocks.iter_mut().for_each(|block| cbc.decrypt_block(block));
    } else {
        cbc.decrypt_blocks(blocks);
    }
    let (last, full) = blocks.split_last().ok_or(Error::Malformed)?;
    // Wrong padding under a right MAC: the sealer was broken. It is refused in the words of a wrong key.
    let rest = unpadded_len(last).ok_or(Error::Unauthentic)?;
    let len = full.len() * field::BLOCK + rest;
    buffer::shift(raw, field::HEAD, 0, len)?;
    Ok((len, timestamp))
}

/// How many bytes of the last block are not padding (PKCS #7, RFC 5652 section 6.3).
fn unpadded_len(block: &[u8]) -> Option<usize> {
    let padding = *block.last()?;
    let len = block.len().checked_sub(padding.into()).filter(|_| padding > 0)?;
    if block.iter().skip(len).all(|byte| *byte == padding) { Some(len) } else { None }
}

/// The MAC over all that stands before it.
#[inline(never)] // once, for sealing and opening
fn tag_of(key: &Key, signed: &[u8]) -> Result<[u8; field::MAC], Error> {
    Ok(mac(key)?.chain_update(signed).finalize().into_bytes().into())
}

fn mac(key: &Key) -> Result<Hmac<Sha256>, Error> {
    Hmac::new_from_slice(key.signing()).map_err(|_| Error::Malformed)
}

/// Checks what can be told from the length and the first nine bytes, and returns the timestamp.
fn structure(raw_len: usize, head: &[u8; 9]) -> Result<u64, Error> {
    let [version, timestamp @ ..] = *head;
    let body = raw_len.checked_sub(field::HEAD + field::MAC).ok_or(Error::Malformed)?;
    if version == field::VERSION && body > 0 && body % field::BLOCK == 0 {
        Ok(u64::from_be_bytes(timestamp))
    } else {
        Err(Error::Malformed)
    }
}

/// Looks at the structure of a token that passes by in pieces.
#[derive(Default)]
pub(crate) struct Scan {
    head: [u8; 9],
    len: usize,
}

impl Scan {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(slot) = self.head.get_mut(self.len) {
                *slot = *byte;
            }
            self.len += 1;
        }
    }

    pub(crate) fn finish(&self) -> Result<u64, Error> {
        structure(self.len, &self.head)
    }
}

/// Works out the MAC of a token that passes by in pieces. Whether the last bytes seen are the tag is known at the end.
struct MacScan {
    mac: Hmac<Sha256>,
    tail: [u8; field::MAC],
    len: usize,
}

impl MacScan {
    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let [oldest, ..] = self.tail;
            if self.len >= field::MAC {
                self.mac.update(&[oldest]);
            }
            self.tail.rotate_left(1);
            let [.., newest] = &mut self.tail;
            *newest = *byte;
            self.len += 1;
        }
    }
}
