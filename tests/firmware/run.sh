#!/bin/sh
# shellcheck disable=SC2086,SC2046 # lists of words
# Builds libfernseal.a for microcontrollers, runs the firmware with it on three emulated boards, and measures. Prints the
# firmware's lines and the tables of the README; fails if a test fails or a budget is exceeded.
#
#   tests/setup.sh mcu        installs what this needs: cross compilers, QEMU, and Debian's Rust with its library's source
#   tests/firmware/run.sh     all of it, in about three minutes
#
# firmware.c            the acceptance program; vectors.h: its tokens, made by make_vectors.py with Python's cryptography
# appliance.rs          the same in Rust and small, for users of fernseal-core; config.json: what it opens
# board.h, board.c      what a board gives to a program; cortex-m.c and riscv.c start the processors
# microbit, mps2-an386, virt    a .c and an .ld each: the board's clock and memory, laid out by sections.ld
# Cargo.toml, vectors.rs        the host test that holds vectors.h against Python
#
# Rust's own library `core` is built from source, by the very compiler that it belongs to; RUSTC_BOOTSTRAP lets a stable
# compiler do that and is set nowhere else. The cfgs choose the small forms of AES and SHA-256; cpubits is what the crate
# of that name finds by itself, but for RUSTC_BOOTSTRAP. For RISC-V, `relax` lets the linker shorten calls, by 7 % of the
# whole (-C target-feature=+relax; rustc warns that its name is not stable). At home, after `rustup target add TARGET`, the same library comes of
#   RUSTFLAGS='--cfg aes_backend_soft="compact" --cfg sha2_backend_soft="compact"' \
#   cargo rustc --profile mcu -p fernseal-ffi --lib --crate-type staticlib --no-default-features --features FEATURES --target TARGET
set -eu
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
out=$root/target/mcu
mkdir -p "$out"
failed=0

# With no-panic-check the panic handler calls a function that nobody has: what reaches a panic does not link.
features=compact,seal,config,no-panic-check

# The functions that the three rows of a table link, and the stack that their tests may take (bytes, without the buffers).
open_derive="token_open derive token_open_with"
everything="$open_derive master_key_parse token_seal config_get"
whole_configs="$everything config_open"
stack_budgets="1152 1280 1424"

# Sets a board's target with its rustc flags, start-up, compiler, emulator, and budgets of flash (bytes, for the three rows).
board() { # NAME
    board=$1
    case $board in
        microbit)
            target=thumbv6m-none-eabi budgets="9088 16384 18176" flags=
            start=cortex-m.c tools=arm-none-eabi- machine="-mcpu=cortex-m0 -mthumb"
            emulator="qemu-system-arm -M microbit" ;;
        mps2-an386)
            target=thumbv7em-none-eabi budgets="9376 16896 18624" flags=
            start=cortex-m.c tools=arm-none-eabi- machine="-mcpu=cortex-m4 -mthumb"
            emulator="qemu-system-arm -M mps2-an386" ;;
        virt)
            target=riscv32imac-unknown-none-elf budgets="10880 20480 21888" flags="-C target-feature=+relax"
            start=riscv.c tools=riscv64-unknown-elf- machine="-march=rv32imac_zicsr -mabi=ilp32"
            emulator="qemu-system-riscv32 -M virt -bios none" ;;
    esac
}

complain() { echo "FAIL $*"; failed=1; }

# Builds a package's static library for $target and names it.
build() { # PACKAGE LIBRARY FEATURES…
    package=$1 library=$out/$target/mcu/lib$2.a
    shift 2
    (cd "$root" && RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$out" \
        RUSTFLAGS="--cfg aes_backend_soft=\"compact\" --cfg sha2_backend_soft=\"compact\" --cfg cpubits=\"32\" $flags" \
        /usr/bin/cargo rustc -q -j2 --locked --profile mcu -p "$package" --lib --crate-type staticlib "$@" \
        -Z build-std=core --target "$target") 2>"$out/build.log" || { cat "$out/build.log"; exit 1; }
}

# Links a program for $board with $library.
link() { # PROGRAM ARGUMENT…
    program=$1
    shift
    "${tools}gcc" $machine -Os -std=gnu11 -Wall -Wextra -Werror -ffreestanding -ffunction-sections -I"$root/include" \
        -nostdlib -T "$board.ld" -Wl,--gc-sections,-z,noexecstack,--fatal-warnings "$@" "$library" -lgcc -o "$program"
}

