#!/bin/sh
# Builds libfernseal and installs it for C and C++ on GNU/Linux. Needs Rust and GNU ld; takes about half a minute.
#   ffi/install.sh                                          installs into /usr/local
#   DESTDIR=/tmp/package PREFIX=/usr LIBDIR=/usr/lib/x86_64-linux-gnu ffi/install.sh
#   TARGET=aarch64-unknown-linux-gnu DESTDIR=/srv/sysroot PREFIX=/usr ffi/install.sh     for another machine; cargo needs its
#                                                           linker, CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER
#   ffi/install.sh uninstall                                removes what the same variables installed
#
# PREFIX      the prefix where it will be used (/usr/local)
# LIBDIR      the directory of the libraries (PREFIX/lib)
# DESTDIR     a directory that is put before both, for packages
# TARGET      the machine that it is for, by Rust's name (this one)
# STD         "no" builds without Rust's std: 40 % smaller, from glibc 2.14 on (Linux 3.17), and it can stand beside another
#             static library made by Rust. A fault in the library then ends the program instead of FERNSEAL_INTERNAL.
# CARGO       another cargo (cargo)
# CARGOFLAGS  more options for cargo, such as --offline
#
# Installs the header, libfernseal.a, libfernseal.so with its two links, fernseal.pc for pkg-config, the CMake package
# `fernseal` with the targets fernseal::fernseal (shared) and fernseal::static, and, with python3, the manual pages.
set -eu
cd "$(dirname "$0")/.."

prefix=${PREFIX:-/usr/local}
libdir=${LIBDIR:-$prefix/lib}
destdir=${DESTDIR:-}
target=${TARGET:-${CARGO_BUILD_TARGET:-}}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
# Up to version 1.0, each minor version may change the ABI (include/fernseal.h).
case $version in 0.*) abi=${version%.*} ;; *) abi=${version%%.*} ;; esac
soname=libfernseal.so.$abi
lib=$destdir$libdir
man=$destdir$prefix/share/man/man3
# The system libraries that the static library needs, as `rustc --print native-static-libs` lists them. libc and libgcc
# are left out, because the C compiler adds them in the form that fits a static or a dynamic program.
private="-lutil -lrt -lpthread -lm -ldl"

case $prefix$libdir in
    /*) ;;
    *) echo "install: PREFIX and LIBDIR must be absolute paths" >&2; exit 2 ;;
esac
[ "$(uname -s)" = Linux ] || { echo "install: this is for GNU/Linux; elsewhere cargo-c installs the same" >&2; exit 2; }

case ${1:-} in
    '') ;;
    uninstall)
        rm -f "$destdir$prefix/include/fernseal.h" "$lib/libfernseal.a" "$lib/libfernseal.so" "$lib/$soname" \
            "$lib/libfernseal.so.$version" "$lib/pkgconfig/fernseal.pc" "$lib/cmake/fernseal/fernseal-config.cmake" \
            "$lib/cmake/fernseal/fernseal-config-version.cmake" "$man/fernseal.3" "$man"/fernseal_*.3
        rmdir "$lib/cmake/fernseal" 2>/dev/null || true
        echo "fernseal $version is no longer in $destdir$prefix and $lib"
        exit ;;
    *) echo "install: the only argument is uninstall, not '$1'" >&2; exit 2 ;;
esac

build=--release libc=
if [ "${STD:-}" = no ]; then
    build="--profile os --no-default-features --features open,seal,config,os"
    private=
    libc="-C link-arg=-lc"
    # shellcheck disable=SC2089,SC2090 # cargo splits RUSTFLAGS at spaces and keeps the quotes
    # Random bytes by a system call of its own, where getrandom knows it: its other ways need a newer glibc (2.25).
    case $target in
        mips* | powerpc*) ;;
        *) export RUSTFLAGS="${RUSTFLAGS:-} --cfg getrandom_backend=\"linux_raw\"" ;;
    esac
fi

# For musl, Rust makes a shared library only if it does not link libc statically.
# shellcheck disable=SC2090 # as above
case $target in *-musl*) export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=-crt-static" ;; esac

# The paths come from cargo: they depend on its configuration and on the target.
#
# Each symbol gets the SONAME as its version, so that one process can load libraries of two ABIs. Only GNU ld does this beside
# the list of exported symbols that rustc passes: it refuses a version script of ours beside it, and LLD ignores ours.
symbols="-C link-arg=-fuse-ld=bfd -C link-arg=-Wl,--default-symver -C link-arg=-Wl,-soname,$soname"
# shellcheck disable=SC2086 # lists of words
messages=$("${CARGO:-cargo}" rustc $build --locked ${target:+--target "$target"} ${CARGOFLAGS:-} -p fernseal-ffi --lib \
    --crate-type staticlib,cdylib --message-format json-render-diagnostics -- $symbols $libc)
built() { # NAME
    found=$(printf '%s\n' "$messages" | sed -n 's/.*"filenames":\[\([^]]*\)\].*/\1/p' | tr ',' '\n' |
        sed -n "s/^\"\(.*\/$1\)\"\$/\1/p" | tail -n 1)
    [ -f "$found" ] || { echo "install: cargo built no $1" >&2; exit 1; }
    printf '%s\n' "$found"
}
static=$(built libfernseal.a)
shared=$(built libfernseal.so)

