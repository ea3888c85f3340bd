/* Tests every function and every status. The test vectors are from Python and from the standards. */
#include "check.h"
#include "../firmware/vectors.h"

/* Source: fernet/spec, generate.json. */
#define FERNET_KEY "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
#define FERNET_TOKEN \
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="
#define FERNET_NOW 499162800u

#define POINTER "/auth/token_value"
#define OTHER_KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define KEY_ID "a97fcad7"
#define SHORT_KEY "AQIDBAUGBwgJCgsMDQ4P"

static fernseal_master_key keys[2]; /* another, and the vectors' */
static fernseal_master_key *const master = &keys[1];
static fernseal_master_key short_key;

static void version_and_words(void)
{
    int32_t status;
    CHECK(fernseal_version_number() == FERNSEAL_VERSION_NUMBER);
    CHECK(strcmp(fernseal_version_string(), FERNSEAL_VERSION_STRING) == 0);
    for (status = -1; status <= 16; status++) {
        CHECK(strlen(fernseal_status_str(status)) > 1);
        CHECK((strcmp(fernseal_status_str(status), "unknown status") == 0) == (status < 0 || status > 14));
    }
    CHECK(strcmp(fernseal_status_str(FERNSEAL_INTERNAL), "internal error") == 0);
}

static void wipe_and_random(void)
{
    uint8_t a[64], b[64];
    memset(a, 0xa5, sizeof a);
    fernseal_wipe(a, 63);
    CHECK(is_all(a, 63, 0) && a[63] == 0xa5);
    fernseal_wipe(NULL, 0);
    CHECK(fernseal_random_os(NULL, a, sizeof a) == 0 && fernseal_random_os(NULL, b, sizeof b) == 0);
    CHECK(memcmp(a, b, sizeof a) != 0 && !is_all(a, sizeof a, 0));
    CHECK(fernseal_random_os(NULL, NULL, 0) == 0);
    CHECK(fernseal_random_os(NULL, NULL, 1) != 0);
}

static void master_keys(void)
{
    uint8_t next = 0;
    fernseal_master_key parsed;
    CHECK(fernseal_master_key_parse(&keys[0], OTHER_KEY, LEN(OTHER_KEY)) == FERNSEAL_OK);
    CHECK(fernseal_master_key_parse(master, " " MASTER_KEY "\n", LEN(MASTER_KEY) + 2) == FERNSEAL_OK);
    CHECK(master->bytes[0] == 0xe0 && master->bytes[31] == 0xff && is_all(master->bytes + 32, 32, 0));
    CHECK(fernseal_master_key_parse(&short_key, SHORT_KEY, LEN(SHORT_KEY)) == FERNSEAL_OK);

    memset(&parsed, 0xa5, sizeof parsed);
    CHECK(fernseal_master_key_parse(&parsed, MASTER_KEY, LEN(MASTER_KEY) - 1) == FERNSEAL_INVALID_KEY);
    CHECK(is_all(&parsed, sizeof parsed, 0));
    CHECK(fernseal_master_key_parse(&parsed, "", 0) == FERNSEAL_INVALID_KEY);
    CHECK(fernseal_master_key_parse(&parsed, "\xff\xfe=!", 4) == FERNSEAL_INVALID_KEY);

    YIELDS("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", FERNSEAL_MASTER_KEY_CAP,
           fernseal_master_key_generate(out, FERNSEAL_MASTER_KEY_CAP, &out_len, count_up, &next));
    TOO_SMALL(FERNSEAL_MASTER_KEY_CAP, FERNSEAL_MASTER_KEY_CAP - 1,
              fernseal_master_key_generate(out, FERNSEAL_MASTER_KEY_CAP - 1, &out_len, count_up, &next));
    REFUSES(FERNSEAL_RANDOM_FAILED, 64, fernseal_master_key_generate(out, 64, &out_len, no_random, NULL));
    CHECK(fernseal_master_key_generate(out, sizeof out, &out_len, fernseal_random_os, NULL) == FERNSEAL_OK);
    CHECK(out_len == 44 && strlen(out) == 44);
}

static void capacities_for(size_t len)
{
    CHECK(fernseal_token_seal_cap(len) == FERNSEAL_TOKEN_SEAL_CAP(len));
    CHECK(fernseal_token_open_cap(len) == FERNSEAL_TOKEN_OPEN_CAP(len));
    CHECK(fernseal_fernet_seal_cap(len) == FERNSEAL_FERNET_SEAL_CAP(len));
    CHECK(fernseal_fernet_open_cap(len) == FERNSEAL_FERNET_OPEN_CAP(len));
}

static void capacities(void)
{
    size_t i;
    for (i = 0; i < 5000; i++) {
        capacities_for(i);
        capacities_for(SIZE_MAX / 2 - i);
    }
    CHECK(fernseal_master_key_cap() == FERNSEAL_MASTER_KEY_CAP);
    CHECK(fernseal_master_key_size() == sizeof(fernseal_master_key));
    CHECK(fernseal_config_size() == sizeof(fernseal_config) && sizeof(fernseal_config) % 8 == 0);
    CHECK(fernseal_token_seal_cap(LEN(SECRET)) == LEN(SEALED) + 1);
    CHECK(fernseal_token_seal_cap(SIZE_MAX) == SIZE_MAX);
    CHECK(fernseal_fernet_seal_cap(SIZE_MAX) == SIZE_MAX);
}

