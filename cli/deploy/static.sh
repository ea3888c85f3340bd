#!/bin/sh
# Builds a static command, which runs on any Linux (3.17 and later) of its architecture and needs no other file, not even
# /dev/urandom. Prints its path.
#   cli/deploy/static.sh
# CARGOFLAGS   more options for cargo, such as --offline
set -eu
cd "$(dirname "$0")/../.."
# With --target, RUSTFLAGS do not apply to build scripts.
host=$(rustc -vV | sed -n 's/^host: //p')
# shellcheck disable=SC2086 # a list of words
RUSTFLAGS='-C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom"' CARGO_TARGET_DIR=$PWD/target/static \
    cargo build --release --locked --quiet ${CARGOFLAGS:-} -p fernseal --target "$host"
echo "$PWD/target/static/$host/release/fernseal"