# Runs a program on $board, where an instruction takes a nanosecond, whatever else this machine is doing.
emulate() { # PROGRAM
    timeout 600 $emulator -kernel "$1" -icount shift=0 -semihosting-config enable=on,target=native \
        -nographic -monitor none -serial none >"$1.log" 2>&1 || complain "$1: exit code $?"
    cat "$1.log"
    grep -q ^PASS "$1.log" || complain "$1 printed nothing"
}

# The library stands alone: it needs nothing but what every C compiler brings.
check_needs() {
    needs=$("${tools}nm" "$library" 2>/dev/null | awk '
        NF == 2 && $1 == "U" { needed[$2] }
        NF == 3 { defined[$3] }
        END { for (name in needed) if (!(name in defined)) print name }' |
        grep -vxE 'mem(cpy|move|set|cmp)|__aeabi_[a-z0-9]+|__[a-z]+[sdt]i[0-9]|fernseal_a_panic_path_is_linked') || true
    [ -z "$needs" ] || complain "$target: libfernseal.a needs" $needs
}

# The check of panics bites: fernseal_config_read, through serde-json-core, has a panic path, and so must not link.
check_panics() {
    if link "$out/$board-panic" -Wl,-e,0 -Wl,-u,fernseal_config_read 2>"$out/$board-panic.log"; then
        complain "$target: a panic path was linked and not noticed"
    else
        grep -q fernseal_a_panic_path_is_linked "$out/$board-panic.log" || complain "$target: $(cat "$out/$board-panic.log")"
    fi
}

# The flash and RAM (bytes) that the named functions take by themselves, without a program or its start-up.
measure() { # FUNCTION…
    roots=
    for function; do roots="$roots -Wl,-u,fernseal_$function"; done
    link "$out/$board-size" -Wl,-e,0 $roots
    "${tools}size" "$out/$board-size" | awk 'NR == 2 { print $1 + $2, $2 + $3 }'
}

# The most stack (bytes) that a test whose name fits took.
deepest() { # PATTERN
    awk -v pattern="$1" '$2 ~ pattern && $4 > most { most = $4 } END { print most + 0 }' "$out/$board.log"
}

row() { # NAME BUDGET STACK_BUDGET FLASH RAM STACK
    [ "$4" -le "$2" ] || complain "$target: $1 takes $4 bytes of flash, its budget is $2"
    [ "$5" -eq 0 ] || complain "$target: $1 has $5 bytes of variables"
    [ "$6" -le "$3" ] || complain "$target: $1 takes $6 bytes of stack, its budget is $3"
    sizes="$sizes
| $target | $1 | $4 | $5 | $6 |"
}

sizes="| target | linked | flash | RAM | stack |
|---|---|---|---|---|"
times="| target | instructions of a derivation |
|---|---|"

for name in microbit mps2-an386 virt; do
    board $name
    echo "$board ($target)"
    build fernseal-ffi fernseal --no-default-features --features $features
    check_needs
    check_panics
    link "$out/$board" firmware.c board.c $start $board.c
    emulate "$out/$board"
    set -- $budgets $stack_budgets
    row "open, derive" "$1" "$4" $(measure $open_derive) "$(deepest '_token$|deriv')"
    row "open, derive, seal, get a value" "$2" "$5" $(measure $everything) "$(deepest '_token$|deriv|key|seals|value')"
    row "and open whole configs" "$3" "$6" $(measure $whole_configs) "$(deepest .)"
    times="$times
| $target | $(awk '$2 ~ /^derives/ { print $6 }' "$out/$board.log") |"

    build appliance appliance --features compact
    link "$out/$board-rust" board.c $start $board.c
    emulate "$out/$board-rust"
done

# Others build too, and the feature simd does no harm where it has nothing.
flags=
for target in thumbv7m-none-eabi thumbv8m.main-none-eabi; do
    build fernseal-ffi fernseal --no-default-features --features $features,fernseal-core/simd
    echo "$target builds"
done

printf '\n%s\n\n%s\n' "$sizes" "$times" | tee "$out/tables.md"
exit $failed
