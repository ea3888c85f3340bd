//! SHA-256 instructions of x86-64 (Intel's SHA extensions): one to four chains side by side.
//! One chain waits for its own last round most of the time; the others fill the gaps.
//! A state stays in the order that the instructions want, (A B E F) and (C D G H), from the first step to the last.

use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_sha256msg1_epu32,
    _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi32, _mm_unpackhi_epi64, _mm_unpacklo_epi64,
    _mm_xor_si128,
};
use zeroize::Zeroize;

use super::K;
use crate::kdf::Chain;

cpufeatures::new!(cpu, "sha", "sse2", "ssse3", "sse4.1");

pub(super) fn is_available() -> bool {
    cpu::get()
}

/// A SHA-256 state: (F E B A) and (H G D C), the lowest lane first.
type State = [__m128i; 2];

/// Does `steps` iterations of one to four chains.
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
pub(super) fn advance(chains: &mut [&mut Chain], steps: u32) {
    match chains {
        [a] => together([a], steps),
        [a, b] => together([a, b], steps),
        [a, b, c] => together([a, b, c], steps),
        [a, b, c, d] => together([a, b, c, d], steps),
        _ => {}
    }
}

#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn together<const N: usize>(chains: [&mut Chain; N], steps: u32) {
    let mut inner: [State; N] = core::array::from_fn(|at| load(&chains[at].inner));
    let mut outer: [State; N] = core::array::from_fn(|at| load(&chains[at].outer));
    let mut u: [State; N] = core::array::from_fn(|at| load(&chains[at].u));
    let mut sum: [State; N] = core::array::from_fn(|at| load(&chains[at].sum));
    for _ in 0..steps {
        u = compress(&inner, &u);
        u = compress(&outer, &u);
        for (sum, u) in sum.iter_mut().zip(&u) {
            *sum = [_mm_xor_si128(sum[0], u[0]), _mm_xor_si128(sum[1], u[1])];
        }
    }
    for (at, chain) in chains.into_iter().enumerate() {
        chain.u = store(u[at]);
        chain.sum = store(sum[at]);
    }
    for secret in [&mut inner, &mut outer, &mut u, &mut sum] {
        secret.iter_mut().for_each(|state| state.zeroize());
    }
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

/// For each chain the hash of `key block ‖ digest`, from the state after the key block.
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
#[inline]
fn compress<const N: usize>(before: &[State; N], digest: &[State; N]) -> [State; N] {
    let mut state = *before;
    // The words of the block: the digest, the bit that ends it, and the length of key block and digest in bits.
    let mut w: [[__m128i; 4]; N] = core::array::from_fn(|at| {
        let [abef, cdgh] = digest[at];
        [
            _mm_shuffle_epi32::<0x1b>(_mm_unpackhi_epi64(cdgh, abef)),
            _mm_shuffle_epi32::<0x1b>(_mm_unpacklo_epi64(cdgh, abef)),
            _mm_set_epi32(0, 0, 0, i32::MIN),
            _mm_set_epi32((64 + 32) * 8, 0, 0, 0),
        ]
    });
    // Four rounds of every chain; from the fifth time on their words come of the sixteen before.
    macro_rules! rounds {
        ($($four:literal)*) => {$(
            let k = _mm_set_epi32(
                K[4 * $four + 3].cast_signed(),
                K[4 * $four + 2].cast_signed(),
                K[4 * $four + 1].cast_signed(),
                K[4 * $four].cast_signed(),
            );
            for at in 0..N {
                let w = &mut w[at];
                if $four >= 4 {
                    let early = _mm_sha256msg1_epu32(w[$four % 4], w[($four + 1) % 4]);
                    let late = _mm_alignr_epi8::<4>(w[($four + 3) % 4], w[($four + 2) % 4]);
                    w[$four % 4] = _mm_sha256msg2_epu32(_mm_add_epi32(early, late), w[($four + 3) % 4]);
                }
                let input = _mm_add_epi32(w[$four % 4], k);
                let [abef, cdgh] = &mut state[at];
                *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, input);
                *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32::<0x0e>(input));
            }
        )*};
    }
    rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    for (state, before) in state.iter_mut().zip(before) {
        *state = [_mm_add_epi32(state[0], before[0]), _mm_add_epi32(state[1], before[1])];
    }
    state
}
