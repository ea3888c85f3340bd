//! Random bytes for salts, IVs and keys, from the caller's source.

use rand_core::TryCryptoRng;

use crate::compact::COMPACT;
use crate::error::Error;

/// Fills `out` with random bytes. `out` is zeroed first, because it may hold a secret that the source must not see.
///
/// Refuses a result of all zeros: it means that the source wrote nothing, since chance makes 16 zero bytes once in 2^128
/// times. A compact build does not look.
pub(crate) fn fill<R: TryCryptoRng + ?Sized>(rng: &mut R, out: &mut [u8]) -> Result<(), Error> {
    out.fill(0);
    rng.try_fill_bytes(out).map_err(|_| Error::RandomFailed)?;
    if !COMPACT && out.iter().all(|byte| *byte == 0) { Err(Error::RandomFailed) } else { Ok(()) }
}
