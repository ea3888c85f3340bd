//! AES-128-CBC over the round of the crate `aes` (`aes::hazmat`), with its S-box in constant time. This module adds the
//! key schedule and the inverse cipher, and needs no second S-box for them: on a Cortex-M0 that saves 1 500 bytes of flash,
//! and more if the firmware also seals. It takes about 30 000 instructions a block, nothing against a derivation.

use aes::Block;
use aes::hazmat::cipher_round;
use zeroize::Zeroizing;

/// The block length in bytes, and the length of a key.
const BLOCK: usize = 16;

/// Encrypts `blocks` in place, in CBC mode.
pub(crate) fn encrypt(key: &[u8; BLOCK], iv: &[u8; BLOCK], blocks: &mut [[u8; BLOCK]]) {
    let keys = RoundKeys::new(key);
    let mut before = *iv;
    for block in blocks {
        xor(block, &before);
        keys.encrypt(block);
        before = *block;
    }
}

/// Decrypts `blocks` in place, in CBC mode.
pub(crate) fn decrypt(key: &[u8; BLOCK], iv: &[u8; BLOCK], blocks: &mut [[u8; BLOCK]]) {
    let keys = RoundKeys::new(key);
    let mut before = *iv;
    for block in blocks {
        let next = *block;
        keys.decrypt(block);
        xor(block, &before);
        before = next;
    }
}

struct RoundKeys(Zeroizing<[[u8; BLOCK]; 11]>);

impl RoundKeys {
    /// Expands a key (FIPS 197 §5.2).
    #[inline(never)] // out of line, as the next two: inlined, `encrypt` and `decrypt` would hold copies in flash
    fn new(key: &[u8; BLOCK]) -> Self {
        let mut keys = Self(Zeroizing::new([[0; BLOCK]; 11]));
        let (mut now, mut constant) = (*key, 1);
        for slot in keys.0.iter_mut() {
            *slot = now;
            // RotWord and SubWord of the last word. Four equal columns stay as they are when rows shift.
            let [.., a, b, c, d] = now;
            let mut words = [0; BLOCK];
            words.as_chunks_mut().0.fill([b, c, d, a]);
            substitute(&mut words);
            let [mut word @ .., _, _, _, _, _, _, _, _, _, _, _, _] = words;
            word[0] ^= constant;
            constant = double(constant);
            for column in now.as_chunks_mut::<4>().0 {
                xor(column, &word);
                word = *column;
            }
        }
        keys
    }

    #[inline(never)]
    fn encrypt(&self, block: &mut [u8; BLOCK]) {
        let [first, middle @ .., last] = &*self.0;
        xor(block, first);
        for key in middle {
            cipher_round(block.into(), key.into());
        }
        substitute(block);
        xor(block, last);
    }

    #[inline(never)]
    fn decrypt(&self, block: &mut [u8; BLOCK]) {
        let [first, middle @ .., last] = &*self.0;
        xor(block, last);
        let mut keys = middle.iter().rev();
        loop {
            inv_substitute(block);
            let Some(key) = keys.next() else { break };
            xor(block, key);
            inv_mix_columns(block);
        }
        xor(block, first);
    }
}

/// SubBytes and ShiftRows: the cipher's round without its MixColumns.
#[inline(never)] // out of line, as the next one: it has three callers
fn substitute(block: &mut [u8; BLOCK]) {
    cipher_round(block.into(), &Block::default());
    inv_mix_columns(block);
}

/// Returns the product of a byte with x (FIPS 197 §4.2.1).
fn double(byte: u8) -> u8 {
    byte << 1 ^ (byte >> 7).wrapping_mul(0x1b)
}

/// MixColumns three times, which is its inverse, because four times change nothing.
#[inline(never)]
fn inv_mix_columns(block: &mut [u8; BLOCK]) {
    for column in block.as_chunks_mut::<4>().0 {
        for _ in 0..3 {
            let all = column.iter().fold(0, |all, byte| all ^ byte);
            let [mut next, ..] = *column;
            for slot in column.iter_mut().rev() {
                let byte = *slot;
                *slot ^= all ^ double(byte ^ next);
                next = byte;
            }
        }
    }
}

/// InvSubBytes and InvShiftRows.
///
/// S is the affine map A after the inverse I in the field, so the inverse of S is I after the inverse of A, which is the
/// inverse of A, S, and the inverse of A again. [`substitute`] also shifts the rows, and this must shift them back: twice
/// backwards, which exchanges the bytes of rows 1 and 3 with those two columns on.
fn inv_substitute(block: &mut [u8; BLOCK]) {
    inv_affine(block);
    substitute(block);
    let (left, right) = block.split_at_mut(BLOCK / 2);
    left.iter_mut().zip(right).skip(1).step_by(2).for_each(|(left, right)| core::mem::swap(left, right));
    inv_affine(block);
}

/// The inverse of the S-box's affine map: each bit is the sum of three (FIPS 197 §5.3.2).
fn inv_affine(block: &mut [u8; BLOCK]) {
    for byte in block {
        *byte = byte.rotate_left(1) ^ byte.rotate_left(3) ^ byte.rotate_left(6) ^ 0x05;
    }
}

fn xor<const LEN: usize>(block: &mut [u8; LEN], other: &[u8; LEN]) {
    block.iter_mut().zip(other).for_each(|(slot, byte)| *slot ^= byte);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_substitution_undoes_every_byte() {
        for byte in 0..=u8::MAX {
            let before: [u8; BLOCK] = core::array::from_fn(|at| byte.wrapping_add(at.to_le_bytes()[0]));
            let mut block = before;
            substitute(&mut block);
            inv_substitute(&mut block);
            assert_eq!(block, before);
        }
    }
}
