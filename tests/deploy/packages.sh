#!/bin/sh
# shellcheck disable=SC2046 # lists of words
# Tests the packages: packs the crates and checks their contents; builds the Debian packages, runs lintian, and
# installs, uses and removes them on a temporary overlay over this machine. Needs root; takes about two minutes.
#   tests/setup.sh c packages && tests/deploy/packages.sh
set -eu
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin:/sbin
fail() { echo "FAIL $*" >&2; exit 1; }
pass() { echo "PASS $*"; }

# Runs on the overlay; /tmp/try contains the packages and the C programs.
if [ "${1:-}" = "on the copy" ]; then
    export HOME=/tmp/try LC_ALL=C.UTF-8
    cd /tmp/try
    dpkg -i ./*.deb >log 2>&1 || { cat log >&2; fail "dpkg -i"; }
    [ "$(fernseal --version)" = "fernseal $2" ] || fail "the command"
    for page in fernseal fernseal-rotate fernseal_config_get; do
        man "$page" 2>log | grep -q '^NAME' || { cat log >&2; fail "man $page"; }
    done
    cat >complete.bash <<'BASH'
. /usr/share/bash-completion/bash_completion
_completion_loader fernseal
COMP_WORDS=(fernseal rot) COMP_CWORD=1
function=$(complete -p fernseal | sed 's/.*-F \([^ ]*\).*/\1/')
$function fernseal rot fernseal
echo "${COMPREPLY[@]}"
BASH
    [ "$(bash --norc complete.bash)" = rotate ] || fail "bash does not complete 'fernseal rot'"
    fish -c 'complete -C "fernseal rot"' | grep -q '^rotate' || fail "fish does not complete 'fernseal rot'"
    [ "$(zsh -f -c 'autoload -U compinit; compinit -u -D; print $_comps[fernseal]')" = _fernseal ] || fail "zsh does not complete"
    pass "the command, its manual pages, its completions in bash, fish and zsh"
    for package in fernseal libfernseal0.1 libfernseal-dev; do
        zcat "/usr/share/doc/$package/NOTICES.gz" | grep -q '^aes ' || fail "$package lacks the notices of its crates"
    done

    [ "$(pkg-config --modversion fernseal)" = "$2" ] || fail "pkg-config"
    gcc -std=c99 c/open_config.c $(pkg-config --cflags --libs fernseal) -o shared
    { cmake -S c/cmake -B build && cmake --build build; } >log 2>&1 || { cat log >&2; fail "CMake"; }
    for program in ./shared build/with_shared build/with_static; do
        [ "$("$program" <firmware/config.json)" = "$SECRET" ] || fail "$program does not open the config"
    done
    mkdir debian
    touch debian/control
    dpkg-shlibdeps -O shared 2>log | grep -q 'libfernseal0.1 (>= ' || { cat log >&2; fail "no dependency for what is built with it"; }
    pass "C programs with pkg-config and CMake, shared and static; a package of them would depend on libfernseal0.1"

    dpkg -r libfernseal0.1 >log 2>&1 && fail "libfernseal0.1 goes while libfernseal-dev needs it"
    dpkg -P fernseal libfernseal-dev libfernseal0.1 >log 2>&1 || { cat log >&2; fail "dpkg -P"; }
    ! grep -q warning log || { cat log >&2; fail "dpkg -P warns"; }
    exit 0
fi

