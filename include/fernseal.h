/*
 * libfernseal: opens and seals the secrets of JSON configs, hosted or on bare metal.
 * Made by cbindgen from ffi/src; not to be edited.
 *
 * The rules, for all functions:
 *   - Outputs come first, as (out, cap, out_len); inputs as (pointer, length). No length is ever found by strlen.
 *   - Text outputs end in a NUL, which cap must have room for and out_len does not count.
 *   - FERNSEAL_OK is 0. After any other status *out_len is 0 and out holds zeros: no plaintext, no part of a result.
 *   - A pointer may be NULL only if its length is 0. An output may not overlap another argument. Both are checked, with
 *     alignment and lengths that no object can have: FERNSEAL_INVALID_ARGUMENT. An output that is at fault is left as
 *     it was; so is out if out_len is at fault. If they overlap, both are.
 *   - ctx is for the callback: it may be NULL, and is not checked. A NULL random source is one that fails:
 *     FERNSEAL_RANDOM_FAILED.
 *   - The caller owns every byte. No heap, no initialisation, no global state: any thread, at any time, as long as
 *     nobody, neither another thread nor a callback, changes an input or touches an output meanwhile. (A random source
 *     fills buf, and nothing else.)
 *   - A callback must return: no longjmp, no C++ exception through the library. It may call the library.
 *   - A derivation takes 100 000 iterations of PBKDF2: some 6 to 10 ms on a server, 3 to 35 s on a microcontroller.
 *   - On an operating system a call takes up to 20 KiB of stack, of which it overwrites 16 at its end. Those of
 *     fernseal_random_os are among them; another callback's come on top.
 *   - A fault in the library becomes FERNSEAL_INTERNAL on an operating system; on bare metal it calls fernseal_panic.
 *   - A result that must not be ignored is marked FERNSEAL_MUST_USE.
 *
 * "Feature" in a comment names the Cargo feature of fernseal-ffi without which a function is not in the library;
 * a build for an operating system has them all.
 *
 * C99 or C++11. MIT OR Apache-2.0.
 */

#ifndef FERNSEAL_H
#define FERNSEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- The version of this header ---- */

#define FERNSEAL_VERSION_MAJOR 0
#define FERNSEAL_VERSION_MINOR 1
#define FERNSEAL_VERSION_PATCH 0
#define FERNSEAL_VERSION_STRING "0.1.0"
/* One number, to compare: 1 002 003 is version 1.2.3. */
#define FERNSEAL_VERSION_NUMBER \
    (FERNSEAL_VERSION_MAJOR * 1000000 + FERNSEAL_VERSION_MINOR * 1000 + FERNSEAL_VERSION_PATCH)

#ifndef FERNSEAL_MUST_USE
#if defined(__GNUC__)
#define FERNSEAL_MUST_USE __attribute__((warn_unused_result))
#else
#define FERNSEAL_MUST_USE
#endif
#endif

/* ---- Capacities in bytes, for arrays; each equals the function of its name, for lengths up to SIZE_MAX / 2 ---- */

/* The text of a new master key, with its NUL. */
#define FERNSEAL_MASTER_KEY_CAP 45
/* A token, with its NUL, that a secret of plain_len bytes is sealed into. */
#define FERNSEAL_TOKEN_SEAL_CAP(plain_len) \
    (FERNSEAL_BASE64_LEN(FERNSEAL_BASE64_LEN(FERNSEAL_FERNET_RAW_LEN(plain_len))) + 30)
/* The secret of any token of token_len characters. */
#define FERNSEAL_TOKEN_OPEN_CAP(token_len) \
    (((size_t)(token_len) < 4 ? 0 : (size_t)(token_len) - 4) / 4 * 3 / 4 * 3)
/* A Fernet token, with its NUL, that a secret of plain_len bytes is sealed into. */
#define FERNSEAL_FERNET_SEAL_CAP(plain_len) \
    (FERNSEAL_BASE64_LEN(FERNSEAL_FERNET_RAW_LEN(plain_len)) + 1)
