SUMMARY = "Keeps the secrets of JSON configs encrypted at rest"
DESCRIPTION = "The command fernseal, and libfernseal, the C library that opens and seals the same tokens"
HOMEPAGE = "https://github.com/fernseal/fernseal"
LICENSE = "MIT OR Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE;md5=@LICENSE_MD5@"

SRC_URI = "${HOMEPAGE}/releases/download/v${PV}/${BP}.tar.gz"
SRC_URI[sha256sum] = "@SHA256@"
require ${BPN}-crates.inc

# It needs Rust 1.89 or newer. Python writes the manual pages of the library.
inherit cargo python3native

do_compile() {
    export RUSTFLAGS="${RUSTFLAGS}"
    export DESTDIR="${B}/stage" PREFIX="${prefix}" LIBDIR="${libdir}"
    export TARGET="${RUST_HOST_SYS}" CARGOFLAGS="-v --frozen"
    rm -rf "$DESTDIR"
    "${S}/cli/install.sh"
    "${S}/ffi/install.sh"
}

do_install() {
    cp -R --no-dereference --preserve=mode,links "${B}/stage/." "${D}"
}

# The command, the library, and what programs are built with.
PACKAGE_BEFORE_PN = "lib${BPN}"
FILES:lib${BPN} = "${libdir}/libfernseal.so.*"
FILES:${PN} += "${datadir}/bash-completion ${datadir}/fish ${datadir}/zsh"

# Cargo strips the command and the library.
INSANE_SKIP:${PN} += "already-stripped"
INSANE_SKIP:lib${BPN} += "already-stripped"

BBCLASSEXTEND = "native nativesdk"
