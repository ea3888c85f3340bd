//! HMAC-SHA256 (RFC 2104) of a message that is there as a whole, over the compression function of `sha2`.
//! What never changes under a key is worked out once and kept: the two hash states after the padded key.
//! PBKDF2 needs these states for its chain; the MAC of a token shares them, and firmware has one HMAC, not two.

use core::slice;
use sha2::block_api::compress256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A state of SHA-256, and as the last one its digest.
pub(crate) type State = [u32; 8];

/// The state before any input (FIPS 180-4 §5.3.3).
pub(crate) const INITIAL: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// What a message ends with, and the set bit that SHA-256 puts behind it (FIPS 180-4 §5.1.1).
#[derive(Clone, Copy)]
pub(crate) struct End(&'static [u8]);

impl End {
    /// Nothing.
    pub(crate) const PLAIN: Self = Self(&[0x80]);
    /// The number of PBKDF2's first block.
    pub(crate) const BLOCK_1: Self = Self(&[0, 0, 0, 1, 0x80]);
}

/// The states after the key, of at most 64 bytes: filled up with zeros to a block, and xored with `0x36` (the inner) and
/// `0x5c` (the outer).
pub(crate) fn states(key: &[u8]) -> [State; 2] {
    let mut states = [INITIAL; 2];
    let mut block = Zeroizing::new([0_u8; 64]);
    for (state, pad) in states.iter_mut().zip([0x36, 0x5c]) {
        block.fill(pad);
        block.iter_mut().zip(key).for_each(|(slot, byte)| *slot ^= byte);
        compress256(state, slice::from_ref(&block));
    }
    states
}

/// The MAC of `message` and `end`.
pub(crate) fn compute(states: &[State; 2], message: &[u8], end: End) -> State {
    mac_of_rest(states, 0, message, end)
}

/// The MAC of what ends with `message` and `end`; the inner state is past the `before` bytes (whole blocks) ahead of them.
fn mac_of_rest([inner, outer]: &[State; 2], before: usize, message: &[u8], end: End) -> State {
    let mut digest = hash(inner, 64 + before, message, end);
    let mac = finish(outer, &digest);
    digest.zeroize();
    mac
}

/// The MAC of a message that grows, as far as it is known.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Growing {
    /// The states after the key; the inner one goes on with the message.
    states: [State; 2],
    /// How many bytes of the message the inner one is past: whole blocks.
    hashed: usize,
}

impl Growing {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self { states: states(key), hashed: 0 }
    }

    /// Hashes those whole blocks of `message` that are new: it begins with all that was there the last time.
    pub(crate) fn grow(&mut self, message: &[u8]) {
        let [inner, _] = &mut self.states;
        let (blocks, _) = message.get(self.hashed..).unwrap_or_default().as_chunks::<64>();
        compress256(inner, blocks);
        self.hashed += blocks.as_flattened().len();
    }

    /// The MAC of `message`, which begins with all that was there the last time, and `end`.
    pub(crate) fn finish(&self, message: &[u8], end: End) -> State {
        mac_of_rest(&self.states, self.hashed, message.get(self.hashed..).unwrap_or_default(), end)
    }
}

/// The hash of what ends with `message` and `end`, from the state after the `before` bytes (whole blocks) ahead of them.
#[inline(never)] // its block would lie on the stack beneath that of `finish`
pub(crate) fn hash(state: &State, before: usize, message: &[u8], End(end): End) -> State {
    let mut state = *state;
    let (blocks, tail) = message.as_chunks::<64>();
    compress256(&mut state, blocks);
    let mut block = Zeroizing::new([0_u8; 64]);
    block.iter_mut().zip(tail).for_each(|(slot, byte)| *slot = *byte);
    for (at, byte) in (tail.len()..).zip(end) {
        if at == 64 {
            flush(&mut state, &mut block);
        }
        if let Some(slot) = block.get_mut(at % 64) {
            *slot = *byte;
        }
    }
    if (tail.len() + end.len() - 1) % 64 >= 56 {
        flush(&mut state, &mut block);
    }
    // At the end of the last block stands the length in bits, of which `end` has one byte too many.
    let bits = (before + message.len() + end.len() - 1) as u64 * 8;
    block.iter_mut().skip(56).zip(bits.to_be_bytes()).for_each(|(slot, byte)| *slot = byte);
    flush(&mut state, &mut block);
    state
}

/// Hashes a block and begins the next one.
#[inline(never)] // once, not three times
fn flush(state: &mut State, block: &mut [u8; 64]) {
    compress256(state, slice::from_ref(block));
    block.fill(0);
}

/// The hash of `key block ‖ digest`, from the state after the key block: one compression.
pub(crate) fn finish(state: &State, digest: &State) -> State {
    let mut block = [0_u8; 64];
    block.as_chunks_mut::<4>().0.iter_mut().zip(digest).for_each(|(slot, word)| *slot = word.to_be_bytes());
    // The set bit, and the length in bits.
    block[32] = 0x80;
    [block[62], block[63]] = ((64 + 32) * 8_u16).to_be_bytes();
    let mut state = *state;
    compress256(&mut state, slice::from_ref(&block));
    state
}

/// Writes a digest as bytes: to where it stays, because it may be a key.
pub(crate) fn write(digest: &State, out: &mut [u8; 32]) {
    for (slot, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(digest) {
        *slot = word.to_be_bytes();
    }
}
