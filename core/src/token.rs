//! The `enc:` tokens that replace secrets in a config. Each contains a Fernet token ([`fernet`]) whose key is derived
//! from the master key and a salt ([`kdf`]).
//!
//! - Salted, the form that is written: `enc:` base64url(16-byte salt) `:` base64url(text of the Fernet token).
//! - Legacy, still read: `enc:` base64url(text of the Fernet token). Its salt is [`LEGACY_SALT`].

use core::slice;
use rand_core::TryCryptoRng;

use crate::error::Error;
use crate::fernet;
use crate::kdf::{self, Salt};
use crate::key::{Key, MasterKey};
use crate::{base64, buffer, random};

/// The prefix of every token.
pub const PREFIX: &str = "enc:";

/// The salt of all legacy tokens.
pub const LEGACY_SALT: Salt = *b"proxmox_mcp_salt";

/// The length of a salt in base64url, in characters.
pub(crate) const SALT_TEXT_LEN: usize = 24;

/// Returns whether `text` begins with [`PREFIX`]. [`Token::parse`] tells whether it is a token.
#[must_use]
pub fn is_sealed(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Returns the length in characters of the salted token of a secret of `plain_len` bytes; `usize::MAX` if it overflows.
#[must_use]
pub const fn token_len(plain_len: usize) -> usize {
    base64::encoded_len(fernet::token_len(plain_len)).saturating_add(PREFIX.len() + SALT_TEXT_LEN + 1)
}

/// Returns a buffer length in bytes that is enough to open any token of `token_len` characters.
#[must_use]
pub const fn open_len(token_len: usize) -> usize {
    base64::decoded_len(base64::decoded_len(token_len.saturating_sub(PREFIX.len())))
}

/// The form of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// With its own random salt.
    Salted(Salt),
    /// With [`LEGACY_SALT`], so that all legacy tokens of a master key share one key.
    Legacy,
}

impl Format {
    /// Returns the salted form with a new salt from `rng`.
    ///
    /// # Errors
    /// [`Error::RandomFailed`] if the random source fails.
    pub fn salted<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, Error> {
        let mut salt = Salt::default();
        random::fill(rng, &mut salt)?;
        Ok(Self::Salted(salt))
    }

    /// Returns the salt of the token's key.
    #[must_use]
    pub const fn salt(&self) -> &Salt {
        match self {
            Self::Salted(salt) => salt,
            Self::Legacy => &LEGACY_SALT,
        }
    }
}

/// A token whose structure is valid, including that of the Fernet token inside.
#[derive(Debug, Clone, Copy)]
pub struct Token<'a> {
    format: Format,
    /// The base64url of the Fernet token's text.
    body: &'a [u8],
    /// In Unix seconds, big-endian.
    timestamp: [u8; 8],
}

impl<'a> Token<'a> {
    /// Checks the structure of `text`: its parts, salt, both layers of base64, version and lengths. Needs no key.
    ///
    /// # Errors
    /// [`Error::Malformed`] if `text` is not a token.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        Self::parse_bytes(text.as_bytes())
    }

    pub(crate) fn parse_bytes(text: &'a [u8]) -> Result<Self, Error> {
        let rest = text.strip_prefix(PREFIX.as_bytes()).ok_or(Error::Malformed)?;
        let mut parts = rest.splitn(2, |byte| *byte == b':');
        let (format, body) = match (parts.next(), parts.next()) {
            (Some(salt_text), Some(body)) => {
                let mut salt = Salt::default();
                // Canonical base64 of 16 bytes has 24 characters. A longer text does not fit into `salt`.
                match base64::decode(salt_text, &mut salt) {
                    Ok(16) => (Format::Salted(salt), body),
                    _ => return Err(Error::Malformed),
                }
            }
            _ => (Format::Legacy, rest),
        };
        let mut scan = fernet::Scan::default();
        base64::DoubleDecoder::default().push(body, &mut scan)?;
        let timestamp = scan.finish()?;
        Ok(Self { format, body, timestamp })
    }

    /// Decodes both layers of base64 to the front of `out` and returns the bytes.
    fn decode_body<'o>(&self, out: &'o mut [u8]) -> Result<&'o mut [u8], Error> {
        let mut written = 0;
        base64::DoubleDecoder::default().push(self.body, &mut |raw: &[u8]| base64::append(out, &mut written, raw))?;
        out.get_mut(..written).ok_or(Error::BufferTooSmall)
    }

    /// Returns whether the token was sealed with `key`. Needs no buffer.
    #[cfg(not(feature = "compact"))]
    pub(crate) fn is_sealed_with(&self, key: &Key) -> bool {
        let mut verifier = fernet::Verifier::new(key);
        base64::DoubleDecoder::default().push(self.body, &mut verifier).is_ok() && verifier.finish().is_ok()
    }

    /// Returns the form of the token, including its salt.
    #[must_use]
    pub const fn format(&self) -> &Format {
        &self.format
    }

    /// Returns the salt of the token's key.
    #[must_use]
    pub const fn salt(&self) -> &Salt {
        self.format.salt()
    }

    /// Returns the timestamp of the token in Unix seconds. It is authenticated only by opening the token.
    #[must_use]
    pub const fn timestamp(&self) -> u64 {
        u64::from_be_bytes(self.timestamp)
    }
}

