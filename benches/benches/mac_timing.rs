//! Tests whether the time of rejecting a token reveals where its MAC is wrong: `cargo bench --bench mac_timing` in
//! benches/.
//!
//! It uses dudect's method (Reparaz, Balasch and Verbauwhede, 2017): it times tokens of two classes in random order and
//! compares the times by Welch's t, for all of them and without the slowest. A t above 10 is a leak. A deliberately
//! leaky comparison shows that the method finds one.

use std::hint::black_box;
use std::time::Instant;

use base64ct::{Base64Url, Encoding};
use fernseal_core::Key;
use fernseal_core::fernet::{self, Freshness};
use getrandom::SysRng;

const MEASUREMENTS: usize = 1_000_000;
/// Each class has the same number of tokens, even where they are equal, so that caches behave alike.
const TOKENS: usize = 64;
/// The parts of a token of a 36-byte secret: 25 bytes of head, 48 of ciphertext and 32 of MAC.
const SIGNED: usize = 25 + 48;
const KEY: [u8; 32] = *b"16 bytes to sign16 bytes of AES.";

type Class = Vec<String>;

fn random<const LEN: usize>() -> [u8; LEN] {
    let mut bytes = [0; LEN];
    getrandom::fill(&mut bytes).expect("random bytes");
    bytes
}

/// Welch's t of two samples: the mean, variance and size of each, computed in one pass (Welford).
#[derive(Default, Clone, Copy)]
struct Sample {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Sample {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }

    fn error(&self) -> f64 {
        self.squares / (self.count - 1.0) / self.count
    }
}

fn samples(times: &[(usize, u32)], limit: u32) -> [Sample; 2] {
    let mut samples = [Sample::default(); 2];
    for (class, time) in times.iter().filter(|(_, time)| *time <= limit) {
        samples[*class].add(f64::from(*time));
    }
    samples
}

fn welch([a, b]: [Sample; 2]) -> f64 {
    if a.count < 1_000.0 || b.count < 1_000.0 { 0.0 } else { (a.mean - b.mean) / (a.error() + b.error()).sqrt() }
}

/// Times `run` on tokens of the two classes and prints t.
fn compare(what: &str, classes: [&Class; 2], mut run: impl FnMut(&str)) {
    // All tokens pass through the same buffer, so that only its contents differ.
    let mut text = classes[0][0].clone();
    let mut times = Vec::new();
    while times.len() < MEASUREMENTS / 20 * 21 {
        for choice in random::<4096>().map(usize::from) {
            text.clear();
            text.push_str(&classes[choice & 1][choice >> 1 & (TOKENS - 1)]);
            let start = Instant::now();
            run(black_box(&text));
            times.push((choice & 1, u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX)));
        }
    }
    // The first runs are warm-up.
    times.drain(..times.len() - MEASUREMENTS);
    let mut sorted: Vec<u32> = times.iter().map(|(_, time)| *time).collect();
    sorted.sort_unstable();
    // The percentiles of dudect: 1 - 0.5 ^ (10 i / 100).
    let limits =
        (1..=100).map(|at| sorted[((1.0 - 0.5_f64.powf(at as f64 / 10.0)) * (sorted.len() - 1) as f64) as usize]);
    let whole = samples(&times, u32::MAX);
    let greatest =
        limits.map(|limit| welch(samples(&times, limit))).chain([welch(whole)]).map(f64::abs).fold(0.0, f64::max);
    let median = |class| {
        let mut times: Vec<u32> = times.iter().filter(|(of, _)| *of == class).map(|(_, time)| *time).collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    println!("{what:<72} {:>6} {:>6} {:>9.2} {:>9.2}", median(0), median(1), welch(whole).abs(), greatest);
}

fn main() {
    let key = Key::from_bytes(&KEY);
    let mut buffer = [0; 256];
    let right = fernet::seal(&key, &[b's'; 36], 0, &mut SysRng, &mut buffer).expect("fits").to_owned();
    let raw = Base64Url::decode_vec(&right).expect("base64");
    let class = |spoil: &dyn Fn(&mut [u8])| -> Class {
        let spoiled = || {
            let mut raw = raw.clone();
            spoil(&mut raw[SIGNED..]);
            Base64Url::encode_string(&raw)
        };
        (0..TOKENS).map(|_| spoiled()).collect()
    };
    let good = class(&|_| ());
    let first = class(&|mac| mac[0] ^= 1);
    let last = class(&|mac| mac[31] ^= 1);
    let (start, end) = (class(&|mac| mac[..16].fill(0)), class(&|mac| mac[16..].fill(0)));
    let all = class(&|mac| mac.iter_mut().for_each(|byte| *byte ^= 0xff));
    let fixed = class(&|mac| mac.fill(0x5a));
    let other = class(&|mac| mac.copy_from_slice(&random::<32>()));

    let mut out = [0; 256];
    let mut open = |text: &str| {
        black_box(fernet::open(&key, text, Freshness::Any, &mut out).is_ok());
    };
    println!(
        "{MEASUREMENTS} measurements each; medians in ns; |t| of all, and the greatest of 101 cuts: above 10 is a leak\n"
    );
    println!("{:<72} {:>6} {:>6} {:>9} {:>9}", "", "first", "second", "|t|", "greatest");
    compare(
        "fernet::open: MAC wrong in byte 0, in byte 0 (one class: no difference)",
        [&first, &first.clone()],
        &mut open,
    );
    compare("fernet::open: MAC wrong in byte 0, in byte 31", [&first, &last], &mut open);
    compare("fernet::open: MAC wrong in its first half, in its second", [&start, &end], &mut open);
    compare("fernet::open: MAC wrong in byte 31, in every bit", [&last, &all], &mut open);
    compare("fernet::open: one MAC, random MACs", [&fixed, &other], &mut open);
    let verify = |text: &str| {
        black_box(fernet::verified_timestamp(&key, text).is_ok());
    };
    compare("fernet::verified_timestamp: MAC wrong in byte 0, in byte 31", [&first, &last], verify);
    compare("fernet::verified_timestamp: MAC right, wrong in byte 31", [&good, &last], verify);

    println!("\nWhat a leak looks like:");
    compare("fernet::open, and a comparison that stops: wrong in byte 0, in byte 31", [&first, &last], |text| {
        open(text);
        let same = text.bytes().zip(right.bytes()).skip(SIGNED / 3 * 4).take_while(|(a, b)| black_box(a) == b);
        black_box(same.count());
    });
    compare("fernet::open: MAC right (the secret is decrypted), wrong in byte 31", [&good, &last], &mut open);
}
