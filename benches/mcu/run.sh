#!/bin/sh
# shellcheck disable=SC2086,SC2154,SC1091 # lists of words; boards.sh sets what is not set here
# Compares libfernseal with the same job in C (job.c) over other libraries, on three emulated boards: flash and the
# instructions of a derivation. Prints the tables of benches/README.md.
#
#   tests/setup.sh mcu        installs cross compilers, QEMU, dpkg-dev, and Debian's Rust with the source of its library
#   benches/mcu/run.sh        takes about ten minutes
#
# The peers' sources come from Debian, at the versions named below, and stay in target/mcu/peers. apt-get verifies them by
# Debian's signatures. Nothing of them is committed or shipped.
set -eu
cd "$(dirname "$0")"
here=$PWD
cd ../../tests/firmware
. ./boards.sh
peers=$out/peers
debian=bookworm

# Downloads and unpacks a source package, unless that is done. The lists of source packages are our own: a machine need not
# have them turned on.
source_package() { # NAME VERSION FOLDER
    [ ! -d "$peers/$3" ] || return 0
    mkdir -p "$peers/lists/partial"
    echo "deb-src http://deb.debian.org/debian $debian main" >"$peers/sources.list"
    apt="apt-get -qq -o Dir::Etc::sourcelist=$peers/sources.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$peers/lists
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root"
    (cd "$peers" && $apt update && $apt source "$1=$2") >"$out/peers.log" 2>&1 || { cat "$out/peers.log"; exit 1; }
}

# Sets what a peer is compiled from: its adapter here, its own files, and flags.
peer() { # NAME
    case $1 in
        bearssl)
            source=$peers/bearssl-0.6+dfsg.1
            files="$source/src/hash/sha2small.c $source/src/symcipher/aes_ct.c $source/src/symcipher/aes_ct_dec.c
                $source/src/symcipher/aes_ct_cbcdec.c $source/src/codec/dec32be.c $source/src/codec/enc32be.c"
            flags="-I$source/inc -I$source/src" ;;
        cifra)
            source=$peers/h2o-2.2.5+dfsg2/deps/picotls/deps/cifra/src
            files="$source/sha256.c $source/blockwise.c $source/chash.c $source/aes.c $source/modes.c"
            flags="-I$source -I$source/ext -DFULL_FAT_ASSERT -Dabort=__builtin_trap" ;;
        mbedtls)
            source=$peers/mbedtls-2.28.3
            files="$source/library/sha256.c $source/library/aes.c $source/library/platform_util.c"
            flags="-I$source/include -DMBEDTLS_CONFIG_FILE=<mbedtls_config.h>" ;;
    esac
}

# Builds a peer for $target as $library.
build_peer() { # NAME LEVEL
    peer "$1"
    folder=$out/$target-peers/$1$2
    library=$folder/libpeer.a
    rm -rf "$folder"
    mkdir -p "$folder"
    for file in "$here/job.c" "$here/$1.c" $files; do
        "${tools}gcc" $machine "$2" -std=gnu11 -w -ffreestanding -ffunction-sections -fdata-sections -I"$root/include" \
            -I"$here" -I"$here/libc" $flags -c "$file" -o "$folder/$(basename "$file" .c)$(echo "$file" | cksum | cut -c1-4).o"
    done
    "${tools}ar" crs "$library" "$folder"/*.o
}

# Prints "FLASH INSTRUCTIONS" of $library.
figures() { # NAME
    link "$out/$board-$1" -I. "$here/main.c" board.c $start $board.c
    emulate "$out/$board-$1" >&2
    set -- "$(measure token_open derive token_open_with)" "$(awk '{ print $3 }' "$out/$board-$1.log")"
    echo "${1% *} $2"
}

source_package bearssl 0.6+dfsg.1-3 bearssl-0.6+dfsg.1
source_package h2o 2.2.5+dfsg2-7 h2o-2.2.5+dfsg2
source_package mbedtls 2.28.3-1 mbedtls-2.28.3

rows='' others=''
for name in microbit mps2-an386 virt; do
    board $name
    build compact,seal,config,no-panic-check
    ours=$(figures fernseal)
    for function in config_get token_seal; do
        flash=$(measure $function)
        others="$others
| $target | $function | ${flash% *} |"
    done
    rows="$rows
$target fernseal $ours $ours"
    build compact,seal,config,small-aes,no-panic-check
    rows="$rows
$target fernseal,-small-aes $(figures fernseal-small) $ours"
    build compact,seal,config,fast,no-panic-check
    for variant in fernseal:-fast bearssl:-Os bearssl:-O2 cifra:-Os cifra:-O2 mbedtls:-Os mbedtls:-O2; do
        [ "$board $variant" != "mps2-an386 fernseal:-fast" ] || continue # from Cortex-M3 it has no effect
        case $variant in fernseal:*) ;; *) build_peer "${variant%:*}" "${variant#*:}" ;; esac
        rows="$rows
$target ${variant%:*},${variant#*:} $(figures "${variant%:*}${variant#*:}") $ours"
    done
done

{
    echo "| target | library | flash, bytes | ratio | instructions of a derivation | ratio |"
    echo "|---|---|---|---|---|---|"
    echo "$rows" | awk 'NF { sub(",-fast", " with `fast`", $2); sub(",-small-aes", " with `small-aes`", $2); sub(",", " ", $2)
        printf "| %s | %s | %d | %.2f | %.3f × 10⁹ | %.2f |\n", $1, $2, $3, $5 / $3, $4 / 1e9, $6 / $4 }'
    printf '\n| target | linked | flash, bytes |\n|---|---|---|%s\n' "$others"
} | tee "$out/peers.md"
exit $failed
