"""Links the libfernseal.a for the board's chip: PlatformIO itself does so for libraries of the Arduino framework only."""

import glob
import os

Import("env")  # noqa: F821

board = env.BoardConfig()  # noqa: F821
names = [name for name in (board.get(key, "") for key in ("build.mcu", "build.cpu")) if name]
paths = [path for path in (os.path.realpath(os.path.join("src", name)) for name in names) if os.path.isdir(path)]
if not paths:
    raise SystemExit(f"Fernseal has no library for {' or '.join(names)}: pack it with ffi/modules/pack.sh")
# A library for the hard float ABI lies in a folder below.
if any("-mfloat-abi=hard" in str(flag) for flag in env.Flatten(env.get("CCFLAGS", []))):  # noqa: F821
    paths = glob.glob(os.path.join(paths[0], "*-hard")) or paths
env.Append(LIBPATH=[paths[0]], LIBS=["fernseal"])  # noqa: F821
