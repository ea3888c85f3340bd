//! Derives many keys at once, with one chain in each lane of a vector: AVX2 has eight lanes, AVX-512 sixteen.
//!
//! The macro `kernel` contains SHA-256 once, over the few operations that differ between AVX2 and AVX-512. Two sets of
//! sixteen lanes run together, so that the CPU works on one while it waits for the other. Measure a change with
//! `benches/run.sh cycles`.

use super::K;

/// Defines the kernel of a module. The module provides the vector type `V`, its `LANES` and its operations; `$register`
/// is the register class of a `V`.
macro_rules! kernel {
    ($features:literal, $register:ident) => {
        /// Runs `steps` iterations of at most `SETS * LANES` chains; the other lanes are unused. With `LATE`, each
        /// round adds the values that depend on the previous round last, which takes one more addition.
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

        /// Returns one state of each chain, with each word of all chains in a vector.
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

        /// Writes the words of all chains back: the reverse of `gather`.
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

        /// The words a and e of a state before each of the last four rounds, with those before round `t` at index `t %
        /// 4`. They are the whole state: a becomes b, c and d in the rounds that follow, and e becomes f, g and h. The
        /// words d and h are only added, which an instruction can do from memory; this saves registers and copies.
        #[derive(Clone, Copy)]
        struct Recent<const SETS: usize> {
            a: [[V; SETS]; 4],
            e: [[V; SETS]; 4],
        }

        /// The state after a key block.
        struct Start<const SETS: usize> {
            before: Recent<SETS>,
            /// The words a and e after round 0, without the message word of that round.
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

        /// Replaces `digest` in each lane by the hash of `key block ‖ digest`. `words` and `last` are working memory,
        /// for the message schedule from word 16 on and for the state.
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
            // The words of the block: the digest, the 1 bit of the padding, and the length of key block and digest in
            // bits.
            let [w0, w1, w2, w3, w4, w5, w6, w7] = *digest;
            let (zero, end, bits) = ([splat(0); SETS], [splat(0x8000_0000); SETS], [splat((64 + 32) * 8); SETS]);
            let mut w = [w0, w1, w2, w3, w4, w5, w6, w7, end, zero, zero, zero, zero, zero, zero, bits];

            /// Runs round `$at` of each set, with d and h from `$from`; `$word` is the sum of the message word and the
            /// round constant. Then runs `$meanwhile`. The barriers keep the compiler from reordering the additions.
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
            /// Runs one of the first sixteen rounds and computes the word for sixteen rounds later. Half of the sixteen
            /// words are constant, so the compiler evaluates much of this.
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
            // Each step runs twelve rounds and computes eight words. So all steps have the same work, and each word is
            // ready for its round.
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

        /// Returns a word of the message schedule, from the words 16, 15, 7 and 2 before it (FIPS 180-4 §6.2.2).
        #[target_feature(enable = $features)]
        #[inline]
        fn extend(w16: V, w15: V, w7: V, w2: V) -> V {
            let small0 = xor3(ror::<7>(w15), ror::<18>(w15), shr::<3>(w15));
            let small1 = xor3(ror::<17>(w2), ror::<19>(w2), shr::<10>(w2));
            add(add(w16, small0), add(w7, small1))
        }

        /// Returns Σ0 of `a` (FIPS 180-4 §4.1.2).
        #[target_feature(enable = $features)]
        #[inline]
        fn big0(a: V) -> V {
            xor3(ror::<2>(a), ror::<13>(a), ror::<22>(a))
        }

        /// Returns Σ1 of `e` (FIPS 180-4 §4.1.2).
        #[target_feature(enable = $features)]
        #[inline]
        fn big1(e: V) -> V {
            xor3(ror::<6>(e), ror::<11>(e), ror::<25>(e))
        }

        /// Returns `a`, hidden from the optimiser: the compiler can neither reorder nor merge operations across it.
        #[target_feature(enable = $features)]
        #[inline]
        fn barrier(mut a: V) -> V {
            // SAFETY: it contains no instruction; the register is both input and output.
            unsafe { asm!("/* {} */", inout($register) a, options(pure, nomem, nostack, preserves_flags)) }
            a
        }

        /// Returns `a + b`, with `b` read from memory. The compiler would instead keep `b` in a register from where it
        /// was written.
        #[target_feature(enable = $features)]
        #[inline]
        fn add_stored(a: V, b: &V) -> V {
            let sum;
            // SAFETY: it reads exactly `b`. This encoding has no alignment requirement.
            unsafe {
                asm!("vpaddd {}, {}, [{}]", lateout($register) sum, in($register) a, in(reg) b,
                    options(pure, readonly, nostack, preserves_flags));
            }
            sum
        }
    };
}

pub(super) mod avx2 {
    //! The kernel for AVX2: eight lanes.
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
        // SAFETY: both types have the same size, and any bits are a valid vector.
        unsafe { transmute(*lanes) }
    }

    fn store(vector: V) -> [u32; LANES] {
        // SAFETY: both types have the same size, and any bits are valid numbers.
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

    /// Returns the bits of `b` where `a` is set, and those of `c` elsewhere.
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
        // The counts are constants, so they become immediate operands.
        let right = _mm256_srl_epi32(a, _mm_cvtsi32_si128(BITS.cast_signed()));
        let left = _mm256_sll_epi32(a, _mm_cvtsi32_si128((32 - BITS).cast_signed()));
        _mm256_or_si256(right, left)
    }

    kernel!("avx2", ymm_reg);
}

/// Defines the operations of AVX-512 at one vector width, and the kernel over them.
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
            // SAFETY: both types have the same size, and any bits are a valid vector.
            unsafe { transmute(*lanes) }
        }

        fn store(vector: V) -> [u32; LANES] {
            // SAFETY: both types have the same size, and any bits are valid numbers.
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

        // The constant of a three-operand instruction is its truth table.

        #[target_feature(enable = $features)]
        #[inline]
        fn xor3(a: V, b: V, c: V) -> V {
            $ternary::<0x96>(a, b, c)
        }

        /// Returns the bits of `b` where `a` is set, and those of `c` elsewhere.
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
    //! The kernel for AVX-512: sixteen lanes.
    avx512!(__m512i, 16, "avx512f"; "avx512f", zmm_reg;
        _mm512_set1_epi32 _mm512_add_epi32 _mm512_xor_si512 _mm512_ternarylogic_epi32 _mm512_srli_epi32::<u32> _mm512_ror_epi32);
}

pub(super) mod avx512vl {
    //! The kernel for AVX-512VL: eight lanes, with the rotation and the three-operand instructions of AVX-512.
    avx512!(__m256i, 8, "avx512f", "avx512vl"; "avx512f,avx512vl", ymm_reg;
        _mm256_set1_epi32 _mm256_add_epi32 _mm256_xor_si256 _mm256_ternarylogic_epi32 _mm256_srli_epi32::<i32> _mm256_ror_epi32);
}
