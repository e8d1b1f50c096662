/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"

#include "base/mem.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

void sha256(const void *data, size_t len, uint8_t digest[SHA256_LEN])
{
	unsigned n = 0;

	CHECK(EVP_Digest(data, len, digest, &n, EVP_sha256(), NULL) == 1 && n == SHA256_LEN);
}

void random_bytes(void *p, size_t len)
{
	CHECK(RAND_bytes(p, (int)len) == 1);
}
