//! The `enc:` envelope: what stands in a config in the place of a secret.
//! Salted, as written: `enc:` base64url(16-byte salt) `:` base64url(text of the Fernet token).
//! Legacy, still read: `enc:` base64url(text of the Fernet token), with one salt for all.

use core::slice;
use rand_core::TryCryptoRng;

use crate::fernet;
use crate::kdf::{self, Salt};
use crate::{Error, Key, MasterKey, base64, buffer, random};

/// What every token begins with.
pub const PREFIX: &str = "enc:";

/// The salt of all legacy tokens.
pub const LEGACY_SALT: Salt = *b"proxmox_mcp_salt";

/// The characters of a salt in base64.
pub(crate) const SALT_TEXT_LEN: usize = 24;

/// Whether `text` begins as a token does. Only [`Token::parse`] says that it is one.
#[must_use]
pub fn is_sealed(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// The length of the (salted) token of a secret of `plain_len` bytes, in characters; `usize::MAX` if that does not fit.
#[must_use]
pub const fn token_len(plain_len: usize) -> usize {
    base64::encoded_len(fernet::token_len(plain_len)).saturating_add(PREFIX.len() + SALT_TEXT_LEN + 1)
}

/// A buffer length, in bytes, that opens any token of `token_len` characters.
#[must_use]
pub const fn open_len(token_len: usize) -> usize {
    base64::decoded_len(base64::decoded_len(token_len.saturating_sub(PREFIX.len())))
}

/// The two forms of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// With a random salt of its own.
    Salted(Salt),
    /// With [`LEGACY_SALT`], so that all such tokens of a master key share one key.
    Legacy,
}

impl Format {
    /// A new salted format.
    ///
    /// # Errors
    /// [`Error::RandomFailed`].
    pub fn salted<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, Error> {
        let mut salt = Salt::default();
        random::fill(rng, &mut salt)?;
        Ok(Self::Salted(salt))
    }

    /// The salt that the token's key is derived with.
    #[must_use]
    pub const fn salt(&self) -> &Salt {
        match self {
            Self::Salted(salt) => salt,
            Self::Legacy => &LEGACY_SALT,
        }
    }
}

/// A token whose structure has been checked, down to the Fernet token within.
#[derive(Debug, Clone, Copy)]
pub struct Token<'a> {
    format: Format,
    /// Base64 of the Fernet token's text.
    body: &'a [u8],
    /// In seconds, big-endian.
    timestamp: [u8; 8],
}

impl<'a> Token<'a> {
    /// Checks the structure of `text`: parts, salt, both layers of base64, version and lengths.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        Self::parse_bytes(text.as_bytes())
    }

    fn parse_bytes(text: &'a [u8]) -> Result<Self, Error> {
        let rest = text.strip_prefix(PREFIX.as_bytes()).ok_or(Error::Malformed)?;
        let mut parts = rest.splitn(2, |byte| *byte == b':');
        let (format, body) = match (parts.next(), parts.next()) {
            (Some(salt_text), Some(body)) => {
                let mut salt = Salt::default();
                // Sixteen bytes have one spelling of 24 characters; longer ones do not fit, shorter ones fall short.
                match base64::decode(salt_text, &mut salt) {
                    Ok(16) => (Format::Salted(salt), body),
                    _ => return Err(Error::Malformed),
                }
            }
            _ => (Format::Legacy, rest),
        };
        let mut scan = fernet::Scan::default();
        base64::TwoLayers::default().push(body, &mut scan)?;
        let timestamp = scan.finish()?;
        Ok(Self { format, body, timestamp })
    }

    /// Takes off both layers of base64, into the front of `out`, and returns that.
    fn decode_body<'o>(&self, out: &'o mut [u8]) -> Result<&'o mut [u8], Error> {
        let mut written = 0;
        base64::TwoLayers::default().push(self.body, &mut |raw: &[u8]| base64::put_at(out, &mut written, raw))?;
        out.get_mut(..written).ok_or(Error::BufferTooSmall)
    }

    /// Salted or legacy, with the salt.
    #[must_use]
    pub const fn format(&self) -> &Format {
        &self.format
    }

    /// The salt that the token's key is derived with.
    #[must_use]
    pub const fn salt(&self) -> &Salt {
        self.format.salt()
    }

    /// When the token says that it was sealed, in Unix seconds; proven only by opening it.
    #[must_use]
    pub const fn timestamp(&self) -> u64 {
        u64::from_be_bytes(self.timestamp)
    }
}

/// Seals `plain` at `now` (Unix seconds) as a salted token, into [`token_len`] bytes of `out`.
/// Costs one derivation. Salt and IV come from `rng`, in this order.
///
/// # Errors
/// [`Error::KeyShort`] for a master key of fewer than 16 bytes (whoever insists derives and uses [`seal_with`]),
/// [`Error::BufferTooSmall`], [`Error::RandomFailed`]; `out` is zeroed then.
pub fn seal<'o, R: TryCryptoRng + ?Sized>(
    master: &MasterKey,
    plain: &[u8],
    now: u64,
    rng: &mut R,
    out: &'o mut [u8],
) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        buffer::put(out, plain)?;
        seal_in_place(master, &Format::salted(rng)?, plain.len(), now, rng, out)
    })
}

