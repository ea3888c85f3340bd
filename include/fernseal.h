/*
 * libfernseal: opens and seals the secrets of JSON configs, on an operating system or on bare metal.
 * cbindgen generates this file from ffi/src. Do not edit it.
 *
 * Rules for all functions:
 *   - Order: outputs come first, as (out, cap, out_len), then inputs, as (pointer, length). Inputs need no final NUL.
 *   - Text: text outputs end in a NUL. cap includes it, out_len does not.
 *   - Failure: FERNSEAL_OK is 0. After any other status, all of out is zero: no plaintext. *out_len is 0, except after
 *     FERNSEAL_BUFFER_TOO_SMALL: then it is a sufficient capacity; for text it includes the NUL. A second call with that
 *     cap and the same inputs does not return FERNSEAL_BUFFER_TOO_SMALL. (In a build with the feature compact it is 0 here
 *     too.)
 *   - Checks: a pointer may be NULL only if its length is 0. An output must not overlap another argument. Pointers must
 *     be aligned, and lengths must be possible. If a check fails, the function returns FERNSEAL_INVALID_ARGUMENT and
 *     does not write to the output that failed it. If out_len fails it, out is not written either; if out and out_len
 *     overlap, neither is written.
 *   - Memory: the caller owns all memory. The library has no heap, no global state and no initialization.
 *   - Threads: every function may be called on any thread at any time. During a call, no other thread and no callback
 *     may change an input or access an output. (A random source writes to its buf, a compression function to its state,
 *     and neither to anything else.)
 *   - Callbacks: ctx is passed to the callback and not checked; it may be NULL. A random source that is NULL counts as
 *     one that fails: FERNSEAL_RANDOM_FAILED. A callback must return: no longjmp and no C++ exception may leave it. It
 *     may call the library.
 *   - Ticks: a function that derives takes a fernseal_tick as its last argument. NULL stands for none.
 *   - Time: a derivation takes 100 000 iterations of PBKDF2: 6 to 10 ms on a server, 3 to 35 s on a microcontroller.
 *   - Stack: on an operating system a call takes up to 20 KiB of stack, fernseal_random_os included, and overwrites
 *     16 KiB of it before it returns. Only fernseal_config_check takes more, up to 28 KiB. Add the stack that
 *     your own callbacks need.
 *   - Faults: a fault in the library returns FERNSEAL_INTERNAL on an operating system, or calls abort in a library without
 *     Rust's std, and calls fernseal_panic on bare metal.
 *   - ABI: a patch release only adds functions, statuses, constants, and fields at the end of fernseal_config. A release
 *     that changes or removes something gets a new SONAME. Up to version 1.0 the SONAME has the minor version:
 *     libfernseal.so.0.1. Within a SONAME the sizes of all other structs and all numbers stay.
 *   - Results: a result that must not be ignored is marked FERNSEAL_MUST_USE.
 *
 * "Feature" in a comment names a Cargo feature of fernseal-ffi. Only a library built with that feature contains the
 * function. A build for an operating system has all features.
 *
 * C99 (or C90 with stdint.h and stdbool.h) or C++11. MIT OR Apache-2.0.
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
/* One number, for comparisons: 1 002 003 is version 1.2.3. */
#define FERNSEAL_VERSION_NUMBER \
    (FERNSEAL_VERSION_MAJOR * 1000000 + FERNSEAL_VERSION_MINOR * 1000 + FERNSEAL_VERSION_PATCH)

/* A program for Windows that links the DLL may define FERNSEAL_DLL: then its calls go directly to the DLL. */
#ifndef FERNSEAL_API
#if defined(_WIN32) && defined(FERNSEAL_DLL)
#define FERNSEAL_API __declspec(dllimport)
#else
#define FERNSEAL_API
#endif
#endif

#ifndef FERNSEAL_MUST_USE
#if defined(__GNUC__)
#define FERNSEAL_MUST_USE __attribute__((warn_unused_result))
#else
#define FERNSEAL_MUST_USE
#endif
#endif

/* ---- Buffer capacities in bytes, as constants. Each equals the result of the function of the same name ---- */

