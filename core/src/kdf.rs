//! PBKDF2-HMAC-SHA256 (RFC 8018 §5.2), the step from a master key to the key of one token.
//! A derivation is a chain of HMACs over one block; what never changes in it, the two hash states
//! after the padded key, is worked out once.

#[cfg(feature = "simd")]
mod simd;

use core::fmt;
use core::num::NonZeroU32;
use heapless::Vec;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::key::{Key, MasterKey};
use crate::mac::{self, Suffix};
#[cfg(feature = "simd")]
#[doc(hidden)]
pub use simd::Backend;
#[cfg(feature = "simd")]
use simd::advance;

/// The format's iteration count: 100 000. (A fuzzer would do little else: its build, and no release, makes do with 200.)
pub const ITERATIONS: NonZeroU32 =
    NonZeroU32::new(if cfg!(all(fuzzing, debug_assertions)) { 200 } else { 100_000 }).unwrap();

/// The 16 random bytes of a token that make its key its own.
pub type Salt = [u8; 16];

/// Derives the key of one token: PBKDF2's first block over `salt` (16 bytes in a token, any number here).
#[must_use]
#[inline(never)] // its states would lie on the stack of all that goes on with the key
pub fn derive(master: &MasterKey, salt: &[u8], iterations: NonZeroU32) -> Key {
    Derivation::new(master, salt, iterations).finish()
}

/// A derivation done in slices: between two of them a watchdog is fed, a button read, or the work given up.
#[derive(Debug)]
pub struct Derivation {
    chain: Chain,
    total: u32,
}

/// How far a [`Derivation`] has come, in iterations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Iterations done.
    pub done: u32,
    /// Iterations in all.
    pub total: u32,
}

impl Progress {
    /// Whether nothing is left to do.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.done == self.total
    }
}

impl Derivation {
    /// Starts what [`derive()`] does, with its first iteration.
    #[must_use]
    pub fn new(master: &MasterKey, salt: &[u8], iterations: NonZeroU32) -> Self {
        Self { chain: Chain::new(master.as_bytes(), salt, iterations), total: iterations.get() }
    }

    /// Does at most `budget` more iterations.
    pub fn advance(&mut self, budget: u32) -> Progress {
        self.chain.advance(budget);
        Progress { done: self.total - self.chain.left, total: self.total }
    }

    /// Does what is left and returns the key.
    #[must_use]
    pub fn finish(mut self) -> Key {
        self.chain.advance(u32::MAX);
        self.chain.key()
    }
}

/// One of many keys to derive.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The master key.
    pub master: &'a MasterKey,
    /// The salt, of any length.
    pub salt: &'a [u8],
    /// The iteration count.
    pub iterations: NonZeroU32,
}

/// Derivations that are begun together, at most.
const BATCH: usize = 32;

/// Derives the key of each job into the same place of `out`; what has no counterpart is left alone.
/// With the feature `simd` several are done at once, by what is fastest on this processor for that many.
pub fn derive_many(jobs: &[Job<'_>], out: &mut [Key]) {
    derive_many_by(Backend::Best, jobs, out);
}

/// As [`derive_many`], by a back end that the caller chooses: for tests and benches.
#[doc(hidden)]
pub fn derive_many_by(backend: Backend, jobs: &[Job<'_>], out: &mut [Key]) {
    for (jobs, out) in jobs.chunks(BATCH).zip(out.chunks_mut(BATCH)) {
        let mut chains: Vec<Chain, BATCH> =
            jobs.iter().map(|job| Chain::new(job.master.as_bytes(), job.salt, job.iterations)).collect();
        // Those with fewer iterations drop out on the way.
        loop {
            let mut active: Vec<&mut Chain, BATCH> = chains.iter_mut().filter(|chain| chain.left > 0).collect();
            let Some(steps) = active.iter().map(|chain| chain.left).min() else { break };
            advance(&mut active, steps, backend);
        }
        for (chain, out) in chains.iter().zip(out) {
            *out = chain.key();
        }
    }
}

/// PBKDF2-HMAC-SHA256 with any password, salt and output length (RFC 8018 §5.2).
pub fn pbkdf2(password: &[u8], salt: &[u8], iterations: NonZeroU32, out: &mut [u8]) {
    pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password, salt, iterations.get(), out);
}

/// One PBKDF2 block on its way: the two key states, the last HMAC and the sum so far.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Chain {
    /// SHA-256 state after the key block xored with `0x36`.
    inner: [u32; 8],
    /// SHA-256 state after the key block xored with `0x5c`.
    outer: [u32; 8],
    /// U, the last HMAC.
    u: [u32; 8],
    /// The exclusive or of every U so far: the result, once `left` is 0.
    sum: [u32; 8],
    /// Iterations still to do.
    left: u32,
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chain(hidden)")
    }
}

impl Chain {
    /// Starts block 1 and does its first iteration.
    fn new(key: &[u8; 64], salt: &[u8], iterations: NonZeroU32) -> Self {
        let states = Zeroizing::new(mac::states(key));
        // U1 = HMAC(key, salt ‖ 00000001); the salt may be of any length.
        let u = mac::compute(&states, salt, Suffix::Block1);
        let [inner, outer] = *states;
        Self { inner, outer, u, sum: u, left: iterations.get() - 1 }
    }

    /// Does at most `budget` iterations.
    fn advance(&mut self, budget: u32) {
        let steps = self.left.min(budget);
        advance(&mut [self], steps, Backend::Best);
    }

    /// The portable loop: `steps` iterations, which are not counted here.
    fn step(&mut self, steps: u32) {
        for _ in 0..steps {
            let inner = mac::finish(&self.inner, &self.u);
            self.u = mac::finish(&self.outer, &inner);
            self.sum.iter_mut().zip(&self.u).for_each(|(sum, u)| *sum ^= u);
        }
    }

    /// The result; meaningful once nothing is left to do.
    fn key(&self) -> Key {
        Key::from_digest(&self.sum)
    }
}

/// The one back end where there is no other.
#[cfg(not(feature = "simd"))]
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub enum Backend {
    /// The portable loop.
    Best,
}

/// Does `steps` iterations of each chain, of which each has at least as many left.
#[cfg(not(feature = "simd"))]
fn advance(chains: &mut [&mut Chain], steps: u32, _: Backend) {
    for chain in chains {
        chain.step(steps);
        chain.left -= steps;
    }
}
