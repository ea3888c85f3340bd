#!/bin/sh
# shellcheck disable=SC2016 # the single quotes contain code for other interpreters
# Tests ffi/packaging on the last commit. Makes a release for packagers, builds the RPM and the Arch package, and runs the
# functions of the APKBUILD; builds C programs with what the RPM installs. For Buildroot, OpenWrt, Yocto and Nix, which
# are not here, it runs their commands with stand-ins for what they include, and for cargo. Takes about two minutes.
#   tests/setup.sh c packages && tests/deploy/packaging.sh
set -eu
cd "$(dirname "$0")/../.."
root=$PWD
fail() { echo "FAIL $*" >&2; exit 1; }
pass() { echo "PASS $*"; }

for tool in rpmbuild rpmlint shellcheck makepkg bsdtar fakeroot nix-instantiate pkg-config python3; do
    command -v $tool >/dev/null || { echo "SKIPPED: no $tool: run tests/setup.sh c packages"; exit 0; }
done
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
host=$(rustc -vV | sed -n 's/^host: //p')
work=$root/target/packaging
release=$work/release
rm -rf "$release" "$work/try"
mkdir -p "$work/try"
cd "$work/try"
unset DESTDIR PREFIX LIBDIR ZSHDIR TARGET CARGO CARGO_BUILD_TARGET

quietly() { # NAME COMMAND…
    what=$1
    shift
    "$@" >log 2>&1 || { cat log >&2; fail "$what"; }
}
define() { sed -n "s/^#define $1 \"\(.*\)\"\$/\1/p" "$root/tests/firmware/vectors.h"; }

# ---- The release: no placeholder remains; versions, checksums and crates are those of the source. ----

quietly prepare.sh "$root/ffi/packaging/prepare.sh" "$release"
source=$release/fernseal-$version.tar.gz
with_crates=$release/fernseal-$version-with-crates.tar.gz
! grep -rE '@[A-Z0-9_]+@' "$release"/*/ || fail "placeholders remain"
for line in alpine/APKBUILD:"pkgver=$version" arch/PKGBUILD:"pkgver=$version" rpm/fernseal.spec:"Version:        $version" \
    openwrt/Makefile:"PKG_VERSION:=$version" buildroot/package/fernseal/fernseal.mk:"FERNSEAL_VERSION = $version"; do
    grep -qxF "${line#*:}" "$release/${line%%:*}" || fail "$line"
done
tar tzf "$with_crates" >files
LC_ALL=C sed -n 's/^name = //p; s/^version = //p; s/^source = .*/crate/p' "$root/Cargo.lock" | tr -d '"' |
    awk '{ three[NR % 3] = $0 } $0 == "crate" { print three[(NR - 2) % 3], three[(NR - 1) % 3] }' >crates
[ "$(wc -l <crates)" -gt 100 ] || fail "the crates of Cargo.lock"
while read -r name number; do
    grep -qF "    crate://crates.io/$name/$number \\" "$release/yocto/fernseal-crates.inc" || fail "Yocto lacks $name $number"
    grep -q "^SRC_URI\[$name-$number.sha256sum\] = \"[0-9a-f]\{64\}\"$" "$release/yocto/fernseal-crates.inc" || fail "$name's checksum"
    grep -qE "^fernseal-$version/VENDOR/$name(-$number)?/Cargo.toml$" files || fail "the archive lacks $name $number"
done <crates
[ "$(grep -c crate: "$release/yocto/fernseal-crates.inc")" = "$(wc -l <crates)" ] || fail "Yocto has other crates"
has_sum() { # PACKAGE ALGORITHM FILE
    grep -qF "$("$2sum" "$3" | cut -d ' ' -f 1)" "$release/$1" || fail "$1 has another checksum of $3"
}
has_sum alpine/APKBUILD sha512 "$source"
has_sum arch/PKGBUILD sha256 "$source"
has_sum "yocto/fernseal_$version.bb" sha256 "$source"
has_sum "yocto/fernseal_$version.bb" md5 "$root/LICENSE"
has_sum openwrt/Makefile sha256 "$with_crates"
(cd "$release" && cp "$root/LICENSE" . && grep -v '^#' buildroot/package/fernseal/fernseal.hash | sed 's/^sha256  //' |
    sha256sum -c --quiet) || fail "Buildroot's checksums"