/// Seals `plain` as a salted token and returns it. `now` is the time in Unix seconds. `rng` provides the salt and then
/// the IV. `out` needs [`token_len`] bytes. Costs one derivation.
///
/// # Errors
/// [`Error::KeyShort`] if the master key has fewer than 16 bytes ([`seal_with`] seals with any key);
/// [`Error::BufferTooSmall`] or [`Error::RandomFailed`]. On error, `out` is zeroed.
pub fn seal<'o, R: TryCryptoRng + ?Sized>(
    master: &MasterKey,
    plain: &[u8],
    now: u64,
    rng: &mut R,
    out: &'o mut [u8],
) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        buffer::copy_to_front(out, plain)?;
        seal_in_place(master, &Format::salted(rng)?, plain.len(), now, rng, out)
    })
}

/// Seals `plain` as [`seal`] does, in the legacy form, for readers that do not support the salted form.
///
/// # Errors
/// As [`seal`].
pub fn seal_legacy<'o, R: TryCryptoRng + ?Sized>(
    master: &MasterKey,
    plain: &[u8],
    now: u64,
    rng: &mut R,
    out: &'o mut [u8],
) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        buffer::copy_to_front(out, plain)?;
        seal_in_place(master, &Format::Legacy, plain.len(), now, rng, out)
    })
}

/// Seals `plain` as [`seal`] does, with a `key` that [`kdf`] derived from the salt of `format`. Costs no derivation, and the
/// master key may be of any length.
///
/// # Errors
/// [`Error::BufferTooSmall`] or [`Error::RandomFailed`]; `out` is then zeroed.
pub fn seal_with<'o, R: TryCryptoRng + ?Sized>(
    key: &Key,
    format: &Format,
    plain: &[u8],
    now: u64,
    rng: &mut R,
    out: &'o mut [u8],
) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        buffer::copy_to_front(out, plain)?;
        seal_with_in_place(key, format, plain.len(), now, rng, out)
    })
}

/// Opens `token` and returns the secret. `out` needs [`open_len`] bytes. Costs one derivation.
///
/// # Errors
/// [`Error::Malformed`], [`Error::AuthenticationFailed`] or [`Error::BufferTooSmall`]; `out` is then zeroed.
pub fn open<'o>(master: &MasterKey, token: &str, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
    open_any(slice::from_ref(master), token, out)
}

/// Opens `token` as [`open`] does, with the first of `masters` that sealed it. Costs one derivation for each key that is tried.
///
/// # Errors
/// As [`open`]; [`Error::AuthenticationFailed`] if none sealed it.
pub fn open_any<'o>(masters: &[MasterKey], token: &str, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
    open_by(&mut Opener::new(masters), token, out)
}

/// Opens `token` as [`open`] does, with the `key` that [`kdf`] derived from its salt. Costs no derivation.
///
/// # Errors
/// As [`open`].
pub fn open_with<'o>(key: &Key, token: &str, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
    open_by(&mut &*key, token, out)
}

/// A way to open tokens: with a derived key, or with master keys. It is used as a `dyn`, so that firmware contains one
/// copy of the code that parses and decodes a token.
pub(crate) trait Open {
    /// Opens the Fernet token whose decoded bytes fill `raw`. The secret is then at the front of `raw`; returns its length.
    fn open_raw(&mut self, salt: &Salt, raw: &mut [u8]) -> Result<usize, Error>;
}

/// Opens the token that is the first `len` bytes of `buf`. The secret is then at the front of `buf`; returns its length.
pub(crate) fn open_in_place(opener: &mut dyn Open, len: usize, buf: &mut [u8]) -> Result<usize, Error> {
    let token = Token::parse_bytes(buf.get(..len).ok_or(Error::BufferTooSmall)?)?;
    let (salt, body_len) = (*token.salt(), token.body.len());
    let raw_len = base64::DoubleDecoder::default().decode_in_place(buf, len - body_len..len)?;
    opener.open_raw(&salt, buf.get_mut(..raw_len).ok_or(Error::BufferTooSmall)?)
}

