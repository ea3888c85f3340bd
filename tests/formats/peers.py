"""The other readers of YAML, TOML and .env in Python and bash: each turns a text into a flat list of what it reads."""

import configparser
import io
import os
import subprocess
import tempfile
import tomllib
import warnings

import dotenv
import ruamel.yaml
import yaml

STRING = "tag:yaml.org,2002:str"


def flat_nodes(documents):
    """Returns each scalar as (tag, text) and each container as its kind, in order. Aliased nodes count once."""
    # Keep all nodes until the end: the id of a freed node may be reused.
    flat, seen, documents = [], set(), list(documents)

    def add(node):
        if node is None:
            flat.append(("none", ""))
        elif id(node) in seen:
            flat.append(("again", ""))
        elif isinstance(node.value, str):
            seen.add(id(node))
            flat.append((str(node.tag), node.value))
        else:
            seen.add(id(node))
            flat.append((node.id, ""))
            for child in node.value:
                for part in child if isinstance(child, tuple) else (child,):
                    add(part)
            flat.append(("end", ""))

    for document in documents:
        add(document)
        flat.append(("document", ""))
    return flat


def pyyaml(text):
    return flat_nodes(yaml.compose_all(text, Loader=yaml.CSafeLoader))


def ruamel_yaml(text):
    reader = ruamel.yaml.YAML(typ="safe", pure=True)
    reader.allow_duplicate_keys = True
    return flat_nodes(reader.compose_all(text))


def toml(text):
    flat = []

    def add(path, value):
        if isinstance(value, dict):
            flat.append((path, "table"))
            for name, member in value.items():
                add((*path, name), member)
        elif isinstance(value, list):
            flat.append((path, "array"))
            for index, item in enumerate(value):
                add((*path, index), item)
        else:
            # A float or date is compared as printed text, so that nan equals nan.
            flat.append((STRING if isinstance(value, str) else type(value).__name__, str(value), path))

    add((), tomllib.loads(text.removeprefix("\ufeff")))
    return flat


def python_dotenv(text):
    return [(STRING, value, name) for name, value in dotenv.dotenv_values(stream=io.StringIO(text, newline="")).items()]


def bash(text):
    if "\r" in text or text.startswith("\ufeff"):
        return None
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "text")
        with open(path, "w", newline="") as file:
            file.write(text)
        # With this PATH no program is found, so a line that is a command does nothing. A redirection (>) in it creates
        # a file in the temporary directory.
        done = subprocess.run(
            ["/bin/bash", "--norc", "--noprofile", "-c", 'PATH=/; HOME=/; set -a; . "$0" >/dev/null; exec /usr/bin/env -0', path],
            env={}, capture_output=True, check=False, cwd=directory,
        )
    pairs = [line.partition("=") for line in done.stdout.decode().split("\0") if line]
    own = {"PWD", "SHLVL", "_", "PATH", "HOME", "OLDPWD"}
    return [(STRING, value, name) for name, _, value in sorted(pairs) if name not in own]


def python_ini(text):
    reader = configparser.ConfigParser()
    reader.read_string(text)
    return [(STRING, value, section, name) for section in reader.sections() for name, value in reader.items(section)]


def git(text):
    with tempfile.NamedTemporaryFile("w", newline="") as file:
        file.write(text)
        file.flush()
        command = ["/usr/bin/git", "config", "--file", file.name, "--no-includes", "--list", "-z"]
        done = subprocess.run(command, env={}, capture_output=True, check=True)
    pairs = [line.partition("\n") for line in done.stdout.decode().split("\0") if line]
    return [(STRING, value, name) for name, _, value in pairs]


READERS = {
    "yaml": {"PyYAML": pyyaml, "ruamel.yaml": ruamel_yaml},
    "toml": {"tomllib": toml},
    "env": {"python-dotenv": python_dotenv, "bash": bash},
    "ini": {"configparser": python_ini, "git": git},
}


def fault(before, after, case, wanted):
    """Returns what is wrong with `after`, or None. It must equal `before` except for one scalar, now `wanted`."""
    if len(before) != len(after):
        return "another number of values"
    other = [(old, new) for old, new in zip(before, after) if old != new]
    if not other and wanted == case["plain"]:
        return None
    if len(other) != 1:
        return f"{len(other)} values changed"
    (old, new), = other
    if old[2:] != new[2:]:
        return "another value changed"
    if (new[0], new[1]) != (STRING, wanted):
        return f"it is read as {new!r}"
    if case["kind"] == "String" and old[:2] != (STRING, case["plain"]):
        return f"it was read as {old!r}"
    return None


def fault_of_added(before, after, token):
    """Returns what is wrong with `after`, or None. It must equal `before` with one more member, the token."""
    places = [at for at, part in enumerate(after) if part[:2] == (STRING, token)]
    if len(places) != 1:
        return f"the token is there {len(places)} times"
    at = places[0]
    # In YAML, its name also counts as a scalar.
    is_before = any(after[:start] + after[at + 1 :] == before for start in (at, at - 1))
    return None if is_before else "another value changed"


def spliced(data, edit):
    start, end, new = edit
    return data[:start] + new.encode() + data[end:]


os.environ.clear()
warnings.simplefilter("ignore", ruamel.yaml.error.ReusedAnchorWarning)
