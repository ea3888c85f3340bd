/* Tests the rules at the top of the header with invalid arguments (NULLs, impossible lengths, overlaps), for every
 * argument of every function. No call needs a derivation, because the rules are checked first. */
#include "check.h"
#include "../firmware/vectors.h"

#define POINTER "/auth/token_value"
#define KEY "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
#define FERNET \
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="
#define HUGE_LEN ((size_t)PTRDIFF_MAX + 1)

static fernseal_master_key master;
static fernseal_key key;
static uint8_t next;

/* Checks a call with one invalid input: it fails, and the outputs are zeroed. */
#define BAD(call) REFUSES(FERNSEAL_INVALID_ARGUMENT, 512, call)
/* Checks a call with an invalid output: it does not write to `out`, and sets out_len to `len`. */
#define BAD_OUT(len, call) \
    do { \
        memset(out, 0xa5, sizeof out); \
        memset(&overlapped, 0xa5, sizeof overlapped); \
        out_len = 77; \
        CHECK((call) == FERNSEAL_INVALID_ARGUMENT); \
        CHECK(is_all(out, sizeof out, 0xa5) && is_all(&overlapped, sizeof overlapped, 0xa5)); \
        CHECK(out_len == (len)); \
    } while (0)

/* Checks every invalid output of a function with (out, cap, out_len), which CALL calls, and a valid output that is too
 * short: out_len must then be `enough`. */
#define BAD_OUTPUTS(type, CALL, enough) \
    do { \
        TOO_SMALL(enough, 0, CALL((type *)NULL, 0, &out_len)); \
        TOO_SMALL(enough, 1, CALL((type *)out, 1, &out_len)); \
        BAD_OUT(0, CALL((type *)NULL, 512, &out_len)); \
        BAD_OUT(77, CALL((type *)out, 512, NULL)); \
        BAD_OUT(77, CALL((type *)out, 512, (size_t *)(void *)(overlapped.bytes + 1))); \
        BAD_OUT(0, CALL((type *)out, HUGE_LEN, &out_len)); \
        BAD_OUT(0, CALL((type *)out, SIZE_MAX, &out_len)); \
        BAD_OUT(77, CALL((type *)(void *)&overlapped.len, 512, &overlapped.len)); \
        BAD_OUT(77, CALL((type *)overlapped.bytes, 504 + sizeof(size_t), &overlapped.len)); \
    } while (0)

/* An out_len inside out, at either end. */
static struct {
    size_t len_before;
    char bytes[504];
    size_t len;
    char after[512];
} overlapped;

static void outputs(void)
{
    enum { OPEN_CAP = FERNSEAL_TOKEN_OPEN_CAP(LEN(SALTED)), REWRITTEN_CAP = 4 * LEN(CONFIG) + 1 };
    static fernseal_config config;
    static fernseal_derivation derivation;
    static const uint8_t salt[FERNSEAL_SALT_LEN] = {0};
    uint8_t *const secret = (uint8_t *)(void *)&config;
#define GENERATE(out, cap, len) fernseal_master_key_generate(out, cap, len, count_up, &next)
#define TOKEN_SEAL(out, cap, len) fernseal_token_seal(out, cap, len, &master, secret, 36, NOW, count_up, &next, NULL)
#define TOKEN_OPEN(out, cap, len) fernseal_token_open(out, cap, len, &master, SALTED, LEN(SALTED), NULL)
#define TOKEN_OPEN_ANY(out, cap, len) fernseal_token_open_any(out, cap, len, &master, 1, SALTED, LEN(SALTED), NULL)
#define TOKEN_OPEN_WITH(out, cap, len) fernseal_token_open_with(out, cap, len, &key, SALTED, LEN(SALTED))
#define FERNET_SEAL(out, cap, len) fernseal_fernet_seal(out, cap, len, KEY, LEN(KEY), secret, 5, NOW, count_up, &next)
#define FERNET_OPEN(out, cap, len) fernseal_fernet_open(out, cap, len, KEY, LEN(KEY), "gAAA", 4, NOW, 0)
#define FERNET_OPEN_ANY(out, cap, len) fernseal_fernet_open_any(out, cap, len, &key, 1, "gAAA", 4, NOW, 0)
#define FERNET_ROTATE(out, cap, len) \
    fernseal_fernet_rotate(out, cap, len, &key, 1, FERNET, LEN(FERNET), count_up, &next)
#define CONFIG_OPEN(out, cap, len) fernseal_config_open(out, cap, len, &master, CONFIG, LEN(CONFIG), NULL)
#define CONFIG_OPEN_ANY(out, cap, len) fernseal_config_open_any(out, cap, len, &master, 1, CONFIG, LEN(CONFIG), NULL)
#define CONFIG_GET(out, cap, len) \
    fernseal_config_get(out, cap, len, &master, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER), NULL)
