/* Runs one implementation of the job on a board: checks it, and prints how many instructions a derivation takes. */
#include "board.h"
#include "fernseal.h"
#include "vectors.h"

#define LEN(text) (sizeof(text) - 1)

static uint8_t plain[FERNSEAL_TOKEN_OPEN_CAP(LEN(SALTED))];

static int count_ticks(void *ctx)
{
    ++*(uint32_t *)ctx;
    return 0;
}

/* Whether the buffer holds the secret and then zeros, or zeros alone. */
static int holds(const char *secret, size_t len)
{
    for (size_t i = 0; i < sizeof plain; i++)
        if (plain[i] != (i < len ? (uint8_t)secret[i] : 0))
            return 0;
    return 1;
}

static void write_number(uint32_t number)
{
    char digits[11], *at = digits + sizeof digits;
    *--at = 0;
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    board_write(at);
}

int main(void)
{
    /* The master key of vectors.h: the bytes 0xe0 to 0xff. */
    fernseal_master_key master = {{0}};
    for (size_t i = 0; i < 32; i++)
        master.bytes[i] = (uint8_t)(0xe0 + i);
    fernseal_key key;
    uint32_t ticks = 0;
    fernseal_tick tick = {count_ticks, &ticks, 1000};
    size_t len;
    int right = fernseal_token_open(plain, sizeof plain, &len, &master, SALTED, LEN(SALTED), NULL) == FERNSEAL_OK &&
                len == LEN(SECRET) && holds(SECRET, len);
    uint32_t before = board_instructions();
    right &= fernseal_derive(&key, &master, SALTED, LEN(SALTED), &tick) == FERNSEAL_OK && ticks >= 99;
    uint32_t instructions = board_instructions() - before;
    right &= fernseal_token_open_with(plain, sizeof plain, &len, &key, SALTED, LEN(SALTED)) == FERNSEAL_OK &&
             len == LEN(SECRET) && holds(SECRET, len);
    right &= fernseal_token_open(plain, sizeof plain, &len, &master, LEGACY, LEN(LEGACY), NULL) == FERNSEAL_OK &&
             len == LEN(SECRET) && holds(SECRET, len);
    right &= fernseal_token_open_with(plain, sizeof plain, &len, &key, TAMPERED, LEN(TAMPERED)) == FERNSEAL_UNAUTHENTIC &&
             len == 0 && holds(SECRET, 0);
    right &= fernseal_token_open_with(plain, sizeof plain, &len, &key, SALTED, LEN(SALTED) - 1) == FERNSEAL_MALFORMED &&
             len == 0 && holds(SECRET, 0);
    board_write(right ? "PASS instructions " : "FAIL instructions ");
    write_number(instructions);
    board_write("\n");
    return !right;
}
