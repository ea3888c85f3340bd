//! Fills buffers with random bytes from the caller's source, for salts, IVs and keys.

use rand_core::TryCryptoRng;

use crate::compact::COMPACT;
use crate::error::Error;

/// Fills `out` with random bytes. Zeroes `out` first, because it may contain a secret that the source must not see.
///
/// Returns an error if all bytes are zero: then the source has written nothing, because 16 random bytes are all zero
/// only once in 2^128 times. A compact build skips this check.
pub(crate) fn fill<R: TryCryptoRng + ?Sized>(rng: &mut R, out: &mut [u8]) -> Result<(), Error> {
    out.fill(0);
    rng.try_fill_bytes(out).map_err(|_| Error::RandomFailed)?;
    if !COMPACT && out.iter().all(|byte| *byte == 0) { Err(Error::RandomFailed) } else { Ok(()) }
}
