//! Derives keys with instructions that not every CPU has: SHA-NI, AVX2 and AVX-512 on x86-64, SHA2 on aarch64.
//!
//! Each back end computes the same as the portable loop in `kdf`, for one chain or for several at once; the tests
//! compare them. Feature detection at run time tells which back ends the CPU supports, and the table `KERNELS` tells
//! which of them is fastest. A new back end is added to `Backend` and to that table.
//!
//! This is the only module of the crate with unsafe code. It is needed to call functions that require CPU features, to
//! convert between arrays and vectors, and for inline assembly, which fixes the order and the operands of additions.
#![allow(unsafe_code)] // each unsafe block states why it is sound
#![allow(clippy::indexing_slicing)] // only arrays are indexed, by counters that stay below their lengths

use super::{BATCH, Chain, Job};
use crate::Key;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use crate::sha256::K;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(target_arch = "x86_64")]
mod sha_ni;

/// A way to run chains. If the CPU does not support a back end, the portable loop runs instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// The fastest back ends for the number of chains.
    Best,
    /// The portable loop, over the compression function of `sha2`.
    Portable,
    /// SHA-NI: up to four chains at once.
    ShaNi,
    /// SHA-NI with the 32 vector registers of AVX-512: up to four chains at once.
    ShaNi32,
    /// AVX2: eight chains, one in each lane.
    Avx2,
    /// AVX-512VL: eight chains, one in each lane.
    Avx512Vl,
    /// AVX-512: sixteen or 32 chains, in one or two sets of sixteen lanes.
    Avx512,
    /// The SHA-256 instructions of aarch64: up to four chains at once.
    Sha2,
}

impl Backend {
    /// All back ends, whether this CPU supports them or not.
    pub const ALL: &'static [Self] =
        &[Self::Best, Self::Portable, Self::ShaNi, Self::ShaNi32, Self::Avx2, Self::Avx512Vl, Self::Avx512, Self::Sha2];

