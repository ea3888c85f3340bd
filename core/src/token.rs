//! The `enc:` tokens that replace secrets in a config. Each contains a Fernet token ([`fernet`]) whose key is derived
//! from the master key and a salt ([`kdf`]).
//!
//! - Salted, the form that is written: `enc:` base64url(16-byte salt) `:` base64url(text of the Fernet token).
//! - Legacy, still read: `enc:` base64url(text of the Fernet token). Its salt is [`LEGACY_SALT`].

use core::num::NonZeroU32;
use core::slice;

use rand_core::TryCryptoRng;

use crate::compact::COMPACT;
use crate::error::Error;
use crate::fernet;
use crate::kdf::{self, AtOnce, Derivation, Job, Pace, Salt};
use crate::key::{Key, MasterKey};
use crate::{base64, buffer, random};

/// The prefix of every token.
pub const PREFIX: &str = "enc:";

/// The salt of all legacy tokens.
pub const LEGACY_SALT: Salt = *b"proxmox_mcp_salt";

/// The length of a salt in base64url, in characters.
const SALT_TEXT_LEN: usize = 24;

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

/// Returns how many of `bytes`, which begin with [`PREFIX`] in any case, belong to the structure of a token: a salt and its
/// colon, if the first part can be a salt, and a body. For a text of which a token is only a part.
pub(crate) fn extent(bytes: &[u8]) -> usize {
    let part = |from: usize| {
        let rest = bytes.get(from..).unwrap_or(&[]);
        let word = rest.iter().take_while(|byte| is_word(**byte)).count();
        word + rest.iter().skip(word).take(2).take_while(|byte| **byte == b'=').count()
    };
    let first = part(PREFIX.len());
    let end = PREFIX.len() + first;
    if first == SALT_TEXT_LEN && bytes.get(end) == Some(&b':') { end + 1 + part(end + 1) } else { end }
}

/// Returns whether a token can contain `byte`. It can also contain `=` and `:`.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
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

    /// Returns the parameters of the token's key.
    #[must_use]
    #[inline]
    pub const fn key_params(&self) -> KeyParams<'_> {
        match self {
            Self::Salted(salt) => KeyParams { salt, cost: Cost::Standard },
            Self::Legacy => KeyParams { salt: &LEGACY_SALT, cost: Cost::Standard },
        }
    }
}

/// The parameters of a token's key: everything that it is derived from, except the master key. Two tokens of one master
/// key have the same key exactly if their parameters are equal. So code that keeps or counts derived keys must compare
/// the whole value, not only the salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyParams<'a> {
    /// The salt.
    pub salt: &'a Salt,
    /// How much work the derivation takes.
    pub cost: Cost,
}

impl<'a> KeyParams<'a> {
    /// Derives the key from `master`.
    #[must_use]
    #[inline]
    pub fn derive(self, master: &MasterKey) -> Key {
        kdf::derive(master, self.salt, self.cost.iterations())
    }

    /// Derives the key from `master` in slices, and writes it to `out`.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if `pace` cancels. `out` is then unchanged.
    #[inline]
    pub fn derive_in_slices(self, master: &MasterKey, pace: &dyn Pace, out: &mut Key) -> Result<(), Error> {
        kdf::derive_in_slices(master, self.salt, self.cost.iterations(), pace, out)
    }

    /// Starts to derive the key from `master` in slices.
    #[must_use]
    #[inline]
    pub fn start(self, master: &MasterKey) -> Derivation {
        Derivation::new(master, self.salt, self.cost.iterations())
    }

    /// Returns the job that derives the key from `master`, for [`kdf::derive_many`].
    #[must_use]
    pub const fn job(self, master: &'a MasterKey) -> Job<'a> {
        Job { master, salt: self.salt, iterations: self.cost.iterations() }
    }
}

/// The iteration counts of all forms. Each is a variant, not a number in [`KeyParams`]: as long as there is only one, it
/// takes no memory and no code, of which firmware has little.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cost {
    /// 100 000 iterations: the salted and the legacy form.
    Standard,
    /// Another count, for the tests of caches.
    #[cfg(test)]
    Trial,
}

