#!/bin/sh
# Builds libfernseal and installs it for C and C++ on GNU/Linux. Needs Rust; takes about half a minute.
#   ffi/install.sh                                          installs into /usr/local
#   DESTDIR=/tmp/package PREFIX=/usr LIBDIR=/usr/lib/x86_64-linux-gnu ffi/install.sh
#
# PREFIX      the prefix where it will be used (/usr/local)
# LIBDIR      the directory of the libraries (PREFIX/lib)
# DESTDIR     a directory that is put before both, for packages
# CARGOFLAGS  more options for cargo, such as --offline
#
# Installs the header, libfernseal.a, libfernseal.so with its two links, fernseal.pc for pkg-config, and the CMake
# package `fernseal` with the targets fernseal::fernseal (shared) and fernseal::static.
set -eu
cd "$(dirname "$0")/.."

prefix=${PREFIX:-/usr/local}
libdir=${LIBDIR:-$prefix/lib}
destdir=${DESTDIR:-}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
soname=libfernseal.so.${version%%.*}
target=${CARGO_TARGET_DIR:-target}
# The system libraries that the static library needs, as `rustc --print native-static-libs` lists them. libc and libgcc
# are left out, because the C compiler adds them in the form that fits a static or a dynamic program.
private="-lutil -lrt -lpthread -lm -ldl"

case $prefix$libdir in
    /*) ;;
    *) echo "install: PREFIX and LIBDIR must be absolute paths" >&2; exit 2 ;;
esac
[ "$(uname -s)" = Linux ] || { echo "install: this is for GNU/Linux; elsewhere cargo-c installs the same" >&2; exit 2; }

# shellcheck disable=SC2086 # a list of words
cargo rustc --release --locked ${CARGOFLAGS:-} -p fernseal-ffi --lib --crate-type staticlib,cdylib -- \
    -C link-arg=-Wl,-soname,"$soname"

umask 022 # everyone may read the installed files
lib=$destdir$libdir
install -d "$destdir$prefix/include" "$lib/pkgconfig" "$lib/cmake/fernseal"
install -m 644 include/fernseal.h "$destdir$prefix/include/fernseal.h"
install -m 644 "$target/release/libfernseal.a" "$lib/libfernseal.a"
install -m 755 "$target/release/libfernseal.so" "$lib/libfernseal.so.$version"
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
   (PACKAGE_FIND_VERSION AND NOT PACKAGE_FIND_VERSION_MAJOR EQUAL ${version%%.*}))
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
else()
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
  if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
  endif()
endif()
CMAKE

echo "fernseal $version is in $destdir$prefix and $lib"

# The installer of a package runs ldconfig itself. Without DESTDIR, this script runs it, so that programs find the
# library.
if [ -z "$destdir" ]; then
    PATH=$PATH:/usr/sbin:/sbin
    ldconfig 2>/dev/null || true # succeeds as root only
    ldconfig -p 2>/dev/null | grep -qF " => $libdir/$soname" || cat >&2 <<HINT
install: programs do not find $soname in $libdir yet
  run ldconfig as root if /etc/ld.so.conf names it; if not, set LD_LIBRARY_PATH or link with -Wl,-rpath,$libdir
HINT
fi
