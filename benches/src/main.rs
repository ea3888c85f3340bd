//! Compares derivations and tokens with other implementations and with the limit of the hardware, in one run.
//!
//! The candidates are timed in turn, many times, by the CPU time of the thread, and the best time of each counts. So
//! the ratios are valid on a busy machine and on one whose clock frequency varies.
//!
//! `cargo run --release` writes results/tables.md and results/pbkdf2.svg, which the README shows.
//! `cargo run --release -- cycles` prints the cost of each kernel, and where `Backend::Best` does not choose the
//! fastest.

mod chart;
mod cycles;

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use fernseal_core::kdf::{self, Backend, Job};
use fernseal_core::{Key, MasterKey, fernet};
use getrandom::SysRng;
use rustix::time::{ClockId, clock_gettime};

const PASSWORD: [u8; 32] = [7; 32];
const SALT: &[u8; 16] = b"proxmox_mcp_salt";
const ITERATIONS: u32 = 100_000;
const ROUNDS: usize = 21;

type Timed<'a> = (String, Box<dyn FnMut() + 'a>);

/// Returns the CPU time that this thread has used.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("not before the start")
}

/// Returns the best time of each candidate; they are timed in turn.
fn best_times(timed: &mut [Timed<'_>]) -> Vec<Duration> {
    let mut best = vec![Duration::MAX; timed.len()];
    for _ in 0..ROUNDS {
        for ((_, run), best) in timed.iter_mut().zip(&mut best) {
            let start = processor_time();
            run();
            *best = (processor_time() - start).min(*best);
        }
    }
    best
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn ours(backend: Backend, count: usize, iterations: u32) {
    let master = MasterKey::from_bytes(&PASSWORD).expect("not empty");
    let salts: Vec<[u8; 16]> = (0..count).map(|at| [at as u8; 16]).collect();
    let iterations = NonZeroU32::new(iterations).expect("not zero");
    let jobs: Vec<Job<'_>> = salts.iter().map(|salt| Job { master: &master, salt, iterations }).collect();
    let mut out: Vec<Key> = salts.iter().map(|_| Key::from_bytes(&[0; 32])).collect();
    kdf::derive_many_by(backend, &jobs, &mut out);
    black_box(&out);
}

/// Runs the SHA-NI rounds of 100 000 iterations, each of which depends on the previous one. No chain of HMACs is faster
/// on this CPU.
#[cfg(target_arch = "x86_64")]
fn floor() {
    use std::arch::x86_64::{_mm_set1_epi32, _mm_sha256rnds2_epu32};
    #[target_feature(enable = "sha,sse2")]
    fn rounds() {
        let (mut a, mut b) = (_mm_set1_epi32(1), _mm_set1_epi32(2));
        let words = black_box(_mm_set1_epi32(3));
        for _ in 0..ITERATIONS * 2 {
            for _ in 0..16 {
                b = _mm_sha256rnds2_epu32(b, a, words);
                a = _mm_sha256rnds2_epu32(a, b, words);
            }
        }
        black_box((a, b));
    }
    if Backend::ShaNi.is_available() {
        // SAFETY: the CPU has the instructions.
        unsafe { rounds() }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn floor() {}

/// Runs the peers that are separate programs. Each derives as often as ours and prints its best time in milliseconds.
fn programs() -> Vec<(String, Duration)> {
    let python = "import time,sys\n\
        from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC as P\n\
        from cryptography.hazmat.primitives.hashes import SHA256 as H\n\
        def once():\n t=time.thread_time(); P(H(),32,b'proxmox_mcp_salt',100000).derive(bytes([7]*32)); return time.thread_time()-t\n\
        print(1e3*min(once() for _ in range(21)))";
    let node = "const c=require('crypto');let b=1e9;for(let i=0;i<21;i++){const t=process.cpuUsage();\
        c.pbkdf2Sync(Buffer.alloc(32,7),'proxmox_mcp_salt',100000,32,'sha256');\
        const u=process.cpuUsage(t);b=Math.min(b,(u.user+u.system)/1e3)}console.log(b)";
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/venv/bin/python");
    let mut found = Vec::new();
    for (name, program, flag, code) in
        [("Python cryptography 50", venv.as_os_str(), "-c", python), ("Node 20", "node".as_ref(), "-e", node)]
    {
        let out = std::process::Command::new(program).args([flag, code]).output();
        match out.ok().and_then(|out| String::from_utf8_lossy(&out.stdout).trim().parse::<f64>().ok()) {
            Some(ms) => found.push((name.to_owned(), Duration::from_secs_f64(ms / 1e3))),
            None => eprintln!("SKIPPED {name}: not there (tests/setup.sh python)"),
        }
    }
    found
}

/// Measures one derivation by Fernseal and by each peer, fastest first; writes the table and the chart.
fn single() -> (String, String) {
    let mut timed: Vec<Timed<'_>> = vec![
        ("the floor: dependent SHA-NI rounds".into(), Box::new(floor)),
        ("**fernseal**".into(), Box::new(|| ours(Backend::Best, 1, ITERATIONS))),
        ("fernseal, portable".into(), Box::new(|| ours(Backend::Portable, 1, ITERATIONS))),
        // It is a tenth slower than 0.12 because wiping is enabled; without wiping, both take the same time.
        (
            "pbkdf2 0.13 (RustCrypto, wiping)".into(),
            Box::new(|| pbkdf2::pbkdf2_hmac::<sha2::Sha256>(&PASSWORD, SALT, ITERATIONS, black_box(&mut [0; 32]))),
        ),
        (
            "pbkdf2 0.12 (RustCrypto)".into(),
            Box::new(|| {
                pbkdf2_012::pbkdf2_hmac::<sha2_010::Sha256>(&PASSWORD, SALT, ITERATIONS, black_box(&mut [0; 32]));
            }),
        ),
        (
            "fastpbkdf2".into(),
            Box::new(|| fastpbkdf2::pbkdf2_hmac_sha256(&PASSWORD, SALT, ITERATIONS, black_box(&mut [0; 32]))),
        ),
        (
            "ring".into(),
            Box::new(|| {
                let count = NonZeroU32::new(ITERATIONS).expect("not zero");
                ring::pbkdf2::derive(ring::pbkdf2::PBKDF2_HMAC_SHA256, count, SALT, &PASSWORD, black_box(&mut [0; 32]));
            }),
        ),
        (
            "aws-lc-rs".into(),
            Box::new(|| {
                let count = NonZeroU32::new(ITERATIONS).expect("not zero");
                let algorithm = aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA256;
                aws_lc_rs::pbkdf2::derive(algorithm, count, SALT, &PASSWORD, black_box(&mut [0; 32]));
            }),
        ),
        (
            format!("openssl ({})", openssl::version::version().split(' ').nth(1).unwrap_or_default()),
            Box::new(|| {
                let hash = openssl::hash::MessageDigest::sha256();
                openssl::pkcs5::pbkdf2_hmac(&PASSWORD, SALT, ITERATIONS as usize, hash, black_box(&mut [0; 32]))
                    .expect("derives");
            }),
        ),
    ];
    let best = best_times(&mut timed);
    let programs = programs();
    let mut rows: Vec<_> = timed.iter().map(|(name, _)| name).zip(&best).collect();
    rows.extend(programs.iter().map(|(name, time)| (name, time)));
    rows.sort_by_key(|(_, time)| **time);
    let mut table = "| one derivation, 100 000 iterations | ms | times the floor |\n|---|---|---|\n".to_owned();
    let bars: Vec<(&str, f64)> = rows.iter().map(|(name, time)| (name.as_str(), milliseconds(**time))).collect();
    for (name, time) in rows {
        let ratio = time.as_secs_f64() / best[0].as_secs_f64();
        let _ = writeln!(table, "| {name} | {:.2} | {ratio:.2} |", milliseconds(*time));
    }
    (table, chart::bars("One derivation: PBKDF2-HMAC-SHA256, 100 000 iterations", &bars))
}

fn many() -> String {
    let is_vector = |backend: &Backend| !matches!(backend, Backend::Portable) && backend.is_available();
    let backends: Vec<Backend> = Backend::ALL.iter().copied().filter(is_vector).collect();
    let counts = [1, 2, 3, 4, 5, 6, 8, 12, 16, 20, 24, 32, 64];
    let mut timed: Vec<Timed<'_>> = vec![(
        String::new(),
        Box::new(|| pbkdf2::pbkdf2_hmac::<sha2::Sha256>(&PASSWORD, SALT, 20_000, black_box(&mut [0; 32]))),
    )];
    for count in counts {
        for backend in &backends {
            timed.push((String::new(), Box::new(move || ours(*backend, count, 20_000))));
        }
    }
    let best = best_times(&mut timed);
    let mut table = "| derivations at once, on one core |".to_owned();
    for backend in &backends {
        let _ = write!(table, " {backend:?} |");
    }
    table += &("\n|---|".to_owned() + &"---|".repeat(backends.len()) + "\n");
    for (count, times) in counts.iter().zip(best[1..].chunks(backends.len())) {
        let _ = write!(table, "| {count} |");
        for time in times {
            let _ = write!(table, " {:.1} |", *count as f64 * best[0].as_secs_f64() / time.as_secs_f64());
        }
        table.push('\n');
    }
    table + "\nDerivations per second, in multiples of `pbkdf2` 0.13 one after the other.\n"
}

fn tokens() -> String {
    let plain = vec![b'x'; 1 << 20];
    let key_text = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
    let key = Key::from_text(key_text).expect("a key");
    let peer = ::fernet::Fernet::new(key_text).expect("a key");
    let by_openssl = fernet_openssl::Fernet::new(key_text).expect("a key");
    let text = peer.encrypt(&plain);
    let (mut sealed, mut opened) = (vec![0; fernet::token_len(plain.len())], vec![0; fernet::open_len(text.len())]);
    let mut timed: Vec<Timed<'_>> = vec![
        (
            "fernseal, seal".into(),
            Box::new(|| {
                let _ = black_box(fernet::seal(&key, &plain, 0, &mut SysRng, &mut sealed).map(str::len));
            }),
        ),
        ("fernet crate 0.2 (RustCrypto), seal".into(), Box::new(|| drop(black_box(peer.encrypt(&plain))))),
        ("fernet crate 0.1 (OpenSSL), seal".into(), Box::new(|| drop(black_box(by_openssl.encrypt(&plain))))),
        (
            "fernseal, open".into(),
            Box::new(|| {
                let _ = black_box(fernet::open(&key, &text, fernet::Freshness::Any, &mut opened).map(<[u8]>::len));
            }),
        ),
        ("fernet crate 0.2 (RustCrypto), open".into(), Box::new(|| drop(black_box(peer.decrypt(&text))))),
        ("fernet crate 0.1 (OpenSSL), open".into(), Box::new(|| drop(black_box(by_openssl.decrypt(&text))))),
    ];
    let best = best_times(&mut timed);
    let mut table = "| a secret of 1 MiB | ms |\n|---|---|\n".to_owned();
    for ((name, _), time) in timed.iter().zip(&best) {
        let _ = writeln!(table, "| {name} | {:.2} |", milliseconds(*time));
    }
    table
}

fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let value = cpuinfo.lines().find(|line| line.starts_with(name)).and_then(|line| line.split(": ").nth(1));
        value.unwrap_or("unknown")
    };
    // A virtual machine reports the vendor only; family and model identify the CPU.
    let model = format!("{} (family {}, model {})", field("model name"), field("cpu family"), field("model\t"));
    let rustc = std::process::Command::new("rustc").arg("--version").output().map(|out| out.stdout).unwrap_or_default();
    format!("{model}, one core; {}", String::from_utf8_lossy(&rustc).trim())
}

fn main() -> std::io::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("cycles") {
        print!("{}\n{}\n", cycles::report(), machine());
        return Ok(());
    }
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    fs::create_dir_all(&results)?;
    let (single, chart) = single();
    let tables = format!("{single}\n{}\n{}\n{}\n", many(), tokens(), machine());
    print!("{tables}");
    fs::write(results.join("tables.md"), tables)?;
    fs::write(results.join("pbkdf2.svg"), chart)
}
