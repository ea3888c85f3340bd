#!/usr/bin/env python3
"""Prints the table of dependencies for SECURITY.md: the number of crates, their lines, and the unsafe code of theirs and ours.

It counts the crates that cargo builds for this machine, including macros and build scripts; all lines of their *.rs files,
including those for tests and other systems; and the word `unsafe` outside of comments and strings.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PRODUCTS = [
    ("core, without features", "fernseal-core", ["--no-default-features"]),
    ("C library", "fernseal-ffi", []),
    ("command", "fernseal", []),
]
# Comments, strings and character literals, in which a word is not code.
NO_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|r(#*)".*?"\1|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'', re.DOTALL)


def cargo(*arguments):
    return subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def count(folder):
    """Returns the lines and the uses of `unsafe` of the Rust code in a folder."""
    lines = unsafe = 0
    for file in folder.rglob("*.rs"):
        text = file.read_text(encoding="utf-8", errors="replace")
        lines += text.count("\n")
        unsafe += len(re.findall(r"\bunsafe\b(?!\()", NO_CODE.sub(" ", text)))
    return lines, unsafe


def add(counts):
    return tuple(map(sum, zip(*counts)))


def main():
    host = re.search(r"host: (\S+)", subprocess.check_output(["rustc", "-vV"], text=True))[1]
    metadata = json.loads(cargo("metadata", "--format-version", "1", "--locked", "--filter-platform", host))
    packages = metadata["packages"]
    folders = {(package["name"], package["version"]): pathlib.Path(package["manifest_path"]).parent for package in packages}
    print("| | crates of others | their lines | unsafe there | our lines | unsafe ours |")
    print("|---|---|---|---|---|---|")
    for name, package, features in PRODUCTS:
        tree = cargo("tree", "--locked", "-p", package, *features, "-e", "normal,build", "--prefix", "none")
        crates = {tuple(line.split()[:2]) for line in tree.splitlines() if line}
        built = [folders[crate, version.removeprefix("v")] for crate, version in sorted(crates)]
        ours = add(count(folder / "src") for folder in built if ROOT in folder.parents)
        theirs = [folder for folder in built if ROOT not in folder.parents]
        cells = [f"{number:_}".replace("_", " ") for number in (len(theirs), *add(count(folder / "src") for folder in theirs), *ours)]
        print("|", " | ".join([name, *cells]), "|")


if __name__ == "__main__":
    sys.exit(main())
