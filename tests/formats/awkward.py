"""Secrets that are awkward for formats, and texts to write them to. Each of the other readers must read them back."""

import collections
import json
import pathlib
import random
import subprocess

import peers

HERE = pathlib.Path(__file__).parent

# The pieces of random secrets.
PIECES = [*"aB7 \t\n\r'\"`\\$#:;,.-_=+!?%&*@|<>()[]{}~^/"]
PIECES += ["\\n", "${x}", "$(x)", "é", "😀", "\u00a0", "\u0085", "\u2028", "\ufeff", "\x00", "\x07", "\x7f", "---", "...", " #", ": ", "- "]
PIECES += ["'''", '"""']

# Words that some reader takes for a number, a date, a boolean or null, and words that are almost such.
WORDS = """yes No on OFF y N true null Null ~ = << nan .nan .inf -.Inf 1 01 0o7 0x1F 0b1 1_000 1,000 1.5 1. .5 1e3 1e 1.e+3 12:30
1:2:3.5 2024-01-01 2024-1-1 2001-12-14t21:59:43.10-05:00 192.168.1.1 1a 0x 0o 0b2 +1 -1 + - -- --- ... ? : , # % & * ! | > @ ` a:b a:
:a a#b [a] {a} [a {a a] a} 'a' "a" enc:x ENC:x !!str NO_WAY 1__0 0.0.0 1.2.3 9e99999 infinity inf e1 _1 1_ 0_ -0 0. +.inf 0x_1 190:20:30
190:20:30.15 685.230_15e+03 0b1010_0111 08 09.5 1e+3 1E3 12e03 -2E+05 0o14 0O14 0X1f .e1 -. +. 1-1-1 20240101 2024-01 12:60 00:00 1:1:1""".split()
WORDS += ["", " ", " a", "a ", "a b", "a # b", "a: b", "\n", "a\n", "\na", "a\nb", "a\n\nb\n", "-----BEGIN X-----\nA==\n-----END X-----\n"]

# Texts with a value named `a`.
SPOTS = {
    "yaml": [
        "a: x1\nb: c\n", "a: 'x'\n", 'a: "x"  # c\n', "b: c\na: |\n  x\n  y\nc: d\n", "a:\nb: c\n", "{a: x, b: c}\n", "b: [c]\na: >-\n  x\n",
        "? a\n: x\n", "a:\n  x\n", "a: x\n  y\n", "a: # c\nb: c\n", "--- {a: 'x', b: c}\n...\n", "a: !!str x\n", "a: &unused x\n",
    ],
    "toml": ['a = "x"\n', "a = 'x' # c\n", 'a = """\nx\n"""\n', "a = '''x'''\n", "a = 1\n[b]\n", '"a" = 2024-01-01\n'],
    "ini": ["[s]\na = x\nb = c\n", "; c\n[s]\na=x\n", "[s]\nb=1\n[t]\na =\n"],
    "env": ["a=x\nb=c\n", "a='x'\nb=c\n", 'export a="x" # c\nb=c\n', "a=\nb=c\n"],
}


def pointer(kind, spot):
    return "/a" if kind != "ini" else "/t/a" if "[t]" in spot else "/s/a"


def prove(program, kind, number, modules, slow):
    """Returns counts and the differences. The random secrets are the same in every run."""
    chance = random.Random(20)
    secrets = WORDS + ["".join(chance.choices(PIECES, k=chance.randint(1, 12))) for _ in range(number)]
    cases = [(spot, secret) for secret in secrets for spot in SPOTS[kind]]
    asked = "".join(json.dumps({"text": spot, "pointer": pointer(kind, spot), "plain": secret}) + "\n" for spot, secret in cases)
    done = subprocess.run([program, kind, "write"], input=asked, capture_output=True, text=True, check=True)
    count, faults, written = collections.Counter(), [], []
    for (_, secret), line in zip(cases, done.stdout.split("\n"), strict=False):
        told = json.loads(line)
        if "refused" in told:
            count["refused: " + told["refused"]] += 1
            continue
        count["written"] += 1
        written.append((secret, told["text"]))
        for name, reader in peers.READERS[kind].items():
            if name in slow and count["written"] % 5:
                continue
            try:
                after = reader(told["text"])
            except Exception as error:  # whatever a reader says of a text that it does not read
                after = [(type(error).__name__,)]
            if after is None:
                continue
            count[f"compared by {name}"] += 1
            if (peers.STRING, secret) not in [part[:2] for part in after]:
                faults.append((name, secret, told["text"], after))
    if kind in ("yaml", "env"):
        node = ["node", HERE / "peers.mjs", kind, modules, "secrets"]
        done = subprocess.run(node, input=json.dumps(written), capture_output=True, text=True, check=True)
        count["compared by npm's reader"] = len(written)
        faults += [("npm's reader", *fault) for fault in json.loads(done.stdout)]
    return count, faults
