//! Overwrites the stack after work with secrets.
//!
//! Rust moves a value by copying it and does not wipe the old copy, and a type's `Drop` cannot wipe it either. So
//! copies of keys and secrets remain on the stack below the current frame. [`wiped_after`] overwrites them. Every
//! function of the hosted C library calls it, and so does every thread of the command when it ends.

use core::hint::black_box;

use zeroize::Zeroize;

/// Runs `work`, then overwrites `BYTES` bytes of the stack below the caller's frame. The value that `work` returns must
/// not contain a secret, because returning moves it.
#[inline]
pub fn wiped_after<const BYTES: usize, T>(work: impl FnOnce() -> T) -> T {
    let result = run_in_own_frame(work);
    overwrite::<BYTES>();
    result
}

/// Runs `work` in a frame below the caller's. It is out of line, so that `overwrite` later uses the same place on the
/// stack.
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