/* The text of a new master key, with its NUL. */
#define FERNSEAL_MASTER_KEY_CAP 45
/* The ID of a master key, with its NUL. */
#define FERNSEAL_KEY_ID_CAP 9
/* The salt of a token. */
#define FERNSEAL_SALT_LEN 16
/* The token of a secret of plain_len bytes, with its NUL. */
#define FERNSEAL_TOKEN_SEAL_CAP(plain_len) \
    (FERNSEAL_BASE64_LEN(FERNSEAL_BASE64_LEN(FERNSEAL_FERNET_RAW_LEN(plain_len))) + 30)
/* The secret of any token of token_len characters. */
#define FERNSEAL_TOKEN_OPEN_CAP(token_len) \
    ((FERNSEAL_SIZE(token_len) < 4 ? 0 : FERNSEAL_SIZE(token_len) - 4) / 4 * 3 / 4 * 3)
/* The Fernet token of a secret of plain_len bytes, with its NUL. */
#define FERNSEAL_FERNET_SEAL_CAP(plain_len) \
    (FERNSEAL_BASE64_LEN(FERNSEAL_FERNET_RAW_LEN(plain_len)) + 1)
/* The secret of any Fernet token of token_len characters. */
#define FERNSEAL_FERNET_OPEN_CAP(token_len) (FERNSEAL_SIZE(token_len) / 4 * 3)

/* Helpers of the macros above. */
#define FERNSEAL_BASE64_LEN(len) (((len) + 2) / 3 * 4)
#define FERNSEAL_FERNET_RAW_LEN(plain_len) (FERNSEAL_SIZE(plain_len) / 16 * 16 + 73)
#ifdef __cplusplus
#define FERNSEAL_SIZE(len) static_cast<size_t>(len)
#else
#define FERNSEAL_SIZE(len) ((size_t)(len))
#endif

/* ---- Types ---- */

/** The result of a function: FERNSEAL_OK (0), or the kind of failure. The numbers never change. */
typedef int32_t fernseal_status;

/** A master key: the key that the user holds. Wipe it after use with fernseal_wipe. */
typedef struct {
    /** The key in the form that HMAC uses: 64 bytes, whatever the length of its text. */
    uint8_t bytes[64];
} fernseal_master_key;

/** A random source. It fills buf with len bytes from a cryptographically secure generator and returns 0. It returns
 *  any other value on failure. */
typedef int (*fernseal_random_fn)(void *ctx, uint8_t *buf, size_t len);

/** A function that is called during a derivation. It returns 0 to continue and any other value to cancel. */
typedef int (*fernseal_tick_fn)(void *ctx);

/** What runs during derivations, for example to feed a watchdog, to let other tasks run, or to cancel. Functions that derive
 *  take a pointer to it as their last argument, which may be NULL. */
typedef struct {
    /** Called with ctx before each slice of a derivation, including the first. */
    fernseal_tick_fn call;
    /** Is passed to call. */
    void *ctx;
    /** The number of iterations in a slice; 0 stands for 1 000. On a Cortex-M0 at 48 MHz, 250 take 65 ms. If several
     *  derivations run together, this is the number for each. */
    uint32_t distance;
} fernseal_tick;

/** The key of one token, derived from a master key. It is as secret as the master key; wipe it after use. */
typedef struct {
    /** 16 bytes that sign, then 16 bytes that encrypt. */
    uint8_t bytes[32];
} fernseal_key;

/** A derivation that runs in slices, between which a device feeds its watchdog or does other work. It contains secrets:
 *  fernseal_derivation_finish wipes it. If you abandon it, call fernseal_wipe. It may be copied and moved. */
typedef struct {
    /** Opaque. Two words are reserved. */
    uint32_t words[36];
} fernseal_derivation;

/** The compression function of SHA-256 (FIPS 180-4, section 6.2.2), as a chip computes it: hashes the 64 bytes of block into
 *  the eight words of state. */
typedef void (*fernseal_compress_fn)(void *ctx, uint32_t *state, const uint8_t *block);

/** An opened ProxmoxMCP config. Each text ends in a NUL. A field that the config lacks has the default of the Python
 *  original. Wipe it after use with fernseal_wipe. Within a SONAME it may grow at its end, so pass its size to
 *  fernseal_config_read. */
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
    /** logging.format, or date, name, level and message */
    char log_format[256];
    /** logging.file, or "" */
    char log_file[256];
    /** proxmox.port, or 8006 */
    uint16_t port;
    /** proxmox.verify_ssl, or true */
    bool verify_ssl;
    /** Zero. A later version puts new fields after it. */
    uint8_t reserved[5];
} fernseal_config;

