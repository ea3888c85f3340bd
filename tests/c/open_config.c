/* An example: prints the secret of the config on stdin. The key is in PROXMOX_MCP_MASTER_KEY. */
#include <fernseal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    size_t cap = 4096, json_len = 0, len;
    char *json = malloc(cap), *secret = NULL;
    while (json && (json_len += fread(json + json_len, 1, cap - json_len, stdin)) == cap)
        json = realloc(json, cap *= 2);
    if (json)
        secret = malloc(json_len + 1); /* enough for any value of the config */
    if (!secret) {
        perror("malloc");
        return 1;
    }
    const char *key = getenv("PROXMOX_MCP_MASTER_KEY");
    fernseal_master_key master;
    fernseal_status status = fernseal_master_key_parse(&master, key, key ? strlen(key) : 0);
    if (!status)
        status = fernseal_config_get(secret, json_len + 1, &len, &master, json, json_len, "/auth/token_value", 17,
                                     NULL);
    fprintf(status ? stderr : stdout, "%s\n", status ? fernseal_status_str(status) : secret);
    fernseal_wipe(&master, sizeof master);
    fernseal_wipe(secret, json_len + 1);
    return status != FERNSEAL_OK;
}
