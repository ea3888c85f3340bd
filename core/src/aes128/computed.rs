//! AES-128-CBC in 700 bytes of flash on a Cortex-M0. The S-box is neither a table nor a circuit but computed: [`multiply`]
//! does nearly all of the work. It takes about 130 000 instructions a block.

use zeroize::Zeroizing;

/// The block length in bytes, and the length of a key.
const LEN: usize = 16;

/// Four columns of four bytes. The first byte of a column is the lowest of its word.
type Block = [u32; 4];

/// The lowest bit of each byte. A product with it repeats a byte four times.
const ONES: u32 = 0x0101_0101;

/// The field's polynomial without its term of degree 8 (FIPS 197 §4.2).
const FIELD: u8 = 0x1b;
/// x⁸ + 1 without its term of degree 8. A product modulo this is a sum of rotated bytes, as the affine map of the S-box is.
const ROTATIONS: u8 = 0x01;

/// The factors of MixColumns and of its inverse (FIPS 197 §5.1.3 and §5.3.3).
const MIX: [u8; 4] = [2, 3, 1, 1];
const INV_MIX: [u8; 4] = [14, 11, 13, 9];

/// Encrypts `blocks` in place, in CBC mode.
pub(crate) fn encrypt(key: &[u8; LEN], iv: &[u8; LEN], blocks: &mut [[u8; LEN]]) {
    let mut keys = Zeroizing::new([Block::default(); 11]);
    expand(key, &mut keys);
    let mut block = load(iv);
    for bytes in blocks {
        xor_bytes(&mut block, bytes);
        encrypt_block(&keys, &mut block);
        store_sum(&block, &Block::default(), bytes);
    }
}

/// Decrypts `blocks` in place, in CBC mode.
pub(crate) fn decrypt(key: &[u8; LEN], iv: &[u8; LEN], blocks: &mut [[u8; LEN]]) {
    let mut keys = Zeroizing::new([Block::default(); 11]);
    expand(key, &mut keys);
    // From the last block to the first: each needs the ciphertext before it.
    let mut rest = blocks;
    while let Some((bytes, before)) = rest.split_last_mut() {
        let mut block = load(bytes);
        decrypt_block(&keys, &mut block);
        store_sum(&block, &load(before.last().unwrap_or(iv)), bytes);
        rest = before;
    }
}

/// Expands a key to the round keys (FIPS 197 §5.2).
#[inline(never)] // out of line, as the next ones: inlined, `encrypt` and `decrypt` would hold copies in flash
fn expand(key: &[u8; LEN], keys: &mut [Block; 11]) {
    let (mut now, mut constant) = (load(key), 1);
    for slot in keys {
        *slot = now;
        let [.., last] = now;
        let mut word = substitute(last.rotate_right(8)) ^ constant;
        constant = multiply(constant, 2, FIELD);
        for column in &mut now {
            *column ^= word;
            word = *column;
        }
    }
}

#[inline(never)]
fn encrypt_block(keys: &[Block; 11], block: &mut Block) {
    let [first, middle @ .., last] = keys;
    xor(block, first);
    let mut keys = middle.iter();
    loop {
        block.iter_mut().for_each(|column| *column = substitute(*column));
        shift_rows(block, 1);
        let Some(key) = keys.next() else { break };
        mix_columns(block, MIX);
        xor(block, key);
    }
    xor(block, last);
}

#[inline(never)]
fn decrypt_block(keys: &[Block; 11], block: &mut Block) {
    let [first, middle @ .., last] = keys;
    xor(block, last);
    let mut keys = middle.iter().rev();
    loop {
        shift_rows(block, 3);
        block.iter_mut().for_each(|column| *column = inv_substitute(*column));
        let Some(key) = keys.next() else { break };
        xor(block, key);
        mix_columns(block, INV_MIX);
    }
    xor(block, first);
}

