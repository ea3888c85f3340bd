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

rm -rf "$tree" "$bin" "$work/again" "$work/elsewhere" "$work/small" "$work/examples"
(umask 022 && mkdir -p "$bin" "$tree/opt/fernseal")
ln -s fernseal "$tree$prefix"
(umask 077 && DESTDIR=$tree PREFIX=$prefix LIBDIR=$libdir CARGOFLAGS=--quiet "$root/ffi/install.sh" >/dev/null)

# The installed files, and the tools that find them.
[ -z "$(find "$tree" ! -perm -444)" ] || fail "files that not everyone can read: $(find "$tree" ! -perm -444)"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)
soname=libfernseal.so.${version%.*} # up to version 1.0
cmp "$root/include/fernseal.h" "$tree$prefix/include/fernseal.h"
[ "$(readlink "$lib/libfernseal.so")" = "$soname" ] || fail "libfernseal.so is not a link to $soname"
[ "$(readlink "$lib/$soname")" = "libfernseal.so.$version" ] || fail "$soname is no link to $version"
readelf -d "$lib/libfernseal.so" | grep -q "SONAME.*\[$soname\]" || fail "the SONAME is not $soname"

# The library exports what the header declares, except the function that firmware defines. Each symbol has the version of the
# ABI, which the linker defines too.
nm -D --defined-only "$lib/libfernseal.so" | awk '{ print $NF }' | grep -vx "$soname\(@@$soname\)*" | sort >"$work/versioned"
grep -v "@@$soname\$" "$work/versioned" && fail "symbols without the version $soname"
sed 's/@@.*//' "$work/versioned" >"$work/exported"
grep -o 'fernseal_[a-z0-9_]*(' "$root/include/fernseal.h" | tr -d '(' | grep -v '^fernseal_panic$' | sort -u >"$work/declared"
diff "$work/declared" "$work/exported" >&2 || fail "the header (<) and the shared library (>) differ"

# Each function has a manual page that names it. mandoc finds nothing to complain of.
man=$tree$prefix/share/man/man3
while read -r name; do
    sed -n '/^\.SH NAME/,/^\.SH SYNOPSIS/p' "$man/$name.3" | grep -qx "$name,*" || fail "no manual page for $name"
    sed -n '/^\.SH SYNOPSIS/,/^\.SH DESCRIPTION/p' "$man/$name.3" | grep -qF "\\fB$name\\fP(" || fail "no synopsis of $name"
done <"$work/declared"
for page in "$man"/fernseal*.3; do
    [ -L "$page" ] || [ "$(grep -c '^\.SH \(NAME\|SYNOPSIS\|DESCRIPTION\|RETURN VALUES\|SEE ALSO\)$' "$page")" = 5 ] ||
        fail "$page lacks a section"
done
if command -v doxygen >/dev/null; then
    rm -rf "$root/target/doxygen"
    (cd "$root" && doxygen ffi/Doxyfile) || fail "doxygen"
    while read -r name; do
        grep -q "</a></span>$name()</h2>" "$root/target/doxygen/html/fernseal_8h.html" || fail "doxygen lists no $name"
    done <"$work/declared"
else
    echo "SKIPPED: no doxygen: run tests/setup.sh c"
