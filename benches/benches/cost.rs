//! Measures PBKDF2, tokens and configs with criterion: `cargo bench` in benches/. To compare with other implementations
//! in one run, use `cargo run --release` there.

use std::hint::black_box;
use std::num::NonZeroU32;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fernseal_core::kdf::{self, Backend, Job};
use fernseal_core::{Key, MasterKey, config, fernet, token};
use getrandom::SysRng;

fn master() -> MasterKey {
    MasterKey::from_bytes(&[7; 32]).expect("32 bytes")
}

fn pbkdf2_by_iterations(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pbkdf2");
    group.sample_size(10);
    let master = master();
    for iterations in [1_000, 10_000, 100_000, 1_000_000].map(|count| NonZeroU32::new(count).expect("not zero")) {
        for backend in [Backend::Portable, Backend::Best] {
            group.bench_function(BenchmarkId::new(format!("{backend:?}"), iterations), |bencher| {
                let mut out = [Key::from_bytes(&[0; 32])];
                bencher.iter(|| {
                    let job = Job { master: &master, salt: black_box(b"proxmox_mcp_salt"), iterations };
                    kdf::derive_many_by(backend, &[job], &mut out);
                });
            });
        }
    }
}

fn pbkdf2_many_at_once(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pbkdf2 many");
    group.sample_size(10);
    let master = master();
    for count in [1, 4, 8, 16, 32, 64] {
        group.throughput(Throughput::Elements(count as u64));
        for backend in Backend::ALL.iter().copied().filter(|backend| backend.is_available()) {
            group.bench_function(BenchmarkId::new(format!("{backend:?}"), count), |bencher| {
                let salts: Vec<[u8; 16]> = (0..count).map(|at| [at as u8; 16]).collect();
                let jobs: Vec<Job<'_>> = salts
                    .iter()
                    .map(|salt| Job { master: &master, salt, iterations: NonZeroU32::new(10_000).expect("not zero") })
                    .collect();
                let mut out: Vec<Key> = salts.iter().map(|_| Key::from_bytes(&[0; 32])).collect();
                bencher.iter(|| kdf::derive_many_by(backend, black_box(&jobs), &mut out));
            });
        }
    }
}

fn fernet_by_size(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fernet");
    let key = Key::from_bytes(&[9; 32]);
    for size in [36, 1 << 10, 1 << 16, 1 << 20] {
        group.throughput(Throughput::Bytes(size as u64));
        let plain = vec![b'x'; size];
        let mut sealed = vec![0; fernet::token_len(size)];
        group.bench_function(BenchmarkId::new("seal", size), |bencher| {
            bencher.iter(|| fernet::seal(&key, black_box(&plain), 0, &mut SysRng, &mut sealed).map(str::len));
        });
        let text = fernet::seal(&key, &plain, 0, &mut SysRng, &mut sealed).expect("fits").to_owned();
        let mut opened = vec![0; fernet::open_len(text.len())];
        group.bench_function(BenchmarkId::new("open", size), |bencher| {
            bencher.iter(|| fernet::open(&key, black_box(&text), fernet::Freshness::Any, &mut opened).map(<[u8]>::len));
        });
    }
}

fn configs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("config");
    group.sample_size(10);
    let (old, new) = (master(), MasterKey::from_bytes(&[8; 32]).expect("32 bytes"));
    let mut buffer = [0; 512];
    let sealed = token::seal(&old, &[b's'; 36], 0, &mut SysRng, &mut buffer).expect("fits");
    let json = format!(r#"{{"auth":{{"user":"root@pam","token_name":"t","token_value":"{sealed}"}}}}"#);
    let keys = [old];
    group.bench_function("open", |bencher| {
        let mut out = vec![0; json.len()];
        bencher.iter(|| config::open(black_box(&json), &keys, &mut out).map(str::len));
    });
    group.bench_function("rotate 100 in memory, one by one", |bencher| {
        bencher.iter_batched_ref(
            || vec![0; json.len()],
            |out| {
                for _ in 0..100 {
                    config::rotate(black_box(&json), &keys, &new, 0, &mut SysRng, out).expect("opens");
                }
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, pbkdf2_by_iterations, pbkdf2_many_at_once, fernet_by_size, configs);
criterion_main!(benches);
