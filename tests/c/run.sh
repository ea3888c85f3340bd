#!/bin/sh
# shellcheck disable=SC2086 # lists of words
# Tests the C library: builds the C and C++ programs with gcc and clang against the installed tree, and runs them
# directly, under valgrind, and with the address and undefined behavior sanitizers. Then runs the programs in Python,
# Node and Go. Takes about two minutes.
#   tests/setup.sh c python go node && tests/c/run.sh
set -eu
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
work=$root/target/c
include=$work/tree/opt/fernseal/include
lib=$work/tree/opt/fernseal/lib/$(gcc -print-multiarch 2>/dev/null || true)
bin=$work/bin
fail() { echo "FAIL $*" >&2; exit 1; }
has() { command -v "$1" >/dev/null || { echo "SKIPPED: no $1: run tests/setup.sh $2"; return 1; }; }

./install.sh
[ -e "$lib/libfernseal.so" ] || exit 0
./readme.sh
export LD_LIBRARY_PATH="$lib"
warnings="-g -Wall -Wextra -Wpedantic -Werror -I$include"

run() { # NAME COMMAND…
    name=$1
    shift
    "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$name"; }
    echo "PASS $name: $(grep -v '^==' "$work/log" | tail -n 1)"
}

# Prints the C++ compiler that belongs to a C compiler.
plusplus() { case $1 in gcc) echo g++ ;; *) echo "$1++" ;; esac; }

for cc in gcc clang; do
    has $cc c || continue
    for flags in "" "-fsanitize=address,undefined -fno-sanitize-recover=all"; do
        kind=${flags:+ with sanitizers}
        for program in functions rules derivations; do
            $cc -std=c99 $warnings $flags $program.c -L"$lib" -lfernseal -o "$bin/$program-$cc"
            run "$cc$kind" "$bin/$program-$cc"
        done
        $(plusplus $cc) -std=c++11 $warnings -Wold-style-cast $flags plusplus.cpp -L"$lib" -lfernseal -o "$bin/plusplus-$cc"
        run "$(plusplus $cc)$kind" "$bin/plusplus-$cc"
        # (With a sanitizer, its own stack would be measured too.)
        if [ -z "$flags" ]; then
            $cc -std=c99 $warnings stack.c -L"$lib" -lfernseal -lpthread -o "$bin/stack-$cc"
            run "$cc" "$bin/stack-$cc"
        fi
        # The header compiles on its own in C, also in C90 with the types of C99, and in C++.
        echo '#include <fernseal.h>' | $cc -x c -std=c99 $warnings -fsyntax-only -
        echo '#include <fernseal.h>' | $cc -x c -std=c90 $warnings -Wno-c99-extensions -fsyntax-only -
        echo '#include <fernseal.h>' | $cc -x c++ -std=c++11 $warnings -Wold-style-cast -fsyntax-only -
    done
    # The compiler warns about an ignored result.
    printf '#include <fernseal.h>\nvoid f(void) { fernseal_random_os(NULL, NULL, 0); }\n' >"$work/ignore.c"
    if $cc -std=c99 $warnings -c "$work/ignore.c" -o "$work/ignore.o" 2>/dev/null; then fail "$cc lets a result be ignored"; fi
done

# On Windows, FERNSEAL_DLL makes the functions those of a DLL.
if has clang c; then
    printf '#include <fernseal.h>\nuint32_t f(void) { return fernseal_version_number(); }\n' >"$work/dll.c"
    for define in DLL NOTHING; do
        clang --target=x86_64-pc-windows-gnu -ffreestanding -std=c99 $warnings -DFERNSEAL_$define -S -emit-llvm "$work/dll.c" -o "$work/$define.ll"
    done
    grep -q 'dllimport.*@fernseal_version_number' "$work/DLL.ll" || fail "FERNSEAL_DLL imports nothing"
    ! grep -q dllimport "$work/NOTHING.ll" || fail "it imports without FERNSEAL_DLL"
    echo "PASS header for Windows"
fi

# Valgrind finds no error and no leak. As the programs themselves use no heap, it finds no allocation at all.
if has valgrind c; then
    for program in functions rules; do
        gcc -std=c99 $warnings $program.c -L"$lib" -lfernseal -o "$bin/$program-gcc"
        run "valgrind" valgrind --error-exitcode=9 --leak-check=full --show-leak-kinds=all "$bin/$program-gcc"
        grep -q 'total heap usage: 0 allocs' "$work/log" || { cat "$work/log" >&2; fail "$program uses the heap"; }
    done
fi

define() { sed -n "s/^#define $1 \"\(.*\)\"\$/\1/p" "$root/tests/firmware/vectors.h"; }
printf '%b' "$(define CONFIG_OPENED | sed 's/\\"/"/g')" >"$work/opened.json"
opens() { # NAME COMMAND…
    name=$1
    shift
    PROXMOX_MCP_MASTER_KEY=$(define MASTER_KEY) "$@" <"$root/tests/firmware/config.json" >"$work/opened" || fail "$name"
    cmp "$work/opened" "$work/opened.json" >&2 || fail "$name"
    if PROXMOX_MCP_MASTER_KEY=AAAA "$@" <"$root/tests/firmware/config.json" >"$work/opened" 2>"$work/log"; then
        fail "$name opened it with another key"
    fi
    grep -q 'token decryption failed' "$work/log" || { cat "$work/log" >&2; fail "$name says something else"; }
    [ ! -s "$work/opened" ] || fail "$name wrote something in spite of the failure"
    echo "PASS $name"
}

if has python3 python; then opens "Python (ctypes)" python3 ../python/open_config.py; fi
if [ -d "$root/target/node/node_modules/koffi" ] && has node node; then
    # Node searches for packages beside the program.
    cp ../node/open_config.mjs "$root/target/node/open_config.mjs"
    opens "Node (koffi)" node "$root/target/node/open_config.mjs"
else
    echo "SKIPPED: no koffi: run tests/setup.sh node"
fi
if has go go; then
    export PKG_CONFIG_PATH="$lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$work/tree"
    GOCACHE=$work/go GOPATH=$work/go GOFLAGS=-modcacherw GO111MODULE=off go build -o "$bin/open_config_go" ../go/open_config.go
    opens "Go (cgo)" "$bin/open_config_go"
fi
