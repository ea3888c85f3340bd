//! AES-128-CBC for microcontrollers (FIPS 197, SP 800-38A), in a build with the feature `compact`. There are two versions,
//! and a build contains one:
//!
//! - [`crate_round`] takes the round of AES from the crate `aes`, and adds the key schedule and the inverse cipher.
//! - [`computed`], with the feature `small-aes`, is AES of our own. It takes 1.4 to 1.7 KB less of flash, and four times as
//!   long for each block.
//!
//! The tests compare both with the cipher of the crate. Nothing in them branches or indexes on data.

#[cfg(any(feature = "small-aes", test))]
mod computed;
#[cfg(any(not(feature = "small-aes"), test))]
mod crate_round;

#[cfg(feature = "small-aes")]
pub(crate) use computed::{decrypt, encrypt};
#[cfg(not(feature = "small-aes"))]
pub(crate) use crate_round::{decrypt, encrypt};

#[cfg(test)]
mod tests {
    extern crate std;

    use aes::Aes128;
    use aes::cipher::{BlockModeEncrypt, KeyIvInit};
    use std::vec::Vec;

    use super::{computed, crate_round};

    /// The length of a block, a key and an IV in bytes.
    const LEN: usize = 16;

    type Cipher = fn(&[u8; LEN], &[u8; LEN], &mut [[u8; LEN]]);

    #[test]
    fn blocks_are_encrypted_as_the_crate_aes_does_and_back() {
        let versions: [[Cipher; 2]; 2] =
            [[computed::encrypt, computed::decrypt], [crate_round::encrypt, crate_round::decrypt]];
        let mut random = 1_u32;
        let mut next = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            random.to_be_bytes()[0]
        };
        for count in (0..6).cycle().take(600) {
            let (key, iv): ([u8; LEN], [u8; LEN]) =
                (core::array::from_fn(|_| next()), core::array::from_fn(|_| next()));
            let plain: Vec<[u8; LEN]> = (0..count).map(|_| core::array::from_fn(|_| next())).collect();
            let mut wanted: Vec<aes::Block> = plain.iter().map(|block| aes::Block::from(*block)).collect();
            cbc::Encryptor::<Aes128>::new(&key.into(), &iv.into()).encrypt_blocks(&mut wanted);
            for [encrypt, decrypt] in versions {
                let mut found = plain.clone();
                encrypt(&key, &iv, &mut found);
                assert!(found.iter().zip(&wanted).all(|(found, wanted)| *wanted == *found), "{count} blocks");
                decrypt(&key, &iv, &mut found);
                assert_eq!(found, plain);
            }
        }
    }
}
