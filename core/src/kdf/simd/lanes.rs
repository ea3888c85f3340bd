//! Many chains, one in each lane of a vector: AVX2 has eight lanes, AVX-512 sixteen.
//! SHA-256 is written once, over the few operations in which the two differ.
//! Two sets of sixteen lanes side by side hide each other's latency.

use super::K;

/// SHA-256's round constants, sixteen by sixteen.
const SIXTEENS: [[u32; 16]; 4] = {
    let (sixteens, _) = K.as_chunks();
    [sixteens[0], sixteens[1], sixteens[2], sixteens[3]]
};

/// The kernel, over `V`, `LANES` and the operations of the module that it stands in.
macro_rules! kernel {
    ($features:literal) => {
        /// Does `steps` iterations of at most `SETS * LANES` chains; lanes without a chain idle.
        #[target_feature(enable = $features)]
        pub(in crate::kdf::simd) fn advance<const SETS: usize>(chains: &mut [&mut Chain], steps: u32) {
            let mut states = [gather::<SETS>(chains, |chain| &chain.inner), gather(chains, |chain| &chain.outer)];
            let (mut u, mut sum) = (gather::<SETS>(chains, |chain| &chain.u), gather(chains, |chain| &chain.sum));
            for _ in 0..steps {
                for before in &states {
                    u = compress(before, &u);
                }
                for (sum, u) in sum.as_flattened_mut().iter_mut().zip(u.as_flattened()) {
                    *sum = xor(*sum, *u);
                }
            }
            scatter(&u, chains, |chain| &mut chain.u);
            scatter(&sum, chains, |chain| &mut chain.sum);
            for secret in states.iter_mut().chain([&mut u, &mut sum]) {
                secret.as_flattened_mut().iter_mut().for_each(Zeroize::zeroize);
            }
        }

        /// A state of each chain, a word of all of them in a vector.
        fn gather<const SETS: usize>(chains: &[&mut Chain], state: fn(&Chain) -> &[u32; 8]) -> [[V; SETS]; 8] {
            core::array::from_fn(|word| {
                core::array::from_fn(|set| {
                    let mut lanes = [0; LANES];
                    for (lane, chain) in lanes.iter_mut().zip(chains.iter().skip(set * LANES)) {
                        *lane = state(chain)[word];
                    }
                    let vector = load(&lanes);
                    lanes.zeroize();
                    vector
                })
            })
        }

        /// The way back.
        fn scatter<const SETS: usize>(
            from: &[[V; SETS]; 8],
            chains: &mut [&mut Chain],
            state: fn(&mut Chain) -> &mut [u32; 8],
        ) {
            for (word, sets) in from.iter().enumerate() {
                for (vector, chains) in sets.iter().zip(chains.chunks_mut(LANES)) {
                    let mut lanes = store(*vector);
                    for (chain, lane) in chains.iter_mut().zip(&lanes) {
                        state(chain)[word] = *lane;
                    }
                    lanes.zeroize();
                }
            }
        }

        /// In each lane the hash of `key block ‖ digest`, from the state after the key block.
        #[target_feature(enable = $features)]
        #[inline]
        fn compress<const SETS: usize>(before: &[[V; SETS]; 8], digest: &[[V; SETS]; 8]) -> [[V; SETS]; 8] {
            // The words of the block: the digest, the bit that ends it, and the length of key block and digest in bits.
            let [w0, w1, w2, w3, w4, w5, w6, w7] = *digest;
            let (zero, end, bits) = ([splat(0); SETS], [splat(0x8000_0000); SETS], [splat((64 + 32) * 8); SETS]);
            let mut w = [w0, w1, w2, w3, w4, w5, w6, w7, end, zero, zero, zero, zero, zero, zero, bits];
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *before;

            /// A round. Its word and constant are in `h` already, as those of the next round get into `g`: what hangs on the
            /// last round comes last, and `choose` may have `g`'s register. The barriers keep the compiler from regrouping.
            macro_rules! round {
                ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $next:expr) => {
                    let next: [V; SETS] = $next;
                    for set in 0..SETS {
                        let with_next = barrier(add($g[set], next[set]));
                        let big1 = xor3(ror::<6>($e[set]), ror::<11>($e[set]), ror::<25>($e[set]));
                        let late = barrier(add(big1, choose($e[set], $f[set], $g[set])));
                        $g[set] = with_next;
                        let big0 = xor3(ror::<2>($a[set]), ror::<13>($a[set]), ror::<22>($a[set]));
                        let early = barrier(add($h[set], add(big0, majority($a[set], $b[set], $c[set]))));
                        $d[set] = add(add($d[set], $h[set]), late);
                        $h[set] = add(early, late);
                    }
                };
            }
            /// Rounds 0 to 14 of sixteen; `$next!` makes the words of 1 to 15. The last one needs those of the next sixteen.
            macro_rules! fifteen {
                ($next:ident) => {
                    round!(a b c d e f g h, $next!(1));
                    round!(h a b c d e f g, $next!(2));
                    round!(g h a b c d e f, $next!(3));
                    round!(f g h a b c d e, $next!(4));
                    round!(e f g h a b c d, $next!(5));
                    round!(d e f g h a b c, $next!(6));
                    round!(c d e f g h a b, $next!(7));
                    round!(b c d e f g h a, $next!(8));
                    round!(a b c d e f g h, $next!(9));
                    round!(h a b c d e f g, $next!(10));
                    round!(g h a b c d e f, $next!(11));
                    round!(f g h a b c d e, $next!(12));
                    round!(e f g h a b c d, $next!(13));
                    round!(d e f g h a b c, $next!(14));
                    round!(c d e f g h a b, $next!(15));
                };
            }
            let [k, later @ ..] = &SIXTEENS;
            macro_rules! given {
                ($at:expr) => {
                    plus(&w[$at], k[$at])
                };
            }
            for (h, word) in h.iter_mut().zip(given!(0)) {
                *h = add(*h, word);
            }
            fifteen!(given);
            for k in later {
                macro_rules! extended {
                    ($at:expr) => {{
                        w[$at] = extend(&w[$at], &w[($at + 1) % 16], &w[($at + 9) % 16], &w[($at + 14) % 16]);
                        plus(&w[$at], k[$at])
                    }};
                }
                round!(b c d e f g h a, extended!(0));
                fifteen!(extended);
            }
            round!(b c d e f g h a, zero);

            let mut state = [a, b, c, d, e, f, g, h];
            for (word, before) in state.as_flattened_mut().iter_mut().zip(before.as_flattened()) {
                *word = add(*word, *before);
            }
            state
        }

        /// Words with their round's constant.
        #[target_feature(enable = $features)]
        #[inline]
        fn plus<const SETS: usize>(words: &[V; SETS], k: u32) -> [V; SETS] {
            let k = splat(k);
            words.map(|word| add(word, k))
        }

        /// A word of the message schedule, from those 16, 15, 7 and 2 before it (FIPS 180-4 §6.2.2).
        #[target_feature(enable = $features)]
        #[inline]
        fn extend<const SETS: usize>(w16: &[V; SETS], w15: &[V; SETS], w7: &[V; SETS], w2: &[V; SETS]) -> [V; SETS] {
            core::array::from_fn(|set| {
                let small0 = xor3(ror::<7>(w15[set]), ror::<18>(w15[set]), shr::<3>(w15[set]));
                let small1 = xor3(ror::<17>(w2[set]), ror::<19>(w2[set]), shr::<10>(w2[set]));
                add(add(w16[set], small0), add(w7[set], small1))
            })
        }
    };
}

