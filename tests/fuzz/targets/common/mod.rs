//! A predictable random source, for core and for C. The fuzz target chooses its bytes and the call at which it fails,
//! so that the test can compute what must be sealed.

use core::fmt;

use rand_core::{TryCryptoRng, TryRng};

/// A source that repeats `bytes`, in at most `left` calls.
#[derive(Clone)]
pub struct Random<'a> {
    pub bytes: &'a [u8],
    pub left: usize,
}

#[derive(Debug)]
pub struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("told to fail")
    }
}

impl core::error::Error for Failed {}

impl<'a> Random<'a> {
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, left: usize::MAX }
    }
}

impl TryRng for Random<'_> {
    type Error = Failed;

    fn try_next_u32(&mut self) -> Result<u32, Failed> {
        unreachable!("core asks for bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Failed> {
        unreachable!("core asks for bytes")
    }

    /// A source that fails may already have written bytes, as real ones do.
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Failed> {
        out.iter_mut().zip(self.bytes.iter().cycle()).for_each(|(slot, byte)| *slot = *byte);
        self.left = self.left.checked_sub(1).ok_or(Failed)?;
        Ok(())
    }
}

impl TryCryptoRng for Random<'_> {}
