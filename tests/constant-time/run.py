#!/usr/bin/env python3
"""Checks with valgrind that the running time of opening and sealing depends on no secret, in the released C library.

    tests/setup.sh c && tests/constant-time/run.py          about two minutes

constant_time.c marks secrets as undefined. Valgrind then reports each branch and each address that depends on one. ALLOWED
lists the exceptions, with reasons. NEVER names code in which no exception is possible. Each exception must occur, and a
faulty comparison must be reported, which shows that the check can fail.

The script checks four builds: the release, one with AES in software, and two with the code for microcontrollers (compact),
one of them with AES of our own. Valgrind 3.19 supports AES-NI and AVX2, but not the SHA extensions. So the first build uses
AES-NI, and all use portable code for SHA-256. Not checked are SHA-NI, AVX-512 and Arm's instructions, whose time does not depend on the data, and batches (derive_many)."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUT = ROOT / "target/constant-time"
OPERATIONS = ["parse", "derive", "seal", "open", "open_wrong_key", "fernet", "config", "config_open"]
# The flags of each build, and its features besides the default ones.
BUILDS = {
    "release": ("", ""),
    "release, AES in software": ('--cfg aes_backend="soft"', ""),
    "compact, AES in software": ('--cfg aes_backend="soft"', "compact"),
    "compact, small-aes": ("", "compact,small-aes"),
}

# (what may depend on a secret, where: the stack as `function@file < function@file < …`, innermost function first)
ALLOWED = [
    ("whether the MAC is right, told as a whole: that is the answer",
     r"^(find@macros.rs < (fernseal_core::fernet::)?decode|(fernseal_core::fernet::)?open_raw)@fernet.rs"),
    ("the plaintext's padding, once the MAC is right: only who has the key gets there",
     r"^([^<]+ < ){0,4}unpad@lib.rs < fernseal_core::fernet::decrypt@"),
    ("whether an opened secret, a token or a key is UTF-8: all ASCII texts of a length are alike",
     r"^run_utf8_validation@"),
    ("whether an opened secret has characters that JSON must escape, where a whole config is opened",
     r"^([^<]+ < ){0,2}[^<]+@text.rs"),
    ("that a master key is too short to seal with",
     r"^(fernseal_core::token::)?seal_in_place@"),
    ("the plaintext's length, once the MAC is right: where it is moved to, and what is zeroed behind it",
     r"^((?![^<]*@(fernet|token|key).rs)[^<]+ < ){0,8}[^<]+@buffer.rs"),
    ("how long a key is, where its white space and padding are, and whether all else is base64",
     r"^([^<]+ < ){0,12}[^<]+@key.rs"),
    ("whether an opened secret contains a NUL, which C could not read past",
     r"^((?![^<]*@(fernet|token|key|buffer|text|kind).rs)[^<]+ < ){0,4}([^<]*text[^<]*|check_no_nul)@pointer.rs"),
]
# Code in which no exception is possible: the arithmetic, and comparisons that end early.
NEVER = r"decode_6bits|decode_3bytes|encode_6bits|compress|ct_eq|memcmp|bcmp|[^a-z_]eq@|fixslice|soft"


def build(flags, features):
    environment = {**os.environ, "RUSTFLAGS": flags, "CARGO_TARGET_DIR": str(OUT),
                   # The release build with symbols. Symbols do not change the instructions.
                   "CARGO_PROFILE_RELEASE_STRIP": "false", "CARGO_PROFILE_RELEASE_DEBUG": "1"}
    cargo = ["cargo", "rustc", "--release", "--locked", "-q", "-p", "fernseal-ffi", "--lib", "--crate-type", "staticlib",
             "--features", features]
    subprocess.run(cargo, check=True, env=environment, cwd=ROOT)
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include",
                    HERE / "constant_time.c", OUT / "release/libfernseal.a", "-lpthread", "-ldl", "-lm",
                    "-o", OUT / "constant_time"], check=True)


def reports(operation):
    """Returns the stack of each place that valgrind reports, and the exit code of the program."""
    report = OUT / f"{operation}.xml"
    done = subprocess.run(["valgrind", "-q", "--error-limit=no", "--read-inline-info=yes", "--num-callers=40", "--xml=yes",
                           f"--xml-file={report}", OUT / "constant_time", operation], capture_output=True, text=True)
    places = []
    for error in xml.parse(report).getroot().findall("error"):
        if error.findtext("kind") not in ("UninitCondition", "UninitValue"):
            continue
        frames = error.find("stack").findall("frame")
        # Removes generic parameters and hashes, which vary.
        names = [re.sub(r"<.*>|::h[0-9a-f]{16}$", "", frame.findtext("fn") or "?") for frame in frames]
        files = [(frame.findtext("file") or "?").split("/")[-1] for frame in frames]
        lines = [f"{file}:{frame.findtext('line')}" for file, frame in zip(files, frames)]
        places.append((error.findtext("kind"), " < ".join(f"{name}@{file}" for name, file in zip(names, files)), lines))
    return places, done.returncode


def main():
    failed = False
    for name, (flags, features) in BUILDS.items():
        build(flags, features)
        needed = {reason: 0 for reason, _ in ALLOWED}
        print(f"{name}:")
        for operation in OPERATIONS:
            places, code = reports(operation)
            if code != 0:
                print(f"  FAIL {operation}: exit code {code}")
                failed = True
            unknown = 0
            for kind, stack, lines in places:
                reason = next((reason for reason, where in ALLOWED if re.search(where, stack)), None)
                innermost = " < ".join(stack.split(" < ")[:3])
                if reason is None or re.search(NEVER, innermost):
                    unknown += 1
                    failed = True
                    if unknown <= 5:
                        print(f"  FAIL {operation}: {kind} at {', '.join(lines[:6])}\n       {stack[:300]}")
                else:
                    needed[reason] += 1
            print(f"  {operation}: {len(places)} places depend on a secret, {unknown} of them not allowed")
        for reason, count in needed.items():
            if count == 0:
                print(f"  FAIL a rule that nothing needs: {reason}")
                failed = True
        leaks = [stack for _, stack, _ in reports("leaky")[0] if stack.startswith("leaky@")]
        print(f"  leaky: {'reported, as it must be' if leaks else 'FAIL: not reported'}")
        failed = failed or not leaks
    if not failed:
        print("What may depend on a secret:")
        for reason, _ in ALLOWED:
            print(f"  {reason}")
    sys.exit(failed)


main()
