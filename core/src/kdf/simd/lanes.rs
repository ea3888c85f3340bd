//! Many chains, one in each lane of a vector: AVX2 has eight lanes, AVX-512 sixteen.
//! SHA-256 is written once, over the few operations in which the two differ.
//! Two sets of sixteen lanes side by side hide each other's latency.

/// The kernel, over `V`, `LANES` and the operations of the module that it stands in.
macro_rules! kernel {
    ($features:literal) => {
        /// Does `steps` iterations of at most `SETS * LANES` chains; lanes without a chain idle.
        #[target_feature(enable = $features)]
        pub(in crate::kdf::simd) fn advance<const SETS: usize>(chains: &mut [&mut Chain], steps: u32) {
            let load = |word: &dyn Fn(&Chain) -> u32| -> [V; SETS] {
                core::array::from_fn(|set| {
                    let mut lanes: [u32; LANES] =
                        core::array::from_fn(|lane| chains.get(set * LANES + lane).map_or(0, |chain| word(chain)));
                    let vector = load(&lanes);
                    lanes.zeroize();
                    vector
                })
            };
            let mut inner: [[V; SETS]; 8] = core::array::from_fn(|at| load(&|chain| chain.inner[at]));
            let mut outer: [[V; SETS]; 8] = core::array::from_fn(|at| load(&|chain| chain.outer[at]));
            let mut u: [[V; SETS]; 8] = core::array::from_fn(|at| load(&|chain| chain.u[at]));
            let mut sum: [[V; SETS]; 8] = core::array::from_fn(|at| load(&|chain| chain.sum[at]));
            for _ in 0..steps {
                u = compress(&inner, &u);
                u = compress(&outer, &u);
                for (sum, u) in sum.iter_mut().zip(&u) {
                    for (sum, u) in sum.iter_mut().zip(u) {
                        *sum = xor(*sum, *u);
                    }
                }
            }
            for at in 0..8 {
                for set in 0..SETS {
                    let (mut us, mut sums) = (store(u[at][set]), store(sum[at][set]));
                    for (chain, (u, sum)) in chains.iter_mut().skip(set * LANES).zip(us.iter().zip(&sums)) {
                        chain.u[at] = *u;
                        chain.sum[at] = *sum;
                    }
                    us.zeroize();
                    sums.zeroize();
                }
            }
            for secret in [&mut inner, &mut outer, &mut u, &mut sum] {
                secret.iter_mut().for_each(|word| word.zeroize());
            }
        }

        /// In each lane the hash of `key block ‖ digest`, from the state after the key block.
        #[target_feature(enable = $features)]
        #[inline]
        fn compress<const SETS: usize>(before: &[[V; SETS]; 8], digest: &[[V; SETS]; 8]) -> [[V; SETS]; 8] {
            let zero = [splat(0); SETS];
            let [w0, w1, w2, w3, w4, w5, w6, w7] = *digest;
            let end = [splat(0x8000_0000); SETS];
            let bits = [splat((64 + 32) * 8); SETS];
            let mut w = [w0, w1, w2, w3, w4, w5, w6, w7, end, zero, zero, zero, zero, zero, zero, bits];
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *before;
            macro_rules! round {
                ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $at:expr, $k:expr) => {
                    let k = splat($k);
                    for set in 0..SETS {
                        let big1 = xor3(ror::<6>($e[set]), ror::<11>($e[set]), ror::<25>($e[set]));
                        let first = add(add($h[set], big1), add(choose($e[set], $f[set], $g[set]), add(w[$at][set], k)));
                        let big0 = xor3(ror::<2>($a[set]), ror::<13>($a[set]), ror::<22>($a[set]));
                        $d[set] = add($d[set], first);
                        $h[set] = add(first, add(big0, majority($a[set], $b[set], $c[set])));
                    }
                };
            }
            macro_rules! schedule {
                ($at:expr) => {
                    for set in 0..SETS {
                        let (early, late) = (w[($at + 1) % 16][set], w[($at + 14) % 16][set]);
                        let small0 = xor3(ror::<7>(early), ror::<18>(early), shr::<3>(early));
                        let small1 = xor3(ror::<17>(late), ror::<19>(late), shr::<10>(late));
                        w[$at][set] = add(add(w[$at][set], small0), add(w[($at + 9) % 16][set], small1));
                    }
                };
            }
            macro_rules! sixteen {
                ($before:ident, $from:expr) => {
                    $before!(0); round!(a b c d e f g h, 0, K[$from]);
                    $before!(1); round!(h a b c d e f g, 1, K[$from + 1]);
                    $before!(2); round!(g h a b c d e f, 2, K[$from + 2]);
                    $before!(3); round!(f g h a b c d e, 3, K[$from + 3]);
                    $before!(4); round!(e f g h a b c d, 4, K[$from + 4]);
                    $before!(5); round!(d e f g h a b c, 5, K[$from + 5]);
                    $before!(6); round!(c d e f g h a b, 6, K[$from + 6]);
                    $before!(7); round!(b c d e f g h a, 7, K[$from + 7]);
                    $before!(8); round!(a b c d e f g h, 8, K[$from + 8]);
                    $before!(9); round!(h a b c d e f g, 9, K[$from + 9]);
                    $before!(10); round!(g h a b c d e f, 10, K[$from + 10]);
                    $before!(11); round!(f g h a b c d e, 11, K[$from + 11]);
                    $before!(12); round!(e f g h a b c d, 12, K[$from + 12]);
                    $before!(13); round!(d e f g h a b c, 13, K[$from + 13]);
                    $before!(14); round!(c d e f g h a b, 14, K[$from + 14]);
                    $before!(15); round!(b c d e f g h a, 15, K[$from + 15]);
                };
            }
            macro_rules! nothing {
                ($at:expr) => {};
            }
            sixteen!(nothing, 0);
            for from in [16, 32, 48] {
                sixteen!(schedule, from);
            }
            let mut state = [a, b, c, d, e, f, g, h];
            for (state, before) in state.iter_mut().zip(before) {
                for (state, before) in state.iter_mut().zip(before) {
                    *state = add(*state, *before);
                }
            }
            state
        }
    };
}

pub(super) mod avx2 {
    //! Eight lanes.
    use core::arch::x86_64::{
        __m256i, _mm_cvtsi32_si128, _mm256_add_epi32, _mm256_and_si256, _mm256_or_si256, _mm256_set1_epi32,
        _mm256_sll_epi32, _mm256_srl_epi32, _mm256_srli_epi32, _mm256_xor_si256,
    };
    use core::mem::transmute;
    use zeroize::Zeroize;

    use super::super::K;
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
        _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(_mm256_or_si256(a, b), c))
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

    kernel!("avx2");
}

pub(super) mod avx512 {
    //! Sixteen lanes.
    use core::arch::x86_64::{
        __m512i, _mm512_add_epi32, _mm512_ror_epi32, _mm512_set1_epi32, _mm512_srli_epi32, _mm512_ternarylogic_epi32,
        _mm512_xor_si512,
    };
    use core::mem::transmute;
    use zeroize::Zeroize;

    use super::super::K;
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

    kernel!("avx512f");
}
