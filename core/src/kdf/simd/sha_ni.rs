//! Derives keys with SHA-NI, the SHA-256 instructions of x86-64: one to four chains at once.
//!
//! A single chain spends most of its time waiting for its previous round. With several chains, the CPU works on the
//! others meanwhile. All iterations keep a state in the order that the instructions require, (A B E F) and (C D G H).
//! Measure a change with `benches/run.sh cycles`.

use core::arch::asm;
use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_sha256msg1_epu32,
    _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi32, _mm_slli_si128, _mm_srli_si128, _mm_sub_epi32,
    _mm_unpackhi_epi64, _mm_unpacklo_epi64, _mm_xor_si128,
};
use zeroize::Zeroize;

use super::K;
use crate::kdf::Chain;

cpufeatures::new!(cpu, "sha", "sse2", "ssse3", "sse4.1");
cpufeatures::new!(avx, "avx");

pub(super) fn is_available() -> bool {
    cpu::get()
}

/// A SHA-256 state: (F E B A) and (H G D C), the lowest lane first.
type State = [__m128i; 2];

/// The state from which a hash starts. It is added to the result of the rounds (FIPS 180-4 §6.2.2).
struct Start {
    state: State,
    /// The state as the first eight words of the next block, plus the constants of their rounds. The rounds of the next
    /// hash start from this sum, so that they need not wait for the digest.
    words: State,
}

impl Start {
    #[target_feature(enable = "sse2")]
    fn new(words: &[u32; 8]) -> Self {
        let state = load(words);
        Self { state, words: plus(turned(state), [constants([0, 1, 4, 5]), constants([2, 3, 6, 7])]) }
    }
}

/// The working memory of `N` chains.
struct Work<const N: usize> {
    /// The states after the inner and the outer key block.
    keys: [[Start; N]; 2],
    /// The result of the rounds of the last hash, before the state is added.
    rounds: [State; N],
    sum: [State; N],
}

/// Zeroes the upper halves of the vector registers.
///
/// SHA instructions have a legacy encoding only. While an upper half is not zero, Intel CPUs take a microcode assist of
/// about 400 cycles at each switch between VEX and legacy encoding; it made a derivation of several keys take a second.
/// The caller may leave the upper halves in that state, and a build for AVX (`-C target-cpu=x86-64-v3`) copies states
/// in whole ymm registers.
#[inline(always)]
fn clean_uppers() {
    if avx::get() {
        // SAFETY: the CPU has AVX. Every register that may change is declared as an output.
        unsafe {
            asm!("vzeroupper", out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _, options(nomem, nostack, preserves_flags));
        }
    }
}

/// Runs two rounds of one chain, with the words in the lower half of `$input`.
macro_rules! two {
    ($state:expr, $new:literal $old:literal, $input:expr) => {
        $state[$old] = _mm_sha256rnds2_epu32($state[$old], $state[$new], $input)
    };
}

