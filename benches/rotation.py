#!/usr/bin/env python3
"""Measures rotations of many files, compares them with the original's arithmetic, and writes results/rotation.md.

    cargo build --release -p fernseal && target/venv/bin/python benches/rotation.py

Our figure is the time of the command, which finds, opens, checks, backs up, replaces and syncs the files on all cores. The
original's figure is the time of its arithmetic only: six derivations for each file with Python's cryptography, without
any file access. For more than 10 files it is calculated from the time of 10.
"""
import base64
import json
import os
import pathlib
import re
import select
import subprocess
import tempfile
import time

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

ROOT = pathlib.Path(__file__).resolve().parents[1]
FERNSEAL = str(ROOT / "target/release/fernseal")
KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()


def tokens(count, work, env):
    """Returns `count` tokens, each with its own salt. Seals a thousand at a time."""
    found = []
    while len(found) < count:
        names = [f"s{at}" for at in range(min(1000, count - len(found)))]
        path = work / "many.json"
        path.write_text(json.dumps({name: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee" for name in names}))
        subprocess.run([FERNSEAL, "encrypt", "-q", "--in-place", path, *(f"--field=/{name}" for name in names)],
                       check=True, env=env)
        found += json.loads(path.read_text()).values()
        path.unlink()
    return found


def peak(child):
    """Returns the peak memory of the child in KiB, or 0 if it has ended. `wait4` is not used: its peak includes Python's memory before exec."""
    used = re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{child.pid}/status").read_text())
    return int(used[1]) if used else 0


def ours(count, place):
    """Returns the seconds and the peak memory of a rotation in a new folder in `place`."""
    work = pathlib.Path(tempfile.mkdtemp(dir=place))
    env = {"HOME": str(work), "PATH": os.environ["PATH"], "PROXMOX_MCP_MASTER_KEY": KEY}
    tree = work / "tree"
    tree.mkdir()
    for at, token in enumerate(tokens(count, work, env)):
        (tree / f"{at:05}.json").write_text(json.dumps({"auth": {"user": "root@pam", "token_value": token}}))
    os.sync()
    start, kilobytes = time.perf_counter(), 0
    child = subprocess.Popen([FERNSEAL, "rotate", "-q", tree], env=env, stdout=subprocess.DEVNULL)
    ended = os.pidfd_open(child.pid)
    while not select.select([ended], [], [], 0.005)[0]:
        kilobytes = max(kilobytes, peak(child))
    seconds = time.perf_counter() - start
    os.close(ended)
    assert child.wait() == 0
    return seconds, kilobytes


def original(count):
    measured = min(count, 10)
    start = time.perf_counter()
    for _ in range(6 * measured):
        PBKDF2HMAC(SHA256(), 32, os.urandom(16), 100_000).derive(bytes(32))
    return (time.perf_counter() - start) * count / measured


table = "| files | fernseal rotate | per file | peak memory | the original's arithmetic | ratio |\n|---|---|---|---|---|---|\n"
# Nothing is removed before the end, because ext4 checks recently deleted files when it creates a new one.
with tempfile.TemporaryDirectory(dir=ROOT / "target") as place:
    for count in (1, 10, 100, 1_000, 10_000):
        (seconds, kilobytes), theirs = ours(count, place), original(count)
        table += (f"| {count} | {seconds:.3f} s | {seconds / count * 1e3:.1f} ms | {kilobytes / 1024:.1f} MiB "
                  f"| {theirs:.2f} s | {theirs / seconds:.0f} |\n")
table += f"\n{os.cpu_count()} cores.\n"
print(table)
(ROOT / "benches/results/rotation.md").write_text(table)
