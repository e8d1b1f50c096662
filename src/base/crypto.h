/* SPDX-License-Identifier: Apache-2.0 */
/* Digests and random bytes, from OpenSSL. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { SHA256_LEN = 32 };

void sha256(const void *data, size_t len, uint8_t digest[SHA256_LEN]);
/* Unpredictable bytes; aborts when the system has none. */
void random_bytes(void *p, size_t len);
