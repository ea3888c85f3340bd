//! Derivations with the processor's own instructions: SHA-NI, AVX-512, AVX2, and SHA2 on aarch64.
//! Each back end does what the portable loop in `kdf` does, for one chain or for several at once; tests hold them equal.
//! The one module of the crate where unsafe code may be: to call what the processor was asked for first, to take words for
//! vectors, and for sums in the order and from the places that the processor likes.
#![allow(unsafe_code)] // each block says what it rests on
#![allow(clippy::indexing_slicing)] // of arrays, by counters that end with them

use super::Chain;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(target_arch = "x86_64")]
mod sha_ni;

/// SHA-256's round constants (FIPS 180-4 §4.2.2).
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[rustfmt::skip] // as the standard prints them
const K: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// How chains are worked on. A back end that the processor does not have falls back to the portable loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// Whatever is fastest for as many jobs as there are.
    Best,
    /// The portable loop, over the compression function of `sha2`.
    Portable,
    /// SHA-256 instructions of x86-64, up to four chains side by side.
    ShaNi,
    /// Eight lanes of AVX2.
    Avx2,
    /// Two sets of sixteen lanes of AVX-512.
    Avx512,
    /// SHA-256 instructions of aarch64, up to four chains side by side.
    Sha2,
}

/// How a back end does its work.
struct Kernel {
    is_available: fn() -> bool,
    /// How many chains it works on at once.
    width: usize,
    /// Does so many iterations of at most so many chains. The processor must have the instructions.
    advance: unsafe fn(&mut [&mut Chain], u32),
}

impl Backend {
    /// Whether this processor has it.
    #[must_use]
    pub fn is_available(self) -> bool {
        matches!(self, Self::Best | Self::Portable) || self.kernel().is_some()
    }

    /// None if this processor does not have it, or nothing of its own is needed.
    fn kernel(self) -> Option<Kernel> {
        let kernel: Option<Kernel> = match self {
            #[cfg(target_arch = "x86_64")]
            Self::ShaNi => {
                Some(Kernel { is_available: sha_ni::is_available, width: 4, advance: sha_ni::advance::<false> })
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                Some(Kernel { is_available: lanes::avx2::is_available, width: 8, advance: lanes::avx2::advance })
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Some(Kernel { is_available: lanes::avx512::is_available, width: 32, advance: lanes::avx512::advance })
            }
            #[cfg(target_arch = "aarch64")]
            Self::Sha2 => Some(Kernel { is_available: aarch64::is_available, width: 4, advance: aarch64::advance }),
            _ => None,
        };
        kernel.filter(|kernel| (kernel.is_available)())
    }

    /// What is fastest for `count` chains on a processor that has `has`. Sixteen lanes cost as much as 8 chains of SHA-NI
    /// where AVX-512 has its full width (Zen 5), as 16 where it has half of it (Zen 4): 12 is never far off. Without SHA-NI
    /// two are enough.
    fn best(count: usize, has: impl Fn(Self) -> bool) -> Self {
        let enough = if has(Self::ShaNi) { 12 } else { 2 };
        match count {
            _ if has(Self::Sha2) => Self::Sha2,
            _ if count >= enough && has(Self::Avx512) => Self::Avx512,
            _ if has(Self::ShaNi) => Self::ShaNi,
            2.. if has(Self::Avx2) => Self::Avx2,
            _ => Self::Portable,
        }
    }
}

/// Does `steps` iterations of each chain, of which each has at least as many left.
pub(super) fn advance(chains: &mut [&mut Chain], steps: u32, backend: Backend) {
    let backend = match backend {
        Backend::Best => Backend::best(chains.len(), Backend::is_available),
        forced => forced,
    };
    if let Some(kernel) = backend.kernel() {
        for chains in chains.chunks_mut(kernel.width) {
            // SAFETY: the instructions are there, or there were no kernel.
            unsafe { (kernel.advance)(chains, steps) }
        }
    } else {
        chains.iter_mut().for_each(|chain| chain.step(steps));
    }
    chains.iter_mut().for_each(|chain| chain.left -= steps);
}

#[cfg(test)]
mod tests {
    use super::Backend::{self, Avx2, Avx512, Portable, Sha2, ShaNi};

    #[test]
    fn what_is_fastest_depends_on_the_processor_and_on_how_many_chains_there_are() {
        let zen: &[Backend] = &[ShaNi, Avx2, Avx512];
        for (has, count, best) in [
            (zen, 1, ShaNi),
            (zen, 11, ShaNi),
            (zen, 12, Avx512),
            (zen, 70, Avx512),
            (&[ShaNi, Avx2], 1, ShaNi),
            (&[ShaNi, Avx2], 70, ShaNi),
            (&[Avx2, Avx512], 1, Portable),
            (&[Avx2, Avx512], 2, Avx512),
            (&[Avx2], 1, Portable),
            (&[Avx2], 2, Avx2),
            (&[Sha2], 1, Sha2),
            (&[Sha2], 70, Sha2),
            (&[], 1, Portable),
            (&[], 70, Portable),
        ] {
            assert_eq!(Backend::best(count, |backend| has.contains(&backend)), best, "{has:?}, {count}");
        }
    }
}
