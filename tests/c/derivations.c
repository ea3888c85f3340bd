/* Tests how derivations run: in slices with ticks, many at once, and with the SHA-256 of a chip,
    for which this program's
 * stands. All of them give the same keys. */
#include "check.h"
#include "../firmware/vectors.h"

#define POINTER "/auth/token_value"

static fernseal_master_key masters[2]; /* another, and the vectors' */
static fernseal_master_key *const master = &masters[1];

/* Counts its calls, and cancels at the call `stop`. */
struct counter {
    int calls, stop;
};

static int count(void *ctx)
{
    struct counter *counter = (struct counter *)ctx;
    return ++counter->calls == counter->stop;
}

static struct counter counter;
static fernseal_tick tick = {count, &counter, 0};

/* Checks a call that takes `tick`: it calls `tick` so many times, and cancels at each of them, with zeroed outputs. */
#define TICKS(wanted, call) \
    do { \
        counter.calls = 0, counter.stop = 0; \
        CHECK((call) == FERNSEAL_OK); \
        CHECK(counter.calls == (wanted)); \
        for (counter.stop = 1; counter.stop <= (wanted); counter.stop += (wanted) - 1) { \
            counter.calls = 0; \
            REFUSES(FERNSEAL_CANCELLED, sizeof out, call); \
            CHECK(counter.calls == counter.stop); \
        } \
    } while (0)

static void distances(void)
{
    static const uint32_t distances[] = {0, 1000, 250, 99998, UINT32_MAX};
    static const int calls[] = {100, 100, 400, 2, 1};
    fernseal_key key, same;
    size_t i;
    CHECK(fernseal_derive(&key, master, SALTED, LEN(SALTED), NULL) == FERNSEAL_OK);
    for (i = 0; i < sizeof calls / sizeof *calls; i++) {
        tick.distance = distances[i];
        counter.calls = 0, counter.stop = 0;
        CHECK(fernseal_derive(&same, master, SALTED, LEN(SALTED), &tick) == FERNSEAL_OK && counter.calls == calls[i]);
        CHECK(memcmp(&key, &same, sizeof key) == 0);
    }
    /* A tick without a function is none. */
    tick.call = NULL;
    CHECK(fernseal_derive(&same, master, SALTED, LEN(SALTED), &tick) == FERNSEAL_OK);
    tick.call = count;
    tick.distance = 0;
    counter.calls = 0, counter.stop = 3;
    memset(&same, 0xa5, sizeof same);
    CHECK(fernseal_derive(&same, master, SALTED, LEN(SALTED), &tick) == FERNSEAL_CANCELLED && counter.calls == 3);
    CHECK(is_all(&same, sizeof same, 0));
    /* An output must not overlap it. */
    CHECK(fernseal_token_open((uint8_t *)&tick, sizeof tick, &out_len, master, SALTED, LEN(SALTED), &tick) ==
          FERNSEAL_INVALID_ARGUMENT);
}

/* Each function that derives ticks. What derives several keys does so as often, or at once. */
static void every_function(void)
{
    uint8_t *const bytes = (uint8_t *)out;
    const uint8_t *const secret = (const uint8_t *)SECRET;
    static fernseal_config config;
    uint8_t next = 0;
    TICKS(100, fernseal_master_key_id(out, sizeof out, &out_len, master, &tick));
    TICKS(100, fernseal_token_seal(out, sizeof out, &out_len, master, secret, 5, NOW, count_up, &next, &tick));
    TICKS(100, fernseal_token_open(bytes, sizeof out, &out_len, master, SALTED, LEN(SALTED), &tick));
    TICKS(200, fernseal_token_open_any(bytes, sizeof out, &out_len, masters, 2, SALTED, LEN(SALTED), &tick));
    TICKS(100, fernseal_config_get(out, sizeof out, &out_len, master, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER),
                                   &tick));
    TICKS(200, fernseal_config_get_any(out, sizeof out, &out_len, masters, 2, CONFIG, LEN(CONFIG), POINTER,
                                       LEN(POINTER),
                                       &tick));
    /* Both tokens of the config are opened together. */
    TICKS(100, fernseal_config_open(out, sizeof out, &out_len, master, CONFIG, LEN(CONFIG), &tick));
    TICKS(200, fernseal_config_open_any(out, sizeof out, &out_len, masters, 2, CONFIG, LEN(CONFIG), &tick));
    TICKS(100, fernseal_config_seal(out, sizeof out, &out_len, master, "[\"a\"]", 5, "/0", 2, NOW, count_up, &next,
                                    &tick));
    TICKS(200, fernseal_config_rotate(out, sizeof out, &out_len, master, 1, &masters[0], CONFIG, LEN(CONFIG), NOW,
                                      count_up,
                                      &next, &tick));
    counter.calls = 0, counter.stop = 0;
    CHECK(fernseal_config_read(&config, sizeof config, master, 1, CONFIG, LEN(CONFIG), &tick) == FERNSEAL_OK);
    CHECK(counter.calls == 100);
    counter.calls = 0, counter.stop = 50;
    memset(&config, 0xa5, sizeof config);
    CHECK(fernseal_config_read(&config, sizeof config, master, 1, CONFIG, LEN(CONFIG), &tick) == FERNSEAL_CANCELLED);
    CHECK(is_all(&config, sizeof config, 0));
    counter.calls = 0, counter.stop = 0;
    CHECK(fernseal_pbkdf2(bytes, 64, secret, 5, secret, 5, 5001, &tick) == FERNSEAL_OK && counter.calls == 5);
    counter.calls = 0, counter.stop = 5;
    CHECK(fernseal_pbkdf2(bytes, 64, secret, 5, secret, 5, 5001, &tick) == FERNSEAL_CANCELLED && is_all(out, 64, 0));
}

