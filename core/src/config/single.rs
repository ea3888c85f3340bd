//! Opens and seals the tokens of a config one at a time, with little code and stack. Only builds with the feature
//! `compact` use it.
//!
//! Each token costs one derivation. To check that no name on its path occurs twice, it also costs two walks through the
//! text for each level above it; for a text that fits into a microcontroller's memory they take less time than the
//! derivation. A token below more than 64 levels is refused.
//!
//! Other builds use `batch`, which offers the same functions and takes 1.5 KB more flash. The tests of core run with
//! and without the feature, so they check both.

use rand_core::TryCryptoRng;

use super::kind::{begins_sealed, open_string};
use crate::error::Error;
use crate::json::{self, Strings, Value};
use crate::kdf::Pace;
use crate::key::MasterKey;
use crate::token::{self, Format, Opener};

/// The number of keys that are derived together.
pub(super) const BATCH: usize = 1;

/// Checks that `json` is JSON. [`TokenOpener::open`] checks for names that occur twice.
pub(super) fn check_paths(json: &str, _: &mut [u8]) -> Result<(), Error> {
    json::root(json).map(|_| ())
}

/// Checks that no name on the path to a token occurs twice. The error has the offset of the token.
pub(super) fn check_duplicates(json: &str, _: &mut [json::PathHash]) -> Result<(), (Error, usize)> {
    let is_token = |value: &Value<'_>| value.raw_bytes().is_ok_and(begins_sealed);
    json::strings(json)
        .map_while(Result::ok)
        .filter(is_token)
        .try_for_each(|value| value.check_unique().map_err(|error| (error, value.span().start)))
}

/// Opens the tokens of a config, in the order of the text.
pub(super) struct TokenOpener<'k>(Opener<'k>);

impl<'k> TokenOpener<'k> {
    pub(super) const fn new(masters: &'k [MasterKey], pace: &'k dyn Pace) -> Self {
        Self(Opener::new(masters, pace))
    }

    /// Opens the token `value`. The secret is then at the front of `buf`; returns its length.
    #[inline]
    pub(super) fn open(&mut self, value: &Value<'_>, _: &Strings<'_>, buf: &mut [u8]) -> Result<usize, Error> {
        value.check_unique()?;
        open_string(value.raw_bytes()?, &mut self.0, buf)
    }
}

/// Seals the values of a config.
pub(super) struct TokenSealer<'k> {
    master: &'k MasterKey,
    pace: &'k dyn Pace,
}

impl<'k> TokenSealer<'k> {
    pub(super) const fn new(master: &'k MasterKey, pace: &'k dyn Pace) -> Self {
        Self { master, pace }
    }

    /// Seals the first `len` bytes of `buf` in place. The token is then at the front of `buf`; returns its length.
    pub(super) fn seal_in_place<R: TryCryptoRng + ?Sized>(
        &mut self,
        len: usize,
        now: u64,
        _: impl FnOnce() -> usize,
        rng: &mut R,
        buf: &mut [u8],
    ) -> Result<usize, Error> {
        token::seal_in_place(self.master, &Format::salted(rng)?, len, now, rng, self.pace, buf)
    }
}
