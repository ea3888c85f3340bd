//! Opens and seals the tokens of a config in batches. It checks the paths to all tokens in one pass, and derives up to
//! 32 keys at once, which takes a CPU with wide vectors little longer than one.
//!
//! It parses the following tokens before it derives, so that it derives only keys that are needed. Builds with the
//! feature `compact` use `single` instead.

use core::iter;
use core::ops::Range;

use heapless::Vec;
use rand_core::TryCryptoRng;

use super::kind::begins_sealed;
use crate::error::Error;
use crate::fernet;
use crate::json::{self, Kind, Level, Strings, Value};
use crate::kdf::{self, Job, Pace};
use crate::key::{Key, MasterKey};
use crate::token::{self, Format, KeyParams, Opener, Token};

/// The number of keys that are derived together.
pub(super) const BATCH: usize = 32;

/// Checks that `json` is valid JSON and that no name on the path to a token occurs twice in its object. Overwrites
/// `memory`.
#[inline(never)] // out of line: inlined, its 16 KiB of levels would be on the stack during the derivations
pub(super) fn check_paths(json: &str, memory: &mut [u8]) -> Result<(), Error> {
    check_duplicates(json, memory.as_chunks_mut().0).map_err(|(error, _)| error)
}

/// Checks `json` as [`check_paths`] does. The error has the offset of the second name.
pub(super) fn check_duplicates(json: &str, paths: &mut [json::PathHash]) -> Result<(), (Error, usize)> {
    let mut levels = [Level::default(); json::MAX_DEPTH];
    let is_token = |kind, span: Range<usize>| {
        kind == Kind::String && json.as_bytes().get(span.start + 1..span.end - 1).is_some_and(begins_sealed)
    };
    match json::find_duplicate(json, &mut levels, paths, is_token) {
        Ok(None) => Ok(()),
        Ok(Some(offset)) => Err((Error::DuplicateKey, offset)),
        Err(error) => Err((error, 0)),
    }
}

/// The key of the tokens whose parameters are those of `format`.
struct Derived {
    format: Format,
    key: Key,
}

/// Opens the tokens of a config, in the order of the text.
pub(super) struct TokenOpener<'k> {
    masters: &'k [MasterKey],
    pace: &'k dyn Pace,
    /// The keys of a batch of tokens, and the key of all legacy tokens.
    ready: Vec<Derived, { BATCH + 1 }>,
    /// Opens the tokens for which `ready` has no key: those that are written with escapes, and those that share parameters
    /// but not a master key.
    single: Opener<'k>,
}

impl<'k> TokenOpener<'k> {
    pub(super) const fn new(masters: &'k [MasterKey], pace: &'k dyn Pace) -> Self {
        Self { masters, pace, ready: Vec::new(), single: Opener::new(masters, pace) }
    }

    /// Opens the token `value`, which the strings `ahead` follow. The secret is then at the front of `buf`; returns its length.
    pub(super) fn open(&mut self, value: &Value<'_>, ahead: &Strings<'_>, buf: &mut [u8]) -> Result<usize, Error> {
        let len = json::unescape_into(value.raw_bytes()?, buf)?;
        let (format, raw) = token::decode_in_place(len, buf)?;
        let params = format.key_params();
        if self.keys(params).next().is_none() && parse(value).is_some() {
            self.derive(value, ahead)?;
        }
        for key in self.keys(params) {
            // If the key does not match, the token stays unchanged.
            match fernet::open_raw(key, raw) {
                Err(Error::AuthenticationFailed) if self.masters.len() > 1 => {}
                opened => return opened,
            }
        }
        self.single.open_decoded(params, raw)
    }

    fn keys(&self, params: KeyParams<'_>) -> impl Iterator<Item = &Key> {
        self.ready.iter().filter(move |derived| derived.format.key_params() == params).map(|derived| &derived.key)
    }