    /// Returns whether this CPU supports the back end.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Best | Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::ShaNi => sha_ni::is_available(),
            #[cfg(target_arch = "x86_64")]
            Self::ShaNi32 => sha_ni::evex::is_available(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => lanes::avx2::is_available(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vl => lanes::avx512vl::is_available(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => lanes::avx512::is_available(),
            #[cfg(target_arch = "aarch64")]
            Self::Sha2 => aarch64::is_available(),
            _ => false,
        }
    }
}

/// The groups of CPUs for which costs are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // the table has a column for each
enum Processor {
    Intel,
    /// AMD up to Zen 4, where a 512-bit operation takes two steps. All unknown CPUs count as this one.
    Zen4,
    /// AMD from Zen 5 on, where a 512-bit operation takes one step.
    Zen5,
}

/// A function that runs some chains at once, and its cost.
#[doc(hidden)]
#[derive(Debug)]
pub struct Kernel {
    /// The back end that it belongs to.
    pub backend: Backend,
    /// The greatest number of chains that it runs at once. Fewer chains take as long.
    pub width: usize,
    /// Whether each round adds the values that depend on the previous round last. This shortens the wait for them and
    /// takes more instructions.
    pub is_late: bool,
    /// The cycles that one compression of all chains takes, by [`Processor`].
    cycles: [u16; 3],
    /// Runs the given number of iterations of at most `width` chains. Unsound if the CPU lacks the instructions.
    advance: unsafe fn(&mut [&mut Chain], u32),
}

/// The cost of a kernel that was not measured on a processor. There it is never chosen.
const UNKNOWN: u16 = u16::MAX;

const fn kernel(
    backend: Backend,
    width: usize,
    is_late: bool,
    cycles: [u16; 3],
    advance: unsafe fn(&mut [&mut Chain], u32),
) -> Kernel {
    Kernel { backend, width, is_late, cycles, advance }
}

/// The cost of each kernel. [`Costs`] chooses kernels by this table alone.
///
/// Where the figures come from:
/// - Zen 4 (AMD EPYC, family 25, model 17): measured with `benches/run.sh cycles`. Three or four chains of SHA-NI with
///   32 registers take 53 to 55 cycles for each chain; lanes take 56 to 63, whatever their number.
/// - Intel (Xeon, Granite Rapids): from one report. Three and four late chains take 105 and 103 cycles for each chain,
///   early ones 111 and 110. Eight lanes of AVX-512 take 540 to 560 cycles, and two sets of sixteen take
///   1 670 to 1 790. The report contains one chain and sixteen lanes in sums only: 17 jobs (16 + 1) took 1 039 cycles,
///   and 24 jobs (16 + 8) took 1 474. From these follow 910 for sixteen late lanes and 130 for one chain. Early lanes
///   are 5 % cheaper there. Three were not measured: for two chains the table has twice the cost of one, which is the most that
///   they can cost; for the portable loop and AVX2 it has the figures of Zen 4.
/// - Zen 5: estimated from ratios in an earlier version of `benches/results`, which measured earlier kernels.
///
/// Of two kernels with the same cost, the later one in the table is chosen.
#[rustfmt::skip] // a table
const KERNELS: &[Kernel] = &[
    //                            width  late    Intel     Zen 4    Zen 5
    kernel(Backend::Portable,         1, false, [    650,     650,     650], portable),
    #[cfg(target_arch = "x86_64")]
    kernel(Backend::ShaNi,            1, true,  [    130,     131,     135], sha_ni::legacy::advance::<true>),
    #[cfg(target_arch = "x86_64")]
    kernel(Backend::ShaNi,            2, false, [    260,     139,     192], sha_ni::legacy::advance::<false>),
    #[cfg(target_arch = "x86_64")]
    kernel(Backend::ShaNi,            3, false, [    333,     211,     246], sha_ni::legacy::advance::<false>),
    #[cfg(target_arch = "x86_64")]
    kernel(Backend::ShaNi,            3, true,  [    315,     226, UNKNOWN], sha_ni::legacy::advance::<true>),
    #[cfg(target_arch = "x86_64")]
    kernel(Backend::ShaNi,            4, false, [    440,     250,     295], sha_ni::legacy::advance::<false>),
    #[cfg(target_arch = "x86_64")]
    kernel(Backend::ShaNi,            4, true,  [    412,     277, UNKNOWN], sha_ni::legacy::advance::<true>),
    #[cfg(target_arch = "x86_64")]
    kernel(Backend::ShaNi32,          3, false, [UNKNOWN,     165, UNKNOWN], sha_ni::evex::advance::<false>),
    #[cfg(target_arch = "x86_64")]
    kernel(Backend::ShaNi32,          4, false, [UNKNOWN,     210, UNKNOWN], sha_ni::evex::advance::<false>),
    #[cfg(target_arch = "x86_64")]
    kernel(Backend::Avx2,             8, false, [    900,     900,     932], lanes::avx2::advance::<1, false>),
    #[cfg(target_arch = "x86_64")]
    kernel(Backend::Avx512Vl,         8, false, [    540,     505, UNKNOWN], lanes::avx512vl::advance::<1, false>),
    #[cfg(target_arch = "x86_64")]
    kernel(Backend::Avx512,          16, false, [    865,     925, UNKNOWN], lanes::avx512::advance::<1, false>),
    #[cfg(target_arch = "x86_64")]
    kernel(Backend::Avx512,          16, true,  [    910,     975,     580], lanes::avx512::advance::<1, true>),
    #[cfg(target_arch = "x86_64")]
    kernel(Backend::Avx512,          32, false, [  1_730,   1_842,     864], lanes::avx512::advance::<2, false>),
    // Not measured. The width and the costs are those of SHA-NI.
    #[cfg(target_arch = "aarch64")]
    kernel(Backend::Sha2,             4, false, [    250,     250,     250], aarch64::advance),
];

fn portable(chains: &mut [&mut Chain], steps: u32) {
    chains.iter_mut().for_each(|chain| chain.step(steps));
}

impl Kernel {
    /// Returns all kernels, whether this CPU supports them or not.
    pub fn all() -> &'static [Self] {
        KERNELS
    }

