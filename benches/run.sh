#!/bin/sh
# All figures of the README about speed, into benches/results: the comparison with peers, the chart, the rotation.
# Needs what `tests/setup.sh python node` installs, cmake and Debian's libssl-dev. `cargo bench` here is criterion's own.
set -eu
cd "$(dirname "$0")"
cargo run --release --quiet
cargo build --release --quiet --locked --manifest-path ../Cargo.toml -p fernseal
../target/venv/bin/python rotation.py