/* ---- Status ---- */

/** The call succeeded. */
#define FERNSEAL_OK 0

/** The output buffer, or a field of fernseal_config, is too short. If the function has an out_len, *out_len is then a
 *  sufficient capacity, except in a build with the feature compact. */
#define FERNSEAL_BUFFER_TOO_SMALL 1

/** The text is not a token; or a value looks like a damaged token; or a value that is returned as text is not UTF-8 or
 *  contains a NUL. */
#define FERNSEAL_MALFORMED 2

/** The key text is not base64; or the key is too short to seal with (under 16 bytes, not counting trailing zeros). */
#define FERNSEAL_INVALID_KEY 3

/** The key is wrong or the token was altered. The two cannot be told apart. */
#define FERNSEAL_UNAUTHENTIC 4

/** The token is older than the TTL allows, or its time is more than 60 seconds in the future. */
#define FERNSEAL_EXPIRED 5

/** The random source failed. Nothing was sealed. */
#define FERNSEAL_RANDOM_FAILED 6

/** An argument breaks the rules: NULL, overlapping buffers, an impossible length, or an invalid JSON Pointer. */
#define FERNSEAL_INVALID_ARGUMENT 7

/** The tick function cancelled the call. */
#define FERNSEAL_CANCELLED 8

/** The library contains a fault. Please report it. */
#define FERNSEAL_INTERNAL 9

/** There is no value at the pointer, the text has no further token, or the config lacks a required field. */
#define FERNSEAL_NOT_FOUND 10

/** The text is not JSON, or the name of a field of fernseal_config is written with escapes. */
#define FERNSEAL_INVALID_JSON 11

/** The JSON is nested too deeply. */
#define FERNSEAL_TOO_DEEP 12

/** A name on the path to the value occurs twice. */
#define FERNSEAL_DUPLICATE_NAME 13

/** The value is not a string, or its kind or range is not that of its field. */
#define FERNSEAL_WRONG_KIND 14

#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/* ---- The library ---- */

/** Returns the version of the library as a number. FERNSEAL_VERSION_NUMBER is that of the header. */
FERNSEAL_API uint32_t fernseal_version_number(void);

/** Returns the version of the library as text. FERNSEAL_VERSION_STRING is that of the header. */
FERNSEAL_API const char *fernseal_version_string(void);

/** Returns the size of a fernseal_master_key in bytes, for languages that cannot read this header. The next three
 *  functions have the same purpose. */
FERNSEAL_API size_t fernseal_master_key_size(void);

/** Returns the size of a fernseal_key in bytes. */
FERNSEAL_API size_t fernseal_key_size(void);

/** Returns the size of a fernseal_derivation in bytes. */
FERNSEAL_API size_t fernseal_derivation_size(void);

/** Returns the size of a fernseal_config in bytes. Feature config. */
FERNSEAL_API size_t fernseal_config_size(void);

/** Returns FERNSEAL_MASTER_KEY_CAP. */
FERNSEAL_API size_t fernseal_master_key_cap(void);

/** Returns a short description of a status, for logs. It is never NULL and must not be freed. */
FERNSEAL_API const char *fernseal_status_str(int32_t status);

/** Zeroes len bytes in a way that the compiler cannot remove. Use it on keys and secrets after use. */
FERNSEAL_API void fernseal_wipe(void *bytes, size_t len);

/** Fills buf from the operating system's random source. Returns 0, or another value on failure. It is a
 *  fernseal_random_fn and ignores ctx. Feature os. */
FERNSEAL_API FERNSEAL_MUST_USE int fernseal_random_os(void *ctx, uint8_t *buf, size_t len);

/* ---- Master keys ---- */

/** Reads the text of a master key: padded base64url or base64 of one or more bytes. Whitespace around it is ignored. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_master_key_parse(fernseal_master_key *out, const char *text,
    size_t len);

/** Generates a 32-byte master key and writes its text. cap is at least FERNSEAL_MASTER_KEY_CAP. Feature seal. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_master_key_generate(char *out, size_t cap, size_t *out_len,
    fernseal_random_fn random, void *ctx);

/** Writes the public ID of a master key: 8 hex digits, as the command shows it. Costs a derivation. cap is at least
 *  FERNSEAL_KEY_ID_CAP. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_master_key_id(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *master, const fernseal_tick *tick);

/* ---- Tokens ---- */

