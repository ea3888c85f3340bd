//! Keys: the master key that a user holds, and the 32-byte key that seals a token.
//!
//! Both are wiped when dropped. `Debug` hides them, they cannot be cloned, and they are compared in constant time only. Key
//! text is base64, decoded without branches or table look-ups that depend on the key.

use core::fmt;
use ctutils::{Choice, CtAssign, CtEq, CtSelect};
use heapless::String;
use rand_core::TryCryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::Error;
use crate::mac::{self, BLOCK_LEN, Suffix};
use crate::sha256::State;
use crate::{base64, random};

/// A master key with fewer bytes than this opens tokens but does not seal.
pub const MIN_SEALING_LEN: usize = 16;

/// The text of a new 32-byte key: 44 characters of base64url. It is wiped when dropped.
pub type KeyText = Zeroizing<String<44>>;

/// The key that the user holds. [`kdf::derive`](crate::kdf::derive) makes the key of each token from it.
///
/// It is stored in the form that HMAC uses (RFC 2104 §2): HMAC pads a key of up to 64 bytes with zeros and hashes a
/// longer one, so a 64-byte block represents a master key of any length. Two keys that differ only in trailing zero
/// bytes are therefore equal.
#[derive(Zeroize, ZeroizeOnDrop)]
#[repr(transparent)]
pub struct MasterKey([u8; BLOCK_LEN]);

impl MasterKey {
    /// Reads the padded base64url text of a master key of one or more bytes.
    ///
    /// ASCII whitespace around the text is ignored, and `+` and `/` are read as `-` and `_`. Bits after the last whole
    /// byte are ignored too, as the Python original ignores them.
    ///
    /// # Errors
    /// [`Error::KeyEmpty`], [`Error::KeyPadding`] or [`Error::KeyCharacter`].
    #[inline(never)] // out of line: inlined, the compiler makes more copies of the returned key
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let mut block = KeyBlock::new();
        decode(text, |bytes| block.push(bytes))?;
        block.finish()?;
        Ok(block.block)
    }

    /// Takes the raw bytes of a master key, one or more.
    ///
    /// # Errors
    /// [`Error::KeyEmpty`] if `bytes` is empty.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Err(Error::KeyEmpty);
        }
        let mut block = KeyBlock::new();
        block.push(bytes);
        block.finish()?;
        Ok(block.block)
    }

    /// Generates a 32-byte master key and returns its text, which is the form that users keep.
    ///
    /// # Errors
    /// [`Error::RandomFailed`] if the random source fails.
    pub fn generate_text<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<KeyText, Error> {
        random_text(rng)
    }

    /// Returns whether the key has fewer than [`MIN_SEALING_LEN`] bytes, not counting trailing zero bytes.
    #[must_use]
    pub fn is_short(&self) -> bool {
        let seen = self.0.iter().skip(MIN_SEALING_LEN - 1).fold(0, |seen, byte| seen | byte);
        seen == 0
    }

    /// Returns the 64-byte block that HMAC uses, for callers that keep the key in a type of their own. It is as secret as the
    /// key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; BLOCK_LEN] {
        &self.0
    }
}

impl CtEq for MasterKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(hidden)")
    }
}

/// A Fernet key: the first 16 bytes sign, the last 16 bytes encrypt (Fernet spec, "Key Format").
#[derive(Zeroize, ZeroizeOnDrop)]
#[repr(transparent)]
pub struct Key([u8; 32]);

impl Key {
    /// A placeholder for a key that is not derived yet.
    pub(crate) const ZERO: Self = Self([0; 32]);

