//! Wipes the stack after work with secrets.
//!
//! Rust moves a value by copying it, and nothing wipes the place that it was moved from; a type's `Drop` cannot prevent that.
//! So whoever is done with keys and secrets overwrites the stack below: every function of the C library does, and every
//! thread of the command when it ends.

use core::hint::black_box;

use zeroize::Zeroize;

/// Runs `work`, then overwrites `BYTES` bytes of the stack below the caller's frame. What `work` returns must hold no secret
/// by value, because the return value itself is moved.
#[inline]
pub fn wiped_after<const BYTES: usize, T>(work: impl FnOnce() -> T) -> T {
    let result = run_in_own_frame(work);
    overwrite::<BYTES>();
    result
}

/// Out of line, so that `work` runs in a frame below the caller's, where the frame of `overwrite` lies afterwards.
#[inline(never)]
fn run_in_own_frame<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline(never)]
fn overwrite<const BYTES: usize>() {
    let mut bytes = [0_u8; BYTES];
    bytes.zeroize();
    black_box(&mut bytes);
}