impl Cost {
    /// Returns the iteration count.
    #[must_use]
    #[inline]
    pub const fn iterations(self) -> NonZeroU32 {
        match self {
            Self::Standard => const { NonZeroU32::new(kdf::iterations(100_000)).unwrap() },
            #[cfg(test)]
            Self::Trial => const { NonZeroU32::new(10).unwrap() },
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

    #[inline]
    pub(crate) fn parse_bytes(text: &'a [u8]) -> Result<Self, Error> {
        let mut token = Self { format: Format::Legacy, body: &[], timestamp: [0; 8] };
        token.read(text)?;
        Ok(token)
    }

    /// Becomes the token `text`.
    fn read(&mut self, text: &'a [u8]) -> Result<(), Error> {
        let rest = text.strip_prefix(PREFIX.as_bytes()).ok_or(Error::Malformed)?;
        self.body = rest;
        if let Some((salt_text, [b':', body @ ..])) = rest.split_at_checked(SALT_TEXT_LEN) {
            self.body = body;
            self.format = Format::Salted(Salt::default());
            if let Format::Salted(salt) = &mut self.format {
                // 24 characters may also be the base64 of 17 or 18 bytes.
                if base64::decode(salt_text, salt) != Ok(salt.len()) {
                    return Err(Error::Malformed);
                }
            }
        }
        self.timestamp = if COMPACT {
            let mut head = [0; 9];
            let len = base64::decode_chars(base64::Decoder::twice(), self.body, &mut head)?;
            fernet::structure(len, &head)?
        } else {
            let mut scan = fernet::Scan::default();
            base64::DoubleDecoder::default().push(self.body, &mut scan)?;
            scan.finish()?
        };
        Ok(())
    }

    /// Decodes both layers of base64 to the front of `out` and returns the bytes.
    fn decode_body<'o>(&self, out: &'o mut [u8]) -> Result<&'o mut [u8], Error> {
        let mut written = 0;
        if COMPACT {
            written = base64::decode_chars(base64::Decoder::twice(), self.body, out)?;
        } else {
            let append = &mut |raw: &[u8]| base64::append(out, &mut written, raw);
            base64::DoubleDecoder::default().push(self.body, append)?;
        }
        out.get_mut(..written).ok_or(Error::BufferTooSmall)
    }

    /// Opens the token. The secret is then at the front of `out`; returns its length.
    #[inline(never)] // out of line: it has two callers
    fn open(&self, key: &Key, out: &mut [u8]) -> Result<usize, Error> {
        fernet::open_raw(key, self.decode_body(out)?)
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

    /// Returns the parameters of the token's key.
    #[must_use]
    #[inline]
    pub const fn key_params(&self) -> KeyParams<'_> {
        self.format.key_params()
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
    seal_in_slices(master, plain, now, rng, &AtOnce, out)
}

/// Seals `plain` as [`seal`] does, with a derivation in slices.
///
/// # Errors
/// As [`seal`], and [`Error::Cancelled`].
pub fn seal_in_slices<'o, R: TryCryptoRng + ?Sized>(
    master: &MasterKey,
    plain: &[u8],
    now: u64,
    rng: &mut R,
    pace: &dyn Pace,
    out: &'o mut [u8],
) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        buffer::copy_to_front(out, plain)?;
        seal_in_place(master, &Format::salted(rng)?, plain.len(), now, rng, pace, out)
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
        seal_in_place(master, &Format::Legacy, plain.len(), now, rng, &AtOnce, out)
    })
}

/// Seals `plain` as [`seal`] does, with the `key` that the parameters of `format` give. Costs no derivation, and the
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
    open_any_in_slices(masters, token, &AtOnce, out)
}

/// Opens `token` as [`open_any`] does, with derivations in slices.
///
/// # Errors
/// As [`open_any`], and [`Error::Cancelled`].
pub fn open_any_in_slices<'o>(
    masters: &[MasterKey],
    token: &str,
    pace: &dyn Pace,
    out: &'o mut [u8],
) -> Result<&'o [u8], Error> {
    open_by(token, out, |token, out| {
        let mut key = Key::ZERO;
        for master in masters {
            token.key_params().derive_in_slices(master, pace, &mut key)?;
            match token.open(&key, out) {
                Err(Error::AuthenticationFailed) => {}
                opened => return opened,
            }
        }
        Err(Error::AuthenticationFailed)
    })
}

/// Opens `token` as [`open`] does, with the `key` that [`Token::key_params`] gives. Costs no derivation.
///
/// # Errors
/// As [`open`].
pub fn open_with<'o>(key: &Key, token: &str, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
    open_by(token, out, |token, out| token.open(key, out))
}

/// A way to open tokens: with a derived key, or with master keys. It is used as a `dyn`, so that firmware contains one
/// copy of the code that parses and decodes a token.
pub(crate) trait Open {
    /// Opens the Fernet token whose decoded bytes fill `raw`. The secret is then at the front of `raw`; returns its length.
    fn open_raw(&mut self, params: KeyParams<'_>, raw: &mut [u8]) -> Result<usize, Error>;
}

/// Opens the token that is the first `len` bytes of `buf`. The secret is then at the front of `buf`; returns its length.
pub(crate) fn open_in_place(opener: &mut dyn Open, len: usize, buf: &mut [u8]) -> Result<usize, Error> {
    let token = Token::parse_bytes(buf.get(..len).ok_or(Error::BufferTooSmall)?)?;
    let (KeyParams { salt, cost }, body_len) = (token.key_params(), token.body.len());
    // Copied, because decoding overwrites the token.
    let salt = *salt;
    let raw_len = base64::DoubleDecoder::default().decode_in_place(buf, len - body_len..len)?;
    opener.open_raw(KeyParams { salt: &salt, cost }, buf.get_mut(..raw_len).ok_or(Error::BufferTooSmall)?)
}

fn open_by<'o>(
    token: &str,
    out: &'o mut [u8],
    open: impl FnOnce(&Token<'_>, &mut [u8]) -> Result<usize, Error>,
) -> Result<&'o [u8], Error> {
    buffer::fill_bytes(out, |out| {
        let parsed = Token::parse(token);
        // Borrowed: moving it out of the result takes 40 bytes of flash and of stack.
        open(parsed.as_ref().map_err(|error| *error)?, out)
    })
}

