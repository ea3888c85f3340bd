#!/bin/sh
# Fuzzes core, the C API, the command's arguments and the formats of configs with libFuzzer under AddressSanitizer:
#   tests/fuzz/run.sh [SECONDS for each target, 60] [TARGET…, all]
# Needs g++ (tests/setup.sh c). RUSTC_BOOTSTRAP allows instrumentation with a stable compiler; it is set only here. With
# cfg(fuzzing), a derivation has 200 iterations instead of 100 000, because it would otherwise take nearly all of the
# time.
set -eu
cd "$(dirname "$0")"
seconds=${1:-60}
[ $# = 0 ] || shift
host=$(rustc -vV | sed -n 's/^host: //p')
pass="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
pass="$pass -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTC_BOOTSTRAP=1 RUSTFLAGS="$pass -Zsanitizer=address -Ccodegen-units=1 --cfg fuzzing" \
    cargo build --release --quiet --locked --target "$host"
mkdir -p artifacts
./seeds.py
for target in ${*:-token key json config c args syntax}; do
    log=$(mktemp)
    "target/$host/release/$target" "corpus/$target" -max_total_time="$seconds" -max_len=2048 -print_final_stats=1 \
        -artifact_prefix="artifacts/$target-" >"$log" 2>&1 || { tail -n 40 "$log"; rm "$log"; exit 1; }
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    cover=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    echo "$target: $runs executions, $cover edges covered, nothing found"
    rm "$log"
done
