/* Checks that the C functions leave nothing on the stack. Each runs on its own stack, which is then searched for the
   master key, its text, the keys derived from it and the secret: no eight bytes of any of them may occur. After a failure
   the caller's buffer is searched too. `--leave` copies the secret to the stack on purpose, which must be detected. */
#define _GNU_SOURCE
#include <fernseal.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STACK = 1 << 20, WINDOW = 8 };

static const char KEY_TEXT[] = "ObZIJcp620H6InDDQzNIhnX3zy4kQiYySE7Rwe4vans=";
static const char OTHER_TEXT[] = "4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8=";
static const char PLAIN[] = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
static const char POINTER[] = "/auth/token_value";

static fernseal_master_key master, other, parsed;
static fernseal_key key, derived, fernet_key;
static char token[FERNSEAL_TOKEN_SEAL_CAP(sizeof PLAIN)], json[1024], out[4096];
static char fernet[256];
static size_t token_len, fernet_len, json_len, out_len;

static int is(fernseal_status status, fernseal_status expected) { return status == expected; }
#define OUT out, sizeof out, &out_len
#define BYTES (uint8_t *)out, sizeof out, &out_len

static int parse(void) { return is(fernseal_master_key_parse(&parsed, KEY_TEXT, sizeof KEY_TEXT - 1), FERNSEAL_OK); }
static int derive(void) { return is(fernseal_derive(&derived, &master, token, token_len, NULL), FERNSEAL_OK); }
static int stop(void *ctx) { (void)ctx; return 1; }
static int cancel(void) {
    static const fernseal_tick tick = {stop, NULL, 0};
    return is(fernseal_derive(&derived, &master, token, token_len, &tick), FERNSEAL_CANCELLED);
}
static int seal(void) {
    return is(fernseal_token_seal(OUT, &master, (const uint8_t *)PLAIN, sizeof PLAIN - 1, 1700000000, fernseal_random_os,
                                  NULL, NULL), FERNSEAL_OK);
}
static int fail_random(void *ctx, uint8_t *buf, size_t len) { (void)ctx; (void)buf; (void)len; return 1; }
static int seal_fails(void) {
    return is(fernseal_token_seal(OUT, &master, (const uint8_t *)PLAIN, sizeof PLAIN - 1, 1700000000, fail_random, NULL,
                                  NULL),
              FERNSEAL_RANDOM_FAILED);
}
static int open_token(void) { return is(fernseal_token_open(BYTES, &master, token, token_len, NULL), FERNSEAL_OK); }
static int derive_in_slices(void) {
    static fernseal_derivation derivation;
    uint8_t salt[FERNSEAL_SALT_LEN];
    uint32_t left;
    if (fernseal_token_salt(salt, token, token_len) || fernseal_derivation_begin(&derivation, &master, salt, sizeof salt)) return 0;
    do {
        if (fernseal_derivation_advance(&left, &derivation, 60000)) return 0;
    } while (left > 0);
    return is(fernseal_derivation_finish(&derived, &derivation), FERNSEAL_OK) && derivation.words[0] == 0;
}
static int seal_with(void) {
    uint8_t salt[FERNSEAL_SALT_LEN] = {0};
    return is(fernseal_token_seal_with(out, sizeof out, &out_len, &key, salt, (const uint8_t *)PLAIN, sizeof PLAIN - 1, 1,
                                       fernseal_random_os, NULL), FERNSEAL_OK);
}
static int get_with(void) {
    return is(fernseal_config_get_with((char *)out, sizeof out, &out_len, &key, json, json_len, "/auth/token_value", 17),
              FERNSEAL_OK);
}
static int open_with(void) { return is(fernseal_token_open_with(BYTES, &key, token, token_len), FERNSEAL_OK); }
static int wrong_key(void) {
    return is(fernseal_token_open(BYTES, &other, token, token_len, NULL), FERNSEAL_UNAUTHENTIC);
}
static int derive_many(void) {
    static fernseal_key keys[2];
    uint8_t salts[2 * FERNSEAL_SALT_LEN] = {0};
    int done = !fernseal_token_salt(salts, token, token_len) &&
               is(fernseal_derive_many(keys, 2, &master, 1, salts, NULL), FERNSEAL_OK) &&
               !memcmp(&keys[0], &key, sizeof key);
    fernseal_wipe(keys, sizeof keys);
    return done;
}
static int fernet_keys(void) {
    return !fernseal_fernet_rotate(out, sizeof out, &out_len, &fernet_key, 1, fernet, fernet_len, fernseal_random_os,
                                   NULL) &&
           is(fernseal_fernet_open_any(BYTES, &fernet_key, 1, fernet, fernet_len, 0, 0), FERNSEAL_OK);
}
static int too_small(void) {
    return is(fernseal_token_open((uint8_t *)out, sizeof PLAIN - 2, &out_len, &master, token, token_len, NULL),
              FERNSEAL_BUFFER_TOO_SMALL);
}
static int tampered(void) {
    char broken[sizeof token];
    memcpy(broken, token, token_len);
    broken[token_len - 20] ^= 1;
    fernseal_status status = fernseal_token_open(BYTES, &master, broken, token_len, NULL);
    return is(status, FERNSEAL_UNAUTHENTIC) || is(status, FERNSEAL_MALFORMED);
}
static int get(void) {
    return is(fernseal_config_get(OUT, &master, json, json_len, POINTER, sizeof POINTER - 1, NULL), FERNSEAL_OK);
}
static int open_config(void) { return is(fernseal_config_open(OUT, &master, json, json_len, NULL), FERNSEAL_OK); }
static int rotate(void) {
    return is(fernseal_config_rotate(OUT, &master, 1, &other, json, json_len, 1700000000, fernseal_random_os, NULL,
                                     NULL),
              FERNSEAL_OK);
}
static int leave(void) {
    volatile char copy[64];
    for (size_t i = 0; i < sizeof PLAIN; i++) copy[i] = PLAIN[i];
    return copy[0] == PLAIN[0];
}