    /// Takes the 32 bytes of a key.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(*bytes)
    }

    /// Takes the digest that is the result of a derivation.
    pub(crate) fn set_digest(&mut self, digest: &State) {
        mac::write(digest, &mut self.0);
    }

    /// Reads the text of a Fernet key: 44 characters of base64url, as leniently as [`MasterKey::from_text`] does.
    ///
    /// # Errors
    /// As [`MasterKey::from_text`]; [`Error::KeyPadding`] also if the text does not encode 32 bytes.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let mut key = Self([0; 32]);
        let mut len = 0_usize;
        decode(text, |bytes| {
            for (slot, byte) in key.0.iter_mut().skip(len).zip(bytes) {
                *slot = *byte;
            }
            len += bytes.len();
        })?;
        if len == 32 { Ok(key) } else { Err(Error::KeyPadding) }
    }

    /// Generates a Fernet key and returns its text.
    ///
    /// # Errors
    /// [`Error::RandomFailed`] if the random source fails.
    pub fn generate_text<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<KeyText, Error> {
        random_text(rng)
    }

    /// Returns the 16 bytes that sign.
    pub(crate) fn signing(&self) -> &[u8; 16] {
        let [signing @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = &self.0;
        signing
    }

    /// Returns the 16 bytes that encrypt.
    pub(crate) fn encrypting(&self) -> &[u8; 16] {
        let [_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, encrypting @ ..] = &self.0;
        encrypting
    }

    /// Returns the bytes of the key, for callers that store a derived key. They are as secret as the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(hidden)")
    }
}

/// Builds the 64-byte block that HMAC uses from a key that arrives in pieces. It pads the key with zeros, or hashes it
/// if it is longer than a block.
struct KeyBlock {
    /// The last block of the key; after `finish`, the result.
    block: MasterKey,
    /// The length of the key so far, in bytes.
    len: usize,
    /// The hash state after all blocks before the last one.
    state: Zeroizing<State>,
}

impl KeyBlock {
    fn new() -> Self {
        Self { block: MasterKey([0; BLOCK_LEN]), len: 0, state: Zeroizing::new(mac::INITIAL) }
    }

    fn push(&mut self, bytes: &[u8]) {
        mac::absorb(&mut self.state, &mut self.block.0, &mut self.len, bytes);
    }

    /// Pads or hashes the key. The error cannot occur; it replaces a panic path, which firmware must not contain.
    fn finish(&mut self) -> Result<(), Error> {
        let before = mac::len_before_last_block(self.len);
        if before > 0 {
            let last = self.block.0.get(..self.len - before).ok_or(Error::BufferTooSmall)?;
            let digest = Zeroizing::new(mac::hash(&self.state, before, last, Suffix::None));
            self.block.0.fill(0);
            mac::write(&digest, self.block.0.first_chunk_mut().ok_or(Error::BufferTooSmall)?);
        }
        Ok(())
    }
}

/// Decodes key text four characters at a time and passes the bytes to `sink`.
///
/// Its running time depends on the length of the text and on the validity of its characters, not on their values.
fn decode(text: &str, mut sink: impl FnMut(&[u8])) -> Result<(), Error> {
    let text = text.trim_ascii().as_bytes();
    let mut unpadded = text;
    while let [rest @ .., b'='] = unpadded {
        unpadded = rest;
    }
    if unpadded.is_empty() {
        return Err(Error::KeyEmpty);
    }
    // A wrong length is reported before the last whole quantum is decoded, because that quantum may be cut off.
    let (quanta, extra) = text.as_chunks::<4>();
    let judged = if extra.is_empty() { quanta.len() } else { quanta.len().saturating_sub(1) };
    let mut chars = Zeroizing::new([[0; 4]]);
    for quantum in unpadded.chunks(4).take(judged) {
        // Missing characters are read as zero bits.
        *chars = [[b'A'; 4]];
        for (slot, char) in chars.as_flattened_mut().iter_mut().zip(quantum) {
            *slot = char.ct_select(&b'-', char.ct_eq(&b'+'));
            slot.ct_assign(&b'_', char.ct_eq(&b'/'));
        }
        let wrong = |_| if quantum.contains(&b'=') { Error::KeyPadding } else { Error::KeyCharacter };
        let bytes = base64::decode_quanta(&mut *chars).map_err(wrong)?;
        sink(bytes.get(..quantum.len() - 1).ok_or(Error::KeyPadding)?);
    }
    if extra.is_empty() && text.len() - unpadded.len() < 3 { Ok(()) } else { Err(Error::KeyPadding) }
}

fn random_text<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<KeyText, Error> {
    let mut text = Zeroizing::new([0_u8; 44]);
    random::fill(rng, text.split_at_mut(32).0)?;
    base64::encode_in_place(text.as_mut(), 32)?;
    let text = core::str::from_utf8(text.as_ref()).map_err(|_| Error::NotUtf8)?;
    let mut key = KeyText::default();
    key.push_str(text).map_err(|_| Error::BufferTooSmall)?;
    Ok(key)
}
