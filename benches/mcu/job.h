/* What job.c needs of a library: a compression of SHA-256 and AES-128-CBC. bearssl.c, cifra.c and mbedtls.c give it. */
#ifndef JOB_H
#define JOB_H

#include "fernseal.h"

void peer_compress(uint32_t state[8], const uint8_t block[64]);

/* Decrypts in place. `len` is a multiple of 16. It may change the IV. */
void peer_cbc_decrypt(const uint8_t key[16], uint8_t iv[16], uint8_t *bytes, size_t len);

#endif
