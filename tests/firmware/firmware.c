/* The acceptance test of the firmware library: without an operating system, it opens and seals real tokens and a whole
 * config. It prints PASS or FAIL for each test, with the stack that the test took, and exits with the number of failures.
 * All buffers are static, so that it measures only the stack of the library. */
#include <stddef.h>
#include <stdint.h>

#include "board.h"
#include "fernseal.h"
#include "vectors.h"

#define LEN(text) (sizeof(text) - 1)

static fernseal_master_key master;
static fernseal_key key;
static char text[1024];
static uint8_t plain[FERNSEAL_TOKEN_OPEN_CAP(LEN(SALTED))];
static size_t len;

register uint32_t *stack_pointer __asm__("sp");

static int equal(const void *left, const void *right, size_t count)
{
    const uint8_t *a = left, *b = right;
    while (count > 0 && *a == *b)
        a++, b++, count--;
    return count == 0;
}

static int zero(const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    while (count > 0 && *at == 0)
        at++, count--;
    return count == 0;
}

static void fill(void *bytes, size_t count)
{
    for (uint8_t *at = bytes; count > 0; count--)
        *at++ = 0xa5;
}

/* A random source for tests with the bytes 0, 1, 2, …, as in make_vectors.py. A product uses its hardware's. */
static int count_up(void *ctx, uint8_t *buf, size_t count)
{
    for (uint8_t *next = ctx; count > 0; count--)
        *buf++ = (*next)++;
    return 0;
}

static int no_random(void *ctx, uint8_t *buf, size_t count)
{
    (void)ctx, (void)buf, (void)count;
    return -1;
}

/* Tick functions, in which a product feeds its watchdog. The first one counts; the second one cancels at the third tick. */
static int count_ticks(void *ctx)
{
    ++*(uint32_t *)ctx;
    return 0;
}

static int cancel_at_third(void *ctx)
{
    return ++*(uint32_t *)ctx == 3;
}

static int is_secret(void)
{
    return len == LEN(SECRET) && equal(plain, SECRET, LEN(SECRET));
}

static int parses_the_master_key(void)
{
    return fernseal_master_key_parse(&master, MASTER_KEY, LEN(MASTER_KEY)) == FERNSEAL_OK;
}

static int refuses_a_master_key_without_its_padding(void)
{
    static fernseal_master_key refused;
    return fernseal_master_key_parse(&refused, MASTER_KEY, LEN(MASTER_KEY) - 1) == FERNSEAL_INVALID_KEY;
}

static int opens_a_salted_token(void)
{
    return fernseal_token_open(plain, sizeof plain, &len, &master, SALTED, LEN(SALTED), NULL) == FERNSEAL_OK &&
           is_secret();
}

static int opens_a_legacy_token(void)
{
    return fernseal_token_open(plain, sizeof plain, &len, &master, LEGACY, LEN(LEGACY), NULL) == FERNSEAL_OK &&
           is_secret();
}

static int derives_a_key_and_ticks(void)
{
    uint32_t ticks = 0;
    const fernseal_tick tick = {count_ticks, &ticks, 250};
    return fernseal_derive(&key, &master, SALTED, LEN(SALTED), &tick) == FERNSEAL_OK && ticks == 400;
}

static int opens_with_the_derived_key(void)
{
    return fernseal_token_open_with(plain, sizeof plain, &len, &key, SALTED, LEN(SALTED)) == FERNSEAL_OK && is_secret();
}

static int refuses_a_tampered_token(void)
{
    fill(plain, sizeof plain);
    return fernseal_token_open_with(plain, sizeof plain, &len, &key, TAMPERED, LEN(TAMPERED)) == FERNSEAL_UNAUTHENTIC &&
           len == 0 && zero(plain, sizeof plain);
}

static int refuses_a_cut_token(void)
{
    fill(plain, sizeof plain);
    return fernseal_token_open_with(plain, sizeof plain, &len, &key, SALTED, LEN(SALTED) - 1) == FERNSEAL_MALFORMED &&
           len == 0 && zero(plain, sizeof plain);
}

static int cancels_a_derivation_by_tick(void)
{
    static fernseal_key cancelled;
    uint32_t ticks = 0;
    fill(&cancelled, sizeof cancelled);
    const fernseal_tick tick = {cancel_at_third, &ticks, 0};
    return fernseal_derive(&cancelled, &master, SALTED, LEN(SALTED), &tick) == FERNSEAL_CANCELLED &&
           ticks == 3 && zero(&cancelled, sizeof cancelled);
}

static int seals_as_python_does(void)
{
    uint8_t next = 0;
    return fernseal_token_seal(text, sizeof text, &len, &master, (const uint8_t *)SECRET, LEN(SECRET), NOW, count_up,
                               &next, NULL) == FERNSEAL_OK &&
           len == LEN(SEALED) && equal(text, SEALED, sizeof SEALED);
}

