//! What a compiler leaves on the stack: a value that is moved is copied, and the place that it was moved from is not wiped.
//! No type can prevent that; so whoever is done with keys and secrets overwrites the stack that was used for them.
//! The C library does so in every function, the command at the end of every thread.

use core::hint::black_box;

use zeroize::Zeroize;

/// Runs `work` and overwrites `BYTES` of the stack that it used. The result must hold no secret by value.
#[inline]
pub fn wiped_after<const BYTES: usize, T>(work: impl FnOnce() -> T) -> T {
    let result = apart(work);
    overwrite::<BYTES>();
    result
}

/// A frame below the caller's, where `overwrite` comes to lie after it.
#[inline(never)]
fn apart<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline(never)]
fn overwrite<const BYTES: usize>() {
    let mut bytes = [0_u8; BYTES];
    bytes.zeroize();
    black_box(&mut bytes);
}
