//! HMAC-SHA256 (RFC 2104) of a message that is there as a whole, over the compression function of `sha2`.
//! What never changes under a key is worked out once and kept: the two hash states after the padded key.
//! PBKDF2 needs these states for its chain; the MAC of a token shares them, and firmware has one HMAC, not two.

use core::slice;
use sha2::block_api::compress256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A state of SHA-256, and as the last one its digest.
pub(crate) type State = [u32; 8];

/// The bytes of a block of SHA-256, and so the width to which HMAC brings every key (RFC 2104 §2).
pub(crate) const BLOCK_LEN: usize = 64;

/// The state before any input (FIPS 180-4 §5.3.3).
pub(crate) const INITIAL: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// What follows a message, and the set bit that SHA-256 puts behind it (FIPS 180-4 §5.1.1).
#[derive(Clone, Copy)]
pub(crate) enum Suffix {
    /// Nothing.
    None,
    /// The number of PBKDF2's first block, in four bytes (RFC 8018 §5.2).
    Block1,
}

impl Suffix {
    const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::None => &[0x80],
            Self::Block1 => &[0, 0, 0, 1, 0x80],
        }
    }
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
pub(crate) fn compute(states: &[State; 2], message: &[u8], suffix: Suffix) -> State {
    mac_of_rest(states, 0, message, suffix)
}

/// The MAC of what ends with `message` and `end`; the inner state is past the `before` bytes (whole blocks) ahead of them.
fn mac_of_rest([inner, outer]: &[State; 2], before: usize, message: &[u8], suffix: Suffix) -> State {
    let mut digest = hash(inner, 64 + before, message, suffix);
    let mac = finish(outer, &digest);
    digest.zeroize();
    mac
}

/// The MAC of a message that grows, as far as it is known.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct IncrementalMac {
    /// The states after the key; the inner one goes on with the message.
    states: [State; 2],
    /// How many bytes of the message the inner one is past: whole blocks.
    hashed: usize,
}

impl IncrementalMac {
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
    pub(crate) fn finish(&self, message: &[u8], suffix: Suffix) -> State {
        mac_of_rest(&self.states, self.hashed, message.get(self.hashed..).unwrap_or_default(), suffix)
    }
}

/// The hash of what ends with `message` and `end`, from the state after the `before` bytes (whole blocks) ahead of them.
#[inline(never)] // its block would lie on the stack beneath that of `finish`
pub(crate) fn hash(state: &State, before: usize, message: &[u8], suffix: Suffix) -> State {
    let mut state = *state;
    let (blocks, tail) = message.as_chunks::<64>();
    compress256(&mut state, blocks);
    let mut block = Zeroizing::new([0_u8; 64]);
    block.iter_mut().zip(tail).for_each(|(slot, byte)| *slot = *byte);
    let (mut at, mut len) = (tail.len(), before + message.len());
    for byte in suffix.as_bytes() {
        if at == 64 {
            flush(&mut state, &mut block);
            at = 0;
        }
        if let Some(slot) = block.get_mut(at) {
            *slot = *byte;
        }
        at += 1;
        len += 1;
    }
    if at > 56 {
        flush(&mut state, &mut block);
    }
    // The last block ends with the length in bits; the byte of the set bit does not count.
    let bits = (len - 1) as u64 * 8;
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

/// Takes the next bytes of a message that arrives in pieces: `state` is that after all whole blocks but the last, `block` begins
/// with the rest of the message, `len` is the length of the message so far.
pub(crate) fn absorb(state: &mut State, block: &mut [u8; BLOCK_LEN], len: &mut usize, bytes: &[u8]) {
    for byte in bytes {
        let at = *len % BLOCK_LEN;
        if at == 0 && *len > 0 {
            compress256(state, slice::from_ref(block));
        }
        if let Some(slot) = block.get_mut(at) {
            *slot = *byte;
        }
        *len += 1;
    }
}

/// SHA-256 of a message that arrives in pieces and is no secret: nothing is wiped.
pub(crate) struct Hasher {
    state: State,
    block: [u8; BLOCK_LEN],
    len: usize,
}

impl Hasher {
    pub(crate) const fn new() -> Self {
        Self { state: INITIAL, block: [0; BLOCK_LEN], len: 0 }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        absorb(&mut self.state, &mut self.block, &mut self.len, bytes);
    }

    pub(crate) fn digest(&self) -> State {
        let whole = self.len.saturating_sub(1) / BLOCK_LEN * BLOCK_LEN;
        hash(&self.state, whole, self.block.get(..self.len - whole).unwrap_or_default(), Suffix::None)
    }
}

/// Writes a digest as bytes: to where it stays, because it may be a key.
pub(crate) fn write(digest: &State, out: &mut [u8; 32]) {
    for (slot, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(digest) {
        *slot = word.to_be_bytes();
    }
}
