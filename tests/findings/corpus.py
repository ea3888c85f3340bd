#!/usr/bin/env python3
"""Measures the search for likely secrets: how many planted secrets it finds, and how many false alarms it gives.

    tests/findings/corpus.py planted [--seed N] [--show]    200 secrets in 60 shapes of config; fails below 95 %
    tests/findings/corpus.py planted --command FERNSEAL     the same, found by `fernseal check` in files of all formats
    tests/findings/corpus.py clean [--show]                 files of published packages; fails above 1 finding in 100 files

No secret here is real: each is generated from the seed. `clean` downloads packages (see packages.py); no file of them
is kept in the repository. Some of these files contain a secret for tests or examples: reviewed.tsv lists the findings
that a person has checked and confirmed as secrets, with the reason. They are counted separately.
"""

import argparse
import base64
import configparser
import json
import random
import string
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import yaml

import packages
from shapes import SHAPES

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
FINDER = TOP / "target/findings/likely"
REVIEWED = HERE / "reviewed.tsv"
SECRETS = 200
WORDS = "amber basil cedar delta ember falcon garnet harbor indigo juniper kestrel lagoon maple nectar otter".split()


class Kinds:
    """Generates secrets of all kinds from a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def text(self, alphabet, length):
        return "".join(self.random.choices(alphabet, k=length))

    def alnum(self, length):
        return self.text(string.ascii_letters + string.digits, length)

    def hex(self, length):
        return self.text("0123456789abcdef", length)

    def b64(self, length):
        """Returns base64 of `length` characters, including padding."""
        return base64.b64encode(self.random.randbytes(length // 4 * 3 - (1 if length % 88 in (0, 44) else 0))).decode()

    def password(self):
        """Returns a password as people choose them."""
        word, other = self.random.sample(WORDS, 2)
        number = self.random.randrange(10, 9999)
        return self.random.choice([
            f"{word}{number}", f"{word.title()}{number}!", f"{word}-{other}-{number}", f"{word}{other}", f"{word.title()}@{number}{other}",
            f"{self.text(string.ascii_lowercase + string.digits, 10)}", f"{word[0].upper()}{word[1:]}_{other}#{number}",
            f"{number}{word}{number}",
        ])

    def strong(self, length=16):
        return "x" + self.text(string.ascii_letters + string.digits + "!*+-_^.~", length - 3) + "7K"

    def jwt(self):
        part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
        return f'{part({"alg": "HS256", "typ": "JWT"})}.{part({"sub": self.alnum(8), "iat": 1700000000})}.{self.alnum(43)}'

    def pem(self, end):
        body = end.join(self.b64(64) for _ in range(4))
        return f"-----BEGIN PRIVATE KEY-----{end}{body}{end}-----END PRIVATE KEY-----{end}"

    def uuid(self):
        return "-".join(self.hex(length) for length in (8, 4, 4, 4, 12))

    def make(self, kind):
        name = kind.rstrip("0123456789").rstrip("_")
        length = int(kind[len(name):].lstrip("_") or 0)
        upper = string.ascii_uppercase + string.digits
        return {
            "alnum": lambda: self.alnum(length),
            "hex": lambda: self.hex(length),
            "upper": lambda: self.text(upper, length),
            "base64": lambda: self.b64(length),
            "base64url": lambda: base64.urlsafe_b64encode(self.random.randbytes(32)).decode().rstrip("="),
            "b64pw": lambda: base64.b64encode(self.password().encode()).decode(),
            "basic": lambda: base64.b64encode(f"user:{self.alnum(16)}".encode()).decode(),
            "password": self.password,
            "strong": lambda: self.strong(length or 16),
            "urlpw": lambda: self.random.choice([self.alnum(14), self.random.choice(WORDS) + str(self.random.randrange(99))]),
            "uuid": self.uuid,
            "jwt": self.jwt,
            "pem": lambda: self.pem("\n"),
            "pemline": lambda: self.pem("\\n"),
            "github": lambda: "ghp_" + self.alnum(36),
            "gitlab": lambda: "glpat-" + self.alnum(20),
            "slack": lambda: f"xoxb-{self.text(string.digits, 12)}-{self.text(string.digits, 12)}-{self.alnum(24)}",
            "aws": lambda: "AKIA" + self.text(string.ascii_uppercase + "234567", 16),
            "awssecret": lambda: self.text(string.ascii_letters + string.digits + "+/", 40),
            "stripe": lambda: "sk_live_" + self.alnum(24),
            "sendgrid": lambda: f"SG.{self.alnum(22)}.{self.alnum(43)}",
            "google": lambda: "AIza" + self.alnum(35),
            "openai": lambda: "sk-proj-" + self.alnum(48),
            "anthropic": lambda: "sk-ant-api03-" + self.alnum(93),
            "groq": lambda: "gsk_" + self.alnum(52),
            "hf": lambda: "hf_" + self.alnum(34),
            "vault": lambda: "hvs." + self.alnum(24),
            "do": lambda: "dop_v1_" + self.hex(64),
            "telegram": lambda: f"{self.random.randrange(10**8, 10**10)}:{self.alnum(35)}",
            "discord": lambda: f"M{self.alnum(25)}.{self.alnum(6)}.{self.alnum(38)}",
            "crates": lambda: "cio" + self.alnum(32),
            "pypi": lambda: "pypi-AgEIcHlwaS5vcmc" + self.alnum(150),
        }[name]()


def fill(text, kinds, is_json):
    """Replaces each mark with a secret. Returns the text and the secrets. `@!kind@` is not a secret."""
    secrets = []
    pieces = text.split("@")
    out, at = pieces[0], 1
    while at < len(pieces):
        kind = pieces[at]
        try:
            secret = kinds.make(kind.lstrip("!"))
        except KeyError:
            out, at = f"{out}@{kind}", at + 1
            continue
        if not kind.startswith("!") and not kind.startswith("upper"):
            secrets.append(secret)
        written = json.dumps(secret)[1:-1] if is_json else secret.replace("\n", "\n    ").rstrip(" ")
        out, at = out + written + pieces[at + 1], at + 2
    return out, secrets


def leaves(value, pointer=""):
    """Yields the strings and scalars of a parsed text, with pointers. YAML aliases can multiply them: hence a limit."""
    waiting = [(pointer, value)]
    for _ in range(200_000):
        if not waiting:
            return
        pointer, value = waiting.pop()
        if isinstance(value, dict):
            step = lambda key: str(key).replace("~", "~0").replace("/", "~1")
            waiting.extend(reversed([(f"{pointer}/{step(key)}", item) for key, item in value.items()]))
        elif isinstance(value, list):
            waiting.extend(reversed([(f"{pointer}/{index}", item) for index, item in enumerate(value)]))
        elif pointer:
            yield pointer, {True: "true", False: "false", None: "null"}.get(value, value) if isinstance(value, bool | None) else str(value)


def read_env(text):
    values = {}
    for line in text.splitlines():
        name, mark, value = line.strip().removeprefix("export ").partition("=")
        if mark and not name.startswith("#"):
            values[name.strip()] = value.strip().strip("\"'")
    return values


def read_ini(text):
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=", ":"))
    parser.optionxform = str
    parser.read_string(text)
    return {section: {key: value.strip("\"'`") for key, value in parser[section].items()} for section in parser.sections()}


def parse(name, text):
    ending = name.rpartition(".")[2]
    if ending in ("yaml", "yml"):
        documents = list(yaml.load_all(text, yaml.CBaseLoader))
        return documents[0] if len(documents) == 1 else documents
    if ending == "env" or ending == "properties":
        return read_env(text)
    return {"json": json.loads, "toml": tomllib.loads, "ini": read_ini}[ending](text)


def find(files):
    """Runs the search on files, each given as a name and its leaves. Yields (name, pointer, reason)."""
    FINDER.parent.mkdir(parents=True, exist_ok=True)
    sources = [HERE / "likely.rs", *(TOP / "cli/src/config/likely").glob("*.rs")]
    if not FINDER.exists() or FINDER.stat().st_mtime < max(source.stat().st_mtime for source in sources):
        subprocess.run(["rustc", "--edition", "2024", "-O", sources[0], "-o", FINDER], check=True)
    text = []
    for name, found in files:
        pairs = (f"{pointer}\0{value.replace(chr(0), ' ')}\0" for pointer, value in found)
        text.append(f"{name}\n{''.join(pairs)}\0")
    done = subprocess.run([FINDER], input="".join(text).encode("utf-8", "replace"), stdout=subprocess.PIPE, check=True)
    for line in done.stdout.decode().splitlines():
        yield tuple(line.split("\t"))


def check(command, texts):
    """Runs the command on the files, which it reads in their formats. Yields the same as find()."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            (Path(folder) / name).write_text(text)
        done = subprocess.run([command, "check", "--json", *texts], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    said = json.loads(done.stdout)
    for failed in said["failed"] + said["skipped"]:
        print(f"not read: {failed['file']}: {failed['reason']}")
    for finding in said["findings"]:
        yield finding["config"], finding["pointer"], finding["finding"]


def planted(args):
    kinds = Kinds(args.seed)
    files, texts, secrets, number = [], {}, {}, 0
    while sum(map(len, secrets.values())) < SECRETS:
        name, shape = SHAPES[number % len(SHAPES)]
        text, made = fill(shape, kinds, name.endswith(".json"))
        made = made[: SECRETS - sum(map(len, secrets.values()))]
        full = f"{number:03}-{name}"
        files.append((full, list(leaves(parse(name, text)))))
        texts[full] = text
        secrets[full] = made
        number += 1
    assert number >= len(SHAPES), f"only {number} shapes were used"
    findings = {}
    for name, pointer, reason in check(args.command, texts) if args.command else find(files):
        findings.setdefault(name, {})[pointer] = reason
    missed, false = [], []
    for name, found in files:
        hit = set()
        for pointer, value in found:
            inside = [secret for secret in secrets[name] if secret.strip().replace("\n    ", "\n") in value]
            if pointer in findings.get(name, {}):
                hit.update(inside)
                if not inside:
                    false.append((name, pointer, findings[name][pointer], value))
        missed += [(name, secret) for secret in secrets[name] if secret not in hit]
    found = SECRETS - len(missed)
    print(f"planted: {found} of {SECRETS} secrets found in {len(files)} files of {len(SHAPES)} shapes; {len(false)} false alarms")
    if args.show:
        for line in missed:
            print("missed", *line)
        for line in false:
            print("false", *line)
    # The list of planted secrets ends at the 200th, so findings after it in the last file are counted as false alarms
    # although they are not. The result does not depend on false alarms.
    return found >= 0.95 * SECRETS


def clean(args):
    files, values, unread = [], {}, 0
    for path in packages.fetch():
        name = str(path.relative_to(packages.FOLDER))
        try:
            found = list(leaves(parse(path.name, path.read_text("utf-8-sig"))))
        except (ValueError, yaml.YAMLError, RecursionError, AttributeError, TypeError):
            unread += 1
            continue
        files.append((name, found))
        values[name] = dict(found)
    reviewed = set()
    if REVIEWED.exists():
        lines = [line.split("\t") for line in REVIEWED.read_text().splitlines() if line and not line.startswith("#")]
        reviewed = {(line[0], line[1]) for line in lines}
    findings = list(find(files))
    false = [finding for finding in findings if finding[:2] not in reviewed]
    holding = {finding[0] for finding in findings if finding[:2] in reviewed}
    of = {ending: sum(name.endswith(ending) for name, _ in files) for ending in (".json", ".yaml", ".yml", ".toml")}
    print(f"clean: {len(files)} files ({of}), {unread} that Python's parsers refuse left out")
    print(f"clean: {len(findings)} findings, of which {len(findings) - len(false)} are secrets by review, in {len(holding)} files")
    none = len(files) - len(holding)
    print(f"clean: {len(false)} false alarms in {none} files that hold no secret: {100 * len(false) / max(none, 1):.2f} in 100")
    if args.show:
        for name, pointer, reason in false:
            print(name, pointer, reason, repr(values[name].get(pointer, "?"))[:100], sep="\t")
    return len(false) <= none / 100


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["planted", "clean"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--command", help="for planted: a fernseal that reads the files itself, rather than Python's parsers")
    args = parser.parse_args()
    sys.exit(0 if {"planted": planted, "clean": clean}[args.part](args) else 1)


if __name__ == "__main__":
    main()