static void tokens(void)
{
    enum { SEAL_CAP = FERNSEAL_TOKEN_SEAL_CAP(LEN(SECRET)), OPEN_CAP = FERNSEAL_TOKEN_OPEN_CAP(LEN(SALTED)) };
    uint8_t *const bytes = (uint8_t *)out;
    const uint8_t *const secret = (const uint8_t *)SECRET;
    fernseal_key key;
    uint8_t next = 0;

    CHECK(fernseal_token_is_sealed(SALTED, LEN(SALTED)) == 1);
    CHECK(fernseal_token_is_sealed("enc:", 4) == 1 && fernseal_token_is_sealed("enc", 3) == 0);
    CHECK(fernseal_token_is_sealed("ENC:", 4) == 0 && fernseal_token_is_sealed(NULL, 0) == 0);

    YIELDS(SEALED, SEAL_CAP,
           fernseal_token_seal(out, SEAL_CAP, &out_len, master, secret, LEN(SECRET), NOW, count_up, &next, NULL));
    TOO_SMALL(SEAL_CAP, SEAL_CAP - 1,
              fernseal_token_seal(out, SEAL_CAP - 1, &out_len, master, secret, LEN(SECRET), NOW, count_up, &next,
                                  NULL));
    REFUSES(FERNSEAL_RANDOM_FAILED, SEAL_CAP,
            fernseal_token_seal(out, SEAL_CAP, &out_len, master, secret, LEN(SECRET), NOW, no_random, NULL, NULL));
    REFUSES(FERNSEAL_INVALID_KEY, SEAL_CAP,
            fernseal_token_seal(out, SEAL_CAP, &out_len, &short_key, secret, LEN(SECRET), NOW, count_up, &next, NULL));

    YIELDS(SECRET, OPEN_CAP, fernseal_token_open(bytes, OPEN_CAP, &out_len, master, SALTED, LEN(SALTED), NULL));
    YIELDS(SECRET, OPEN_CAP, fernseal_token_open(bytes, OPEN_CAP, &out_len, master, LEGACY, LEN(LEGACY), NULL));
    REFUSES(FERNSEAL_UNAUTHENTIC, OPEN_CAP,
            fernseal_token_open(bytes, OPEN_CAP, &out_len, &keys[0], SALTED, LEN(SALTED), NULL));
    REFUSES(FERNSEAL_MALFORMED, OPEN_CAP,
            fernseal_token_open(bytes, OPEN_CAP, &out_len, master, SALTED, LEN(SALTED) - 1, NULL));
    REFUSES(FERNSEAL_MALFORMED, OPEN_CAP, fernseal_token_open(bytes, OPEN_CAP, &out_len, master, "enc:\xff", 5, NULL));

    YIELDS(SECRET, OPEN_CAP, fernseal_token_open_any(bytes, OPEN_CAP, &out_len, keys, 2, SALTED, LEN(SALTED), NULL));
    REFUSES(FERNSEAL_UNAUTHENTIC, OPEN_CAP,
            fernseal_token_open_any(bytes, OPEN_CAP, &out_len, NULL, 0, SALTED, LEN(SALTED), NULL));

    CHECK(fernseal_derive(&key, master, SALTED, LEN(SALTED), NULL) == FERNSEAL_OK);
    YIELDS(SECRET, OPEN_CAP, fernseal_token_open_with(bytes, OPEN_CAP, &out_len, &key, SALTED, LEN(SALTED)));
    REFUSES(FERNSEAL_UNAUTHENTIC, OPEN_CAP,
            fernseal_token_open_with(bytes, OPEN_CAP, &out_len, &key, TAMPERED, LEN(TAMPERED)));
    /* Opening needs room for the Fernet token inside both layers of base64: 1 + 8 + 16 + 48 + 32 bytes. */
    YIELDS(SECRET, 105, fernseal_token_open_with(bytes, 105, &out_len, &key, SALTED, LEN(SALTED)));
    TOO_SMALL(OPEN_CAP, 104,
              fernseal_token_open_with(bytes, 104, &out_len, &key, SALTED, LEN(SALTED)));
    TOO_SMALL(OPEN_CAP, 0, fernseal_token_open_with(NULL, 0, &out_len, &key, SALTED, LEN(SALTED)));

    CHECK(fernseal_derive(&key, master, "enc:", 4, NULL) == FERNSEAL_MALFORMED);
    CHECK(fernseal_derive(&key, master, LEGACY, LEN(LEGACY), NULL) == FERNSEAL_OK);
    YIELDS(SECRET, OPEN_CAP, fernseal_token_open_with(bytes, OPEN_CAP, &out_len, &key, LEGACY, LEN(LEGACY)));
}

/* A device derives a key in slices, stores it, and works with it from then on. */
static void slices(void)
{
    enum { SEAL_CAP = FERNSEAL_TOKEN_SEAL_CAP(LEN(SECRET)), OPEN_CAP = FERNSEAL_TOKEN_OPEN_CAP(LEN(SALTED)) };
    static const char salt_of_seal[] = "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17";
    const uint8_t *const secret = (const uint8_t *)SECRET;
    fernseal_derivation derivation;
    fernseal_key key, whole;
    uint8_t salt[FERNSEAL_SALT_LEN], next = 0;
    uint32_t left = 77, before = 100000;
    int slices = 0;

    CHECK(sizeof derivation == fernseal_derivation_size() && sizeof key == fernseal_key_size());
    YIELDS(SALTED, LEN(SALTED) + 1,
           fernseal_config_find(out, LEN(SALTED) + 1, &out_len, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER)));
    CHECK(fernseal_token_salt(salt, out, out_len) == FERNSEAL_OK);
    CHECK(fernseal_derivation_begin(&derivation, master, salt, sizeof salt) == FERNSEAL_OK);
    memset(&key, 0xa5, sizeof key);
    CHECK(fernseal_derivation_finish(&key, &derivation) == FERNSEAL_INVALID_ARGUMENT && is_all(&key, sizeof key, 0));
    do {
        CHECK(fernseal_derivation_advance(&left, &derivation, 33000) == FERNSEAL_OK && left < before);
        before = left;
        slices++;
    } while (left > 0);
    CHECK(slices == 4);
    CHECK(fernseal_derivation_finish(&key, &derivation) == FERNSEAL_OK && is_all(&derivation, sizeof derivation, 0));
    CHECK(fernseal_derive(&whole, master, SALTED, LEN(SALTED), NULL) == FERNSEAL_OK);
    CHECK(memcmp(&key, &whole, sizeof key) == 0);
    /* What was wiped or never begun gives no key. */
    CHECK(fernseal_derivation_advance(&left, &derivation, 1) == FERNSEAL_OK && left == 0);
    CHECK(fernseal_derivation_finish(&whole, &derivation) == FERNSEAL_INVALID_ARGUMENT);

