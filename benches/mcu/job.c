/* The job of fernseal_token_open, fernseal_derive and fernseal_token_open_with, in the C that one would write over
 * another library: salted and legacy tokens, both layers of base64 read strictly and in constant time, PBKDF2 with its states
 * cached, the MAC compared in constant time, outputs zeroed on failure.
 *
 * libfernseal also checks its arguments (NULL, overlap, alignment), checks the whole token before it spends a derivation on
 * it, and wipes keys and states on the stack. This job does not. */
#include "job.h"

#include <string.h>

static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static void store(uint8_t *out, const uint32_t state[8])
{
    for (size_t i = 0; i < 32; i++)
        out[i] = (uint8_t)(state[i / 4] >> (24 - i % 4 * 8));
}

/* The states after the padded key, inner and outer. */
static void pads(uint32_t states[2][8], const uint8_t *key, size_t len)
{
    uint8_t block[64];
    for (size_t half = 0; half < 2; half++) {
        memset(block, half ? 0x5c : 0x36, sizeof block);
        for (size_t i = 0; i < len; i++)
            block[i] ^= key[i];
        memcpy(states[half], initial, sizeof initial);
        peer_compress(states[half], block);
    }
}

static void put_length(uint8_t block[64], size_t bytes)
{
    for (size_t i = 0; i < 4; i++)
        block[60 + i] = (uint8_t)(bytes * 8 >> (24 - i * 8));
}

/* One more compression from `from`, of the 32 bytes of a digest that `block` holds with its padding. */
static void rehash(uint8_t block[64], const uint32_t from[8])
{
    uint32_t state[8];
    memcpy(state, from, sizeof state);
    peer_compress(state, block);
    store(block, state);
}

/* Leaves the MAC in the first 32 bytes of `block`, followed by the padding that `rehash` needs. */
static void hmac(uint8_t block[64], uint32_t states[2][8], const uint8_t *message, size_t len)
{
    uint32_t state[8];
    size_t rest = len;
    memcpy(state, states[0], sizeof state);
    for (; rest >= 64; rest -= 64, message += 64)
        peer_compress(state, message);
    memset(block, 0, 64);
    memcpy(block, message, rest);
    block[rest] = 0x80;
    if (rest >= 56) {
        peer_compress(state, block);
        memset(block, 0, 64);
    }
    put_length(block, 64 + len);
    peer_compress(state, block);
    memset(block, 0, 64);
    store(block, state);
    block[32] = 0x80;
    put_length(block, 64 + 32);
    rehash(block, states[1]);
}

static fernseal_status pbkdf2(uint8_t out[32], const uint8_t key[64], const uint8_t salt[16], const fernseal_tick *tick)
{
    uint32_t states[2][8];
    uint8_t block[64], message[20];
    memcpy(message, salt, 16);
    memcpy(message + 16, "\0\0\0\1", 4);
    pads(states, key, 64);
    hmac(block, states, message, sizeof message);
    memcpy(out, block, 32);
    for (uint32_t i = 1; i < 100000; i++) {
        rehash(block, states[0]);
        rehash(block, states[1]);
        for (size_t j = 0; j < 32; j++)
            out[j] ^= block[j];
        if (i % 1000 == 0 && tick && tick->call(tick->ctx)) {
            memset(out, 0, 32);
            return FERNSEAL_CANCELLED;
        }
    }
    return FERNSEAL_OK;
}

/* The value of a base64url character, or -1, in constant time. */
static int value(int c)
{
    int sum = -1;
    sum += ((('A' - 1 - c) & (c - 'Z' - 1)) >> 8) & (c - 'A' + 1);
    sum += ((('a' - 1 - c) & (c - 'z' - 1)) >> 8) & (c - 'a' + 27);
    sum += ((('0' - 1 - c) & (c - '9' - 1)) >> 8) & (c - '0' + 53);
    sum += ((('-' - 1 - c) & (c - '-' - 1)) >> 8) & 63;
    sum += ((('_' - 1 - c) & (c - '_' - 1)) >> 8) & 64;
    return sum;
}

/* Decodes four characters, of which the last two may be padding. Returns the number of bytes, or 0 for bad ones. */
static size_t quantum(uint8_t out[3], const uint8_t text[4])
{
    size_t len = text[3] != '=' ? 3 : text[2] != '=' ? 2 : 1;
    int bits = 0, bad = 0;
    for (size_t i = 0; i < 4; i++) {
        int six = i <= len ? value(text[i]) : 0;
        bad |= six;
        bits = bits << 6 | (six & 63);
    }
    for (size_t i = 0; i < 3; i++)
        out[i] = (uint8_t)(bits >> (16 - i * 8));
    return bad < 0 || (len < 3 && out[len]) || (len < 2 && out[2]) ? 0 : len;
}

