#!/usr/bin/env python3
"""Runs every two of the commands that write against each other, and looks whether anything is lost without an error.

    tests/races/races.py [PAIRS [COMMAND COMMAND]]

For each two commands PAIRS times (30, if it is not said): both are started at once on one config, the second a random time of
up to the first one's duration later. A command that ended with 0 must have done what it says, whatever the other did; a
command that ended otherwise must have changed nothing. `renamer` and `rewriter` stand for editors, which take no lock: they
read the config and save it with one member changed, one under another name that it then renames, one in place. The model:

- `set`, `encrypt`, `edit` each write a value that no other command writes. After exit 0 it is in the config, sealed, unless a
  `rollback` ended with 0 too: then it is there, or in the state before the rotation, and never in plain text again.
- `rotate` goes to a new key, `rollback` back to the old one. At the end every token opens with one of the keys that exist,
  all of them with the same.
- `prune` removes backups: after exit 0 of `rollback` the config opens with the old key all the same.
- `decrypt` writes the whole config elsewhere, with --force: what is there is one state of the config, whole.
- The save of an editor is what is there, or what was made of it: its member is never as before.
- A member that no command touches stays as it was, and no lock and no temporary file is left.

FERNSEAL names the command (target/release/fernseal otherwise). Exit code 1 if anything was lost.
"""
import collections
import concurrent.futures
import itertools
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve()
FERNSEAL = os.environ.get("FERNSEAL", str(HERE.parents[2] / "target/release/fernseal"))
OLD_KEY = "4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8="
NEW_KEY = "bLEDgzUxSiXMMKxMPSR4h9Gzhvbs_yFlqvsM9HsYdtU="
PLAIN = {"auth": {"token_value": "kept"}, "set": "plain-set", "encrypt": "plain-encrypt", "edit": "plain-edit", "free": "free"}
THIRD_KEY = "ObZIJcp620H6InDDQzNIhnX3zy4kQiYySE7Rwe4vans="
KEYS = {"old": OLD_KEY, "new": NEW_KEY, "third": THIRD_KEY}

# The value that each command writes to its own member, after exit code 0.
WRITES = {"set": "value-set", "encrypt": "plain-encrypt", "edit": "value-edit"}
COMMANDS = ["set", "encrypt", "edit", "rotate", "rollback", "prune", "decrypt"]
EDITORS = {
    "renamer": "import os,sys; t=open('tree/c.json').read().replace('\"free\": \"free\"', '\"free\": \"saved\"');"
               "open('tree/c~','w').write(t); os.rename('tree/c~','tree/c.json')",
    "rewriter": "import os,sys; t=open('tree/c.json').read().replace('\"free\": \"free\"', '\"free\": \"saved\"');"
                "open('tree/c.json','w').write(t)",
}
# The key after a rotation, by the key before it.
NEXT_KEY = {"old": "new", "new": "third"}


def command(name, key):
    """Returns the command line and its stdin. `key` names the key of the config at the start."""
    if name in EDITORS:
        return [sys.executable, "-S", "-c", EDITORS[name]], b""
    base = {
        "set": ["set", "tree/c.json", "/set"],
        "encrypt": ["encrypt", "--in-place", "tree/c.json", "--field", "/encrypt"],
        "edit": ["edit", "tree/c.json", "--field", "/edit"],
        "rotate": ["rotate", "tree", "--new-key-file", NEXT_KEY[key]],
        "rollback": ["rotate", "--rollback", "tree"],
        "prune": ["backups", "prune", "--yes", "tree"],
        "decrypt": ["decrypt", "tree/c.json", "-o", "out.json", "--force"],
    }[name]
    used = "old" if name == "rollback" else key
    return [FERNSEAL, *base, "--lock-wait", "60", "--key-file", used], b"value-set" if name == "set" else b""


def environment(root):
    return {"HOME": f"{root}/home", "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": "/dev/shm",
            "EDITOR": "sed -i s/plain-edit/value-edit/"}


def run(root, *arguments, key="old"):
    return subprocess.run([FERNSEAL, *arguments, "--key-file", key], cwd=root, env=environment(root), capture_output=True)


def template(scratch, needs_backup):
    """Makes a folder with the config: sealed with the old key, or rotated to the new one."""
    root = pathlib.Path(scratch, "rotated" if needs_backup else "fresh")
    (root / "tree").mkdir(parents=True)
    (root / "home").mkdir()
    for name, key in KEYS.items():
        (root / name).write_text(key + "\n")
        (root / name).chmod(0o600)
    (root / "tree/c.json").write_text(json.dumps(PLAIN, indent=1))
    (root / "out.json").write_text("{}")
    assert run(root, "encrypt", "-q", "--in-place", "tree/c.json").returncode == 0
    if needs_backup:
        done = run(root, "rotate", "-q", "tree", "--new-key-file", "new")
        assert done.returncode == 0, done
        time.sleep(1)  # the next backup is of another second
    return root


def opened(root, name="tree/c.json"):
    """Returns the opened config and the key that opens it, or None if no key does."""
    for key in KEYS:
        done = run(root, "decrypt", name, key=key)
        if done.returncode == 0:
            return json.loads(done.stdout), key
    return None, None


