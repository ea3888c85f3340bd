/* Checks constant time with valgrind: opens, fails to open and seals while every secret is marked as undefined. Valgrind
   then reports each branch and each address that depends on a secret. run.py runs this program and compares the reports
   with its list of exceptions.

     constant_time NAME        NAME is an operation below; `leaky` is a faulty one that valgrind must report

   Undefined are the master key, the keys derived from it, the plaintext, and all values computed from them. */
#include <fernseal.h>
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#define SECRET(of) VALGRIND_MAKE_MEM_UNDEFINED(&(of), sizeof(of))
#define PUBLIC(of) VALGRIND_MAKE_MEM_DEFINED(&(of), sizeof(of))

static const char KEY_TEXT[] = "ObZIJcp620H6InDDQzNIhnX3zy4kQiYySE7Rwe4vans=";
static const char OTHER_TEXT[] = "4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8=";
static const char PLAIN[] = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

static fernseal_master_key master, other;
static fernseal_key key;
static char token[FERNSEAL_TOKEN_SEAL_CAP(sizeof PLAIN)];
static size_t token_len;
static uint8_t out[4096];
static size_t out_len;

/* Returns whether a status is the expected one. A status is public. */
static int is(fernseal_status status, fernseal_status expected) {
    PUBLIC(status);
    PUBLIC(out_len);
    if (status != expected) fprintf(stderr, "%s\n", fernseal_status_str(status));
    return status == expected;
}

/* Prepares the inputs of the operations, without marking secrets. */
static int prepare(void) {
    return is(fernseal_master_key_parse(&master, KEY_TEXT, sizeof KEY_TEXT - 1), FERNSEAL_OK) &&
           is(fernseal_master_key_parse(&other, OTHER_TEXT, sizeof OTHER_TEXT - 1), FERNSEAL_OK) &&
           is(fernseal_token_seal(token, sizeof token, &token_len, &master, (const uint8_t *)PLAIN, sizeof PLAIN - 1,
                                  1700000000, fernseal_random_os, NULL, NULL), FERNSEAL_OK) &&
           is(fernseal_derive(&key, &master, token, token_len, NULL), FERNSEAL_OK);
}

static int parse(void) {
    char text[sizeof KEY_TEXT - 1];
    memcpy(text, KEY_TEXT, sizeof text);
    SECRET(text);
    return is(fernseal_master_key_parse(&master, text, sizeof text), FERNSEAL_OK);
}

static int derive(void) {
    SECRET(master);
    return is(fernseal_derive(&key, &master, token, token_len, NULL), FERNSEAL_OK);
}

static int seal(void) {
    uint8_t plain[sizeof PLAIN - 1];
    char sealed[FERNSEAL_TOKEN_SEAL_CAP(sizeof PLAIN)];
    size_t len = 0;
    memcpy(plain, PLAIN, sizeof plain);
    SECRET(plain);
    SECRET(master);
    return is(fernseal_token_seal(sealed, sizeof sealed, &len, &master, plain, sizeof plain, 1700000000,
                                  fernseal_random_os, NULL, NULL), FERNSEAL_OK);
}

static int open_good(void) {
    SECRET(key);
    return is(fernseal_token_open_with(out, sizeof out, &out_len, &key, token, token_len), FERNSEAL_OK) &&
           out_len == sizeof PLAIN - 1;
}

static int open_wrong_key(void) {
    if (!is(fernseal_derive(&key, &other, token, token_len, NULL), FERNSEAL_OK)) return 0;
    SECRET(key);
    return is(fernseal_token_open_with(out, sizeof out, &out_len, &key, token, token_len), FERNSEAL_UNAUTHENTIC);
}

static int fernet(void) {
    static const char TEXT[] = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    static const char TOKEN[] =
        "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
    char text[sizeof TEXT - 1];
    memcpy(text, TEXT, sizeof text);
    SECRET(text);
    return is(fernseal_fernet_open(out, sizeof out, &out_len, text, sizeof text, TOKEN, sizeof TOKEN - 1, 499162800, 60),
              FERNSEAL_OK);
}

static int config(void) {
    char json[1024];
    int len = snprintf(json, sizeof json, "{\"auth\": {\"token_value\": \"%.*s\"}}", (int)token_len, token);
    SECRET(master);
    return is(fernseal_config_get((char *)out, sizeof out, &out_len, &master, json, (size_t)len, "/auth/token_value", 17,
                                  NULL),
              FERNSEAL_OK);
}

static int config_open(void) {
    char json[1024];
    int len = snprintf(json, sizeof json, "{\"auth\": {\"token_value\": \"%.*s\"}}", (int)token_len, token);
    SECRET(master);
    return is(fernseal_config_open((char *)out, sizeof out, &out_len, &master, json, (size_t)len, NULL), FERNSEAL_OK);
}

/* Compares MACs in a naive way, which ends at the first byte that differs. */
static int leaky(void) {
    static const uint8_t guess[sizeof key.bytes];
    size_t i = 0;
    SECRET(key);
    while (i < sizeof key.bytes && key.bytes[i] == guess[i]) i++;
    return i < sizeof key.bytes;
}

int main(int argc, char **argv) {
    static const struct { const char *name; int (*run)(void); } operations[] = {
        {"parse", parse}, {"derive", derive}, {"seal", seal},     {"open", open_good}, {"open_wrong_key", open_wrong_key},
        {"fernet", fernet}, {"config", config}, {"config_open", config_open}, {"leaky", leaky},
    };
    for (size_t i = 0; argc == 2 && i < sizeof operations / sizeof *operations; i++) {
        if (strcmp(argv[1], operations[i].name) == 0) return prepare() && operations[i].run() ? 0 : 1;
    }
    return 2;
}