#define GET_WITH(cap, pointer) \
    fernseal_config_get_with(out, cap, &out_len, &key, CONFIG, LEN(CONFIG), pointer, LEN(pointer))
    YIELDS(SECRET, LEN(SALTED) + 1, GET_WITH(LEN(SALTED) + 1, POINTER));
    YIELDS("8006", 5, GET_WITH(5, "/proxmox/port"));
    REFUSES(FERNSEAL_UNAUTHENTIC, 512, GET_WITH(512, "/backup/token_value"));
    REFUSES(FERNSEAL_WRONG_KIND, 512,
            fernseal_config_find(out, 512, &out_len, CONFIG, LEN(CONFIG), "/proxmox/port", 13));
    REFUSES(FERNSEAL_NOT_FOUND, 512, fernseal_config_find(out, 512, &out_len, CONFIG, LEN(CONFIG), "/x", 2));

    CHECK(fernseal_token_seal_with(out, SEAL_CAP, &out_len, &key, salt, secret, LEN(SECRET), NOW, count_up, &next) ==
          FERNSEAL_OK);
    CHECK(out_len == SEAL_CAP - 1 && strncmp(out, SALTED, 29) == 0);
    YIELDS(SECRET, OPEN_CAP, fernseal_token_open_with((uint8_t *)out, OPEN_CAP, &out_len, &key, SALTED, LEN(SALTED)));
    /* With the salt and the bytes that fernseal_token_seal draws, the result is the same. */
    CHECK(fernseal_derive(&key, master, SEALED, LEN(SEALED), NULL) == FERNSEAL_OK);
    next = FERNSEAL_SALT_LEN;
    YIELDS(SEALED, SEAL_CAP,
           fernseal_token_seal_with(out, SEAL_CAP, &out_len, &key, (const uint8_t *)salt_of_seal, secret, LEN(SECRET),
                                    NOW, count_up, &next));
    REFUSES(FERNSEAL_RANDOM_FAILED, SEAL_CAP,
            fernseal_token_seal_with(out, SEAL_CAP, &out_len, &key, salt, secret, LEN(SECRET), NOW, no_random, NULL));
}

static void texts(void)
{
    static const char text[] = "a: \xc3\xbc\ntoken=" SALTED "\n<t>" LEGACY "</t> enc:AAAAAAAAAAAAAAAAAAAA \n";
    size_t start, len;
    uint64_t sealed_at = 0;
    uint8_t salt[FERNSEAL_SALT_LEN];
    CHECK(fernseal_text_next(&start, &len, text, LEN(text), 0) == FERNSEAL_OK);
    CHECK(start == 12 && len == LEN(SALTED) && memcmp(text + start, SALTED, len) == 0);
    CHECK(fernseal_text_next(&start, &len, text, LEN(text), start + len) == FERNSEAL_OK);
    CHECK(len == LEN(LEGACY) && memcmp(text + start, LEGACY, len) == 0);
    CHECK(fernseal_text_next(&start, &len, text, LEN(text), start + len) == FERNSEAL_MALFORMED && len == 24);
    CHECK(fernseal_text_next(&start, &len, text, LEN(text), start + len) == FERNSEAL_NOT_FOUND && len == 0);
    CHECK(fernseal_text_next(&start, &len, text, LEN(text), SIZE_MAX) == FERNSEAL_NOT_FOUND && start == 0);
    CHECK(fernseal_text_next(&start, &len, "\xff", 1, 0) == FERNSEAL_MALFORMED && start == 0 && len == 0);

    CHECK(fernseal_token_timestamp(&sealed_at, SEALED, LEN(SEALED)) == FERNSEAL_OK && sealed_at == NOW);
    CHECK(fernseal_token_timestamp(&sealed_at, "enc:", 4) == FERNSEAL_MALFORMED && sealed_at == 0);
    CHECK(fernseal_token_salt(salt, LEGACY, LEN(LEGACY)) == FERNSEAL_OK && memcmp(salt, "proxmox_mcp_salt", 16) == 0);
    CHECK(fernseal_token_salt(salt, "enc:x", 5) == FERNSEAL_MALFORMED && is_all(salt, sizeof salt, 0));
}

static void key_id(void)
{
    char id[FERNSEAL_KEY_ID_CAP];
    CHECK(fernseal_master_key_id(id, sizeof id, &out_len, master, NULL) == FERNSEAL_OK && out_len == 8);
    /* Source: PBKDF2 of Python's hashlib over the label "fernseal master key id". */
    CHECK(strcmp(id, KEY_ID) == 0);
    TOO_SMALL(FERNSEAL_KEY_ID_CAP, 8, fernseal_master_key_id(out, 8, &out_len, master, NULL));
}

