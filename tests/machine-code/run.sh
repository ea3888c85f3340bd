#!/bin/sh
# Checks the machine code of the release: no `sha256*` instruction may run while the upper halves of vector registers
# are dirty, which would make derivations on Intel CPUs two hundred times slower (clean_uppers.py explains this). Checks
# the command and the C library as they are released, and the C library as packagers may build it: for x86-64-v3, for a
# CPU with AVX-512 and SHA, and for this machine. Takes three minutes, or less if the release is already built. Needs
# binutils and Python.
set -eu
cd "$(dirname "$0")/../.."
for program in objdump readelf as ld python3; do
    command -v $program >/dev/null || { echo "SKIPPED: no $program; tests/setup.sh c python installs it"; exit 0; }
done
[ "$(uname -m)" = x86_64 ] || { echo "SKIPPED: machine code of x86-64 is built on x86-64 alone"; exit 0; }

cargo build -q --release --locked -p fernseal -p fernseal-ffi
set -- target/release/fernseal target/release/libfernseal.so
for cpu in x86-64-v3; do
    # With symbols, so that a failure names the function.
    RUSTFLAGS="-C target-cpu=$cpu" CARGO_PROFILE_RELEASE_STRIP=none CARGO_TARGET_DIR=target/machine-code/$cpu \
        cargo build -q --release --locked -p fernseal-ffi
    set -- "$@" target/machine-code/$cpu/release/libfernseal.so
done
tests/machine-code/clean_uppers.py "$@"