rm "$release/LICENSE"
shellcheck "$root/cli/install.sh" "$root/ffi/install.sh" "$root/ffi/mcu.sh" "$root/ffi/packaging/prepare.sh" || fail "shellcheck"
# (They define variables for, and use variables of, the programs that read them.)
shellcheck -s sh -e SC2034,SC2154 "$release/alpine/APKBUILD" || fail "shellcheck APKBUILD"
shellcheck -s bash -e SC2034,SC2154,SC2164 "$release/arch/PKGBUILD" || fail "shellcheck PKGBUILD"
pass "the release: versions, checksums, $(wc -l <crates) crates, shellcheck"

# ---- RPM. Its build gets an empty home for cargo, so all crates come from the archive. ----

# Without optimization it is quick. All builds are at the same path, so that cargo compiles only for the first.
export CARGO_TARGET_DIR="$work/target" RUSTFLAGS="-C opt-level=0" CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
build=$work/build/src/fernseal-$version
rm -rf "$work/build"
mkdir -p "$work/build/src" empty-home rpm/SOURCES
cp "$with_crates" rpm/SOURCES
CARGO_HOME=$PWD/empty-home quietly rpmbuild rpmbuild -ba --nodeps --define "_topdir $PWD/rpm" \
    --define "_builddir $work/build/src" "$release/rpm/fernseal.spec"