/* The secret of any Fernet token of token_len characters. */
#define FERNSEAL_FERNET_OPEN_CAP(token_len) ((size_t)(token_len) / 4 * 3)

/* What the macros above are made of. */
#define FERNSEAL_BASE64_LEN(len) (((len) + 2) / 3 * 4)
#define FERNSEAL_FERNET_RAW_LEN(plain_len) ((size_t)(plain_len) / 16 * 16 + 73)

/* ---- Types ---- */

/** What a function returns: 0, or what went wrong. The numbers never change. */
typedef int32_t fernseal_status;

/** A master key: what the user holds. Wipe it when done: fernseal_wipe. */
typedef struct {
    /** The key as HMAC uses it, whatever its length was. */
    uint8_t bytes[64];
} fernseal_master_key;

/** A random source: fills buf with len bytes fit for keys and returns 0; anything else means that it could not. */
typedef int (*fernseal_random_fn)(void *ctx, uint8_t *buf, size_t len);

/** The key of one token, derived from a master key. As secret as that; wipe it when done. */
typedef struct {
    /** 16 bytes that sign, 16 that encrypt. */
    uint8_t bytes[32];
} fernseal_key;

/** A tick: called between slices of a derivation, about a hundred times in all, to feed a watchdog; non-zero cancels. */
typedef int (*fernseal_tick_fn)(void *ctx);

/** A ProxmoxMCP config, opened: text that ends in a NUL, with the original's defaults where the config says nothing.
 *  Wipe it when done. */
typedef struct {
    /** proxmox.host */
    char host[256];
    /** proxmox.service, or "PVE" */
    char service[64];
    /** auth.user */
    char user[256];
    /** auth.token_name */
    char token_name[256];
    /** auth.token_value */
    char token_value[512];
    /** logging.level, or "INFO" */
    char log_level[16];
    /** logging.format, or Python's date, name, level and message */
    char log_format[256];
    /** logging.file, or "" */
    char log_file[256];
    /** proxmox.port, or 8006 */
    uint16_t port;
    /** proxmox.verify_ssl, or true */
    bool verify_ssl;
} fernseal_config;

/* ---- Status: what a function returns ---- */

/** It worked. */
#define FERNSEAL_OK 0

/** The output buffer is too short: see the function for the capacity that is enough. */
#define FERNSEAL_BUFFER_TOO_SMALL 1

/** Not a token; or a secret that is not text where text is wanted, or a value that looks like a damaged token. */
#define FERNSEAL_MALFORMED 2

/** The key's text is not base64, or the key is too short to seal with (under 16 bytes without zeros at its end). */
#define FERNSEAL_INVALID_KEY 3

/** A wrong key or a changed token: the two cannot be told apart. */
#define FERNSEAL_UNAUTHENTIC 4

/** The token is older than the TTL allows, or from more than 60 seconds in the future. */
#define FERNSEAL_EXPIRED 5

/** The random source failed; nothing was sealed. */
#define FERNSEAL_RANDOM_FAILED 6

/** An argument against the rules: NULL, overlapping buffers, a length or a pointer that makes no sense. */
#define FERNSEAL_INVALID_ARGUMENT 7

/** The tick function asked to stop. */
#define FERNSEAL_CANCELLED 8

/** A fault in the library; please report it. */
#define FERNSEAL_INTERNAL 9

/** No value at the pointer, or a field that a config must have is missing. */
#define FERNSEAL_NOT_FOUND 10

/** Not JSON, nested too deeply, a name that occurs twice on the way, or a value of another kind than is wanted. */
#define FERNSEAL_INVALID_JSON 11

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/* ---- The library ---- */

/** The library's version as a number: FERNSEAL_VERSION_NUMBER of the header that belongs to it. */
uint32_t fernseal_version_number(void);

/** The library's version as text: FERNSEAL_VERSION_STRING of the header that belongs to it. */
const char *fernseal_version_string(void);

