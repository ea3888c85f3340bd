#!/usr/bin/env python3
"""Disturbs a rotation at every system call that changes something, and looks whether a secret is lost.

    cargo build --release -p fernseal && target/venv/bin/python tests/faults/faults.py

A rotation of three configs (both token formats, odd modes, bystanders) is traced once; then for each of its mutating
system calls it is killed just before it (strace's injection), and the call is made to fail with each error that fits;
also with limits on file size, on file systems that are full, and without random bytes. After each: every config is
whole, opens by the old key or by a key in a file that the tool names, nothing secret lies about, bystanders are as
they were, and the rerun that the tool itself proposes completes. The trace's order is audited, and a careless rotation
(careless.py) goes through the same mill, to show that losses are seen. Exit code 1 if one secret is lost by ours.
"""
import concurrent.futures
import itertools
import os
import pathlib
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tree

ROOT = pathlib.Path(__file__).resolve().parents[2]
FERNSEAL = str(ROOT / "target/release/fernseal")
CARELESS = [sys.executable, str(pathlib.Path(__file__).with_name("careless.py"))]
CALLS = ("openat mkdirat write fsync fdatasync renameat renameat2 linkat unlinkat unlink rename ftruncate fchmod "
         "fchmodat chmod fchown fsetxattr flock").split()
ERRORS = {"openat": "EIO ENOSPC EACCES EROFS EMFILE", "renameat": "EIO ENOSPC EACCES EXDEV EROFS",
          "renameat2": "EIO ENOSPC EACCES EXDEV EROFS EINVAL", "fchmod": "EPERM EROFS", "fchown": "EPERM EROFS",
          "flock": "EIO EINTR ENOLCK", "unlinkat": "EIO EACCES", "write": "EIO ENOSPC EINTR EDQUOT"}
DEFAULT_ERRORS = "EIO ENOSPC EACCES EINTR"


