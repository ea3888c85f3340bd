"""Writes the firmware's test vectors, vectors.h and config.json, with Python's cryptography instead of our own code.

    target/venv/bin/python tests/firmware/make_vectors.py tests/firmware

The output is always the same, because keys, salts, IVs and times are fixed. vectors.rs compares the committed files with it.
"""

import json
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

sys.dont_write_bytecode = True  # leave no __pycache__ beside the test data
sys.path.insert(0, str(Path(__file__).parent.parent / "interop"))
from original import seal_legacy_token, seal_token

MASTER_KEY = urlsafe_b64encode(bytes(range(0xE0, 0x100))).decode()
SECRET = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
NOW = 1_764_000_000

# The bytes of the firmware's random source: 0, 1, 2, … The salt is drawn before the IV.
STREAM = bytes(range(32))

CONFIG = """{
  "proxmox": {"host": "10.0.0.5", "port": 8006, "verify_ssl": true},
  "auth": {
    "user": "root@pam",
    "token_name": "appliance",
    "token_value": "%s"
  },
  "backup": {"token_value": "%s"}
}
"""


def tampered(token):
    """The token with one bit of its ciphertext changed, in valid base64."""
    head, body = token.rsplit(":", 1)
    raw = bytearray(urlsafe_b64decode(urlsafe_b64decode(body)))
    raw[30] ^= 1
    return head + ":" + urlsafe_b64encode(urlsafe_b64encode(raw)).decode()


salted = seal_token(MASTER_KEY, SECRET, salt=bytes(range(0x40, 0x50)), iv=bytes(range(0x50, 0x60)), time=NOW)
legacy = seal_legacy_token(MASTER_KEY, SECRET, iv=bytes(range(0x60, 0x70)), time=NOW)

vectors = {
    "MASTER_KEY": MASTER_KEY,
    "SECRET": SECRET,
    "SALTED": salted,
    "LEGACY": legacy,
    "TAMPERED": tampered(salted),
    # SECRET sealed at NOW with a random source that yields 0, 1, 2, …
    "SEALED": seal_token(MASTER_KEY, SECRET, salt=STREAM[:16], iv=STREAM[16:], time=NOW),
    "CONFIG": CONFIG % (salted, legacy),
    "CONFIG_OPENED": CONFIG % (SECRET, SECRET),
}

header = "/* Made by make_vectors.py with Python's cryptography; not to be edited. */\n"
header += f"#define NOW {NOW}u\n"
header += "".join(f"#define {name} {json.dumps(text)}\n" for name, text in vectors.items())

folder = Path(sys.argv[1])
(folder / "vectors.h").write_text(header)
(folder / "config.json").write_text(vectors["CONFIG"])
