/* fernseal.h: opens and seals the secrets of JSON configs. 0.1.0, MIT OR Apache-2.0.
 *
 * The rules, for every function:
 *   Arguments   Outputs come first, as (out, cap, out_len) or as one object; inputs are (pointer, length), and nothing
 *               looks for a NUL. A pointer may be NULL only where its length is 0. An output may overlap nothing else.
 *   Results     0 is success. After a failure *out_len is 0 and out is zeroed. Behind the used part out is zeroed too.
 *               Text outputs end in a NUL, which cap must have room for and out_len does not count.
 *   Memory      You own every byte: no heap, no global state, nothing to initialise, safe in any thread.
 *               Keys and opened secrets stay in your buffers until you wipe them (fernseal_wipe).
 *   Sizes       Buffers that always suffice: the _CAP macros, which equal the functions of the same names. An opened
 *               config fits json_len + 1, unless its secrets hold many characters that JSON escapes: 4 * json_len + 1
 *               always suffices. A rotated one fits json_len + 1 and 25 for each legacy token.
 *   Time        A derivation is 100 000 iterations of PBKDF2: about 10 ms on a server, seconds on a microcontroller.
 *               Whatever opens or seals a token does one for each key that it tries; the _open_with functions do none.
 *   Randomness  comes from your function: fill the buffer and return 0; anything else seals nothing.
 *   Panics      never cross the border: on an operating system they become FERNSEAL_INTERNAL. On bare metal define
 *               void fernseal_panic(void), which must not return; no code path is known that calls it.
 *
 * Which functions are there is decided when the library is built (features open, seal, config, std of the crate
 * fernseal-ffi); the library as it is installed has all of them. */

#ifndef FERNSEAL_H
#define FERNSEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FERNSEAL_VERSION_MAJOR 0
#define FERNSEAL_VERSION_MINOR 1
#define FERNSEAL_VERSION_PATCH 0
#define FERNSEAL_VERSION_NUMBER (FERNSEAL_VERSION_MAJOR * 1000000 + FERNSEAL_VERSION_MINOR * 1000 + FERNSEAL_VERSION_PATCH)
#define FERNSEAL_VERSION_STRING "0.1.0"
/* Sizes of buffers, as constants: for arrays. */
#define FERNSEAL_MASTER_KEY_CAP 45
#define FERNSEAL_FERNET_SEAL_CAP(plain_len) (((plain_len) / 16 * 16 + 73 + 2) / 3 * 4 + 1)
#define FERNSEAL_FERNET_OPEN_CAP(token_len) ((token_len) / 4 * 3)
#define FERNSEAL_TOKEN_SEAL_CAP(plain_len) ((FERNSEAL_FERNET_SEAL_CAP(plain_len) - 1 + 2) / 3 * 4 + 30)
#define FERNSEAL_TOKEN_OPEN_CAP(token_len) ((token_len) < 4 ? 0 : ((token_len) - 4) / 4 * 3)

/* On functions whose result must be looked at. */
#if defined(__cplusplus) && __cplusplus >= 201703L
#define FERNSEAL_MUST_USE [[nodiscard]]
#elif defined(__GNUC__)
#define FERNSEAL_MUST_USE __attribute__((warn_unused_result))
#elif defined(_MSC_VER) && defined(_Check_return_)
#define FERNSEAL_MUST_USE _Check_return_
#else
#define FERNSEAL_MUST_USE
#endif

/* ---- Types ---- */

/* What a function returns: `FERNSEAL_OK` or what went wrong. */
typedef int32_t fernseal_status;

/* A master key: what the user holds. Wipe it when done (`fernseal_wipe`). */
typedef struct {
    /* The key as HMAC uses it, whatever its length was. */
    uint8_t bytes[64];
} fernseal_master_key;

/* Fills `buf` with `len` random bytes fit for keys and returns 0; anything else means that it could not. */
typedef int (*fernseal_random_fn)(void *ctx, uint8_t *buf, size_t len);

/* The key of one token, derived from a master key. As secret as that; wipe it when done. */
typedef struct {
    /* 16 bytes that sign, 16 that encrypt. */
    uint8_t bytes[32];
} fernseal_key;

/* Called between slices of a derivation, about a hundred times in all: feed the watchdog here. Non-zero cancels. */
typedef int (*fernseal_tick_fn)(void *ctx);

