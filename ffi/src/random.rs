//! Wraps a C callback as a random source for core. If the callback fails or is NULL, the call returns
//! FERNSEAL_RANDOM_FAILED. Core uses random bytes for salts, IVs and new keys only.

use core::ffi::{c_int, c_void};
use core::fmt;

use rand_core::{TryCryptoRng, TryRng};

/// A random source. It fills `buf` with `len` bytes from a cryptographically secure generator and returns 0. It returns
/// any other value on failure.
pub type fernseal_random_fn = Option<unsafe extern "C" fn(ctx: *mut c_void, buf: *mut u8, len: usize) -> c_int>;

/// A random source that calls a C callback.
pub(crate) struct Random {
    source: fernseal_random_fn,
    ctx: *mut c_void,
}

/// The error of a callback that failed or is NULL.
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
    /// `source`, if it is not NULL, may be called with `ctx` and a writable buffer.
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
        // SAFETY: the caller of `new` ensures it; `out` is writable and has this length.
        match unsafe { source(self.ctx, out.as_mut_ptr(), out.len()) } {
            0 => Ok(()),
            _ => Err(Failed),
        }
    }
}

impl TryCryptoRng for Random {}
