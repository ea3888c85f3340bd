"""A deliberately careless rotation, whose losses faults.py must detect: it rewrites configs in place and stores the key last."""
import base64
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tree

from cryptography.fernet import Fernet

root, home = sys.argv[1], pathlib.Path(os.environ["HOME"])
os.umask(0o077)
new_key = base64.urlsafe_b64encode(os.urandom(32)).decode()


def reseal(match):
    secret = tree.open_token(match[1].decode(), [tree.OLD_KEY])[0]
    salt = os.urandom(16)
    token = Fernet(base64.urlsafe_b64encode(tree.derive(new_key, salt))).encrypt(secret.encode())
    text = "enc:" + base64.urlsafe_b64encode(salt).decode() + ":" + base64.urlsafe_b64encode(token).decode()
    return b'"' + text.encode() + b'"'


for name in tree.CONFIGS:
    path = pathlib.Path(root, name)
    mode = path.stat().st_mode
    path.chmod(0o600)
    path.write_bytes(re.sub(rb'"(enc:[^"]*)"', reseal, path.read_bytes()))
    path.chmod(mode)
(home / ".proxmox_mcp_key.00000000").write_text(new_key + "\n")
