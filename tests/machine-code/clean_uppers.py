#!/usr/bin/env python3
"""Fails if a `sha256*` instruction can run while the upper halves of the vector registers are dirty.

SHA instructions of x86-64 have a legacy encoding only. On Intel each change between them and VEX-encoded instructions
takes a microcode assist of about 400 cycles while an upper half of ymm0-ymm15 is dirty: written since the last
`vzeroupper`. A derivation took a second instead of 5 ms. AMD processors show nothing of it, so this test reads the
machine code instead of timing it.

    tests/machine-code/clean_uppers.py FILE...       executables and shared objects of x86-64, stripped or not

What it follows, over all functions of a file at once:
- A write to a ymm or zmm register makes the uppers dirty (any instruction whose first operand is one counts as a write);
  `vzeroupper` and `vzeroall` make them clean.
- Both sides of a branch, jumps backwards and into other functions; an indirect jump leads to all that the jump tables of
  its function list, or, where it has none, to each of its blocks.
- Calls: a dirty caller makes its callee dirty, and a callee that returns dirty makes its caller dirty.
- A function starts clean where no code of the same file says otherwise, as the ABI has it.
It does not follow indirect calls; compilers emit `vzeroupper` before them.
Inline assembly is machine code like any other. Functions come from .eh_frame, which survives stripping. Small
programs that are judged first show that it sees what it should (`EXAMPLES`). Needs binutils.
"""

import bisect
import functools
import re
import struct
import subprocess
import sys
import tempfile

LINE = re.compile(r"^\s*([0-9a-f]+):\s+(.*?)\s*$")
SYMBOL = re.compile(r"^[0-9a-f]+ <(.*)>:$")
PREFIX = re.compile(r"^(?:(?:bnd|notrack|rep|repz|repnz|lock|data16|cs|ds|es|ss|fs|gs|rex(?:\.\w+)?|addr32|\{\w+\})\s+)+")
TARGET = re.compile(r"^(?:0x)?([0-9a-f]+)(?:\s|$)")
WIDE = re.compile(r"^[yz]mm\d+\b")
LEA = re.compile(r"\[rip.*# ([0-9a-f]+)")
RETURNS = {"ret", "retf", "iret", "ud2", "ud1", "hlt", "int3"}


class Code:
    """The instructions of a file, in order, and the functions that contain them."""

    def __init__(self, path):
        def run(*command):
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout

        frames = re.findall(r"\bFDE\b.*pc=([0-9a-f]+)\.\.([0-9a-f]+)", run("readelf", "--debug-dump=frames", path))
        self.functions = sorted({(int(start, 16), int(end, 16)) for start, end in frames if start != end})
        if not self.functions:
            raise SystemExit(f"{path}: no functions found in .eh_frame")
        self.addresses, self.texts, self.names = [], [], {}
        name = None
        for line in run("objdump", "-d", "-C", "-M", "intel", "--no-show-raw-insn", path).splitlines():
            if symbol := SYMBOL.match(line):
                name = symbol[1]
            elif instruction := LINE.match(line):
                address = int(instruction[1], 16)
                if name:
                    self.names[address], name = name, None
                self.addresses.append(address)
                self.texts.append(PREFIX.sub("", instruction[2]))
        self.at = {address: index for index, address in enumerate(self.addresses)}
        with open(path, "rb") as file:
            self.image = file.read()
        (offset,), (count,) = struct.unpack_from("<Q", self.image, 32), struct.unpack_from("<H", self.image, 56)
        headers = (struct.unpack_from("<IIQQQQ", self.image, offset + 56 * at) for at in range(count))
        # The loaded segments: address, length, offset in the file.
        self.loaded = [(address, size, start) for kind, _, start, address, _, size in headers if kind == 1]

    def word(self, address):
        """Returns the signed 32-bit number at an address, or None if nothing is loaded there."""
        for start, size, place in self.loaded:
            if start <= address and address + 4 <= start + size:
                return struct.unpack_from("<i", self.image, place + address - start)[0]
        return None

    def table(self, address, first, last):
        """Returns the instructions that a jump table at `address` lists: offsets from the table, all within one function."""
        targets = []
        while (distance := self.word(address + 4 * len(targets))) is not None:
            to = self.at.get(address + distance)
            if to is None or not first <= to < last:
                break
            targets.append(to)
        return targets

    def ranges(self):
        """Yields each function as (first, end), which are indices of instructions."""
        for start, end in self.functions:
            first, last = bisect.bisect_left(self.addresses, start), bisect.bisect_left(self.addresses, end)
            if first < last:
                yield first, last

    def name(self, index):
        start = self.addresses[index]
        return self.names.get(start) or f"the function at {start:#x}"