fi
if command -v mandoc >/dev/null; then
    mandoc -T lint "$man"/*.3 >"$work/log" || { cat "$work/log" >&2; fail "mandoc -T lint"; }
else
    echo "SKIPPED: no mandoc: run tests/setup.sh packages"
fi

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

# The examples for Meson and CMake.
cp -rL "$root/ffi/examples" "$work/examples"
if command -v meson >/dev/null; then
    { meson setup "$work/examples/meson" "$work/examples" && meson compile -C "$work/examples/meson"; } >"$work/meson.log" 2>&1 ||
        { cat "$work/meson.log" >&2; fail "the example for Meson"; }
    LD_LIBRARY_PATH=$lib opens "$work/examples/meson/open"
else
    echo "SKIPPED: no meson: run tests/setup.sh c"
fi
{ cmake -S "$work/examples" -B "$work/examples/cmake" -DCMAKE_PREFIX_PATH="$tree$prefix" && cmake --build "$work/examples/cmake"; } \
    >"$work/cmake.log" 2>&1 || { cat "$work/cmake.log" >&2; fail "the example for CMake"; }
opens "$work/examples/cmake/open"

# CMake takes it for the versions that it is compatible with: those of its ABI that are not newer.
for wanted in 0.1 0.1.0 0.0 0.2 0.10 1.0 0.1.1; do
    rest=${wanted#*.}
    printf 'set(CMAKE_SIZEOF_VOID_P 8)\nset(PACKAGE_FIND_VERSION %s)\nset(PACKAGE_FIND_VERSION_MAJOR %s)\nset(PACKAGE_FIND_VERSION_MINOR %s)\n%s\n%s\n' \
        $wanted "${wanted%%.*}" "${rest%%.*}" "include($lib/cmake/fernseal/fernseal-config-version.cmake)" \
        'message(STATUS "${PACKAGE_VERSION_COMPATIBLE}")' >"$work/wanted.cmake"
    case $wanted in "${version%.*}" | "$version") fits=TRUE ;; *) fits=FALSE ;; esac
    cmake -P "$work/wanted.cmake" | grep -qx -- "-- $fits" || fail "CMake: version $wanted should be $fits"
done

# CMake does not take it for a project with another pointer size.
printf 'set(CMAKE_SIZEOF_VOID_P 4)\nset(PACKAGE_FIND_VERSION 0.1)\nset(PACKAGE_FIND_VERSION_MAJOR 0)\n%s\n%s\n' \
    "include($lib/cmake/fernseal/fernseal-config-version.cmake)" \
    'if(NOT PACKAGE_VERSION_UNSUITABLE)
message(FATAL_ERROR "suitable")
endif()' >"$work/pointer.cmake"
cmake -P "$work/pointer.cmake" || fail "CMake takes a library of 64 bits for a project of 32"

# The script installs the libraries that cargo reports, wherever they are, and refuses those of another machine (22 is
# s390x). An installation can be removed again.
mkdir -p "$work/elsewhere"
cp "$lib/libfernseal.a" "$work/elsewhere/libfernseal.a"
cp "$lib/libfernseal.so.$version" "$work/elsewhere/libfernseal.so"
cat >"$work/cargo" <<CARGO
#!/bin/sh
echo '{"reason":"compiler-artifact","target":{"name":"fernseal"},"filenames":["$work/elsewhere/libfernseal.a","$work/elsewhere/libfernseal.so"],"fresh":true}'
CARGO
chmod +x "$work/cargo"
(CARGO=$work/cargo DESTDIR=$work/again PREFIX=/usr "$root/ffi/install.sh" >/dev/null) || fail "another target-dir"
cmp "$work/elsewhere/libfernseal.so" "$work/again/usr/lib/libfernseal.so" || fail "installed another library than cargo named"
CARGO=$work/cargo DESTDIR=$work/again PREFIX=/usr "$root/ffi/install.sh" uninstall >/dev/null
[ -z "$(find "$work/again" ! -type d)" ] || fail "uninstall left $(find "$work/again" ! -type d)"
printf '\026' | dd of="$work/elsewhere/libfernseal.so" bs=1 seek=18 conv=notrunc 2>/dev/null
for target in "" x86_64-unknown-linux-gnu; do
    if TARGET=$target CARGO=$work/cargo DESTDIR=$work/again PREFIX=/usr "$root/ffi/install.sh" >"$work/log" 2>&1; then
        fail "a library for s390x was installed for '$target'"
    fi
    grep -q 'ELF machine 22' "$work/log" || { cat "$work/log" >&2; fail "another message"; }
    [ -z "$(find "$work/again" ! -type d)" ] || fail "something was installed"
done
(TARGET=s390x-unknown-linux-gnu CARGO=$work/cargo DESTDIR=$work/again PREFIX=/usr "$root/ffi/install.sh" >/dev/null) ||
    fail "TARGET is not the one that counts"

# Without std, every test of the functions passes, an old glibc is enough, and a program can link a second static
# library from Rust.
(STD=no DESTDIR=$work/small PREFIX=/usr CARGOFLAGS=--quiet "$root/ffi/install.sh" >/dev/null)
small=$work/small/usr
gcc -std=c99 functions.c -I"$small/include" "$small/lib/libfernseal.a" -o "$bin/functions-small"
"$bin/functions-small" 2>"$work/log" || { cat "$work/log" >&2; fail "functions without std"; }
newest=$(readelf -V "$small/lib/libfernseal.so" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
[ "$(uname -m)" != x86_64 ] || [ "$newest" = GLIBC_2.14 ] || fail "without std it needs $newest"
if command -v rustc >/dev/null; then
    printf '%s\n' '#[unsafe(no_mangle)]' 'pub extern "C" fn second() -> usize { std::env::args().collect::<Vec<_>>().len() }' |
        rustc --edition 2024 --crate-type staticlib --crate-name second - -o "$work/libsecond.a"
    printf '%s\n' '#include <fernseal.h>' 'size_t second(void);' \
        'int main(void) { unsigned char b[1]; return fernseal_random_os(0, b, 1) != 0 || second() != 1; }' >"$work/two.c"
    gcc "$work/two.c" -I"$small/include" "$small/lib/libfernseal.a" "$work/libsecond.a" -lpthread -lm -ldl -o "$bin/two"
    "$bin/two" || fail "two static libraries by Rust"
    echo "PASS two static libraries by Rust in one program"
fi

# The size of a program with the static library, and of the same program without it.
echo 'int main(void) { return 0; }' | gcc -x c - -static -s -o "$bin/nothing"
cp "$work/cmake/with_static" "$bin/with_static"
strip "$bin/with_static"
size() { wc -c <"$1" | tr -d ' '; }
cat <<TABLE

| x86-64 Linux, stripped | bytes |
|---|---|
| libfernseal.so.$version | $(size "$lib/libfernseal.so.$version") |
| the same without std | $(size "$small/lib/libfernseal.so.$version") |
| a program with libfernseal.a, libc shared | $(size "$bin/with_static") |
| a program with libfernseal.a, all static | $(size "$bin/pkg-config-static") |
| a program that does nothing, all static | $(size "$bin/nothing") |
TABLE
