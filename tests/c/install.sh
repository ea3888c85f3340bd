#!/bin/sh
# shellcheck disable=SC2046 # lists of words
# Tests ffi/install.sh: installs libfernseal into target/c/tree and builds programs against it as users do, with
# pkg-config, with CMake, statically and in C++. Checks the symbols and dependencies of the shared library. Prints the
# sizes for ffi/README.md.
#   tests/setup.sh c && tests/c/install.sh
set -eu
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
work=$root/target/c
tree=$work/tree
prefix=/opt/c++ # a link to /opt/fernseal, by a name that is another as a regular expression
libdir=$prefix/lib/$(gcc -print-multiarch 2>/dev/null || true)
lib=$tree$libdir
bin=$work/bin
fail() { echo "FAIL $*" >&2; exit 1; }

for tool in gcc g++ cmake pkg-config nm readelf; do
    command -v $tool >/dev/null || { echo "SKIPPED: no $tool: run tests/setup.sh c"; exit 0; }
done

rm -rf "$tree" "$bin"
(umask 022 && mkdir -p "$bin" "$tree/opt/fernseal")
ln -s fernseal "$tree$prefix"
(umask 077 && DESTDIR=$tree PREFIX=$prefix LIBDIR=$libdir CARGOFLAGS=--quiet "$root/ffi/install.sh" >/dev/null)

# The installed files, and the tools that find them.
[ -z "$(find "$tree" ! -perm -444)" ] || fail "files that not everyone can read: $(find "$tree" ! -perm -444)"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)
cmp "$root/include/fernseal.h" "$tree$prefix/include/fernseal.h"
[ "$(readlink "$lib/libfernseal.so")" = libfernseal.so.0 ] || fail "libfernseal.so is not a link to libfernseal.so.0"
[ "$(readlink "$lib/libfernseal.so.0")" = "libfernseal.so.$version" ] || fail "libfernseal.so.0 is no link to $version"
readelf -d "$lib/libfernseal.so" | grep -q 'SONAME.*\[libfernseal.so.0\]' || fail "the SONAME is not libfernseal.so.0"

# The library exports what the header declares, except the function that firmware defines.
nm -D --defined-only "$lib/libfernseal.so" | awk '{ print $NF }' | sort >"$work/exported"
grep -o 'fernseal_[a-z0-9_]*(' "$root/include/fernseal.h" | tr -d '(' | grep -v '^fernseal_panic$' | sort -u >"$work/declared"
diff "$work/declared" "$work/exported" >&2 || fail "the header (<) and the shared library (>) differ"

# All programs open the same config, which Python's cryptography made.
define() { sed -n "s/^#define $1 \"\(.*\)\"\$/\1/p" "$root/tests/firmware/vectors.h"; }
opens() { # PROGRAM
    said=$(PROXMOX_MCP_MASTER_KEY=$(define MASTER_KEY) "$@" <"$root/tests/firmware/config.json")
    [ "$said" = "$(define SECRET)" ] || fail "$* said: $said"
    echo "PASS $(basename "$1")"
}

export PKG_CONFIG_PATH="$lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$tree"
[ "$(pkg-config --modversion fernseal)" = "$version" ] || fail "pkg-config has another version"
gcc -std=c99 open_config.c $(pkg-config --cflags --libs fernseal) -o "$bin/pkg-config-shared"
LD_LIBRARY_PATH=$lib opens "$bin/pkg-config-shared"
gcc -std=c99 -static -s -Wl,--gc-sections open_config.c $(pkg-config --static --cflags --libs fernseal) -o "$bin/pkg-config-static"
opens "$bin/pkg-config-static"

# Through the prefix, which is a symbolic link, and through the real path.
for place in "$tree$prefix" "$tree/opt/fernseal"; do
    rm -rf "$work/cmake"
    cmake -S cmake -B "$work/cmake" -DCMAKE_PREFIX_PATH="$place" -DCMAKE_BUILD_TYPE=Release >"$work/cmake.log" 2>&1 ||
        { cat "$work/cmake.log" >&2; fail "CMake does not find it in $place"; }
    grep -q "^fernseal_DIR:PATH=$place/" "$work/cmake/CMakeCache.txt" || fail "CMake found another fernseal than in $place"
    cmake --build "$work/cmake" >"$work/cmake.log" 2>&1 ||
        { cat "$work/cmake.log" >&2; fail "CMake does not build with $place"; }
    opens "$work/cmake/with_shared"
done
readelf -d "$work/cmake/with_static" | grep -q fernseal && fail "fernseal::static links the shared library"
opens "$work/cmake/with_static"
"$work/cmake/with_cpp" >/dev/null || fail "with_cpp"
echo "PASS with_cpp"

# The size of a program with the static library, and of the same program without it.
echo 'int main(void) { return 0; }' | gcc -x c - -static -s -o "$bin/nothing"
cp "$work/cmake/with_static" "$bin/with_static"
strip "$bin/with_static"
size() { wc -c <"$1" | tr -d ' '; }
cat <<TABLE

| x86-64 Linux, stripped | bytes |
|---|---|
| libfernseal.so.$version | $(size "$lib/libfernseal.so.$version") |
| a program with libfernseal.a, libc shared | $(size "$bin/with_static") |
| a program with libfernseal.a, all static | $(size "$bin/pkg-config-static") |
| a program that does nothing, all static | $(size "$bin/nothing") |
TABLE
