#!/usr/bin/env python3
"""Merges random configs with `fernseal merge`, and compares the result with git's merge of the opened texts.

    tests/merge/merges.py [MERGES [SEED]]

Each merge has a base and two versions of it, in a random format, with secrets and plain values. Each version sets
secrets, seals secrets again without changing them, and changes, adds, removes and moves lines. This program makes the
tokens, not the command, with a few salts. The model:

- If git merges the opened texts without conflicts, so does the command, and its result opens to git's result.
- If git finds conflicts, secrets that only one version has changed are set in all three opened texts, and git merges
  these. The command's result opens to that merge or to git's first one, whichever has fewer conflicts. With conflicts
  the exit code is 1.
- Every token of the result is from one of the three versions. A token that neither version has changed stays. If nobody
  has changed a secret, its token is that of the version that has sealed it again, or of either version if both have.
- There is no plaintext secret on stderr or in the result, and no file is left in the folder.

FERNSEAL names the command; without it, target/release/fernseal is built and used. The exit code is 1 if anything
differs.
"""
import base64
import collections
import concurrent.futures
import functools
import hashlib
import hmac
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve()
VENV = pathlib.Path(os.environ.get("FERNSEAL_VENV", HERE.parents[2] / "target/venv"), "bin/python")
if sys.prefix == sys.base_prefix and VENV.exists():
    os.execv(VENV, [VENV, *sys.argv])

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

FERNSEAL = os.environ.get("FERNSEAL", str(HERE.parents[2] / "target/release/fernseal"))
KEY = "4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8="
SALTS = [bytes([number]) * 16 for number in range(3)]
TOKEN = re.compile(r"enc:[A-Za-z0-9_=:-]+")
NAMES = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]


@functools.lru_cache(maxsize=None)
def derive(salt):
    return hashlib.pbkdf2_hmac("sha256", base64.urlsafe_b64decode(KEY), salt, 100_000)


def sealed(secret, pick):
    """Returns a token of `secret`. The caller records which secret it has."""
    salt, iv = pick.choice(SALTS), pick.randbytes(16)
    key, pad = derive(salt), 16 - len(secret) % 16
    encryptor = Cipher(algorithms.AES(key[16:]), modes.CBC(iv)).encryptor()
    body = encryptor.update(secret.encode() + bytes([pad]) * pad) + encryptor.finalize()
    signed = b"\x80" + pick.randrange(1_600_000_000, 1_700_000_000).to_bytes(8, "big") + iv + body
    fernet = base64.urlsafe_b64encode(signed + hmac.digest(key[:16], signed, "sha256"))
    return f"enc:{base64.urlsafe_b64encode(salt).decode()}:{base64.urlsafe_b64encode(fernet).decode()}"


class Version:
    """A config: a list of members (section, name, value, is_secret), and its comments."""

    def __init__(self, members, notes):
        self.members, self.notes = members, notes

    def copy(self):
        return Version([list(member) for member in self.members], dict(self.notes))


def write(kind, version):
    """Returns the text of a version."""
    value = [(name, said) for name, said, _ in version.members]
    note = lambda name, mark: f"{mark} {version.notes[name]}\n" if version.notes.get(name) else ""
    if kind == "json":
        return "{\n" + ",\n".join(f'  "{name}": "{said}"' for name, said in value) + "\n}\n"
    if kind == "one-line":
        return "{" + ", ".join(f'"{name}": "{said}"' for name, said in value) + "}\n"
    if kind == "yaml":
        return "top:\n" + "".join(f"{note(name, '  #')}  {name}: {said}\n" for name, said in value)
    if kind == "toml":
        return "[top]\n" + "".join(f'{note(name, "#")}{name} = "{said}"\n' for name, said in value)
    if kind == "env":
        return "".join(f"{note(name, '#')}{name.upper()}={said}\n" for name, said in value)
    if kind == "list":
        return '{"list": [\n' + ",\n".join(f'"{said}"' for _, said in value) + "\n]}\n"
    return "".join(f"{note(name, '#')}set ${name} '{said}';\n" for name, said in value)


FILES = {"json": "c.json", "one-line": "c.json", "yaml": "c.yaml", "toml": "c.toml", "env": ".env", "list": "l.json",
         "text": "site.snippet"}


def changed(version, pick, opened):
    """Returns another version of a config."""
    new = version.copy()

    def secret():
        plain = f"secret{pick.randrange(10**6):06}"
        token = sealed(plain, pick)
        opened[token] = plain
        return token

    rotates = pick.random() < 0.2
    for member in new.members:
        if member[2] and (rotates or pick.random() < 0.15):
            plain = opened[member[1]]
            member[1] = sealed(plain, pick)
            opened[member[1]] = plain
        if pick.random() < 0.2:
            member[1] = secret() if member[2] else f"plain{pick.randrange(100)}"
        if pick.random() < 0.08:
            new.notes[member[0]] = f"note {pick.randrange(100)}"
    if pick.random() < 0.15 and len(new.members) > 1:
        del new.members[pick.randrange(len(new.members))]
    if pick.random() < 0.15:
        name = f"new{pick.randrange(1000)}"
        is_secret = pick.random() < 0.6
        at = pick.randrange(len(new.members) + 1)
        new.members.insert(at, [name, secret() if is_secret else f"plain{pick.randrange(100)}", is_secret])
    if pick.random() < 0.05:
        new.members.append(new.members.pop(0))
    return new


