/* Opens the secret of a config with the library that a module has linked. */
#include "board.h"
#include "fernseal.h"
#include "vectors.h"

int main(void)
{
    static fernseal_master_key master;
    static char secret[512];
    static size_t len;
    int failed = fernseal_master_key_parse(&master, MASTER_KEY, sizeof MASTER_KEY - 1) ||
        fernseal_config_get(secret, sizeof secret, &len, &master, CONFIG, sizeof CONFIG - 1, "/auth/token_value", 17,
                            NULL);
    for (size_t at = 0; at < sizeof SECRET; at++)
        failed |= secret[at] != SECRET[at];
    board_write(failed ? "FAIL\n" : "PASS\n");
    return failed;
}
