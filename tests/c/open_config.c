/* An example: prints the secret of the config on stdin. The key is in PROXMOX_MCP_MASTER_KEY. */
#include <fernseal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    static char json[65536], secret[1024];
    size_t json_len = fread(json, 1, sizeof json, stdin), len;
    const char *key = getenv("PROXMOX_MCP_MASTER_KEY");
    fernseal_master_key master;
    fernseal_status status = fernseal_master_key_parse(&master, key, key ? strlen(key) : 0);
    if (!status)
        status = fernseal_config_get(secret, sizeof secret, &len, &master, json, json_len, "/auth/token_value", 17);
    fprintf(status ? stderr : stdout, "%s\n", status ? fernseal_status_str(status) : secret);
    fernseal_wipe(&master, sizeof master);
    fernseal_wipe(secret, sizeof secret);
    return status != FERNSEAL_OK;
}
