//! Salts, IVs and keys from the caller's random source.
//! It never sees what lay in the buffer before, which may be a secret.
//! A source that claims to have filled it and has not is found out.

use rand_core::TryCryptoRng;

use crate::{COMPACT, Error};

/// Fills `out`. All zeros, which chance makes once in 2^128 times, are no random numbers.
pub(crate) fn fill<R: TryCryptoRng + ?Sized>(rng: &mut R, out: &mut [u8]) -> Result<(), Error> {
    out.fill(0);
    rng.try_fill_bytes(out).map_err(|_| Error::RandomFailed)?;
    // Where flash is dear, this is left to the source.
    if !COMPACT && out.iter().all(|byte| *byte == 0) { Err(Error::RandomFailed) } else { Ok(()) }
}