    /// Derives the keys of `value` and of the tokens that follow it, until there are [`BATCH`] of them. Each key comes from the
    /// first master key that sealed the token; a token that none sealed gets no key.
    #[inline(never)] // out of line: inlined, its arrays would be on the stack while tokens are opened
    fn derive(&mut self, value: &Value<'_>, ahead: &Strings<'_>) -> Result<(), Error> {
        self.ready.retain(|derived| derived.format.key_params() == Format::Legacy.key_params());
        let mut tokens: Vec<Token<'_>, BATCH> = Vec::new();
        let ahead = ahead.clone().map_while(Result::ok);
        for token in iter::once(value.clone()).chain(ahead).filter_map(|value| parse(&value)) {
            let params = token.key_params();
            let is_known = self.keys(params).next().is_some();
            if !is_known && tokens.iter().all(|other| other.key_params() != params) && tokens.push(token).is_err() {
                break;
            }
        }
        for master in self.masters {
            let mut keys = [const { Key::ZERO }; BATCH];
            derive_all(master, tokens.iter().map(Token::key_params), self.pace, &mut keys)?;
            // `retain` works in place; moving the arrays would put a copy of each on the stack.
            let mut keys = keys.iter();
            tokens.retain(|token| {
                let Some(key) = keys.next() else { return false };
                // With one master key no check is needed here: opening the token checks its MAC.
                let is_key = self.masters.len() == 1 || token.is_sealed_with(key);
                if is_key {
                    // If there were no room for the key, `single` would open the token.
                    let _ = self.ready.push(Derived { format: *token.format(), key: Key::from_bytes(key.as_bytes()) });
                }
                !is_key
            });
        }
        Ok(())
    }
}

/// Returns the token that a string is, if it is written without escapes.
fn parse<'a>(value: &Value<'a>) -> Option<Token<'a>> {
    Token::parse_bytes(value.raw_bytes().ok()?).ok()
}

/// Derives the key of each of `params`.
fn derive_all<'a>(
    master: &'a MasterKey,
    params: impl Iterator<Item = KeyParams<'a>>,
    pace: &dyn Pace,
    out: &mut [Key; BATCH],
) -> Result<(), Error> {
    let jobs: Vec<Job<'_>, BATCH> = params.map(|params| params.job(master)).collect();
    kdf::derive_many_in_slices(&jobs, out, pace)
}

/// Seals the values of a config.
pub(super) struct TokenSealer<'k> {
    master: &'k MasterKey,
    pace: &'k dyn Pace,
    /// Formats with new salts, and their keys, for the tokens that are sealed next.
    ready: Vec<Derived, BATCH>,
}

impl<'k> TokenSealer<'k> {
    pub(super) const fn new(master: &'k MasterKey, pace: &'k dyn Pace) -> Self {
        Self { master, pace, ready: Vec::new() }
    }

    /// Seals the first `len` bytes of `buf` in place. The token is then at the front of `buf`; returns its length. `more`, which
    /// is called before a batch, returns how many values are sealed after this one.
    pub(super) fn seal_in_place<R: TryCryptoRng + ?Sized>(
        &mut self,
        len: usize,
        now: u64,
        more: impl FnOnce() -> usize,
        rng: &mut R,
        buf: &mut [u8],
    ) -> Result<usize, Error> {
        if self.ready.is_empty() {
            self.derive(more(), rng)?;
        }
        let Derived { format, key } = self.ready.pop().ok_or(Error::RandomFailed)?;
        token::seal_with_in_place(&key, &format, len, now, rng, buf)
    }

    /// Derives keys from new salts: one for the next value, and one for each of `more` values up to [`BATCH`] in all.
    #[inline(never)] // out of line, as above
    fn derive<R: TryCryptoRng + ?Sized>(&mut self, more: usize, rng: &mut R) -> Result<(), Error> {
        if self.master.is_short() {
            return Err(Error::KeyShort);
        }
        let count = BATCH.min(more.saturating_add(1));
        let formats: Vec<Format, BATCH> = (0..count).map(|_| Format::salted(rng)).collect::<Result<_, _>>()?;
        let mut keys = [const { Key::ZERO }; BATCH];
        derive_all(self.master, formats.iter().map(Format::key_params), self.pace, &mut keys)?;
        for (format, key) in formats.iter().zip(&keys) {
            let derived = Derived { format: *format, key: Key::from_bytes(key.as_bytes()) };
            self.ready.push(derived).map_err(|_| Error::BufferTooSmall)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Cost;

    #[test]
    #[allow(clippy::unwrap_used)] // a test may panic
    fn tokens_with_one_salt_and_two_counts_share_no_key() {
        let masters = [MasterKey::from_bytes(&[7; 32]).unwrap()];
        let format = Format::Salted([5; 16]);
        let mut opener = TokenOpener::new(&masters, &kdf::AtOnce);
        assert!(opener.ready.push(Derived { format, key: Key::ZERO }).is_ok());
        assert_eq!(opener.keys(format.key_params()).count(), 1);
        assert_eq!(opener.keys(KeyParams { cost: Cost::Trial, ..format.key_params() }).count(), 0);
    }
}
