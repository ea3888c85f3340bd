//! The compression function of SHA-256 (FIPS 180-4 §6.2.2) for microcontrollers, in place of the crate `sha2`. The crate's
//! compact variant takes 160 bytes more flash and 22 % more instructions on a Cortex-M0.
//!
//! Only a build with the feature `compact` uses it. The tests compare it with `sha2`. A change must be measured with
//! `tests/firmware/run.sh`, because a derivation spends nearly all of its time here.
#![allow(clippy::indexing_slicing)] // only arrays are indexed, by counters that stay below their lengths

use crate::compact::COMPACT;

/// A state of SHA-256. The last state of a message is its digest.
pub(crate) type State = [u32; 8];

/// A block of a message, as big-endian words.
pub(crate) type Block = [u32; 16];

/// Whether four rounds are written out, which saves the moves between the variables: 13 % fewer instructions for 292
/// bytes more flash on a Cortex-M0, 11 % for 416 bytes on RISC-V. On Arm it is on from Cortex-M3, which differs from
/// Cortex-M0 by 32-bit atomics: a Cortex-M4 gains 17 % for 220 bytes.
const FOUR_ROUNDS: bool = cfg!(any(feature = "fast", all(target_arch = "arm", target_has_atomic = "32"))) || !COMPACT;

/// The round constants (FIPS 180-4 §4.2.2).
#[rustfmt::skip] // eight columns, as in the standard
pub(crate) const K: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// Hashes one block into `state`.
#[inline(never)] // out of line: inlined, each caller would hold a copy in flash
pub(crate) fn compress(state: &mut State, block: &Block) {
    // The whole schedule before the rounds: two small loops keep their variables in registers, one large loop does not.
    let mut schedule = [0_u32; 64];
    schedule.iter_mut().zip(block).for_each(|(slot, word)| *slot = *word);
    for t in 0..48 {
        let (second, fifteenth) = (schedule[t + 1], schedule[t + 14]);
        // σ0 and σ1 of FIPS 180-4 §4.1.2, with nested rotations, which need fewer constants in registers.
        let sigma0 = (second.rotate_right(11) ^ second).rotate_right(7) ^ second >> 3;
        let sigma1 = (fifteenth.rotate_right(2) ^ fifteenth).rotate_right(17) ^ fifteenth >> 10;
        schedule[t + 16] = schedule[t].wrapping_add(sigma0).wrapping_add(schedule[t + 9]).wrapping_add(sigma1);
    }
    let mut working = *state;
    if FOUR_ROUNDS {
        for ([k0, k1, k2, k3], [w0, w1, w2, w3]) in K.as_chunks().0.iter().zip(schedule.as_chunks().0) {
            working = round(round(working, *k0, *w0), *k1, *w1);
            working = round(round(working, *k2, *w2), *k3, *w3);
        }
    } else {
        for (constant, word) in K.iter().zip(&schedule) {
            working = round(working, *constant, *word);
        }
    }
    state.iter_mut().zip(working).for_each(|(slot, word)| *slot = slot.wrapping_add(word));
}

#[inline(always)]
fn round([a, b, c, d, e, f, g, h]: State, constant: u32, word: u32) -> State {
    // Σ1 and Σ0 as 14, 5, 6 and 9, 11, 2: the sums are 25, 11, 6 and 22, 13, 2.
    let sum1 = ((e.rotate_right(14) ^ e).rotate_right(5) ^ e).rotate_right(6);
    let sum0 = ((a.rotate_right(9) ^ a).rotate_right(11) ^ a).rotate_right(2);
    let choice = (f ^ g) & e ^ g;
    let majority = (a & b) | ((a | b) & c);
    let t = h.wrapping_add(constant).wrapping_add(word).wrapping_add(choice).wrapping_add(sum1);
    [t.wrapping_add(sum0).wrapping_add(majority), a, b, c, d.wrapping_add(t), e, f, g]
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::block_api::compress256;

    #[test]
    fn a_block_is_hashed_as_sha2_hashes_it() {
        let mut random = 1_u32;
        let mut next = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            random.rotate_left(16) ^ random
        };
        for _ in 0..2000 {
            let (mut state, block): (State, Block) =
                (core::array::from_fn(|_| next()), core::array::from_fn(|_| next()));
            let mut bytes = [0; 64];
            bytes.as_chunks_mut().0.iter_mut().zip(&block).for_each(|(slot, word)| *slot = word.to_be_bytes());
            let mut wanted = state;
            compress256(&mut wanted, &[bytes]);
            compress(&mut state, &block);
            assert_eq!(state, wanted, "{block:x?}");
        }
    }
}