/** A few words for a status, for a log; never NULL, never to be freed. */
const char *fernseal_status_str(int32_t status);

/** Zeroes len bytes in a way that the compiler may not remove: for keys and secrets that have served. */
void fernseal_wipe(void *bytes, size_t len);

/** The operating system's random source, to be handed to functions that want one; ctx is not used. Feature std. */
FERNSEAL_MUST_USE int fernseal_random_os(void *ctx, uint8_t *buf, size_t len);

/* ---- Master keys ---- */

/** Reads a master key's text: base64url or base64 of one or more bytes, padded; white space around it is ignored. */
FERNSEAL_MUST_USE fernseal_status fernseal_master_key_parse(fernseal_master_key *out, const char *text, size_t len);

/** Makes a new 32-byte master key and writes its text; cap is FERNSEAL_MASTER_KEY_CAP. Feature seal. */
FERNSEAL_MUST_USE fernseal_status fernseal_master_key_generate(char *out, size_t cap, size_t *out_len,
    fernseal_random_fn random, void *ctx);

/* ---- Tokens ---- */

/** 1 if the text begins as a token does (enc:), otherwise 0. */
int fernseal_token_is_sealed(const char *text, size_t len);

/** The capacity that seals a secret of plain_len bytes into a token: FERNSEAL_TOKEN_SEAL_CAP. */
size_t fernseal_token_seal_cap(size_t plain_len);

/** The capacity that opens any token of token_len characters: FERNSEAL_TOKEN_OPEN_CAP. */
size_t fernseal_token_open_cap(size_t token_len);

/** Seals a secret at now (Unix seconds) into a token with a salt of its own, at the cost of a derivation.
 *  cap is FERNSEAL_TOKEN_SEAL_CAP(plain_len). Feature seal. */
FERNSEAL_MUST_USE fernseal_status fernseal_token_seal(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *master, const uint8_t *plain, size_t plain_len, uint64_t now, fernseal_random_fn random,
    void *ctx);

/** Opens a token, at the cost of a derivation; cap is FERNSEAL_TOKEN_OPEN_CAP(token_len). Feature open. */
FERNSEAL_MUST_USE fernseal_status fernseal_token_open(uint8_t *out, size_t cap, size_t *out_len,
    const fernseal_master_key *master, const char *token, size_t token_len);

/** As fernseal_token_open, with the first of count master keys that fits: the present one, then previous ones.
 *  Feature open. */
FERNSEAL_MUST_USE fernseal_status fernseal_token_open_any(uint8_t *out, size_t cap, size_t *out_len,
    const fernseal_master_key *masters, size_t count, const char *token, size_t token_len);

/** Derives the key of a token, in slices between which tick, if not NULL, is called with ctx. Feature open. */
FERNSEAL_MUST_USE fernseal_status fernseal_derive(fernseal_key *out, const fernseal_master_key *master,
    const char *token, size_t token_len, fernseal_tick_fn tick, void *ctx);

/** Opens a token with the key that fernseal_derive made for it, at once; cap is FERNSEAL_TOKEN_OPEN_CAP(token_len).
 *  Feature open. */
FERNSEAL_MUST_USE fernseal_status fernseal_token_open_with(uint8_t *out, size_t cap, size_t *out_len,
    const fernseal_key *key, const char *token, size_t token_len);

/* ---- PBKDF2 and bare Fernet tokens ---- */

/** PBKDF2-HMAC-SHA256 (RFC 8018, section 5.2): fills all out_len bytes; iterations is at least 1. */
FERNSEAL_MUST_USE fernseal_status fernseal_pbkdf2(uint8_t *out, size_t out_len, const uint8_t *password,
    size_t password_len, const uint8_t *salt, size_t salt_len, uint32_t iterations);

/** The capacity that seals a secret of plain_len bytes into a Fernet token: FERNSEAL_FERNET_SEAL_CAP. */
size_t fernseal_fernet_seal_cap(size_t plain_len);