def git_merge(folder, texts):
    """Returns git's merge of three texts, and its number of conflicts."""
    for name, text in zip("bot", texts):
        pathlib.Path(folder, name).write_text(text)
    command = ["git", "merge-file", "-p", "-q", "-L", "ours", "-L", "base", "-L", "theirs", "o", "b", "t"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.stdout, done.returncode


def settled(kind, versions, opened):
    """Returns copies of the versions in which secrets that only one side has changed have the same value."""
    new = [version.copy() for version in versions]
    if kind in ("list", "text"):
        return new
    by_name = [{member[0]: member for member in version.members} for version in new]
    said = lambda member: opened.get(member[1], member[1])
    for name in by_name[0]:
        if not all(name in members for members in by_name) or not by_name[0][name][2]:
            continue
        base, ours, theirs = (members[name] for members in by_name)
        if said(ours) == said(theirs) or said(base) == said(ours) or said(base) == said(theirs):
            value = theirs[1] if said(base) == said(ours) else ours[1]
            for member in (base, ours, theirs):
                member[1] = value
    return new


def one(seed):
    """Runs one merge. Returns the kind of its outcome, and the differences from the model."""
    pick = random.Random(seed)
    kind, opened = pick.choice(list(FILES)), {}
    names = pick.sample(NAMES, pick.randrange(2, len(NAMES)))
    members = []
    for name in names:
        is_secret = pick.random() < 0.6
        value = f"plain{pick.randrange(100)}"
        if is_secret:
            # So few different secrets that two of them are sometimes equal.
            plain = f"secret{pick.randrange(20):06}"
            value = sealed(plain, pick)
            opened[value] = plain
        members.append([name, value, is_secret])
    base = Version(members, {})
    versions = [base, changed(base, pick, opened), changed(base, pick, opened)]
    texts = [write(kind, version) for version in versions]
    open_all = lambda text: TOKEN.sub(lambda match: opened.get(match[0], "NOT A TOKEN OF A VERSION"), text)
    with tempfile.TemporaryDirectory(prefix="fernseal-merge-") as folder:
        paths = [pathlib.Path(folder, name) for name in ("base", "ours", "theirs")]
        for path, text in zip(paths, texts):
            path.write_text(text)
        done = subprocess.run([FERNSEAL, "merge", *map(str, paths), FILES[kind]], cwd=folder, capture_output=True, text=True,
                              env={"PATH": os.environ["PATH"], "HOME": folder, "PROXMOX_MCP_MASTER_KEY": KEY})
        left = sorted(os.listdir(folder))
        merged = paths[1].read_text()
        expected, conflicts = git_merge(folder, [open_all(text) for text in texts])
        outcome = "as git"
        if conflicts:
            by_value, fewer = git_merge(folder, [open_all(write(kind, version)) for version in settled(kind, versions, opened)])
            if fewer < conflicts:
                expected, conflicts, outcome = by_value, fewer, "by value"
        outcome += ", conflicts" if conflicts else ""

    wrong = []
    is_unreadable = "do not fit together" in done.stderr
    if done.returncode != (1 if conflicts or is_unreadable else 0):
        wrong.append(f"exit code {done.returncode}, {conflicts} conflicts: {done.stderr}")
    if open_all(merged) != expected:
        wrong.append(f"opens to\n{open_all(merged)}\nand not to\n{expected}")
    tokens = [collections.Counter(TOKEN.findall(text)) for text in texts]
    found = collections.Counter(TOKEN.findall(merged))
    for token in found:
        if not any(token in version for version in tokens):
            wrong.append(f"a token of no version: {token}")
    for token in tokens[0]:
        untouched = tokens[0][token] == tokens[1][token] == tokens[2][token]
        if untouched and not conflicts and found[token] != tokens[0][token]:
            wrong.append(f"a token that nobody touched: {token}, {opened[token]}")
    by_name = [{name: value for name, value, is_secret in version.members if is_secret} for version in versions]
    for name in by_name[0]:
        values = [members.get(name) for members in by_name]
        if None in values or conflicts or len({opened[value] for value in values}) > 1:
            continue
        if sum(opened[value] == opened[values[0]] for value in by_name[0].values()) > 1:
            # Equal secrets have equal stand-ins, so their tokens may be exchanged.
            continue
        # Nobody changed the secret. The result has the token of the side that has sealed it again, or of either side if
        # both have.
        new = {value for value in values[1:] if value != values[0]} or {values[0]}
        if not any(token in found for token in new):
            wrong.append(f"{name} has not the token that was made last: {new}")
    if any(plain in done.stderr or plain in merged for plain in opened.values()):
        wrong.append("a secret in plain text")
    if left != ["base", "ours", "theirs"]:
        wrong.append(f"left behind: {left}")
    return outcome + (", unreadable" if is_unreadable else ""), wrong and [f"seed {seed}, {kind}", *wrong]


def main():
    if "FERNSEAL" not in os.environ:
        subprocess.run("cargo build --release --locked --quiet -p fernseal".split(), cwd=HERE.parents[2], check=True)
    merges = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    counts, failed = collections.Counter(), 0
    for salt in SALTS:
        derive(salt)
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as workers:
        for outcome, wrong in workers.map(one, range(first, first + merges), chunksize=10):
            counts[outcome] += 1
            failed += bool(wrong)
            if wrong and failed <= 5:
                print("WRONG:", "\n".join(wrong), flush=True)
    for outcome, count in counts.most_common():
        print(f"  {count:6}  {outcome}")
    print(f"{merges} merges, {failed} of them not as they should be")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
