//! Opens and seals the tokens of a config many at a time. Looks for equal names on the way to all of them at once, and
//! derives keys in batches: the processor does several derivations in little more time than one. It looks ahead at the tokens
//! that follow, so that it derives no key that it does not use.
//!
//! The feature `compact` has [`super::single`] instead; tests/core run against both.

use core::iter;
use core::ops::Range;

use heapless::Vec;
use rand_core::TryCryptoRng;

use super::begins_sealed;
use crate::json::{self, Kind, Level, Strings, Value};
use crate::kdf::{self, Job, Salt};
use crate::token::{self, Format, LEGACY_SALT, Opener, Token};
use crate::{Error, Key, MasterKey, fernet};

/// How many keys are derived together, at most.
pub(super) const BATCH: usize = 32;

/// Checks that `json` is JSON and that no name on the way to a token occurs twice in its object. `memory` holds nothing yet, and
/// may change.
#[inline(never)] // its levels would lie on the stack of all that goes on with the tokens
pub(super) fn check(json: &str, memory: &mut [u8]) -> Result<(), Error> {
    let mut levels = [Level::default(); json::MAX_DEPTH];
    let is_token = |kind, span: Range<usize>| {
        kind == Kind::String && json.as_bytes().get(span.start + 1..span.end - 1).is_some_and(begins_sealed)
    };
    match json::find_duplicate(json, &mut levels, memory.as_chunks_mut().0, is_token)? {
        None => Ok(()),
        Some(_) => Err(Error::DuplicateKey),
    }
}

/// A salt with the key that was derived with it.
struct Derived {
    salt: Salt,
    key: Key,
}

/// Opens the tokens of a config, in the order in which they stand in it.
pub(super) struct TokenOpener<'k> {
    masters: &'k [MasterKey],
    /// The keys of the tokens that come next, and that of all legacy tokens.
    ready: Vec<Derived, { BATCH + 1 }>,
    /// Opens what `ready` has no key for.
    single: Opener<'k>,
}

impl<'k> TokenOpener<'k> {
    pub(super) const fn new(masters: &'k [MasterKey]) -> Self {
        Self { masters, ready: Vec::new(), single: Opener::new(masters) }
    }

    /// Opens the token `value` to the front of `buf`; says how long the secret is. `ahead` are the strings that follow it.
    pub(super) fn open(&mut self, value: &Value<'_>, ahead: &Strings<'_>, buf: &mut [u8]) -> Result<usize, Error> {
        let len = json::unescape_into(value.raw_bytes(), buf)?;
        let (salt, raw) = token::decode_in_place(len, buf)?;
        if self.keys(&salt).next().is_none() && token_of(value).is_some() {
            self.derive(value, ahead);
        }
        for key in self.keys(&salt) {
            // A key that does not fit leaves the token as it is.
            match fernet::open_raw(core::slice::from_ref(key), raw) {
                Err(Error::Unauthentic) if self.masters.len() > 1 => {}
                opened => return opened,
            }
        }
        self.single.open_decoded(&salt, raw)
    }

    fn keys(&self, salt: &Salt) -> impl Iterator<Item = &Key> {
        self.ready.iter().filter(move |derived| derived.salt == *salt).map(|derived| &derived.key)
    }

    /// Derives the keys of `value` and of the tokens that follow it, each under the first master key that it was sealed
    /// with. A token that none has sealed gets no key.
    #[inline(never)] // its arrays would lie on the stack of all that goes on with the keys
    fn derive(&mut self, value: &Value<'_>, ahead: &Strings<'_>) {
        self.ready.retain(|derived| derived.salt == LEGACY_SALT);
        let mut tokens: Vec<Token<'_>, BATCH> = Vec::new();
        let ahead = ahead.clone().map_while(Result::ok);
        for token in iter::once(value.clone()).chain(ahead).filter_map(|value| token_of(&value)) {
            let is_known = self.keys(token.salt()).next().is_some();
            if !is_known && tokens.iter().all(|other| other.salt() != token.salt()) && tokens.push(token).is_err() {
                break;
            }
        }
        for master in self.masters {
            let mut keys = [const { Key::ZERO }; BATCH];
            derive_all(master, tokens.iter().map(Token::salt), &mut keys);
            let mut left = Vec::new();
            for (token, key) in tokens.into_iter().zip(keys) {
                let fits = self.masters.len() == 1 || token.is_sealed_with(&key);
                // Neither can be full: they take the tokens there are, and one more.
                let _ = if fits {
                    self.ready.push(Derived { salt: *token.salt(), key }).is_ok()
                } else {
                    left.push(token).is_ok()
                };
            }
            tokens = left;
        }
    }
}

/// The token that a string is, if it is one and written without escapes.
fn token_of<'a>(value: &Value<'a>) -> Option<Token<'a>> {
    Token::parse_bytes(value.raw_bytes()).ok()
}

/// Derives a key with each of the salts.
fn derive_all<'s>(master: &MasterKey, salts: impl Iterator<Item = &'s Salt>, out: &mut [Key; BATCH]) {
    let jobs: Vec<Job<'_>, BATCH> =
        salts.map(|salt| Job { master, salt: salt.as_slice(), iterations: kdf::ITERATIONS }).collect();
    kdf::derive_many(&jobs, out);
}

/// New salts with the keys of the tokens that are sealed next.
pub(super) struct TokenSealer<'k> {
    master: &'k MasterKey,
    ready: Vec<Derived, BATCH>,
}

impl<'k> TokenSealer<'k> {
    pub(super) const fn new(master: &'k MasterKey) -> Self {
        Self { master, ready: Vec::new() }
    }

    /// Seals the first `len` bytes of `buf` onto themselves. `more` says how many are sealed after this one; it is asked
    /// only now and then.
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
        let Derived { salt, key } = self.ready.pop().ok_or(Error::RandomFailed)?;
        token::seal_with_in_place(&key, &Format::Salted(salt), len, now, rng, buf)
    }

    /// Draws salts for one token and `more`, and derives their keys.
    #[inline(never)] // as above
    fn derive<R: TryCryptoRng + ?Sized>(&mut self, more: usize, rng: &mut R) -> Result<(), Error> {
        if self.master.is_short() {
            return Err(Error::KeyShort);
        }
        let mut salts: Vec<Salt, BATCH> = Vec::new();
        for _ in 0..=more.min(BATCH - 1) {
            let _ = salts.push(*Format::salted(rng)?.salt());
        }
        let mut keys = [const { Key::ZERO }; BATCH];
        derive_all(self.master, salts.iter(), &mut keys);
        self.ready = salts.into_iter().zip(keys).map(|(salt, key)| Derived { salt, key }).collect();
        Ok(())
    }
}