static void pbkdf2(void)
{
    /* Source: RFC 7914, section 11. */
    static const uint8_t wanted[64] = {
        0x55, 0xac, 0x04, 0x6e, 0x56, 0xe3, 0x08, 0x9f, 0xec, 0x16, 0x91, 0xc2, 0x25, 0x44, 0xb6, 0x05,
        0xf9, 0x41, 0x85, 0x21, 0x6d, 0xde, 0x04, 0x65, 0xe6, 0x8b, 0x9d, 0x57, 0xc2, 0x0d, 0xac, 0xbc,
        0x49, 0xca, 0x9c, 0xcc, 0xf1, 0x79, 0xb6, 0x45, 0x99, 0x16, 0x64, 0xb3, 0x9d, 0x77, 0xef, 0x31,
        0x7c, 0x71, 0xb8, 0x45, 0xb1, 0xe3, 0x0b, 0xd5, 0x09, 0x11, 0x20, 0x41, 0xd3, 0xa1, 0x97, 0x83};
    const uint8_t *const password = (const uint8_t *)"passwd", *const salt = (const uint8_t *)"salt";
    uint8_t derived[65];
    memset(derived, 0xa5, sizeof derived);
    CHECK(fernseal_pbkdf2(derived, 64, password, 6, salt, 4, 1, NULL) == FERNSEAL_OK);
    CHECK(memcmp(derived, wanted, 64) == 0 && derived[64] == 0xa5);
    CHECK(fernseal_pbkdf2(derived, 64, password, 6, salt, 4, 0, NULL) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(is_all(derived, 64, 0) && derived[64] == 0xa5);
    CHECK(fernseal_pbkdf2(derived, 32, NULL, 0, NULL, 0, 2, NULL) == FERNSEAL_OK);
    CHECK(fernseal_pbkdf2(NULL, 0, password, 6, salt, 4, 1, NULL) == FERNSEAL_OK);
}

static void fernet(void)
{
    enum { SEAL_CAP = FERNSEAL_FERNET_SEAL_CAP(5), OPEN_CAP = FERNSEAL_FERNET_OPEN_CAP(LEN(FERNET_TOKEN)) };
    const uint8_t *const hello = (const uint8_t *)"hello";
    uint8_t *const bytes = (uint8_t *)out;
    uint8_t next = 0;
    YIELDS(FERNET_TOKEN, SEAL_CAP,
           fernseal_fernet_seal(out, SEAL_CAP, &out_len, FERNET_KEY, LEN(FERNET_KEY), hello, 5, FERNET_NOW, count_up,
                                &next));
    TOO_SMALL(SEAL_CAP, SEAL_CAP - 1,
              fernseal_fernet_seal(out, SEAL_CAP - 1, &out_len, FERNET_KEY, LEN(FERNET_KEY), hello, 5, FERNET_NOW,
                                   count_up, &next));
    REFUSES(FERNSEAL_RANDOM_FAILED, SEAL_CAP,
            fernseal_fernet_seal(out, SEAL_CAP, &out_len, FERNET_KEY, LEN(FERNET_KEY), hello, 5, FERNET_NOW, no_random,
                                 NULL));
    REFUSES(FERNSEAL_INVALID_KEY, SEAL_CAP,
            fernseal_fernet_seal(out, SEAL_CAP, &out_len, "AAAA", 4, hello, 5, FERNET_NOW, count_up, &next));

#define OPEN(now, ttl) \
    fernseal_fernet_open(bytes, OPEN_CAP, &out_len, FERNET_KEY, LEN(FERNET_KEY), FERNET_TOKEN, LEN(FERNET_TOKEN), \
                         now, ttl)
    YIELDS("hello", OPEN_CAP, OPEN(0, 0));
    YIELDS("hello", OPEN_CAP, OPEN(FERNET_NOW + 60, 60));
    YIELDS("hello", OPEN_CAP, OPEN(FERNET_NOW - 60, 1));
    REFUSES(FERNSEAL_EXPIRED, OPEN_CAP, OPEN(FERNET_NOW + 61, 60));
    REFUSES(FERNSEAL_EXPIRED, OPEN_CAP, OPEN(FERNET_NOW - 61, 1));
    YIELDS("hello", OPEN_CAP, OPEN(UINT64_MAX, UINT64_MAX));
    REFUSES(FERNSEAL_UNAUTHENTIC, OPEN_CAP,
            fernseal_fernet_open(bytes, OPEN_CAP, &out_len, OTHER_KEY, LEN(OTHER_KEY), FERNET_TOKEN, LEN(FERNET_TOKEN),
                                 0, 0));
    REFUSES(FERNSEAL_MALFORMED, OPEN_CAP,
            fernseal_fernet_open(bytes, OPEN_CAP, &out_len, FERNET_KEY, LEN(FERNET_KEY), "gAAA", 4, 0, 0));
    REFUSES(FERNSEAL_INVALID_KEY, OPEN_CAP,
            fernseal_fernet_open(bytes, OPEN_CAP, &out_len, "x", 1, FERNET_TOKEN, LEN(FERNET_TOKEN), 0, 0));
}

/* As MultiFernet: any of the keys opens, the first one seals. */
static void fernet_keys(void)
{
    enum { CAP = LEN(FERNET_TOKEN) + 1, OPEN_CAP = FERNSEAL_FERNET_OPEN_CAP(LEN(FERNET_TOKEN)) };
    uint8_t *const bytes = (uint8_t *)out;
    fernseal_key pair[2];
    char rotated[CAP];
    uint8_t next = 0;
    memset(pair, 0xa5, sizeof pair);
    CHECK(fernseal_key_parse(&pair[0], "AAAA", 4) == FERNSEAL_INVALID_KEY && is_all(&pair[0], sizeof pair[0], 0));
    CHECK(fernseal_key_parse(&pair[0], OTHER_KEY, LEN(OTHER_KEY)) == FERNSEAL_OK);
    CHECK(fernseal_key_parse(&pair[1], FERNET_KEY, LEN(FERNET_KEY)) == FERNSEAL_OK);
    CHECK(pair[0].bytes[30] == 0 && pair[0].bytes[31] == 1);
#define OPEN_ANY(first, count, now, ttl) \
    fernseal_fernet_open_any(bytes, OPEN_CAP, &out_len, pair + (first), count, FERNET_TOKEN, LEN(FERNET_TOKEN), now, \
                             ttl)
    YIELDS("hello", OPEN_CAP, OPEN_ANY(0, 2, 0, 0));
    YIELDS("hello", OPEN_CAP, OPEN_ANY(1, 1, FERNET_NOW + 60, 60));
    REFUSES(FERNSEAL_EXPIRED, OPEN_CAP, OPEN_ANY(0, 2, FERNET_NOW + 61, 60));
    REFUSES(FERNSEAL_UNAUTHENTIC, OPEN_CAP, OPEN_ANY(0, 1, 0, 0));
    REFUSES(FERNSEAL_UNAUTHENTIC, OPEN_CAP, OPEN_ANY(0, 0, 0, 0));

#define ROTATE_FERNET(count, cap, random) \
    fernseal_fernet_rotate(out, cap, &out_len, pair, count, FERNET_TOKEN, LEN(FERNET_TOKEN), random, &next)
    TOO_SMALL(CAP, CAP - 1, ROTATE_FERNET(2, CAP - 1, count_up));
    REFUSES(FERNSEAL_UNAUTHENTIC, CAP, ROTATE_FERNET(1, CAP, count_up));
    REFUSES(FERNSEAL_RANDOM_FAILED, CAP, ROTATE_FERNET(2, CAP, no_random));
    CHECK(ROTATE_FERNET(2, CAP, count_up) == FERNSEAL_OK && out_len == CAP - 1);
    memcpy(rotated, out, CAP);
    /* The time stays. */
    YIELDS("hello", OPEN_CAP,
           fernseal_fernet_open(bytes, OPEN_CAP, &out_len, OTHER_KEY, LEN(OTHER_KEY), rotated, CAP - 1,
                                FERNET_NOW + 60, 60));
    REFUSES(FERNSEAL_EXPIRED, OPEN_CAP,
            fernseal_fernet_open(bytes, OPEN_CAP, &out_len, OTHER_KEY, LEN(OTHER_KEY), rotated, CAP - 1,
                                 FERNET_NOW + 61, 60));
}

/* The fault, and the number of bytes before it, which are those before the mark. */
static void config_check(void)
{
    size_t offset = 77;
#define FAULT(status, before, from) \
    CHECK(fernseal_config_check(&offset, before from, LEN(before from)) == (status) && offset == LEN(before)); \
    CHECK(fernseal_config_open(out, sizeof out, &out_len, master, before from, LEN(before from), NULL) == (status))
    CHECK(fernseal_config_check(&offset, CONFIG, LEN(CONFIG)) == FERNSEAL_OK && offset == 0);
    FAULT(FERNSEAL_INVALID_JSON, "{\"a\": 1,\n \"b\": ", "x}");
    FAULT(FERNSEAL_INVALID_JSON, "{\"a\": 1", "");
    FAULT(FERNSEAL_INVALID_JSON, "", "");
    FAULT(FERNSEAL_INVALID_JSON, "[\"", "\xff\"]");
    FAULT(FERNSEAL_MALFORMED, "[\"enc\", ", "\"enc:x\"]");
    FAULT(FERNSEAL_DUPLICATE_NAME, "{\"a\":\"" LEGACY "\",", "\"a\":1}");
    /* Only names on the path to a token count. */
    CHECK(fernseal_config_check(&offset, "{\"a\":1,\"a\":1}", 13) == FERNSEAL_OK && offset == 0);
    memset(out, '[', 1025);
    CHECK(fernseal_config_check(&offset, out, 1025) == FERNSEAL_TOO_DEEP && offset == 1024);
}

static void configs_open(void)
{
    enum { CAP = LEN(CONFIG) + 1 };
    YIELDS(CONFIG_OPENED, CAP, fernseal_config_open(out, CAP, &out_len, master, CONFIG, LEN(CONFIG), NULL));
    YIELDS(CONFIG_OPENED, CAP, fernseal_config_open_any(out, CAP, &out_len, keys, 2, CONFIG, LEN(CONFIG), NULL));
    REFUSES(FERNSEAL_UNAUTHENTIC, CAP, fernseal_config_open(out, CAP, &out_len, &keys[0], CONFIG, LEN(CONFIG), NULL));
    REFUSES(FERNSEAL_UNAUTHENTIC, CAP, fernseal_config_open_any(out, CAP, &out_len, NULL, 0, CONFIG, LEN(CONFIG),
                                                                NULL));
    REFUSES(FERNSEAL_INVALID_JSON, CAP, fernseal_config_open(out, CAP, &out_len, master, CONFIG, LEN(CONFIG) - 3,
                                                             NULL));
    REFUSES(FERNSEAL_INVALID_JSON, 8, fernseal_config_open(out, 8, &out_len, master, "[\"\xff\"]", 5, NULL));
    REFUSES(FERNSEAL_MALFORMED, 32, fernseal_config_open(out, 32, &out_len, master, "[\"enc:x\"]", 9, NULL));
    YIELDS("{}", 3, fernseal_config_open(out, 3, &out_len, master, "{}", 2, NULL));
    TOO_SMALL(4 * 2 + 1, 2, fernseal_config_open(out, 2, &out_len, master, "{}", 2, NULL));
    TOO_SMALL(4 * 2 + 1, 0, fernseal_config_open(NULL, 0, &out_len, master, "{}", 2, NULL));
}

static void configs_get(void)
{
    enum { CAP = LEN(SALTED) + 1 };
#define GET(cap, pointer) \
    fernseal_config_get(out, cap, &out_len, master, CONFIG, LEN(CONFIG), pointer, LEN(pointer), NULL)
    YIELDS(SECRET, CAP, GET(CAP, POINTER));
    YIELDS(SECRET, CAP, GET(CAP, "backup.token_value"));
    YIELDS("8006", 5, GET(5, "/proxmox/port"));
    YIELDS("root@pam", 9, GET(9, "auth.user"));
    YIELDS("5", 2, fernseal_config_get(out, 2, &out_len, master, "5", 1, "", 0, NULL));
    TOO_SMALL(1 + 1, 1, fernseal_config_get(out, 1, &out_len, master, "5", 1, "", 0, NULL));
    TOO_SMALL(LEN(CONFIG) + 1, 8, GET(8, "auth.user"));
    REFUSES(FERNSEAL_NOT_FOUND, CAP, GET(CAP, "/auth/nothing"));
    REFUSES(FERNSEAL_INVALID_ARGUMENT, CAP, GET(CAP, "/~2"));
    REFUSES(FERNSEAL_INVALID_ARGUMENT, CAP, GET(CAP, "\xff"));
    REFUSES(FERNSEAL_WRONG_KIND, CAP, GET(CAP, "/auth"));
    REFUSES(FERNSEAL_DUPLICATE_NAME, 9, fernseal_config_get(out, 9, &out_len, master, "{\"a\":1,\"a\":2}", 13, "/a",
                                                            2, NULL));
    REFUSES(FERNSEAL_MALFORMED, 9, fernseal_config_get(out, 9, &out_len, master, "[\"a\\u0000\"]", 11, "/0", 2, NULL));
    YIELDS(SECRET, CAP,
           fernseal_config_get_any(out, CAP, &out_len, keys, 2, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER), NULL));
    REFUSES(FERNSEAL_UNAUTHENTIC, CAP,
            fernseal_config_get_any(out, CAP, &out_len, keys, 1, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER), NULL));
}