static void *on_its_stack(void *run) {
    int (*operation)(void);
    memcpy(&operation, run, sizeof operation);
    return operation() ? run : NULL;
}

/* Searches `memory` for eight bytes of `secret`. Returns their offset in the secret, or -1. */
static long found(const uint8_t *memory, size_t len, const void *secret, size_t secret_len) {
    for (size_t at = 0; at + WINDOW <= secret_len; at++) {
        if (memmem(memory, len, (const uint8_t *)secret + at, WINDOW)) return (long)at;
    }
    return -1;
}

static int search(const char *name, const char *where, const uint8_t *memory, size_t len) {
    const struct { const char *name; const void *at; size_t len; } secrets[] = {
        {"the master key", master.bytes, 32},  {"the other master key", other.bytes, 32},
        {"the derived key", key.bytes, 32},    {"the secret", PLAIN, sizeof PLAIN - 1},
        {"the key's text", KEY_TEXT, sizeof KEY_TEXT - 1},
    };
    int left = 0;
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        long at = found(memory, len, secrets[i].at, secrets[i].len);
        if (at >= 0) {
            printf("FAIL %s leaves %s (from byte %ld) %s\n", name, secrets[i].name, at, where);
            left = 1;
        }
    }
    return left;
}

int main(int argc, char **argv) {
    static const struct { const char *name; int (*run)(void); int fails; } operations[] = {
        {"master_key_parse", parse, 0},    {"derive", derive, 0},
        {"derive, cancelled", cancel, 1},  {"token_seal", seal, 0},
        {"token_seal without randomness", seal_fails, 1}, {"token_open", open_token, 0},
        {"token_open_with", open_with, 0}, {"token_open, wrong key", wrong_key, 1},
        {"token_open, tampered", tampered, 1}, {"token_open, buffer too small", too_small, 1},
        {"config_get", get, 0},            {"config_open", open_config, 0},
        {"derivation", derive_in_slices, 0}, {"derive_many", derive_many, 0}, {"fernet keys", fernet_keys, 0},
        {"token_seal_with", seal_with, 0}, {"config_get_with", get_with, 0},
        {"config_rotate", rotate, 0},      {"a copy left on purpose", leave, 0},
    };
    size_t count = sizeof operations / sizeof *operations;
    int left = 0;
    if (!parse() || fernseal_master_key_parse(&master, KEY_TEXT, sizeof KEY_TEXT - 1) ||
        fernseal_master_key_parse(&other, OTHER_TEXT, sizeof OTHER_TEXT - 1) || !seal()) return 2;
    memcpy(token, out, token_len = out_len);
    if (fernseal_derive(&key, &master, token, token_len, NULL) ||
        fernseal_key_parse(&fernet_key, KEY_TEXT, sizeof KEY_TEXT - 1) ||
        fernseal_fernet_seal(fernet, sizeof fernet, &fernet_len, KEY_TEXT, sizeof KEY_TEXT - 1, (const uint8_t *)PLAIN,
                             sizeof PLAIN - 1, 1, fernseal_random_os, NULL)) return 2;
    json_len = (size_t)snprintf(json, sizeof json, "{\"auth\": {\"token_value\": \"%s\"}}", token);

    for (size_t i = argc > 1 && strcmp(argv[1], "--leave") == 0 ? count - 1 : 0; i < (argc > 1 ? count : count - 1); i++) {
        pthread_attr_t attributes;
        pthread_t thread;
        void *done = NULL;
        uint8_t *stack = aligned_alloc(4096, STACK);
        int (*operation)(void) = operations[i].run;
        if (!stack) return 2;
        memset(stack, 0xa5, STACK);
        memset(out, 0xa5, sizeof out);
        pthread_attr_init(&attributes);
        pthread_attr_setstack(&attributes, stack, STACK);
        if (pthread_create(&thread, &attributes, on_its_stack, &operation)) return 2;
        pthread_join(thread, &done);
        if (!done) {
            printf("FAIL %s ended otherwise than it should\n", operations[i].name);
            left = 1;
        }
        left |= search(operations[i].name, "on the stack", stack, STACK);
        if (operations[i].fails) left |= search(operations[i].name, "in the caller's buffer", (const uint8_t *)out, sizeof out);
        free(stack);
    }
    if (!left) printf("%zu operations left nothing on the stack, nor in a buffer after a failure\n", count - 1);
    return left;
}
