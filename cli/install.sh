#!/bin/sh
# Builds the command and installs it with its manual pages and its completions for bash, fish and zsh. Needs Rust; takes
# about a minute.
#   cli/install.sh                                      installs into /usr/local
#   DESTDIR=/tmp/package PREFIX=/usr cli/install.sh
#   cli/install.sh uninstall                            removes what the same variables installed
#
# PREFIX      the prefix where it will be used (/usr/local)
# DESTDIR     a directory that is put before it, for packages
# ZSHDIR      the directory of zsh's completions (PREFIX/share/zsh/site-functions)
# TARGET      the machine that it is for, by Rust's name (this one)
# CARGO       another cargo (cargo)
# CARGOFLAGS  more options for cargo, such as --offline
#
# The command itself writes the manual pages and completions. So they are left out if this machine cannot run it.
set -eu
cd "$(dirname "$0")/.."

prefix=${PREFIX:-/usr/local}
root=${DESTDIR:-}
target=${TARGET:-${CARGO_BUILD_TARGET:-}}
share=$root$prefix/share
bash=$share/bash-completion/completions
fish=$share/fish/vendor_completions.d
zsh=$root${ZSHDIR:-$prefix/share/zsh/site-functions}

case $prefix in
    /*) ;;
    *) echo "install: PREFIX must be an absolute path" >&2; exit 2 ;;
esac
case ${1:-} in
    '') ;;
    uninstall)
        rm -f "$root$prefix/bin/fernseal" "$share/man/man1/fernseal.1" "$share/man/man1"/fernseal-*.1 \
            "$bash/fernseal" "$fish/fernseal.fish" "$zsh/_fernseal"
        echo "fernseal is no longer in $root$prefix"
        exit ;;
    *) echo "install: the only argument is uninstall, not '$1'" >&2; exit 2 ;;
esac

# The path of the command comes from cargo: it depends on its configuration and on the target.
# shellcheck disable=SC2086 # a list of words
messages=$("${CARGO:-cargo}" build --release --locked ${target:+--target "$target"} ${CARGOFLAGS:-} -p fernseal \
    --message-format json-render-diagnostics)
fernseal=$(printf '%s\n' "$messages" | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
[ -f "$fernseal" ] || { echo "install: cargo built no command" >&2; exit 1; }

umask 022 # everyone may read the installed files
install -d "$root$prefix/bin"
install -m 755 "$fernseal" "$root$prefix/bin/fernseal"
if "$fernseal" --version >/dev/null 2>&1; then
    install -d "$share/man/man1" "$bash" "$fish" "$zsh"
    "$fernseal" man "$share/man/man1" >/dev/null
    "$fernseal" completions bash >"$bash/fernseal"
    "$fernseal" completions fish >"$fish/fernseal.fish"
    "$fernseal" completions zsh >"$zsh/_fernseal"
else
    echo "install: this machine cannot run the command, which writes its manual pages and completions: they are left out" >&2
fi
echo "fernseal is in $root$prefix"