def faults(code):
    """Returns the indices of `sha256*` instructions that may run with dirty uppers, each with its function."""
    owner = {}
    for first, last in code.ranges():
        for index in range(first, last):
            owner[index] = (first, last)

    mnemonics, operands = [], []
    for text in code.texts:
        mnemonic, _, rest = text.partition(" ")
        mnemonics.append(mnemonic)
        operands.append(rest.split("#")[0].strip())

    def target(index):
        found = TARGET.match(operands[index])
        return code.at.get(int(found[1], 16)) if found else None

    def writes_wide(index):
        return mnemonics[index].startswith("v") and WIDE.match(operands[index])

    @functools.cache
    def indirect(first, last):
        """Returns the possible targets of an indirect jump of a function."""
        tables = (LEA.search(code.texts[index]) for index in range(first, last) if mnemonics[index] == "lea")
        targets = {to for table in tables if table for to in code.table(int(table[1], 16), first, last)}
        begins = lambda index: index == first or mnemonics[index - 1][0] == "j" or mnemonics[index - 1] in RETURNS
        return targets or {index for index in range(first, last) if begins(index)}

    dirty = {}  # instructions that may begin with dirty uppers, each with the one before it
    calls = {}  # of a function: the instructions that call it, and those that jump to it (tail calls)
    returns_dirty = set()
    work = []

    def reach(index, before):
        if index in owner and index not in dirty:
            dirty[index] = before
            work.append(index)

    def return_dirty(function, before):
        if function in returns_dirty:
            return
        returns_dirty.add(function)
        for call in calls.get(function, ()):
            if mnemonics[call] == "call":
                if call + 1 < owner[call][1]:
                    reach(call + 1, before)
            else:
                return_dirty(owner[call][0], before)

    def after(index):
        """Follows execution after instruction `index`, with dirty uppers."""
        first, last = owner[index]
        mnemonic = mnemonics[index]
        if mnemonic == "ret":
            return_dirty(first, index)
        if mnemonic in RETURNS:
            return
        if mnemonic[0] == "j":
            to = target(index)
            if to is not None:
                reach(to, index)
                if to in owner and owner[to][0] == to and to in returns_dirty:
                    return_dirty(first, index)
            elif mnemonic == "jmp":
                for to in indirect(first, last):
                    reach(to, index)
            if mnemonic == "jmp":
                return
        elif mnemonic == "call":
            reach(target(index), index)
        if index + 1 < last:
            reach(index + 1, index)

    for index, mnemonic in enumerate(mnemonics):
        if index in owner and (mnemonic == "call" or mnemonic[0] == "j"):
            to = target(index)
            if to in owner and (mnemonic == "call" or owner[to] != owner[index]):
                calls.setdefault(owner[to][0], set()).add(index)
    for index in owner:
        if writes_wide(index):
            after(index)
    while work:
        index = work.pop()
        if mnemonics[index] not in ("vzeroupper", "vzeroall"):
            after(index)

    sha = [index for index, mnemonic in enumerate(mnemonics) if mnemonic.startswith("sha256")]
    if not sha:
        raise SystemExit("no sha256 instruction found: this test would find nothing")
    if outside := [index for index in sha if index not in owner]:
        raise SystemExit(f"a sha256 instruction at {code.addresses[outside[0]]:#x} is in no function of .eh_frame")

    def source(index):
        """Returns the instruction that made the uppers dirty."""
        index = dirty[index]
        while not writes_wide(index):
            index = dirty[index]
        return index

    return [(owner[index][0], index, source(index)) for index in sha if index in dirty], len(sha), owner


