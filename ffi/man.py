#!/usr/bin/env python3
"""Writes the manual pages of libfernseal (section 3) from the comments of include/fernseal.h and the examples of
ffi/README.md: man.py DIRECTORY.

There is one page for each group of functions, and a link to it for each other name. A new function gets into the group of
its prefix (GROUPS). ffi/install.sh runs this script; tests/c/install.sh checks the pages. SOURCE_DATE_EPOCH sets their date.
"""

import datetime
import os
import pathlib
import re
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADER = ROOT / "include/fernseal.h"

# Statuses that every function with a status can return.
ALWAYS = ["INVALID_ARGUMENT", "INTERNAL"]
# Each page: what it is about; the beginnings of its names; the statuses besides ALWAYS; which C example of the README it has.
GROUPS = {
    "fernseal": ("open and seal the secrets of JSON configs", [""], [], 0),
    "fernseal_master_key": (
        "read, generate and identify master keys",
        ["master_key", "key_id"],
        ["BUFFER_TOO_SMALL", "INVALID_KEY", "RANDOM_FAILED", "CANCELLED"],
        None,
    ),
    "fernseal_token": (
        "seal, open and find tokens",
        ["token", "text", "salt"],
        ["BUFFER_TOO_SMALL", "MALFORMED", "INVALID_KEY", "UNAUTHENTIC", "RANDOM_FAILED", "CANCELLED", "NOT_FOUND"],
        None,
    ),
    "fernseal_derivation": (
        "derive keys, at once or in slices",
        ["deriv", "key", "tick", "compress", "pbkdf2"],
        ["MALFORMED", "CANCELLED"],
        1,
    ),
    "fernseal_fernet": (
        "seal and open Fernet tokens",
        ["fernet", "key_parse"],
        ["BUFFER_TOO_SMALL", "MALFORMED", "INVALID_KEY", "UNAUTHENTIC", "EXPIRED", "RANDOM_FAILED"],
        None,
    ),
    "fernseal_config": (
        "open, read, seal and rotate whole configs and their values",
        ["config"],
        "BUFFER_TOO_SMALL MALFORMED INVALID_KEY UNAUTHENTIC RANDOM_FAILED CANCELLED NOT_FOUND INVALID_JSON TOO_DEEP "
        "DUPLICATE_NAME WRONG_KIND".split(),
        0,
    ),
}


def page_of(name):
    """Returns the page of a name: the one with the longest prefix."""
    rest = name.lower().removeprefix("fernseal_")
    fits = [(len(prefix), page) for page, group in GROUPS.items() for prefix in group[1] if rest.startswith(prefix)]
    return max(fits)[1]


def plain(comment):
    """Returns the words of a comment without its stars."""
    return " ".join(line.strip().lstrip("*").strip() for line in comment.splitlines()).strip()


class Header:
    """What the header declares: a list of (name, declaration, comment) for each kind of item."""

    def __init__(self, text):
        top, self.body = text.split("#ifndef FERNSEAL_H", 1)
        self.rules = [(name, plain(rule)) for name, rule in re.findall(r" \*   - (\w+): ((?:.*\n \*     )*.*)\n", top)]
        self.notes = [plain(note) for note in re.findall(r'\n \* ("Feature" in (?:.*\n \* )*.*)\n', top)]
        self.version = re.search(r'FERNSEAL_VERSION_STRING "(.*)"', text)[1]
        self.functions, self.types, self.statuses, self.macros = [], [], [], []
        item = r"typedef struct \{.*?^\} \w+;|#define .*?$|[^;#]*;"
        for comment, item in re.findall(rf"^/\*\* (.*?) ?\*/\n({item})", self.body, re.M | re.S):
            comment = plain(comment)
            if item.startswith("#define"):
                _, name, value = item.split()
                self.statuses.append((name, value, comment))
            elif item.startswith("typedef"):
                name = re.search(r"\(\*(\w+)\)|(\w+);$", item)
                self.types.append((name[1] or name[2], item, comment))
            else:
                declaration = " ".join(re.sub("FERNSEAL_(API|MUST_USE) ", "", item).split())
                self.functions.append((re.search(r"(\w+)\(", declaration)[1], declaration, comment))
        for comment, name, arguments in re.findall(r"^/\* ([^*]*) \*/\n#define (\w+)(\([^)]*\))?", self.body, re.M):
            if not comment.startswith("Helpers"):
                self.macros.append((name, name + arguments, plain(comment)))


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.split("\n"))


def prose(text):
    """Returns text with each sentence on its own lines, and the names of the library in bold."""
    lines = []
    for sentence in re.split(r"(?<=[.:])\s+(?=[A-Z\"])", text):
        for line in textwrap.wrap(escape(sentence), 70, break_long_words=False, break_on_hyphens=False):
            lines.append(re.sub(r"\b(fernseal|FERNSEAL)_\w+(\(\))?", r"\\fB\g<0>\\fR", line))
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in lines)


