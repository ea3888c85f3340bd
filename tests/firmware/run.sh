#!/bin/sh
# shellcheck disable=SC2086,SC2046,SC2154,SC1091 # lists of words; boards.sh sets what is not set here
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
# boards.sh                       builds, links, measures and runs, for this script and benches/mcu/run.sh
# microbit, mps2-an386, virt      a .c and an .ld file for each board: its clock and memory, laid out by sections.ld
# Cargo.toml, vectors.rs          the test on the host that compares vectors.h with Python
set -eu
cd "$(dirname "$0")"
. ./boards.sh

# With no-panic-check, the panic handler calls an undefined function, so a program with a panic path does not link.
features=compact,seal,config,no-panic-check

# The functions that are linked for the rows of a table, and the stack budgets of their tests (bytes, without buffers). The
# last row is the first one with the feature small-aes.
open_derive="token_open derive token_open_with"
everything="$open_derive master_key_parse token_seal config_get"
whole_configs="$everything config_open"
slices="config_find token_salt derivation_begin derivation_advance derivation_finish config_get_with"
stack_budgets="1152 1216 1456 1552 1152"

# Sets the flash budgets of a board for the five rows (bytes).
flash_budgets() { # NAME
    case $1 in
        microbit) budgets="6640 11360 13744 15536 5168" ;;
        mps2-an386) budgets="6800 11504 13952 15760 5408" ;;
        virt) budgets="7856 13264 16432 18416 6160" ;;
    esac
}

# Builds the example in Rust for $target.
build_example() {
    library=$out/$target/mcu/libappliance.a
    with_rust /usr/bin/cargo rustc -q -j2 --locked --profile mcu -p appliance --lib --crate-type staticlib --features compact \
        -Z build-std=core --target "$target" || { cat "$out/build.log"; exit 1; }
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

# Prints the greatest stack (bytes) of the tests of a program whose names match.
deepest() { # PATTERN [PROGRAM]
    awk -v pattern="$1" '$2 ~ pattern && $4 > most { most = $4 } END { print most + 0 }' "${2:-$out/$board}.log"
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
    flash_budgets $name
    echo "$board ($target)"
    build $features
    check_needs
    check_panics
    link "$out/$board" firmware.c board.c $start $board.c
    emulate "$out/$board"
    set -- $budgets $stack_budgets
    row "open, derive" "$1" "$6" $(measure $open_derive) "$(deepest '_token$|deriv')"
    row "get a value in slices" "$2" "$7" $(measure $slices) "$(deepest '_slices_')"
    row "open, derive, seal, get a value" "$3" "$8" $(measure $everything) "$(deepest '_token$|deriv|key|seals|value')"
    row "and open whole configs" "$4" "$9" $(measure $whole_configs) "$(deepest .)"
    times="$times
| $target | $(awk '$2 ~ /^derives/ { print $6 }' "$out/$board.log") |"

    build_example
    link "$out/$board-rust" board.c $start $board.c
    emulate "$out/$board-rust"

    build $features,small-aes
    link "$out/$board-small" firmware.c board.c $start $board.c
    emulate "$out/$board-small"
    row "open, derive, with small-aes" "$5" "${10}" $(measure $open_derive) "$(deepest '_token$|deriv' "$out/$board-small")"
done

# Other combinations of features build too, and `simd` has no effect on targets without back ends.
for target in thumbv7m-none-eabi thumbv8m.main-none-eabi; do
    build $features,fast,fernseal-core/simd
    echo "$target builds"
done

printf '\n%s\n\n%s\n' "$sizes" "$times" | tee "$out/tables.md"
exit $failed
