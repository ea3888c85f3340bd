"""Makes a tree of configs to rotate, and checks what a rotation left of it. Python opens the tokens, not our own code."""
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
KEY_FILE = re.compile(r"\.proxmox_mcp_key\.[0-9a-f]{8}|new\.key")
TEMPORARY = re.compile(r"\..*\.fernseal-([0-9a-f]{16}){1,2}\.tmp|\.fernseal\.lock|.*\.saved\.\d+")

# Name: mode, text before sealing, pointers to seal, whether the tokens are legacy ones.
CONFIGS = {
    "config.json": (0o600, '{\r\n "auth": {"user": "root@pam", "token_value": "first-secret-0001"},\r\n "database":'
                    ' {"password": "second \\"secret\\" 0002", "port": 5.40e3}}\r\n', ["/database/password"], False),
    "sub/legacy.json": (0o640, '{"auth":{"token_value":"legacy-secret-0003"}}', [], True),
    "sub/deeper/third.json": (0o400, '\ufeff{ "auth" : { "token_value" : "third-secret-0004" } }\n', [], False),
}
# One config of each format. They are checked without another reader, by putting each secret in place of its token. The
# last config has no values, so `seal` makes its token.
FORMATS = {
    "a.json": (0o600, '{"free": "as it is",\r\n "auth": {"token_value": "json-secret-0010"}}\n', [], False),
    "b.jsonc": (0o640, '{ // note\n  "free": "as it is",\n  "token": "jsonc-secret-0011", }\n', ["/token"], False),
    ".env": (0o600, "# note\nexport FREE=as-it-is\nTOKEN=env-secret-0012 # note\n", ["/TOKEN"], True),
    "sub/c.yaml": (0o400, "free: as it is\ndb:\n- token: 'yaml-secret-0013' # note\n", ["/db/0/token"], False),
    "sub/d.toml": (0o600, 'free = "as it is"\r\n[db]\r\ntoken = "toml-secret-0014"\r\n', ["/db/token"], False),
    "sub/e.ini": (0o600, "free = as it is\n[db]\ntoken = ini-secret-0015\n", ["/db/token"], False),
    "sub/f.properties": (0o600, "free=as it is\ntoken=properties-secret-0016\n", ["/token"], False),
    "sub/g.conf": (0o600, 'location / {\n  set $token "text-secret-0017"; # note\n}\n', None, False),
}
# The text of each value that is not encrypted in FORMATS, and where it is.
FREE = {name: ("as-it-is", "/FREE") if name == ".env" else ("as it is", "/free") for name in FORMATS}
# For several threads. The first config is a group of its own because of its size. While it is written, the next group
# is read, which has more configs than there are writers.
MANY = {
    "big.json": (0o600, '{"auth": {"token_value": "big-secret-0005"}}' + " " * (5 << 20) + "\n", [], False),
    **CONFIGS,
    **FORMATS,
}
BYSTANDERS = {
    "notes.txt": (0o644, "not a config\n"),
    "plain.json": (0o644, '{"logging": {"level": "INFO"}}\n'),
    "config.example.json": (0o644, '{"auth": {"token_value": "enc:example"}}\n'),
    ".hidden/config.json": (0o600, '{"auth": {"token_value": "enc:hidden"}}\n'),
    "config.json.backup.20200101_000000": (0o600, '{"auth": {"token_value": "old"}}\n'),
}
FORMAT_SECRETS = ["json-secret", "jsonc-secret", "env-secret", "yaml-secret", "toml-secret", "ini-secret", "properties-secret",
                  "text-secret", "set-secret-0020", "edit-secret-0021"]
SECRETS = [*FORMAT_SECRETS, "first-secret-0001", 'second "secret" 0002', "legacy-secret-0003", "third-secret-0004", "big-secret",
           "many-secret"]
TOKEN = re.compile(r"enc:[A-Za-z0-9_=:-]+")


def run(command, stdin=""):
    done = subprocess.run(command, check=True, env={"PROXMOX_MCP_MASTER_KEY": OLD_KEY}, input=stdin, stdout=subprocess.PIPE,
                          text=True)
    return done.stdout


def make(fernseal, root, configs):
    """Makes the tree below `root` once. The runs work on copies."""
    for name, (mode, text, *_) in {**BYSTANDERS, **configs}.items():
        path = pathlib.Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        if name in configs:
            _, _, fields, legacy = configs[name]
            if fields is None:
                plain = next(secret for secret in re.findall(r"text-secret-\d+", text))
                token = run([fernseal, "seal"], plain).strip()
                path.write_text(text.replace(plain, token))
            else:
                command = [fernseal, "encrypt", "--in-place", "-q", str(path)] + ["--legacy"] * legacy
                run(command + [f"--field={field}" for field in fields])
        path.chmod(mode)


@functools.lru_cache(maxsize=None)
def derive(master_key, salt):
    return hashlib.pbkdf2_hmac("sha256", base64.urlsafe_b64decode(master_key), salt, 100_000)