/** The capacity that opens any Fernet token of token_len characters: FERNSEAL_FERNET_OPEN_CAP. */
size_t fernseal_fernet_open_cap(size_t token_len);

/** Seals a secret at now (Unix seconds) into a Fernet token; key_text is base64url of 32 bytes.
 *  cap is FERNSEAL_FERNET_SEAL_CAP(plain_len). Feature seal. */
FERNSEAL_MUST_USE fernseal_status fernseal_fernet_seal(char *out, size_t cap, size_t *out_len, const char *key_text,
    size_t key_len, const uint8_t *plain, size_t plain_len, uint64_t now, fernseal_random_fn random, void *ctx);

/** Opens a Fernet token that is at most ttl seconds old at now (Unix seconds), or of any age if ttl is 0.
 *  cap is FERNSEAL_FERNET_OPEN_CAP(token_len). Feature open. */
FERNSEAL_MUST_USE fernseal_status fernseal_fernet_open(uint8_t *out, size_t cap, size_t *out_len, const char *key_text,
    size_t key_len, const char *token, size_t token_len, uint64_t now, uint64_t ttl);

/* ---- Configs ---- */

/** Opens every token of a config, at the cost of a derivation each; all else stays byte for byte.
 *  cap is json_len + 1, or more where secrets hold many characters that JSON escapes: 4 * json_len + 1 always does.
 *  Feature config. */
FERNSEAL_MUST_USE fernseal_status fernseal_config_open(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *master, const char *json, size_t json_len);

/** As fernseal_config_open, each token with the first of count master keys that fits. Feature config. */
FERNSEAL_MUST_USE fernseal_status fernseal_config_open_any(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *masters, size_t count, const char *json, size_t json_len);

/** The value at pointer ("/auth/token_value" or "auth.token_value"), opened if it is a token.
 *  cap is the length of the value as it is written and a NUL: json_len + 1 always does. Feature config. */
FERNSEAL_MUST_USE fernseal_status fernseal_config_get(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *master, const char *json, size_t json_len, const char *pointer, size_t pointer_len);

/** As fernseal_config_get, with the first of count master keys that fits. Feature config. */
FERNSEAL_MUST_USE fernseal_status fernseal_config_get_any(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *masters, size_t count, const char *json, size_t json_len, const char *pointer,
    size_t pointer_len);

/** Seals the string at pointer at now (Unix seconds); a token or a placeholder (${NAME}) there stays.
 *  cap is json_len + FERNSEAL_TOKEN_SEAL_CAP(the string's length). Features config and seal. */
FERNSEAL_MUST_USE fernseal_status fernseal_config_seal(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *master, const char *json, size_t json_len, const char *pointer, size_t pointer_len,
    uint64_t now, fernseal_random_fn random, void *ctx);

/** Seals the secret of every token of a config anew, opened with the first of count old master keys that fits, under
 *  the new one at now (Unix seconds); all else stays byte for byte. Two derivations a token.
 *  cap is json_len + 1, and 25 more for each token of the legacy form. Features config and seal. */
FERNSEAL_MUST_USE fernseal_status fernseal_config_rotate(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *old_masters, size_t count, const fernseal_master_key *new_master, const char *json,
    size_t json_len, uint64_t now, fernseal_random_fn random, void *ctx);

/** Reads a ProxmoxMCP config, at most 16 levels deep, and opens the tokens among its fields with the first of count
 *  master keys that fits (none are needed if nothing is sealed). A field that is too long is FERNSEAL_BUFFER_TOO_SMALL,
 *  a token longer than its field too; one with a NUL in it is FERNSEAL_MALFORMED. Feature config. */
FERNSEAL_MUST_USE fernseal_status fernseal_config_read(fernseal_config *out, const fernseal_master_key *masters,
    size_t count, const char *json, size_t json_len);

/* ---- What the firmware defines, where there is no operating system (a build without feature std) ---- */

/** Called when the library finds a fault in itself: resets or stops, and does not return. */
extern void fernseal_panic(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* FERNSEAL_H */
