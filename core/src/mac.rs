//! HMAC-SHA256 (RFC 2104), over the compression function of the crate `sha2`.
//!
//! The two hash states after the padded key are computed once for each key. PBKDF2 needs them for its chain. The MAC of
//! a token uses the same code, so that firmware contains one HMAC. The tests compare it with the crate `hmac`.

use core::slice;

use sha2::block_api::compress256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::compact::COMPACT;
use crate::sha256::{self, State};

/// The block length of SHA-256 in bytes, and so the length that HMAC pads or hashes every key to (RFC 2104 §2).
pub(crate) const BLOCK_LEN: usize = 64;

/// The state before any input (FIPS 180-4 §5.3.3).
pub(crate) const INITIAL: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Runs the compression function of `sha2`, or in a compact build that of [`sha256`]. It is out of line on x86-64: a
/// build with SHA instructions enabled (`-C target-cpu=native`) would otherwise inline them between AVX instructions,
/// which makes them a hundred times slower on Intel (`kdf/simd/sha_ni.rs` explains why). Before a call, the compiler
/// zeroes the upper halves of the vector registers.
#[cfg_attr(target_arch = "x86_64", inline(never))]
fn compress(state: &mut State, blocks: &[[u8; BLOCK_LEN]]) {
    if COMPACT {
        for block in blocks {
            let mut words = [0; 16];
            words.iter_mut().zip(block.as_chunks().0).for_each(|(word, bytes)| *word = u32::from_be_bytes(*bytes));
            sha256::compress(state, &words);
        }
        return;
    }
    compress256(state, blocks);
}

/// The bytes that PBKDF2 appends to a message, followed by the 1 bit with which SHA-256's padding begins (FIPS 180-4 §5.1.1).
#[derive(Clone, Copy)]
pub(crate) enum Suffix {
    /// No bytes are appended.
    None,
    /// The number of one of PBKDF2's output blocks, in four bytes (RFC 8018 §5.2), and the 1 bit.
    Block([u8; 5]),
}

impl Suffix {
    /// The number of PBKDF2's first output block.
    pub(crate) const BLOCK_1: Self = Self::block(1);

    /// Returns the suffix for the PBKDF2 output block `number`, counted from 1.
    pub(crate) const fn block(number: u32) -> Self {
        let [a, b, c, d] = number.to_be_bytes();
        Self::Block([a, b, c, d, 0x80])
    }

    const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::None => &[0x80],
            Self::Block(bytes) => bytes,
        }
    }
}

/// What a key is xored with for the inner and for the outer hash of an HMAC (RFC 2104 §2).
#[derive(Clone, Copy)]
pub(crate) enum Pad {
    Inner = 0x36,
    Outer = 0x5c,
}

/// Returns the hash state after a key of at most 64 bytes, which is padded with zeros to a block.
#[inline(never)] // out of line: inlined, each caller would hold copies in flash
pub(crate) fn state(key: &[u8], pad: Pad) -> State {
    let (mut state, pad) = (INITIAL, pad as u8);
    if COMPACT {
        let mut hash = ByteHash::new(&mut state);
        for at in 0..BLOCK_LEN {
            hash.push(key.get(at).copied().unwrap_or(0) ^ pad);
        }
    } else {
        let mut block = Zeroizing::new([pad; 64]);
        block.iter_mut().zip(key).for_each(|(slot, byte)| *slot ^= byte);
        compress(&mut state, slice::from_ref(&block));
    }
    state
}

/// Returns the MAC of `message ‖ suffix`, given the states after the key. `before` bytes of the message, whole blocks, are
/// already in the inner state.
pub(crate) fn compute(inner: &State, outer: &State, before: usize, message: &[u8], suffix: Suffix) -> State {
    let mut digest = hash(inner, BLOCK_LEN + before, message, suffix);
    rehash(outer, &mut digest);
    digest
}

/// The MAC of a message that is written to a buffer from front to back, computed while it is written.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct IncrementalMac {
    /// The state after the key, which continues with the message.
    inner: State,
    outer: State,
    /// How many bytes of the message are in the inner state: whole blocks.
    hashed: usize,
}

impl IncrementalMac {
    /// Starts the MAC of an empty message.
    pub(crate) fn new(key: &[u8]) -> Self {
        Self { inner: state(key, Pad::Inner), outer: state(key, Pad::Outer), hashed: 0 }
    }

    /// Hashes the whole blocks that are new in `message`, which is the complete message so far.
    pub(crate) fn grow(&mut self, message: &[u8]) {
        let (_, rest) = message.split_at(self.hashed);
        let (blocks, _) = rest.as_chunks::<BLOCK_LEN>();
        compress(&mut self.inner, blocks);
        self.hashed += blocks.as_flattened().len();
    }

    /// Returns the MAC of `message`, which begins with the message that was passed to [`IncrementalMac::grow`] last.
    pub(crate) fn finish(&self, message: &[u8]) -> State {
        let (_, rest) = message.split_at(self.hashed);
        compute(&self.inner, &self.outer, self.hashed, rest, Suffix::None)
    }
}

/// The MAC of a message that arrives in pieces and is not kept.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct StreamingMac {
    /// The state after the key, which continues with the message.
    inner: State,
    outer: State,
    block: [u8; BLOCK_LEN],
    len: usize,
}

impl StreamingMac {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self { inner: state(key, Pad::Inner), outer: state(key, Pad::Outer), block: [0; BLOCK_LEN], len: 0 }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        absorb(&mut self.inner, &mut self.block, &mut self.len, bytes);
    }

    /// Returns the MAC of all bytes so far.
    pub(crate) fn finish(&self) -> State {
        let before = len_before_last_block(self.len);
        compute(&self.inner, &self.outer, before, self.block.split_at(self.len - before).0, Suffix::None)
    }
}

