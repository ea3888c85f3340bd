#!/bin/sh
# Tests ffi/modules: links a program with the plain CMake file, the Zephyr module and the ESP-IDF component, for a
# Cortex-M0 and a RISC-V chip, and runs it in QEMU. CMake is the real one; the functions of Zephyr and ESP-IDF are
# stand-ins (CMakeLists.txt). The packed library for Arduino and PlatformIO goes through PlatformIO's own check, the
# manifest of the component through Espressif's. Takes two minutes.
#   tests/setup.sh c mcu pio && tests/modules/run.sh
set -eu
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
work=$root/target/modules
fail() { echo "FAIL $*" >&2; exit 1; }
pass() { echo "PASS $*"; }

for tool in cmake arm-none-eabi-gcc riscv64-unknown-elf-gcc qemu-system-arm qemu-system-riscv32; do
    command -v $tool >/dev/null || { echo "SKIPPED: no $tool: run tests/setup.sh c mcu"; exit 0; }
done
[ -x "$root/target/pio/bin/pio" ] || { echo "SKIPPED: no pio: run tests/setup.sh pio"; exit 0; }
rm -rf "$work"
mkdir -p "$work/bin"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)

# Debian's Rust, as tests/firmware/run.sh uses it, and in the same folder.
export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$root/target/mcu" CARGO=/usr/bin/cargo CARGOFLAGS="-q -j2 -Z build-std=core"
unset RUSTFLAGS

build() { # NAME OPTION…
    name=$1
    shift
    { cmake -S . -B "$work/$name" -DCMAKE_SYSTEM_NAME=Generic -DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY "$@" &&
        cmake --build "$work/$name"; } >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$name"; }
}
opens() { # NAME EMULATOR…
    name=$1
    shift
    said=$(timeout 300 "$@" -kernel "$work/$name/app" -semihosting-config enable=on,target=native -nographic -monitor none \
        -serial none 2>&1) || true
    [ "$said" = PASS ] || fail "$name said: $said"
    pass "$name opens a config"
}
arm="-DCMAKE_C_COMPILER=arm-none-eabi-gcc -DBOARD=microbit"
riscv="-DCMAKE_C_COMPILER=riscv64-unknown-elf-gcc -DBOARD=virt"
microbit="qemu-system-arm -M microbit"
virt="qemu-system-riscv32 -M virt -bios none"

# fernseal.cmake builds the library by ExternalProject_Add. A second build does not link again.
# shellcheck disable=SC2086 # lists of words
{
    build plain $arm -DSYSTEM=plain
    opens plain $microbit
    touch "$work/before"
    cmake --build "$work/plain" >"$work/log" 2>&1 || fail "the second build"
    [ -z "$(find "$work/plain/app" -newer "$work/before")" ] || fail "an unchanged library is linked again"

    build zephyr-prebuilt $arm -DSYSTEM=zephyr -DCONFIG_FERNSEAL=y -DCONFIG_CPU_CORTEX_M0=y \
        -DCONFIG_FERNSEAL_PREBUILT="$work/plain/fernseal/libfernseal.a"
    opens zephyr-prebuilt $microbit
    build zephyr $riscv -DSYSTEM=zephyr -DCONFIG_FERNSEAL=y -DCONFIG_RISCV=y -DCONFIG_RISCV_ISA_EXT_M=y \
        -DCONFIG_RISCV_ISA_EXT_A=y -DCONFIG_RISCV_ISA_EXT_C=y
    opens zephyr $virt
    # The program contains only what it calls.
    ! riscv64-unknown-elf-nm "$work/zephyr/app" | grep -q fernseal_token_seal || fail "the program contains what it does not call"
    ! cmake -S . -B "$work/unknown" -DCMAKE_SYSTEM_NAME=Generic -DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY $riscv -DSYSTEM=zephyr \
        -DCONFIG_FERNSEAL=y -DCONFIG_RISCV=y -DCONFIG_64BIT=y >"$work/log" 2>&1 || fail "Zephyr takes an unknown CPU"
    grep -q CONFIG_FERNSEAL_PREBUILT "$work/log" || fail "the message for an unknown CPU"

    # Kconfig, as a module of a board with this processor sees it.
    printf 'config CPU_CORTEX_M\n\tdef_bool y\nconfig RISCV\n\tbool\nsource "%s/ffi/modules/zephyr/Kconfig"\n' "$root" >"$work/Kconfig"
    printf 'CONFIG_FERNSEAL=y\nCONFIG_FERNSEAL_FAST=y\n' >"$work/prj.conf"
    "$root/target/pio/bin/python" -W error -c 'import kconfiglib as k, sys
config = k.Kconfig(sys.argv[1], warn_to_stderr=False)
config.load_config(sys.argv[2])
names = ["FERNSEAL", "FERNSEAL_FAST", "FERNSEAL_PREBUILT"]
assert not config.warnings and [config.syms[name].str_value for name in names] == ["y", "y", ""], config.warnings
' "$work/Kconfig" "$work/prj.conf" || fail "Kconfig"

    build esp-idf $riscv -DSYSTEM=esp-idf -DIDF_TARGET=esp32c6
    opens esp-idf $virt
    # (This program has no path to it; others need it after the component's archive was searched.)
    riscv64-unknown-elf-nm "$work/esp-idf/app" | grep -q ' fernseal_panic$' || fail "ESP-IDF links no fernseal_panic"
    "$root/ffi/modules/pack.sh" "$work/packed" cortex-m0plus esp32c6 >"$work/log" 2>&1 || { cat "$work/log" >&2; fail pack.sh; }
    mkdir "$work/packed/esp-idf"
    ln -s ../fernseal-esp-idf/fernseal "$work/packed/esp-idf/fernseal"
    build esp-idf-packed $riscv -DSYSTEM=esp-idf -DIDF_TARGET=esp32c6 -Dmodules="$work/packed" --trace-redirect="$work/trace" \
        --trace-expand
    ! grep -q fernseal.cmake "$work/trace" || fail "the packed component builds the library"
    opens esp-idf-packed $virt
}