#define CONFIG_GET_ANY(out, cap, len) \
    fernseal_config_get_any(out, cap, len, &master, 1, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER), NULL)
#define CONFIG_SEAL(out, cap, len) \
    fernseal_config_seal(out, cap, len, &master, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER), NOW, count_up, &next, NULL)
#define CONFIG_GET_WITH(out, cap, len) \
    fernseal_config_get_with(out, cap, len, &key, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER))
#define CONFIG_FIND(out, cap, len) fernseal_config_find(out, cap, len, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER))
#define TOKEN_SEAL_WITH(out, cap, len) \
    fernseal_token_seal_with(out, cap, len, &key, salt, secret, 36, NOW, count_up, &next)
#define KEY_ID(out, cap, len) fernseal_master_key_id(out, cap, len, &master, NULL)
#define CONFIG_ROTATE(out, cap, len) \
    fernseal_config_rotate(out, cap, len, &master, 1, &master, CONFIG, LEN(CONFIG), NOW, count_up, &next, NULL)
    BAD_OUTPUTS(char, GENERATE, FERNSEAL_MASTER_KEY_CAP);
    BAD_OUTPUTS(char, TOKEN_SEAL, FERNSEAL_TOKEN_SEAL_CAP(36));
    BAD_OUTPUTS(uint8_t, TOKEN_OPEN, OPEN_CAP);
    BAD_OUTPUTS(uint8_t, TOKEN_OPEN_ANY, OPEN_CAP);
    BAD_OUTPUTS(uint8_t, TOKEN_OPEN_WITH, OPEN_CAP);
    BAD_OUTPUTS(char, FERNET_SEAL, FERNSEAL_FERNET_SEAL_CAP(5));
    BAD_OUTPUTS(uint8_t, FERNET_OPEN, FERNSEAL_FERNET_OPEN_CAP(4));
    BAD_OUTPUTS(uint8_t, FERNET_OPEN_ANY, FERNSEAL_FERNET_OPEN_CAP(4));
    BAD_OUTPUTS(char, FERNET_ROTATE, LEN(FERNET) + 1);
    BAD_OUTPUTS(char, CONFIG_OPEN, REWRITTEN_CAP);
    BAD_OUTPUTS(char, CONFIG_OPEN_ANY, REWRITTEN_CAP);
    BAD_OUTPUTS(char, CONFIG_GET, LEN(CONFIG) + 1);
    BAD_OUTPUTS(char, CONFIG_GET_ANY, LEN(CONFIG) + 1);
    BAD_OUTPUTS(char, CONFIG_SEAL, LEN(CONFIG) + FERNSEAL_TOKEN_SEAL_CAP(LEN(CONFIG)));
    BAD_OUTPUTS(char, CONFIG_ROTATE, REWRITTEN_CAP);
    BAD_OUTPUTS(char, CONFIG_GET_WITH, LEN(CONFIG) + 1);
    BAD_OUTPUTS(char, CONFIG_FIND, LEN(CONFIG) + 1);
    BAD_OUTPUTS(char, TOKEN_SEAL_WITH, FERNSEAL_TOKEN_SEAL_CAP(36));
    BAD_OUTPUTS(char, KEY_ID, FERNSEAL_KEY_ID_CAP);
    CHECK(fernseal_key_parse(NULL, KEY, LEN(KEY)) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_config_check(NULL, CONFIG, LEN(CONFIG)) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_derivation_begin(NULL, &master, salt, 16) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_derivation_advance(NULL, &derivation, 1) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_derivation_advance(&derivation.words[3], &derivation, 1) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_derivation_finish(NULL, &derivation) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_derivation_finish((fernseal_key *)(void *)&derivation, &derivation) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(is_all(&derivation, sizeof derivation, 0));
    CHECK(fernseal_token_salt(NULL, SALTED, LEN(SALTED)) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_token_timestamp(NULL, SALTED, LEN(SALTED)) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_text_next(NULL, &out_len, SALTED, LEN(SALTED), 0) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_text_next(&out_len, NULL, SALTED, LEN(SALTED), 0) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_text_next(&out_len, &out_len, SALTED, LEN(SALTED), 0) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_master_key_parse(NULL, MASTER_KEY, LEN(MASTER_KEY)) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_derive(NULL, &master, SALTED, LEN(SALTED), NULL) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_config_read(NULL, sizeof config, &master, 1, CONFIG, LEN(CONFIG),
                               NULL) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_pbkdf2(NULL, 1, secret, 1, secret, 1, 1, NULL) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_pbkdf2((uint8_t *)out, SIZE_MAX, secret, 1, secret, 1, 1, NULL) == FERNSEAL_INVALID_ARGUMENT);
}

