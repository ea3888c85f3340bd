"""An example in Python: opens the config on stdin with libfernseal. The key is in PROXMOX_MCP_MASTER_KEY."""

import ctypes
import os
import sys

fernseal = ctypes.CDLL("libfernseal.so.0.1")
fernseal.fernseal_status_str.restype = ctypes.c_char_p
size = ctypes.c_size_t

key, json = os.environb[b"PROXMOX_MCP_MASTER_KEY"], sys.stdin.buffer.read()
master, opened, length = ctypes.create_string_buffer(64), ctypes.create_string_buffer(4 * len(json) + 1), size()
status = fernseal.fernseal_master_key_parse(master, key, size(len(key))) or fernseal.fernseal_config_open(
    opened, size(len(opened)), ctypes.byref(length), master, json, size(len(json)), None
)
fernseal.fernseal_wipe(master, size(64))
if status:
    sys.exit(fernseal.fernseal_status_str(status).decode())
sys.stdout.buffer.write(opened.raw[: length.value])
