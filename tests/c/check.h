/* Helpers of the C test programs: counted checks, buffers that show what was written, and random sources. The programs
 * use no heap, so that valgrind can show that the library uses none either. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <string.h>

#include "fernseal.h"

#define LEN(text) (sizeof(text) - 1)

static int checks, failures;

#define CHECK(condition) check((condition) ? 1 : 0, #condition, __FILE__, __LINE__)

static inline void check(int passed, const char *condition, const char *file, int line)
{
    checks++;
    if (!passed) {
        failures++;
        fprintf(stderr, "%s:%d: %s\n", file, line, condition);
    }
}

/* The outputs of the call that is checked. */
static char out[4096];
static size_t out_len;

/* Checks that the call, which uses `out` and `out_len`, fails with a status and leaves only zeros. */
#define REFUSES(status, capacity, call) FAILS(status, 0, capacity, call)

/* Checks that the buffer of the call is too short, that only zeros are left, and that out_len says what is enough. */
#define TOO_SMALL(enough, capacity, call) FAILS(FERNSEAL_BUFFER_TOO_SMALL, enough, capacity, call)

#define FAILS(status, wanted_len, capacity, call) \
    do { \
        memset(out, 0xa5, sizeof out); \
        out_len = 77; \
        CHECK((call) == (status)); \
        CHECK(out_len == (wanted_len)); \
        CHECK(is_all(out, capacity, 0)); \
        CHECK(is_all(out + (capacity), sizeof out - (capacity), 0xa5)); \
    } while (0)

/* Checks that the call succeeds with exactly this text, writes nothing beyond the capacity, and zeroes the rest. */
#define YIELDS(text, capacity, call) \
    do { \
        memset(out, 0xa5, sizeof out); \
        CHECK((call) == FERNSEAL_OK); \
        CHECK(out_len == LEN(text)); \
        CHECK(memcmp(out, text, LEN(text)) == 0); \
        CHECK(is_all(out + LEN(text), (capacity) - LEN(text), 0)); \
        CHECK(is_all(out + (capacity), sizeof out - (capacity), 0xa5)); \
    } while (0)

static inline int is_all(const void *bytes, size_t len, int byte)
{
    const unsigned char *at = (const unsigned char *)bytes;
    while (len > 0 && *at == byte)
        at++, len--;
    return len == 0;
}

/* A random source with the bytes 0, 1, 2, …, as in make_vectors.py. */
static inline int count_up(void *ctx, uint8_t *buf, size_t len)
{
    uint8_t *next = (uint8_t *)ctx;
    while (len > 0)
        *buf++ = (*next)++, len--;
    return 0;
}

static inline int no_random(void *ctx, uint8_t *buf, size_t len)
{
    (void)ctx, (void)buf, (void)len;
    return -1;
}

/* Prints the result and returns the program's exit code. */
static inline int checked(const char *name)
{
    fprintf(stderr, "%s: %d checks, %d failed\n", name, checks, failures);
    return failures != 0;
}

#endif