static void many(void)
{
    /* More than run together. */
    enum { COUNT = 33, EACH = 3 };
    static fernseal_master_key each[EACH];
    static fernseal_key derived[COUNT + 1], same[EACH];
    static uint8_t salts[COUNT * FERNSEAL_SALT_LEN];
    fernseal_key key;
    size_t i;
    for (i = 0; i < sizeof salts; i++)
        salts[i] = (uint8_t)(i * 7);
    memset(derived, 0xa5, sizeof derived);
    CHECK(fernseal_token_salt(salts + 32 * FERNSEAL_SALT_LEN, SALTED, LEN(SALTED)) == FERNSEAL_OK);
    CHECK(fernseal_derive_many(derived, COUNT, master, 1, salts, NULL) == FERNSEAL_OK);
    CHECK(is_all(&derived[COUNT], sizeof *derived, 0xa5));
    CHECK(fernseal_derive(&key, master, SALTED, LEN(SALTED), NULL) == FERNSEAL_OK);
    CHECK(memcmp(&derived[32], &key, sizeof key) == 0);
    for (i = 0; i < EACH; i++)
        each[i] = *master;
    each[2] = masters[0];
    CHECK(fernseal_derive_many(same, EACH, each, EACH, salts, NULL) == FERNSEAL_OK);
    for (i = 0; i < EACH; i++)
        CHECK((memcmp(&derived[i], &same[i], sizeof key) == 0) == (i != 2));
    CHECK(fernseal_derive_many(derived, 1, &masters[0], 1, salts + 2 * FERNSEAL_SALT_LEN, NULL) == FERNSEAL_OK);
    CHECK(memcmp(&derived[0], &same[2], sizeof key) == 0);
    CHECK(fernseal_derive_many(NULL, 0, NULL, 0, NULL, NULL) == FERNSEAL_OK);
    CHECK(fernseal_derive_many(derived, COUNT, each, 2, salts, NULL) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(is_all(derived, COUNT * sizeof *derived, 0));
    CHECK(fernseal_derive_many(derived, COUNT, each, 0, salts, NULL) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_derive_many(derived, COUNT, master, 1, NULL, NULL) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_derive_many(derived, SIZE_MAX / 32, master, 1, salts, NULL) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_derive_many(NULL, COUNT, master, 1, salts, NULL) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_derive_many((fernseal_key *)(void *)salts, COUNT, master, 1, salts,
                               NULL) == FERNSEAL_INVALID_ARGUMENT);
    /* The second batch is cancelled: no key of the first one is left. */
    memset(derived, 0xa5, sizeof derived);
    counter.calls = 0, counter.stop = 101;
    CHECK(fernseal_derive_many(derived, COUNT, master, 1, salts, &tick) == FERNSEAL_CANCELLED);
    CHECK(counter.calls == 101 && is_all(derived, COUNT * sizeof *derived, 0));
}

static uint32_t constants[64];

static uint32_t rotated(uint32_t word, int by)
{
    return word >> by | word << (32 - by);
}

/* Hashes a block as FIPS 180-4, section 6.2.2, says, and counts the calls. */
static void compress(void *ctx, uint32_t *state, const uint8_t *block)
{
    uint32_t w[64], s[8];
    int t;
    ++*(uint32_t *)ctx;
    memcpy(s, state, sizeof s);
    for (t = 0; t < 64; t++) {
        uint32_t sum, choice, majority, first;
        if (t < 16)
            w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 | (uint32_t)block[4 * t + 2] << 8 |
                   block[4 * t + 3];
        else
            w[t] = w[t - 16] + w[t - 7] + (rotated(w[t - 15], 7) ^ rotated(w[t - 15], 18) ^ w[t - 15] >> 3) +
                   (rotated(w[t - 2], 17) ^ rotated(w[t - 2], 19) ^ w[t - 2] >> 10);
        sum = rotated(s[4], 6) ^ rotated(s[4], 11) ^ rotated(s[4], 25);
        choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        first = s[7] + sum + choice + constants[t] + w[t];
        sum = rotated(s[0], 2) ^ rotated(s[0], 13) ^ rotated(s[0], 22);
        majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += first;
        s[0] = first + sum + majority;
    }
    for (t = 0; t < 8; t++)
        state[t] += s[t];
}

/* Returns whether root cubed is above number << 96. The cube has up to 105 bits, so it is computed in words of 32 bits. */
static int cube_is_above(uint64_t root, uint32_t number)
{
    uint32_t product[5] = {1, 0, 0, 0, 0}, factor[2];
    int times, i, j;
    factor[0] = (uint32_t)root, factor[1] = (uint32_t)(root >> 32);
    for (times = 0; times < 3; times++) {
        uint32_t next[5] = {0, 0, 0, 0, 0};
        for (i = 0; i < 2; i++) {
            uint64_t carry = 0;
            for (j = 0; i + j < 5; j++) {
                carry += (uint64_t)factor[i] * product[j] + next[i + j];
                next[i + j] = (uint32_t)carry;
                carry >>= 32;
            }
        }
        memcpy(product, next, sizeof next);
    }
    return product[4] > 0 || product[3] > number ||
           (product[3] == number && (product[0] | product[1] | product[2]) > 0);
}

/* The first 32 bits of the fractions of the cube roots of the first 64 primes. */
static void make_constants(void)
{
    uint32_t number = 2, found = 0, divisor;
    for (; found < 64; number++) {
        uint64_t root = 0, bit;
        for (divisor = 2; divisor < number && number % divisor > 0; divisor++)
            ;
        if (divisor < number)
            continue;
        for (bit = (uint64_t)1 << 34; bit > 0; bit >>= 1)
            if (!cube_is_above(root | bit, number))
                root |= bit;
        constants[found++] = (uint32_t)root;
    }
}

static void chip(void)
{
    fernseal_derivation derivation;
    fernseal_key key, same;
    uint8_t salt[FERNSEAL_SALT_LEN];
    uint32_t left = 0, compressions = 0;
    make_constants();
    CHECK(constants[0] == 0x428a2f98 && constants[63] == 0xc67178f2);
    CHECK(fernseal_derive(&key, master, SALTED, LEN(SALTED), NULL) == FERNSEAL_OK);
    CHECK(fernseal_token_salt(salt, SALTED, LEN(SALTED)) == FERNSEAL_OK);
    CHECK(fernseal_derivation_begin(&derivation, master, salt, sizeof salt) == FERNSEAL_OK);
    /* Both ways to run it on can be mixed. */
    CHECK(fernseal_derivation_advance(&left, &derivation, 50000) == FERNSEAL_OK && left == 49999);
    CHECK(fernseal_derivation_advance_with(&left, &derivation, 9999, compress, &compressions) == FERNSEAL_OK);
    CHECK(left == 40000 && compressions == 2 * 9999);
    CHECK(fernseal_derivation_advance_with(&left, &derivation, UINT32_MAX, compress, &compressions) == FERNSEAL_OK);
    CHECK(left == 0 && compressions == 2 * 49999);
    CHECK(fernseal_derivation_finish(&same, &derivation) == FERNSEAL_OK && memcmp(&key, &same, sizeof key) == 0);

    CHECK(fernseal_derivation_begin(&derivation, master, salt, sizeof salt) == FERNSEAL_OK);
    left = 77;
    CHECK(fernseal_derivation_advance_with(&left, &derivation, 1, NULL,
                                           NULL) == FERNSEAL_INVALID_ARGUMENT && left == 0);
    CHECK(fernseal_derivation_advance_with(NULL, &derivation, 1, compress, &compressions) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_derivation_advance_with(&left, NULL, 1, compress, &compressions) == FERNSEAL_INVALID_ARGUMENT);
}

int main(void)
{
    CHECK(fernseal_master_key_parse(&masters[0], "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=", 44) == FERNSEAL_OK);
    CHECK(fernseal_master_key_parse(master, MASTER_KEY, LEN(MASTER_KEY)) == FERNSEAL_OK);
    distances();
    every_function();
    many();
    chip();
    return checked("derivations");
}