/// Defines the kernel for a set of CPU features, which decides the number of registers and the encoding.
macro_rules! kernel {
    ($features:literal) => {
        /// Runs `steps` iterations of one to four chains.
        #[target_feature(enable = $features)]
        pub(in crate::kdf::simd) fn advance<const LATE: bool>(chains: &mut [&mut Chain], steps: u32) {
            match chains {
                // A single chain is always late: on every CPU, it would otherwise wait longer for its words than for
                // its rounds.
                [a] => together::<1, true>([a], steps),
                [a, b] => together::<2, LATE>([a, b], steps),
                [a, b, c] => together::<3, LATE>([a, b, c], steps),
                [a, b, c, d] => together::<4, LATE>([a, b, c, d], steps),
_ => {}
            }
        }

        /// Runs `steps` iterations of `N` chains. `LATE` concerns the word seven positions earlier in the message
        /// schedule, where it is among the last four words: it is then added after `sha256msg2` instead of before. This
        /// shortens the wait for words and costs three instructions in four rounds.
        #[target_feature(enable = $features)]
        fn together<const N: usize, const LATE: bool>(chains: [&mut Chain; N], steps: u32) {
            let mut work: Work<N> = Work {
                keys: [
                    core::array::from_fn(|at| Start::new(&chains[at].inner)),
                    core::array::from_fn(|at| Start::new(&chains[at].outer)),
                ],
                rounds: core::array::from_fn(|at| load(&chains[at].u)),
                sum: core::array::from_fn(|at| load(&chains[at].sum)),
            };
            for at in 0..N {
                work.rounds[at] = minus(work.rounds[at], work.keys[1][at].state);
            }
            run::<N, LATE>(&mut work, steps);
            for (at, chain) in chains.into_iter().enumerate() {
                chain.u = store(plus(work.rounds[at], work.keys[1][at].state));
                chain.sum = store(work.sum[at]);
            }
            for Start { state, words } in work.keys.as_flattened_mut() {
                state.zeroize();
                words.zeroize();
            }
            work.rounds.iter_mut().chain(&mut work.sum).for_each(Zeroize::zeroize);
        }

        /// Runs the iterations. It is out of line and reads and writes memory: inlined, a build for AVX would hold
        /// pairs of its vectors in ymm registers, which makes SHA instructions slow (see `clean_uppers`).
        #[target_feature(enable = $features)]
        #[inline(never)]
        fn run<const N: usize, const LATE: bool>(Work { keys, rounds, sum }: &mut Work<N>, steps: u32) {
            clean_uppers();
            let (mut last, mut total) = (*rounds, *sum);
            for _ in 0..steps {
                // A loop, so that the code of a compression exists once, in this function.
                for at in 0..2 {
                    last = compress::<N, LATE>(&keys[at], &keys[1 - at], &last);
                }
                for at in 0..N {
                    let u = plus(last[at], keys[1][at].state);
                    total[at] = [_mm_xor_si128(total[at][0], u[0]), _mm_xor_si128(total[at][1], u[1])];
                }
            }
            (*rounds, *sum) = (last, total);
        }

        /// Returns, for each chain, the result of the rounds of the hash of `key block ‖ digest`. `before` is the state
        /// after the key block. The digest is the sum of `rounds` and the state in `last`, from which the previous hash
        /// started.
        #[target_feature(enable = $features)]
        #[inline]
        fn compress<const N: usize, const LATE: bool>(
            before: &[Start; N],
            last: &[Start; N],
            rounds: &[State; N],
        ) -> [State; N] {
            let mut state: [State; N] = core::array::from_fn(|at| before[at].state);
            // The words of the block: the digest, the 1 bit of the padding, and the length of key block and digest in
            // bits.
            let (end, bits) = (_mm_set_epi32(0, 0, 0, i32::MIN), _mm_set_epi32((64 + 32) * 8, 0, 0, 0));
            let mut w: [[__m128i; 4]; N] = core::array::from_fn(|at| {
                let [abef, cdgh] = turned(plus(rounds[at], last[at].state));
                [_mm_unpacklo_epi64(abef, cdgh), _mm_unpackhi_epi64(abef, cdgh), end, bits]
            });
            for at in 0..N {
                let [w0145, w2367] = plus(turned(rounds[at]), last[at].words);
                two!(state[at], 0 1, w0145);
                two!(state[at], 1 0, w2367);
                two!(state[at], 0 1, _mm_shuffle_epi32::<0x0e>(w0145));
                two!(state[at], 1 0, _mm_shuffle_epi32::<0x0e>(w2367));
            }
            // Runs four rounds of every chain. From the fifth time on, it computes their words from the sixteen before.
            macro_rules! rounds {
                ($four:literal) => {
                    let k = constants([4 * $four, 4 * $four + 1, 4 * $four + 2, 4 * $four + 3]);
                    for at in 0..N {
                        let w = &mut w[at];
                        if $four >= 4 {
                            let [a, b, c, d] = core::array::from_fn(|at| w[($four + at) % 4]);
                            let early = _mm_sha256msg1_epu32(a, b);
                            w[$four % 4] = if LATE {
                                let early = _mm_add_epi32(early, _mm_srli_si128::<4>(c));
                                _mm_add_epi32(_mm_sha256msg2_epu32(early, d), _mm_slli_si128::<12>(d))
                            } else {
                                _mm_sha256msg2_epu32(_mm_add_epi32(early, _mm_alignr_epi8::<4>(d, c)), d)
                            };
                        }
                        let input = _mm_add_epi32(w[$four % 4], k);
                        two!(state[at], 0 1, input);
                        two!(state[at], 1 0, _mm_shuffle_epi32::<0x0e>(input));
                    }
                };
            }
            rounds!(2);
            rounds!(3);
            rounds!(4);
            rounds!(5);
            rounds!(6);
            rounds!(7);
            rounds!(8);
            rounds!(9);
            rounds!(10);
            rounds!(11);
            rounds!(12);
            rounds!(13);
            rounds!(14);
            rounds!(15);
            state
        }

    };
}

pub(super) mod legacy {
    //! The kernel for sixteen vector registers, in the legacy encoding, in which an instruction overwrites an operand.
    use super::*;

    kernel!("sha,sse2,ssse3,sse4.1");
}

pub(super) mod evex {
    //! The kernel for the 32 vector registers of AVX-512.
    use super::*;

    cpufeatures::new!(cpu, "sha", "sse2", "ssse3", "sse4.1", "avx512f", "avx512vl");

    pub(in crate::kdf::simd) fn is_available() -> bool {
        cpu::get()
    }

    kernel!("sha,sse2,ssse3,sse4.1,avx512f,avx512vl");
}

#[target_feature(enable = "sse2")]
fn load(words: &[u32; 8]) -> State {
    let [a, b, c, d, e, f, g, h] = words.map(u32::cast_signed);
    [_mm_set_epi32(a, b, e, f), _mm_set_epi32(c, d, g, h)]
}

#[target_feature(enable = "sse4.1")]
fn store([abef, cdgh]: State) -> [u32; 8] {
    [
        _mm_extract_epi32::<3>(abef),
        _mm_extract_epi32::<2>(abef),
        _mm_extract_epi32::<3>(cdgh),
        _mm_extract_epi32::<2>(cdgh),
        _mm_extract_epi32::<1>(abef),
        _mm_extract_epi32::<0>(abef),
        _mm_extract_epi32::<1>(cdgh),
        _mm_extract_epi32::<0>(cdgh),
    ]
    .map(i32::cast_unsigned)
}

#[target_feature(enable = "sse2")]
#[inline]
fn plus(a: State, b: State) -> State {
    [_mm_add_epi32(a[0], b[0]), _mm_add_epi32(a[1], b[1])]
}

#[target_feature(enable = "sse2")]
#[inline]
fn minus(a: State, b: State) -> State {
    [_mm_sub_epi32(a[0], b[0]), _mm_sub_epi32(a[1], b[1])]
}

/// Returns a state as words of a block: (A B E F) and (C D G H), the lowest lane first.
#[target_feature(enable = "sse2")]
#[inline]
fn turned([abef, cdgh]: State) -> State {
    [_mm_shuffle_epi32::<0x1b>(abef), _mm_shuffle_epi32::<0x1b>(cdgh)]
}

/// Returns four round constants, the first in the lowest lane.
#[target_feature(enable = "sse2")]
#[inline]
fn constants(at: [usize; 4]) -> __m128i {
    let [a, b, c, d] = at.map(|at| K[at].cast_signed());
    _mm_set_epi32(d, c, b, a)
}
