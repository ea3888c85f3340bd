#!/bin/sh
# Runs the derivation and token tests of core on models of other CPUs, with every back end that each supports, and
# checks the choice of kernels by vendor. Runs them first on this machine, then on models of qemu-user: without SHA
# instructions and AVX, with AVX only, with AVX2 only, and with another vendor. (QEMU has SHA instructions from version
# 8.2 on, and no AVX-512.) The tests are built once; each model takes a minute. Needs tests/setup.sh arm.
set -eu
cd "$(dirname "$0")/.."
[ "$(uname -m)" = x86_64 ] || { echo "SKIPPED: models of x86-64 run the tests of x86-64 alone"; exit 0; }
command -v qemu-x86_64 >/dev/null || { echo "SKIPPED: no qemu-x86_64; tests/setup.sh arm installs it"; exit 0; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Runs the tests with a runner, on a CPU that lacks exactly the named back ends and those before them in the alphabet.
run() { # NAME RUNNER LACKS
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER=$2 cargo test -q --locked -p fernseal-core --features simd \
        --lib --test core -- derive_many foreign keys vectors kdf --nocapture >"$log" 2>&1 ||
        { cat "$log"; echo "FAIL $1"; exit 1; }
    lacks=$(sed -n 's/^.*SKIPPED \(.*\): this processor does not have it$/\1/p' "$log" | sort | tr '\n' ' ')
    case $lacks in
        $3*) echo "$1 lacks $lacks: $(grep -c '^test result: ok' "$log") test programs pass" ;;
        *) echo "FAIL $1 lacks $lacks, but should lack $3"; exit 1 ;;
    esac
}

# `env` runs a program on this CPU.
run "This machine" env ""
run Nehalem "qemu-x86_64 -cpu Nehalem" "Avx2 Avx512 Avx512Vl"
run IvyBridge "qemu-x86_64 -cpu IvyBridge" "Avx2 Avx512 Avx512Vl"
run Haswell "qemu-x86_64 -cpu Haswell" "Avx512 Avx512Vl"
run EPYC "qemu-x86_64 -cpu EPYC" "Avx512 Avx512Vl"
