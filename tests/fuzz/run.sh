#!/bin/sh
# Fuzzes core with libFuzzer under AddressSanitizer: tests/fuzz/run.sh [SECONDS for each target, 60]
# Needs g++ (tests/setup.sh c). RUSTC_BOOTSTRAP lets a stable compiler instrument, and is set for this alone.
set -eu
cd "$(dirname "$0")"
seconds=${1:-60}
host=$(rustc -vV | sed -n 's/^host: //p')
pass="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
RUSTC_BOOTSTRAP=1 RUSTFLAGS="$pass -Cllvm-args=-sanitizer-coverage-pc-table -Zsanitizer=address -Ccodegen-units=1" \
    cargo build --release --quiet --locked --target "$host"
mkdir -p corpus/token corpus/key corpus/json corpus/config artifacts
# Seeds: the vectors' tokens and keys, and configs.
python3 - <<'PY'
import json, pathlib
cases = json.load(open("../vectors/valid.json"))["cases"]
for at, case in enumerate(cases):
    pathlib.Path(f"corpus/token/{at}").write_text(case["token"])
    pathlib.Path(f"corpus/key/{at}").write_text(case["master_key"])
    config = json.dumps({"auth": {"token_value": case["token"]}, "x": [1.5e3, None, {"\u00e9\n": "v"}]}, indent=at % 3 or None)
    pathlib.Path(f"corpus/json/{at}").write_text(config)
    pathlib.Path(f"corpus/config/{at}").write_text('{"auth": {"token_value": "a\\n%d"}, "y": [2, true]}' % at)
PY
for target in token key json config; do
    log=$(mktemp)
    "target/$host/release/$target" "corpus/$target" -max_total_time="$seconds" -max_len=2048 -print_final_stats=1 \
        -artifact_prefix="artifacts/$target-" >"$log" 2>&1 || { tail -n 40 "$log"; rm "$log"; exit 1; }
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    cover=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    echo "$target: $runs executions, $cover edges covered, nothing found"
    rm "$log"
done