def code(text):
    return f".nf\n{escape(text)}\n.fi"


def synopsis(declaration):
    """Returns a declaration as manual pages show it: names in bold, parameters in italics."""
    head, arguments = re.fullmatch(r"(.*?)\((.*)\);", declaration).groups()
    kind, name = re.fullmatch(r"(.*?)(\w+)", head).groups()
    parts = [re.sub(r"\w+$", "\0", part) for part in arguments.split(", ")] if arguments != "void" else ["void"]
    names = [re.search(r"\w+$", part)[0] for part in arguments.split(", ")]
    parts = [escape(part).replace("\0", f"\\fI{name}\\fP") for part, name in zip(parts, names)]
    return f".HP\n{escape(kind)}\\fB{name}\\fP(" + ",\n".join(parts) + ");"


def items(entries):
    return "\n".join(f".TP\n.B {escape(name)}\n{prose(text)}" for name, text in entries)


def page(header, readme, name, date):
    about, _, statuses, example = GROUPS[name]
    mine = {
        kind: [item for item in getattr(header, kind) if page_of(item[0]) == name]
        for kind in ("functions", "types", "macros")
    }
    names = [name] + [item[0] for item in mine["functions"]]
    out = [f'.TH {name.upper()} 3 {date} "fernseal {header.version}" "C library"', ".nh\n.ad l", ".SH NAME"]
    out += [",\n".join(names), f"\\- {about}", ".SH SYNOPSIS", ".nf\n.B #include <fernseal.h>\n.fi"]
    out += [synopsis(declaration) for _, declaration, _ in mine["functions"]]
    out.append(".SH DESCRIPTION")
    if name == "fernseal":
        out += [prose("These rules hold for all functions."), items(header.rules)]
        out += [f".PP\n{prose(note)}" for note in header.notes]
        out.append(".SS Functions")
    else:
        out.append(prose("The rules for buffers, lengths, callbacks and errors are in fernseal(3)."))
    out.append(items((f"{function}()", comment) for function, _, comment in mine["functions"]))
    if mine["types"]:
        out.append(".SS Types")
        for _, declaration, comment in mine["types"]:
            out.append(f"{prose(comment)}\n.PP\n{code(declaration.replace('/**', '/*'))}\n.PP")
        out[-1] = out[-1].removesuffix("\n.PP")
    if mine["macros"]:
        out += [".SS Macros", items((declaration, comment) for _, declaration, comment in mine["macros"])]
    out.append(".SH RETURN VALUES")
    kinds = {declaration.split()[0] for _, declaration, _ in mine["functions"]}
    others = "The other functions return what their descriptions say."
    if name == "fernseal":
        out += [prose("The functions of this page return what their descriptions say. Many others return a fernseal_status:")]
        out.append(items((f"{status} ({value})", comment) for status, value, comment in header.statuses))
    else:
        wanted = [f"FERNSEAL_{status}" for status in ["OK", *statuses, *ALWAYS]]
        known = {status: comment for status, _, comment in header.statuses}
        out.append(prose("Functions of the type fernseal_status return one of these. Not every function returns each."))
        out.append(items((status, known[status]) for status in wanted))
        if kinds != {"fernseal_status"}:
            out.append(f".PP\n{prose(others)}")
    if example is not None:
        examples = re.findall(r"^```c\n(.*?)\n```$", readme, re.M | re.S)
        out += [".SH EXAMPLES", code(examples[example])]
    others = [other for other in GROUPS if other != name]
    out += [".SH SEE ALSO", ",\n".join(f".BR {other} (3)" for other in others).replace("(3),", "(3),")]
    return "\n".join(out) + "\n"


def date():
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    if seconds is None:
        log = subprocess.run(
            ["git", "-C", str(ROOT), "log", "-1", "--format=%ct", "--", "include/fernseal.h"], capture_output=True, text=True
        )
        # Not each copy of the source is a repository.
        seconds = log.stdout.strip() or HEADER.stat().st_mtime
    return datetime.datetime.fromtimestamp(float(seconds), datetime.timezone.utc).date().isoformat()


def main(directory):
    directory = pathlib.Path(directory)
    header, readme, today = Header(HEADER.read_text()), (ROOT / "ffi/README.md").read_text(), date()
    for name in GROUPS:
        (directory / f"{name}.3").write_text(page(header, readme, name, today))
    for name, *_ in header.functions + header.types:
        if name not in GROUPS:
            link = directory / f"{name}.3"
            link.unlink(missing_ok=True)
            link.symlink_to(f"{page_of(name)}.3")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: man.py DIRECTORY")
    main(sys.argv[1])
