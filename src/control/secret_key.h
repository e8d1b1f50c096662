/* SPDX-License-Identifier: Apache-2.0 */
/* The key of secret.key.file: 32 raw bytes, of which two keys are made, one to seal secrets and one to sign records, and
 * an id by which records say which key they were written with. */
#pragma once

#include "base/crypto.h"
#include "base/err.h"
#include "control/notes.h"

enum { SECRET_KEY_LEN = 32, SECRET_KEY_ID_LEN = 16 };

struct secret_key {
	char id[SECRET_KEY_ID_LEN + 1];
	uint8_t sealing[AEAD_KEY_LEN], signing[SHA256_LEN];
};

/* Pure. */
void secret_key_derive(struct secret_key *key, const uint8_t raw[SECRET_KEY_LEN]);
/* Reads the file: RC_USAGE when it cannot be read, has another length, is no regular file, or others may write to it; that
 * others may read it is noted. The caller frees with secret_key_free. */
int secret_key_load(struct secret_key **key, const char *path, struct notes *notes, struct err *err) MUST_USE;
/* NULL is none. */
void secret_key_free(struct secret_key *key);