class Place:
    """A copy of the tree and a home, for one run and its rerun."""

    def __init__(self, template, tool, root=None, home=None):
        self.template, self.tool = template, tool
        self.work = tempfile.mkdtemp(prefix="fernseal-faults-")
        self.root, self.home = root or f"{self.work}/tree", home or f"{self.work}/home"
        shutil.copytree(template, self.root, dirs_exist_ok=True)
        os.makedirs(self.home, exist_ok=True)
        self.env = {"HOME": self.home, "PATH": os.environ["PATH"], "PROXMOX_MCP_MASTER_KEY": tree.OLD_KEY,
                    "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.work, ignore_errors=True)

    def rotate(self, *arguments, before=(), setup=None):
        """Runs the tool on the tree; returns its exit code and all that it said."""
        done = subprocess.run([*before, *self.tool, self.root, *arguments], env=self.env, preexec_fn=setup, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        return done.returncode, done.stdout

    def losses(self, said, ours):
        """What is wrong after a disturbed run and, for ours, after the rerun that it proposes."""
        found = list(tree.harm(self.template, self.root, self.home, said))
        if not found and ours:
            code, said = self.rotate()
            named = re.search(r"--new-key-file (\S+)", said)
            if code != 0 and named:
                code, said = self.rotate("--new-key-file", named[1])
            found += [f"the rerun ended with {code}: {said}"] if code != 0 else []
            found += tree.harm(self.template, self.root, self.home, said)
            found += tree.unfinished(self.root, self.home)
        return found


def trace(template, tool, log):
    """A normal run's system calls: [(name, how many of this name before it, arguments, result)]."""
    with Place(template, tool) as place:
        strace = ["strace", "-y", "-s0", "-o", log, "-e", "trace=getrandom," + ",".join(CALLS)]
        code, said = place.rotate(before=strace)
        assert code == 0, said
        wrong = list(tree.harm(template, place.root, place.home, said)) + list(tree.unfinished(place.root, place.home))
        assert not wrong, wrong
        work = place.work
    counts, calls = {}, []
    for line in open(log):
        if match := re.match(r"(\w+)\((.*)\) += (\S+)", line):
            name = match[1]
            counts[name] = counts.get(name, 0) + 1
            calls.append((name, counts[name], match[2], match[3]))
    return work, calls


def is_mutating(work, name, arguments):
    if name == "getrandom":
        return False
    if name == "openat":
        return bool(re.search("O_CREAT|O_WRONLY|O_RDWR", arguments)) and "/dev/" not in arguments
    return work in arguments or name == "flock" or re.match(r"[12]<", arguments) is not None


def injections(work, calls, careless=False):
    """strace's options for every fault, each with its kind."""
    for name, at, arguments, _ in calls:
        if is_mutating(work, name, arguments):
            yield "killed", f"inject={name}:signal=KILL:when={at}"
            for error in ERRORS.get(name, DEFAULT_ERRORS).split():
                yield "failing", f"inject={name}:error={error}:when={at}"
                if not careless and error in ("EIO", "ENOSPC", "EROFS"):
                    yield "failing from there on", f"inject={name}:error={error}:when={at}+"
    draws = sum(1 for name, *_ in calls if name == "getrandom")
    for at in range(1, 0 if careless else draws + 1):
        yield "without random bytes", f"inject=getrandom:error=EIO:when={at}+"


def inject(template, tool, kind, fault, ours=True):
    with Place(template, tool) as place:
        _, said = place.rotate(before=["strace", "-qq", "-o", "/dev/null", "-e", fault])
        return kind, fault, place.losses(said, ours)


def limit(template, tool, kind, size):
    """No file may grow beyond `size` bytes: the kernel kills, or refuses with EFBIG where the signal is ignored."""

    def setup():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN if "refused" in kind else signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    with Place(template, tool) as place:
        # The output goes through a pipe, which has no size.
        _, said = place.rotate(setup=setup)
        return kind, f"RLIMIT_FSIZE={size}", place.losses(said, True)


MOUNTING = threading.Lock()  # mount(8) reads the table of mounts, which another must not change meanwhile


def mount(*arguments):
    with MOUNTING:
        subprocess.run(arguments, check=True)


def full(template, tool, where, pages, inodes):
    """The tree or the home is a file system with so many free pages and inodes."""
    with tempfile.TemporaryDirectory(prefix="fernseal-faults-") as point:
        mount("mount", "-t", "tmpfs", "-o", "size=800k,nr_inodes=200,mode=700", "tmpfs", point)
        try:
            with Place(template, tool, **{where: f"{point}/here"}) as place:
                pathlib.Path(point, "filler").write_bytes(bytes(4096))  # a size of 0 would mean no limit
                used = os.statvfs(point)
                remount = (f"remount,size={(used.f_blocks - used.f_bfree + pages) * 4}k,"
                           f"nr_inodes={used.f_files - used.f_ffree + inodes}")
                mount("mount", "-o", remount, point)
                _, said = place.rotate()
                after = list(tree.harm(template, place.root, place.home, said))
                mount("mount", "-o", "remount,size=800k,nr_inodes=200", point)
                return "full file system", f"{where}, {pages} pages, {inodes} inodes", after + place.losses(said, True)
        finally:
            mount("umount", point)


def audit(work, calls):
    """The order of a normal run: nothing is published before it is durable, no config changes before the new key is."""
    synced, published, key_durable, first_config = set(), None, [], None
    for name, _, arguments, _ in calls:
        paths = re.findall(r"<([^>]*)>", arguments)
        names = re.findall(r'"([^"]*)"', arguments)
        if name == "openat" and "O_CREAT" in arguments:
            assert "O_EXCL" in arguments and "0600" in arguments, f"created with {arguments}"
        if name == "write" and paths:
            synced.discard(paths[0])
        if name == "fsync":
            synced.add(paths[0])
            if "/.proxmox_mcp_key." in paths[0] or paths[0] == f"{work}/home":
                key_durable.append(paths[0])
            if published == paths[0]:
                published = None
        if name.startswith("rename"):
            assert published is None, f"{published} was not synced before the next rename"
            source, target = f"{paths[0]}/{names[0]}", f"{paths[1]}/{names[1]}"
            assert source in synced, f"{target} is published before it is synced"
            published = paths[1]
            if ".backup." not in target and first_config is None:
                first_config = target
                assert len(key_durable) == 2 and key_durable[1] == f"{work}/home", "a config changes before the key is durable"
    assert published is None, f"{published} was not synced in the end"
    assert first_config, "no config was replaced"


def main():
    if os.geteuid() == 0 and "--inside" not in sys.argv and shutil.which("unshare"):
        # A mount namespace of its own, so that no file system is left behind.
        os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv, "--inside"])
    tool = [FERNSEAL, "rotate", "--jobs", "1"]
    workers = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    with tempfile.TemporaryDirectory(prefix="fernseal-faults-") as scratch:
        template, log = f"{scratch}/template", f"{scratch}/trace"
        tree.make(FERNSEAL, template)

        work, calls = trace(template, tool, log)
        audit(work, calls)
        faults = [workers.submit(inject, template, tool, *fault) for fault in injections(work, calls)]
        for size in itertools.chain(range(0, 64, 8), range(64, 1024, 64)):
            for kind in ("file size limited, killed", "file size limited, refused"):
                faults.append(workers.submit(limit, template, tool, kind, size))
        if os.geteuid() == 0:
            for where, pages, inodes in itertools.product(("root", "home"), range(0, 5), range(0, 5)):
                faults.append(workers.submit(full, template, tool, where, pages, inodes))
        else:
            print("SKIPPED full file systems: only root can mount them")

        tally, lost = {}, 0
        for done in concurrent.futures.as_completed(faults):
            kind, fault, wrong = done.result()
            tally[kind] = tally.get(kind, 0) + 1
            lost += bool(wrong)
            for what in wrong:
                print(f"LOST {fault}: {what}")

        careless_work, careless_calls = trace(template, CARELESS, log)
        careless = [workers.submit(inject, template, CARELESS, *fault, ours=False)
                    for fault in injections(careless_work, careless_calls, careless=True)]
        careless_lost = sum(bool(done.result()[2]) for done in careless)

    changing = sum(is_mutating(work, name, arguments) for name, _, arguments, _ in calls)
    print(f"{changing} system calls of a rotation of {len(tree.CONFIGS)} configs change something, each disturbed in turn:")
    for kind, count in sorted(tally.items()):
        print(f"  {count:4}  {kind}")
    print(f"{len(faults)} faults, secrets lost: {lost}")
    print(f"(a careless rotation, for comparison: {len(careless)} faults, secrets lost at {careless_lost})")
    if lost or not careless_lost:
        sys.exit(1)


if __name__ == "__main__":
    main()
