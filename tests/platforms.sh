#!/bin/sh
# Checks the code for other systems, as far as that is possible on Linux.
#   tests/platforms.sh [check|portable]      without arguments: both
# check: type-checks the command for macOS and FreeBSD, and core and the C library also for Windows. It runs nothing.
#   The standard library of each system comes from rustup (tests/setup.sh platforms). Without rustup it is built from
#   Debian's rust-web-src (tests/setup.sh mcu), which takes two minutes for each system.
# portable: builds the command with `--cfg fernseal_portable`, so that it uses nothing that only Linux has
#   (cli/src/platform/portable.rs). Then it runs the tests of files, keys, stores and programs, and a part of the fault
#   tests. Takes two minutes.
set -eu
cd "$(dirname "$0")/.."
out=target/platforms
mkdir -p "$out"

check() { # TARGET PACKAGE…
    target=$1
    shift
    if rustup target list --installed 2>/dev/null | grep -qx "$target"; then
        RUSTFLAGS="-D warnings" CARGO_TARGET_DIR=$out cargo check --locked --quiet --target "$target" "$@"
    elif [ -d /usr/lib/rustlib/src ]; then
        RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS="-D warnings" CARGO_TARGET_DIR=$out \
            /usr/bin/cargo check --locked --quiet --target "$target" -Z build-std "$@"
    else
        echo "SKIPPED: no $target; tests/setup.sh platforms installs it"
        return
    fi
    echo "type-checked for $target: $*"
}

# Prints the path of the program that a command of cargo builds and whose path matches PATTERN.
built() { # PATTERN COMMAND…
    pattern=$1
    shift
    "$@" | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | grep "$pattern"
}

portable() {
    tests=$(built /deps/cli- cargo test -p fernseal --test cli --no-run --locked --quiet --message-format=json)
    # The tests start target/debug/fernseal, so that file is rebuilt with the cfg now, and without it at the end.
    trap 'cargo build -p fernseal --locked --quiet' EXIT
    program=$(built /fernseal$ cargo rustc -p fernseal --bin fernseal --locked --quiet --message-format=json \
        -- --cfg fernseal_portable -D warnings)
    grep -q /bin/ps "$program" || { echo "this is not the portable build"; exit 1; }
    cp "$program" "$out/fernseal"
    # Two tests need what portable.rs lacks: descriptor paths that other processes can open, and the ignored signals.
    (cd cli && "$tests" --quiet run:: keys:: stores:: edit:: redact:: writing:: \
        --skip signals_reach_the_program --skip without_a_memory_file_system_files_are_descriptors)
    EVERY=${EVERY:-40} FERNSEAL_PORTABLE=$PWD/$out/fernseal tests/faults/faults.py
    units=$(built /deps/fernseal- cargo rustc -p fernseal --bin fernseal --profile test --locked --quiet --message-format=json \
        -- --cfg fernseal_portable -D warnings)
    "$units" --quiet platform:: store::
}

for part in ${*:-check portable}; do
    case $part in
        check)
            check aarch64-apple-darwin -p fernseal -p fernseal-ffi
            check x86_64-unknown-freebsd -p fernseal -p fernseal-ffi
            check x86_64-pc-windows-gnu -p fernseal-core --features fernseal-core/simd -p fernseal-ffi
            ;;
        portable) portable ;;
        *) echo "there is no part $part" >&2; exit 2 ;;
    esac
done