# Functions of a small program, and whether its only SHA instruction may run with dirty uppers.
EXAMPLES = {
    "nothing wide": (False, ["f: vpaddd xmm0, xmm1, xmm2", "sha256rnds2 xmm1, xmm2", "ret"]),
    "a write": (True, ["f: vmovups ymm0, [rdi]", "sha256rnds2 xmm1, xmm2", "ret"]),
    "a write of a zmm": (True, ["f: vpxord zmm0, zmm0, zmm0", "sha256msg1 xmm1, xmm2", "ret"]),
    "a write and vzeroupper": (False, ["f: vmovups ymm0, [rdi]", "vzeroupper", "sha256rnds2 xmm1, xmm2", "ret"]),
    "a write and vzeroall": (False, ["f: vmovups ymm0, [rdi]", "vzeroall", "sha256rnds2 xmm1, xmm2", "ret"]),
    "a store": (False, ["f: vmovups [rdi], ymm0", "sha256rnds2 xmm1, xmm2", "ret"]),
    "a write after it": (False, ["f: sha256rnds2 xmm1, xmm2", "vmovups ymm0, [rdi]", "vzeroupper", "ret"]),
    "a write later in the loop": (True, ["f: sha256rnds2 xmm1, xmm2", "vmovups ymm0, [rdi]", "dec rax", "jnz f", "ret"]),
    "vzeroupper later in the loop": (
        False,
        ["f: sha256rnds2 xmm1, xmm2", "vmovups ymm0, [rdi]", "vzeroupper", "dec rax", "jnz f", "ret"],
    ),
    "vzeroupper on one side of a branch": (
        True,
        ["f: vmovups ymm0, [rdi]", "jz 1f", "vzeroupper", "1: sha256rnds2 xmm1, xmm2", "ret"],
    ),
    "a write beyond a return": (
        True,
        ["f: jmp 2f", "1: sha256rnds2 xmm1, xmm2", "ret", "2: vmovups ymm0, [rdi]", "jmp 1b"],
    ),
    "a dirty caller": (True, ["f: vmovups ymm0, [rdi]", "call g", "ret", "g: sha256rnds2 xmm1, xmm2", "ret"]),
    "a caller that cleans": (
        False,
        ["f: vmovups ymm0, [rdi]", "vzeroupper", "call g", "ret", "g: sha256rnds2 xmm1, xmm2", "ret"],
    ),
    "a callee that cleans itself": (
        False,
        ["f: vmovups ymm0, [rdi]", "call g", "ret", "g: vzeroupper", "sha256rnds2 xmm1, xmm2", "ret"],
    ),
    "a callee that returns dirty": (
        True,
        ["f: call g", "sha256rnds2 xmm1, xmm2", "ret", "g: vmovups ymm0, [rdi]", "ret"],
    ),
    "a callee that does so by a tail call": (
        True,
        ["f: call g", "sha256rnds2 xmm1, xmm2", "ret", "g: jmp h", "h: vmovups ymm0, [rdi]", "ret"],
    ),
    "a callee that returns clean": (
        False,
        ["f: call g", "sha256rnds2 xmm1, xmm2", "ret", "g: vmovups ymm0, [rdi]", "vzeroupper", "ret"],
    ),
    "an indirect jump without a table": (
        True,
        ["f: jz 1f", "ret", "1: vmovups ymm0, [rdi]", "jmp rax", "sha256rnds2 xmm1, xmm2", "ret"],
    ),
    "a jump table that leads there": (
        True,
        ["f: lea rcx, [rip+table]", "vmovups ymm0, [rdi]", "jmp rax", "1: sha256rnds2 xmm1, xmm2", "ret", "2: ret"],
    ),
    "a jump table that leads elsewhere": (
        False,
        ["f: lea rcx, [rip+table]", "vmovups ymm0, [rdi]", "jmp rax", "2: sha256rnds2 xmm1, xmm2", "ret", "1: ret"],
    ),
}


def self_test():
    """Returns whether an example gives a wrong result."""
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for name, (expected, lines) in EXAMPLES.items():
            text = [".intel_syntax noprefix", ".globl f", ".text"]
            for line in lines:
                if label := re.match(r"([fgh]): ", line):
                    text += [".cfi_endproc"] if text[-1:] != [".text"] else []
                    text += [f"{label[1]}:", ".cfi_startproc", line[3:]]
                elif line.startswith("1: "):
                    text += ["target:", line[3:]]
                    line = line[3:]
                else:
                    text.append(line)
            text = [re.sub(r"\b1[fb]$", "target", line) for line in text]
            text += [".cfi_endproc", ".section .rodata", "table: .long target - table, 0"]
            # A program must define the label that its table names.
            text += [] if "target:" in text else [".set target, f"]
            source, program = f"{folder}/example.s", f"{folder}/example"
            with open(source, "w", encoding="utf-8") as file:
                file.write("\n".join(text) + "\n")
            subprocess.run(["as", "-o", f"{program}.o", source], check=True)
            subprocess.run(["ld", "--eh-frame-hdr", "-e", "f", "-o", program, f"{program}.o"], check=True)
            found, _, _ = faults(Code(program))
            if bool(found) != expected:
                print(f"FAIL example '{name}': judged {'dirty' if found else 'clean'}")
                failed = True
    return failed


def main(paths):
    failed = False
    for path in paths:
        code = Code(path)
        found, total, owner = faults(code)
        for function in sorted({function for function, _, _ in found}):
            here = [fault for fault in found if fault[0] == function]
            _, at, source = here[0]
            print(f"FAIL {path}: {code.name(function)}: {len(here)} sha256 instructions may run with dirty uppers")
            for what, index in (("the first", at), ("made dirty by", source)):
                print(f"    {what}: {code.addresses[index]:#x} {code.texts[index]}, in {code.name(owner[index][0])}")
            failed = True
        if not found:
            print(f"{path}: {total} sha256 instructions, each with clean uppers")
    return failed


if __name__ == "__main__":
    if not sys.argv[1:]:
        raise SystemExit(__doc__)
    sys.exit(self_test() or main(sys.argv[1:]))
