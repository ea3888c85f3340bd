#!/usr/bin/env python3
"""Writes the seeds for fuzzing: the vectors' tokens and keys, configs with them, each C function, the transcripts' commands."""

import json
import re
from base64 import urlsafe_b64decode
from pathlib import Path

CORPUS = Path("corpus")
VECTORS = Path("../vectors")
C_FUNCTIONS = 18


def cases(name):
    found = json.loads((VECTORS / name).read_text())
    return found if isinstance(found, list) else found["cases"]


def seed(target, inputs):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for at, data in enumerate(inputs):
        (folder / f"seed-{at}").write_bytes(data if isinstance(data, bytes) else data.encode())


valid, invalid = cases("valid.json"), cases("invalid.json")
fernet = [case["token"] for case in cases("fernet-spec-verify.json") + cases("fernet-spec-invalid.json")]
configs = []
for at, case in enumerate(valid):
    sealed = {"auth": {"token_value": case["token"]}, "x": [1.5e3, None, {"\u00e9\n": "v"}]}
    auth = {"user": "u", "token_name": "n", "token_value": f"a\n{at}"}
    plain = {"proxmox": {"host": "h", "port": at}, "auth": auth, "logging": {"file": "\u00e9"}}
    configs += [json.dumps(config, indent=at % 3 or None) for config in (sealed, plain)]
# By the number of their format.
texts = [
    (0, '{"a": {"b": "x\\n"}, "l": [1, "y", null]}'),
    (1, '{ // c\n "a": ["x", 2,], /* d */ "b": "y",\n}'),
    (2, "# c\nexport A=x # d\nB='y z'\nC=\"two\nlines\"\n"),
    (3, '[t]\na = "x"\nl = [1, \'y\']\n[[u]]\nb.c = """\nz"""\n[v]\nw = { x = 1, y = "2" }\n'),
    (4, "a:\n- b: x # c\n  d: 'y'\n- &e \"z\"\nf: {g: [h, *e]}\ni: |\n  two\n  lines\nj: >-\n  k\n"),
    (4, "--- # c\na: !!str 1\n---\n? b\n: {c: , d: 0x1}\n<<: {e: f}\n"),
    (5, "; c\n[s]\na = x\nb=y z\n[t]\nc=\n"),
    (6, "# c\na.b=x\nc = y\n"),
    (7, "header enc:AAAA;"),
]
commands = [
    line
    for path in sorted(Path("../cli/transcripts").glob("*.md"))
    for line in re.findall(r"fernseal ([^;|&<>$'\"()\n]+)", path.read_text())
]

# As texts, and as the bytes that are signed in them.
signed = [urlsafe_b64decode(urlsafe_b64decode(case["token"].split(":")[-1]))[:-32] for case in valid]
seed("token", [case["token"] for case in valid + invalid] + fernet + signed)
seed("key", [case["master_key"] for case in valid])
seed("json", configs)
seed("config", configs)
# A random piece of three bytes, and a call of each function with valid arguments.
seed("c", [bytes([3, 1, 2, 3, function, *[0] * 24]) for function in range(C_FUNCTIONS)])
# Each also in a spelling of the guide, and after an option whose value is a verb.
tokens = [case["token"] for case in valid[:3]]
seed("syntax", [bytes([kind, new]) + text.replace("x", put).encode() for kind, text in texts for new in range(8)
                for put in ("x", tokens[new % len(tokens)])])
commands = list(enumerate(line.strip().encode() for line in sorted(set(commands))))
seed("args", [bytes([choice]) + line for at, line in commands for choice in (at % 5, 128 + at % 100)])