SEEN_WITH = {}  # the master key that fitted a salt: the first to try


def open_token(token, master_keys):
    """Returns the secret of a token and the master key that opens it, or None twice if no key does."""
    *salt, body = token.removeprefix("enc:").split(":")
    salt = base64.urlsafe_b64decode(salt[0]) if salt else b"proxmox_mcp_salt"
    raw = base64.urlsafe_b64decode(base64.urlsafe_b64decode(body))
    for master_key in sorted(master_keys, key=lambda key: (SEEN_WITH.get(salt) != key, key == OLD_KEY)):
        key = derive(master_key, salt)
        if hmac.compare_digest(hmac.digest(key[:16], raw[:-32], "sha256"), raw[-32:]):
            SEEN_WITH[salt] = master_key
            decryptor = Cipher(algorithms.AES(key[16:]), modes.CBC(raw[9:25])).decryptor()
            padded = decryptor.update(raw[25:-32]) + decryptor.finalize()
            return padded[: -padded[-1]].decode(), master_key
    return None, None


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def tokens_in(path):
    text = pathlib.Path(path).read_bytes().decode("utf-8-sig")
    if is_json(path):
        return [text for text in strings(json.loads(text)) if text.startswith("enc:")]
    return TOKEN.findall(text)


def is_json(path):
    return str(path).endswith(".json")


def is_key_file(path):
    return KEY_FILE.fullmatch(os.path.basename(path)) is not None


def key_files(home):
    """Returns the valid keys in `home`, by the names of the files that the command would list."""
    found = {}
    for path in sorted(pathlib.Path(home).iterdir()):
        if is_key_file(path) and len(path.read_bytes()) == 45:
            found[str(path)] = path.read_text().strip()
    return found


def harm(root, home, configs, said, change=None):
    """Yields what a disturbed command did wrong. Every secret must open with a key that the user has. `change` is the name of a
    config and the text that it may have been given, with its secrets in plain text."""
    keys = [OLD_KEY, *key_files(home).values()]
    secrets = []
    for name, (mode, text, *_) in configs.items():
        path = pathlib.Path(root, name)
        if not path.is_file():
            yield f"{name} is gone"
            continue
        allowed = [text, change[1]] if change and change[0] == name else [text]
        if plain_again(path, keys) not in [text.encode() for text in allowed]:
            yield f"{name} is not the config that it was, or a token in it opens with no key that is left"
            continue
        if len({open_token(token, keys)[1] for token in tokens_in(path)}) != 1:
            yield f"{name} is under two keys"
        if stat.S_IMODE(path.stat().st_mode) != mode:
            yield f"{name} has mode {stat.S_IMODE(path.stat().st_mode):o}"
    for name, (mode, text) in BYSTANDERS.items():
        path = pathlib.Path(root, name)
        if not path.is_file() or path.read_bytes() != text.encode() or stat.S_IMODE(path.stat().st_mode) != mode:
            yield f"the bystander {name} was touched"
    for place in (root, home):
        for path in pathlib.Path(place).rglob("*"):
            if path.is_dir():
                continue
            data, mode = path.read_bytes(), stat.S_IMODE(path.stat().st_mode)
            is_key = place == home and is_key_file(path)
            if any(secret.split('"')[0].encode() in data for secret in SECRETS):
                yield f"{path.name} holds a secret in plain text"
            if not is_key and any(key.encode() in data for key in keys):
                yield f"{path.name} holds a key"
            bystander = place == root and str(path.relative_to(root)) in BYSTANDERS
            allowed = [mode for name, (mode, *_) in configs.items() if os.path.basename(name) in path.name]
            if mode & 0o077 & ~(allowed or [0o600])[0] and not bystander:
                yield f"{path.name} has mode {mode:o}"
    if any(word in said for word in [*SECRETS, *keys]):
        yield "a key or a secret was printed"


def plain_again(path, keys):
    """Returns the bytes of a config with its tokens opened, or with None for a token that no key opens."""
    def opened(match):
        secret = open_token(match[1].decode(), keys)[0]
        return (json.dumps(secret) if is_json(path) else str(secret)).encode()

    pattern = rb'"(enc:[^"]*)"' if is_json(path) else b"(" + TOKEN.pattern.encode() + b")"
    return re.sub(pattern, opened, path.read_bytes())


def unfinished(root, home, configs, goal):
    """Yields what is missing from a rotation that reports success: all tokens must be under one new key, or the old one."""
    goals = [OLD_KEY] if goal == "old" else key_files(home).values()
    if not any(all(open_token(token, [key])[0] for name in configs for token in tokens_in(pathlib.Path(root, name)))
               for key in goals):
        yield f"the configs are not under one {goal} key"
    for place in (root, home):
        for path in pathlib.Path(place).rglob("*"):
            if TEMPORARY.fullmatch(path.name):
                yield f"{path.name} was left behind"
