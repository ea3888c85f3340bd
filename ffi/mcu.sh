#!/bin/sh
# shellcheck disable=SC2086 # CARGOFLAGS is a list of words
# Builds libfernseal.a for a microcontroller and puts it into a directory together with the header.
#   rustup target add thumbv7em-none-eabi
#   ffi/mcu.sh thumbv7em-none-eabi build/fernseal                     opens tokens and configs, seals
#   FEATURES=compact,open ffi/mcu.sh thumbv6m-none-eabi build/fernseal      opens tokens only
#
# FEATURES    features of the crate (compact,seal,config); ffi/Cargo.toml lists them
# CARGO       another cargo (cargo)
# CARGOFLAGS  more options for cargo, such as --offline
#
# Firmware contains only the functions that it calls, with any features. .cargo/config.toml holds the flags that a small
# library needs; they are lost if RUSTFLAGS is set, and then a build for a Cortex-M3 or later stops with the reason. In CMake:
#   include(ffi/modules/fernseal.cmake)         calls this script by ExternalProject_Add and makes the target fernseal
#   fernseal_library(thumbv7em-none-eabi)
set -eu
[ $# = 2 ] || { sed -n '3,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
target=$1
case $2 in /*) out=$2 ;; *) out=$PWD/$2 ;; esac
cd "$(dirname "$0")/.."

# The path of the library comes from cargo: it depends on CARGO_TARGET_DIR and on cargo's own configuration.
messages=$("${CARGO:-cargo}" rustc --profile mcu --locked -p fernseal-ffi --lib --crate-type staticlib --no-default-features \
    --features "${FEATURES:-compact,seal,config}" --target "$target" --message-format json-render-diagnostics \
    ${CARGOFLAGS:-})
library=$(printf '%s\n' "$messages" | sed -n 's/.*"filenames":\["\([^"]*\/libfernseal\.a\)".*/\1/p' | tail -n 1)
[ -f "$library" ] || { echo "mcu: cargo named no libfernseal.a" >&2; exit 1; }
mkdir -p "$out"
for file in "$library" include/fernseal.h; do
    # An unchanged file keeps its time, so that a build system does not link again.
    cmp -s "$file" "$out/${file##*/}" || cp "$file" "$out"
done
echo "$out/libfernseal.a"