/** Returns 1 if the text begins with enc:, as tokens do, otherwise 0. */
FERNSEAL_API int fernseal_token_is_sealed(const char *text, size_t len);

/** Returns the capacity for the token of a secret of plain_len bytes: FERNSEAL_TOKEN_SEAL_CAP. */
FERNSEAL_API size_t fernseal_token_seal_cap(size_t plain_len);

/** Returns the capacity for the secret of any token of token_len characters: FERNSEAL_TOKEN_OPEN_CAP. */
FERNSEAL_API size_t fernseal_token_open_cap(size_t token_len);

/** Seals a secret as a token with a new salt. now is the time in Unix seconds. Costs a derivation.
 *  cap is at least FERNSEAL_TOKEN_SEAL_CAP(plain_len). Feature seal. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_token_seal(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *master, const uint8_t *plain, size_t plain_len, uint64_t now, fernseal_random_fn random,
    void *ctx, const fernseal_tick *tick);

/** Seals a secret as a token with a key that was derived from the 16 bytes of salt, which fernseal_token_salt returns.
 *  Takes microseconds. cap is at least FERNSEAL_TOKEN_SEAL_CAP(plain_len). Feature seal. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_token_seal_with(char *out, size_t cap, size_t *out_len,
    const fernseal_key *key, const uint8_t *salt, const uint8_t *plain, size_t plain_len, uint64_t now,
    fernseal_random_fn random, void *ctx);

/** Opens a token. Costs a derivation. cap is at least FERNSEAL_TOKEN_OPEN_CAP(token_len). Feature open. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_token_open(uint8_t *out, size_t cap, size_t *out_len,
    const fernseal_master_key *master, const char *token, size_t token_len, const fernseal_tick *tick);

/** Opens a token as fernseal_token_open does, with the first of count master keys that sealed it: the current key, then
 *  previous ones. Costs a derivation for each key that is tried. Feature open. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_token_open_any(uint8_t *out, size_t cap, size_t *out_len,
    const fernseal_master_key *masters, size_t count, const char *token, size_t token_len, const fernseal_tick *tick);

/** Derives the key of a token. Feature open. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_derive(fernseal_key *out, const fernseal_master_key *master,
    const char *token, size_t token_len, const fernseal_tick *tick);

/** Derives the keys of count tokens together, with the processor's vector instructions: on a server this takes a
 *  fraction of the time of count calls. Key i is derived from master key i and from the 16 bytes at salts + 16 * i, which
 *  fernseal_token_salt returns. If master_count is 1, that master key is used for all; otherwise it equals count. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_derive_many(fernseal_key *out, size_t count,
    const fernseal_master_key *masters, size_t master_count, const uint8_t *salts, const fernseal_tick *tick);

/** Begins to derive a key from a salt of any length, as fernseal_token_salt returns it. Runs the first of the 100 000
 *  iterations. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_derivation_begin(fernseal_derivation *out,
    const fernseal_master_key *master, const uint8_t *salt, size_t salt_len);

/** Runs up to iterations more iterations and sets left to the number that remain. On a Cortex-M0 at 48 MHz, 250
 *  take 65 ms. When left is 0, call fernseal_derivation_finish. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_derivation_advance(uint32_t *left,
    fernseal_derivation *derivation, uint32_t iterations);

/** Runs iterations as fernseal_derivation_advance does, with the SHA-256 of a chip: compress is called twice for
 *  each iteration, with ctx. If compress is wrong, the key is wrong, and opening a token with it returns
 *  FERNSEAL_UNAUTHENTIC. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_derivation_advance_with(uint32_t *left,
    fernseal_derivation *derivation, uint32_t iterations, fernseal_compress_fn compress, void *ctx);

/** Returns the key of a finished derivation, and wipes the derivation. If iterations are left, or if the derivation was
 *  never begun, the function returns FERNSEAL_INVALID_ARGUMENT and leaves the derivation unchanged. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_derivation_finish(fernseal_key *out,
    fernseal_derivation *derivation);

/** Returns the salt of a token: 16 bytes, from which fernseal_derivation_begin derives its key. A device with SHA-256 in
 *  hardware can also compute PBKDF2 (100 000 iterations, 32 bytes) itself and fill a fernseal_key. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_token_salt(uint8_t *out, const char *token, size_t token_len);

/** Returns when a token was sealed, in Unix seconds. Only opening the token shows that this is authentic. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_token_timestamp(uint64_t *out, const char *token,
    size_t token_len);

/** Finds the first token of a text in any format that begins at offset or later. Continue at start + len. After
 *  the last one, the function returns FERNSEAL_NOT_FOUND. If a part of the text only looks like a token, it returns
 *  FERNSEAL_MALFORMED, and start and len say where that part is: the only failure after which they are not 0. The
 *  text is UTF-8, which each call checks from the beginning. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_text_next(size_t *start, size_t *len, const char *text,
    size_t text_len, size_t offset);

/** Opens a token with the key that fernseal_derive derived for it. Takes microseconds. cap is at least
 *  FERNSEAL_TOKEN_OPEN_CAP(token_len). Feature open. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_token_open_with(uint8_t *out, size_t cap, size_t *out_len,
    const fernseal_key *key, const char *token, size_t token_len);

/* ---- PBKDF2 and bare Fernet tokens ---- */