/// Returns the SHA-256 digest of a message of which `before` bytes (whole blocks) are already in `state`, and
/// `message ‖ suffix` is the rest.
#[inline(never)] // out of line: inlined, its block would be on the stack together with that of `finish`
pub(crate) fn hash(state: &State, before: usize, message: &[u8], suffix: Suffix) -> State {
    let mut state = *state;
    if COMPACT {
        ByteHash::new(&mut state).finish(before, message, suffix);
        return state;
    }
    let (blocks, tail) = message.as_chunks::<64>();
    compress(&mut state, blocks);
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
    // The last block ends with the message's length in bits, in which the byte of the 1 bit does not count.
    let bits = (len - 1) as u64 * 8;
    block.iter_mut().skip(56).zip(bits.to_be_bytes()).for_each(|(slot, byte)| *slot = byte);
    flush(&mut state, &mut block);
    state
}

/// SHA-256 byte by byte, for a compact build. It keeps words and no bytes, so that it needs no conversion.
struct ByteHash<'s> {
    state: &'s mut State,
    block: Zeroizing<sha256::Block>,
    /// How many bytes were pushed.
    len: usize,
}

impl<'s> ByteHash<'s> {
    fn new(state: &'s mut State) -> Self {
        Self { state, block: Zeroizing::default(), len: 0 }
    }

    #[inline(never)] // out of line: it has four callers
    fn push(&mut self, byte: u8) {
        // Each byte moves the bytes before it up. After four, none of the block before is left.
        if let Some(word) = self.block.get_mut(self.len / 4 % 16) {
            *word = *word << 8 | u32::from(byte);
        }
        self.len += 1;
        if self.len.is_multiple_of(BLOCK_LEN) {
            sha256::compress(self.state, &self.block);
        }
    }

    /// Hashes `message ‖ suffix` and the padding, as [`hash`] does.
    fn finish(mut self, before: usize, message: &[u8], suffix: Suffix) {
        message.iter().for_each(|byte| self.push(*byte));
        suffix.as_bytes().iter().for_each(|byte| self.push(*byte));
        // The message's length in bits, in which the byte of the 1 bit does not count. Zeros come before it.
        let bits = (before + self.len - 1) as u64 * 8;
        while self.len % BLOCK_LEN != BLOCK_LEN - 8 {
            self.push(0);
        }
        bits.to_be_bytes().iter().for_each(|byte| self.push(*byte));
    }
}

/// Hashes `block` and zeroes it for the next one.
#[inline(never)] // out of line: inlined, its three callers would each hold a copy in flash
fn flush(state: &mut State, block: &mut [u8; 64]) {
    compress(state, slice::from_ref(block));
    block.fill(0);
}

/// Replaces `digest` by the SHA-256 digest of `key block ‖ digest`, given the state after the key block. Takes one compression.
pub(crate) fn rehash(state: &State, digest: &mut State) {
    if COMPACT {
        // The same as below, but without a conversion to bytes.
        let mut block = [0; 16];
        block.iter_mut().zip(&*digest).for_each(|(slot, word)| *slot = *word);
        [block[8], block[15]] = [0x8000_0000, (64 + 32) * 8];
        *digest = *state;
        sha256::compress(digest, &block);
        return;
    }
    rehash_with(state, digest, &mut |state, block| compress(state, slice::from_ref(block)));
}

/// Does what [`rehash`] does, by the compression function `compress`.
#[inline]
pub(crate) fn rehash_with(
    state: &State,
    digest: &mut State,
    compress: &mut (impl FnMut(&mut State, &[u8; 64]) + ?Sized),
) {
    let mut block = [0_u8; 64];
    block.as_chunks_mut::<4>().0.iter_mut().zip(&*digest).for_each(|(slot, word)| *slot = word.to_be_bytes());
    // The padding: the 1 bit, and the length in bits.
    block[32] = 0x80;
    [block[62], block[63]] = ((64 + 32) * 8_u16).to_be_bytes();
    *digest = *state;
    compress(digest, &block);
}

/// Appends `bytes` to a message that arrives in pieces and is `len` bytes long so far. `state` is the state after all
/// blocks before the last one. `block` begins with the bytes of the last block, which may be full.
pub(crate) fn absorb(state: &mut State, block: &mut [u8; BLOCK_LEN], len: &mut usize, bytes: &[u8]) {
    for byte in bytes {
        let at = *len % BLOCK_LEN;
        if at == 0 && *len > 0 {
            compress(state, slice::from_ref(block));
        }
        if let Some(slot) = block.get_mut(at) {
            *slot = *byte;
        }
        *len += 1;
    }
}

/// The SHA-256 of a public message that arrives in pieces. It does not wipe its memory.
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
        let before = len_before_last_block(self.len);
        hash(&self.state, before, self.block.split_at(self.len - before).0, Suffix::None)
    }
}

/// Returns the length of all blocks before the last one of a message that [`absorb`] was given.
pub(crate) const fn len_before_last_block(len: usize) -> usize {
    len.saturating_sub(1) / BLOCK_LEN * BLOCK_LEN
}

/// Writes a digest as bytes to its destination. A returned array could leave a copy on the stack, and the digest may be
/// a key.
pub(crate) fn write(digest: &State, out: &mut [u8; 32]) {
    for (slot, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(digest) {
        *slot = word.to_be_bytes();
    }
}
