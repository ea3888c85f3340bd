# A toolchain file of CMake for 64-bit Arm with glibc. The sysroot has what ffi/install.sh installed with DESTDIR.
#   cmake -S . -B build -DCMAKE_TOOLCHAIN_FILE=aarch64.cmake -DFERNSEAL_SYSROOT=/srv/sysroot
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
# The C compiler has headers and libc of its own; only what is installed is searched for here.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES FERNSEAL_SYSROOT)
set(CMAKE_FIND_ROOT_PATH "${FERNSEAL_SYSROOT}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
