#!/bin/sh
# Tests derivations with Arm's SHA2 instructions in an emulator: builds core's tests for aarch64 with the standard
# library from Debian's rust-web-src (tests/setup.sh mcu) and runs them in qemu-user. An emulator cannot measure their
# speed.
set -eu
cd "$(dirname "$0")/.."
for program in aarch64-linux-gnu-gcc qemu-aarch64; do
    command -v $program >/dev/null || { echo "SKIPPED: no $program; tests/setup.sh arm installs it"; exit 0; }
done
RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=target/aarch64 \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" \
    /usr/bin/cargo test -q --locked -p fernseal-core --features simd --test core -Z build-std \
    --target aarch64-unknown-linux-gnu -- derive_many --nocapture
