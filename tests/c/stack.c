/* Measures how much stack each call takes. Each call runs on a stack that was filled with a pattern, in a thread whose
 * stack is a little larger than the limit in the header. */
#define _DEFAULT_SOURCE
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "check.h"
#include "../firmware/vectors.h"

#define POINTER "/auth/token_value"
#define FERNET_KEY "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
/* In bytes: the limit for a call; for fernseal_config_check; for a call on a whole config; the needs of a thread itself (its
 * guard page, its descriptor, and the functions that start it); and a size that is large enough for all. */
enum { SAID = 20 * 1024, SAID_CHECK = 28 * 1024, SAID_CONFIG = 52 * 1024, THREAD = 12 * 1024, LARGE = 256 * 1024 };
/* More tokens than the library derives together. */
enum { TOKENS = 40 };

static fernseal_master_key master;
static fernseal_key key;
static fernseal_config config;
static char token[512];
static size_t token_len;
static char many[16 * 1024], opened[16 * 1024], sealed[16 * 1024];
static size_t many_len;

#define OUT out, sizeof out, &out_len
#define BYTES (uint8_t *)out, sizeof out, &out_len
#define PLAIN (const uint8_t *)SECRET, LEN(SECRET)
#define RANDOM fernseal_random_os, NULL

static int on(void *ctx)
{
    (void)ctx;
    return 0;
}

static int parse(void) { return fernseal_master_key_parse(&master, MASTER_KEY, LEN(MASTER_KEY)); }
static int generate(void) { return fernseal_master_key_generate(OUT, RANDOM); }
static int token_seal(void) { return fernseal_token_seal(OUT, &master, PLAIN, NOW, RANDOM, NULL); }
static int token_open(void) { return fernseal_token_open(BYTES, &master, SALTED, LEN(SALTED), NULL); }
static int token_open_any(void) { return fernseal_token_open_any(BYTES, &master, 1, LEGACY, LEN(LEGACY), NULL); }
static const fernseal_tick tick = {on, NULL, 250};
static int derive(void) { return fernseal_derive(&key, &master, SALTED, LEN(SALTED), &tick); }
static int derive_many(void)
{
    static fernseal_key derived[TOKENS];
    static const uint8_t salts[TOKENS * FERNSEAL_SALT_LEN] = {1, 2, 3};
    return fernseal_derive_many(derived, TOKENS, &master, 1, salts, &tick);
}
static int config_check(void) { return fernseal_config_check(&out_len, many, many_len); }
static int open_with(void) { return fernseal_token_open_with(BYTES, &key, SALTED, LEN(SALTED)); }
static int pbkdf2(void) { return fernseal_pbkdf2((uint8_t *)out, sizeof out, PLAIN, PLAIN, 2, NULL); }
static int fernet_seal(void)
{
    return fernseal_fernet_seal(token, sizeof token, &token_len, FERNET_KEY, LEN(FERNET_KEY), PLAIN, NOW, RANDOM);
}
static int fernet_open(void)
{
    return fernseal_fernet_open(BYTES, FERNET_KEY, LEN(FERNET_KEY), token, token_len, NOW, 60);
}
static int config_open(void) { return fernseal_config_open(OUT, &master, CONFIG, LEN(CONFIG), NULL); }
static int config_open_any(void) { return fernseal_config_open_any(OUT, &master, 1, CONFIG, LEN(CONFIG), NULL); }
static int config_get(void)
{
    return fernseal_config_get(OUT, &master, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER), NULL);
}
static int config_get_any(void)
{
    return fernseal_config_get_any(OUT, &master, 1, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER), NULL);
}
static int config_seal(void)
{
    return fernseal_config_seal(OUT, &master, CONFIG_OPENED, LEN(CONFIG_OPENED), POINTER, LEN(POINTER), NOW, RANDOM,
                                NULL);
}
static int config_rotate(void)
{
    return fernseal_config_rotate(OUT, &master, 1, &master, CONFIG, LEN(CONFIG), NOW, RANDOM, NULL);
}
/* Makes a config with TOKENS tokens, each with its own salt. */
static int seal_many(void)
{
    size_t i, at = 0;
    for (i = 0; i < TOKENS; i++) {
        size_t len;
        many[at++] = i == 0 ? '[' : ',';
        many[at++] = '"';
        if (fernseal_token_seal(many + at, sizeof many - at - 2, &len, &master, PLAIN, NOW, RANDOM, NULL) !=
            FERNSEAL_OK)
            return FERNSEAL_INTERNAL;
        at += len;
        many[at++] = '"';
    }
    many[at++] = ']';
    many_len = at;
    return FERNSEAL_OK;
}
static int config_open_many(void)
{
    return fernseal_config_open(opened, sizeof opened, &out_len, &master, many, many_len, NULL);
}
static int config_open_any_many(void)
{
    fernseal_master_key keys[2];
    memset(keys, 1, sizeof keys);
    keys[1] = master;
    return fernseal_config_open_any(opened, sizeof opened, &out_len, keys, 2, many, many_len, NULL);
}
static int config_rotate_many(void)
{
    return fernseal_config_rotate(sealed, sizeof sealed, &out_len, &master, 1, &master, many, many_len, NOW, RANDOM,
                                  NULL);
}
static int config_read(void)
{
    return fernseal_config_read(&config, sizeof config, &master, 1, CONFIG, LEN(CONFIG), NULL);
}
static int random_os(void) { return fernseal_random_os(NULL, (uint8_t *)out, sizeof out); }