static void inputs(void)
{
    uint8_t *const bytes = (uint8_t *)out;
    const uint8_t *const secret = (const uint8_t *)SECRET;
    fernseal_master_key parsed;
    fernseal_key derived;
    fernseal_derivation derivation;
    uint32_t left = 77;
    size_t start, len;
    uint8_t salt[FERNSEAL_SALT_LEN];
    static fernseal_config config;

#define SEAL_WITH(master, plain, len) \
    fernseal_token_seal(out, 512, &out_len, master, plain, len, NOW, count_up, &next, NULL)
    BAD(SEAL_WITH(NULL, secret, 36));
    BAD(SEAL_WITH(&master, NULL, 36));
    BAD(SEAL_WITH(&master, secret, HUGE_LEN));
    BAD(SEAL_WITH(&master, secret, SIZE_MAX));
#define OPEN_WITH(master, token, len) fernseal_token_open(bytes, 512, &out_len, master, token, len, NULL)
    BAD(OPEN_WITH(NULL, SALTED, LEN(SALTED)));
    BAD(OPEN_WITH(&master, NULL, 1));
    BAD(OPEN_WITH(&master, SALTED, HUGE_LEN));
    BAD(OPEN_WITH(&master, SALTED, SIZE_MAX));
    REFUSES(FERNSEAL_MALFORMED, 512, OPEN_WITH(&master, NULL, 0));
    /* An invalid input comes before a buffer that is too short: out_len is 0. */
    REFUSES(FERNSEAL_INVALID_ARGUMENT, 0, fernseal_token_open(NULL, 0, &out_len, NULL, SALTED, LEN(SALTED), NULL));
    REFUSES(FERNSEAL_INVALID_ARGUMENT, 1, fernseal_config_open(out, 1, &out_len, &master, NULL, 1, NULL));
    BAD(fernseal_token_open_any(bytes, 512, &out_len, NULL, 1, SALTED, LEN(SALTED), NULL));
    BAD(fernseal_token_open_any(bytes, 512, &out_len, &master, SIZE_MAX / 64, SALTED, LEN(SALTED), NULL));
    BAD(fernseal_token_open_any(bytes, 512, &out_len, &master, SIZE_MAX, SALTED, LEN(SALTED), NULL));
    BAD(fernseal_token_open_with(bytes, 512, &out_len, NULL, SALTED, LEN(SALTED)));
    BAD(fernseal_token_open_with(bytes, 512, &out_len, &key, NULL, 1));

    CHECK(fernseal_token_is_sealed(NULL, 4) == 0);
    CHECK(fernseal_token_is_sealed(SALTED, SIZE_MAX) == 0);

    memset(&parsed, 0xa5, sizeof parsed);
    CHECK(fernseal_master_key_parse(&parsed, NULL, 1) == FERNSEAL_INVALID_ARGUMENT && is_all(&parsed, 64, 0));
    CHECK(fernseal_master_key_parse(&parsed, NULL, 0) == FERNSEAL_INVALID_KEY);
    CHECK(fernseal_master_key_parse(&parsed, MASTER_KEY, SIZE_MAX) == FERNSEAL_INVALID_ARGUMENT);
    memset(&derived, 0xa5, sizeof derived);
    CHECK(fernseal_derive(&derived, NULL, SALTED, LEN(SALTED), NULL) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(is_all(&derived, sizeof derived, 0));
    CHECK(fernseal_derive(&derived, &master, NULL, 1, NULL) == FERNSEAL_INVALID_ARGUMENT);

    BAD(fernseal_master_key_id(out, 512, &out_len, NULL, NULL));
    BAD(fernseal_token_seal_with(out, 512, &out_len, NULL, secret, secret, 5, NOW, count_up, &next));
    BAD(fernseal_token_seal_with(out, 512, &out_len, &key, NULL, secret, 5, NOW, count_up, &next));
    BAD(fernseal_token_seal_with(out, 512, &out_len, &key, secret, NULL, 5, NOW, count_up, &next));
    BAD(fernseal_config_get_with(out, 512, &out_len, NULL, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER)));
    BAD(fernseal_config_get_with(out, 512, &out_len, &key, NULL, 1, POINTER, LEN(POINTER)));
    BAD(fernseal_config_get_with(out, 512, &out_len, &key, CONFIG, LEN(CONFIG), NULL, 1));
    BAD(fernseal_config_find(out, 512, &out_len, NULL, 1, POINTER, LEN(POINTER)));
    BAD(fernseal_config_find(out, 512, &out_len, CONFIG, LEN(CONFIG), NULL, 1));
    memset(&derivation, 0xa5, sizeof derivation);
    CHECK(fernseal_derivation_begin(&derivation, NULL, secret, 16) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(is_all(&derivation, sizeof derivation, 0));
    CHECK(fernseal_derivation_begin(&derivation, &master, NULL, 16) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_derivation_advance(&left, NULL, 1) == FERNSEAL_INVALID_ARGUMENT && left == 0);
    CHECK(fernseal_derivation_finish(&derived, NULL) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_token_salt(salt, NULL, 1) == FERNSEAL_INVALID_ARGUMENT && is_all(salt, sizeof salt, 0));
    CHECK(fernseal_text_next(&start, &len, NULL, 1, 0) == FERNSEAL_INVALID_ARGUMENT && start == 0 && len == 0);

    memset(out, 0xa5, sizeof out);
    CHECK(fernseal_pbkdf2(bytes, 32, NULL, 1, secret, 1, 1, NULL) == FERNSEAL_INVALID_ARGUMENT && is_all(out, 32, 0));
    CHECK(fernseal_pbkdf2(bytes, 32, secret, 1, NULL, 1, 1, NULL) == FERNSEAL_INVALID_ARGUMENT && is_all(out, 32, 0));
    memset(out, 0xa5, sizeof out);
    CHECK(fernseal_pbkdf2(bytes, 32, secret, HUGE_LEN, secret, 1, 1,
                          NULL) == FERNSEAL_INVALID_ARGUMENT && is_all(out, 32, 0));

    BAD(fernseal_fernet_seal(out, 512, &out_len, NULL, 44, secret, 5, NOW, count_up, &next));
    BAD(fernseal_fernet_seal(out, 512, &out_len, KEY, LEN(KEY), NULL, 5, NOW, count_up, &next));
    BAD(fernseal_fernet_open(bytes, 512, &out_len, NULL, 44, "gAAA", 4, NOW, 0));
    BAD(fernseal_fernet_open(bytes, 512, &out_len, KEY, LEN(KEY), NULL, 4, NOW, 0));

    BAD(fernseal_fernet_open_any(bytes, 512, &out_len, NULL, 1, "gAAA", 4, NOW, 0));
    BAD(fernseal_fernet_open_any(bytes, 512, &out_len, &key, SIZE_MAX, "gAAA", 4, NOW, 0));
    BAD(fernseal_fernet_open_any(bytes, 512, &out_len, &key, 1, NULL, 4, NOW, 0));
    BAD(fernseal_fernet_rotate(out, 512, &out_len, NULL, 1, "gAAA", 4, count_up, &next));
    BAD(fernseal_fernet_rotate(out, 512, &out_len, &key, 1, NULL, 4, count_up, &next));
    memset(&derived, 0xa5, sizeof derived);
    CHECK(fernseal_key_parse(&derived, NULL, 1) == FERNSEAL_INVALID_ARGUMENT && is_all(&derived, sizeof derived, 0));
    start = 77;
    CHECK(fernseal_config_check(&start, NULL, 1) == FERNSEAL_INVALID_ARGUMENT && start == 0);

    BAD(fernseal_config_open(out, 512, &out_len, NULL, CONFIG, LEN(CONFIG), NULL));
    BAD(fernseal_config_open(out, 512, &out_len, &master, NULL, 1, NULL));
    REFUSES(FERNSEAL_INVALID_JSON, 512, fernseal_config_open(out, 512, &out_len, &master, NULL, 0, NULL));
    BAD(fernseal_config_open_any(out, 512, &out_len, NULL, 1, CONFIG, LEN(CONFIG), NULL));
    BAD(fernseal_config_get(out, 512, &out_len, NULL, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER), NULL));
    BAD(fernseal_config_get(out, 512, &out_len, &master, NULL, 1, POINTER, LEN(POINTER), NULL));
    BAD(fernseal_config_get(out, 512, &out_len, &master, CONFIG, LEN(CONFIG), NULL, 1, NULL));
    BAD(fernseal_config_get_any(out, 512, &out_len, NULL, 1, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER), NULL));
