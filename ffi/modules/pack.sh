#!/bin/sh
# Packs the modules that contain the library itself: for the Arduino IDE and PlatformIO, and for ESP-IDF.
#   ffi/modules/pack.sh build/modules                    for all chips: eight builds, which take some minutes
#   ffi/modules/pack.sh build/modules cortex-m4 esp32c3  for these
# CARGO, CARGOFLAGS as for ffi/mcu.sh
set -eu
[ $# -gt 0 ] || { sed -n '3,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")"

# The folders of Arduino are named by build.mcu of the board, below which are those of a hard float ABI by its options.
chips="
cortex-m0                        thumbv6m-none-eabi
cortex-m0plus                    thumbv6m-none-eabi
cortex-m3                        thumbv7m-none-eabi
cortex-m4                        thumbv7em-none-eabi
cortex-m4/fpv4-sp-d16-hard       thumbv7em-none-eabihf
cortex-m7                        thumbv7em-none-eabi
cortex-m7/fpv5-d16-hard          thumbv7em-none-eabihf
cortex-m33                       thumbv8m.main-none-eabi
cortex-m33/fpv5-sp-d16-hard      thumbv8m.main-none-eabihf
esp32c2                          riscv32imc-unknown-none-elf
esp32c3                          riscv32imc-unknown-none-elf
esp32c5                          riscv32imac-unknown-none-elf
esp32c6                          riscv32imac-unknown-none-elf
esp32c61                         riscv32imac-unknown-none-elf
esp32h2                          riscv32imac-unknown-none-elf
esp32p4                          riscv32imafc-unknown-none-elf
"

arduino=$out/Fernseal
component=$out/fernseal-esp-idf/fernseal
rm -rf "$arduino" "$out/fernseal-esp-idf"
mkdir -p "$component/include" "$out/work"
cp -r arduino "$arduino"
cp ../../include/fernseal.h "$arduino/src"
cp esp-idf/fernseal/* "$component"
cp ../../include/fernseal.h "$component/include"
cp ../../LICENSE "$arduino"
cp ../../LICENSE "$component"

printf '%s\n' "$chips" | while read -r chip target; do
    [ -n "$chip" ] || continue
    case " ${*:-${chip%%/*}} " in *" ${chip%%/*} "*) ;; *) continue ;; esac
    ../mcu.sh "$target" "$out/work/$target" >/dev/null
    mkdir -p "$arduino/src/$chip"
    cp "$out/work/$target/libfernseal.a" "$arduino/src/$chip"
    case $chip in esp32*)
        mkdir -p "$component/lib/$chip"
        cp "$out/work/$target/libfernseal.a" "$component/lib/$chip" ;;
    esac
done
rm -rf "$out/work"
echo "$arduino"
echo "$component"