    /// Derives keys as `derive_many` does, with this kernel only. If the CPU does not support it, the portable loop
    /// runs instead.
    pub fn derive(&self, jobs: &[Job<'_>], out: &mut [Key]) {
        super::derive_with(jobs, out, |chains, steps| {
            for chains in chains.chunks_mut(self.width) {
                self.advance(chains, steps);
            }
        });
    }

    /// Runs `steps` iterations of at most `width` chains. Each chain must have at least that many left.
    fn advance(&self, chains: &mut [&mut Chain], steps: u32) {
        if self.backend.is_available() {
            // SAFETY: the CPU has the instructions.
            unsafe { (self.advance)(chains, steps) }
        } else {
            portable(chains, steps);
        }
        chains.iter_mut().for_each(|chain| chain.left -= steps);
    }
}

/// The cheapest ways to run up to [`BATCH`] chains.
struct Costs {
    /// By number of chains: the cycles that one compression of all of them takes.
    cycles: [u32; BATCH + 1],
    /// By number of chains: the index in [`KERNELS`] of the kernel that runs the first of them.
    first: [usize; BATCH + 1],
}

impl Costs {
    /// Computes the costs of up to `most` chains, with the kernels for which `has` returns true, and with the portable
    /// loop.
    fn new(most: usize, processor: Processor, has: impl Fn(&Kernel) -> bool) -> Self {
        let mut costs = Self { cycles: [0; BATCH + 1], first: [0; BATCH + 1] };
        for count in 1..=most.min(BATCH) {
            // Kernel 0, the portable loop, is always allowed, so this is replaced.
            costs.cycles[count] = u32::MAX;
            for (at, kernel) in KERNELS.iter().enumerate() {
                let cycles = kernel.cycles[processor as usize];
                if (cycles == UNKNOWN || !has(kernel)) && at > 0 {
                    continue;
                }
                let cycles = u32::from(cycles) + costs.cycles[count - kernel.width.min(count)];
                if cycles <= costs.cycles[count] {
                    (costs.cycles[count], costs.first[count]) = (cycles, at);
                }
            }
        }
        costs
    }