# Runs in a mount namespace with overlays over this machine's files. Their upper layers are in memory, because not every
# file system can be the upper layer of an overlay, and another overlay cannot.
if [ "${1:-}" = "on layers" ]; then
    version=$2 layers=$3
    shift 3
    umask 022
    mount -t tmpfs tmpfs "$layers"
    mkdir -p "$layers/changes/tmp/try" "$layers/work" "$layers/root"
    chmod 1777 "$layers/changes/tmp"
    cp -r "$@" tests/c tests/firmware tests/deploy/packages.sh "$layers/changes/tmp/try"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$layers/changes,workdir=$layers/work" "$layers/root"
    mount --rbind /dev "$layers/root/dev"
    mount -t proc proc "$layers/root/proc"
    define() { sed -n "s/^#define $1 \"\(.*\)\"\$/\1/p" tests/firmware/vectors.h; }
    PROXMOX_MCP_MASTER_KEY=$(define MASTER_KEY) SECRET=$(define SECRET) \
        chroot "$layers/root" /tmp/try/packages.sh "on the copy" "$version"
    # After purging, only the records of dpkg and the caches that it rebuilds remain.
    rm -rf "$layers/changes/tmp"
    left=$(
        find "$layers/changes" ! -type d | grep -v -E '/(var/(lib/dpkg|log|cache)/.*|etc/ld.so.cache)$'
        find "$layers/changes/var/lib/dpkg/info" -name '*fernseal*'
        grep -r -l fernseal "$layers/changes/etc" "$layers/changes/var/lib/dpkg/status"
    ) || true
    [ -z "$left" ] || fail "files remain: $left"
    pass "once removed, nothing remains"
    exit 0
fi

for tool in lintian dh fish zsh; do
    command -v $tool >/dev/null || { echo "SKIPPED: no $tool: run tests/setup.sh packages"; exit 0; }
done
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# The crates contain their source and metadata, and what their manuals refer to. They build without other files.
for crate in fernseal-core= "fernseal=schema.json secrets-file.schema.json json-versions.md" fernseal-ffi=fernseal.h; do
    cargo package --list --allow-dirty --offline --quiet -p "${crate%=*}" | grep -v '^src/.*\.rs$' | LC_ALL=C sort >"$work/is"
    printf '%s\n' .cargo_vcs_info.json Cargo.lock Cargo.toml Cargo.toml.orig LICENSE README.md ${crate#*=} | LC_ALL=C sort >"$work/wanted"
    diff "$work/wanted" "$work/is" >&2 || fail "${crate%=*} should hold (<) and holds (>)"
done
# cargo keeps the sources of each crate that it unpacks by name and version, also those of an older fernseal-core that
# was packed here. So it gets a home with the downloads of the real one and without those.
real=${CARGO_HOME:-$HOME/.cargo}
[ ! -e "$real/config.toml" ] || { mkdir "$work/home" && ln -s "$real/config.toml" "$work/home"; }
for part in index cache src; do
    mkdir -p "$work/home/registry/$part"
    for downloads in "$real/registry/$part"/*; do
        case ${downloads##*/} in -*) ;; *) ln -s "$downloads" "$work/home/registry/$part" ;; esac
    done
done
CARGO_HOME=$work/home cargo package --workspace --exclude appliance --allow-dirty --locked --offline --quiet 2>"$work/log" ||
    { cat "$work/log" >&2; fail "cargo package"; }
for crate in target/package/fernseal*-"$version".crate; do
    tar xzOf "$crate" --wildcards '*/LICENSE' | cmp - LICENSE || fail "the licence in $crate"
done
tar xzOf "target/package/fernseal-ffi-$version.crate" --wildcards '*/fernseal.h' | cmp - include/fernseal.h || fail "the header"
pass "three crates: their source, README, licence, header; each builds from its package"

# This tag is for uploads to Debian's archive, which must close a bug report: initial-upload-closes-no-bugs.
CARGOFLAGS=--offline cli/deploy/debian.sh >"$work/packages"
lintian --allow-root --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs $(cat "$work/packages") || fail "lintian"
pass "lintian has no errors and no warnings"

if ! unshare --mount mount -t tmpfs tmpfs "$work" 2>/dev/null; then
    echo "SKIPPED: installing the packages needs root, and mount namespaces"
    exit 0
fi
mkdir "$work/layers"
unshare --mount tests/deploy/packages.sh "on layers" "$version" "$work/layers" $(cat "$work/packages") || fail "the packages"
