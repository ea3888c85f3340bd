#!/usr/bin/env python3
"""Enumerates the states that a power failure can leave of each verb that writes, and looks whether a secret is lost in one.

    cargo build --release -p fernseal && tests/crash-states/crash_states.py [SCENARIO]

Each verb runs once under strace. Its trace becomes a list of operations: data that is written, names that change, syncs. For
each moment of the run, and for its end, all states are built that the two models below allow, in a folder of their own, and
in each of them must hold:

- every file is there as it was before or as it is after, whole, or not at all if it was or is not there; the audit log is the
  beginning of what it is in the end, but for a torn last line;
- every token in a config or a backup opens with a key that is in a file of that state;
- a config that a rotation has changed has its backup, and the log its line;
- after the end, which has promised it, all is as after the run.

The models, of what is not synced (ALICE, Pillai et al., OSDI 2014, and CrashMonkey, Mohan et al., OSDI 2018):

- ext4: names change in their order, and each sync makes all names durable that changed before it; data that was not synced is
  there or is not, file by file, whatever its name is (delayed allocation, data=ordered).
- weakest: each sync makes durable what it names and no more: the data of a file, or the names in a directory. Of everything
  else any part may be there, in any order, and half of a write. A renaming or exchange is one step, as POSIX promises.

Where more than LIMIT parts are possible at a moment, all that leave out or hold one or two operations are taken, all
beginnings, and some that are drawn with a fixed seed.

Careless twins, the same traces without their syncs, must be caught, or the models see nothing. Exit code 1 if a state of ours
breaks a rule, or a twin breaks none. FERNSEAL names the command (target/release/fernseal otherwise).
"""
import base64
import collections
import functools
import hashlib
import hmac
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve()
FERNSEAL = os.environ.get("FERNSEAL", str(HERE.parents[2] / "target/release/fernseal"))
OLD_KEY = "4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8="
LIMIT = 512
DRAWN = 100
# A lock means nothing after a power failure.
LOCK = ".fernseal.lock"
TEMPORARY = re.compile(r"\..*\.fernseal-([0-9a-f]{16}){1,2}\.tmp")
CALLS = ("open,openat,creat,write,pwrite64,writev,pwritev,fsync,fdatasync,sync,syncfs,rename,renameat,renameat2,link,linkat,"
         "unlink,unlinkat,mkdir,mkdirat,rmdir,symlink,symlinkat,truncate,ftruncate,fallocate,copy_file_range,sendfile,dup,"
         "dup2,dup3,fcntl")

# `changes`: names that change at once, each (directory, name, file or None). `file`: whose data is written.
Names = collections.namedtuple("Names", "changes")
Data = collections.namedtuple("Data", "file at bytes")
Cut = collections.namedtuple("Cut", "file size")
Sync = collections.namedtuple("Sync", "file")
SyncNames = collections.namedtuple("SyncNames", "directory")
SYNCS = (Sync, SyncNames)

CONFIG = '{"auth": {"user": "root@pam", "token_value": "first-secret"},\n "database": {"password": "second"}, "port": 5.40e3}\n'


class Disk:
    """Names and data: each directory's entries, and each file's bytes. Directories are known by their paths."""

    def __init__(self, root=None):
        self.entries, self.data = {}, {}
        for path, directories, files in os.walk(root) if root else ():
            self.entries[path] = {name: f"{path}/{name}" for name in directories + files}
            for name in files:
                self.data[f"{path}/{name}"] = pathlib.Path(path, name).read_bytes()

    def copy(self):
        other = Disk()
        other.entries = {path: dict(entries) for path, entries in self.entries.items()}
        other.data = dict(self.data)
        return other

    def apply(self, operation):
        if isinstance(operation, Names):
            for directory, name, file in operation.changes:
                entries = self.entries.setdefault(directory, {})
                entries.pop(name, None)
                if file is not None:
                    entries[name] = file
        elif isinstance(operation, Data):
            before = self.data.get(operation.file, b"").ljust(operation.at, b"\0")
            end = operation.at + len(operation.bytes)
            self.data[operation.file] = before[:operation.at] + operation.bytes + before[end:]
        elif isinstance(operation, Cut):
            self.data[operation.file] = self.data.get(operation.file, b"")[:operation.size].ljust(operation.size, b"\0")

    def files(self, root):
        """The path of each file below `root`, from there, and its bytes. A file whose directory has no name is gone."""
        found, waiting = {}, [root]
        while waiting:
            directory = waiting.pop()
            for name, file in self.entries.get(directory, {}).items():
                if file in self.entries or isinstance(file, str) and file.startswith("directory "):
                    waiting.append(file.removeprefix("directory "))
                else:
                    found[f"{directory}/{name}".removeprefix(root + "/")] = self.data.get(file, b"")
        return found


