#!/bin/sh
# Changes core in one place at a time and runs its tests, of which one must fail: tests/mutants.sh [OPTIONS]
# The options go to cargo-mutants: -f core/src/key.rs for one file, --shard 0/8 for a part; without any, what processors
# have for derivations is changed too. All of it takes an hour.
# What no test can notice stands in .cargo/mutants.toml, with the reason. Needs tests/setup.sh mutants.
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
trap 'exit 130' INT TERM
PATH=$PWD/target/tools/bin:$PATH
unset FERNSEAL_VENV
export CARGO_PROFILE_DEV_DEBUG=0 # linking what debuggers read takes a third of the building
failed=0

mutants() {
    code=0
    cargo mutants -p fernseal-core --no-shuffle --output "$out" "$@" || code=$?
    case $code in
        0) ;;
        # Some did not come to an end, which is noticed too; the code is the same where others passed.
        3) [ ! -s "$out/mutants.out/missed.txt" ] || failed=1 ;;
        *) failed=1 ;;
    esac
}

# The portable derivation first; what processors have for it is compiled in its place.
mutants --exclude 'core/src/kdf/**' "$@"
[ $# -gt 0 ] || mutants --features simd --file 'core/src/kdf/**'
exit $failed
