# shellcheck shell=sh disable=SC2086,SC2034 # lists of words; what a caller reads
# For scripts that source it: the three emulated boards, and how a program with libfernseal.a is built, measured and run on
# them. The script must be in this folder. $root is the workspace; products go to $out.
#
# It builds Rust's library `core` from source with the compiler of the same version, both from Debian. RUSTC_BOOTSTRAP allows
# this with a stable compiler; it is set nowhere else. ffi/mcu.sh builds the same library with a compiler from rustup.
root=$(cd ../.. && pwd)
out=$root/target/mcu
mkdir -p "$out"
failed=0

complain() { echo "FAIL $*"; failed=1; }

# Sets the target, start-up file, compiler and emulator of a board.
board() { # NAME
    board=$1
    case $board in
        microbit)
            target=thumbv6m-none-eabi
            start=cortex-m.c tools=arm-none-eabi- machine="-mcpu=cortex-m0 -mthumb"
            emulator="qemu-system-arm -M microbit" ;;
        mps2-an386)
            target=thumbv7em-none-eabi
            start=cortex-m.c tools=arm-none-eabi- machine="-mcpu=cortex-m4 -mthumb"
            emulator="qemu-system-arm -M mps2-an386" ;;
        virt)
            target=riscv32imac-unknown-none-elf
            start=riscv.c tools=riscv64-unknown-elf- machine="-march=rv32imac_zicsr -mabi=ilp32"
            emulator="qemu-system-riscv32 -M virt -bios none" ;;
    esac
}

# Runs a command with Debian's Rust, in the folder of its own for products.
with_rust() {
    (cd "$root" && RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$out" CARGO=/usr/bin/cargo \
        CARGOFLAGS="-q -j2 -Z build-std=core" "$@") >"$out/build.log" 2>&1
}

# Builds the library for $target with the command that users have.
build() { # FEATURES
    library=$out/$target-lib/libfernseal.a
    FEATURES=$1 with_rust ffi/mcu.sh "$target" "$out/$target-lib" || { cat "$out/build.log"; exit 1; }
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

# Prints the flash and RAM (bytes) that the named functions take, without a program and its start-up code.
measure() { # FUNCTION…
    roots=
    for function; do roots="$roots -Wl,-u,fernseal_$function"; done
    link "$out/$board-size" -Wl,-e,0 $roots
    "${tools}size" "$out/$board-size" | awk 'NR == 2 { print $1 + $2, $2 + $3 }'
}
