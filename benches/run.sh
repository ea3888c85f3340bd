#!/bin/sh
# Measures all figures of benches/README.md and writes them to benches/results: the comparison with peers, the chart,
# the rotation.
#   benches/run.sh           measures everything; needs `tests/setup.sh python node`, cmake and Debian's libssl-dev
#   benches/run.sh cycles    measures each kernel, and prints where `Backend::Best` does not choose the fastest
# `cargo bench` in this folder runs the benchmarks of criterion.
set -eu
cd "$(dirname "$0")"
cargo run --release --quiet -- "$@"
[ $# = 0 ] || exit 0
cargo run --release --quiet -- cycles
cargo build --release --quiet --locked --manifest-path ../Cargo.toml -p fernseal
../target/venv/bin/python rotation.py