static void configs_seal_and_rotate(void)
{
#define PLAIN "{ \"auth\": {\"token_value\" : \"" SECRET "\"},\r\n\t\"n\": 1.50e+00 }\n"
#define PLAIN_SEALED "{ \"auth\": {\"token_value\" : \"" SEALED "\"},\r\n\t\"n\": 1.50e+00 }\n"
    enum { CAP = LEN(PLAIN_SEALED) + 1, CAP_SAID = LEN(PLAIN) + FERNSEAL_TOKEN_SEAL_CAP(LEN(SECRET)) };
    static char rotated[CAP];
    uint8_t next = 0;
#define SEAL(cap, key, json, pointer, random) \
    fernseal_config_seal(out, cap, &out_len, key, json, LEN(json), pointer, LEN(pointer), NOW, random, &next, NULL)
    YIELDS(PLAIN_SEALED, CAP_SAID, SEAL(CAP_SAID, master, PLAIN, POINTER, count_up));
    YIELDS(PLAIN_SEALED, CAP, SEAL(CAP, master, PLAIN_SEALED, POINTER, no_random));
    YIELDS("[\"${A}\"]", 9, SEAL(9, master, "[\"${A}\"]", "/0", no_random));
    TOO_SMALL(LEN(PLAIN) + FERNSEAL_TOKEN_SEAL_CAP(LEN(PLAIN)), CAP - 1,
              SEAL(CAP - 1, master, PLAIN, POINTER, count_up));
    REFUSES(FERNSEAL_RANDOM_FAILED, CAP_SAID, SEAL(CAP_SAID, master, PLAIN, POINTER, no_random));
    REFUSES(FERNSEAL_INVALID_KEY, CAP_SAID, SEAL(CAP_SAID, &short_key, PLAIN, POINTER, count_up));
    REFUSES(FERNSEAL_NOT_FOUND, CAP_SAID, SEAL(CAP_SAID, master, PLAIN, "/auth/user", count_up));
    REFUSES(FERNSEAL_WRONG_KIND, CAP_SAID, SEAL(CAP_SAID, master, PLAIN, "/n", count_up));
    REFUSES(FERNSEAL_MALFORMED, 999, SEAL(999, master, "[\"ENC:x\"]", "/0", count_up));

#define ROTATE(cap, count, random) \
    fernseal_config_rotate(out, cap, &out_len, keys + 2 - (count), count, &keys[0], PLAIN_SEALED, LEN(PLAIN_SEALED), \
                           NOW + 1, random, &next, NULL)
    memset(out, 0xa5, sizeof out);
    CHECK(ROTATE(CAP, 1, count_up) == FERNSEAL_OK && out_len == CAP - 1 && out[CAP - 1] == 0);
    memcpy(rotated, out, CAP);
    CHECK(strncmp(rotated, PLAIN_SEALED, 28) == 0 && strcmp(rotated + CAP - 23, &PLAIN_SEALED[CAP - 23]) == 0);
    YIELDS(PLAIN, CAP, fernseal_config_open(out, CAP, &out_len, &keys[0], rotated, CAP - 1, NULL));
    REFUSES(FERNSEAL_UNAUTHENTIC, CAP, fernseal_config_open(out, CAP, &out_len, master, rotated, CAP - 1, NULL));
    CHECK(ROTATE(CAP, 2, count_up) == FERNSEAL_OK && out_len == CAP - 1);
    REFUSES(FERNSEAL_UNAUTHENTIC, CAP, ROTATE(CAP, 0, count_up));
    TOO_SMALL(4 * LEN(PLAIN_SEALED) + 1, CAP - 1, ROTATE(CAP - 1, 1, count_up));
    REFUSES(FERNSEAL_RANDOM_FAILED, CAP, ROTATE(CAP, 1, no_random));
    REFUSES(FERNSEAL_INVALID_KEY, CAP,
            fernseal_config_rotate(out, CAP, &out_len, master, 1, &short_key, PLAIN_SEALED, LEN(PLAIN_SEALED), NOW,
                                   count_up, &next, NULL));
    REFUSES(FERNSEAL_INVALID_JSON, CAP,
            fernseal_config_rotate(out, CAP, &out_len, master, 1, &keys[0], "{", 1, NOW, count_up, &next, NULL));
}

