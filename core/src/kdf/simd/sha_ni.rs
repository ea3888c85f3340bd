//! SHA-256 instructions of x86-64 (Intel's SHA extensions): one to four chains side by side.
//! One chain waits for its own last round most of the time; the others fill the gaps.
//! A state stays in the order that the instructions want, (A B E F) and (C D G H), from the first step to the last.

use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_sha256msg1_epu32,
    _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi32, _mm_slli_si128, _mm_srli_si128, _mm_sub_epi32,
    _mm_unpackhi_epi64, _mm_unpacklo_epi64, _mm_xor_si128,
};
use core::hint::black_box;
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

/// What a hash goes on from, and adds to what its rounds come to.
struct Start {
    state: State,
    /// The part of it in the first eight words of the hash that follows, with the constants of their rounds: so the next
    /// rounds can begin before the sum is there.
    words: State,
}

impl Start {
    #[target_feature(enable = "sse2")]
    fn new(state: State) -> Self {
        let words = plus(turned(state), [constants([0, 1, 4, 5]), constants([2, 3, 6, 7])]);
        // Out of the compiler's sight, as it would have the sum first after all.
        Self { state, words: black_box(words) }
    }
}

/// Does `steps` iterations of one to four chains.
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
pub(super) fn advance(chains: &mut [&mut Chain], steps: u32) {
    if chains.len() > 2 && avx::get() {
        // SAFETY: AVX is there.
        unsafe { vex::advance(chains, steps) }
    } else {
        plain::advance(chains, steps);
    }
}

/// Two rounds of one chain, of the words in the lower half of `$input`.
macro_rules! two {
    ($state:expr, $new:literal $old:literal, $input:expr) => {
        $state[$old] = _mm_sha256rnds2_epu32($state[$old], $state[$new], $input)
    };
}

/// The kernel, in the encoding that the features lead to.
macro_rules! kernel {
    ($features:literal) => {
        use super::*;

        #[target_feature(enable = $features)]
        pub(super) fn advance(chains: &mut [&mut Chain], steps: u32) {
            up_to_four!(chains, steps);
        }

        #[target_feature(enable = $features)]
        fn together<const N: usize>(chains: [&mut Chain; N], steps: u32) {
            let mut inner: [Start; N] = core::array::from_fn(|at| Start::new(load(&chains[at].inner)));
            let mut outer: [Start; N] = core::array::from_fn(|at| Start::new(load(&chains[at].outer)));
            let mut u: [State; N] = core::array::from_fn(|at| load(&chains[at].u));
            let mut sum: [State; N] = core::array::from_fn(|at| load(&chains[at].sum));
            let mut rounds: [State; N] = core::array::from_fn(|at| minus(u[at], outer[at].state));
            for _ in 0..steps {
                rounds = compress(&inner, &outer, &rounds);
                rounds = compress(&outer, &inner, &rounds);
                for at in 0..N {
                    u[at] = plus(rounds[at], outer[at].state);
                    sum[at] = [_mm_xor_si128(sum[at][0], u[at][0]), _mm_xor_si128(sum[at][1], u[at][1])];
                }
            }
            for (at, chain) in chains.into_iter().enumerate() {
                chain.u = store(u[at]);
                chain.sum = store(sum[at]);
            }
            for before in inner.iter_mut().chain(&mut outer) {
                before.state.zeroize();
                before.words.zeroize();
            }
            for secret in [&mut rounds, &mut u, &mut sum] {
                secret.iter_mut().for_each(Zeroize::zeroize);
            }
        }

        /// For each chain what the rounds come to in the hash of `key block ‖ digest`, from the state `before` it, after
        /// the key block. The digest is the sum of `rounds` and `last`, the state before the hash whose digest it is.
        #[target_feature(enable = $features)]
        #[inline]
        fn compress<const N: usize>(before: &[Start; N], last: &[Start; N], rounds: &[State; N]) -> [State; N] {
            let mut state: [State; N] = core::array::from_fn(|at| before[at].state);
            // The words of the block: the digest, the bit that ends it, and the length of key block and digest in bits.
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
            // Four rounds of every chain; from the fifth time on their words come of the sixteen before.
            macro_rules! rounds {
                ($four:literal) => {
                    let k = constants([4 * $four, 4 * $four + 1, 4 * $four + 2, 4 * $four + 3]);
                    for at in 0..N {
                        let w = &mut w[at];
                        if $four >= 4 {
                            let [a, b, c, d] = core::array::from_fn(|at| w[($four + at) % 4]);
                            let early = _mm_sha256msg1_epu32(a, b);
                            w[$four % 4] = if N == 1 {
                                // The word seven before that is among the last four is added apart, and late: else one
                                // chain would wait for its words longer than for its rounds. Several wait for the
                                // instructions alone.
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

mod plain {
    //! Instructions that overwrite an operand.
    kernel!("sha,sse2,ssse3,sse4.1");
}

mod vex {
    //! Instructions that leave their operands as they are, but for SHA's own: fewer copies, which three chains and
    //! more notice.
    kernel!("sha,sse2,ssse3,sse4.1,avx");
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

/// A state as words of a block: (A B E F) and (C D G H), the lowest lane first.
#[target_feature(enable = "sse2")]
#[inline]
fn turned([abef, cdgh]: State) -> State {
    [_mm_shuffle_epi32::<0x1b>(abef), _mm_shuffle_epi32::<0x1b>(cdgh)]
}

/// Four round constants, the first in the lowest lane.
#[target_feature(enable = "sse2")]
#[inline]
fn constants(at: [usize; 4]) -> __m128i {
    let [a, b, c, d] = at.map(|at| K[at].cast_signed());
    _mm_set_epi32(d, c, b, a)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::num::NonZeroU32;
    use std::vec::Vec;

    use super::*;

    type Advance = unsafe fn(&mut [&mut Chain], u32);

    fn new(at: u8) -> Chain {
        Chain::new(&[at; 64], &[at; 16], NonZeroU32::MAX)
    }

    #[test]
    fn both_encodings_do_what_the_portable_loop_does() {
        let encodings: [(bool, Advance); 2] = [(true, plain::advance), (avx::get(), vex::advance)];
        for (_, advance) in encodings.into_iter().filter(|(is_there, _)| is_available() && *is_there) {
            for count in 1..=4_u8 {
                let mut chains: Vec<Chain> = (0..count).map(new).collect();
                let mut chains: Vec<&mut Chain> = chains.iter_mut().collect();
                // SAFETY: the instructions are there.
                unsafe { advance(&mut chains, 3) };
                for (chain, at) in chains.iter().zip(0..) {
                    let mut wanted = new(at);
                    wanted.step(3);
                    assert_eq!((chain.u, chain.sum), (wanted.u, wanted.sum), "chain {at} of {count}");
                }
            }
        }
    }
}