def unescaped(text):
    """Returns the bytes of a string that strace printed, given the text between the quotes."""
    return re.sub(rb"\\(x[0-9a-f]{2}|[0-7]{1,3}|.)", lambda escape: {
        b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f", b'"': b'"', b"\\": b"\\",
    }.get(escape[1]) or bytes([int(escape[1], 8)]), text.encode("latin-1"))


ARGUMENT = re.compile(r'"(?:[^"\\]|\\.)*"(?:\.\.\.)?|\[.*\]|\{.*\}|(?:[^,<"\[{]|<[^>]*>)+')


class Reader:
    """Makes operations from the lines of a trace, and follows what is open where."""

    def __init__(self, root, disk):
        self.root, self.disk, self.operations = root, disk.copy(), []
        self.open, self.made = {}, 0

    def add(self, operation):
        self.operations.append(operation)
        self.disk.apply(operation)

    def inside(self, path):
        return path == self.root or path.startswith(self.root + "/")

    def place(self, at, name):
        """The directory and the name that two arguments lead to; nothing outside of the root."""
        directory = re.search(r"<(.*)>", at)[1] if at else os.getcwd()
        path = os.path.normpath(os.path.join(directory, unescaped(name[1:-1]).decode()))
        directory, name = os.path.split(path)
        return (directory, name) if self.inside(path) and name != LOCK else None

    def at(self, place):
        return self.disk.entries.get(place[0], {}).get(place[1])

    def new(self):
        self.made += 1
        return self.made

    def line(self, name, arguments, result):
        arguments = [argument.strip() for argument in ARGUMENT.findall(arguments)]
        arguments = [argument for argument in arguments if argument]
        if result.startswith(("-1", "?")):
            return
        descriptor = re.match(r"(\d+)<(.*)>", arguments[0])
        if name in ("open", "openat", "creat"):
            self.opened(arguments if name == "openat" else [None, *arguments], result)
        elif name == "fcntl" and "F_DUPFD" in arguments[1] or name in ("dup", "dup2", "dup3"):
            if descriptor and int(descriptor[1]) in self.open:
                self.open[int(result.split("<")[0])] = self.open[int(descriptor[1])]
        elif name in ("rename", "renameat", "renameat2"):
            self.renamed(arguments if name != "rename" else [None, arguments[0], None, arguments[1]])
        elif name in ("link", "linkat"):
            at, source, to, target = arguments[:4] if name == "linkat" else (None, arguments[0], None, arguments[1])
            own = re.fullmatch(r'"/proc/self/fd/(\d+)"', source)
            file = self.open[int(own[1])][0] if own and int(own[1]) in self.open else None
            place = self.place(to, target)
            if place:
                file = file or self.at(self.place(at, source))
                self.add(Names([(*place, file)]))
        elif name in ("unlink", "unlinkat", "rmdir"):
            place = self.place(*(arguments[:2] if name == "unlinkat" else (None, arguments[0])))
            if place:
                self.add(Names([(*place, None)]))
        elif name in ("mkdir", "mkdirat"):
            place = self.place(*(arguments[:2] if name == "mkdirat" else (None, arguments[0])))
            if place:
                path = "/".join(place)
                self.disk.entries[path] = {}
                self.add(Names([(*place, f"directory {path}")]))
        elif name == "sync" or name == "syncfs":
            raise AssertionError("a sync of the whole file system is not modelled")
        elif descriptor:
            self.on_descriptor(name, int(descriptor[1]), descriptor[2], arguments, result)

    def opened(self, arguments, result):
        number, path = re.match(r"(\d+)<(.*)>", result).groups()
        self.open.pop(int(number), None)
        directory = re.search(r"<(.*)>", arguments[0])[1] if arguments[0] else ""
        if not self.inside(path.removesuffix(" (deleted)")) or os.path.basename(path) == LOCK:
            return
        if "O_TMPFILE" in arguments[2]:
            self.open[int(number)] = [self.new(), 0, False]
            return
        place = os.path.split(path)
        file = self.at(place)
        if path in self.disk.entries:
            return  # directories are known by their paths
        if file is None:
            assert "O_CREAT" in arguments[2], (directory, path)
            file = self.new()
            self.add(Names([(*place, file)]))
        if "O_TRUNC" in arguments[2]:
            self.add(Cut(file, 0))
        self.open[int(number)] = [file, 0, "O_APPEND" in arguments[2]]

    def renamed(self, arguments):
        source, target = self.place(*arguments[:2]), self.place(*arguments[2:4])
        if not source and not target:
            return
        assert source and target and source[0] == target[0], "a renaming from one directory to another is not modelled"
        moved = self.at(source)
        back = self.at(target) if "RENAME_EXCHANGE" in arguments[-1] else None
        self.add(Names([(*source, back), (*target, moved)]))

    def on_descriptor(self, name, number, path, arguments, result):
        if name in ("fsync", "fdatasync"):
            if path in self.disk.entries:
                self.operations.append(SyncNames(path))
            elif number in self.open:
                self.operations.append(Sync(self.open[number][0]))
        elif number in self.open:
            file, at, appends = self.open[number]
            if name in ("write", "writev", "pwrite64", "pwritev"):
                assert "..." not in arguments[1][-4:], "strace has cut what was written"
                texts = re.findall(r'"((?:[^"\\]|\\.)*)"', arguments[1])
                written = b"".join(map(unescaped, texts))[:int(result)]
                if name.startswith("p"):
                    at = int(arguments[3])
                elif appends:
                    at = len(self.disk.data.get(file, b""))
                # Half of it may be there.
                half = len(written) // 2
                for part, start in ((written[:half], at), (written[half:], at + half)):
                    if part:
                        self.add(Data(file, start, part))
                self.open[number][1] = at + len(written)
            elif name == "ftruncate":
                self.add(Cut(file, int(arguments[1])))
            elif name in ("fallocate", "copy_file_range", "sendfile"):
                raise AssertionError(f"{name} is not modelled")


