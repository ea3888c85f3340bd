"""ProxmoxMCP's token scheme in Python, on pyca/cryptography. The interoperability tests compare Fernseal with it.

Reads one JSON object from each line of stdin and answers with one line: {"ok": …} or {"error": "Type: message"}.
Binary values are hex, and texts are plain. Values in brackets are optional.

    {"op": "open", "master_key": …, "token": …}                                    the secret
    {"op": "seal", "master_key": …, "plain": …, ["salt", "iv", "time"]}            a salted token
    {"op": "seal_legacy", "master_key": …, "plain": …, ["iv", "time"]}             a legacy token
    {"op": "fernet_encrypt_at", "key": …, "plain": hex, "time": …, ["iv"]}         a Fernet token
    {"op": "fernet_decrypt_at_time", "key": …, "token": …, ["ttl", "now"]}         hex; without ttl any age
    {"op": "pbkdf2", "password": hex, "salt": hex, "iterations": …, "len": …}      hex

`original.py --check VECTORS` compares this file with valid.json, invalid.json and fernet_ttl.json of the folder.
"""

import json
import os
import sys
import time as clock
from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

PREFIX = "enc:"
LEGACY_SALT = b"proxmox_mcp_salt"
ITERATIONS = 100_000


def pbkdf2(password, salt, iterations, length):
    return PBKDF2HMAC(algorithm=SHA256(), length=length, salt=salt, iterations=iterations).derive(password)


def cipher(master_key, salt):
    """Returns the Fernet object of one salt. Python's decoder skips characters that are not base64 and accepts any key length."""
    try:
        key = urlsafe_b64decode(master_key.encode())
        return Fernet(urlsafe_b64encode(pbkdf2(key, salt, ITERATIONS, 32)))
    except Exception as error:
        raise ValueError(f"Invalid master key: {error}") from error


def open_token(master_key, token):
    """Returns the secret in `token`. A text without the prefix counts as a secret in plain text."""
    legacy = cipher(master_key, LEGACY_SALT)  # made first, as the original does: a bad key fails before a bad token
    if not token.startswith(PREFIX):
        return token
    parts = token[len(PREFIX) :].split(":")
    if len(parts) == 1:
        return legacy.decrypt(urlsafe_b64decode(parts[0].encode())).decode()
    if len(parts) != 2:
        raise ValueError("Invalid encrypted token format")
    salt, body = (urlsafe_b64decode(part.encode()) for part in parts)
    return cipher(master_key, salt).decrypt(body).decode()


def fernet_seal(fernet, plain, time=None, iv=None):
    time = int(clock.time()) if time is None else time
    # The only way to choose the IV. The rest of this file uses the public API of the library.
    return fernet._encrypt_from_parts(plain, time, os.urandom(16) if iv is None else iv)


def seal_token(master_key, plain, salt=None, iv=None, time=None):
    salt = os.urandom(16) if salt is None else salt
    body = fernet_seal(cipher(master_key, salt), plain.encode(), time, iv)
    return PREFIX + urlsafe_b64encode(salt).decode() + ":" + urlsafe_b64encode(body).decode()


def seal_legacy_token(master_key, plain, iv=None, time=None):
    body = fernet_seal(cipher(master_key, LEGACY_SALT), plain.encode(), time, iv)
    return PREFIX + urlsafe_b64encode(body).decode()


def answer(request):
    op = request.pop("op")
    binary = ("salt", "iv", "password") + (("plain",) if op == "fernet_encrypt_at" else ())
    a = {name: bytes.fromhex(value) if name in binary and value is not None else value for name, value in request.items()}
    if op == "open":
        return open_token(a["master_key"], a["token"])
    if op == "seal":
        return seal_token(**a)
    if op == "seal_legacy":
        return seal_legacy_token(**a)
    if op == "fernet_encrypt_at":
        return fernet_seal(Fernet(a["key"]), a["plain"], a["time"], a.get("iv")).decode()
    if op == "fernet_decrypt_at_time":
        if a.get("ttl") is None:
            return Fernet(a["key"]).decrypt(a["token"]).hex()
        return Fernet(a["key"]).decrypt_at_time(a["token"], a["ttl"], a["now"]).hex()
    if op == "pbkdf2":
        return pbkdf2(a["password"], a["salt"], a["iterations"], a["len"]).hex()
    raise ValueError(f"no such op: {op}")


def reply(request):
    try:
        return {"ok": answer(request)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def check(folder):
    """Exits with a message at the first vector for which this file gives another answer than the original."""

    def cases(name):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return json.load(file)["cases"]

    def expect(case, request, wanted):
        got = reply(request)
        if got != wanted:
            sys.exit(f"{case['id']}: wanted {wanted}, got {got}")

    valid, invalid, fernet = cases("valid.json"), cases("invalid.json"), cases("fernet_ttl.json")
    for case in valid:
        key = {"master_key": case["master_key"]}
        expect(case, key | {"op": "open", "token": case["token"]}, {"ok": case["plaintext"]})
        seal = key | {"plain": case["plaintext"], "iv": case["iv_hex"], "time": case["timestamp"]}
        salted = {"op": "seal", "salt": case["salt_hex"]}
        expect(case, seal | (salted if case["format"] == "v2" else {"op": "seal_legacy"}), {"ok": case["token"]})
    for case in invalid:
        request = {"op": "open", "master_key": case["master_key"], "token": case["token"]}
        expect(case, request, {"error": case["original_error"]})
    for case in fernet:
        request = {"op": "fernet_decrypt_at_time"} | {name: case[name] for name in ("key", "token", "ttl", "now")}
        opens = case["result"] == "valid"
        expect(case, request, {"ok": case["plaintext_hex"]} if opens else {"error": "InvalidToken: "})
    print(f"as the original: {len(valid)} valid, {len(invalid)} invalid, {len(fernet)} Fernet")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        check(sys.argv[2])
    else:
        for line in sys.stdin:
            print(json.dumps(reply(json.loads(line))), flush=True)
