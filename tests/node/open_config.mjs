// An example in Node: opens the config on stdin with libfernseal. The key is in PROXMOX_MCP_MASTER_KEY.
import { readFileSync } from 'node:fs';
import koffi from 'koffi';

const fernseal = koffi.load('libfernseal.so.0.1');
const parse = fernseal.func('int fernseal_master_key_parse(void *out, const uint8_t *text, size_t len)');
const open = fernseal.func('int fernseal_config_open(void *out, size_t cap, _Out_ size_t *out_len, ' +
  'const void *master, const uint8_t *json, size_t json_len, const void *tick)');
const words = fernseal.func('const char *fernseal_status_str(int32_t status)');

const key = Buffer.from(process.env.PROXMOX_MCP_MASTER_KEY), json = readFileSync(0);
const master = Buffer.alloc(64), opened = Buffer.alloc(4 * json.length + 1), length = [0];
const status = parse(master, key, key.length) || open(opened, opened.length, length, master, json, json.length, null);
master.fill(0);
if (status) {
  console.error(words(status));
  process.exit(1);
}
process.stdout.write(opened.subarray(0, Number(length[0])));
