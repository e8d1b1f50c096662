/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"

#include "base/mem.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

void sha256(const void *data, size_t len, uint8_t digest[SHA256_LEN])
{
	unsigned n = 0;

	CHECK(EVP_Digest(data, len, digest, &n, EVP_sha256(), NULL) == 1 && n == SHA256_LEN);
}

void hmac_sha256(const uint8_t key[SHA256_LEN], struct bytes_view data, uint8_t digest[SHA256_LEN])
{
	unsigned n = 0;

	CHECK(HMAC(EVP_sha256(), key, SHA256_LEN, data.data, data.len, digest, &n) != NULL && n == SHA256_LEN);
}

bool digest_eq(const uint8_t a[SHA256_LEN], const uint8_t b[SHA256_LEN])
{
	return CRYPTO_memcmp(a, b, SHA256_LEN) == 0;
}

void aead_seal(const uint8_t key[AEAD_KEY_LEN], struct bytes_view bound, struct bytes_view plain, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t *sealed = out + AEAD_NONCE_LEN;
	int n = 0;

	CHECK(ctx != NULL && plain.len <= INT_MAX && bound.len <= INT_MAX);
	random_bytes(out, AEAD_NONCE_LEN);
	CHECK(EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), key, out, NULL) == 1);
	CHECK(EVP_EncryptUpdate(ctx, NULL, &n, bound.data, (int)bound.len) == 1);
	CHECK(EVP_EncryptUpdate(ctx, sealed, &n, plain.data, (int)plain.len) == 1);
	CHECK(EVP_EncryptFinal_ex(ctx, sealed + n, &n) == 1);
	CHECK(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, AEAD_TAG_LEN, sealed + plain.len) == 1);
	EVP_CIPHER_CTX_free(ctx);
}

bool aead_open(const uint8_t key[AEAD_KEY_LEN], struct bytes_view bound, struct bytes_view sealed, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx;
	const uint8_t *nonce = sealed.data, *body = nonce + AEAD_NONCE_LEN;
	uint8_t tag[AEAD_TAG_LEN];
	size_t len;
	bool good;
	int n = 0;

	if (sealed.len < AEAD_EXTRA || sealed.len > INT_MAX || bound.len > INT_MAX)
		return false;
	len = sealed.len - AEAD_EXTRA;
	memcpy(tag, body + len, sizeof(tag));
	ctx = EVP_CIPHER_CTX_new();
	CHECK(ctx != NULL && EVP_DecryptInit_ex2(ctx, EVP_aes_256_gcm(), key, nonce, NULL) == 1);
	good = EVP_DecryptUpdate(ctx, NULL, &n, bound.data, (int)bound.len) == 1 &&
	       EVP_DecryptUpdate(ctx, out, &n, body, (int)len) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, AEAD_TAG_LEN, tag) == 1 &&
	       EVP_DecryptFinal_ex(ctx, tag, &n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (!good)
		OPENSSL_cleanse(out, len);
	return good;
}

char *base64_encode(struct bytes_view data)
{
	char *text = xmalloc((data.len + 2) / 3 * 4 + 1);

	CHECK(data.len < INT_MAX / 2);
	EVP_EncodeBlock((unsigned char *)text, data.data, (int)data.len);
	return text;
}

uint8_t *base64_decode(const char *text, size_t *len)
{
	size_t n = strlen(text), padding = n - strcspn(text, "=");
	uint8_t *data;
	int got;

	if (n == 0 || n % 4 != 0 || n > INT_MAX / 2 || padding > 2 || strspn(text + n - padding, "=") != padding)
		return NULL;
	data = xmalloc(n / 4 * 3);
	got = EVP_DecodeBlock(data, (const unsigned char *)text, (int)n);
	if (got < 0) {
		xfree(data);
		return NULL;
	}
	*len = (size_t)got - padding;
	return data;
}

void random_bytes(void *p, size_t len)
{
	CHECK(RAND_bytes(p, (int)len) == 1);
}