# The ELF header: the class (1 is 32 bits, 2 is 64), the byte order and the machine.
# shellcheck disable=SC2046 # a list of numbers
set -- $(od -An -tu1 -j4 -N16 "$shared")
bits=$(($1 * 32))
if [ "$2" = 1 ]; then machine=$((${15} + ${16} * 256)); else machine=$((${15} * 256 + ${16})); fi
architecture=${target%%-*}
case ${architecture:-$(uname -m)} in
    x86_64) wanted=62 ;; i?86) wanted=3 ;; aarch64*) wanted=183 ;; arm*|thumb*) wanted=40 ;; riscv*) wanted=243 ;;
    s390x) wanted=22 ;; powerpc64*|ppc64*) wanted=21 ;; mips*) wanted=8 ;; loongarch64) wanted=258 ;; *) wanted=$machine ;;
esac
# (An i686 system may run on an x86-64 kernel, so without a target the kernel's word does not count for it.)
if [ "$machine" != "$wanted" ] && [ "$machine$target" != 3 ]; then
    echo "install: $shared is for the ELF machine $machine, not $wanted (${architecture:-$(uname -m)}): set TARGET" >&2
    exit 1
fi

umask 022 # everyone may read the installed files
install -d "$destdir$prefix/include" "$lib/pkgconfig" "$lib/cmake/fernseal"
install -m 644 include/fernseal.h "$destdir$prefix/include/fernseal.h"
if command -v python3 >/dev/null; then
    install -d "$man"
    ffi/man.py "$man"
else
    echo "install: there is no python3, which writes the manual pages: they are left out" >&2
fi
install -m 644 "$static" "$lib/libfernseal.a"
install -m 755 "$shared" "$lib/libfernseal.so.$version"
ln -sf "libfernseal.so.$version" "$lib/$soname"
ln -sf "$soname" "$lib/libfernseal.so"

cat >"$lib/pkgconfig/fernseal.pc" <<PC
prefix=$prefix
libdir=$libdir
includedir=\${prefix}/include

Name: fernseal
Description: Opens and seals the secrets of JSON configs
URL: $(sed -n 's/^homepage = "\(.*\)"$/\1/p' Cargo.toml)
Version: $version
Cflags: -I\${includedir}
Libs: -L\${libdir} -lfernseal
Libs.private: $private
PC

# The paths are relative to this file, so that the tree can be moved: below DESTDIR, or behind a symbolic link.
include=$(realpath -sm --relative-to="$libdir" "$prefix/include")
cat >"$lib/cmake/fernseal/fernseal-config.cmake" <<CMAKE
get_filename_component(_fernseal_lib "\${CMAKE_CURRENT_LIST_DIR}" REALPATH)
get_filename_component(_fernseal_lib "\${_fernseal_lib}/../.." ABSOLUTE)
get_filename_component(_fernseal_include "\${_fernseal_lib}/$include" ABSOLUTE)
if(NOT TARGET fernseal::fernseal)
  add_library(fernseal::fernseal SHARED IMPORTED)
  set_target_properties(fernseal::fernseal PROPERTIES
    IMPORTED_LOCATION "\${_fernseal_lib}/libfernseal.so.$version"
    IMPORTED_SONAME "$soname"
    INTERFACE_INCLUDE_DIRECTORIES "\${_fernseal_include}")
  add_library(fernseal::static STATIC IMPORTED)
  set_target_properties(fernseal::static PROPERTIES
    IMPORTED_LOCATION "\${_fernseal_lib}/libfernseal.a"
    INTERFACE_INCLUDE_DIRECTORIES "\${_fernseal_include}"
    INTERFACE_LINK_LIBRARIES "$(echo "$private" | sed 's/-l//g; s/ /;/g')")
endif()
unset(_fernseal_lib)
unset(_fernseal_include)
CMAKE

cat >"$lib/cmake/fernseal/fernseal-config-version.cmake" <<CMAKE
set(PACKAGE_VERSION "$version")
if(PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION OR
   (PACKAGE_FIND_VERSION AND NOT "\${PACKAGE_FIND_VERSION_MAJOR}.\${PACKAGE_FIND_VERSION_MINOR}." MATCHES "^${abi}[.]"))
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
else()
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
  if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
  endif()
endif()
# A project for another pointer size cannot link it.
if(CMAKE_SIZEOF_VOID_P AND NOT CMAKE_SIZEOF_VOID_P EQUAL $((bits / 8)))
  set(PACKAGE_VERSION "$version ($bits bits)")
  set(PACKAGE_VERSION_UNSUITABLE TRUE)
endif()
CMAKE

echo "fernseal $version is in $destdir$prefix and $lib"

# The installer of a package runs ldconfig itself. Without DESTDIR, this script runs it, so that programs find the
# library.
if [ -z "$destdir$target" ]; then
    PATH=$PATH:/usr/sbin:/sbin
    ldconfig 2>/dev/null || true # succeeds as root only
    ldconfig -p 2>/dev/null | grep -qF " => $libdir/$soname" || cat >&2 <<HINT
install: programs do not find $soname in $libdir yet
  run ldconfig as root if /etc/ld.so.conf names it; if not, set LD_LIBRARY_PATH or link with -Wl,-rpath,$libdir
HINT
fi
