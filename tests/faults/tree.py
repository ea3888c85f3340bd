"""A tree of configs to rotate, and the checks of what a rotation left of it. The tokens are opened by Python, not by us."""
import base64
import functools
import hashlib
import hmac
import json
import os
import pathlib
import re
import stat
import subprocess

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

OLD_KEY = "4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8="
KEY_FILE = re.compile(r"\.proxmox_mcp_key\.[0-9a-f]{8}")
TEMPORARY = re.compile(r"\..*\.fernseal-[0-9a-f]{16}\.tmp")

# Name: mode, text before sealing, pointers to seal, legacy or not.
CONFIGS = {
    "config.json": (0o600, '{\r\n "auth": {"user": "root@pam", "token_value": "first-secret-0001"},\r\n "database":'
                    ' {"password": "second \\"secret\\" 0002", "port": 5.40e3}}\r\n', ["/database/password"], False),
    "sub/legacy.json": (0o640, '{"auth":{"token_value":"legacy-secret-0003"}}', [], True),
    "sub/deeper/third.json": (0o400, '\ufeff{ "auth" : { "token_value" : "third-secret-0004" } }\n', [], False),
}
BYSTANDERS = {
    "notes.txt": (0o644, "not a config\n"),
    "plain.json": (0o644, '{"logging": {"level": "INFO"}}\n'),
    "config.example.json": (0o644, '{"auth": {"token_value": "enc:example"}}\n'),
    ".hidden/config.json": (0o600, '{"auth": {"token_value": "enc:hidden"}}\n'),
    "config.json.backup.20200101_000000": (0o600, '{"auth": {"token_value": "old"}}\n'),
}
SECRETS = ["first-secret-0001", 'second "secret" 0002', "legacy-secret-0003", "third-secret-0004"]


def make(fernseal, root):
    """Makes the tree below `root`, once; runs work on copies."""
    for name, (mode, text, *_) in {**BYSTANDERS, **CONFIGS}.items():
        path = pathlib.Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        if name in CONFIGS:
            _, _, fields, legacy = CONFIGS[name]
            command = [fernseal, "encrypt", "--in-place", "-q", str(path)] + ["--legacy"] * legacy
            command += [f"--field={field}" for field in fields]
            subprocess.run(command, check=True, env={"PROXMOX_MCP_MASTER_KEY": OLD_KEY})
        path.chmod(mode)


@functools.lru_cache(maxsize=None)
def derive(master_key, salt):
    return hashlib.pbkdf2_hmac("sha256", base64.urlsafe_b64decode(master_key), salt, 100_000)


def open_token(token, master_keys):
    """The secret of a token, by the first key that fits; None if none does."""
    *salt, body = token.removeprefix("enc:").split(":")
    salt = base64.urlsafe_b64decode(salt[0]) if salt else b"proxmox_mcp_salt"
    raw = base64.urlsafe_b64decode(base64.urlsafe_b64decode(body))
    for master_key in master_keys:
        key = derive(master_key, salt)
        if hmac.compare_digest(hmac.digest(key[:16], raw[:-32], "sha256"), raw[-32:]):
            decryptor = Cipher(algorithms.AES(key[16:]), modes.CBC(raw[9:25])).decryptor()
            padded = decryptor.update(raw[25:-32]) + decryptor.finalize()
            return padded[: -padded[-1]].decode()
    return None


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def without_tokens(data):
    return re.sub(rb'"enc:[^"]*"', b'"enc:"', data)


def key_files(home):
    """The complete keys below `home`, by the files that the command itself would name."""
    found = {}
    for path in sorted(pathlib.Path(home).iterdir()) if os.path.isdir(home) else []:
        if KEY_FILE.fullmatch(path.name) and len(path.read_bytes()) == 45:
            found[str(path)] = path.read_text().strip()
    return found


def harm(template, root, home, said):
    """What a rotation that was disturbed did wrong; nothing, if every secret is where a key of the user's opens it."""
    keys = [OLD_KEY, *key_files(home).values()]
    secrets = []
    for name, (mode, text, *_) in CONFIGS.items():
        path, before = pathlib.Path(root, name), pathlib.Path(template, name).read_bytes()
        if not path.is_file():
            yield f"{name} is gone"
            continue
        data = path.read_bytes()
        if without_tokens(data) != without_tokens(before):
            yield f"{name} is not the config that it was but for its tokens"
            continue
        if stat.S_IMODE(path.stat().st_mode) != mode:
            yield f"{name} has mode {stat.S_IMODE(path.stat().st_mode):o}"
        tokens = [text for text in strings(json.loads(data.decode("utf-8-sig"))) if text.startswith("enc:")]
        secrets += [open_token(token, keys) for token in tokens]
    if secrets != SECRETS and len(secrets) == len(SECRETS):
        yield "a token opens with no key that is left"
    for name, (mode, text) in BYSTANDERS.items():
        path = pathlib.Path(root, name)
        if not path.is_file() or path.read_bytes() != text.encode() or stat.S_IMODE(path.stat().st_mode) != mode:
            yield f"the bystander {name} was touched"
    for place in (root, home):
        for path in pathlib.Path(place).rglob("*"):
            if path.is_dir():
                continue
            data, mode = path.read_bytes(), stat.S_IMODE(path.stat().st_mode)
            is_key_file = place == home and KEY_FILE.fullmatch(path.name)
            if any(secret.split('"')[0].encode() in data for secret in SECRETS):
                yield f"{path.name} holds a secret in plain text"
            if not is_key_file and any(key.encode() in data for key in keys):
                yield f"{path.name} holds a key"
            if (is_key_file or TEMPORARY.fullmatch(path.name)) and mode & 0o037:
                yield f"{path.name} has mode {mode:o}"
    if any(word in said for word in [*SECRETS, *keys]):
        yield "a key or a secret was printed"


def unfinished(root, home):
    """What is missing from a rotation that says that it is done."""
    tokens = []
    for name in CONFIGS:
        text = pathlib.Path(root, name).read_bytes().decode("utf-8-sig")
        tokens += [text for text in strings(json.loads(text)) if text.startswith("enc:")]
    if not any([open_token(token, [key]) for token in tokens] == SECRETS for key in key_files(home).values()):
        yield "the configs are not under one new key"
    for path in pathlib.Path(root).rglob("*"):
        if TEMPORARY.fullmatch(path.name):
            yield f"{path.name} was left behind"