static int seals_nothing_without_randomness(void)
{
    fill(text, sizeof text);
    return fernseal_token_seal(text, sizeof text, &len, &master, (const uint8_t *)SECRET, LEN(SECRET), NOW, no_random,
                               NULL, NULL) == FERNSEAL_RANDOM_FAILED &&
           len == 0 && zero(text, sizeof text);
}

static int gets_one_value_of_a_config(void)
{
    static const char pointer[] = "/auth/token_value";
    return fernseal_config_get(text, sizeof text, &len, &master, CONFIG, LEN(CONFIG), pointer, LEN(pointer), NULL) ==
               FERNSEAL_OK &&
           len == LEN(SECRET) && equal(text, SECRET, sizeof SECRET);
}

static int opens_a_whole_config(void)
{
    return fernseal_config_open(text, sizeof text, &len, &master, CONFIG, LEN(CONFIG), NULL) == FERNSEAL_OK &&
           len == LEN(CONFIG_OPENED) && equal(text, CONFIG_OPENED, sizeof CONFIG_OPENED);
}

/* A watchdog that resets a device after 100 ms without feeding, as a processor with 48 MHz counts them. */
#define WATCHDOG 4800000u
static uint32_t fed_at, longest;

static void feed_watchdog(void)
{
    uint32_t now = board_instructions();
    if (now - fed_at > longest)
        longest = now - fed_at;
    fed_at = now;
}

/* The main loop of a device that opens its config in slices while it does other work. */
static int opens_a_config_in_slices_under_a_watchdog_of_100_ms(void)
{
    static const char pointer[] = "/auth/token_value";
    static fernseal_derivation derivation;
    static uint8_t salt[FERNSEAL_SALT_LEN];
    static fernseal_key stored;
    uint32_t left;
    fed_at = board_instructions();
    longest = 0;
    if (fernseal_config_find(text, sizeof text, &len, CONFIG, LEN(CONFIG), pointer, LEN(pointer)) != FERNSEAL_OK ||
        fernseal_token_salt(salt, text, len) != FERNSEAL_OK ||
        fernseal_derivation_begin(&derivation, &master, salt, sizeof salt) != FERNSEAL_OK)
        return 0;
    do {
        feed_watchdog();
        if (fernseal_derivation_advance(&left, &derivation, 250) != FERNSEAL_OK)
            return 0;
    } while (left > 0);
    feed_watchdog();
    if (fernseal_derivation_finish(&stored, &derivation) != FERNSEAL_OK || !zero(&derivation, sizeof derivation) ||
        fernseal_config_get_with(text, sizeof text, &len, &stored, CONFIG, LEN(CONFIG), pointer, LEN(pointer)) !=
            FERNSEAL_OK)
        return 0;
    feed_watchdog();
    return len == LEN(SECRET) && equal(text, SECRET, sizeof SECRET) && longest <= WATCHDOG;
}

static int seals_with_the_stored_key(void)
{
    static uint8_t salt[FERNSEAL_SALT_LEN];
    uint8_t next = FERNSEAL_SALT_LEN;
    return fernseal_token_salt(salt, SALTED, LEN(SALTED)) == FERNSEAL_OK &&
           fernseal_token_seal_with(text, sizeof text, &len, &key, salt, (const uint8_t *)SECRET, LEN(SECRET), NOW,
                                    count_up, &next) == FERNSEAL_OK &&
           fernseal_token_open_with(plain, sizeof plain, &len, &key, text, len) == FERNSEAL_OK && is_secret();
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

/* Fills the free stack with a pattern, runs the test, and finds how much of the pattern was overwritten. */
static int run(const char *name, int (*test)(void))
{
    const uint32_t paint = 0xa5a5a5a5;
    uint32_t *const here = stack_pointer;
    for (volatile uint32_t *at = board_stack_end; at < here; at++)
        *at = paint;

    uint32_t before = board_instructions();
    int passed = test();
    uint32_t instructions = board_instructions() - before;

    const uint32_t *deepest = board_stack_end;
    while (deepest < here && *deepest == paint)
        deepest++;
    board_write(passed ? "PASS " : "FAIL ");
    board_write(name);
    board_write(" stack ");
    write_number((uint32_t)(here - deepest) * 4);
    board_write(" instructions ");
    write_number(instructions);
    board_write("\n");
    return !passed;
}

int main(void)
{
#define RUN(test) failed += run(#test, test)
    int failed = 0;
    RUN(parses_the_master_key);
    RUN(refuses_a_master_key_without_its_padding);
    RUN(opens_a_salted_token);
    RUN(opens_a_legacy_token);
    RUN(derives_a_key_and_ticks);
    RUN(opens_with_the_derived_key);
    RUN(refuses_a_tampered_token);
    RUN(refuses_a_cut_token);
    RUN(cancels_a_derivation_by_tick);
    RUN(seals_as_python_does);
    RUN(seals_nothing_without_randomness);
    RUN(seals_with_the_stored_key);
    RUN(gets_one_value_of_a_config);
    RUN(opens_a_config_in_slices_under_a_watchdog_of_100_ms);
    RUN(opens_a_whole_config);
    return failed;
}