/* Decodes both layers. Returns the number of bytes, or 0 for a bad text. */
static size_t decode(uint8_t *out, size_t cap, const uint8_t *text, size_t len)
{
    uint8_t outer[3], inner[4], bytes[3];
    size_t written = 0, pending = 0, got = 3, last = 3;
    for (size_t at = 0; at < len; at += 4) {
        if (len - at < 4 || got < 3 || !(got = quantum(outer, text + at)))
            return 0;
        for (size_t i = 0; i < got; i++) {
            inner[pending++] = outer[i];
            if (pending < 4)
                continue;
            pending = 0;
            if (last < 3 || !(last = quantum(bytes, inner)) || cap - written < last)
                return 0;
            memcpy(out + written, bytes, last);
            written += last;
        }
    }
    return pending ? 0 : written;
}

/* Finds the salt and the body of a token. Returns the offset of the body, or 0 for a bad text. */
static size_t split(uint8_t salt[18], const char *token, size_t len)
{
    const uint8_t *text = (const uint8_t *)token + 4;
    if (len < 4 || memcmp(token, "enc:", 4))
        return 0;
    if (len < 29 || token[28] != ':') {
        memcpy(salt, "proxmox_mcp_salt", 16);
        return 4;
    }
    for (size_t i = 0; i < 6; i++)
        if (quantum(salt + i * 3, text + i * 4) != (i < 5 ? 3 : 1))
            return 0;
    return 29;
}

fernseal_status fernseal_derive(fernseal_key *out, const fernseal_master_key *master, const char *token, size_t token_len,
                                const fernseal_tick *tick)
{
    uint8_t salt[18];
    memset(out, 0, sizeof *out);
    if (!split(salt, token, token_len))
        return FERNSEAL_MALFORMED;
    return pbkdf2(out->bytes, master->bytes, salt, tick);
}

static fernseal_status open_with(uint8_t *out, size_t cap, size_t *out_len, const fernseal_key *key, const char *token,
                                 size_t token_len)
{
    uint32_t states[2][8];
    uint8_t salt[18], block[64], wrong = 0;
    size_t at = split(salt, token, token_len);
    size_t len = at ? decode(out, cap, (const uint8_t *)token + at, token_len - at) : 0;
    if (len < 73 || len % 16 != 9 || out[0] != 0x80)
        return FERNSEAL_MALFORMED;
    pads(states, key->bytes, 16);
    hmac(block, states, out, len - 32);
    for (size_t i = 0; i < 32; i++)
        wrong |= block[i] ^ out[len - 32 + i];
    if (wrong)
        return FERNSEAL_UNAUTHENTIC;
    size_t body = len - 25 - 32;
    peer_cbc_decrypt(key->bytes + 16, out + 9, out + 25, body);
    uint8_t pad = out[24 + body];
    if (pad < 1 || pad > 16)
        return FERNSEAL_UNAUTHENTIC;
    for (size_t i = 1; i <= pad; i++)
        wrong |= out[25 + body - i] ^ pad;
    if (wrong)
        return FERNSEAL_UNAUTHENTIC;
    *out_len = body - pad;
    memmove(out, out + 25, *out_len);
    memset(out + *out_len, 0, cap - *out_len);
    return FERNSEAL_OK;
}

fernseal_status fernseal_token_open_with(uint8_t *out, size_t cap, size_t *out_len, const fernseal_key *key,
                                         const char *token, size_t token_len)
{
    *out_len = 0;
    memset(out, 0, cap);
    fernseal_status status = open_with(out, cap, out_len, key, token, token_len);
    if (status)
        memset(out, 0, cap);
    return status;
}

fernseal_status fernseal_token_open(uint8_t *out, size_t cap, size_t *out_len, const fernseal_master_key *master,
                                    const char *token, size_t token_len, const fernseal_tick *tick)
{
    fernseal_key key;
    *out_len = 0;
    memset(out, 0, cap);
    fernseal_status status = fernseal_derive(&key, master, token, token_len, tick);
    return status ? status : fernseal_token_open_with(out, cap, out_len, &key, token, token_len);
}

/* What a libc would bring, as small as it gets. The attribute keeps the compiler from making the loops calls of
 * themselves. */
#define LOOP __attribute__((optimize("no-tree-loop-distribute-patterns"), used))

LOOP void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    return to;
}

LOOP void *memmove(void *to, const void *from, size_t len)
{
    if ((uintptr_t)to < (uintptr_t)from)
        return memcpy(to, from, len);
    while (len-- > 0)
        ((uint8_t *)to)[len] = ((const uint8_t *)from)[len];
    return to;
}

LOOP void *memset(void *to, int byte, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)to)[i] = (uint8_t)byte;
    return to;
}

LOOP int memcmp(const void *left, const void *right, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((const uint8_t *)left)[i] != ((const uint8_t *)right)[i])
            return 1;
    return 0;
}