#define CONFIG_SEAL_WITH(master, json, len, pointer, pointer_len) \
    fernseal_config_seal(out, 512, &out_len, master, json, len, pointer, pointer_len, NOW, count_up, &next, NULL)
    BAD(CONFIG_SEAL_WITH(NULL, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER)));
    BAD(CONFIG_SEAL_WITH(&master, NULL, 1, POINTER, LEN(POINTER)));
    BAD(CONFIG_SEAL_WITH(&master, CONFIG, LEN(CONFIG), NULL, 1));
#define CONFIG_ROTATE_WITH(old, count, master, json, len) \
    fernseal_config_rotate(out, 512, &out_len, old, count, master, json, len, NOW, count_up, &next, NULL)
    BAD(CONFIG_ROTATE_WITH(NULL, 1, &master, CONFIG, LEN(CONFIG)));
    BAD(CONFIG_ROTATE_WITH(&master, SIZE_MAX, &master, CONFIG, LEN(CONFIG)));
    BAD(CONFIG_ROTATE_WITH(&master, 1, NULL, CONFIG, LEN(CONFIG)));
    BAD(CONFIG_ROTATE_WITH(&master, 1, &master, NULL, 1));
    memset(&config, 0xa5, sizeof config);
    CHECK(fernseal_config_read(&config, sizeof config, NULL, 1, CONFIG, LEN(CONFIG),
                               NULL) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(config.host[0] == 0 && config.token_value[511] == 0);
    CHECK(fernseal_config_read(&config, sizeof config, &master, 1, NULL, 1, NULL) == FERNSEAL_INVALID_ARGUMENT);

    /* A NULL random source fails where something is sealed, and does not matter where nothing is. */
    REFUSES(FERNSEAL_RANDOM_FAILED, 64, fernseal_master_key_generate(out, 64, &out_len, NULL, NULL));
    REFUSES(FERNSEAL_RANDOM_FAILED, 512,
            fernseal_token_seal(out, 512, &out_len, &master, secret, 36, NOW, NULL, NULL, NULL));
    YIELDS("[\"${A}\"]", 9,
           fernseal_config_seal(out, 9, &out_len, &master, "[\"${A}\"]", 8, "/0", 2, NOW, NULL, NULL, NULL));
    /* A wipe with invalid arguments does nothing. */
    fernseal_wipe(NULL, 5);
    memset(out, 0xa5, sizeof out);
    fernseal_wipe(out, SIZE_MAX);
    CHECK(is_all(out, sizeof out, 0xa5));
}

