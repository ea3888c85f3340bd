//! Measures the cost of each kernel on this CPU, in cycles, and prints where `Backend::Best` does not choose the
//! fastest. Copy the figures into the table of core/src/kdf/simd.rs.

use std::fmt::Write as _;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

use fernseal_core::kdf::{Backend, Job, Kernel};
use fernseal_core::{Key, MasterKey};

use crate::{PASSWORD, Timed, best_times, ours};

const ITERATIONS: u32 = 2_000;
/// Only a choice that is faster by more than this factor is reported; smaller differences are noise.
const TOLERANCE: f64 = 1.04;
/// The greatest number of derivations that is examined. The choice of lanes repeats after 32.
const MOST: usize = 40;

/// The number of steps of a multiplication (three cycles) and an exclusive or (one cycle), each of which depends on the
/// previous one.
const STEPS: u32 = 1_000_000;
const CYCLES_A_STEP: f64 = 4.0;

/// Runs work of a known number of cycles, to measure how long a cycle takes.
fn known_cycles() {
    let (factor, mask) = (black_box(0x9e37_79b9_7f4a_7c15_u64), black_box(0x5555_u64));
    let mut value = black_box(1_u64);
    for _ in 0..STEPS {
        value = value.wrapping_mul(factor) ^ mask;
    }
    black_box(value);
}

fn by_kernel(kernel: &Kernel) {
    let master = MasterKey::from_bytes(&PASSWORD).expect("not empty");
    let salts: Vec<[u8; 16]> = (0..kernel.width).map(|at| [at as u8; 16]).collect();
    let iterations = NonZeroU32::new(ITERATIONS).expect("not zero");
    let jobs: Vec<Job<'_>> = salts.iter().map(|salt| Job { master: &master, salt, iterations }).collect();
    let mut out: Vec<Key> = salts.iter().map(|_| Key::from_bytes(&[0; 32])).collect();
    kernel.derive(&jobs, &mut out);
    black_box(&out);
}

/// Returns the lowest cost of each number of derivations up to [`MOST`], with kernels of the given widths and costs.
fn least_costs(kernels: &[(&Kernel, f64)]) -> Vec<f64> {
    let mut least = vec![0.0; MOST + 1];
    for count in 1..=MOST {
        let with = |(kernel, cycles): &(&Kernel, f64)| cycles + least[count.saturating_sub(kernel.width)];
        least[count] = kernels.iter().map(with).fold(f64::INFINITY, f64::min);
    }
    least
}

/// Prints a table of kernels, and one line for each number of derivations for which other kernels than the chosen ones
/// are faster.
pub(crate) fn report() -> String {
    let kernels: Vec<&Kernel> = Kernel::all().iter().filter(|kernel| kernel.backend.is_available()).collect();
    let mut timed: Vec<Timed<'_>> = vec![(String::new(), Box::new(known_cycles))];
    timed.extend(kernels.iter().map(|kernel| -> Timed<'_> { (String::new(), Box::new(|| by_kernel(kernel))) }));
    timed.extend(
        (1..=MOST)
            .map(|count| -> Timed<'_> { (String::new(), Box::new(move || ours(Backend::Best, count, ITERATIONS))) }),
    );
    let best = best_times(&mut timed);
    let a_cycle = best[0].as_secs_f64() / f64::from(STEPS) / CYCLES_A_STEP;
    // Each iteration takes two compressions.
    let cycles = |time: &Duration| time.as_secs_f64() / a_cycle / f64::from(ITERATIONS) / 2.0;

    let measured: Vec<(&Kernel, f64)> = kernels.iter().copied().zip(best[1..].iter().map(cycles)).collect();
    let mut report = "| kernel | width | late | cycles | a chain |\n|---|---|---|---|---|\n".to_owned();
    for (Kernel { backend, width, is_late, .. }, cycles) in &measured {
        let each = cycles / *width as f64;
        let _ = writeln!(report, "| {backend:?} | {width} | {is_late} | {cycles:.0} | {each:.0} |");
    }
    report.push('\n');
    let mut is_best = true;
    for (count, (time, least)) in best[1 + kernels.len()..].iter().zip(&least_costs(&measured)[1..]).enumerate() {
        let (chosen, count) = (cycles(time), count + 1);
        if chosen > least * TOLERANCE {
            is_best = false;
            let _ = writeln!(report, "Best is not best for {count}: {chosen:.0} cycles, {least:.0} by other kernels");
        }
    }
    if is_best {
        let _ =
            writeln!(report, "Best is best for 1 to {MOST} derivations (within {:.0} %).", (TOLERANCE - 1.0) * 100.0);
    }
    report
}
