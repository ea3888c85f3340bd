//! Random sources: C's callback as core's trait, and the operating system's as such a callback.
//! A source that says that it failed, or is NULL, seals nothing.
//! Nothing is drawn but what goes into a salt, an IV or a new key.

use core::ffi::{c_int, c_void};
use core::fmt;

use rand_core::{TryCryptoRng, TryRng};

/// A random source: fills `buf` with `len` bytes fit for keys and returns 0; anything else means that it could not.
pub type fernseal_random_fn = Option<unsafe extern "C" fn(ctx: *mut c_void, buf: *mut u8, len: usize) -> c_int>;

/// C's random source.
pub(crate) struct Random {
    source: fernseal_random_fn,
    ctx: *mut c_void,
}

/// The source failed.
#[derive(Debug)]
pub(crate) struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the random source failed")
    }
}

impl core::error::Error for Failed {}

impl Random {
    /// # Safety
    /// `source`, if not NULL, may be called with `ctx` and a buffer that it fills or says that it cannot.
    pub(crate) unsafe fn new(source: fernseal_random_fn, ctx: *mut c_void) -> Self {
        Self { source, ctx }
    }
}

impl TryRng for Random {
    type Error = Failed;

    fn try_next_u32(&mut self) -> Result<u32, Failed> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Failed> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Failed> {
        let source = self.source.ok_or(Failed)?;
        // SAFETY: the promise made to `new`; the buffer is writable and as long as is said.
        match unsafe { source(self.ctx, out.as_mut_ptr(), out.len()) } {
            0 => Ok(()),
            _ => Err(Failed),
        }
    }
}

impl TryCryptoRng for Random {}
