/* Mbed TLS. Its AES looks up tables by data, so it is not in constant time on a chip with a data cache. */
#include "mbedtls/aes.h"
#include "mbedtls/sha256.h"

#include <string.h>

#include "job.h"

void peer_compress(uint32_t state[8], const uint8_t block[64])
{
    mbedtls_sha256_context context;
    memcpy(context.state, state, sizeof context.state);
    mbedtls_internal_sha256_process(&context, block);
    memcpy(state, context.state, sizeof context.state);
}

void peer_cbc_decrypt(const uint8_t key[16], uint8_t iv[16], uint8_t *bytes, size_t len)
{
    mbedtls_aes_context aes;
    mbedtls_aes_init(&aes);
    mbedtls_aes_setkey_dec(&aes, key, 128);
    mbedtls_aes_crypt_cbc(&aes, MBEDTLS_AES_DECRYPT, len, iv, bytes, bytes);
}
