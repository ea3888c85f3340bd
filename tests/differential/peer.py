"""The Python side of the differential test: the original's token scheme on pyca/cryptography, and Python's json module.

Each line of stdin is a list of cases; one line with the list of answers, in the same order, is printed for it. Binary
values are hex. A derivation has one iteration, because the test does not compare derivations.
"""

import json
import pathlib
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "interop"))
import original
from cryptography.fernet import Fernet

original.ITERATIONS = 1
# The json module and the functions below are recursive. Python's own limit of 1 000 levels is less than we read.
sys.setrecursionlimit(10_000)


def canonical(text):
    return urlsafe_b64encode(urlsafe_b64decode(text)).decode()


def attempt(work, *arguments):
    try:
        return work(*arguments)
    except Exception:
        return None


def fernet(case):
    """Returns the token with the same IV and time and, for each text, what it opens to and its canonical spelling."""
    cipher = Fernet(case["key"])
    token = original.fernet_seal(cipher, bytes.fromhex(case["plain"]), case["time"], bytes.fromhex(case["iv"]))

    def opened(text, moment):
        return (cipher.decrypt_at_time(text, *moment) if moment else cipher.decrypt(text)).hex()

    answers = [(attempt(opened, text, moment), attempt(canonical, text)) for text, moment in case["texts"]]
    return {"token": token.decode(), "opened": answers}


def canonical_envelope(text):
    """Returns the text with both of its layers in canonical base64, and the length of its salt (None: a legacy token)."""
    *salt, body = text.removeprefix(original.PREFIX).split(":")
    body = urlsafe_b64encode(canonical(urlsafe_b64decode(body.encode())).encode()).decode()
    spelt = ":".join([canonical(part.encode()) for part in salt] + [body])
    return [original.PREFIX + spelt, len(urlsafe_b64decode(salt[0].encode())) if salt else None]


def envelope(case):
    parts = {"iv": bytes.fromhex(case["iv"]), "time": case["time"]}
    if case["salt"] is None:
        token = original.seal_legacy_token(case["master_key"], case["plain"], **parts)
    else:
        token = original.seal_token(case["master_key"], case["plain"], bytes.fromhex(case["salt"]), **parts)
    opened = [
        (attempt(original.open_token, case["master_key"], text), attempt(canonical_envelope, text))
        for text in case["texts"]
    ]
    return {"token": token, "opened": opened}


def key(case):
    """Returns the bytes of a master key's text, as the original reads them."""
    return attempt(lambda: urlsafe_b64decode(case["text"].encode()).hex())


class Pairs(list):
    """Returns the names and values of an object, including all members of the same name."""


def strings(value, pointer="", ambiguous=False):
    """Yields (pointer, text, whether a name on the path occurs twice) for each string, in the order of the document."""
    if isinstance(value, str):
        yield pointer, value, ambiguous
    elif isinstance(value, Pairs):
        names = [name for name, _ in value]
        for name, inner in value:
            step = name.replace("~", "~0").replace("/", "~1")
            yield from strings(inner, f"{pointer}/{step}", ambiguous or names.count(name) > 1)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from strings(inner, f"{pointer}/{at}", ambiguous)


def halves(text):
    """Replaces each lone surrogate by one character, because a lone surrogate has no UTF-8."""
    return "".join("\ufffd" if "\ud800" <= sign <= "\udfff" else sign for sign in text)


def document(case):
    """Returns the first difference between our result and Python's, in words."""
    text, ours = case["text"], case["strings"]
    try:
        value = json.loads(text, object_pairs_hook=Pairs)
    except ValueError as error:
        return {"difference": None if ours is None else f"refused: {str(error).split(':')[0]}"}
    if ours is None:
        return {"difference": "accepted"}
    whole = lambda text: text if halves(text) == text else None
    theirs = [[halves(pointer), whole(plain), ambiguous] for pointer, plain, ambiguous in strings(value)]
    if len(ours) != len(theirs):
        return {"difference": f"{len(theirs)} strings, not {len(ours)}"}
    unequal = (f"{their}, not {our}" for our, their in zip(ours, theirs) if our != their)
    return {"difference": next(unequal, None)}


KINDS = {"fernet": fernet, "envelope": envelope, "key": key, "document": document}

for line in sys.stdin:
    print(json.dumps([KINDS[case["kind"]](case) for case in json.loads(line)]), flush=True)
