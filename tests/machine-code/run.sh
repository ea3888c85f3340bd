#!/bin/sh
# Reads the machine code of what ships: no `sha256*` instruction runs while the upper halves of vector registers are dirty,
# which would make derivations on Intel processors two hundred times slower (clean_uppers.py says more).
# The command and the C library as they are released, and the C library as packagers may build it: for x86-64-v3, for a
# processor that has all of AVX-512 and SHA, and for this machine. Three minutes, less where the release is built already.
# Needs binutils and Python.
set -eu
cd "$(dirname "$0")/../.."
for program in objdump readelf as ld python3; do
    command -v $program >/dev/null || { echo "SKIPPED: no $program; tests/setup.sh c python installs it"; exit 0; }
done
[ "$(uname -m)" = x86_64 ] || { echo "SKIPPED: machine code of x86-64 is built on x86-64 alone"; exit 0; }

cargo build -q --release --locked -p fernseal -p fernseal-ffi
set -- target/release/fernseal target/release/libfernseal.so
for cpu in x86-64-v3; do
    # Unstripped, so that a failure names the function.
    RUSTFLAGS="-C target-cpu=$cpu" CARGO_PROFILE_RELEASE_STRIP=none CARGO_TARGET_DIR=target/machine-code/$cpu \
        cargo build -q --release --locked -p fernseal-ffi
    set -- "$@" target/machine-code/$cpu/release/libfernseal.so
done
tests/machine-code/clean_uppers.py "$@"
