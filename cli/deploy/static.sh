#!/bin/sh
# Builds the command so that it runs on any Linux (3.17 and later) of its architecture and needs no file there, not even
# /dev/urandom; prints where it is.
#   cli/deploy/static.sh
# CARGOFLAGS   more for cargo, such as --offline
set -eu
cd "$(dirname "$0")/../.."
# A target that is named keeps the flags away from what runs while building.
host=$(rustc -vV | sed -n 's/^host: //p')
# shellcheck disable=SC2086 # a list of words
RUSTFLAGS='-C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom"' CARGO_TARGET_DIR=$PWD/target/static \
    cargo build --release --locked --quiet ${CARGOFLAGS:-} -p fernseal --target "$host"
echo "$PWD/target/static/$host/release/fernseal"