rpms=$(echo rpm/RPMS/*/*.rpm)
for wanted in "fernseal /usr/bin/fernseal" "fernseal /usr/share/man/man1/fernseal-rotate.1" \
    "fernseal /usr/share/zsh/site-functions/_fernseal" "libfernseal libfernseal.so.$version" \
    "libfernseal-devel /usr/include/fernseal.h" "libfernseal-devel pkgconfig/fernseal.pc" \
    "libfernseal-devel libfernseal.a" "libfernseal-devel /usr/share/man/man3/fernseal_config_get.3"; do
    rpm -qlp rpm/RPMS/*/"${wanted%% *}-$version"-*.rpm | grep -q "${wanted#* }\$" || fail "RPM: no ${wanted#* }"
done
! rpm -qlp rpm/RPMS/*/"libfernseal-$version"-*.rpm | grep -E 'include|\.so$|\.a$|bin/' || fail "libfernseal contains development files"
# Left out: rules of one distribution, what its build system adds (signature, packager), and what is said of stripped files.
# shellcheck disable=SC2086 # a list of words
rpmlint $rpms rpm/SRPMS/*.rpm 2>/dev/null | grep ' E: ' | grep -v -E 'no-signature|no-packager-tag|no-group-tag|mklibname|shlib-policy-name|build-id|missing-hash-section|static-library-without-debuginfo|outside-libdir-files' >log &&
    { cat log >&2; fail "rpmlint"; }
mkdir tree
for rpm in $rpms; do rpm2cpio "$rpm" | (cd tree && cpio -idm --quiet); done

config=$root/tests/firmware/config.json
PROXMOX_MCP_MASTER_KEY=$(define MASTER_KEY)
export PROXMOX_MCP_MASTER_KEY
[ "$(tree/usr/bin/fernseal get "$config" auth.token_value)" = "$(define SECRET)" ] || fail "the command of the RPM"
lib=$(dirname "$(find "$PWD/tree" -name libfernseal.a)")
for static in "" --static; do
    # shellcheck disable=SC2046 # a list of words
    gcc -std=c99 ${static:+-static -Wl,--gc-sections} "$root/tests/c/open_config.c" -o open_config $(
        PKG_CONFIG_PATH=$lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$PWD/tree pkg-config $static --cflags --libs fernseal
    )
    [ "$(LD_LIBRARY_PATH=$lib ./open_config <"$config")" = "$(define SECRET)" ] || fail "a C program with the RPM $static"
done
readelf -d "$lib/libfernseal.so.$version" | grep -q "SONAME.*$(basename "$(readlink "$lib/libfernseal.so")")" || fail "the links of the RPM"
pass "RPM: built from its archive alone, rpmlint, the command, C programs, shared and static"

# ---- Arch and Alpine. Their cargo gets the crates from the archive too, by its configuration. ----

mkdir home
tar xzf "$with_crates" -C "$work/build/src"
printf '[source.crates-io]\nreplace-with = "here"\n[source.here]\ndirectory = "%s"\n' "$build/VENDOR" >home/config.toml
export CARGO_HOME="$PWD/home" CARGO_NET_OFFLINE=true
cp "$release/arch/PKGBUILD" "$source" "$work/build"
# makepkg refuses root, and asks pacman which packages are installed.
makepkg() { (cd "$work/build" && PACMAN=true unshare --user --map-user=1000 makepkg "$@"); }
if unshare --user --map-user=1000 true 2>/dev/null; then
    quietly "makepkg --printsrcinfo" makepkg --printsrcinfo
    grep -q "pkgver = $version\$" log || fail ".SRCINFO"
    quietly makepkg makepkg --nodeps
    mkdir arch
    bsdtar xf "$work/build/fernseal-$version-1-$(uname -m)".pkg.tar* -C arch
    [ -s arch/usr/share/licenses/fernseal/NOTICES ] || fail "the Arch package has no notices"
    [ "$(arch/usr/bin/fernseal get "$config" auth.token_value)" = "$(define SECRET)" ] || fail "the command of the Arch package"
    pass "Arch: makepkg builds the package"
else
    echo "SKIPPED: makepkg needs user namespaces"
fi

mkdir alpine
rm -rf "$build/stage"
quietly APKBUILD env CTARGET="$host" srcdir="$work/build/src" builddir="$build" pkgdir="$PWD/alpine" sh -c '
    set -e
    default_prepare() { :; }
    . "$1"
    [ "$builddir" = "$srcdir/$pkgname-$pkgver" ]
    echo "$sha512sums" | grep . | sed "s|  |  $2/|" | sha512sum -c
    for function in prepare build check package; do cd "$builddir" && $function; done
' sh "$release/alpine/APKBUILD" "$release"
[ "$(alpine/usr/bin/fernseal get "$config" auth.token_value)" = "$(define SECRET)" ] || fail "the command of the APKBUILD"

# The files of a package, which are the same in all of them.
files_of() { (cd "$1" && find . ! -type d | sed 's|lib64/|lib/|; s|\.gz$||' | grep -v -E 'licenses|/doc/|build-id|^./\.[A-Z]' | LC_ALL=C sort); }
same_files() { # DIRECTORY WHAT
    files_of alpine >wanted
    files_of "$1" >is
    diff wanted is >&2 || fail "$2 has other files (>) than Alpine's package (<)"
}
[ "$(files_of alpine | wc -l)" -gt 80 ] || fail "few files"
same_files tree RPM
[ ! -d arch ] || same_files arch Arch
# Both scripts remove all that they have installed.
cp -a alpine gone
for part in cli ffi; do DESTDIR=$PWD/gone PREFIX=/usr "$root/$part/install.sh" uninstall >/dev/null; done
[ -z "$(find gone ! -type d)" ] || fail "uninstall leaves $(find gone ! -type d)"
pass "Alpine: prepare, build, check and package, on glibc; it has the files of the RPM"

# ---- Buildroot, OpenWrt, Yocto and Nix: their commands, with a stand-in for cargo that names what was built above. ----

cat >cargo <<CARGO
#!/bin/sh
echo "\$(pwd) \$* target=\${CARGO_BUILD_TARGET:-}" >>"$PWD/calls"
case " \$* " in
    *" -p fernseal "*) echo '{"executable":"$CARGO_TARGET_DIR/release/fernseal"}' ;;
    *) echo '{"filenames":["$CARGO_TARGET_DIR/release/libfernseal.a","$CARGO_TARGET_DIR/release/libfernseal.so"]}' ;;
esac
CARGO
chmod +x cargo
export CARGO="$PWD/cargo"
calls() { # WHAT OPTION
    for call in "build fernseal" "rustc fernseal-ffi"; do
        grep "^$build ${call% *} " calls | grep -e " --target $host " | grep -e " $2 " | grep -q -e " -p ${call#* } " ||
            { cat calls >&2; fail "$1 calls cargo otherwise"; }
    done
    rm calls
}

# The stand-in defines what pkg-cargo.mk of Buildroot does: .stamp_built in the package's directory, then the two installations.
cat >buildroot.mk <<'MAKE'
PKG_CARGO_ENV = CARGO_BUILD_TARGET="$(HOST)"
define cargo-package
all: $(BUILD)/.stamp_built
$(BUILD)/.stamp_built: ; $$(FERNSEAL_BUILD_CMDS)
	$$(FERNSEAL_INSTALL_STAGING_CMDS)
	$$(FERNSEAL_INSTALL_TARGET_CMDS)
endef
BR2_EXTERNAL_FERNSEAL_PATH = $(TREE)
include $(TREE)/external.mk
MAKE
mkdir staging target
for command in "" y; do
    rm -rf "$build/stage" "$build/.stamp_built" calls
    quietly Buildroot make -f buildroot.mk all HOST="$host" BUILD="$build" TREE="$release/buildroot" \
        STAGING_DIR="$PWD/staging" TARGET_DIR="$PWD/target" BR2_PACKAGE_FERNSEAL_COMMAND=$command
    [ -e target/usr/bin/fernseal ] || [ -z "$command" ] || fail "Buildroot installs no command"
    [ ! -e target/usr/bin/fernseal ] || [ -n "$command" ] || fail "Buildroot installs the command though it is off"
done
calls Buildroot --offline
same_files staging Buildroot
same_files target Buildroot
pass "Buildroot: the commands of fernseal.mk, with stand-ins for pkg-cargo.mk and cargo"

mkdir -p openwrt/feeds/packages/lang/rust openwrt/include
cat >openwrt/rules.mk <<'MAKE'
INSTALL_DIR = install -d -m0755
INSTALL_BIN = install -m0755
CP = cp -fpR
PKG_INSTALL_DIR = $(OUT)/ipkg-install
MAKE
cat >openwrt/include/package.mk <<'MAKE'
PKG_BUILD_DIR = $(BUILD)
define BuildPackage
all: install-$(1)
install-$(1): dev ; $$(call Package/$(1)/install,$(OUT)/$(1))
$(foreach field,SECTION CATEGORY TITLE DEPENDS,$(if $(findstring $(field):=,$(value Package/$(1))),,$(error $(1) lacks $(field))))
endef
dev: compile ; $(call Build/InstallDev,$(OUT)/dev)
compile: ; $(Build/Compile)
MAKE
echo 'CARGO_PKG_VARS = CARGO_BUILD_TARGET=$(HOST)' >openwrt/feeds/packages/lang/rust/rust-package.mk
quietly OpenWrt make -f "$release/openwrt/Makefile" all TOPDIR="$PWD/openwrt" INCLUDE_DIR="$PWD/openwrt/include" \
    HOST="$host" BUILD="$build" OUT="$PWD/openwrt/out"
calls OpenWrt --offline
same_files openwrt/out/ipkg-install OpenWrt
[ "$(cd openwrt/out/fernseal && find . -type f)" = ./usr/bin/fernseal ] || fail "OpenWrt's fernseal"
[ "$(cd openwrt/out/libfernseal && find . -type f)" = "./usr/lib/libfernseal.so.$version" ] || fail "OpenWrt's libfernseal"
[ -e openwrt/out/dev/usr/include/fernseal.h ] || fail "OpenWrt's development files"
pass "OpenWrt: the commands of its Makefile, with stand-ins for rules.mk, package.mk, rust-package.mk and cargo"

# BitBake runs these functions with sh, after it has replaced its variables, which have the syntax of sh here.
sed -n '/^do_compile() {/,/^}/p; /^do_install() {/,/^}/p' "$release/yocto/fernseal_$version.bb" >yocto.sh
mkdir yocto
quietly Yocto env S="$build" B="$PWD/yocto/build" D="$PWD/yocto/image" prefix=/usr libdir=/usr/lib RUST_HOST_SYS="$host" sh -c '
    set -e
    cd "$S"; . "$1"; mkdir -p "$B" "$D"; cd "$B"; do_compile; cd "$B"; do_install' sh "$PWD/yocto.sh"
calls Yocto --frozen
same_files yocto/image Yocto
pass "Yocto: do_compile and do_install, with a stand-in for cargo"

# A stand-in for nixpkgs returns the attributes of the package.
nix-instantiate --eval --strict --json --expr "
    let package = (import $root/ffi/packaging/nix/flake.nix).outputs {
            self = {};
            nixpkgs = {
                lib.genAttrs = names: f: { \${builtins.head names} = f (builtins.head names); };
                legacyPackages.x86_64-linux = {
                    rustPlatform.buildRustPackage = attributes: attributes // { src = toString attributes.src; };
                    python3 = \"\";
                    lib = { licenses = { mit = \"\"; asl20 = \"\"; }; platforms.linux = [ ]; };
                };
            };
        };
    in package.packages.x86_64-linux.default // { locked = (builtins.fromTOML (builtins.readFile $root/Cargo.lock)).version; }
" >nix.json 2>log || { cat log >&2; fail "flake.nix"; }
attribute() { python3 -c 'import json, sys; print(json.load(open("nix.json"))[sys.argv[1]])' "$1"; }
[ "$(attribute version)" = "$version" ] || fail "flake.nix has the version $(attribute version)"
[ "$(attribute src)" = "$root" ] || fail "flake.nix has the source $(attribute src)"
mkdir nix
quietly "the phases of flake.nix" env out="$PWD/nix/usr" sh -c 'set -e; runHook() { :; }; cd "$1"; rm -rf stage; eval "$2"; eval "$3"' \
    sh "$build" "$(attribute buildPhase)" "$(attribute installPhase)"
rm calls
same_files nix Nix
pass "Nix: the flake's attributes and phases, with stand-ins for nixpkgs and cargo"
