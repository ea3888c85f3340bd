#!/bin/sh
# shellcheck disable=SC2016 # backquotes are the README's
# Follows the instructions of ffi/README.md for C programmers literally: runs ffi/install.sh into /usr/local, then
# compiles and runs the program. It works on temporary overlays over this machine's files. Needs root.
#   tests/setup.sh c && tests/c/readme.sh
set -eu
cd "$(dirname "$0")/../.."
fail() { echo "FAIL $*" >&2; exit 1; }

work=$PWD/target/c/readme
mkdir -p "$work"
if [ "${1:-}" != "on layers" ]; then
    if unshare --mount mount -t tmpfs tmpfs "$work" 2>/dev/null; then
        exec unshare --mount tests/c/readme.sh "on layers"
    fi
    echo "SKIPPED: the quick start in C needs root and mount namespaces"
    exit 0
fi

mount -t tmpfs tmpfs "$work"
for dir in etc usr/local var/cache; do
    mkdir -p "$work/changes/$dir" "$work/work/$dir"
    mount -t overlay overlay -o "lowerdir=/$dir,upperdir=$work/changes/$dir,workdir=$work/work/$dir" "/$dir"
done
unset LD_LIBRARY_PATH LIBRARY_PATH CPATH PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR DESTDIR PREFIX LIBDIR

section=$work/section
sed -n '/^## For a C programmer/,/^## /p' ffi/README.md >"$section"
sed -n '/^```c$/,/^```$/p' "$section" | sed '1d;$d' >"$work/open.c"
line=$(sed -n 's/.*`\(cc open.c [^`]*\)`.*/\1/p' "$section")
[ -n "$line" ] || fail "the README has no command line"

CARGOFLAGS=--quiet ffi/install.sh >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "ffi/install.sh"; }
! grep -q '^install:' "$work/log" || { cat "$work/log" >&2; fail "ffi/install.sh has something to say"; }
(cd "$work" && eval "$line") || fail "$line"
define() { sed -n "s/^#define $1 \"\(.*\)\"\$/\1/p" tests/firmware/vectors.h; }
said=$(PROXMOX_MCP_MASTER_KEY=$(define MASTER_KEY) "$work/a.out" <tests/firmware/config.json) || fail "the README's program"
[ "$said" = "$(define SECRET)" ] || fail "the README's program said: $said"
# A config may have any size: here 300 kilobytes of white space follow its first brace.
said=$({ printf '{%300000s' ''; tail -c +2 tests/firmware/config.json; } | PROXMOX_MCP_MASTER_KEY=$(define MASTER_KEY) "$work/a.out") &&
    [ "$said" = "$(define SECRET)" ] || fail "the README's program, with a large config"

# In a directory that the dynamic linker does not search, the script prints what to do.
PREFIX=$work/elsewhere CARGOFLAGS=--quiet ffi/install.sh 2>&1 | grep -q 'LD_LIBRARY_PATH' ||
    fail "ffi/install.sh does not say that programs do not find the library"
echo "PASS README"
