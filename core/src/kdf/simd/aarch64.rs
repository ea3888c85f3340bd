//! Derives keys with the SHA-256 instructions of aarch64 (Arm's SHA2 extension): one to four chains at once.
//!
//! It is built like `sha_ni`, but keeps a state in SHA-256's own order, (A B C D) and (E F G H). The tests check its
//! results in an emulator. Its speed has not been measured.

use core::arch::aarch64::{
    uint32x4_t, vaddq_u32, vdupq_n_u32, veorq_u32, vgetq_lane_u32, vsetq_lane_u32, vsha256h2q_u32, vsha256hq_u32,
    vsha256su0q_u32, vsha256su1q_u32,
};
use zeroize::Zeroize;

use super::K;
use crate::kdf::Chain;

cpufeatures::new!(cpu, "sha2");

pub(super) fn is_available() -> bool {
    cpu::get()
}

/// A SHA-256 state: (A B C D) and (E F G H), the lowest lane first.
type State = [uint32x4_t; 2];

/// Runs `steps` iterations of one to four chains.
#[target_feature(enable = "neon,sha2")]
pub(super) fn advance(chains: &mut [&mut Chain], steps: u32) {
    match chains {
        [a] => together([a], steps),
        [a, b] => together([a, b], steps),
        [a, b, c] => together([a, b, c], steps),
        [a, b, c, d] => together([a, b, c, d], steps),
        _ => {}
    }
}

#[target_feature(enable = "neon,sha2")]
fn together<const N: usize>(chains: [&mut Chain; N], steps: u32) {
    let mut inner: [State; N] = core::array::from_fn(|at| load(&chains[at].inner));
    let mut outer: [State; N] = core::array::from_fn(|at| load(&chains[at].outer));
    let mut u: [State; N] = core::array::from_fn(|at| load(&chains[at].u));
    let mut sum: [State; N] = core::array::from_fn(|at| load(&chains[at].sum));
    for _ in 0..steps {
        u = compress(&inner, &u);
        u = compress(&outer, &u);
        for (sum, u) in sum.iter_mut().zip(&u) {
            *sum = [veorq_u32(sum[0], u[0]), veorq_u32(sum[1], u[1])];
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

#[target_feature(enable = "neon")]
fn vector([a, b, c, d]: [u32; 4]) -> uint32x4_t {
    vsetq_lane_u32::<3>(d, vsetq_lane_u32::<2>(c, vsetq_lane_u32::<1>(b, vdupq_n_u32(a))))
}

#[target_feature(enable = "neon")]
fn load(words: &[u32; 8]) -> State {
    let [a, b, c, d, e, f, g, h] = *words;
    [vector([a, b, c, d]), vector([e, f, g, h])]
}

#[target_feature(enable = "neon")]
fn store([abcd, efgh]: State) -> [u32; 8] {
    [
        vgetq_lane_u32::<0>(abcd),
        vgetq_lane_u32::<1>(abcd),
        vgetq_lane_u32::<2>(abcd),
        vgetq_lane_u32::<3>(abcd),
        vgetq_lane_u32::<0>(efgh),
        vgetq_lane_u32::<1>(efgh),
        vgetq_lane_u32::<2>(efgh),
        vgetq_lane_u32::<3>(efgh),
    ]
}

/// Returns, for each chain, the hash of `key block ‖ digest`. `before` is the state after the key block.
#[target_feature(enable = "neon,sha2")]
#[inline]
fn compress<const N: usize>(before: &[State; N], digest: &[State; N]) -> [State; N] {
    let mut state = *before;
    // The words of the block: the digest, the 1 bit of the padding, and the length of key block and digest in bits.
    let mut w: [[uint32x4_t; 4]; N] = core::array::from_fn(|at| {
        [digest[at][0], digest[at][1], vector([0x8000_0000, 0, 0, 0]), vector([0, 0, 0, (64 + 32) * 8])]
    });
    // Runs four rounds of every chain. From the fifth time on, it computes their words from the sixteen before.
    macro_rules! rounds {
        ($($four:literal)*) => {$(
            let k = vector([K[4 * $four], K[4 * $four + 1], K[4 * $four + 2], K[4 * $four + 3]]);
            for at in 0..N {
                let w = &mut w[at];
                if $four >= 4 {
                    let early = vsha256su0q_u32(w[$four % 4], w[($four + 1) % 4]);
                    w[$four % 4] = vsha256su1q_u32(early, w[($four + 2) % 4], w[($four + 3) % 4]);
                }
                let input = vaddq_u32(w[$four % 4], k);
                let [abcd, efgh] = state[at];
                state[at] = [vsha256hq_u32(abcd, efgh, input), vsha256h2q_u32(efgh, abcd, input)];
            }
        )*};
    }
    rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    for (state, before) in state.iter_mut().zip(before) {
        *state = [vaddq_u32(state[0], before[0]), vaddq_u32(state[1], before[1])];
    }
    state
}
