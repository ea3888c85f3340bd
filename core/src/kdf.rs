//! PBKDF2-HMAC-SHA256 (RFC 8018 §5.2): derives the key of a token from a master key and a salt.
//!
//! A derivation is a chain: each iteration computes the HMAC of the previous HMAC, always with the same key. So the two
//! hash states after the padded key are computed once, and an iteration takes two compressions of SHA-256.
//!
//! This file contains the interface and the portable loop. `simd` contains the faster back ends and chooses among them.

#[cfg(feature = "simd")]
mod simd;

use core::fmt;
use core::num::NonZeroU32;
use heapless::Vec;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::Error;
use crate::key::{Key, MasterKey};
use crate::mac::{self, Pad, Suffix};
use crate::sha256::State;
#[cfg(feature = "simd")]
use simd::advance;
#[cfg(feature = "simd")]
#[doc(hidden)]
pub use simd::{Backend, Kernel};

/// The salt of a token: 16 random bytes, so that each token has a key of its own.
pub type Salt = [u8; 16];

/// Returns the iteration count `count`, and 200 in a fuzzing build, because it would otherwise spend nearly all
/// of its time in derivations. No release build does.
pub(crate) const fn iterations(count: u32) -> u32 {
    if cfg!(all(fuzzing, debug_assertions)) { 200 } else { count }
}

/// Derives a key: the first output block of PBKDF2. `salt` may have any length. For the key of a token, use
/// [`KeyParams::derive`](crate::token::KeyParams::derive).
#[must_use]
pub fn derive(master: &MasterKey, salt: &[u8], iterations: NonZeroU32) -> Key {
    let mut key = Key::ZERO;
    // This pace never cancels.
    let _ = derive_in_slices(master, salt, iterations, &AtOnce, &mut key);
    key
}

/// Divides derivations into slices. Before each slice the caller can feed a watchdog, read a button or give up.
pub trait Pace {
    /// Called before each slice. Returns the greatest number of iterations of the slice, or `None` to cancel.
    fn next_slice(&self) -> Option<NonZeroU32>;
}

/// The pace of functions that have no other: all iterations are one slice.
#[derive(Debug, Clone, Copy)]
pub struct AtOnce;

impl Pace for AtOnce {
    fn next_slice(&self) -> Option<NonZeroU32> {
        Some(NonZeroU32::MAX)
    }
}

/// Derives a key as [`derive()`] does, in slices, and writes it to `out`.
///
/// # Errors
/// [`Error::Cancelled`] if `pace` cancels. `out` is then unchanged.
#[inline(never)] // out of line: inlined, its hash states would stay on the stack while the caller uses the key
pub fn derive_in_slices(
    master: &MasterKey,
    salt: &[u8],
    iterations: NonZeroU32,
    pace: &dyn Pace,
    out: &mut Key,
) -> Result<(), Error> {
    let mut chain = Chain::new(master.as_bytes(), salt, iterations);
    while chain.left > 0 {
        chain.advance(pace.next_slice().ok_or(Error::Cancelled)?.get());
    }
    out.set_digest(&chain.sum);
    Ok(())
}

/// A derivation that runs in slices, so that the caller can feed a watchdog, read a button or give up between two
/// slices.
///
/// It consists of 34 words of 32 bits, each of which may have any value. The C library relies on this.
#[derive(Debug)]
#[repr(C)]
pub struct Derivation {
    chain: Chain,
    total: u32,
}

const _: () = assert!(size_of::<Derivation>() == 34 * 4 && align_of::<Derivation>() == 4);

/// The progress of a [`Derivation`], in iterations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The iterations that are done.
    pub done: u32,
    /// The total number of iterations.
    pub total: u32,
}

impl Progress {
    /// Returns whether all iterations are done.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.done == self.total
    }
}

impl Derivation {
    /// Starts the derivation that [`derive()`] does, and runs its first iteration.
    #[must_use]
    pub fn new(master: &MasterKey, salt: &[u8], iterations: NonZeroU32) -> Self {
        Self { chain: Chain::new(master.as_bytes(), salt, iterations), total: iterations.get() }
    }

    /// Runs at most `budget` more iterations and returns the progress.
    pub fn advance(&mut self, budget: u32) -> Progress {
        self.chain.advance(budget);
        self.progress()
    }

    /// Runs iterations as [`Derivation::advance`] does, with another SHA-256: that of a chip. `compress` is the compression
    /// function (FIPS 180-4 §6.2.2): it hashes a block into a state.
    pub fn advance_with(&mut self, budget: u32, compress: &mut dyn FnMut(&mut [u32; 8], &[u8; 64])) -> Progress {
        self.chain.advance_with(budget, compress);
        self.progress()
    }

    /// Returns how far the derivation has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress { done: self.total.saturating_sub(self.chain.left), total: self.total }
    }

    /// Runs the remaining iterations and returns the key.
    #[must_use]
    pub fn finish(mut self) -> Key {
        let mut key = Key::ZERO;
        self.finish_to(&mut key);
        key
    }

    /// Runs the remaining iterations and writes the key to where it stays, for the C library: on a microcontroller, each move
    /// of a key or a derivation leaves a copy on the stack.
    #[doc(hidden)]
    pub fn finish_to(&mut self, key: &mut Key) {
        self.chain.advance(u32::MAX);
        key.set_digest(&self.chain.sum);
    }
}