/** Computes PBKDF2-HMAC-SHA256 (RFC 8018, section 5.2) and fills all out_len bytes. iterations is at least 1. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_pbkdf2(uint8_t *out, size_t out_len, const uint8_t *password,
    size_t password_len, const uint8_t *salt, size_t salt_len, uint32_t iterations, const fernseal_tick *tick);

/** Returns the capacity for the Fernet token of a secret of plain_len bytes: FERNSEAL_FERNET_SEAL_CAP. */
FERNSEAL_API size_t fernseal_fernet_seal_cap(size_t plain_len);

/** Returns the capacity for the secret of any Fernet token of token_len characters: FERNSEAL_FERNET_OPEN_CAP. */
FERNSEAL_API size_t fernseal_fernet_open_cap(size_t token_len);

/** Seals a secret as a Fernet token. key_text is the base64url of 32 bytes, and now is the time in Unix seconds.
 *  cap is at least FERNSEAL_FERNET_SEAL_CAP(plain_len). Feature seal. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_fernet_seal(char *out, size_t cap, size_t *out_len,
    const char *key_text, size_t key_len, const uint8_t *plain, size_t plain_len, uint64_t now,
    fernseal_random_fn random, void *ctx);

/** Reads the text of a Fernet key: padded base64url or base64 of 32 bytes. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_key_parse(fernseal_key *out, const char *text, size_t len);

/** Opens a Fernet token that is at most ttl seconds old at the time now (Unix seconds). If ttl is 0, the token
 *  may be of any age. cap is at least FERNSEAL_FERNET_OPEN_CAP(token_len). Feature open. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_fernet_open(uint8_t *out, size_t cap, size_t *out_len,
    const char *key_text, size_t key_len, const char *token, size_t token_len, uint64_t now, uint64_t ttl);

/** Opens a Fernet token as fernseal_fernet_open does, with the first of count keys that sealed it, as Python's
 *  MultiFernet does. Feature open. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_fernet_open_any(uint8_t *out, size_t cap, size_t *out_len,
    const fernseal_key *keys, size_t count, const char *token, size_t token_len, uint64_t now, uint64_t ttl);

/** Opens a Fernet token of any age with the first of count keys that sealed it, and seals its secret with the first key. The
 *  time in the token stays. cap is at least token_len + 1. Features open and seal. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_fernet_rotate(char *out, size_t cap, size_t *out_len,
    const fernseal_key *keys, size_t count, const char *token, size_t token_len, fernseal_random_fn random, void *ctx);

/* ---- Configs ---- */