def wrong(root, names, ends, key):
    """Yields what was lost without an error."""
    sealed = json.loads((root / "tree/c.json").read_text())
    plain, now = opened(root)
    if plain is None:
        yield "the config opens with no key that exists"
        return
    done = {name.rstrip("2") for name, (code, _) in ends.items() if code == 0}
    has_editor = set(names) & set(EDITORS)
    if plain["auth"] != PLAIN["auth"] or plain["free"] != ("saved" if has_editor else "free"):
        yield f"what no command touches is {plain}"
    if has_editor:
        # An editor saves what it read before a command wrote. That is not the command's fault.
        done -= set(WRITES) | {"rotate", "rollback"}
        if now not in (key, NEXT_KEY[key], "old"):
            yield f"the config is under the {now} key"
    for name, value in WRITES.items():
        is_done = name in done
        is_sealed = sealed[name].startswith("enc:")
        if is_done and (plain[name] != value or not is_sealed):
            yield f"{name} ended with 0, and its value is {plain[name]!r}, sealed: {is_sealed}"
        if not is_done and not has_editor and plain[name] != PLAIN[name]:
            yield f"{name} did not end with 0, and its value is {plain[name]!r}"
    moved = done & {"rotate", "rollback"}
    if moved == {"rotate"} and now != NEXT_KEY[key] or moved == {"rollback"} and now != "old":
        yield f"{moved} ended with 0, and the config is under the {now} key"
    if not moved and not has_editor and now != key:
        yield f"nothing moved it, and the config is under the {now} key"
    if "rotate" in done and "prune" not in names and not list((root / "tree").glob("*.backup.*")):
        yield "rotate ended with 0, and there is no backup"
    if "decrypt" in done:
        out = json.loads((root / "out.json").read_text())
        states = [PLAIN[name] if name not in names else (PLAIN[name], value) for name, value in WRITES.items()]
        if any(out[name] not in state for name, state in zip(WRITES, states)) or out["auth"] != PLAIN["auth"]:
            yield f"decrypt ended with 0, and wrote {out}"
    elif json.loads((root / "out.json").read_text()) != {} and "decrypt" not in names:
        yield "out.json was written by nobody"
    left = [path.name for path in root.rglob(".*") if path.name != ".proxmox_mcp_key"]
    if left:
        yield f"left: {left}"
    for name, (code, said) in ends.items():
        # Exit code 6: an editor that saves in place has emptied the file and not yet written it.
        if code not in (0, 1, 4, 7, 8) and not (code == 6 and "rewriter" in names):
            yield f"{name} ended with {code}: {said}"


def race(job):
    """Runs one pair. Returns what was wrong, and how the two ended."""
    source, first, second, delay = job
    with tempfile.TemporaryDirectory(prefix="race-", dir=source.parent) as place:
        root = pathlib.Path(place, "root")
        shutil.copytree(source, root)
        key = "new" if source.name == "rotated" else "old"
        running = []
        for name in (first, second):
            arguments, stdin = command(name, key)
            process = subprocess.Popen(arguments, cwd=root, env=environment(root), stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            process.stdin.write(stdin)
            process.stdin.close()
            running.append((name, process))
            if len(running) == 1:
                time.sleep(delay)
        ends = {}
        for at, (name, process) in enumerate(running):
            said = process.stdout.read().decode(errors="replace")
            ends[name if name not in ends else name + "2"] = (process.wait(), said)
        return list(wrong(root, (first, second), ends, key)), tuple(code for code, _ in ends.values()), ends


def duration(source, name):
    """Returns how many seconds a command takes alone."""
    with tempfile.TemporaryDirectory(prefix="alone-", dir=source.parent) as place:
        root = pathlib.Path(place, "root")
        shutil.copytree(source, root)
        arguments, stdin = command(name, "new" if source.name == "rotated" else "old")
        begun = time.monotonic()
        done = subprocess.run(arguments, cwd=root, env=environment(root), input=stdin, capture_output=True)
        assert done.returncode == 0, done
        return time.monotonic() - begun


def main():
    pairs = int(sys.argv[1]) if sys.argv[1:] else 30
    only = set(sys.argv[2:4])
    lost, ended = 0, collections.Counter()
    with tempfile.TemporaryDirectory(prefix="fernseal-races-") as scratch:
        sources = {needs: template(scratch, needs) for needs in (False, True)}
        workers = concurrent.futures.ThreadPoolExecutor(int(os.environ.get("RACES_AT_ONCE", "2")))
        with_editors = itertools.product(EDITORS, COMMANDS)
        for first, second in itertools.chain(itertools.combinations_with_replacement(COMMANDS, 2), with_editors):
            if only and {first, second} != only:
                continue
            # Backups and a rollback exist only after a rotation.
            source = sources[bool({first, second} & {"rollback", "prune"})]
            limit = max(duration(source, first), duration(source, second))
            jobs = [(source, *random.sample((first, second), 2), random.uniform(0, limit)) for _ in range(pairs)]
            ends, failed = collections.Counter(), 0
            for faults, codes, said in workers.map(race, jobs):
                ends[" and ".join(map(str, sorted(codes)))] += 1
                failed += bool(faults)
                for fault in faults:
                    print(f"LOST: {first} and {second}: {fault}\n  {said}", flush=True)
            lost += failed
            ended.update(ends)
            print(f"{first} and {second}: {pairs} pairs, lost: {failed}; ended with {dict(ends.most_common())}", flush=True)
    print(f"{ended.total()} pairs, lost: {lost}")
    sys.exit(lost > 0)


if __name__ == "__main__":
    main()