impl Open for &Key {
    fn open_raw(&mut self, _: KeyParams<'_>, raw: &mut [u8]) -> Result<usize, Error> {
        fernet::open_raw(self, raw)
    }
}

/// Opens tokens with the first of several master keys that sealed them. It keeps the key that it derived last. So the
/// next token costs no derivation if it has the same parameters, as all legacy tokens have.
pub(crate) struct Opener<'k> {
    masters: &'k [MasterKey],
    pace: &'k dyn Pace,
    /// The salt and the cost of `key`.
    salt: Salt,
    cost: Cost,
    key: Key,
    has_key: bool,
}

impl<'k> Opener<'k> {
    pub(crate) const fn new(masters: &'k [MasterKey], pace: &'k dyn Pace) -> Self {
        Self { masters, pace, salt: [0; 16], cost: Cost::Standard, key: Key::ZERO, has_key: false }
    }

    /// Opens a token as [`open_in_place`] does.
    pub(crate) fn open_in_place(&mut self, len: usize, buf: &mut [u8]) -> Result<usize, Error> {
        open_in_place(self, len, buf)
    }

    /// Opens the token with the parameters `params` whose decoded bytes fill `raw`, as `open_in_place` does.
    #[cfg(not(feature = "compact"))]
    pub(crate) fn open_decoded(&mut self, params: KeyParams<'_>, raw: &mut [u8]) -> Result<usize, Error> {
        self.open_raw(params, raw)
    }
}

/// Decodes the token that is the first `len` bytes of `buf` to the front of `buf`. Returns its form and the decoded bytes.
#[cfg(not(feature = "compact"))]
pub(crate) fn decode_in_place(len: usize, buf: &mut [u8]) -> Result<(Format, &mut [u8]), Error> {
    let token = Token::parse_bytes(buf.get(..len).ok_or(Error::BufferTooSmall)?)?;
    let (format, body_len) = (token.format, token.body.len());
    let raw_len = base64::DoubleDecoder::default().decode_in_place(buf, len - body_len..len)?;
    Ok((format, buf.get_mut(..raw_len).ok_or(Error::BufferTooSmall)?))
}

impl Open for Opener<'_> {
    fn open_raw(&mut self, params: KeyParams<'_>, raw: &mut [u8]) -> Result<usize, Error> {
        if (KeyParams { salt: &self.salt, cost: self.cost }) != params {
            self.salt = *params.salt;
            self.cost = params.cost;
            self.has_key = false;
        }
        let mut masters = self.masters.iter();
        loop {
            if self.has_key {
                // If the key does not match, the token stays unchanged.
                match fernet::open_raw(&self.key, raw) {
                    Err(Error::AuthenticationFailed) => {}
                    opened => return opened,
                }
            }
            let master = masters.next().ok_or(Error::AuthenticationFailed)?;
            self.has_key = false;
            params.derive_in_slices(master, self.pace, &mut self.key)?;
            self.has_key = true;
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
    pace: &dyn Pace,
    buf: &mut [u8],
) -> Result<usize, Error> {
    if master.is_short() {
        return Err(Error::KeyShort);
    }
    let mut key = Key::ZERO;
    format.key_params().derive_in_slices(master, pace, &mut key)?;
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

#[cfg(test)]
mod tests {
    use getrandom::SysRng;

    use super::*;

    #[test]
    #[allow(clippy::unwrap_used)] // a test may panic
    fn each_token_opens_with_the_count_of_its_own_form() {
        let master = MasterKey::from_bytes(&[7; 32]).unwrap();
        let salt = [5; 16];
        let params = |cost| KeyParams { salt: &salt, cost };
        let mut opener = Opener::new(slice::from_ref(&master), &AtOnce);
        // The opener keeps the key of the token before, which has the same salt.
        for cost in [Cost::Standard, Cost::Trial, Cost::Standard] {
            let key = params(cost).derive(&master);
            assert_eq!(*key.as_bytes(), *kdf::derive(&master, &salt, cost.iterations()).as_bytes());
            let (mut text, mut raw) = ([0; 200], [0; 200]);
            let text = fernet::seal(&key, b"secret", 0, &mut SysRng, &mut text).unwrap();
            let len = base64::decode(text.as_bytes(), &mut raw).unwrap();
            let raw = raw.get_mut(..len).unwrap();
            assert_eq!(opener.open_raw(params(cost), raw), Ok(6), "{cost:?}");
            assert!(raw.starts_with(b"secret"), "{cost:?}");
        }
    }
}