static void configs_read(void)
{
#define READ(json, count) fernseal_config_read(&config, sizeof config, keys + 2 - (count), count, json, LEN(json), NULL)
#define UNREAD(status, json) \
    do { \
        memset(&config, 0xa5, sizeof config); \
        CHECK(READ(json, 1) == (status)); \
        CHECK(is_all(&config, offsetof(fernseal_config, verify_ssl), 0) && !config.verify_ssl); \
    } while (0)
#define AUTH "\"auth\":{\"user\":\"u\",\"token_name\":\"n\",\"token_value\":\""
#define LEAST "{\"proxmox\":{\"host\":\"h\"}," AUTH "v\"}}"
    static fernseal_config config;
    struct {
        fernseal_config config;
        char later[64];
    } grown;
    /* A program that was built with a later header, in which the struct is longer; and one that forgot a field. */
    memset(&grown, 0xa5, sizeof grown);
    CHECK(fernseal_config_read(&grown.config, sizeof grown, NULL, 0, LEAST, LEN(LEAST), NULL) == FERNSEAL_OK);
    CHECK(strcmp(grown.config.token_value, "v") == 0 && is_all(grown.later, sizeof grown.later, 0));
    memset(&config, 0xa5, sizeof config);
    CHECK(fernseal_config_read(&config, sizeof config - 1, NULL, 0, LEAST, LEN(LEAST),
                               NULL) == FERNSEAL_INVALID_ARGUMENT);
    CHECK(is_all(&config, sizeof config, 0xa5));
    CHECK(READ(CONFIG, 2) == FERNSEAL_OK);
    CHECK(strcmp(config.host, "10.0.0.5") == 0 && config.port == 8006 && config.verify_ssl);
    CHECK(strcmp(config.user, "root@pam") == 0 && strcmp(config.token_name, "appliance") == 0);
    CHECK(strcmp(config.token_value, SECRET) == 0);
    CHECK(is_all(config.token_value + LEN(SECRET), sizeof config.token_value - LEN(SECRET), 0));
    CHECK(strcmp(config.service, "PVE") == 0 && strcmp(config.log_level, "INFO") == 0);
    CHECK(strcmp(config.log_format, "%(asctime)s - %(name)s - %(levelname)s - %(message)s") == 0);
    CHECK(config.log_file[0] == 0);

    CHECK(READ("{\"proxmox\":{\"host\":\"\\u00fc\",\"port\":65535,\"verify_ssl\":false,\"service\":\"S\"}," AUTH
               "\"},\"logging\":{\"level\":\"DEBUG\",\"format\":\"f\",\"file\":\"/l\"}}", 0) == FERNSEAL_OK);
    CHECK(strcmp(config.host, "\xc3\xbc") == 0 && config.port == 65535 && !config.verify_ssl);
    CHECK(strcmp(config.service, "S") == 0 && strcmp(config.log_level, "DEBUG") == 0);
    CHECK(strcmp(config.log_format, "f") == 0 && strcmp(config.log_file, "/l") == 0);
    CHECK(READ(LEAST, 0) == FERNSEAL_OK && fernseal_config_read(&config, sizeof config, NULL, 0, LEAST, LEN(LEAST),
                                                                NULL) == FERNSEAL_OK);

    memset(&config, 0xa5, sizeof config);
    CHECK(READ(CONFIG, 0) == FERNSEAL_UNAUTHENTIC);
    CHECK(is_all(&config, offsetof(fernseal_config, verify_ssl), 0));
    UNREAD(FERNSEAL_NOT_FOUND, "{" AUTH "\"}}");
    UNREAD(FERNSEAL_MALFORMED, "{\"proxmox\":{\"host\":\"h\"}," AUTH "enc:x\"}}");
    UNREAD(FERNSEAL_MALFORMED, "{\"proxmox\":{\"host\":\"a\\u0000b\"}," AUTH "v\"}}");
    UNREAD(FERNSEAL_WRONG_KIND, "{\"proxmox\":{\"host\":\"h\",\"port\":\"8006\"}," AUTH "v\"}}");
    UNREAD(FERNSEAL_DUPLICATE_NAME, "{\"proxmox\":{\"host\":\"h\",\"h\\u006fst\":\"x\"}," AUTH "v\"}}");
    UNREAD(FERNSEAL_TOO_DEEP, "{\"x\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]],\"proxmox\":{\"host\":\"h\"}," AUTH "v\"}}");
    UNREAD(FERNSEAL_INVALID_JSON, "{\"x\":1.2.3abc,\"proxmox\":{\"host\":\"h\"}," AUTH "v\"}}");
    CHECK(READ("{\"proxmox\":{\"host\":\"h\"}," AUTH "v\"},\"logging\":{\"level\":\"123456789012345\"}}", 0) ==
          FERNSEAL_OK);
    CHECK(strcmp(config.log_level, "123456789012345") == 0);
    UNREAD(FERNSEAL_BUFFER_TOO_SMALL,
           "{\"proxmox\":{\"host\":\"h\"}," AUTH "v\"},\"logging\":{\"level\":\"1234567890123456\"}}");
}