def read_trace(root, disk, log):
    """The operations of a trace. What threads do comes in the order in which it ends."""
    reader, begun = Reader(root, disk), {}
    for line in open(log, encoding="latin-1"):
        process, rest = line.rstrip("\n").split(None, 1)
        if rest.endswith("<unfinished ...>"):
            begun[process] = rest.removesuffix("<unfinished ...>").rstrip()
            continue
        if resumed := re.match(r"<\.\.\. \w+ resumed>\s*,?\s*", rest):
            rest = begun.pop(process) + rest[resumed.end():]
        if match := re.fullmatch(r"(\w+)\((.*)\)\s+= (.*)", rest):
            name, arguments, result = match.groups()
            reader.line(name, arguments, result)
    return reader.operations, reader.disk


# What can be there, at a moment and in the end.

def weakest(operations):
    """Indices of what is durable, and of what may be there or not."""
    durable = set()
    for at, operation in enumerate(operations):
        if isinstance(operation, Sync):
            durable |= {i for i, o in enumerate(operations[:at]) if getattr(o, "file", None) == operation.file}
        elif isinstance(operation, SyncNames):
            durable |= {i for i, o in enumerate(operations[:at])
                        if isinstance(o, Names) and o.changes[0][0] == operation.directory}
    return durable, [i for i, o in enumerate(operations) if i not in durable and not isinstance(o, SYNCS)]