/** Checks everything in a config that can be checked without a key, and returns the position of the first fault:
 *  offset is the number of bytes before it. For this fault fernseal_config_open refuses the config:
 *  FERNSEAL_INVALID_JSON or FERNSEAL_TOO_DEEP, then FERNSEAL_DUPLICATE_NAME at the second name (in a build with the
 *  feature compact, at the token), then FERNSEAL_MALFORMED at a string that begins with enc: and is not a token.
 *  (It does not check a token that is written with escapes.) After success, and after FERNSEAL_INVALID_ARGUMENT,
 *  offset is 0. Feature config. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_config_check(size_t *offset, const char *json, size_t json_len);

/** Opens every token of a config and copies all other bytes unchanged. Costs one derivation for each salt, so at most
 *  one for each 165 bytes of json: limit json_len if you open untrusted configs. All other work takes time linear
 *  in json_len. cap is at least json_len + 1. It is more if secrets contain many characters that JSON escapes, or
 *  if tokens are nested more than 20 levels deep: 4 * json_len + 1 is always enough. In a build with the feature
 *  compact, a token that is nested more than 64 levels deep is refused with FERNSEAL_TOO_DEEP. Feature config. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_config_open(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *master, const char *json, size_t json_len, const fernseal_tick *tick);

/** Opens a config as fernseal_config_open does, each token with the first of count master keys that sealed it. Costs a
 *  derivation for each key that is tried. Feature config. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_config_open_any(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *masters, size_t count, const char *json, size_t json_len, const fernseal_tick *tick);

/** Writes the value at pointer ("/auth/token_value" or "auth.token_value"). Opens it if it is a token. cap is at
 *  least the length of the value in the JSON text, and at least 1; json_len + 1 is always enough. Feature config. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_config_get(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *master, const char *json, size_t json_len, const char *pointer, size_t pointer_len,
    const fernseal_tick *tick);

/** Writes a value as fernseal_config_get does, opened with the first of count master keys that sealed it. Feature config. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_config_get_any(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *masters, size_t count, const char *json, size_t json_len, const char *pointer,
    size_t pointer_len, const fernseal_tick *tick);

/** Writes a value as fernseal_config_get does. If it is a token, it is opened with key, which must have been
 *  derived for that token. Takes microseconds for each kilobyte. Feature config. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_config_get_with(char *out, size_t cap, size_t *out_len,
    const fernseal_key *key, const char *json, size_t json_len, const char *pointer, size_t pointer_len);

/** Writes the string at pointer without opening it: a token as its text, from which its key can be derived. cap is
 *  at least the length of the string in the JSON text, and at least 1; json_len + 1 is always enough. Feature
 *  config. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_config_find(char *out, size_t cap, size_t *out_len,
    const char *json, size_t json_len, const char *pointer, size_t pointer_len);

/** Seals the string at pointer and copies all other bytes unchanged. A token or a placeholder (${NAME}) stays as it
 *  is. now is the time in Unix seconds. cap is at least json_len + FERNSEAL_TOKEN_SEAL_CAP(the string's length);
 *  json_len + FERNSEAL_TOKEN_SEAL_CAP(json_len) is always enough. Features config and seal. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_config_seal(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *master, const char *json, size_t json_len, const char *pointer, size_t pointer_len,
    uint64_t now, fernseal_random_fn random, void *ctx, const fernseal_tick *tick);

/** Opens every token of a config with the first of count old master keys that sealed it, seals its secret with the
 *  new master key, and copies all other bytes unchanged. now is the time in Unix seconds. Costs two derivations for
 *  each token. cap is at least json_len + 1, and 25 more for each legacy token. It is more for tokens that are
 *  nested more than 20 levels deep; 4 * json_len + 1 is always enough. Features config and seal. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_config_rotate(char *out, size_t cap, size_t *out_len,
    const fernseal_master_key *old_masters, size_t count, const fernseal_master_key *new_master, const char *json,
    size_t json_len, uint64_t now, fernseal_random_fn random, void *ctx, const fernseal_tick *tick);

/** Reads a ProxmoxMCP config and opens the tokens among its fields, each with the first of count master keys that
 *  sealed it. size is sizeof(fernseal_config). count may be 0 if nothing is sealed. The config may be nested up to
 *  16 levels deep. If a value or token is longer than its field, the function returns FERNSEAL_BUFFER_TOO_SMALL; if a
 *  value contains a NUL, FERNSEAL_MALFORMED. Feature config. */
FERNSEAL_API FERNSEAL_MUST_USE fernseal_status fernseal_config_read(fernseal_config *out, size_t size,
    const fernseal_master_key *masters, size_t count, const char *json, size_t json_len, const fernseal_tick *tick);

/* ---- What the firmware defines, in a build without the feature os ---- */

/** Handles a fault in the library. The firmware defines it, and the library calls it. It resets or stops the
 *  device, and must not return. */
extern void fernseal_panic(void);

#ifdef __cplusplus
} /* extern "C" */
#endif /* __cplusplus */

#endif  /* FERNSEAL_H */
