//! Derives in slices, with another compression function, and cancels at every slice. Keys are the same as in one piece.

use core::cell::Cell;
use std::num::NonZeroU32;

use fernseal_core::kdf::{self, Derivation, Job, Pace};
use fernseal_core::{Error, Key, MasterKey};
use sha2::block_api::compress256;

const ITERATIONS: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// Slices of `length` iterations, of which `left` are allowed.
struct Slices {
    length: u32,
    left: Cell<u32>,
}

impl Slices {
    fn new(length: u32, left: u32) -> Self {
        Self { length, left: Cell::new(left) }
    }
}

impl Pace for Slices {
    fn next_slice(&self) -> Option<NonZeroU32> {
        self.left.set(self.left.get().checked_sub(1)?);
        NonZeroU32::new(self.length)
    }
}

fn master() -> MasterKey {
    MasterKey::from_bytes(&[7; 32]).unwrap()
}

#[test]
fn slices_of_any_length_give_the_same_key() {
    let whole = kdf::derive(&master(), b"salt", ITERATIONS);
    for length in 1..=110 {
        let pace = Slices::new(length, 99_u32.div_ceil(length));
        let mut key = Key::from_bytes(&[0; 32]);
        kdf::derive_in_slices(&master(), b"salt", ITERATIONS, &pace, &mut key).unwrap();
        assert_eq!((key.as_bytes(), pace.left.get()), (whole.as_bytes(), 0), "slices of {length}");
    }
}

#[test]
fn a_cancelled_derivation_leaves_no_key() {
    let master = master();
    let jobs = [Job { master: &master, salt: b"salt", iterations: ITERATIONS }; 40];
    let mut keys: Vec<Key> = (0..41).map(|_| Key::from_bytes(&[0xa5; 32])).collect();
    let mut out = [0xa5; 100];
    // 10 slices for each batch of up to 32 keys; 4 blocks of output run together or one after another.
    for left in 0..10 {
        let mut key = Key::from_bytes(&[0xa5; 32]);
        let pace = Slices::new(10, left);
        let derived = kdf::derive_in_slices(&master, b"salt", ITERATIONS, &pace, &mut key);
        assert_eq!((derived, *key.as_bytes()), (Err(Error::Cancelled), [0xa5; 32]));
        let pace = Slices::new(10, left);
        assert_eq!(kdf::pbkdf2_in_slices(b"p", b"s", ITERATIONS, &pace, &mut out), Err(Error::Cancelled));
        assert_eq!(out, [0; 100]);
        let pace = Slices::new(10, 10 + left);
        assert_eq!(kdf::derive_many_in_slices(&jobs, &mut keys, &pace), Err(Error::Cancelled));
        assert!(keys[..40].iter().all(|key| *key.as_bytes() == [0; 32]), "{left}");
        assert_eq!(*keys[40].as_bytes(), [0xa5; 32]);
    }
}

#[test]
fn a_chips_sha256_gives_the_same_key() {
    let mut calls = 0;
    let mut compress = |state: &mut [u32; 8], block: &[u8; 64]| {
        calls += 1;
        compress256(state, &[*block]);
    };
    let mut derivation = Derivation::new(&master(), b"salt", ITERATIONS);
    assert_eq!(derivation.advance_with(40, &mut compress).done, 41);
    derivation.advance(10);
    assert!(derivation.advance_with(u32::MAX, &mut compress).is_done());
    assert_eq!(derivation.finish().as_bytes(), kdf::derive(&master(), b"salt", ITERATIONS).as_bytes());
    assert_eq!(calls, 2 * 89);
}