fn open_by<'o>(opener: &mut dyn Open, token: &str, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
    buffer::fill_bytes(out, |out| {
        let parsed = Token::parse(token);
        // Borrowed: moving it out of the result takes 40 bytes of flash and of stack.
        let token = parsed.as_ref().map_err(|error| *error)?;
        opener.open_raw(token.salt(), token.decode_body(out)?)
    })
}

impl Open for &Key {
    fn open_raw(&mut self, _: &Salt, raw: &mut [u8]) -> Result<usize, Error> {
        fernet::open_raw(slice::from_ref(*self), raw)
    }
}

/// Opens tokens with the first of several master keys that sealed them. It keeps the key that it derived last. So the
/// next token costs no derivation if it has the same salt, as all legacy tokens have.
pub(crate) struct Opener<'k> {
    masters: &'k [MasterKey],
    salt: Salt,
    key: Option<Key>,
}

impl<'k> Opener<'k> {
    pub(crate) const fn new(masters: &'k [MasterKey]) -> Self {
        Self { masters, salt: [0; 16], key: None }
    }

    /// Opens a token as [`open_in_place`] does.
    pub(crate) fn open_in_place(&mut self, len: usize, buf: &mut [u8]) -> Result<usize, Error> {
        open_in_place(self, len, buf)
    }

    /// Opens the token with the salt `salt` whose decoded bytes fill `raw`, as `open_in_place` does.
    #[cfg(not(feature = "compact"))]
    pub(crate) fn open_decoded(&mut self, salt: &Salt, raw: &mut [u8]) -> Result<usize, Error> {
        self.open_raw(salt, raw)
    }
}

/// Decodes the token that is the first `len` bytes of `buf` to the front of `buf`. Returns its salt and the decoded bytes.
#[cfg(not(feature = "compact"))]
pub(crate) fn decode_in_place(len: usize, buf: &mut [u8]) -> Result<(Salt, &mut [u8]), Error> {
    let token = Token::parse_bytes(buf.get(..len).ok_or(Error::BufferTooSmall)?)?;
    let (salt, body_len) = (*token.salt(), token.body.len());
    let raw_len = base64::DoubleDecoder::default().decode_in_place(buf, len - body_len..len)?;
    Ok((salt, buf.get_mut(..raw_len).ok_or(Error::BufferTooSmall)?))
}

impl Open for Opener<'_> {
    fn open_raw(&mut self, salt: &Salt, raw: &mut [u8]) -> Result<usize, Error> {
        if self.salt != *salt {
            self.salt = *salt;
            self.key = None;
        }
        let mut masters = self.masters.iter();
        loop {
            if let Some(key) = &self.key {
                // If the key does not match, the token stays unchanged.
                match fernet::open_raw(slice::from_ref(key), raw) {
                    Err(Error::AuthenticationFailed) => {}
                    opened => return opened,
                }
            }
            let master = masters.next().ok_or(Error::AuthenticationFailed)?;
            self.key = Some(kdf::derive(master, salt, kdf::ITERATIONS));
        }
    }
}

/// Seals the first `len` bytes of `buf` in place. The token is then at the front of `buf`; returns its length.
pub(crate) fn seal_in_place<R: TryCryptoRng + ?Sized>(
    master: &MasterKey,
    format: &Format,
    len: usize,
    now: u64,
    rng: &mut R,
    buf: &mut [u8],
) -> Result<usize, Error> {
    if master.is_short() {
        return Err(Error::KeyShort);
    }
    let key = kdf::derive(master, format.salt(), kdf::ITERATIONS);
    seal_with_in_place(&key, format, len, now, rng, buf)
}

/// Seals as [`seal_in_place`] does, with a derived key.
pub(crate) fn seal_with_in_place<R: TryCryptoRng + ?Sized>(
    key: &Key,
    format: &Format,
    len: usize,
    now: u64,
    rng: &mut R,
    buf: &mut [u8],
) -> Result<usize, Error> {
    let text_len = fernet::seal_in_place(key, len, now, rng, buf)?;
    let body_len = base64::encode_in_place(buf, text_len)?;
    let head_len = match format {
        Format::Salted(_) => PREFIX.len() + SALT_TEXT_LEN + 1,
        Format::Legacy => PREFIX.len(),
    };
    let text = buf.get_mut(..head_len + body_len).ok_or(Error::BufferTooSmall)?;
    buffer::move_within(text, 0, body_len, head_len)?;
    buffer::copy_to_front(text, PREFIX.as_bytes())?;
    if let Format::Salted(salt) = format {
        let salt_text = text.get_mut(PREFIX.len()..head_len).ok_or(Error::BufferTooSmall)?;
        let (colon, salt_text) = salt_text.split_last_mut().ok_or(Error::BufferTooSmall)?;
        buffer::copy_to_front(salt_text, salt)?;
        base64::encode_in_place(salt_text, salt.len())?;
        *colon = b':';
    }
    Ok(head_len + body_len)
}