/// Rotates row r of the columns to the left `times` × r times: ShiftRows for 1, its inverse for 3.
#[inline(never)]
fn shift_rows(block: &mut Block, times: usize) {
    for _ in 0..times {
        // First the rows from the second on, then those from the third on, then the last row.
        let mut rows = 0xffff_ff00;
        while rows != 0 {
            let [a, b, c, d] = *block;
            let take = |to: u32, from: u32| to ^ ((to ^ from) & rows);
            *block = [take(a, b), take(b, c), take(c, d), take(d, a)];
            rows <<= 8;
        }
    }
}

/// Multiplies each column, as a polynomial, by the one with the given factors: MixColumns or its inverse.
#[inline(never)]
fn mix_columns(block: &mut Block, factors: [u8; 4]) {
    for column in block {
        let mut rows = *column;
        *column = 0;
        for factor in factors {
            *column ^= multiply(rows, u32::from(factor) * ONES, FIELD);
            rows = rows.rotate_right(8);
        }
    }
}

/// SubBytes of four bytes (FIPS 197 §5.1.1): the inverse in the field, then the affine map.
#[inline(never)]
fn substitute(bytes: u32) -> u32 {
    multiply(0x1f * ONES, invert(bytes), ROTATIONS) ^ (0x63 * ONES)
}

/// InvSubBytes of four bytes (FIPS 197 §5.3.2).
fn inv_substitute(bytes: u32) -> u32 {
    invert(multiply(0x4a * ONES, bytes, ROTATIONS) ^ (0x05 * ONES))
}

/// Returns the inverse in the field of each of four bytes, and 0 for 0: its power 254.
#[inline(never)]
fn invert(bytes: u32) -> u32 {
    let mut power = bytes;
    for _ in 0..6 {
        power = multiply(multiply(power, power, FIELD), bytes, FIELD); // at last its power 127
    }
    multiply(power, power, FIELD)
}

/// Returns the products of four bytes each, as polynomials over bits, modulo x⁸ + `polynomial`. It does not multiply words that
/// depend on secrets: on some processors the time of a multiplication depends on its operands.
#[inline(never)]
fn multiply(mut a: u32, b: u32, polynomial: u8) -> u32 {
    let polynomials = u32::from_ne_bytes([polynomial; 4]);
    let mut product = 0;
    for bit in 0..8 {
        product ^= a & spread(b >> bit);
        a = (a & 0x7f7f_7f7f) << 1 ^ spread(a >> 7) & polynomials;
    }
    product
}

/// Returns, for each byte, its lowest bit in all eight places.
fn spread(bytes: u32) -> u32 {
    let bits = bytes & ONES;
    (bits << 8).wrapping_sub(bits)
}

fn xor(block: &mut Block, other: &Block) {
    block.iter_mut().zip(other).for_each(|(slot, word)| *slot ^= word);
}

// Each of these also computes a sum, because the compiler turns a plain copy into a call of `memcpy`, which takes 330 bytes
// of flash.

fn load(bytes: &[u8; LEN]) -> Block {
    let mut block = Block::default();
    xor_bytes(&mut block, bytes);
    block
}

#[inline(never)]
fn xor_bytes(block: &mut Block, bytes: &[u8; LEN]) {
    block.iter_mut().zip(bytes.as_chunks().0).for_each(|(word, bytes)| *word ^= u32::from_le_bytes(*bytes));
}

#[inline(never)]
fn store_sum(block: &Block, other: &Block, bytes: &mut [u8; LEN]) {
    let sums = block.iter().zip(other).map(|(a, b)| a ^ b);
    bytes.as_chunks_mut().0.iter_mut().zip(sums).for_each(|(bytes, sum)| *bytes = sum.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_substitution_undoes_every_byte() {
        for byte in 0..=u8::MAX {
            let word = u32::from_be_bytes([byte, byte ^ 0x5a, 0, 1]);
            assert_eq!(inv_substitute(substitute(word)), word);
        }
    }
}