/* A config of ProxmoxMCP. Each text ends in a NUL; one that is not given is empty. It holds a secret: wipe it when done. */
typedef struct {
    /* The server's name or address. */
    char host[256];
    /* 8006, if none is given. */
    uint16_t port;
    /* Whether the server's certificate is checked; true, if nothing is given. */
    bool verify_ssl;
    /* "PVE", if none is given. */
    char service[32];
    /* As in "root@pam". */
    char user[128];
    /* The name of the API token. */
    char token_name[128];
    /* The API token, opened if it is sealed. */
    char token_value[512];
    /* "INFO", if none is given. */
    char level[16];
    /* The format of a line of the log. */
    char format[256];
    /* The log's file. */
    char file[256];
} fernseal_config;

/* ---- Status: the numbers never change ---- */

/* It worked. */
#define FERNSEAL_OK 0
/* The output buffer is too short; the `_cap` functions say how long it must be. */
#define FERNSEAL_BUFFER_TOO_SMALL 1
/* Not a token, or a secret that is not UTF-8 text where text is wanted. */
#define FERNSEAL_MALFORMED 2
/* The key's text is not base64, or the key is too short to seal with (fewer than 16 bytes). */
#define FERNSEAL_INVALID_KEY 3
/* A wrong key or a changed token: the two cannot be told apart. */
#define FERNSEAL_UNAUTHENTIC 4
/* The token is older than the TTL allows, or from more than 60 seconds in the future. */
#define FERNSEAL_EXPIRED 5
/* The random source failed; nothing was sealed. */
#define FERNSEAL_RANDOM_FAILED 6
/* An argument against the rules: NULL, overlapping buffers, a length or a pointer that makes no sense. */
#define FERNSEAL_INVALID_ARGUMENT 7
/* The tick function asked to stop. */
#define FERNSEAL_CANCELLED 8
/* A fault in the library; please report it. */
#define FERNSEAL_INTERNAL 9
/* No value at the pointer. */
#define FERNSEAL_NOT_FOUND 10
/* Not JSON, nested too deeply, a name that occurs twice on the way, or a value of another kind than is wanted. */
#define FERNSEAL_INVALID_JSON 11

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/* ---- The library ---- */

/* The library's version as a number: `FERNSEAL_VERSION_NUMBER` of the header that it was built with. */
FERNSEAL_MUST_USE uint32_t fernseal_version_number(void);

/* The library's version as text, such as "0.1.0". */
FERNSEAL_MUST_USE const char *fernseal_version_string(void);

/* A few words for a status; never NULL. */
FERNSEAL_MUST_USE const char *fernseal_status_str(int32_t status);

/* Zeroes `len` bytes in a way that the compiler may not remove. */
void fernseal_wipe(void *bytes, size_t len);

/* The operating system's random source, to be handed to functions that want one. `ctx` is not used. */
FERNSEAL_MUST_USE int fernseal_random_os(void *ctx, uint8_t *buf, size_t len);

/* ---- Master keys ---- */

/* Reads a master key's text: base64url (or base64) of 1 or more bytes, with padding, white space around it ignored. */
FERNSEAL_MUST_USE fernseal_status fernseal_master_key_parse(fernseal_master_key *out, const char *text, size_t len);

/* Makes a new 32-byte master key and writes its text: 44 characters and a NUL. */
FERNSEAL_MUST_USE fernseal_status fernseal_master_key_generate(char *out, size_t cap, size_t *out_len,
    fernseal_random_fn random, void *ctx);

/* ---- Tokens: "enc:..." ---- */

/* 1 if the text begins as a token does (`enc:`), else 0. */
FERNSEAL_MUST_USE int fernseal_token_is_sealed(const char *text, size_t len);

/* The capacity, in bytes with the NUL, that seals a secret of `plain_len` bytes. */
FERNSEAL_MUST_USE size_t fernseal_token_seal_cap(size_t plain_len);

/* The capacity, in bytes, that opens any token of `token_len` characters. */
FERNSEAL_MUST_USE size_t fernseal_token_open_cap(size_t token_len);

/* Seals a secret at `now` (Unix seconds) into a salted token. One derivation. */
FERNSEAL_MUST_USE fernseal_status fernseal_token_seal(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *master, const uint8_t *plain, size_t plain_len, uint64_t now,
    fernseal_random_fn random, void *ctx);

/* Opens a token. One derivation. */
FERNSEAL_MUST_USE fernseal_status fernseal_token_open(uint8_t *out, size_t cap, size_t *out_len,
    const fernseal_master_key *master, const char *token, size_t token_len);

