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
use simd::advance;
#[cfg(feature = "simd")]
#[doc(hidden)]
pub use simd::{Backend, Kernel};

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

/// Blocks of an output that are begun together, at most: where one is worked on at a time, more would only take stack.
const BLOCKS: usize = if cfg!(feature = "simd") { BATCH } else { 1 };

/// Derives the key of each job into the same place of `out`; what has no counterpart is left alone.
/// With the feature `simd` several are done at once, by what is fastest on this processor for that many.
pub fn derive_many(jobs: &[Job<'_>], out: &mut [Key]) {
    derive_many_by(Backend::Best, jobs, out);
}

/// As [`derive_many`], by a back end that the caller chooses: for tests and benches.
#[doc(hidden)]
pub fn derive_many_by(backend: Backend, jobs: &[Job<'_>], out: &mut [Key]) {
    derive_with(jobs, out, |chains, steps| advance(chains, steps, backend));
}

/// As [`derive_many`], by `advance`, which does so many iterations of each chain.
fn derive_with(jobs: &[Job<'_>], out: &mut [Key], mut advance: impl FnMut(&mut [&mut Chain], u32)) {
    for (jobs, out) in jobs.chunks(BATCH).zip(out.chunks_mut(BATCH)) {
        let mut chains: Vec<Chain, BATCH> =
            jobs.iter().map(|job| Chain::new(job.master.as_bytes(), job.salt, job.iterations)).collect();
        run(&mut chains, &mut advance);
        for (chain, out) in chains.iter().zip(out) {
            *out = chain.key();
        }
    }
}

/// Does all iterations of `chains`, at most [`BATCH`]. Those with fewer drop out on the way.
fn run(chains: &mut [Chain], mut advance: impl FnMut(&mut [&mut Chain], u32)) {
    loop {
        let mut active: Vec<&mut Chain, BATCH> = chains.iter_mut().filter(|chain| chain.left > 0).collect();
        let Some(steps) = active.iter().map(|chain| chain.left).min() else { break };
        advance(&mut active, steps);
    }
}

/// The most derivations that take no longer on one core than `count` do, `count` among them: what a thread is given, so that
/// it works with all lanes of its vectors.
#[must_use]
pub fn full_batch(count: usize) -> usize {
    // Whole batches come first; what they leave decides.
    match count % BATCH {
        0 => count,
        rest => count - rest + simd::full_batch(rest),
    }
}

/// PBKDF2-HMAC-SHA256 with any password, salt and output length (RFC 8018 §5.2). Each 32 bytes of output are a derivation of
/// their own: several are done at once, as by [`derive_many`].
pub fn pbkdf2(password: &[u8], salt: &[u8], iterations: NonZeroU32, out: &mut [u8]) {
    // HMAC hashes a longer key (RFC 2104 §2).
    let mut hashed = Zeroizing::new([0; 32]);
    let key = if password.len() > 64 {
        mac::write(&mac::hash(&mac::INITIAL, 0, password, Suffix::None), &mut hashed);
        &*hashed
    } else {
        password
    };
    let states = Zeroizing::new(mac::states(key));
    let mut number = 0_u32;
    for out in out.chunks_mut(32 * BLOCKS) {
        let mut chains: Vec<Chain, BLOCKS> = (0..out.len().div_ceil(32))
            .map(|_| {
                number += 1;
                Chain::start(&states, salt, Suffix::block(number), iterations)
            })
            .collect();
        run(&mut chains, |chains, steps| advance(chains, steps, Backend::Best));
        for (chain, out) in chains.iter().zip(out.chunks_mut(32)) {
            let mut block = Zeroizing::new([0; 32]);
            mac::write(&chain.sum, &mut block);
            out.iter_mut().zip(&*block).for_each(|(slot, byte)| *slot = *byte);
        }
    }
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
        Self::start(&states, salt, Suffix::BLOCK_1, iterations)
    }

    /// Starts the block that `number` says, from the states after the key, and does its first iteration.
    fn start(states: &[mac::State; 2], salt: &[u8], number: Suffix, iterations: NonZeroU32) -> Self {
        // U1 = HMAC(key, salt ‖ number); the salt may be of any length.
        let u = mac::compute(states, salt, number);
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

#[cfg(not(feature = "simd"))]
impl Backend {
    /// All that there are.
    pub const ALL: &'static [Self] = &[Self::Best];

    /// Whether this processor has it.
    #[must_use]
    pub fn is_available(self) -> bool {
        true
    }
}

#[cfg(not(feature = "simd"))]
mod simd {
    /// One chain after the other: no number is better than another.
    pub(super) fn full_batch(count: usize) -> usize {
        count
    }
}

/// Does `steps` iterations of each chain, of which each has at least as many left.
#[cfg(not(feature = "simd"))]
fn advance(chains: &mut [&mut Chain], steps: u32, _: Backend) {
    for chain in chains {
        chain.step(steps);
        chain.left -= steps;
    }
}
