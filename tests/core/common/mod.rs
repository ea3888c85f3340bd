//! Helpers of the core tests: random sources with known bytes, and hex.

/// A random source that yields the given bytes and then fails.
pub(crate) struct Script(pub(crate) Vec<u8>);

impl rand_core::TryRng for Script {
    type Error = core::fmt::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Err(core::fmt::Error)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Err(core::fmt::Error)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        if self.0.len() < out.len() {
            return Err(core::fmt::Error);
        }
        out.copy_from_slice(&self.0.drain(..out.len()).collect::<Vec<_>>());
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Script {}

/// Returns a random source with the bytes 0, 1, 2, …
pub(crate) fn counting() -> Script {
    Script((0..=255).cycle().take(4096).collect())
}

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The master key of the tests.
pub(crate) const MASTER: &str = "ObZIJcp620H6InDDQzNIhnX3zy4kQiYySE7Rwe4vans=";
