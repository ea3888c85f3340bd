/* cifra, which reads each byte of the S-box by scanning the whole table, so in constant time. Its compression is private:
 * a hash of one whole block runs it. */
#include "aes.h"
#include "modes.h"
#include "sha2.h"

#include <string.h>

#include "job.h"

void peer_compress(uint32_t state[8], const uint8_t block[64])
{
    cf_sha256_context context;
    memcpy(context.H, state, sizeof context.H);
    context.blocks = context.npartial = 0;
    cf_sha256_update(&context, block, 64);
    memcpy(state, context.H, sizeof context.H);
}

void peer_cbc_decrypt(const uint8_t key[16], uint8_t iv[16], uint8_t *bytes, size_t len)
{
    cf_aes_context aes;
    cf_cbc cbc;
    cf_aes_init(&aes, key, 16);
    cf_cbc_init(&cbc, &cf_aes, &aes, iv);
    for (; len > 0; len -= 16, bytes += 16) {
        uint8_t plain[16];
        cf_cbc_decrypt(&cbc, bytes, plain, 1);
        memcpy(bytes, plain, sizeof plain);
    }
}
