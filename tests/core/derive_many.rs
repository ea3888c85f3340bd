//! Compares derivations of many keys with the `pbkdf2` crate, on every back end that this CPU supports. Batches have
//! all sizes from 1 to 70, so that every combination of lanes occurs; passwords, salts and iteration counts differ.

use std::num::NonZeroU32;

use fernseal_core::kdf::{self, Backend, Job, Kernel};
use fernseal_core::token::Format;
use fernseal_core::{Key, MasterKey};

/// A generator of pseudorandom numbers (xorshift), which are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 32) as u8).collect()
    }
}

/// Compares `derive` with the `pbkdf2` crate, for batches of the given sizes.
fn holds_for(name: &str, sizes: std::ops::RangeInclusive<usize>, derive: impl Fn(&[Job<'_>], &mut [Key])) {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for size in sizes {
        let jobs: Vec<(Vec<u8>, Vec<u8>, u32)> = (0..size)
            .map(|_| {
                let (password, salt) = (1 + numbers.next() as usize % 100, numbers.next() as usize % 150);
                // Most iteration counts are equal, as in practice; some differ, down to one.
                let count = if numbers.next().is_multiple_of(3) { 1 + numbers.next() as u32 % 20 } else { 12 };
                (numbers.bytes(password), numbers.bytes(salt), count)
            })
            .collect();
        let masters: Vec<MasterKey> = jobs.iter().map(|job| MasterKey::from_bytes(&job.0).unwrap()).collect();
        let many: Vec<Job<'_>> = jobs
            .iter()
            .zip(&masters)
            .map(|(job, master)| Job { master, salt: &job.1, iterations: NonZeroU32::new(job.2).unwrap() })
            .collect();
        let mut out: Vec<Key> = (0..size).map(|_| Key::from_bytes(&[0xa5; 32])).collect();
        derive(&many, &mut out);
        for (at, ((password, salt, count), key)) in jobs.iter().zip(&out).enumerate() {
            let mut expected = [0; 32];
            pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password, salt, *count, &mut expected);
            assert_eq!(key.as_bytes(), &expected, "{name}, job {at} of {size}");
        }
    }
}

#[test]
fn every_back_end_makes_the_keys_that_the_pbkdf2_crate_makes() {
    for backend in Backend::ALL {
        if backend.is_available() {
            holds_for(&format!("{backend:?}"), 1..=70, |jobs, out| kdf::derive_many_by(*backend, jobs, out));
        } else {
            println!("SKIPPED {backend:?}: this processor does not have it");
        }
    }
}

#[test]
fn every_kernel_makes_the_keys_that_the_pbkdf2_crate_makes() {
    // This includes kernels that `derive_many` does not choose on this CPU.
    for kernel in Kernel::all().iter().filter(|kernel| kernel.backend.is_available()) {
        holds_for(&format!("{kernel:?}"), 1..=kernel.width, |jobs, out| kernel.derive(jobs, out));
    }
}

#[test]
fn a_back_end_is_available_where_the_processor_has_its_instructions() {
    assert!(Backend::Best.is_available() && Backend::Portable.is_available());
    #[cfg(target_arch = "x86_64")]
    let has = [
        (Backend::ShaNi, is_x86_feature_detected!("sha")),
        (Backend::ShaNi32, is_x86_feature_detected!("sha") && is_x86_feature_detected!("avx512vl")),
        (Backend::Avx2, is_x86_feature_detected!("avx2")),
        (Backend::Avx512Vl, is_x86_feature_detected!("avx512vl")),
        (Backend::Avx512, is_x86_feature_detected!("avx512f")),
        (Backend::Sha2, false),
    ];
    #[cfg(target_arch = "aarch64")]
    let has = [
        (Backend::ShaNi, false),
        (Backend::ShaNi32, false),
        (Backend::Avx2, false),
        (Backend::Avx512Vl, false),
        (Backend::Avx512, false),
        (Backend::Sha2, std::arch::is_aarch64_feature_detected!("sha2")),
    ];
    for (backend, is_there) in has {
        assert_eq!(backend.is_available(), is_there, "{backend:?}");
    }
}

#[test]
fn a_single_derivation_of_the_real_length_is_what_the_pbkdf2_crate_makes() {
    let master = MasterKey::from_bytes(b"a password of some length").unwrap();
    let mut expected = [0; 32];
    pbkdf2::pbkdf2_hmac::<sha2::Sha256>(b"a password of some length", b"proxmox_mcp_salt", 100_000, &mut expected);
    let legacy = Format::Legacy.key_params();
    assert_eq!(legacy.derive(&master).as_bytes(), &expected);
    let mut sliced = legacy.start(&master);
    for budget in [0, 1, 2, 998, 7_777] {
        sliced.advance(budget);
    }
    assert_eq!(sliced.finish().as_bytes(), &expected);
}

#[test]
fn jobs_and_outputs_without_a_partner_are_ignored() {
    let master = MasterKey::from_bytes(b"k").unwrap();
    let job = Job { master: &master, salt: b"s", iterations: NonZeroU32::MIN };
    let mut out = [Key::from_bytes(&[0xa5; 32]), Key::from_bytes(&[0xa5; 32])];
    kdf::derive_many(&[job], &mut out);
    assert_ne!(out[0].as_bytes(), &[0xa5; 32]);
    assert_eq!(out[1].as_bytes(), &[0xa5; 32]);
    kdf::derive_many(&[job, job, job], &mut out);
    assert_eq!(out[0].as_bytes(), out[1].as_bytes());
}

#[test]
fn pbkdf2_of_any_input_is_what_the_pbkdf2_crate_makes() {
    let mut numbers = Numbers(0x0123_4567_89ab_cdef);
    // Every number of blocks up to more than two batches, then random lengths.
    let lens: Vec<usize> =
        (0..70).map(|blocks| 32 * blocks).chain((0..300).map(|_| numbers.next() as usize % 400)).collect();
    for len in lens {
        let (password, salt) = (numbers.next() as usize % 140, numbers.next() as usize % 150);
        let (password, salt) = (numbers.bytes(password), numbers.bytes(salt));
        let iterations = 1 + numbers.next() as u32 % 12;
        let (mut found, mut expected) = (vec![0xa5; len], vec![0; len]);
        kdf::pbkdf2(&password, &salt, NonZeroU32::new(iterations).unwrap(), &mut found);
        pbkdf2::pbkdf2_hmac::<sha2::Sha256>(&password, &salt, iterations, &mut expected);
        assert_eq!(found, expected, "{password:?}, {salt:?}, {iterations}, {len}");
    }
}

#[test]
fn a_full_batch_is_at_least_the_requested_count() {
    for count in 0..200 {
        let full = kdf::full_batch(count);
        assert!(full >= count, "{full} for {count}");
        assert_eq!(kdf::full_batch(full), full, "{count}");
        // No kernel is wider than 32 chains.
        assert!(full < count + 32, "{full} for {count}");
    }
}