# The libraries in the Arduino layout, the versions, and the manifests by the programs that read them.
arduino=$work/packed/Fernseal
cmp "$arduino/src/cortex-m0plus/libfernseal.a" "$work/plain/fernseal/libfernseal.a" || fail "another library in src/cortex-m0plus"
[ "$(cd "$arduino/src" && echo *)" = "cortex-m0plus esp32c6 fernseal.h panic.c" ] || fail "the folders of Arduino"
# Without arguments, all chips are packed. (The stand-in for cargo names a library that is there.)
printf '#!/bin/sh\necho "{\\"filenames\\":[\\"%s\\"]}"\n' "$work/plain/fernseal/libfernseal.a" >"$work/cargo"
chmod +x "$work/cargo"
CARGO=$work/cargo "$root/ffi/modules/pack.sh" "$work/all" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "pack.sh for all chips"; }
[ "$(cd "$work/all/Fernseal/src" && find . -name libfernseal.a | wc -l)" = "$(grep -c -E '^(cortex|esp32).*-(none|unknown)-' "$root/ffi/modules/pack.sh")" ] ||
    fail "pack.sh leaves chips out"
[ -e "$work/all/Fernseal/src/cortex-m4/fpv4-sp-d16-hard/libfernseal.a" ] || fail "no library for the hard float ABI"
for chip in $(sed -n 's/^targets: \[\(.*\)\]/\1/p' "$root/ffi/modules/esp-idf/fernseal/idf_component.yml" | tr -d ,); do
    [ -e "$work/all/fernseal-esp-idf/fernseal/lib/$chip/libfernseal.a" ] || fail "no library for $chip"
done
grep -qx "version=$version" "$arduino/library.properties" || fail "the version of library.properties"
grep -q "\"version\": \"$version\"" "$arduino/library.json" || fail "the version of library.json"
grep -qx "version: \"$version\"" "$work/packed/fernseal-esp-idf/fernseal/idf_component.yml" || fail "the version of idf_component.yml"
for field in name version author maintainer sentence paragraph category url architectures; do
    grep -q "^$field=." "$arduino/library.properties" || fail "library.properties lacks $field"
done
export HOME="$work/home" PLATFORMIO_CORE_DIR="$work/home" IDF_TOOLS_PATH="$work/home" PLATFORMIO_SETTING_ENABLE_TELEMETRY=no
mkdir "$work/home"
# (PlatformIO fetches the list of SPDX licenses; here it gets the two that it needs.)
(cd "$work" && "$root/target/pio/bin/python" -c '
import sys
from platformio.package.manifest import schema
schema.ManifestSchema.load_spdx_licenses = staticmethod(lambda: {"licenses": [{"licenseId": "MIT"}, {"licenseId": "Apache-2.0"}]})
from platformio.__main__ import main
sys.exit(main(["pio", "pkg", "pack", "packed/Fernseal"]))
') >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "pio pkg pack"; }
tar tzf "$work/Fernseal-$version.tar.gz" | grep -qx src/cortex-m0plus/libfernseal.a || fail "pio packs no library"
(cd "$work/packed/fernseal-esp-idf/fernseal" && "$root/target/pio/bin/compote" component pack --name fernseal --dest-dir "$work") \
    >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "compote component pack"; }
tar tzf "$work/fernseal_$version.tgz" | grep -q 'lib/esp32c6/libfernseal.a$' || fail "compote packs no library"

# platformio.py chooses the library of the board, with a stand-in for its environment.
mkdir -p "$arduino/src/cortex-m4/fpv4-sp-d16-hard"
chooses() { # BOARD FLAG FOLDER
    (cd "$arduino" && python3 -c '
import json, os, sys
class Environment:
    def BoardConfig(self): return json.loads(sys.argv[1])
    def get(self, name, default): return [[sys.argv[2]]]
    def Flatten(self, lists): return sum(lists, [])
    def Append(self, LIBPATH, LIBS): print(os.path.relpath(LIBPATH[0], "src"), *LIBS)
exec(open("platformio.py").read(), {"env": Environment(), "Import": lambda name: None})
' "$1" "$2") >"$work/log" 2>&1
    [ "$(cat "$work/log")" = "$3 fernseal" ] || { cat "$work/log"; fail "platformio.py for $1 $2"; }
}
chooses '{"build.mcu": "esp32c6"}' -O2 esp32c6
chooses '{"build.mcu": "samd21g18a", "build.cpu": "cortex-m0plus"}' -O2 cortex-m0plus
chooses '{"build.mcu": "stm32f407", "build.cpu": "cortex-m4"}' -mfloat-abi=hard cortex-m4/fpv4-sp-d16-hard
(chooses '{"build.mcu": "esp32"}' -O2 "" >/dev/null 2>&1) && fail "platformio.py takes an unknown chip"
grep -q "no library for esp32: " "$work/log" || fail "the message for an unknown chip"
pass "the library for Arduino and PlatformIO, the component for ESP-IDF: pio pkg pack, compote component pack"
