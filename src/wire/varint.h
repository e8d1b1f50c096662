/* SPDX-License-Identifier: Apache-2.0 */
/* The zig-zag varints of records, for the files of this folder. A bad one leaves the reader failed and gives 0. */
#pragma once

#include "wire/codec_impl.h"

enum { VARINT_MAX = 5, VARLONG_MAX = 10 };

uint64_t varint_read_long(struct reader *r, int bytes_max);

/* Most have one to three bytes. */
static inline uint64_t varint_read(struct reader *r, int bytes_max)
{
	const uint8_t *p = r->p;

	if (r->end - p < 3)
		return varint_read_long(r, bytes_max);
	if (p[0] < 0x80) {
		r->p += 1;
		return p[0];
	}
	if (p[1] < 0x80) {
		r->p += 2;
		return (uint64_t)(p[0] & 0x7f) | (uint64_t)p[1] << 7;
	}
	if (p[2] < 0x80) {
		r->p += 3;
		return (uint64_t)(p[0] & 0x7f) | (uint64_t)(p[1] & 0x7f) << 7 | (uint64_t)p[2] << 14;
	}
	return varint_read_long(r, bytes_max);
}

static inline int64_t varint_int64(struct reader *r)
{
	uint64_t v = varint_read(r, VARLONG_MAX);

	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static inline int32_t varint_int32(struct reader *r)
{
	uint64_t v = varint_read(r, VARINT_MAX);

	if (v > UINT32_MAX)
		r->failed = true;
	return (int32_t)(uint32_t)(v >> 1) ^ -(int32_t)(v & 1);
}

/* A length of at least `least`, within what remains. */
static inline int32_t varint_length(struct reader *r, int32_t least)
{
	int32_t n = varint_int32(r);

	if (n < least || n > r->end - r->p)
		r->failed = true;
	return r->failed ? 0 : n;
}

/* Writes at p, where there is room for VARLONG_MAX bytes; the position behind it. */
static inline uint8_t *varint_put(uint8_t *p, int64_t n)
{
	uint64_t v = (uint64_t)n << 1 ^ (n < 0 ? UINT64_MAX : 0);

	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}
