#!/usr/bin/env python3
"""Kills `fernseal run` at every system call, and checks that no file of its program remains.

    tests/setup.sh tools && cargo build --release -p fernseal && tests/faults/run.py

A run is traced once. Then it is killed (SIGKILL, by strace's injection) just before each of its system calls, in two ways:
alone, and together with the sweeper, the process that removes the files. Killed alone, nothing may remain after the sweeper
has ended. Killed together, the next run must remove all leftovers. Exit code 1 if anything remains.
"""
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve()
FERNSEAL = os.environ.get("FERNSEAL", str(HERE.parents[2] / "target/release/fernseal"))
KEY = "ObZIJcp620H6InDDQzNIhnX3zy4kQiYySE7Rwe4vans="
WAIT = 20


def environment(memory):
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PROXMOX_MCP_MASTER_KEY": KEY, "XDG_RUNTIME_DIR": memory}


def run(memory, config, before=()):
    words = [*before, FERNSEAL, "run", config, "--config-env", "C", "--file", "T=/auth/token_value", "--", "sh", "-c",
             'cat "$C" "$T" >/dev/null']
    return subprocess.run(words, env=environment(memory), stdin=subprocess.DEVNULL, capture_output=True, text=True)


def sweepers(memory):
    """Returns the sweepers of a folder in `memory`."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if line.startswith(b"fernseal\0sweep\0") and memory.encode() in line:
            found.append(int(process.name))
    return found


def wait_until(holds):
    deadline = time.monotonic() + WAIT
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def files(memory):
    # os.walk, because pathlib fails if a folder disappears meanwhile.
    return [os.path.relpath(f"{folder}/{name}", memory) for folder, folders, names in os.walk(memory) for name in folders + names]


def kill_alone(name, number, config, memory):
    """Kills a run while its sweeper continues. Returns what is wrong then, and what is left for the next run."""
    run(memory, config, ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={name}", "-e",
                         f"inject={name}:signal=KILL:when={number}"])
    # A folder without a file may remain if the sweeper had not started yet.
    if not wait_until(lambda: not any("/" in path for path in files(memory)) and not sweepers(memory)):
        return f"a file is left: {files(memory)}", False
    return None, bool(files(memory))


def kill_both(name, number, config, memory):
    """Kills a run and its sweeper. The run is stopped first, so that the sweeper has not begun to remove files."""
    log = f"{memory}.log"
    words = ["strace", "-D", "-qq", "-o", log, "-e", f"trace={name}", "-e", f"inject={name}:signal=STOP:when={number}",
             FERNSEAL, "run", config, "--config-env", "C", "--file", "T=/auth/token_value", "--", "true"]
    child = subprocess.Popen(words, env=environment(memory), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    is_stopped = lambda: os.path.exists(log) and "--- stopped by SIGSTOP ---" in open(log).read()
    if not wait_until(is_stopped):
        return "it does not stop", False
    for sweeper in sweepers(memory):
        try:
            os.kill(sweeper, signal.SIGKILL)
        except ProcessLookupError:
            pass
    child.kill()
    child.wait()
    os.unlink(log)
    return (None if wait_until(lambda: not sweepers(memory)) else "a sweeper outlived SIGKILL"), bool(files(memory))


def kill(kind, name, number, config):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        wrong, left = kind(name, number, config, memory)
        if wrong:
            return wrong, left
        done = run(memory, config)
        if done.returncode != 0:
            return f"the next run failed: {done.stderr}", left
        if not wait_until(lambda: not files(memory) and not sweepers(memory)):
            return f"the next run leaves {files(memory)}", left
        return None, left


def main():
    with tempfile.TemporaryDirectory() as work:
        config, log = f"{work}/config.json", f"{work}/trace"
        pathlib.Path(config).write_text(json.dumps({"auth": {"token_value": "the secret"}}))
        subprocess.run([FERNSEAL, "encrypt", "-q", "--in-place", config], env=environment("/dev/shm"), check=True)
        with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
            assert run(memory, config, ["strace", "-qq", "-o", log]).returncode == 0
            wait_until(lambda: not sweepers(memory))
        counts = collections.Counter()
        for line in open(log):
            if "execve(" in line and counts:
                break
            name = re.match(r"(\w+)\(", line)
            if name and name[1] != "exit_group":
                counts[name[1]] += 1
        # The second execve is that of the program.
        counts["execve"] += 1
        points = [(name, number) for name, count in counts.items() for number in range(1, count + 1)]
        cases = [(kind, *point) for point in points for kind in (kill_alone, kill_both)]
        with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", os.cpu_count()))) as pool:
            results = list(pool.map(lambda case: kill(*case, config), cases))
    failed = [(case, what) for case, (what, _) in zip(cases, results) if what]
    for (kind, name, number), what in failed:
        print(f"{kind.__name__} {name} {number}: {what}")
    left = sum(left for _, left in results)
    print(f"{len(points)} system calls, {len(cases)} kills, {left} left something for the next run, {len(failed)} failed")
    return bool(failed or not left)


if __name__ == "__main__":
    sys.exit(main())
