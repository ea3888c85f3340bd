#!/bin/sh
# Makes a release for packagers: the source archives, and the packages of this folder with the version, the checksums and
# the crates filled in. A package cannot contain the checksum of an archive that contains the package, so the files in
# this folder have @PLACEHOLDERS@ there. Versions come from Cargo.toml, crates from Cargo.lock.
#   ffi/packaging/prepare.sh [DIRECTORY]         into target/packaging/release without an argument
# CARGOFLAGS         more options for cargo, such as --offline
# SOURCE_DATE_EPOCH  the date of the files in the archives (the last commit's)
#
#   fernseal-VERSION.tar.gz               the source of the last commit
#   fernseal-VERSION-with-crates.tar.gz   the same with all crates in VENDOR, where Buildroot looks for them: it builds
#                                         without a network
#   alpine arch buildroot openwrt rpm yocto nix
set -eu
cd "$(dirname "$0")/../.."
out=${1:-target/packaging/release}
mkdir -p "$out"
out=$(cd "$out" && pwd)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
name=fernseal-$version
date=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

git archive --prefix="$name/" HEAD | tar x -C "$work"
pack() { # ARCHIVE
    tar c -C "$work" --sort=name --mtime="@$date" --owner=0 --group=0 --numeric-owner "$name" | gzip -n >"$out/$1"
}
pack "$name.tar.gz"
# shellcheck disable=SC2086 # a list of words
(cd "$work/$name" && cargo vendor --locked ${CARGOFLAGS:-} VENDOR >"$work/config" 2>"$work/log") ||
    { cat "$work/log" >&2; exit 1; }
cat "$work/config" >>"$work/$name/.cargo/config.toml"
pack "$name-with-crates.tar.gz"

sum() { # ALGORITHM FILE
    "$1sum" "$2" | cut -d ' ' -f 1
}
for system in alpine arch buildroot openwrt rpm yocto nix; do
    rm -rf "${out:?}/$system"
    cp -r "ffi/packaging/$system" "$out"
done
find "$out"/alpine "$out"/arch "$out"/buildroot "$out"/openwrt "$out"/rpm "$out"/yocto -type f -exec sed -i \
    -e "s/@VERSION@/$version/g" \
    -e "s/@DATE@/$(LC_ALL=C date -u -d "@$date" '+%a %b %d %Y')/g" \
    -e "s/@SHA256@/$(sum sha256 "$out/$name.tar.gz")/g" \
    -e "s/@SHA512@/$(sum sha512 "$out/$name.tar.gz")/g" \
    -e "s/@SHA256_WITH_CRATES@/$(sum sha256 "$out/$name-with-crates.tar.gz")/g" \
    -e "s/@LICENSE_MD5@/$(sum md5 LICENSE)/g" \
    -e "s/@LICENSE_SHA256@/$(sum sha256 LICENSE)/g" {} +

# Yocto fetches each crate itself. `bitbake -c update_crates` would write the same list, but with the crates of the
# workspaces in benches and tests too.
mv "$out/yocto/fernseal.bb" "$out/yocto/fernseal_$version.bb"
ffi/packaging/yocto/crates.py <Cargo.lock >"$out/yocto/fernseal-crates.inc"

ls -d "$out"/*