static const struct call {
    const char *name;
    int (*run)(void);
    size_t said;
} calls[] = {
    {"parse", parse, SAID}, {"generate", generate, SAID}, {"token_seal", token_seal, SAID},
    {"token_open", token_open, SAID}, {"token_open_any", token_open_any, SAID}, {"derive", derive, SAID},
    {"derive_many", derive_many, SAID},
    {"open_with", open_with, SAID}, {"pbkdf2", pbkdf2, SAID}, {"fernet_seal", fernet_seal, SAID},
    {"fernet_open", fernet_open, SAID}, {"config_get", config_get, SAID}, {"config_get_any", config_get_any, SAID},
    {"config_read", config_read, SAID}, {"random_os", random_os, SAID}, {"config_open", config_open, SAID_CONFIG},
    {"config_open_any", config_open_any, SAID_CONFIG}, {"config_seal", config_seal, SAID_CONFIG},
    {"config_rotate", config_rotate, SAID_CONFIG}, {"seal_many", seal_many, SAID},
    {"config_open_many", config_open_many, SAID_CONFIG}, {"config_open_any_many", config_open_any_many, SAID_CONFIG},
    {"config_rotate_many", config_rotate_many, SAID_CONFIG}, {"config_check", config_check, SAID_CHECK},
};

static const char *top; /* where the call's stack begins */

static void *called(void *which)
{
    const struct call *call = which;
    char here;
    top = &here;
    CHECK(call->run() == FERNSEAL_OK);
    return NULL;
}

static void in_thread(pthread_attr_t *attributes, const struct call *call)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, attributes, called, (void *)call) == 0 && pthread_join(thread, NULL) == 0);
}

int main(void)
{
    static char *stack;
    size_t i, depth, most = 0;
    const char *deepest = "nothing";
    pthread_attr_t painted, small;
    if (posix_memalign((void **)&stack, 4096, LARGE) || pthread_attr_init(&painted) || pthread_attr_init(&small))
        return 2;
    CHECK(pthread_attr_setstack(&painted, stack, LARGE) == 0);
    for (i = 0; i < sizeof calls / sizeof *calls; i++) {
        memset(stack, 0xa5, LARGE);
        in_thread(&painted, &calls[i]);
        for (depth = 0; stack[depth] == (char)0xa5; depth++)
            ;
        depth = (size_t)(top - (stack + depth));
        CHECK(depth <= calls[i].said);
        if (depth > most) {
            most = depth;
            deepest = calls[i].name;
        }
        depth = calls[i].said + THREAD;
        if (depth < (size_t)PTHREAD_STACK_MIN)
            depth = (size_t)PTHREAD_STACK_MIN;
        CHECK(pthread_attr_setstacksize(&small, depth) == 0);
        in_thread(&small, &calls[i]);
    }
    free(stack);
    fprintf(stderr, "%zu bytes of stack in %s; ", most, deepest);
    return checked("stack");
}
