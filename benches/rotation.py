#!/usr/bin/env python3
"""What a whole rotation costs, by the number of files, beside the original's arithmetic; writes results/rotation.md.

    cargo build --release -p fernseal && target/venv/bin/python benches/rotation.py

Ours is the command itself: files found, opened, checked, backed up, replaced and synced, on all cores. The original's
figure is a re-creation of its arithmetic alone, six derivations a file on Python's cryptography and no file touched;
from 10 files on it is worked out from the measured time of 10.
"""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

ROOT = pathlib.Path(__file__).resolve().parents[1]
FERNSEAL = str(ROOT / "target/release/fernseal")
KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()


def tokens(count, work, env):
    """As many tokens, each with its own salt, sealed a thousand at a time."""
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


def ours(count):
    work = pathlib.Path(tempfile.mkdtemp(dir=ROOT / "target"))
    try:
        env = {"HOME": str(work), "PATH": os.environ["PATH"], "PROXMOX_MCP_MASTER_KEY": KEY}
        tree = work / "tree"
        tree.mkdir()
        for at, token in enumerate(tokens(count, work, env)):
            (tree / f"{at:05}.json").write_text(json.dumps({"auth": {"user": "root@pam", "token_value": token}}))
        start = time.perf_counter()
        child = subprocess.Popen([FERNSEAL, "rotate", "-q", tree], env=env, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        assert status == 0
        return time.perf_counter() - start, usage.ru_maxrss
    finally:
        shutil.rmtree(work)


def original(count):
    measured = min(count, 10)
    start = time.perf_counter()
    for _ in range(6 * measured):
        PBKDF2HMAC(SHA256(), 32, os.urandom(16), 100_000).derive(bytes(32))
    return (time.perf_counter() - start) * count / measured


table = "| files | fernseal rotate | per file | peak memory | the original's arithmetic | ratio |\n|---|---|---|---|---|---|\n"
for count in (1, 10, 100, 1_000, 10_000):
    (seconds, kilobytes), theirs = ours(count), original(count)
    table += (f"| {count} | {seconds:.3f} s | {seconds / count * 1e3:.1f} ms | {kilobytes / 1024:.1f} MiB "
              f"| {theirs:.2f} s | {theirs / seconds:.0f} |\n")
table += f"\n{os.cpu_count()} cores.\n"
print(table)
(ROOT / "benches/results/rotation.md").write_text(table)