def parts(pending, seed):
    """Parts of what is pending: all, or of many a choice."""
    if 2 ** len(pending) <= LIMIT:
        for size in range(len(pending) + 1):
            yield from itertools.combinations(pending, size)
        return
    everything = set(pending)
    for size in range(3):
        for few in itertools.combinations(pending, size):
            yield few
            yield everything - set(few)
    for end in range(len(pending)):
        yield pending[:end]
    drawing = random.Random(seed)
    for _ in range(DRAWN):
        yield [i for i in pending if drawing.random() < 0.5]


def states_weakest(operations):
    durable, pending = weakest(operations)
    for part in parts(pending, len(operations)):
        yield sorted(durable | set(part))


def states_ext4(operations):
    last_sync = max((i for i, o in enumerate(operations) if isinstance(o, SYNCS)), default=-1)
    synced_data = {i for at, o in enumerate(operations) if isinstance(o, Sync)
                   for i in range(at) if getattr(operations[i], "file", None) == o.file}
    names = [i for i, o in enumerate(operations) if isinstance(o, Names)]
    waiting = [i for i, o in enumerate(operations) if isinstance(o, (Data, Cut)) and i not in synced_data]
    files = sorted({operations[i].file for i in waiting}, key=str)
    for end in range(sum(i < last_sync for i in names), len(names) + 1):
        for part in parts(files, len(operations)):
            yield sorted(synced_data | set(names[:end]) | {i for i in waiting if operations[i].file in set(part)})


MODELS = {"ext4": states_ext4, "weakest": states_weakest}


# The checks of a state.

@functools.lru_cache(maxsize=None)
def opens(token, key):
    """Returns whether the MAC of a token matches the key."""
    *salt, body = token.removeprefix("enc:").split(":")
    salt = base64.urlsafe_b64decode(salt[0]) if salt else b"proxmox_mcp_salt"
    raw = base64.urlsafe_b64decode(base64.urlsafe_b64decode(body))
    return hmac.compare_digest(hmac.digest(derive(key, salt)[:16], raw[:-32], "sha256"), raw[-32:])


@functools.lru_cache(maxsize=None)
def derive(key, salt):
    return hashlib.pbkdf2_hmac("sha256", base64.urlsafe_b64decode(key), salt, 100_000)


def files_below(root):
    return {os.path.relpath(os.path.join(path, name), root): pathlib.Path(path, name).read_bytes()
            for path, _, names in os.walk(root) for name in names}


def is_beginning(log, whole):
    """Whether a log is the beginning of the whole one; its last line may be torn."""
    differs = next((at for at, byte in enumerate(log) if whole[at:at + 1] != bytes([byte])), None)
    return differs is None or len(log) <= whole.find(b"\n", differs) + 1


