#!/usr/bin/env python3
"""Injects faults at every system call of a rotation, `set`, `encrypt` and `edit` that changes something, and checks that no
secret is lost.

    tests/setup.sh tools python && tests/faults/faults.py [SCENARIO [FAULT]]
    EVERY=N tests/faults/faults.py    every Nth fault

Each scenario is traced once, thread by thread. Then, for each system call that changes something, the script kills the rotation
just before it (with strace's injection), interrupts it there, and makes the call fail with each plausible error. It also runs
the rotation with limits on file sizes, on full file systems, and without random bytes. With several threads, the file that a
fault meets differs from run to run, and each thread that reaches the call meets the fault.

The rotations are of three JSON configs, and of a tree with a config of each of eight formats. `set`, `encrypt` and `edit` change
one config of that tree, in turn of each format that has values: each is killed everywhere, and of the other faults each format
takes a share.

After each fault, every config must be complete and open with the old key, or with a key in a file where the tool stores keys.
No secret may lie about, unrelated files must be unchanged, and the rerun that the tool proposes must complete and leave no
temporary file. The script also checks the order of the calls in the trace. A careless rotation (careless.py) gets the same
faults, to show that the script detects losses. Exit code 1 if ours loses anything, or the careless one nothing.
"""
import collections
import concurrent.futures
import contextlib
import itertools
import math
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve()
VENV = pathlib.Path(os.environ.get("FERNSEAL_VENV", HERE.parents[2] / "target/venv"), "bin/python")
if sys.prefix == sys.base_prefix and VENV.exists():
    os.execv(VENV, [VENV, *sys.argv])

sys.path.insert(0, str(HERE.parent))
import tree

# A program built with --cfg fernseal_portable (tests/platforms.sh), which renames files where Linux exchanges them.
PORTABLE = os.environ.get("FERNSEAL_PORTABLE")
FERNSEAL = PORTABLE or str(HERE.parents[2] / "target/release/fernseal")
CARELESS = [sys.executable, str(HERE.with_name("careless.py"))]
CHANGING = ("open openat creat mkdir mkdirat write pwrite64 writev fsync fdatasync rename renameat renameat2 link linkat "
            "unlink unlinkat truncate ftruncate chmod fchmod fchmodat chown fchown fsetxattr flock").split()
READING = "open openat read pread64 newfstatat fstat statx faccessat2 getdents64 flistxattr fgetxattr fcntl".split()
ERRORS = collections.defaultdict(lambda: "EIO ENOSPC EACCES EINTR".split(), {
    name: errors.split() for names, errors in {
        "open openat": "EIO ENOSPC EACCES EINTR EROFS EMFILE EOPNOTSUPP",
        "rename renameat renameat2 linkat": "EIO ENOSPC EACCES EINTR EXDEV EROFS EINVAL",
        "write": "EIO ENOSPC EINTR EDQUOT", "fchmod fchown fsetxattr": "EIO EPERM EROFS EINTR",
        "flock": "EIO EINTR ENOLCK", "unlinkat": "EIO EACCES EROFS EINTR"}.items() for name in names.split()})
# Errors that last: the run continues with them.
LASTING = ("EIO", "ENOSPC", "EROFS")
EDITOR = "sed -i -E 's/[a-z]+-secret-[0-9]+/edit-secret-0021/'"
KEY_NAMED = re.compile(r"--new-key-file ([^\s;]+)")

MISSED = "the fault did not come"

# `change`: of a verb that changes one config its name, the text with its secrets in plain text that it gets, and what is on
# stdin. `share`: which share of the faults is injected, of how many.
Scenario = collections.namedtuple("Scenario", "name tree home tool options goal configs change share",
                                  defaults=[tree.CONFIGS, None, (0, 1)])
