#!/bin/sh
# shellcheck disable=SC2086 # lists of words
# Builds the Debian packages fernseal, libfernseal0.1 and libfernseal-dev for this machine's release and architecture, and
# prints their paths. It uses debhelper, which handles a library's links, triggers and dependencies; cargo-deb does not.
#   cli/deploy/debian.sh
# CARGOFLAGS   more options for cargo, such as --offline; SOURCE_DATE_EPOCH   the date of the packages (the last commit's)
set -eu
cd "$(dirname "$0")/../.."
command -v dh dpkg-architecture python3 >/dev/null ||
    { echo "this needs Debian's debhelper and python3 (tests/setup.sh packages)" >&2; exit 1; }
libdir=/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
export CARGO_TARGET_DIR="$PWD/target" DEB_BUILD_OPTIONS="noautodbgsym nocheck"
out=target/debian
work=$PWD/$out/work
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
date=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}

rm -rf "$out"
mkdir -p "$work"
cp -r cli/deploy/debian "$work/debian"
cp README.md SECURITY.md CHANGELOG.md cli/schema.json cli/secrets-file.schema.json cli/deploy/proxmox-mcp*.service \
    cli/deploy/proxmox-mcp-rotated.path "$work"
cat >"$work/debian/changelog" <<CHANGELOG
fernseal ($version-1) unstable; urgency=medium

  * Made from the project's own source: changelog.gz tells its changes.

 -- $(sed -n 's/^Maintainer: //p' cli/deploy/debian/control)  $(date -u -R -d "@$date")
CHANGELOG

for part in cli ffi; do
    SOURCE_DATE_EPOCH=$date CARGOFLAGS="--quiet ${CARGOFLAGS:-}" DESTDIR=$work PREFIX=/usr LIBDIR=$libdir \
        ZSHDIR=/usr/share/zsh/vendor-completions "$part/install.sh" >/dev/null
done

mkdir "$work/command" "$work/library"
cli/deploy/notices.py fernseal ${CARGOFLAGS:-} >"$work/command/NOTICES"
cli/deploy/notices.py fernseal-ffi ${CARGOFLAGS:-} >"$work/library/NOTICES"

(cd "$work" && debian/rules binary) >"$out/log" 2>&1 || { cat "$out/log" >&2; exit 1; }
ls "$PWD/$out"/*.deb
