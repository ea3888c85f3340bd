/* BearSSL with its constant-time AES for 32-bit processors. */
#include "inner.h"

#include "job.h"

void peer_compress(uint32_t state[8], const uint8_t block[64])
{
    br_sha2small_round(block, state);
}

void peer_cbc_decrypt(const uint8_t key[16], uint8_t iv[16], uint8_t *bytes, size_t len)
{
    br_aes_ct_cbcdec_keys keys;
    br_aes_ct_cbcdec_init(&keys, key, 16);
    br_aes_ct_cbcdec_run(&keys, iv, bytes, len);
}