/* As `fernseal_token_open`, with the first of several keys that fits: the present one, then previous ones. */
FERNSEAL_MUST_USE fernseal_status fernseal_token_open_any(uint8_t *out, size_t cap, size_t *out_len,
    const fernseal_master_key *masters, size_t count, const char *token, size_t token_len);

/* Derives the key of a token, calling `tick` (may be NULL) about a hundred times; `fernseal_token_open_with` takes it. */
FERNSEAL_MUST_USE fernseal_status fernseal_derive(fernseal_key *out, const fernseal_master_key *master,
    const char *token, size_t token_len, fernseal_tick_fn tick, void *ctx);

/* Opens a token with the key that `fernseal_derive` made for it. No derivation. */
FERNSEAL_MUST_USE fernseal_status fernseal_token_open_with(uint8_t *out, size_t cap, size_t *out_len,
    const fernseal_key *key, const char *token, size_t token_len);

/* ---- PBKDF2 and bare Fernet tokens ---- */

/* PBKDF2-HMAC-SHA256 (RFC 8018 section 5.2); `iterations` is at least 1. */
FERNSEAL_MUST_USE fernseal_status fernseal_pbkdf2(uint8_t *out, size_t out_len, const uint8_t *password,
    size_t password_len, const uint8_t *salt, size_t salt_len, uint32_t iterations);

/* The capacity, in bytes with the NUL, that seals `plain_len` bytes into a bare Fernet token. */
FERNSEAL_MUST_USE size_t fernseal_fernet_seal_cap(size_t plain_len);

/* The capacity, in bytes, that opens any bare Fernet token of `token_len` characters. */
FERNSEAL_MUST_USE size_t fernseal_fernet_open_cap(size_t token_len);

/* Seals a secret at `now` (Unix seconds) into a bare Fernet token; `key_text` is 44 characters of base64url. */
FERNSEAL_MUST_USE fernseal_status fernseal_fernet_seal(char *out, size_t cap, size_t *out_len, const char *key_text,
    size_t key_len, const uint8_t *plain, size_t plain_len, uint64_t now, fernseal_random_fn random, void *ctx);

/* Opens a bare Fernet token. `ttl` is its greatest age in seconds at `now` (Unix seconds); with 0 no time is judged. */
FERNSEAL_MUST_USE fernseal_status fernseal_fernet_open(uint8_t *out, size_t cap, size_t *out_len,
    const char *key_text, size_t key_len, const char *token, size_t token_len, uint64_t now, uint64_t ttl);

/* ---- Configs ---- */

/* Opens every token of a config; all else stays byte for byte. `cap` is `json_len` + 1, or more: see the top. */
FERNSEAL_MUST_USE fernseal_status fernseal_config_open(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *master, const char *json, size_t json_len);

/* As `fernseal_config_open`, each token with the first of several keys that fits: the present one, then previous ones. */
FERNSEAL_MUST_USE fernseal_status fernseal_config_open_any(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *masters, size_t count, const char *json, size_t json_len);

/* The value at `pointer` ("/auth/token_value" or "auth.token_value"), opened if it is a token. */
FERNSEAL_MUST_USE fernseal_status fernseal_config_get(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *master, const char *json, size_t json_len, const char *pointer, size_t pointer_len);

/* As `fernseal_config_get`, with the first of several keys that fits. */
FERNSEAL_MUST_USE fernseal_status fernseal_config_get_any(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *masters, size_t count, const char *json, size_t json_len, const char *pointer,
    size_t pointer_len);

/* Seals the string at `pointer` at `now` (Unix seconds); `cap` is `json_len` + `FERNSEAL_TOKEN_SEAL_CAP` of its length. */
FERNSEAL_MUST_USE fernseal_status fernseal_config_seal(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *master, const char *json, size_t json_len, const char *pointer, size_t pointer_len,
    uint64_t now, fernseal_random_fn random, void *ctx);

/* Seals every token anew: opened with the first of `olds` that fits, sealed under `new_master` at `now` (Unix seconds). */
FERNSEAL_MUST_USE fernseal_status fernseal_config_rotate(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *olds, size_t count, const fernseal_master_key *new_master, const char *json,
    size_t json_len, uint64_t now, fernseal_random_fn random, void *ctx);

/* Reads a config of at most 16 levels into a struct; a text that does not fit its array is BUFFER_TOO_SMALL. */
FERNSEAL_MUST_USE fernseal_status fernseal_config_read(fernseal_config *out, const fernseal_master_key *masters,
    size_t count, const char *json, size_t json_len);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FERNSEAL_H */
