#!/bin/sh
# Mutation testing of core: changes it in one place at a time and runs its tests, of which one must fail.
#   tests/mutants.sh [OPTIONS]
# The options are those of cargo-mutants: -f core/src/key.rs for one file, --shard 0/8 for a part. Without options, the
# CPU-specific back ends are changed too. All of it takes an hour. .cargo/mutants.toml lists changes that no test can
# detect, with reasons. Needs tests/setup.sh mutants.
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
        # A test that does not end has detected the change, too. The exit code is the same if other changes were missed.
        3) [ ! -s "$out/mutants.out/missed.txt" ] || failed=1 ;;
        *) failed=1 ;;
    esac
}

# First without `simd`: with it, the back ends replace the portable code.
mutants --exclude 'core/src/kdf/**' "$@"
[ $# -gt 0 ] || mutants --features simd --file 'core/src/kdf/**'
exit $failed