pub(super) mod avx2 {
    //! Eight lanes.
    use core::arch::asm;
    use core::arch::x86_64::{
        __m256i, _mm_cvtsi32_si128, _mm256_add_epi32, _mm256_and_si256, _mm256_or_si256, _mm256_set1_epi32,
        _mm256_sll_epi32, _mm256_srl_epi32, _mm256_srli_epi32, _mm256_xor_si256,
    };
    use core::mem::transmute;
    use zeroize::Zeroize;

    use super::SIXTEENS;
    use crate::kdf::Chain;

    type V = __m256i;
    const LANES: usize = 8;

    cpufeatures::new!(cpu, "avx2");

    pub(in crate::kdf::simd) fn is_available() -> bool {
        cpu::get()
    }

    fn load(lanes: &[u32; LANES]) -> V {
        // SAFETY: as many bits, and any are a vector.
        unsafe { transmute(*lanes) }
    }

    fn store(vector: V) -> [u32; LANES] {
        // SAFETY: as many bits, and any are numbers.
        unsafe { transmute(vector) }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn splat(word: u32) -> V {
        _mm256_set1_epi32(word.cast_signed())
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn add(a: V, b: V) -> V {
        _mm256_add_epi32(a, b)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn xor(a: V, b: V) -> V {
        _mm256_xor_si256(a, b)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn xor3(a: V, b: V, c: V) -> V {
        xor(xor(a, b), c)
    }

    /// The bits of `b` where `a` is set, of `c` elsewhere.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn choose(a: V, b: V, c: V) -> V {
        xor(_mm256_and_si256(xor(b, c), a), c)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn majority(a: V, b: V, c: V) -> V {
        xor(_mm256_and_si256(xor(a, b), xor(b, c)), b)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn shr<const BITS: i32>(a: V) -> V {
        _mm256_srli_epi32::<BITS>(a)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn ror<const BITS: u32>(a: V) -> V {
        // The counts are constants here, so they end up in the instructions.
        let right = _mm256_srl_epi32(a, _mm_cvtsi32_si128(BITS.cast_signed()));
        let left = _mm256_sll_epi32(a, _mm_cvtsi32_si128((32 - BITS).cast_signed()));
        _mm256_or_si256(right, left)
    }

    /// Hands on `a`, as a value that the compiler knows nothing about.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn barrier(mut a: V) -> V {
        // SAFETY: no instruction; the register goes in and comes out.
        unsafe { asm!("/* {} */", inout(ymm_reg) a, options(pure, nomem, nostack, preserves_flags)) }
        a
    }

    kernel!("avx2");
}

pub(super) mod avx512 {
    //! Sixteen lanes.
    use core::arch::asm;
    use core::arch::x86_64::{
        __m512i, _mm512_add_epi32, _mm512_ror_epi32, _mm512_set1_epi32, _mm512_srli_epi32, _mm512_ternarylogic_epi32,
        _mm512_xor_si512,
    };
    use core::mem::transmute;
    use zeroize::Zeroize;

    use super::SIXTEENS;
    use crate::kdf::Chain;

    type V = __m512i;
    const LANES: usize = 16;

    cpufeatures::new!(cpu, "avx512f");

    pub(in crate::kdf::simd) fn is_available() -> bool {
        cpu::get()
    }

    fn load(lanes: &[u32; LANES]) -> V {
        // SAFETY: as many bits, and any are a vector.
        unsafe { transmute(*lanes) }
    }

    fn store(vector: V) -> [u32; LANES] {
        // SAFETY: as many bits, and any are numbers.
        unsafe { transmute(vector) }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn splat(word: u32) -> V {
        _mm512_set1_epi32(word.cast_signed())
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn add(a: V, b: V) -> V {
        _mm512_add_epi32(a, b)
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn xor(a: V, b: V) -> V {
        _mm512_xor_si512(a, b)
    }

    // The number of a three-way operation is its table of truth.

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn xor3(a: V, b: V, c: V) -> V {
        _mm512_ternarylogic_epi32::<0x96>(a, b, c)
    }

    /// The bits of `b` where `a` is set, of `c` elsewhere.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn choose(a: V, b: V, c: V) -> V {
        _mm512_ternarylogic_epi32::<0xca>(a, b, c)
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn majority(a: V, b: V, c: V) -> V {
        _mm512_ternarylogic_epi32::<0xe8>(a, b, c)
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn shr<const BITS: u32>(a: V) -> V {
        _mm512_srli_epi32::<BITS>(a)
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn ror<const BITS: i32>(a: V) -> V {
        _mm512_ror_epi32::<BITS>(a)
    }

    /// Hands on `a`, as a value that the compiler knows nothing about.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn barrier(mut a: V) -> V {
        // SAFETY: no instruction; the register goes in and comes out.
        unsafe { asm!("/* {} */", inout(zmm_reg) a, options(pure, nomem, nostack, preserves_flags)) }
        a
    }

    kernel!("avx512f");
}
