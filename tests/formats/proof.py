#!/usr/bin/env python3
"""Seals each scalar of the corpora in turn, and lets other readers say whether the text is the same but for that value.

    proof.py CORPUS [--each N] [--files N]      CORPUS as corpora.py leaves it; at most so many scalars and files

All must be the same, or be refused with a reason that is counted here. Exit code 1 if one is not.
"""

import argparse
import collections
import json
import pathlib
import signal
import subprocess
import sys
import time

import awkward
import peers

HERE = pathlib.Path(__file__).parent
# Readers in pure Python, which are slow. They get every fifth file, and of each file only the first cases, up to this
# many bytes in all.
SLOW = {"ruamel.yaml": 12_000}


def names(corpus, formats, most):
    files = sorted(str(path) for path in (corpus / formats).rglob("*") if path.is_file())
    step = max(1, -(-len(files) // most)) if most else 1
    return files[::step]


def cases(program, kind, files, each):
    run = subprocess.Popen([program, kind, str(each)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    import threading
    feed = threading.Thread(target=lambda: (run.stdin.write("\n".join(files) + "\n"), run.stdin.close()))
    feed.start()
    for line in run.stdout:
        yield json.loads(line), line
    feed.join()
    if run.wait():
        sys.exit(f"{program} failed: a value did not come back as it was")


def in_node(kind, modules):
    return subprocess.Popen(["node", HERE / "peers.mjs", kind, modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def prove(program, kind, files, each, modules):
    count = collections.Counter()
    refused, faults = collections.Counter(), []
    node = in_node(kind, modules) if kind in ("yaml", "env") else None
    read, data, spent = {}, b"", collections.Counter()
    for case, line in cases(program, kind, files, each):
        if "unread" in case:
            count["files refused"] += 1
            refused["file: " + case["unread"]] += 1
            continue
        if "leaves" in case:
            count["files"] += 1
            count["scalars"] += case["leaves"]
            data = pathlib.Path(case["file"]).read_bytes()
            read = {}
            for name, reader in peers.READERS[kind].items():
                try:
                    read[name] = reader(data.decode())
                except Exception:  # whatever a reader says of a text that it does not read
                    read[name] = None
                    count[f"files that {name} does not read"] += 1
            if node:
                node.stdin.write(line)
            continue
        if "refused" in case:
            count["values refused"] += 1
            refused["value: " + case["refused"]] += 1
            continue
        if "not_added" in case:
            count["addings refused"] += 1
            refused["adding: " + case["not_added"]] += 1
            continue
        if "added" in case:
            count["added"] += 1
            if case["removed"] is True:
                count["added and removed, as it was before"] += 1
            elif case["removed"] is False:
                count["added and removed, but for a line end"] += 1
            else:
                refused["removing: " + case["removed"]] += 1
            added = peers.spliced(data, case["added"]).decode()
            for name, reader in peers.READERS[kind].items():
                if read[name] is None or name in SLOW:
                    continue
                try:
                    wrong = peers.fault_of_added(read[name], reader(added), case["token"])
                except Exception as error:
                    wrong = f"{type(error).__name__}: {error}"
                count[f"compared by {name}"] += 1
                if wrong:
                    faults.append((name, "added", case["file"], case["pointer"], wrong))
            continue
        count["sealed"] += 1
        if node:
            node.stdin.write(line)
        sealed = peers.spliced(data, case["sealed"])
        texts = [("sealed", sealed, case["token"])]
        if "opened" in case:
            count["opened"] += 1
            texts.append(("opened", peers.spliced(sealed, case["opened"]), case["plain"]))
        else:
            count["openings refused"] += 1
            refused["opening: " + case["unopened"]] += 1
        for name, reader in peers.READERS[kind].items():
            if read[name] is None:
                continue
            if name in SLOW:
                if len(files) > 1000 and count["files"] % 5 or spent[name, case["file"]] > SLOW[name]:
                    continue
                spent[name, case["file"]] += len(data) * 2
            for what, text, wanted in texts:
                try:
                    after = reader(text.decode())
                    wrong = peers.fault(read[name], after, case, wanted)
                except Exception as error:
                    wrong = f"{type(error).__name__}: {error}"
                count[f"compared by {name}"] += 1
                if wrong:
                    faults.append((name, what, case["file"], case["pointer"], wrong))
    if node:
        node.stdin.close()
        for line in node.stdout:
            told = json.loads(line)
            if "count" in told:
                count.update(told["count"])
            else:
                faults.append((told["reader"], told["what"], told["file"], told["pointer"], told["wrong"]))
        if node.wait():
            sys.exit("node failed")
    return count, refused, faults


def main():
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("--program", default=HERE / "../../target/release/fernseal-formats")
    parser.add_argument("--modules", default=HERE / "../../target/node")
    parser.add_argument("--each", type=int, default=10**9)
    parser.add_argument("--files", type=int, default=0)
    parser.add_argument("--secrets", type=int, default=2000, help="how many random ones are written to awkward spots")
    parser.add_argument("--only")
    args = parser.parse_args()
    failed = 0
    for kind in peers.READERS:
        if args.only and kind != args.only:
            continue
        began = time.monotonic()
        files = names(args.corpus, kind, args.files)
        count, refused, faults = prove(args.program, kind, files, args.each, args.modules)
        print(f"{kind}: {len(files)} files in {time.monotonic() - began:.0f} s")
        for name, number in sorted(count.items()):
            print(f"  {number:8} {name}")
        for name, number in refused.most_common():
            print(f"  {number:8} refused, {name}")
        by_kind = collections.Counter((name, what, wrong[:60]) for name, what, _, _, wrong in faults)
        for (name, what, wrong), number in by_kind.most_common(20):
            example = next(fault for fault in faults if (fault[0], fault[1], fault[4][:60]) == (name, what, wrong))
            print(f"  {number:8} NOT THE SAME to {name}, {what}: {wrong}; e.g. {example[2]} {example[3]}")
        failed += len(faults)

        count, faults = awkward.prove(args.program, kind, args.secrets, args.modules, SLOW)
        print(f"{kind}, awkward secrets:")
        for name, number in sorted(count.items()):
            print(f"  {number:8} {name}")
        for name, secret, text, after in faults[:20]:
            print(f"  NOT THE SAME to {name}: {secret!r} in {text!r} is {after!r}")
        failed += len(faults)
    print(f"{failed} values are not as they were" if failed else "All values are as they were")
    sys.exit(bool(failed))


main()