/// One derivation of [`derive_many`].
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The master key.
    pub master: &'a MasterKey,
    /// The salt, of any length.
    pub salt: &'a [u8],
    /// The iteration count.
    pub iterations: NonZeroU32,
}

/// The greatest number of derivations that run together.
const BATCH: usize = 32;

/// The greatest number of output blocks that run together. Without `simd`, blocks run one after another, so more than
/// one would only take stack.
const BLOCKS: usize = if cfg!(feature = "simd") { BATCH } else { 1 };

/// Derives the key of each job and writes it to the element of `out` with the same index. If `out` is longer than
/// `jobs`, the rest of `out` is unchanged.
///
/// With the feature `simd`, several derivations run at once, on the back end that is fastest on this CPU for their
/// number.
pub fn derive_many(jobs: &[Job<'_>], out: &mut [Key]) {
    derive_many_by(Backend::Best, jobs, out);
}

/// Derives keys as [`derive_many`] does, in slices: up to 32 derivations run together, each as many iterations as a slice
/// has.
///
/// # Errors
/// [`Error::Cancelled`] if `pace` cancels. The elements of `out` that `jobs` has are then zero.
pub fn derive_many_in_slices(jobs: &[Job<'_>], out: &mut [Key], pace: &dyn Pace) -> Result<(), Error> {
    let derived = derive_paced(jobs, out, pace, |chains, steps| advance(chains, steps, Backend::Best));
    if derived.is_err() {
        out.iter_mut().zip(jobs).for_each(|(out, _)| *out = Key::from_bytes(&[0; 32]));
    }
    derived
}

/// Derives keys as [`derive_many`] does, on a back end that the caller chooses. For tests and benchmarks.
#[doc(hidden)]
pub fn derive_many_by(backend: Backend, jobs: &[Job<'_>], out: &mut [Key]) {
    derive_with(jobs, out, |chains, steps| advance(chains, steps, backend));
}

/// Derives keys as [`derive_many`] does. `advance` runs the given number of iterations of each chain.
fn derive_with(jobs: &[Job<'_>], out: &mut [Key], advance: impl FnMut(&mut [&mut Chain], u32)) {
    // This pace never cancels.
    let _ = derive_paced(jobs, out, &AtOnce, advance);
}

/// Derives keys as [`derive_with`] does, in slices.
fn derive_paced(
    jobs: &[Job<'_>],
    out: &mut [Key],
    pace: &dyn Pace,
    mut advance: impl FnMut(&mut [&mut Chain], u32),
) -> Result<(), Error> {
    for (jobs, out) in jobs.chunks(BATCH).zip(out.chunks_mut(BATCH)) {
        let mut chains: Vec<Chain, BATCH> =
            jobs.iter().map(|job| Chain::new(job.master.as_bytes(), job.salt, job.iterations)).collect();
        run(&mut chains, pace, &mut advance)?;
        for (chain, out) in chains.iter().zip(out) {
            out.set_digest(&chain.sum);
        }
    }
    Ok(())
}

/// Runs all iterations of `chains`, of which there are at most [`BATCH`]. Chains with fewer iterations drop out when
/// they end.
fn run(chains: &mut [Chain], pace: &dyn Pace, mut advance: impl FnMut(&mut [&mut Chain], u32)) -> Result<(), Error> {
    loop {
        let mut active: Vec<&mut Chain, BATCH> = chains.iter_mut().filter(|chain| chain.left > 0).collect();
        let Some(steps) = active.iter().map(|chain| chain.left).min() else { return Ok(()) };
        let slice = pace.next_slice().ok_or(Error::Cancelled)?;
        advance(&mut active, steps.min(slice.get()));
    }
}

/// Returns the greatest number of derivations that take no longer on one core than `count` derivations do; it is at
/// least `count`. A thread that is given this many uses all lanes of its vectors.
#[must_use]
pub fn full_batch(count: usize) -> usize {
    // Whole batches are full. Only the remainder can be filled up.
    match count % BATCH {
        0 => count,
        rest => count - rest + simd::full_batch(rest),
    }
}

/// Computes PBKDF2-HMAC-SHA256 (RFC 8018 §5.2) with any password, salt and output length. Each 32 bytes of output are a
/// chain of their own; as in [`derive_many`], several chains may run at once.
pub fn pbkdf2(password: &[u8], salt: &[u8], iterations: NonZeroU32, out: &mut [u8]) {
    // This pace never cancels.
    let _ = pbkdf2_in_slices(password, salt, iterations, &AtOnce, out);
}

/// Computes PBKDF2 as [`pbkdf2`] does, in slices.
///
/// # Errors
/// [`Error::Cancelled`] if `pace` cancels. `out` is then zeroed.
pub fn pbkdf2_in_slices(
    password: &[u8],
    salt: &[u8],
    iterations: NonZeroU32,
    pace: &dyn Pace,
    out: &mut [u8],
) -> Result<(), Error> {
    // HMAC hashes a key of more than 64 bytes (RFC 2104 §2).
    let mut hashed = Zeroizing::new([0; 32]);
    let key = if password.len() > 64 {
        mac::write(&mac::hash(&mac::INITIAL, 0, password, Suffix::None), &mut hashed);
        &*hashed
    } else {
        password
    };
    let mut number = 0_u32;
    for part in out.chunks_mut(32 * BLOCKS) {
        let mut chains: Vec<Chain, BLOCKS> = (0..part.len().div_ceil(32))
            .map(|_| {
                number += 1;
                Chain::start(key, salt, Suffix::block(number), iterations)
            })
            .collect();
        if let Err(error) = run(&mut chains, pace, |chains, steps| advance(chains, steps, Backend::Best)) {
            out.zeroize();
            return Err(error);
        }
        for (chain, out) in chains.iter().zip(part.chunks_mut(32)) {
            let mut block = Zeroizing::new([0; 32]);
            mac::write(&chain.sum, &mut block);
            out.iter_mut().zip(&*block).for_each(|(slot, byte)| *slot = *byte);
        }
    }
    Ok(())
}

/// One PBKDF2 output block that is being computed: the two hash states after the key, the last HMAC and the sum so far.
#[derive(Zeroize, ZeroizeOnDrop)]
#[repr(C)]
pub(crate) struct Chain {
    /// The SHA-256 state after the key block xored with `0x36` (RFC 2104 §2).
    inner: [u32; 8],
    /// The SHA-256 state after the key block xored with `0x5c`.
    outer: [u32; 8],
    /// The last HMAC, U in RFC 8018 §5.2.
    u: [u32; 8],
    /// The exclusive or of every U so far. When `left` is 0, it is the result.
    sum: [u32; 8],
    /// The number of iterations that are left.
    left: u32,
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chain(hidden)")
    }
}

impl Chain {
    /// Starts output block 1 and runs its first iteration.
    fn new(key: &[u8; 64], salt: &[u8], iterations: NonZeroU32) -> Self {
        Self::start(key, salt, Suffix::BLOCK_1, iterations)
    }

    /// Starts the output block with the given number and runs its first iteration.
    #[inline] // so that a chain is made where it stays, not copied
    fn start(key: &[u8], salt: &[u8], number: Suffix, iterations: NonZeroU32) -> Self {
        let inner = Zeroizing::new(mac::state(key, Pad::Inner));
        let outer = Zeroizing::new(mac::state(key, Pad::Outer));
        // U1 = HMAC(key, salt ‖ number). The salt may have any length.
        let u = mac::compute(&inner, &outer, 0, salt, number);
        Self { inner: *inner, outer: *outer, u, sum: u, left: iterations.get() - 1 }
    }

    /// Runs at most `budget` iterations.
    fn advance(&mut self, budget: u32) {
        let steps = self.left.min(budget);
        if cfg!(feature = "simd") {
            advance(&mut [self], steps, Backend::Best);
        } else {
            self.step(steps);
            self.left -= steps;
        }
    }

    /// Runs at most `budget` iterations with another compression function.
    fn advance_with(&mut self, budget: u32, compress: &mut dyn FnMut(&mut State, &[u8; 64])) {
        let steps = self.left.min(budget);
        for _ in 0..steps {
            mac::rehash_with(&self.inner, &mut self.u, compress);
            mac::rehash_with(&self.outer, &mut self.u, compress);
            self.sum.iter_mut().zip(&self.u).for_each(|(sum, u)| *sum ^= u);
        }
        self.left -= steps;
    }

    /// Runs `steps` iterations in portable code. The caller updates `left`.
    #[inline(never)] // out of line: inlined, each caller of `advance` would hold a copy in flash
    fn step(&mut self, steps: u32) {
        for _ in 0..steps {
            mac::rehash(&self.inner, &mut self.u);
            mac::rehash(&self.outer, &mut self.u);
            self.sum.iter_mut().zip(&self.u).for_each(|(sum, u)| *sum ^= u);
        }
    }
}

/// The only back end of a build without the feature `simd`.
#[cfg(not(feature = "simd"))]
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub enum Backend {
    /// Portable code.
    Best,
}

#[cfg(not(feature = "simd"))]
impl Backend {
    /// All back ends.
    pub const ALL: &'static [Self] = &[Self::Best];

    /// Returns whether this CPU supports the back end.
    #[must_use]
    pub fn is_available(self) -> bool {
        true
    }
}

#[cfg(not(feature = "simd"))]
mod simd {
    /// Returns `count`: chains run one after another, so all batch sizes are equally good.
    pub(super) fn full_batch(count: usize) -> usize {
        count
    }
}

/// Runs `steps` iterations of each chain. Each chain must have at least that many left.
#[cfg(not(feature = "simd"))]
#[inline]
fn advance(chains: &mut [&mut Chain], steps: u32, _: Backend) {
    for chain in chains {
        chain.step(steps);
        chain.left -= steps;
    }
}