/// As [`seal`], in the legacy form, for readers that know no other.
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
        buffer::put(out, plain)?;
        seal_in_place(master, &Format::Legacy, plain.len(), now, rng, out)
    })
}

/// As [`seal`], with a key that [`kdf`] derived with the salt of `format`: no derivation, any master key.
///
/// # Errors
/// [`Error::BufferTooSmall`], [`Error::RandomFailed`]; `out` is zeroed then.
pub fn seal_with<'o, R: TryCryptoRng + ?Sized>(
    key: &Key,
    format: &Format,
    plain: &[u8],
    now: u64,
    rng: &mut R,
    out: &'o mut [u8],
) -> Result<&'o str, Error> {
    buffer::fill_text(out, |out| {
        buffer::put(out, plain)?;
        seal_with_in_place(key, format, plain.len(), now, rng, out)
    })
}

/// Opens `token` into [`open_len`] bytes of `out` and returns the secret. Costs one derivation.
///
/// # Errors
/// [`Error::Malformed`], [`Error::Unauthentic`], [`Error::BufferTooSmall`]; `out` is zeroed then.
pub fn open<'o>(master: &MasterKey, token: &str, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
    open_any(slice::from_ref(master), token, out)
}

/// As [`open`], with the first of several master keys that fits. Costs a derivation for each that is tried.
///
/// # Errors
/// As [`open`]; [`Error::Unauthentic`] if no key fits.
pub fn open_any<'o>(masters: &[MasterKey], token: &str, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
    open_by(&mut Opener::new(masters), token, out)
}

/// As [`open`], with the key that [`kdf`] derived with the token's salt: no derivation.
///
/// # Errors
/// As [`open`].
pub fn open_with<'o>(key: &Key, token: &str, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
    open_by(&mut &*key, token, out)
}

/// What opens the Fernet token (base64 taken off) that fills `raw`: leaves the secret at its front and says how long it is.
/// Used as a `dyn`, so that a microcontroller has one copy of what goes before it.
trait Open {
    fn open_raw(&mut self, salt: &Salt, raw: &mut [u8]) -> Result<usize, Error>;
}

fn open_by<'o>(how: &mut dyn Open, token: &str, out: &'o mut [u8]) -> Result<&'o [u8], Error> {
    buffer::fill_bytes(out, |out| {
        let parsed = Token::parse(token);
        // Looked at where it is: a copy takes 40 bytes of flash and of stack.
        let token = parsed.as_ref().map_err(|error| *error)?;
        how.open_raw(token.salt(), token.decode_body(out)?)
    })
}

impl Open for &Key {
    fn open_raw(&mut self, _: &Salt, raw: &mut [u8]) -> Result<usize, Error> {
        fernet::open_raw(slice::from_ref(*self), raw)
    }
}

/// Opens tokens with the first of several master keys that fits. The last key is kept: a next token with the same salt,
/// as all legacy tokens have, costs no derivation.
pub(crate) struct Opener<'k> {
    masters: &'k [MasterKey],
    salt: Salt,
    key: Option<Key>,
}

impl<'k> Opener<'k> {
    pub(crate) const fn new(masters: &'k [MasterKey]) -> Self {
        Self { masters, salt: [0; 16], key: None }
    }

    /// Opens the token that is the first `len` bytes of `buf`, onto itself.
    pub(crate) fn open_in_place(&mut self, len: usize, buf: &mut [u8]) -> Result<usize, Error> {
        let token = Token::parse_bytes(buf.get(..len).ok_or(Error::BufferTooSmall)?)?;
        let (salt, body_len) = (*token.salt(), token.body.len());
        let raw_len = base64::TwoLayers::default().decode_in_place(buf, len - body_len..len)?;
        self.open_raw(&salt, buf.get_mut(..raw_len).ok_or(Error::BufferTooSmall)?)
    }
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
                // A key that does not fit leaves the token as it is.
                match fernet::open_raw(slice::from_ref(key), raw) {
                    Err(Error::Unauthentic) => {}
                    opened => return opened,
                }
            }
            let master = masters.next().ok_or(Error::Unauthentic)?;
            self.key = Some(kdf::derive(master, salt, kdf::ITERATIONS));
        }
    }
}

/// Seals the first `len` bytes of `buf` onto themselves.
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

fn seal_with_in_place<R: TryCryptoRng + ?Sized>(
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
    buffer::slide(text, 0, body_len, head_len)?;
    buffer::put(text, PREFIX.as_bytes())?;
    if let Format::Salted(salt) = format {
        let salt_text = text.get_mut(PREFIX.len()..head_len).ok_or(Error::BufferTooSmall)?;
        let (colon, salt_text) = salt_text.split_last_mut().ok_or(Error::BufferTooSmall)?;
        buffer::put(salt_text, salt)?;
        base64::encode_in_place(salt_text, salt.len())?;
        *colon = b':';
    }
    Ok(head_len + body_len)
}
