//! Keys: the master key that a user holds, and the 32-byte key that a token is sealed with.
//! Both are wiped when dropped, are hidden by `Debug`, and can be neither cloned nor compared.
//! Key text is base64; it is decoded without branches or look-ups that depend on it.

use core::fmt;
use ctutils::{Choice, CtAssign, CtEq, CtSelect};
use heapless::String;
use rand_core::TryCryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::mac::{self, BLOCK_LEN, State, Suffix};
use crate::{Error, base64, kdf, random};

/// A key with fewer bytes than this opens but never seals.
pub const MIN_SEALING_LEN: usize = 16;

/// The text of a new 32-byte key: 44 characters, wiped when dropped.
pub type KeyText = Zeroizing<String<44>>;

/// The key that the user holds, from which [`kdf::derive`] makes the key of each token.
///
/// HMAC pads a key of up to 64 bytes with zeros and hashes a longer one, so one 64-byte block
/// stands for a master key of any length. Trailing zero bytes therefore do not count.
#[derive(Zeroize, ZeroizeOnDrop)]
#[repr(transparent)]
pub struct MasterKey([u8; BLOCK_LEN]);

impl MasterKey {
    /// Reads the base64url text of a master key of any length from one byte up.
    ///
    /// ASCII white space around the text is ignored, and `+ /` are taken for `- _`.
    /// Stray bits after the last whole byte are ignored, as the Python original ignores them.
    ///
    /// # Errors
    /// [`Error::KeyEmpty`], [`Error::KeyPadding`] or [`Error::KeyCharacter`].
    #[inline(never)] // else the compiler makes much of the copies of a key that is returned
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let mut block = KeyBlock::new();
        decode(text, |bytes| block.push(bytes))?;
        block.finish();
        Ok(block.block)
    }

    /// Takes the raw bytes of a master key, of any length from one up.
    ///
    /// # Errors
    /// [`Error::KeyEmpty`] if there are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Err(Error::KeyEmpty);
        }
        let mut block = KeyBlock::new();
        block.push(bytes);
        block.finish();
        Ok(block.block)
    }

    /// Makes a new 32-byte master key and returns its text, the form in which it is kept.
    ///
    /// # Errors
    /// [`Error::RandomFailed`] if the random source fails.
    pub fn generate<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<KeyText, Error> {
        generate_text(rng)
    }

    /// The key's short public name. Costs one derivation.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId::from_derived(&kdf::derive(self, KeyId::LABEL, kdf::ITERATIONS))
    }

    /// Whether the key has fewer than [`MIN_SEALING_LEN`] bytes (trailing zero bytes do not count).
    #[must_use]
    pub fn is_short(&self) -> bool {
        let seen = self.0.iter().skip(MIN_SEALING_LEN - 1).fold(0, |seen, byte| seen | byte);
        seen == 0
    }

    /// The key as HMAC uses it: for a caller that keeps it in a form of its own. As secret as the key.
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

/// A Fernet key: the first 16 bytes sign, the last 16 encrypt (fernet/spec, "Key Format").
#[derive(Zeroize, ZeroizeOnDrop)]
#[repr(transparent)]
pub struct Key([u8; 32]);

impl Key {
    /// Room for a key that is yet to be derived.
    #[cfg(not(feature = "compact"))]
    pub(crate) const ZERO: Self = Self([0; 32]);

    /// Takes 32 bytes as they are.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(*bytes)
    }

    /// Takes the digest that a derivation comes to.
    pub(crate) fn from_digest(digest: &State) -> Self {
        let mut key = Self([0; 32]);
        mac::write(digest, &mut key.0);
        key
    }

    /// Reads a Fernet key's text: 44 characters of base64url, with the liberties of [`MasterKey::from_text`].
    ///
    /// # Errors
    /// As [`MasterKey::from_text`]; [`Error::KeyPadding`] also if the text does not stand for 32 bytes.
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

    /// Makes a new Fernet key and returns its text.
    ///
    /// # Errors
    /// [`Error::RandomFailed`] if the random source fails.
    pub fn generate<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<KeyText, Error> {
        generate_text(rng)
    }

    /// The 16 bytes that sign.
    pub(crate) fn signing(&self) -> &[u8] {
        self.0.split_at(16).0
    }

    /// The 16 bytes that encrypt.
    pub(crate) fn encrypting(&self) -> &[u8] {
        self.0.split_at(16).1
    }

    /// The key's bytes: for a caller that stores a derived key. They are as secret as the key.
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