class Run:
    """A verb that ran: its operations, and all files before and after."""

    def __init__(self, name, scratch, prepare, arguments, stdin=b"", environment=None):
        self.name, self.root, self.scratch = name, f"{scratch}/{name}", scratch
        os.makedirs(f"{self.root}/tree")
        os.makedirs(f"{self.root}/home/backups")
        self.write("home/old.key", OLD_KEY + "\n")
        self.environment = {"HOME": f"{self.root}/home", "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": "/dev/shm",
                            "EDITOR": "sed -i s/second/changed/", **(environment or {})}
        prepare(self)
        self.before, self.start = files_below(self.root), Disk(self.root)
        log = f"{scratch}/{name}.trace"
        done = subprocess.run(["strace", "-f", "-qq", "-y", "-s", "1048576", "-e", "signal=none", "-e", f"trace={CALLS}",
                               "-o", log, FERNSEAL, *arguments], cwd=self.root, env=self.environment, input=stdin,
                              capture_output=True)
        assert done.returncode == 0, done
        self.after = files_below(self.root)
        self.operations, disk = read_trace(self.root, self.start, log)
        # The model must come to what the disk came to.
        modelled = disk.files(self.root)
        assert modelled == self.after, f"{name}: the trace does not lead to what is there: {set(modelled) ^ set(self.after)}"
        assert self.after != self.before, f"{name} has changed nothing"

    def write(self, name, text):
        path = pathlib.Path(self.root, name)
        path.write_text(text)
        path.chmod(0o600)

    def run(self, *arguments):
        done = subprocess.run([FERNSEAL, *arguments], cwd=self.root, env=self.environment, capture_output=True)
        assert done.returncode == 0, done

    def configs(self, count=1):
        for at in range(count):
            self.write(f"tree/{at}.json", CONFIG)
            self.run("encrypt", "-q", "--in-place", f"tree/{at}.json", "--field", "/database/password", *OPTIONS)

    def wrong(self, folder, has_ended):
        """What is wrong with the files in `folder`, as a power failure left them."""
        found = files_below(folder)
        keys = [data.decode().strip() for name, data in found.items() if name.startswith("home/") and ".key" in name
                and len(data) == 45]
        for name in sorted({*found, *self.before, *self.after}):
            if TEMPORARY.fullmatch(os.path.basename(name)):
                continue
            data, before, after = found.get(name), self.before.get(name), self.after.get(name)
            if name.endswith("audit"):
                if not is_beginning(data or b"", after or b""):
                    yield f"{name} is not the beginning of the log"
            elif data not in (before, after):
                yield f"{name} is neither as before nor as after: {data!r}"
                continue
            if has_ended and data != after:
                yield f"after exit 0 {name} is not what was promised"
            if data and ".json" in name:
                tokens = re.findall(r'"(enc:[^"]*)"', data.decode())
                if not all(any(opens(token, key) for key in keys) for token in tokens):
                    yield f"a token in {name} opens with no key that is there"
            if data == after != before and name in self.before and name.endswith(".json"):
                if self.name.startswith("rotate") and before not in (
                        other for at, other in found.items() if f"{os.path.basename(name)}.backup." in at):
                    yield f"{name} has changed, and has no backup"
                if "home/logs/audit" in self.after and b'"started"' not in found.get("home/logs/audit", b""):
                    yield f"{name} has changed, and the log does not say so"

    def judge(self, operations, model, first_only=False):
        """The number of states that a model allows, and what is wrong with them."""
        seen, wrong = set(), []
        for moment in range(len(operations) + 1):
            has_ended = moment == len(operations)
            for chosen in MODELS[model](operations[:moment]):
                disk = self.start.copy()
                for at in chosen:
                    disk.apply(operations[at])
                files = disk.files(self.root)
                state = (has_ended, frozenset(files.items()))
                if state in seen:
                    continue
                seen.add(state)
                with tempfile.TemporaryDirectory(prefix="state-", dir=self.scratch) as folder:
                    for name, data in files.items():
                        path = pathlib.Path(folder, name)
                        path.parent.mkdir(parents=True, exist_ok=True)
                        path.write_bytes(data)
                    wrong += [f"{self.name}, {model}, after {moment} of {len(operations)} operations: {what}"
                              for what in self.wrong(folder, has_ended)]
                if wrong and first_only:
                    return len(seen), wrong
        return len(seen), wrong


OPTIONS = ("--key-file", "home/old.key")
ROTATE = ["rotate", "tree", "--jobs", "1", "--new-key-out", "home/new.key", *OPTIONS]
LOG = ["--audit-log", "home/logs/audit"]


def with_logs(run):
    run.configs(2)
    os.mkdir(f"{run.root}/home/logs")


def rotated(run):
    run.configs(2)
    run.run(*ROTATE)
    time.sleep(1)  # the next backup is of another second