/* A caller that knows no capacity asks with none, and calls again with what out_len says. */
static void twice(void)
{
    static const uint8_t salt[FERNSEAL_SALT_LEN] = {0};
    const uint8_t *const secret = (const uint8_t *)SECRET;
    fernseal_key key, pair[1];
    uint8_t next = 0;
#define ASK_TWICE(type, call) \
    do { \
        type *place = NULL; \
        size_t cap = 0; \
        CHECK((call) == FERNSEAL_BUFFER_TOO_SMALL && out_len > 0 && out_len <= sizeof out); \
        place = (type *)(void *)out, cap = out_len; \
        CHECK((call) == FERNSEAL_OK && out_len > 0 && out_len <= cap); \
    } while (0)
    CHECK(fernseal_derive(&key, master, SALTED, LEN(SALTED), NULL) == FERNSEAL_OK);
    CHECK(fernseal_key_parse(pair, FERNET_KEY, LEN(FERNET_KEY)) == FERNSEAL_OK);
    ASK_TWICE(char, fernseal_master_key_generate(place, cap, &out_len, count_up, &next));
    ASK_TWICE(char, fernseal_master_key_id(place, cap, &out_len, master, NULL));
    ASK_TWICE(char, fernseal_token_seal(place, cap, &out_len, master, secret, 0, NOW, count_up, &next, NULL));
    ASK_TWICE(char, fernseal_token_seal_with(place, cap, &out_len, &key, salt, secret, 1, NOW, count_up, &next));
    ASK_TWICE(uint8_t, fernseal_token_open(place, cap, &out_len, master, SALTED, LEN(SALTED), NULL));
    ASK_TWICE(uint8_t, fernseal_token_open_any(place, cap, &out_len, keys, 2, LEGACY, LEN(LEGACY), NULL));
    ASK_TWICE(uint8_t, fernseal_token_open_with(place, cap, &out_len, &key, SALTED, LEN(SALTED)));
    ASK_TWICE(char, fernseal_fernet_seal(place, cap, &out_len, FERNET_KEY, LEN(FERNET_KEY), secret, 15, FERNET_NOW,
                                         count_up, &next));
    ASK_TWICE(uint8_t, fernseal_fernet_open(place, cap, &out_len, FERNET_KEY, LEN(FERNET_KEY), FERNET_TOKEN,
                                            LEN(FERNET_TOKEN), 0, 0));
    ASK_TWICE(uint8_t, fernseal_fernet_open_any(place, cap, &out_len, pair, 1, FERNET_TOKEN, LEN(FERNET_TOKEN), 0, 0));
    ASK_TWICE(char, fernseal_fernet_rotate(place, cap, &out_len, pair, 1, FERNET_TOKEN, LEN(FERNET_TOKEN), count_up,
                                           &next));
    ASK_TWICE(char, fernseal_config_open(place, cap, &out_len, master, CONFIG, LEN(CONFIG), NULL));
    ASK_TWICE(char, fernseal_config_open_any(place, cap, &out_len, keys, 2, CONFIG, LEN(CONFIG), NULL));
    ASK_TWICE(char, fernseal_config_get(place, cap, &out_len, master, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER),
                                        NULL));
    ASK_TWICE(char, fernseal_config_get_any(place, cap, &out_len, keys, 2, CONFIG, LEN(CONFIG), POINTER,
                                            LEN(POINTER), NULL));
    ASK_TWICE(char, fernseal_config_get_with(place, cap, &out_len, &key, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER)));
    ASK_TWICE(char, fernseal_config_find(place, cap, &out_len, CONFIG, LEN(CONFIG), POINTER, LEN(POINTER)));
    ASK_TWICE(char, fernseal_config_seal(place, cap, &out_len, master, "[\"\"]", 4, "/0", 2, NOW, count_up, &next,
                                         NULL));
    ASK_TWICE(char, fernseal_config_seal(place, cap, &out_len, master, PLAIN, LEN(PLAIN), POINTER, LEN(POINTER), NOW,
                                         count_up, &next, NULL));
    ASK_TWICE(char, fernseal_config_rotate(place, cap, &out_len, keys, 2, &keys[0], "[\"" LEGACY "\"]", LEN(LEGACY) + 4,
                                           NOW, count_up, &next, NULL));
}

int main(void)
{
    version_and_words();
    wipe_and_random();
    master_keys();
    capacities();
    tokens();
    slices();
    texts();
    key_id();
    pbkdf2();
    fernet();
    fernet_keys();
    config_check();
    configs_open();
    configs_get();
    configs_seal_and_rotate();
    configs_read();
    twice();
    return checked("functions");
}
