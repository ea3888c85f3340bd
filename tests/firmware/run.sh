#!/bin/sh
# shellcheck disable=SC2086,SC2046 # lists of words
# Builds libfernseal.a for microcontrollers, runs the firmware with it on three emulated boards, and measures flash, RAM
# and stack. Prints the output of the firmware and the tables of ffi/README.md. Fails if a test fails or a budget is
# exceeded.
#
#   tests/setup.sh mcu        installs cross compilers, QEMU, and Debian's Rust with the source of its library
#   tests/firmware/run.sh     runs everything, in about three minutes
#
# firmware.c, vectors.h           the acceptance test, and its tokens, which make_vectors.py makes with Python's cryptography
# appliance.rs, config.json       a small example in Rust for users of fernseal-core, and the config that it opens
# board.h, board.c                the interface between board and program; cortex-m.c and riscv.c start the processors
# microbit, mps2-an386, virt      a .c and an .ld file for each board: its clock and memory, laid out by sections.ld
# Cargo.toml, vectors.rs          the test on the host that compares vectors.h with Python
#
# The script builds Rust's library `core` from source with the compiler of the same version. RUSTC_BOOTSTRAP allows this
# with a stable compiler; it is set nowhere else. The cfgs choose the small implementations of AES and SHA-256. The
# crate cpubits cannot detect its own cfg while RUSTC_BOOTSTRAP is set, so it is set here. For RISC-V, `relax` lets the
# linker shorten calls, which saves 7 % (-C target-feature=+relax; rustc warns that its name is not stable). After
# `rustup target add TARGET`, this builds the same library elsewhere:
#   RUSTFLAGS='--cfg aes_backend_soft="compact" --cfg sha2_backend_soft="compact"' \
#   cargo rustc --profile mcu -p fernseal-ffi --lib --crate-type staticlib --no-default-features --features FEATURES --target TARGET
set -eu
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
out=$root/target/mcu
mkdir -p "$out"
failed=0

# With no-panic-check, the panic handler calls an undefined function, so a program with a panic path does not link.
features=compact,seal,config,no-panic-check

# The functions that are linked for the three rows of a table, and the stack budgets of their tests (bytes, without
# buffers).
open_derive="token_open derive token_open_with"
everything="$open_derive master_key_parse token_seal config_get"
whole_configs="$everything config_open"
stack_budgets="1152 1280 1424"

# Sets the target of a board, with its rustc flags, start-up file, compiler, emulator, and flash budgets for the three
# rows (bytes).
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

# Builds the static library of a package for $target and sets its name.
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

# Runs a program on $board. An instruction takes one nanosecond of the board's time, however busy this machine is.
emulate() { # PROGRAM
    timeout 600 $emulator -kernel "$1" -icount shift=0 -semihosting-config enable=on,target=native \
        -nographic -monitor none -serial none >"$1.log" 2>&1 || complain "$1: exit code $?"
    cat "$1.log"
    grep -q ^PASS "$1.log" || complain "$1 printed nothing"
}

# The library has no dependencies except those that every C compiler provides.
check_needs() {
    needs=$("${tools}nm" "$library" 2>/dev/null | awk '
        NF == 2 && $1 == "U" { needed[$2] }
        NF == 3 { defined[$3] }
        END { for (name in needed) if (!(name in defined)) print name }' |
        grep -vxE 'mem(cpy|move|set|cmp)|__aeabi_[a-z0-9]+|__[a-z]+[sdt]i[0-9]|fernseal_a_panic_path_is_linked') || true
    [ -z "$needs" ] || complain "$target: libfernseal.a needs" $needs
}

# Tests the check for panics: fernseal_config_read has a panic path through serde-json-core, so it must not link.
check_panics() {
    if link "$out/$board-panic" -Wl,-e,0 -Wl,-u,fernseal_config_read 2>"$out/$board-panic.log"; then
        complain "$target: a panic path was linked and not noticed"
    else
        grep -q fernseal_a_panic_path_is_linked "$out/$board-panic.log" || complain "$target: $(cat "$out/$board-panic.log")"
    fi
}

# Prints the flash and RAM (bytes) that the named functions take, without a program and its start-up code.
measure() { # FUNCTION…
    roots=
    for function; do roots="$roots -Wl,-u,fernseal_$function"; done
    link "$out/$board-size" -Wl,-e,0 $roots
    "${tools}size" "$out/$board-size" | awk 'NR == 2 { print $1 + $2, $2 + $3 }'
}

# Prints the greatest stack (bytes) of the tests whose names match.
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

# Other combinations of features build too, and `simd` has no effect on targets without back ends.
flags=
for target in thumbv7m-none-eabi thumbv8m.main-none-eabi; do
    build fernseal-ffi fernseal --no-default-features --features $features,fernseal-core/simd
    echo "$target builds"
done

printf '\n%s\n\n%s\n' "$sizes" "$times" | tee "$out/tables.md"
exit $failed