    /// Computes the costs on this CPU with the kernels of `backend`.
    fn here(most: usize, backend: Backend) -> Self {
        Self::new(most, Processor::here(), |kernel| {
            (backend == Backend::Best || kernel.backend == backend) && kernel.backend.is_available()
        })
    }
}

/// Runs `steps` iterations of each chain. Each chain must have at least that many left.
pub(super) fn advance(chains: &mut [&mut Chain], steps: u32, backend: Backend) {
    for chains in chains.chunks_mut(BATCH) {
        let costs = Costs::here(chains.len(), backend);
        let mut rest = chains;
        while !rest.is_empty() {
            let kernel = &KERNELS[costs.first[rest.len()]];
            let (chains, later) = rest.split_at_mut(kernel.width.min(rest.len()));
            kernel.advance(chains, steps);
            rest = later;
        }
    }
}

/// Returns the greatest number of chains that cost no more than `count` chains. `count` is at most [`BATCH`].
pub(super) fn full_batch(count: usize) -> usize {
    let Costs { cycles, .. } = Costs::here(BATCH, Backend::Best);
    (count..=BATCH).rev().find(|more| cycles[*more] <= cycles[count]).unwrap_or(count)
}

impl Processor {
    /// Returns the group of this CPU.
    #[cfg(target_arch = "x86_64")]
    fn here() -> Self {
        use core::arch::x86_64::{__cpuid, CpuidResult};
        use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

        /// The group as a number, once it is known. It is stored because CPUID takes microseconds in a virtual machine.
        static KNOWN: AtomicU8 = AtomicU8::new(u8::MAX);
        if let Some(known) = [Self::Intel, Self::Zen4, Self::Zen5].get(usize::from(KNOWN.load(Relaxed))) {
            return *known;
        }
        // SAFETY: every x86-64 CPU has CPUID. Newer compilers consider it safe, hence the `allow`.
        #[allow(unused_unsafe)]
        let (CpuidResult { ebx, ecx, edx, .. }, CpuidResult { eax: signature, .. }) =
            unsafe { (__cpuid(0), __cpuid(1)) };
        // The base family of AMD CPUs has been 15 since 2003. The extended family is added to it.
        let family = (signature >> 8 & 0xf) + (signature >> 20 & 0xff);
        let vendor = [ebx, edx, ecx].map(u32::to_le_bytes);
        let found = match vendor.as_flattened() {
            b"GenuineIntel" => Self::Intel,
            b"AuthenticAMD" if family >= 0x1a => Self::Zen5,
            _ => Self::Zen4,
        };
        KNOWN.store(found as u8, Relaxed);
        found
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn here() -> Self {
        Self::Zen4
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::num::NonZeroU32;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn each_kernel_does_what_the_portable_loop_does() {
        let new = |at: u8| Chain::new(&[at; 64], &[at; 16], NonZeroU32::MAX);
        for kernel in KERNELS.iter().filter(|kernel| kernel.backend.is_available()) {
            for count in 1..=kernel.width {
                let mut chains: Vec<Chain> = (0..=u8::MAX).take(count).map(new).collect();
                kernel.advance(&mut chains.iter_mut().collect::<Vec<_>>(), 3);
                for (chain, at) in chains.iter().zip(0..) {
                    let mut wanted = new(at);
                    wanted.step(3);
                    assert_eq!((chain.u, chain.sum), (wanted.u, wanted.sum), "{kernel:?}, chain {at} of {count}");
                    assert_eq!(chain.left, wanted.left - 3, "{kernel:?}, chain {at} of {count}");
                }
            }
        }
    }

    /// Returns the kernels that run `count` chains.
    #[cfg(target_arch = "x86_64")]
    fn plan(processor: Processor, has: &[Backend], count: usize) -> Vec<(Backend, usize)> {
        let costs = Costs::new(BATCH, processor, |kernel| has.contains(&kernel.backend));
        let (mut plan, mut rest) = (Vec::new(), count);
        while rest > 0 {
            let Kernel { backend, width, .. } = KERNELS[costs.first[rest]];
            plan.push((backend, width));
            rest -= width.min(rest);
        }
        plan.sort_by_key(|(_, width)| core::cmp::Reverse(*width));
        plan
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_cheapest_kernels_are_chosen_for_each_processor() {
        use super::Backend::{Avx2, Avx512, Avx512Vl, Portable, ShaNi, ShaNi32};
        use super::Processor::{Intel, Zen4, Zen5};

        let all: &[Backend] = &[ShaNi, ShaNi32, Avx2, Avx512Vl, Avx512];
        let (no_avx512, no_sha): (&[Backend], &[Backend]) = (&[ShaNi, Avx2], &[Avx2, Avx512Vl, Avx512]);
        /// The processor, the back ends that it supports, the number of chains, and the expected kernels.
        type Case = (Processor, &'static [Backend], usize, &'static [(Backend, usize)]);
        let cases: &[Case] = &[
            (Intel, all, 1, &[(ShaNi, 1)]),
            (Intel, all, 4, &[(ShaNi, 4)]),
            (Intel, all, 5, &[(Avx512Vl, 8)]),
            (Intel, all, 6, &[(Avx512Vl, 8)]),
            (Intel, all, 8, &[(Avx512Vl, 8)]),
            (Intel, all, 9, &[(Avx512Vl, 8), (ShaNi, 1)]),
            (Intel, all, 12, &[(Avx512, 16)]),
            (Intel, all, 16, &[(Avx512, 16)]),
            (Intel, all, 17, &[(Avx512, 16), (ShaNi, 1)]),
            (Intel, all, 24, &[(Avx512, 16), (Avx512Vl, 8)]),
            (Intel, all, 32, &[(Avx512, 32)]),
            (Intel, &[ShaNi, Avx512], 8, &[(ShaNi, 4), (ShaNi, 4)]),
            (Intel, &[ShaNi, Avx512], 9, &[(Avx512, 16)]),
            (Intel, no_avx512, 7, &[(ShaNi, 4), (ShaNi, 3)]),
            (Intel, no_sha, 8, &[(Avx512Vl, 8)]),
            (Intel, &[Avx2], 1, &[(Portable, 1)]),
            (Intel, &[Avx2], 2, &[(Avx2, 8)]),
            (Zen4, all, 1, &[(ShaNi, 1)]),
            (Zen4, all, 2, &[(ShaNi, 2)]),
            (Zen4, all, 3, &[(ShaNi32, 3)]),
            (Zen4, all, 16, &[(ShaNi32, 4); 4]),
            (Zen4, all, 32, &[(ShaNi32, 4); 8]),
            (Zen4, no_avx512, 11, &[(ShaNi, 4), (ShaNi, 4), (ShaNi, 3)]),
            (Zen5, all, 4, &[(ShaNi, 4)]),
            (Zen5, all, 7, &[(ShaNi, 4), (ShaNi, 3)]),
            (Zen5, all, 8, &[(Avx512, 16)]),
            (Zen5, all, 16, &[(Avx512, 16)]),
            (Zen5, all, 19, &[(Avx512, 16), (ShaNi, 3)]),
            (Zen5, all, 20, &[(Avx512, 32)]),
            (Zen5, &[], 3, &[(Portable, 1); 3]),
        ];
        for (processor, has, count, wanted) in cases {
            assert_eq!(plan(*processor, has, *count), *wanted, "{processor:?}, {has:?}, {count}");
        }
        // The late kernel is chosen only where it is cheaper.
        for (processor, is_late) in [(Intel, true), (Zen4, false)] {
            let costs = Costs::new(4, processor, |kernel| kernel.backend == ShaNi);
            assert_eq!(KERNELS[costs.first[4]].is_late, is_late, "{processor:?}");
        }
    }

    #[test]
    fn more_chains_never_cost_less() {
        for processor in [Processor::Intel, Processor::Zen4, Processor::Zen5] {
            let Costs { cycles, .. } = Costs::new(BATCH, processor, |_| true);
            assert!(cycles.is_sorted(), "{processor:?}: {cycles:?}");
        }
    }
}
