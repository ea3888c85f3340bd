#!/usr/bin/env python3
"""Turns Cargo.lock on stdin into fernseal-crates.inc on stdout: the crates, as BitBake fetches them."""

import re
import sys

FIELD = re.compile(r'^(name|version|source|checksum) = "(.*)"$', re.MULTILINE)

crates = [dict(FIELD.findall(package)) for package in sys.stdin.read().split("[[package]]")[1:]]
crates = [crate for crate in crates if "source" in crate]
assert all(crate["source"].startswith("registry+") and "checksum" in crate for crate in crates)
print("# Made from Cargo.lock by ffi/packaging/prepare.sh.\n")
print('SRC_URI += " \\')
for crate in crates:
    print("    crate://crates.io/{name}/{version} \\".format(**crate))
print('"\n')
for crate in crates:
    print('SRC_URI[{name}-{version}.sha256sum] = "{checksum}"'.format(**crate))