/* Checks outputs that begin or end in another argument, or are inside it. */
static void overlaps(void)
{
    union {
        char text[1024];
        uint8_t bytes[1024];
        fernseal_master_key master;
        fernseal_key key;
        fernseal_config config;
        fernseal_tick tick;
    } *const shared = (void *)out;
    static const size_t shifts[] = {0, 1, 36};
    size_t i, shift;
    char before[sizeof out], other[300];
    size_t *const len_in_input = (size_t *)(void *)(out + 8);
    memset(out, 'A', sizeof out);
    memcpy(before, out, sizeof out);
#define OVERLAPS(call) \
    do { \
        out_len = 77; \
        CHECK((call) == FERNSEAL_INVALID_ARGUMENT); \
        CHECK(out_len == 0 && memcmp(out, before, sizeof out) == 0); \
    } while (0)
    for (i = 0; i < sizeof shifts / sizeof *shifts; i++) {
        shift = shifts[i];
        OVERLAPS(fernseal_token_seal(out + shift, 300, &out_len, &master, shared->bytes, 37, NOW, count_up, &next,
                                     NULL));
        OVERLAPS(fernseal_token_seal(out, 300, &out_len, &master, shared->bytes + shift, 37, NOW, count_up, &next,
                                     NULL));
        OVERLAPS(fernseal_token_seal(out + shift, 300, &out_len, &shared->master, NULL, 0, NOW, count_up, &next, NULL));
        OVERLAPS(fernseal_token_open(shared->bytes + shift, 300, &out_len, &master, out, 37, NULL));
        OVERLAPS(fernseal_token_open(shared->bytes + shift, 300, &out_len, &shared->master, SALTED, LEN(SALTED), NULL));
        OVERLAPS(fernseal_token_open_any(shared->bytes + shift, 300, &out_len, &shared->master, 2, SALTED,
                                         LEN(SALTED), NULL));
        OVERLAPS(fernseal_config_open(out + shift, 300, &out_len, &master, out, 37, NULL));
        OVERLAPS(fernseal_config_open(out + shift, 300, &out_len, &shared->master, CONFIG, LEN(CONFIG), NULL));
        OVERLAPS(fernseal_config_get(out + shift, 300, &out_len, &master, out, 37, POINTER, LEN(POINTER), NULL));
        OVERLAPS(fernseal_config_get(out + shift, 300, &out_len, &master, CONFIG, LEN(CONFIG), out, 37, NULL));
        OVERLAPS(fernseal_config_seal(out + shift, 300, &out_len, &master, out, 37, POINTER, 1, NOW, count_up, &next,
                                      NULL));
        OVERLAPS(fernseal_config_rotate(out + shift, 300, &out_len, &master, 1, &shared->master, CONFIG, LEN(CONFIG),
                                        NOW, count_up, &next, NULL));
        OVERLAPS(fernseal_fernet_seal(out + shift, 300, &out_len, out, 44, NULL, 0, NOW, count_up, &next));
        OVERLAPS(fernseal_fernet_open(shared->bytes + shift, 300, &out_len, KEY, LEN(KEY), out, 37, NOW, 0));
        CHECK(fernseal_pbkdf2(shared->bytes + shift, 64, shared->bytes, 37, NULL, 0, 1,
                              NULL) == FERNSEAL_INVALID_ARGUMENT);
        CHECK(fernseal_master_key_parse(&shared->master, out + shift, 44) == FERNSEAL_INVALID_ARGUMENT);
        CHECK(memcmp(out, before, sizeof out) == 0);
    }
    OVERLAPS(fernseal_token_open_with(shared->bytes, 300, &out_len, &shared->key, SALTED, LEN(SALTED)));
    OVERLAPS(fernseal_token_open(shared->bytes, 300, &out_len, &master, SALTED, LEN(SALTED), &shared->tick));
    OVERLAPS(fernseal_fernet_open_any(shared->bytes, 300, &out_len, &shared->key, 1, "gAAA", 4, NOW, 0));
    /* An out_len inside an input. */
    memset(other, 0xa5, sizeof other);
    CHECK(fernseal_token_seal(other, 300, len_in_input, &shared->master, NULL, 0, NOW, count_up, &next, NULL) ==
          FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_token_open((uint8_t *)other, 300, len_in_input, &master, out, 37,
                              NULL) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_config_get(other, 300, len_in_input, &master, CONFIG, LEN(CONFIG), out, 37, NULL) ==
          FERNSEAL_INVALID_ARGUMENT);
    CHECK(is_all(other, sizeof other, 0xa5) && memcmp(out, before, sizeof out) == 0);
    CHECK(fernseal_derive(&shared->key, &shared->master, SALTED, LEN(SALTED), NULL) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(fernseal_config_read(&shared->config, sizeof shared->config, &master, 1, out + 100, 5,
                               NULL) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(memcmp(out, before, sizeof out) == 0);
    /* Adjacent buffers do not overlap. Inputs may overlap. */
    CHECK(fernseal_pbkdf2(shared->bytes + 37, 64, shared->bytes, 37, shared->bytes, 37, 1, NULL) == FERNSEAL_OK);
    CHECK(is_all(out, 37, 'A') && is_all(out + 101, sizeof out - 101, 'A'));
}

int main(void)
{
    CHECK(fernseal_master_key_parse(&master, MASTER_KEY, LEN(MASTER_KEY)) == FERNSEAL_OK);
    CHECK(fernseal_key_parse(&key, KEY, LEN(KEY)) == FERNSEAL_OK);
    outputs();
    inputs();
    overlaps();
    return checked("rules");
}
