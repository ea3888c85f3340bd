//! Many chains, one in each lane of a vector: AVX2 has eight lanes, AVX-512 sixteen.
//! SHA-256 is written once, over the few operations in which the two differ.
//! Two sets of sixteen lanes side by side hide each other's latency, and keep all of the processor's ports busy.

use super::K;

/// The kernel, over `V`, `LANES` and the operations of the module that it stands in, and the registers of a `V`.
macro_rules! kernel {
    ($features:literal, $register:ident) => {
        /// Does `steps` iterations of at most `SETS * LANES` chains; lanes without a chain idle. `LATE`: what depends on the
        /// last round comes last in the next, at the price of an addition.
        #[target_feature(enable = $features)]
        pub(in crate::kdf::simd) fn advance<const SETS: usize, const LATE: bool>(chains: &mut [&mut Chain], steps: u32) {
            let mut states = [gather::<SETS>(chains, |chain| &chain.inner), gather(chains, |chain| &chain.outer)];
            let mut keys = [Start::new(&states[0]), Start::new(&states[1])];
            states.as_flattened_mut().iter_mut().for_each(wipe);
            let (mut u, mut sum) = (gather::<SETS>(chains, |chain| &chain.u), gather::<SETS>(chains, |chain| &chain.sum));
            let (mut words, mut last) = ([[splat(0); SETS]; 48], keys[0].before);
            for _ in 0..steps {
                for key in &keys {
                    compress::<SETS, LATE>(key, &mut u, &mut words, &mut last);
                }
                for (sum, u) in sum.as_flattened_mut().iter_mut().zip(u.as_flattened()) {
                    *sum = xor(*sum, *u);
                }
            }
            scatter(&u, chains, |chain| &mut chain.u);
            scatter(&sum, chains, |chain| &mut chain.sum);
            let [inner, outer] = &mut keys;
            for Recent { a, e } in [&mut inner.before, &mut outer.before, &mut last] {
                a.iter_mut().chain(e).for_each(wipe);
            }
            let first = inner.first.iter_mut().chain(&mut outer.first);
            first.chain(&mut u).chain(&mut sum).chain(&mut words).for_each(wipe);
        }

        fn wipe<const SETS: usize>(secret: &mut [V; SETS]) {
            secret.iter_mut().for_each(Zeroize::zeroize);
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

        /// The words a and e of a state before each of the last four rounds, that before round `t` at `t % 4`: so all of
        /// the state, as what is a today is b, c and d in the next rounds. Of these d and h are only added, and can be so
        /// from memory, which spares registers and copies.
        #[derive(Clone, Copy)]
        struct Recent<const SETS: usize> {
            a: [[V; SETS]; 4],
            e: [[V; SETS]; 4],
        }

        /// The state after a key block.
        struct Start<const SETS: usize> {
            before: Recent<SETS>,
            /// a and e after round 0, but for its word.
            first: [[V; SETS]; 2],
        }

        impl<const SETS: usize> Start<SETS> {
            #[target_feature(enable = $features)]
            fn new(&[a, b, c, d, e, f, g, h]: &[[V; SETS]; 8]) -> Self {
                let [mut first_a, mut first_e] = [a, e];
                for set in 0..SETS {
                    let one = add(add(h[set], splat(K[0])), add(big1(e[set]), choose(e[set], f[set], g[set])));
                    let two = add(big0(a[set]), majority(a[set], b[set], c[set]));
                    first_a[set] = add(one, two);
                    first_e[set] = add(d[set], one);
                }
                Self { before: Recent { a: [a, d, c, b], e: [e, h, g, f] }, first: [first_a, first_e] }
            }
        }

        /// In each lane `digest` becomes the hash of `key block ‖ digest`. `words` and `last` are memory to work in: for the
        /// message schedule from word 16 on, and for the state.
        #[target_feature(enable = $features)]
        #[inline]
        fn compress<const SETS: usize, const LATE: bool>(
            key: &Start<SETS>,
            digest: &mut [[V; SETS]; 8],
            words: &mut [[V; SETS]; 48],
            last: &mut Recent<SETS>,
        ) {
            let Start { before, first } = key;
            let [mut a, mut e] = *first;
            let ([mut b, _, _, mut c], [mut f, _, _, mut g]) = (before.a, before.e);
            // The words of the block: the digest, the bit that ends it, and the length of key block and digest in bits.
            let [w0, w1, w2, w3, w4, w5, w6, w7] = *digest;
            let (zero, end, bits) = ([splat(0); SETS], [splat(0x8000_0000); SETS], [splat((64 + 32) * 8); SETS]);
            let mut w = [w0, w1, w2, w3, w4, w5, w6, w7, end, zero, zero, zero, zero, zero, zero, bits];

            /// For each set, round `$at` with d and h `$from` and its word and constant added up; then `$meanwhile`.
            /// The barriers keep the compiler from adding in another order.
            macro_rules! round {
                ($at:expr, $from:ident, $set:ident, $word:expr, $meanwhile:expr) => {
                    for $set in 0..SETS {
                        let (d, h) = (&$from.a[($at + 1) % 4][$set], &$from.e[($at + 1) % 4][$set]);
                        let (sum, choice) = (barrier(add_stored($word, h)), choose(e[$set], f[$set], g[$set]));
                        let sigma = barrier(big1(e[$set]));
                        let one = barrier(add(add(sum, choice), sigma));
                        let (next_a, next_e) = if LATE {
                            let early = barrier(add(one, majority(a[$set], b[$set], c[$set])));
                            let apart = barrier(add(add_stored(sum, d), choice));
                            (add(early, big0(a[$set])), add(apart, sigma))
                        } else {
                            let two = barrier(add(big0(a[$set]), majority(a[$set], b[$set], c[$set])));
                            (add(one, two), add_stored(one, d))
                        };
                        (a[$set], b[$set], c[$set]) = (next_a, a[$set], b[$set]);
                        (e[$set], f[$set], g[$set]) = (next_e, e[$set], f[$set]);
                        last.e[($at + 1) % 4][$set] = e[$set];
                        last.a[($at + 1) % 4][$set] = a[$set];
                        $meanwhile
                    }
                };
            }
            /// One of the first sixteen rounds, and the word for sixteen rounds later. Half of the sixteen words are the same
            /// in every block, and much is settled before the program runs.
            macro_rules! first {
                ($at:literal, $from:ident) => {
                    round!($at, $from, set, add(w[$at][set], splat(K[$at])), {
                        let at = |at: usize| w[($at + at) % 16][set];
                        words[$at][set] = extend(at(0), at(1), at(9), at(14));
                        w[$at][set] = words[$at][set];
                    });
                };
            }
            for set in 0..SETS {
                a[set] = add(a[set], w0[set]);
                e[set] = add(e[set], w0[set]);
                w[0][set] = extend(w0[set], w1[set], w[9][set], w[14][set]);
                words[0][set] = w[0][set];
            }
            (last.a[1], last.e[1]) = (a, e);
            first!(1, before);
            first!(2, before);
            first!(3, before);
            first!(4, last);
            first!(5, last);
            first!(6, last);
            first!(7, last);
            first!(8, last);
            first!(9, last);
            first!(10, last);
            first!(11, last);
            first!(12, last);
            first!(13, last);
            first!(14, last);
            first!(15, last);
            // Twelve rounds and eight words at a time: as much to do in each step, and each word in time for its round.
            for step in 0..4 {
                let (k, now, new) = (&K[16 + 12 * step..], 12 * step, 8 * step);
                macro_rules! later {
                    ($at:literal) => {
                        later!($at, set, {});
                    };
                    ($at:literal $new:literal) => {
                        later!($at, set, {
                            let w = |at: usize| words[new + $new + at][set];
                            words[new + $new + 16][set] = extend(w(0), w(1), w(9), w(14));
                        });
                    };
                    ($at:literal, $set:ident, $meanwhile:expr) => {
                        round!($at, last, $set, add(words[now + $at][$set], splat(k[$at])), $meanwhile);
                    };
                }
                later!(0 0);
                later!(1 1);
                later!(2);
                later!(3 2);
                later!(4 3);
                later!(5);
                later!(6 4);
                later!(7 5);
                later!(8);
                later!(9 6);
                later!(10 7);
                later!(11);
            }
            let ([a0, d0, c0, b0], [e0, h0, g0, f0]) = (before.a, before.e);
            *digest = [a, b, c, last.a[1], e, f, g, last.e[1]];
            for (word, before) in digest.iter_mut().zip([a0, b0, c0, d0, e0, f0, g0, h0]) {
                for (word, before) in word.iter_mut().zip(before) {
                    *word = add(*word, before);
                }
            }
        }

        /// A word of the message schedule, from those 16, 15, 7 and 2 before it (FIPS 180-4 §6.2.2).
        #[target_feature(enable = $features)]
        #[inline]
        fn extend(w16: V, w15: V, w7: V, w2: V) -> V {
            let small0 = xor3(ror::<7>(w15), ror::<18>(w15), shr::<3>(w15));
            let small1 = xor3(ror::<17>(w2), ror::<19>(w2), shr::<10>(w2));
            add(add(w16, small0), add(w7, small1))
        }

        /// Σ0 of FIPS 180-4 §4.1.2.
        #[target_feature(enable = $features)]
        #[inline]
        fn big0(a: V) -> V {
            xor3(ror::<2>(a), ror::<13>(a), ror::<22>(a))
        }

        /// Σ1.
        #[target_feature(enable = $features)]
        #[inline]
        fn big1(e: V) -> V {
            xor3(ror::<6>(e), ror::<11>(e), ror::<25>(e))
        }

        /// Hands on `a`, as a value that the compiler knows nothing about.
        #[target_feature(enable = $features)]
        #[inline]
        fn barrier(mut a: V) -> V {
            // SAFETY: no instruction; the register goes in and comes out.
            unsafe { asm!("/* {} */", inout($register) a, options(pure, nomem, nostack, preserves_flags)) }
            a
        }

        /// `a` plus what is in memory: the compiler would have it in a register since it was written.
        #[target_feature(enable = $features)]
        #[inline]
        fn add_stored(a: V, b: &V) -> V {
            let sum;
            // SAFETY: reads `b`, all of it and no more; where it lies in memory is all the same to this encoding.
            unsafe {
                asm!("vpaddd {}, {}, [{}]", lateout($register) sum, in($register) a, in(reg) b,
                    options(pure, readonly, nostack, preserves_flags));
            }
            sum
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

    use super::K;
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

    kernel!("avx2", ymm_reg);
}

/// The operations of AVX-512 at one of its widths, and the kernel over them.
macro_rules! avx512 {
    ($v:ident, $lanes:literal, $available:tt $(, $more:tt)*; $features:literal, $register:ident;
     $set1:ident $add:ident $xor:ident $ternary:ident $shift:ident::<$count:ty> $rotate:ident) => {
        use core::arch::asm;
        use core::arch::x86_64::{$v, $add, $rotate, $set1, $shift, $ternary, $xor};
        use core::mem::transmute;
        use zeroize::Zeroize;

        use super::K;
        use crate::kdf::Chain;

        type V = $v;
        const LANES: usize = $lanes;

        cpufeatures::new!(cpu, $available $(, $more)*);

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

        #[target_feature(enable = $features)]
        #[inline]
        fn splat(word: u32) -> V {
            $set1(word.cast_signed())
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn add(a: V, b: V) -> V {
            $add(a, b)
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn xor(a: V, b: V) -> V {
            $xor(a, b)
        }

        // The number of a three-way operation is its truth table.

        #[target_feature(enable = $features)]
        #[inline]
        fn xor3(a: V, b: V, c: V) -> V {
            $ternary::<0x96>(a, b, c)
        }

        /// The bits of `b` where `a` is set, of `c` elsewhere.
        #[target_feature(enable = $features)]
        #[inline]
        fn choose(a: V, b: V, c: V) -> V {
            $ternary::<0xca>(a, b, c)
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn majority(a: V, b: V, c: V) -> V {
            $ternary::<0xe8>(a, b, c)
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn shr<const BITS: $count>(a: V) -> V {
            $shift::<BITS>(a)
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn ror<const BITS: i32>(a: V) -> V {
            $rotate::<BITS>(a)
        }

        kernel!($features, $register);
    };
}

pub(super) mod avx512 {
    //! Sixteen lanes.
    avx512!(__m512i, 16, "avx512f"; "avx512f", zmm_reg;
        _mm512_set1_epi32 _mm512_add_epi32 _mm512_xor_si512 _mm512_ternarylogic_epi32 _mm512_srli_epi32::<u32> _mm512_ror_epi32);
}

pub(super) mod avx512vl {
    //! Eight lanes, with the rotation and the three-way operations of AVX-512.
    avx512!(__m256i, 8, "avx512f", "avx512vl"; "avx512f,avx512vl", ymm_reg;
        _mm256_set1_epi32 _mm256_add_epi32 _mm256_xor_si256 _mm256_ternarylogic_epi32 _mm256_srli_epi32::<i32> _mm256_ror_epi32);
}