/// A master key's public name: four bytes in hex.
///
/// It is the start of a derivation over a fixed label at the full cost, so that whoever knows the
/// name is no faster at guessing the key than whoever holds a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// The salt of the derivation that names a key. Not 16 bytes long, so it is no token's salt.
    pub const LABEL: &'static [u8] = b"fernseal master key id";

    /// The name, from the key derived with [`KeyId::LABEL`]: for a caller that derives many at once.
    #[must_use]
    pub fn from_derived(key: &Key) -> Self {
        let [a, b, c, d, ..] = key.0;
        Self([a, b, c, d])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Brings a key that arrives in pieces to the width of HMAC's block: fills it up with zeros, or hashes it if it is longer.
struct KeyBlock {
    /// The last block of the key, and in the end the result.
    block: MasterKey,
    /// The length of the key so far, in bytes.
    len: usize,
    /// The state of SHA-256 after the blocks before.
    state: Zeroizing<State>,
}

impl KeyBlock {
    fn new() -> Self {
        Self { block: MasterKey([0; BLOCK_LEN]), len: 0, state: Zeroizing::new(mac::INITIAL) }
    }

    fn push(&mut self, bytes: &[u8]) {
        mac::absorb(&mut self.state, &mut self.block.0, &mut self.len, bytes);
    }

    fn finish(&mut self) {
        let whole = self.len.saturating_sub(1) / BLOCK_LEN * BLOCK_LEN;
        if whole > 0 {
            let last = self.block.0.get(..self.len - whole).unwrap_or_default();
            let digest = Zeroizing::new(mac::hash(&self.state, whole, last, Suffix::None));
            self.block.0.fill(0);
            if let Some(front) = self.block.0.first_chunk_mut() {
                mac::write(&digest, front);
            }
        }
    }
}

/// Decodes key text four characters at a time and hands on the bytes.
///
/// The only branches on the text are those that its length and the validity of its characters decide.
fn decode(text: &str, mut sink: impl FnMut(&[u8])) -> Result<(), Error> {
    let text = text.trim_ascii().as_bytes();
    let mut unpadded = text;
    while let [rest @ .., b'='] = unpadded {
        unpadded = rest;
    }
    if unpadded.is_empty() {
        return Err(Error::KeyEmpty);
    }
    // If the length is wrong, that is said before the last whole quantum is looked at.
    let (quanta, extra) = text.as_chunks::<4>();
    let judged = if extra.is_empty() { quanta.len() } else { quanta.len().saturating_sub(1) };
    let mut chars = Zeroizing::new([[0; 4]]);
    for quantum in unpadded.chunks(4).take(judged) {
        // What is missing is taken for zeros.
        *chars = [[b'A'; 4]];
        for (slot, char) in chars.as_flattened_mut().iter_mut().zip(quantum) {
            *slot = char.ct_select(&b'-', char.ct_eq(&b'+'));
            slot.ct_assign(&b'_', char.ct_eq(&b'/'));
        }
        let wrong = |_| if quantum.contains(&b'=') { Error::KeyPadding } else { Error::KeyCharacter };
        let bytes = base64::decode_quanta(&mut *chars).map_err(wrong)?;
        sink(bytes.get(..quantum.len() - 1).unwrap_or_default());
    }
    if extra.is_empty() && text.len() - unpadded.len() < 3 { Ok(()) } else { Err(Error::KeyPadding) }
}

fn generate_text<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<KeyText, Error> {
    let mut text = Zeroizing::new([0_u8; 44]);
    random::fill(rng, text.split_at_mut(32).0)?;
    base64::encode_in_place(text.as_mut(), 32)?;
    let text = core::str::from_utf8(text.as_ref()).map_err(|_| Error::NotText)?;
    let mut key = KeyText::default();
    key.push_str(text).map_err(|_| Error::BufferTooSmall)?;
    Ok(key)
}
