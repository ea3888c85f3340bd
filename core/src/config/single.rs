//! Opens and seals the tokens of a config one at a time, in the least code and stack: the feature `compact`. Every token costs
//! a derivation, and two walks for each level that it lies below, to see that no name on the way occurs twice. In a text that
//! fits into a microcontroller's memory that is less than the derivation; deeper than 64 levels a token is refused.
//!
//! Otherwise [`super::batch`] does this; tests/core run against both.

use rand_core::TryCryptoRng;

use crate::json::{self, Strings, Value};
use crate::token::{self, Format, Opener};
use crate::{Error, MasterKey};

/// How many keys are derived together.
pub(super) const BATCH: usize = 1;

/// Checks that `json` is JSON. Whether names occur twice is looked at for each token.
pub(super) fn check(json: &str, _: &mut [u8]) -> Result<(), Error> {
    json::root(json).map(|_| ())
}

/// Opens the tokens of a config, in the order in which they stand in it.
pub(super) struct TokenOpener<'k>(Opener<'k>);

impl<'k> TokenOpener<'k> {
    pub(super) const fn new(masters: &'k [MasterKey]) -> Self {
        Self(Opener::new(masters))
    }

    /// Opens the token `value` to the front of `buf`; says how long the secret is.
    #[inline]
    pub(super) fn open(&mut self, value: &Value<'_>, _: &Strings<'_>, buf: &mut [u8]) -> Result<usize, Error> {
        value.check_unique()?;
        super::open_string(value.raw_bytes(), &mut self.0, buf)
    }
}

/// Seals the values of a config.
pub(super) struct TokenSealer<'k>(&'k MasterKey);

impl<'k> TokenSealer<'k> {
    pub(super) const fn new(master: &'k MasterKey) -> Self {
        Self(master)
    }

    /// Seals the first `len` bytes of `buf` onto themselves.
    pub(super) fn seal_in_place<R: TryCryptoRng + ?Sized>(
        &mut self,
        len: usize,
        now: u64,
        _: impl FnOnce() -> usize,
        rng: &mut R,
        buf: &mut [u8],
    ) -> Result<usize, Error> {
        token::seal_in_place(self.0, &Format::salted(rng)?, len, now, rng, buf)
    }
}
