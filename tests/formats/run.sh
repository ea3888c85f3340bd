#!/bin/sh
# Every scalar of thousands of YAML, TOML, .env and INI files sealed in turn and read by other readers:
#   tests/formats/run.sh            all files, at most 100 scalars of each: half an hour on 2 cores
#   tests/formats/run.sh sample     some of them: about two minutes
# Needs tests/setup.sh python node; for the TOML of Debian's Rust also mcu. What is downloaded stays in target/corpora.
set -eu
cd "$(dirname "$0")"
target=../../target
python=${FERNSEAL_VENV:-$target/venv}/bin/python
CARGO_TARGET_DIR=$target cargo build --release --quiet --locked
"$python" corpora.py $target/corpora
rounds=1000000
[ "${1:-}" != sample ] || rounds=50000
$target/release/fernseal-formats text none $rounds
case ${1:-} in
    sample) set -- --each 3 --files 300 --secrets 100 ;;
    "") set -- --each 100 ;;
esac
exec "$python" proof.py $target/corpora --program $target/release/fernseal-formats --modules $target/node "$@"