Change = collections.namedtuple("Change", "config text stdin")
# `at`: the index among the calls of this name in its thread. `when`: the time of its end; for a renaming, of its
# beginning.
Call = collections.namedtuple("Call", "thread name at arguments result when")
Fault = collections.namedtuple("Fault", "scenario kind text")
MAY_MOUNT = "FERNSEAL_INSIDE" in os.environ
MOUNTING = threading.Lock()  # mount(8) reads the table of mounts, which another must not change meanwhile


class Place:
    """A copy of a scenario's tree and home, for one run and its rerun."""

    def __init__(self, scenario, root=None, home=None):
        self.scenario, self.work = scenario, tempfile.mkdtemp(prefix="run-")
        self.root, self.home = root or f"{self.work}/tree", home or f"{self.work}/home"
        shutil.copytree(scenario.tree, self.root, dirs_exist_ok=True)
        shutil.copytree(scenario.home, self.home, dirs_exist_ok=True)
        self.env = {"HOME": self.home, "PATH": os.environ["PATH"], "PROXMOX_MCP_MASTER_KEY": tree.OLD_KEY,
                    "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "EDITOR": EDITOR}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.work, ignore_errors=True)

    def run(self, *, key_file=None, before=(), setup=None):
        """Runs the tool on the tree. Returns its exit code and its output."""
        options = [option.format(home=self.home) for option in self.scenario.options]
        if key_file and "--new-key-out" in options:
            at = options.index("--new-key-out")
            del options[at:at + 2]
        if key_file and "--new-key-file" not in options:
            options += ["--new-key-file", key_file]
        change = self.scenario.change
        subject = f"{self.root}/{change.config}" if change else self.root
        done = subprocess.run([*before, *self.scenario.tool, subject, *options], env=self.env, preexec_fn=setup,
                              text=True, errors="replace", input=change.stdin if change else "", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=600)
        return done.returncode, done.stdout

    def harm(self, said):
        return list(tree.harm(self.root, self.home, self.scenario.configs, said, self.scenario.change))

    def wrong(self, said):
        """Returns what is wrong after a disturbed run and, for ours, after the rerun that it proposes."""
        found = self.harm(said)
        if found or self.scenario.tool == CARELESS:
            return found
        code, said = self.run()
        named = KEY_NAMED.search(said)
        if code != 0 and named:
            code, said = self.run(key_file=named[1])
        found = [f"the rerun ended with {code}: {said}"] if code != 0 else []
        return found + self.harm(said) + self.unfinished()

    def unfinished(self):
        change = self.scenario.change
        if change and self.scenario.name != "set":
            # If the work was done, the rerun wrote nothing. The next command that writes there removes what was left.
            free, where = tree.FREE[change.config]
            subprocess.run([FERNSEAL, "set", "-q", f"{self.root}/{change.config}", where], env=self.env, input=free, text=True)
        found = list(tree.unfinished(self.root, self.home, self.scenario.configs, self.scenario.goal))
        if change and tree.plain_again(pathlib.Path(self.root, change.config), [tree.OLD_KEY]) != change.text.encode():
            found.append(f"{change.config} has not the value that it was to get")
        if self.scenario.name == "encrypt" and len(tree.tokens_in(pathlib.Path(self.root, change.config))) != 2:
            found.append(f"{change.config} was not encrypted")
        return found


def is_changing(work, call):
    if call.name not in CHANGING:
        return False
    if call.name in ("open", "openat"):
        return work in call.arguments and re.search("O_CREAT|O_WRONLY|O_RDWR|O_TMPFILE", call.arguments) is not None
    return work in call.arguments or call.name == "flock" or re.match(r"[12]<", call.arguments) is not None


def trace(scenario):
    """Returns the system calls of a normal run, thread by thread with the main one first, and its working directory."""
    with Place(scenario) as place:
        log = f"{place.work}/trace"
        code, said = place.run(before=["strace", "-ff", "-ttt", "-T", "-y", "-s0", "-o", log, "-e",
                                       "trace=getrandom," + ",".join({*CHANGING, *READING})])
        assert code == 0, said
        wrong = place.harm(said) + place.unfinished()
        assert not wrong, wrong
        threads = []
        for path in pathlib.Path(place.work).glob("trace.*"):
            counts, calls = collections.Counter(), []
            for line in open(path):
                if match := re.match(r"(\S+) (\w+)\((.*)\) += (\S+).*<(\S+)>$", line):
                    begun, name, arguments, result, took = match.groups()
                    counts[name] += 1
                    when = float(begun) + (0 if name.startswith("rename") else float(took))
                    calls.append(Call(path.suffix, name, counts[name], arguments, result, when))
            threads.append(calls)
        threads.sort(key=lambda calls: calls[0].when if calls else math.inf)
        if scenario.change:
            # The editor and the process that removes its file are not the command.
            del threads[1:]
        return place.work, [call for calls in threads for call in calls]


def injections(scenario, work, calls):
    """Yields strace's option for each fault. A call that several threads make is one fault, for the main thread if it makes it."""
    for call in {(call.name, call.at): call for call in reversed(calls)}.values():
        if is_changing(work, call):
            yield Fault(scenario, "killed", f"inject={call.name}:signal=KILL:when={call.at}")
            yield Fault(scenario, "interrupted", f"inject={call.name}:signal=TERM:when={call.at}")
            for error in ERRORS[call.name]:
                yield Fault(scenario, "failing once", f"inject={call.name}:error={error}:when={call.at}")
                if error in LASTING:
                    yield Fault(scenario, "failing from there on", f"inject={call.name}:error={error}:when={call.at}+")
        elif call.name in READING and work in call.arguments:
            yield Fault(scenario, "reading fails", f"inject={call.name}:error=EIO:when={call.at}")
        elif call.name == "getrandom":
            yield Fault(scenario, "no random bytes", f"inject=getrandom:error=EIO:when={call.at}+")
            yield Fault(scenario, "no random bytes", f"inject=getrandom:error=ENOSYS:when={call.at}+")


def limits(scenario):
    """Yields faults in which no file may grow beyond a size."""
    for size in itertools.chain(range(0, 64, 8), range(64, 1024, 64)):
        yield Fault(scenario, "file size limited", f"RLIMIT_FSIZE={size}")


def full_file_systems(scenario):
    """Yields faults in which the tree or the home is on a file system with few free pages and inodes."""
    for where, pages, inodes in itertools.product(("root", "home"), range(5), range(5)):
        yield Fault(scenario, "full file system", f"full={where},{pages},{inodes}")


def disturb(fault):
    """Returns what goes wrong under a fault."""
    if fault.text.startswith("inject="):
        return injected(fault)
    if fault.text.startswith("RLIMIT_FSIZE="):
        size = int(fault.text.split("=")[1])
        with Place(fault.scenario) as place:
            # The output goes through a pipe, to which the limit does not apply.
            code, said = place.run(setup=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
            return ([f"died of signal {-code}"] if code < 0 else []) + place.wrong(said)
    where, pages, inodes = fault.text.split("=")[1].split(",")
    return on_full(fault, where, int(pages), int(inodes))


def injected(fault):
    """Returns what goes wrong under an injected fault. If another thread did the work, it tries again."""
    for _ in range(3 if fault.scenario.name == "threads" else 1):
        wrong = injected_once(fault)
        if wrong != [MISSED]:
            break
    return wrong


def injected_once(fault):
    name = re.match(r"inject=(\w+)", fault.text)[1]
    with Place(fault.scenario) as place:
        log = f"{place.work}/log"
        # Without -f, other processes than the command itself meet no fault.
        follow = [] if fault.scenario.change else ["-f"]
        code, said = place.run(before=["strace", *follow, "-qq", "-s0", "-o", log, "-e", f"trace={name}", "-e", fault.text])
        # A fault that does not occur proves nothing.
        if fault.kind == "killed":
            missed = code not in (-signal.SIGKILL, 128 + signal.SIGKILL)
        else:
            missed = not re.search(r"\(INJECTED\)|--- SIGTERM", open(log).read())
        wrong = [MISSED] if missed else []
        if fault.kind == "interrupted" and fault.scenario.tool != CARELESS:
            told = code == 0 or code == 9 and ("nothing was changed" in said or KEY_NAMED.search(said)
                                               or "run the same command again" in said)
            wrong += [] if told else [f"interrupted, it ended with {code}: {said}"]
        if fault.scenario.tool != CARELESS and code in (101, 134, -signal.SIGABRT):
            wrong += [f"it panicked: {said}"]
        return wrong + place.wrong(said)


def mount(*arguments):
    with MOUNTING:
        subprocess.run(arguments, check=True)


def on_full(fault, where, pages, inodes):
    with tempfile.TemporaryDirectory(prefix="full-") as point:
        mount("mount", "-t", "tmpfs", "-o", "size=800k,nr_inodes=200,mode=700", "tmpfs", point)
        try:
            with Place(fault.scenario, **{where: f"{point}/here"}) as place:
                pathlib.Path(point, "filler").write_bytes(bytes(4096))  # a size of 0 would mean no limit
                used = os.statvfs(point)
                mount("mount", "-o", f"remount,size={(used.f_blocks - used.f_bfree + pages) * 4}k,"
                      f"nr_inodes={used.f_files - used.f_ffree + inodes}", point)
                _, said = place.run()
                after = place.harm(said)
                mount("mount", "-o", "remount,size=800k,nr_inodes=200", point)
                return after + place.wrong(said)
        finally:
            mount("umount", point)


def audit(scenario, work, calls):
    """Checks the order of a normal run. No thread publishes a file before it is durable, or before the file that the thread
    published last is durable. No config changes before its backup, the new key, and the directories that were made for
    backups are durable."""
    synced, open_now, waiting, key_synced, replaced, backed_up, made = set(), {}, {}, [], [], set(), set()
    for thread, name, _, arguments, result, _ in sorted(calls, key=lambda call: call.when):
        paths, names = re.findall(r"<([^>]*)>", arguments), re.findall(r'"([^"]*)"', arguments)
        open_now.update(re.findall(r"(\d+)<([^>]*)>", arguments))
        if name in ("open", "openat") and work in arguments and re.search("O_CREAT|O_TMPFILE", arguments):
            apart = "O_EXCL" in arguments or "O_TMPFILE" in arguments or "O_APPEND" in arguments
            assert apart and arguments.endswith(", 0600"), f"created with {arguments}"
        elif name == "write":
            synced.discard(paths[0])
        elif name == "fsync" and result == "0":
            synced.add(paths[0])
            made.discard(paths[0])
            if tree.is_key_file(paths[0]) or paths[0] == f"{work}/home":
                key_synced.append(paths[0])
            if waiting.get(thread) == paths[0]:
                del waiting[thread]
        elif name == "mkdirat" and result == "0":
            made.add(paths[0])
        elif name == "linkat" and result == "0":
            # A file without a name gets its name when it is written and synced.
            source, target = open_now[names[0].removeprefix("/proc/self/fd/")], f"{paths[-1]}/{names[-1]}"
            assert source in synced, f"{target} gets its name before it is synced"
            assert thread not in waiting, f"{waiting} was not synced before the next file was published"
            if tree.TEMPORARY.fullmatch(names[-1]):
                # The next call exchanges it with a config.
                synced.add(target)
                continue
            waiting[thread] = paths[-1]
            if ".backup." in target:
                backed_up.add((thread, names[-1].split(".backup.")[0]))
                continue
            assert len(waiting) == 1, f"{waiting} was not synced before a key was published"
            key_synced.append(target)
        elif name.startswith("rename") and result == "0":
            assert thread not in waiting, f"{waiting} was not synced before the next file was published"
            source, target = f"{paths[0]}/{names[0]}", f"{paths[1]}/{names[1]}"
            assert source in synced, f"{target} is published before it is synced"
            assert "RENAME_EXCHANGE" in arguments, f"{target} is replaced unseen"
            waiting[thread] = paths[1]
            replaced.append(thread)
            assert not made, f"{target} is replaced before what was made in {made} is durable"
            if scenario.goal == "new":
                assert (thread, names[1]) in backed_up, f"{target} is replaced before its backup is there"
                # The audit log, whose directory is synced with it, may be there too.
                since_key = list(itertools.dropwhile(lambda path: not tree.is_key_file(path), key_synced))
                durable = f"{work}/home" in since_key[1:]
                assert durable, f"a config changes before the key is durable: {key_synced}"
    assert not waiting, f"{waiting} was not synced in the end"
    expected = 1 if scenario.change else len(scenario.configs)
    assert len(replaced) == expected or scenario.name == "resumed", f"replaced: {replaced}"
    alone = scenario.name != "threads"
    assert (len(set(replaced)) == 1) == alone, f"{len(set(replaced))} threads wrote"


def scenarios(scratch):
    """Makes the scenarios: a plain rotation, one with all options, the rest of a killed one, a rollback, one with threads."""
    base, home = f"{scratch}/base", f"{scratch}/home"
    os.mkdir(home)
    tree.make(FERNSEAL, base, tree.CONFIGS)
    formats = f"{scratch}/formats"
    tree.make(FERNSEAL, formats, tree.FORMATS)
    rotate = [FERNSEAL, "rotate", "--jobs", "1"]
    plain = Scenario("plain", base, home, rotate, [], "new")
    furnished = f"{scratch}/furnished"
    os.makedirs(f"{furnished}/backups")
    options = ["--new-key-out", "{home}/new.key", "--backup-dir", "{home}/backups", "--audit-log", "{home}/audit.log"]
    yield Scenario("plain", formats, home, rotate, [], "new", tree.FORMATS)
    yield Scenario("options", base, furnished, rotate, options, "new")
    replacing = "linkat" if PORTABLE else "renameat2"
    for name, fault in (("resumed", f"inject={replacing}:signal=KILL:when=2"), ("rollback", None)):
        with Place(plain) as place:
            place.run(before=["strace", "-qq", "-o", "/dev/null", "-e", fault] if fault else [])
            shutil.copytree(place.root, f"{scratch}/{name}")
            shutil.copytree(place.home, f"{scratch}/{name}-home")
        # The names of backups contain the second, so the next run must begin in another one.
        time.sleep(1)
        key = os.path.basename(next(iter(tree.key_files(f"{scratch}/{name}-home"))))
        options = ["--new-key-file", "{home}/" + key] if fault else ["--rollback"]
        goal = "new" if fault else "old"
        yield Scenario(name, f"{scratch}/{name}", f"{scratch}/{name}-home", rotate, options, goal)
    many = f"{scratch}/many"
    tree.make(FERNSEAL, many, tree.MANY)
    yield Scenario("threads", many, home, [FERNSEAL, "rotate", "--jobs", "2"], ["--json"], "new", tree.MANY)
    yield from verbs(formats, home)
    yield Scenario("careless", base, home, CARELESS, [], "new")


def verbs(formats, home):
    """Makes the scenarios of the verbs that change one config, one of each format that has values."""
    names = [name for name, (_, _, fields, _) in tree.FORMATS.items() if fields is not None]
    for at, name in enumerate(names):
        text, fields = tree.FORMATS[name][1:3]
        field, secret = (fields or ["/auth/token_value"])[0], re.search(r"\w+-secret-\d+", text)[0]
        free, where = tree.FREE[name]
        for verb, change, options in (
            ("set", Change(name, text.replace(secret, "set-secret-0020"), "set-secret-0020"), [field]),
            ("encrypt", Change(name, text, ""), ["--in-place", "--field", where]),
            ("edit", Change(name, text.replace(secret, "edit-secret-0021"), ""), []),
        ):
            tool = [FERNSEAL, verb, "-q"]
            yield Scenario(verb, formats, home, tool, options, "old", tree.FORMATS, change, (at, len(names)))


def faults_of(scenario):
    work, calls = trace(scenario)
    faults = list(injections(scenario, work, calls))
    if scenario.name == "careless":
        return [fault for fault in faults if fault.kind in ("killed", "failing once")]
    if not PORTABLE:
        audit(scenario, work, calls)
    if scenario.name in ("plain", "threads"):
        # strace does not count calls of the other threads; limits reach what those write.
        faults += limits(scenario)
    if scenario.name == "plain":
        faults += full_file_systems(scenario) if MAY_MOUNT else ()
    else:
        # Reading is the same in all scenarios.
        faults = [fault for fault in faults if fault.kind != "reading fails"]
    at, shares = scenario.share
    killed = [fault for fault in faults if fault.kind == "killed"]
    faults = killed + [fault for fault in faults if fault.kind != "killed"][at::shares]
    changing = sum(is_changing(work, call) for call in calls)
    of = f" of {scenario.change.config}" if scenario.change else ""
    print(f"{scenario.name}{of}: {changing} system calls change something, {len(faults)} faults", flush=True)
    return faults


def main():
    if not MAY_MOUNT and os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"]).returncode == 0:
        # The script runs in a mount namespace of its own, which disappears with it, including all mounts.
        os.environ["FERNSEAL_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])
    if not PORTABLE:
        subprocess.run("cargo build --release --locked --quiet -p fernseal".split(), cwd=HERE.parents[2], check=True)
    begun, only = time.monotonic(), sys.argv[1:]
    workers = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    with tempfile.TemporaryDirectory(prefix="fernseal-faults-") as place, contextlib.ExitStack() as leaving:
        scratch = f"{place}/work"
        os.mkdir(scratch)
        if MAY_MOUNT:
            mount("mount", "-t", "tmpfs", "-o", "size=256m,mode=700", "tmpfs", scratch)
            leaving.callback(mount, "umount", "--lazy", scratch)
        else:
            print("SKIPPED: full file systems; only root can mount them, and not in every container")
        tempfile.tempdir = scratch
        faults = [fault for scenario in scenarios(scratch) if only[:1] in ([], [scenario.name])
                  for fault in faults_of(scenario) if only[1:] in ([], [fault.text])]
        faults = faults[::int(os.environ.get("EVERY", 1))]
        results = zip(faults, workers.map(disturb, faults))
        ours, careless, lost, missed = collections.Counter(), collections.Counter(), 0, 0
        for fault, wrong in results:
            if fault.scenario.name == "careless":
                careless[fault.kind] += bool(wrong)
                continue
            if wrong == [MISSED] and fault.scenario.name == "threads":
                missed += 1
                continue
            ours[fault.kind] += 1
            lost += bool(wrong)
            for what in wrong:
                again = f"{os.path.relpath(sys.executable)} {os.path.relpath(HERE)} {fault.scenario.name} {fault.text!r}"
                print(f"LOST: {what}\n  again: {again}", flush=True)

    for kind, count in ours.most_common():
        print(f"  {count:4}  {kind}")
    print(f"{ours.total()} faults, secrets lost: {lost}")
    print(f"(and {missed} that did not come, as another thread took the work)")
    if count := sum(fault.scenario.name == "careless" for fault in faults):
        print(f"(a careless rotation, for comparison: {count} faults, secrets lost at {careless.total()})")
    print(f"{time.monotonic() - begun:.0f} seconds")
    is_much = not only and int(os.environ.get("EVERY", 1)) <= 4
    if lost or missed > ours.total() // 50 or is_much and not (careless["killed"] and careless["failing once"]):
        sys.exit(1)


if __name__ == "__main__":
    main()
