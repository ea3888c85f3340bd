#!/bin/sh
# Measures all figures of the README about speed, into benches/results: the comparison with peers, the chart, the rotation.
#   benches/run.sh           everything; needs what `tests/setup.sh python node` installs, cmake and Debian's libssl-dev
#   benches/run.sh cycles    what each kernel costs here, and where the choice among them is not the best one
# `cargo bench` in this folder runs criterion's own benchmarks.
set -eu
cd "$(dirname "$0")"
cargo run --release --quiet -- "$@"
[ $# = 0 ] || exit 0
cargo run --release --quiet -- cycles
cargo build --release --quiet --locked --manifest-path ../Cargo.toml -p fernseal
../target/venv/bin/python rotation.py
