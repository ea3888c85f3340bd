#!/bin/sh
# shellcheck disable=SC2086 # lists of words
# Tests libfernseal on other architectures: builds it with ffi/install.sh, without Rust's std, and runs programs of tests/c with
# it in emulation. `musl` is this architecture with musl in place of glibc.
#   tests/setup.sh foreign && tests/foreign.sh [NAME…]      every one takes one to three minutes; the default is all
#   PROGRAMS="functions rules" tests/foreign.sh s390x       other programs than functions, rules, derivations and stack
#
# Rust's stable compiler has no library for mipsel (tier 3). It is built from the source of Debian's Rust (tests/setup.sh mcu).
set -eu
cd "$(dirname "$0")/.."
work=$PWD/target/foreign
programs=${PROGRAMS:-functions rules derivations stack}
fail() { echo "FAIL $*" >&2; exit 1; }

# Sets Rust's name of an architecture, the prefix of its C compiler and the program that emulates it.
architecture() { # NAME
    cross=$1-linux-gnu qemu=qemu-$1 rust=$1-unknown-linux-gnu flags=
    case $1 in
        aarch64 | s390x) ;;
        armv7) cross=arm-linux-gnueabihf qemu=qemu-arm rust=armv7-unknown-linux-gnueabihf ;;
        i686) qemu="qemu-i386" ;;
        mipsel) flags="-Z build-std=core" ;;
        musl) cross=musl qemu=env rust=$(uname -m)-unknown-linux-musl ;;
        ppc64le) cross=powerpc64le-linux-gnu rust=powerpc64le-unknown-linux-gnu ;;
        riscv64) rust=riscv64gc-unknown-linux-gnu ;;
        *) echo "foreign: unknown architecture '$1'" >&2; exit 2 ;;
    esac
}

# Runs ffi/install.sh for $rust.
install() {
    tree=$work/$name
    variable=CARGO_TARGET_$(echo "$rust" | tr 'a-z-' 'A-Z_')_LINKER
    if [ -n "$flags" ]; then set -- RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO=/usr/bin/cargo; else set --; fi
    env "$@" "$variable=$cross-gcc" TARGET="$rust" STD=no DESTDIR="$tree" PREFIX=/usr CARGO_TARGET_DIR="$work/target" \
        CARGOFLAGS="--quiet $flags ${CARGOFLAGS:-}" ffi/install.sh >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$name: install.sh"; }
}

# Builds the examples with the toolchain files for aarch64, and opens a config with them.
examples() {
    define() { sed -n "s/^#define $1 \"\(.*\)\"\$/\1/p" tests/firmware/vectors.h; }
    rm -rf "$work/examples"
    cp -rL ffi/examples "$work/examples"
    sed -i "s#/srv/sysroot#$tree#" "$work/examples/aarch64.ini"
    {
        cmake -S "$work/examples" -B "$work/examples/cmake" -DCMAKE_TOOLCHAIN_FILE=aarch64.cmake -DFERNSEAL_SYSROOT="$tree" &&
            cmake --build "$work/examples/cmake" &&
            meson setup --cross-file "$work/examples/aarch64.ini" "$work/examples/meson" "$work/examples" &&
            meson compile -C "$work/examples/meson"
    } >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$name: the examples"; }
    for build in cmake meson; do
        said=$(PROXMOX_MCP_MASTER_KEY=$(define MASTER_KEY) qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH="$tree/usr/lib" \
            "$work/examples/$build/open" <tests/firmware/config.json)
        [ "$said" = "$(define SECRET)" ] || fail "$name: the example with $build"
        echo "PASS $name: the example with $build"
    done
}

mkdir -p "$work"
for name in ${*:-aarch64 armv7 i686 mipsel musl ppc64le riscv64 s390x}; do
    architecture "$name"
    for tool in $cross-gcc $qemu; do
        command -v $tool >/dev/null || { echo "SKIPPED: no $tool: run tests/setup.sh foreign"; continue 2; }
    done
    if [ -z "$flags" ] && ! [ -d "$(rustc --print target-libdir --target "$rust" 2>/dev/null)" ]; then
        echo "SKIPPED: no standard library for $rust: run tests/setup.sh foreign"
        continue
    fi
    install
    for program in $programs; do
        $cross-gcc -std=c99 -O1 -static -Wall -Wextra -Werror "tests/c/$program.c" -I"$tree/usr/include" "$tree/usr/lib/libfernseal.a" \
            -lpthread -o "$work/$name-$program" || fail "$name: $program does not link"
        $qemu "$work/$name-$program" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$name: $program"; }
        echo "PASS $name: $(tail -n 1 "$work/log")"
    done
    case $name in
        aarch64) examples ;;
        musl)
            $cross-gcc -Os -static -s -Wl,--gc-sections tests/c/open_config.c -I"$tree/usr/include" "$tree/usr/lib/libfernseal.a" \
                -o "$work/open"
            echo "a static program that opens configs, with musl: $(wc -c <"$work/open") bytes"
            ;;
    esac
done
