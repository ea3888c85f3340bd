#!/bin/sh
# The derivation and token tests of core on processors that this machine is not: with every back end that each has, and the
# choice among them by vendor. First on this machine, then on models of qemu-user: without SHA instructions and AVX, with
# AVX alone, with AVX2 alone, and as another vendor's. (QEMU has SHA instructions from version 8.2 on, and no AVX-512.)
# The tests are built once. A minute for each model. Needs tests/setup.sh arm.
set -eu
cd "$(dirname "$0")/.."
[ "$(uname -m)" = x86_64 ] || { echo "SKIPPED: models of x86-64 run the tests of x86-64 alone"; exit 0; }
command -v qemu-x86_64 >/dev/null || { echo "SKIPPED: no qemu-x86_64; tests/setup.sh arm installs it"; exit 0; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Runs the tests by a runner, on a processor that lacks the named back ends, and has those before them in the alphabet.
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

# `env` runs a program as it is.
run "This machine" env ""
run Nehalem "qemu-x86_64 -cpu Nehalem" "Avx2 Avx512 Avx512Vl"
run IvyBridge "qemu-x86_64 -cpu IvyBridge" "Avx2 Avx512 Avx512Vl"
run Haswell "qemu-x86_64 -cpu Haswell" "Avx512 Avx512Vl"
run EPYC "qemu-x86_64 -cpu EPYC" "Avx512 Avx512Vl"
