#!/usr/bin/env python3
"""Checks that the library and the command leave no key and no secret in memory.

    tests/setup.sh tools c && tests/wiping/run.py          about a minute

stack.c runs each C function on its own stack and searches that stack. gdb stops the command at its end, and the script
searches all of its memory. No eight bytes of a master key, its text, a derived key or a secret may occur there. The kernel
keeps the environment and the arguments of a process in its memory, so the key comes from a file. CPU registers are not
wiped: the script reports what the last computation left in them. It also searches a command that is stopped while it works,
and must find the secret there; otherwise the search does not work."""

import base64
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OUT = ROOT / "target/wiping"
KEY = "ObZIJcp620H6InDDQzNIhnX3zy4kQiYySE7Rwe4vans="
NEW = "kJ8xW2v0Qm5rT7yZcN1pLsD4gHfB6aKeUiVoXtRwYqE="
SECRET = "Zq8-tW3x_kLm05RvYb71-hGd4"
WINDOW = 8


def quietly(*command, **more):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, **more)


def secrets_of(config):
    """Returns the bytes that must not occur, by name."""
    found = {"the secret": SECRET.encode(), "the key's text": KEY.encode(), "the master key": base64.urlsafe_b64decode(KEY),
             "the new key's text": NEW.encode(), "the new master key": base64.urlsafe_b64decode(NEW)}
    for part in config.read_text().split('"'):
        if part.startswith("enc:"):
            salt = base64.urlsafe_b64decode(part.split(":")[1])
            found["a derived key"] = hashlib.pbkdf2_hmac("sha256", base64.urlsafe_b64decode(KEY), salt, 100_000)
    return found


def left_in(memory, secrets):
    windows = lambda secret: (secret[at:at + WINDOW] for at in range(len(secret) - WINDOW + 1))
    return [name for name, secret in secrets.items() if any(window in memory for window in windows(secret))]


def memory_of(command, stop, folder, given=b"", code=0):
    """Returns all memory of the command where it stops. If it is to end, its exit code is checked."""
    core = folder / "core"
    core.unlink(missing_ok=True)
    (folder / "stdin").write_bytes(given)
    script = [f"catch syscall {stop}", f"run {' '.join(command[1:])} < {folder}/stdin > {folder}/stdout 2> {folder}/stderr",
              f"generate-core-file {core}", "kill"]
    gdb = ["gdb", "-q", "-batch", "-nx", *(word for line in script for word in ("-ex", line)), str(command[0])]
    done = subprocess.run([str(word) for word in gdb], cwd=folder, capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"], "HOME": str(folder), "SHELL": "/bin/sh"})
    if not core.exists() or (stop == "exit_group" and f"status=status@entry={code})" not in done.stdout):
        sys.exit(f"{command} did not stop where it should:\n{done.stdout}{done.stderr}\n{(folder / 'stderr').read_text()}")
    return parts_of(core.read_bytes())


def parts_of(core):
    """Returns the memory and the registers of a core file (ELF64: PT_LOAD and PT_NOTE)."""
    table, = struct.unpack_from("<Q", core, 32)
    size, count = struct.unpack_from("<HH", core, 54)
    parts = {1: b"", 4: b""}
    for at in range(table, table + size * count, size):
        kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", core, at)
        if kind in parts:
            parts[kind] += core[offset:offset + length]
    return parts[1], parts[4]


def main():
    for program in ("gdb", "gcc"):
        if not shutil.which(program):
            sys.exit(f"no {program}: run tests/setup.sh tools c")
    failed = False
    OUT.mkdir(parents=True, exist_ok=True)
    # The release build.
    quietly("cargo", "rustc", "--release", "--locked", "-q", "-p", "fernseal-ffi", "--lib", "--crate-type", "staticlib", cwd=ROOT)
    quietly("cargo", "build", "--release", "--locked", "-q", "-p", "fernseal", cwd=ROOT)
    release = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    quietly("gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include",
            ROOT / "tests/wiping/stack.c", release / "libfernseal.a", "-lpthread", "-ldl", "-lm", "-o", OUT / "stack")
    stack = subprocess.run([OUT / "stack"], capture_output=True, text=True)
    print(stack.stdout, end="")
    failed |= stack.returncode != 0
    if subprocess.run([OUT / "stack", "--leave"], capture_output=True).returncode != 1:
        print("FAIL a copy that was left on purpose was not noticed")
        failed = True

    fernseal = release / "fernseal"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # The secret contains an escape, so that an unescaped copy of it exists.
        plain = '{"auth": {"token_value": "%s\\n"}, "port": 8006}\n' % SECRET
        for file, text in (("key", KEY), ("new", NEW), ("plain.json", plain)):
            (folder / file).write_text(text)
            (folder / file).chmod(0o600)
        environment = {"PATH": os.environ["PATH"], "HOME": name}
        quietly(fernseal, "encrypt", "plain.json", "-o", "sealed.json", "--key-file", "key", cwd=folder, env=environment)
        secrets = secrets_of(folder / "sealed.json")
        (folder / "configs").mkdir()
        commands = [
            (["get", "sealed.json", "/auth/token_value"], b""),
            (["decrypt", "sealed.json"], b""),
            (["verify", "sealed.json"], b""),
            (["encrypt", "plain.json", "-o", "again.json"], b""),
            (["set", "again.json", "/port"], SECRET.encode() + b"\n"),
            (["rotate", "configs", "--new-key-file", "new"], b""),
            # The key does not fit. The failure must leave nothing either.
            (["get", "sealed.json", "/auth/token_value", "--key-file", "new"], b""),
        ]
        for arguments, given in commands:
            shutil.copy(folder / "sealed.json", folder / "configs/sealed.json")
            key = [] if "--key-file" in arguments else ["--key-file", "key"]
            memory, registers = memory_of([fernseal, *arguments, *key], "exit_group", folder, given, 4 if "new" in arguments[-1:] and arguments[0] == "get" else 0)
            left = left_in(memory, secrets)
            failed |= bool(left)
            said = f"leaves {', '.join(left) or 'nothing'} in {len(memory) >> 10} KiB of memory"
            said += ", {} in registers".format(", ".join(left_in(registers, secrets)) or "nothing")
            print(f"{'FAIL ' if left else ''}fernseal {arguments[0]} {said}")
        # While it writes the secret, the secret is in its memory.
        busy = left_in(memory_of([fernseal, "get", "sealed.json", "/auth/token_value", "--key-file", "key"], "write", folder)[0], secrets)
        print(f"while it works: {', '.join(busy) or 'FAIL: nothing is found'}")
        failed |= "the secret" not in busy
    sys.exit(failed)


if __name__ == "__main__":
    main()
