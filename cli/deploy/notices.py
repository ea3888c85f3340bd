#!/usr/bin/env python3
"""Prints the license texts of the crates that are linked into a program: notices.py PACKAGE [OPTIONS of cargo].

Lists the name, version and license of each crate, and prints each text once: the files LICENSE, COPYING, COPYRIGHT or NOTICE.
"""

import json
import pathlib
import re
import subprocess
import sys

TEXT = re.compile(r"(licen[cs]e|copying|copyright|notice)([-._].*)?", re.IGNORECASE)


def said(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main(package, *options):
    # What other systems need may not be here.
    host = said("rustc", "--print", "host-tuple").strip()
    metadata = said("cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", host, *options)
    packages = {(crate["name"], crate["version"]): crate for crate in json.loads(metadata)["packages"]}
    # What runs while it is built is not in it.
    tree = said("cargo", "tree", "--locked", *options, "-p", package, "-e", "normal,no-proc-macro", "--prefix", "none")
    named = {tuple(line.split()[:2]) for line in tree.splitlines() if line}
    linked = [packages[name, version.removeprefix("v")] for name, version in sorted(named)]
    texts = {}
    for crate in linked:
        if crate["source"] is None:
            continue
        title = f"{crate['name']} {crate['version']} ({crate['license']})"
        files = sorted(pathlib.Path(crate["manifest_path"]).parent.iterdir())
        found = [file.read_text(encoding="utf-8").strip() for file in files if file.is_file() and TEXT.fullmatch(file.name)]
        for text in found or ["No text comes with it."]:
            # Some differ in nothing but white space.
            texts.setdefault(" ".join(text.split()), (text, []))[1].append(title)
    for text, titles in texts.values():
        print("=" * 100, *titles, "", text, "", sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
