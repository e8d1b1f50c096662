/* SPDX-License-Identifier: Apache-2.0 */
/* Big-endian numbers at places of a batch. */
#pragma once

#include <stdint.h>

static inline uint64_t get_be(const uint8_t *p, int n)
{
	uint64_t v = 0;

	for (int i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static inline void put_be(uint8_t *p, int n, uint64_t v)
{
	for (int i = n - 1; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

#define get_i16(p) ((int16_t)get_be((p), 2))
#define get_i32(p) ((int32_t)get_be((p), 4))
#define get_i64(p) ((int64_t)get_be((p), 8))