SCENARIOS = {
    "keygen": (lambda run: None, ["keygen", "-q", "-o", "home/made.key"]),
    "encrypt-in-place": (lambda run: run.write("tree/0.json", CONFIG), ["encrypt", "--in-place", "tree/0.json", *OPTIONS]),
    "encrypt-to": (lambda run: run.write("tree/0.json", CONFIG),
                   ["encrypt", "tree/0.json", "-o", "tree/out.json", *OPTIONS]),
    "encrypt-over": (lambda run: (run.write("tree/0.json", CONFIG), run.write("tree/out.json", "{}")),
                     ["encrypt", "tree/0.json", "--force", "-o", "tree/out.json", *OPTIONS]),
    "decrypt-to": (Run.configs, ["decrypt", "tree/0.json", "-o", "home/out.txt", *OPTIONS]),
    "decrypt-over": (lambda run: (run.configs(), run.write("home/out.txt", "{}")),
                     ["decrypt", "tree/0.json", "--force", "-o", "home/out.txt", *OPTIONS]),
    "set": (with_logs, ["set", "tree/0.json", "/database/password", *LOG, *OPTIONS]),
    "unset": (Run.configs, ["unset", "tree/0.json", "/port", *OPTIONS]),
    "edit": (Run.configs, ["edit", "tree/0.json", *OPTIONS]),
    "rotate": (with_logs, [*ROTATE, *LOG]),
    "rotate-elsewhere": (lambda run: run.configs(2), [*ROTATE, "--backup-dir", "home/backups"]),
    "rollback": (rotated, ["rotate", "--rollback", "tree", *OPTIONS]),
    "prune": (rotated, ["backups", "prune", "--yes", "tree", "--key-file", "home/new.key"]),
}

# The syncs that a careless twin does without.
TWINS = {"without syncs": SYNCS, "without syncs of files": Sync, "without syncs of directories": SyncNames}
# On ext4 the sync of any file, as of the log, makes names durable too.
FORGIVEN = ("without syncs of directories", "ext4")


def knows(verb):
    """Whether the command has the verb."""
    return subprocess.run([FERNSEAL, "help", verb], capture_output=True).returncode == 0


def main():
    only, failed, total = sys.argv[1:], False, 0
    begun = time.monotonic()
    if not shutil.which("strace"):
        print("SKIPPED: no strace")
        return
    with tempfile.TemporaryDirectory(prefix="fernseal-crash-states-", dir="/dev/shm") as scratch:
        scratch = os.path.realpath(scratch)
        for name, (prepare, arguments) in SCENARIOS.items():
            if only and name not in only or not knows(arguments[0]):
                continue
            run = Run(name, scratch, prepare, arguments, stdin=b"value-set")
            counts = []
            for model in MODELS:
                states, wrong = run.judge(run.operations, model)
                counts.append(f"{states} states ({model})")
                total += states
                for what in wrong[:5]:
                    print(f"LOST: {what}", flush=True)
                failed |= bool(wrong)
            syncs = [operation for operation in run.operations if isinstance(operation, SYNCS)]
            places = [at for at, operation in enumerate(run.operations) if isinstance(operation, SYNCS)]
            needed = sum(bool(run.judge(run.operations[:at] + run.operations[at + 1:], "weakest", first_only=True)[1])
                         for at in places)
            print(f"{name}: {len(run.operations) - len(syncs)} changes, {len(syncs)} syncs; {', '.join(counts)}; "
                  f"{needed} of the syncs are missed if left out alone", flush=True)
            for twin, kinds in TWINS.items():
                careless = [operation for operation in run.operations if not isinstance(operation, kinds)]
                if len(careless) == len(run.operations):
                    continue
                for model in MODELS:
                    if (twin, model) != FORGIVEN and not run.judge(careless, model, first_only=True)[1]:
                        print(f"MISSED: {name} {twin}: {model} finds nothing wrong with it", flush=True)
                        failed = True
    print(f"{total} states, secrets lost: {'some' if failed else 0}; {time.monotonic() - begun:.0f} seconds")
    sys.exit(failed)


if __name__ == "__main__":
    main()
