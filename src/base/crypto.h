/* SPDX-License-Identifier: Apache-2.0 */
/* Digests, sealing and random bytes, from OpenSSL. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHA256_LEN = 32, AEAD_KEY_LEN = 32, AEAD_NONCE_LEN = 12, AEAD_TAG_LEN = 16, AEAD_EXTRA = 28 };

struct bytes_view {
	const void *data;
	size_t len;
};

void sha256(const void *data, size_t len, uint8_t digest[SHA256_LEN]);
/* HMAC with SHA-256. */
void hmac_sha256(const uint8_t key[SHA256_LEN], struct bytes_view data, uint8_t digest[SHA256_LEN]);
/* In a time that says nothing of where they differ. */
bool digest_eq(const uint8_t a[SHA256_LEN], const uint8_t b[SHA256_LEN]);

/* AES-256-GCM. out takes plain.len + AEAD_EXTRA bytes: a random nonce, what is sealed, the tag. */
void aead_seal(const uint8_t key[AEAD_KEY_LEN], struct bytes_view bound, struct bytes_view plain, uint8_t *out);
/* out takes sealed.len - AEAD_EXTRA bytes. False, and out is zeros: another key, other bound data, or damage. */
bool aead_open(const uint8_t key[AEAD_KEY_LEN], struct bytes_view bound, struct bytes_view sealed, uint8_t *out);

/* The caller frees with xfree. */
char *base64_encode(struct bytes_view data);
/* NULL: not base64. The caller frees with xfree. */
uint8_t *base64_decode(const char *text, size_t *len);

/* Unpredictable bytes; aborts when the system has none. */
void random_bytes(void *p, size_t len);
