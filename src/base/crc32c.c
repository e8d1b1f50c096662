/* SPDX-License-Identifier: Apache-2.0 */
/* Polynomials are reflected as everywhere in CRC-32C: bit 31 is the coefficient of 1, bit 0 that of x^31.
 *
 * Shifting by n bytes is a product with x^(8n). Four tables of 256 hold x^(8 b 256^k) for every byte b of n at place
 * k, so a shift is one product for each byte of n that is not zero. With PCLMULQDQ a product is one multiplication and
 * one CRC32 instruction as the reduction; together they give a * b * x^33, so that table is kept times x^-33. */
#include "base/crc32c.h"

#include <stdbool.h>
#include <string.h>

#ifdef HAVE_ISAL
#include <isa-l/crc.h>
#endif
#ifdef __x86_64__
#include <immintrin.h>
#endif

#define POLY 0x82f63b78u
#define ONE 0x80000000u   /* the polynomial 1 */

/* x^ORDER = 1: x + 1 divides the polynomial, so the order is not 2^32 - 1. A table of x^(2^k) has 31 entries before it
 * repeats, and exponents may be reduced by ORDER. */
#define ORDER 0x7fffffffu

enum { SLICES = 8, PLACES = 4, SHORT = 256 };

static struct {
	uint32_t crc[SLICES][256];
	uint32_t power[PLACES][256];          /* x^(8 b 256^k) */
	uint32_t power_clmul[PLACES][256];    /* the same times x^-33 */
	bool sse42, clmul;
} t;

static uint32_t times(uint32_t a, uint32_t b)
{
	uint32_t p = 0;

	for (uint32_t m = ONE; m != 0; m >>= 1) {
		if (a & m)
			p ^= b;
		b = (b >> 1) ^ (b & 1 ? POLY : 0);
	}
	return p;
}

/* x^n */
static uint32_t power(uint32_t n)
{
	uint32_t p = ONE, square = ONE >> 1;

	for (; n > 0; n >>= 1) {
		if (n & 1)
			p = times(p, square);
		square = times(square, square);
	}
	return p;
}

static void fill_powers(uint32_t table[PLACES][256], uint32_t first)
{
	uint32_t step = power(8);

	for (int k = 0; k < PLACES; k++) {
		table[k][0] = first;
		for (int b = 1; b < 256; b++)
			table[k][b] = times(table[k][b - 1], step);
		for (int i = 0; i < 8; i++)
			step = times(step, step);
	}
}

/* Before main, so before any thread. */
__attribute__((constructor)) static void fill_tables(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = (c >> 1) ^ (c & 1 ? POLY : 0);
		t.crc[0][i] = c;
	}
	for (int s = 1; s < SLICES; s++)
		for (int i = 0; i < 256; i++)
			t.crc[s][i] = (t.crc[s - 1][i] >> 8) ^ t.crc[0][t.crc[s - 1][i] & 0xff];
	fill_powers(t.power, ONE);
	fill_powers(t.power_clmul, power(ORDER - 33));
#ifdef __x86_64__
	__builtin_cpu_init();
	t.sse42 = __builtin_cpu_supports("sse4.2");
	t.clmul = t.sse42 && __builtin_cpu_supports("pclmul");
#endif
}

uint32_t crc32c_raw_portable(uint32_t reg, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (; len >= 8; len -= 8, p += 8) {
		uint32_t a = reg ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);

		reg = t.crc[7][a & 0xff] ^ t.crc[6][a >> 8 & 0xff] ^ t.crc[5][a >> 16 & 0xff] ^ t.crc[4][a >> 24] ^
		      t.crc[3][p[4]] ^ t.crc[2][p[5]] ^ t.crc[1][p[6]] ^ t.crc[0][p[7]];
	}
	for (; len > 0; len--, p++)
		reg = (reg >> 8) ^ t.crc[0][(reg ^ *p) & 0xff];
	return reg;
}

/* An exponent of 4 bytes or less; the order makes larger ones small. */
static uint32_t fold_len(uint64_t len)
{
	return len > UINT32_MAX ? (uint32_t)(len % ORDER) : (uint32_t)len;
}

uint32_t crc32c_shift_portable(uint32_t reg, uint64_t len)
{
	uint32_t n = fold_len(len);

	for (int k = 0; n != 0; k++, n >>= 8)
		if ((n & 0xff) != 0)
			reg = times(reg, t.power[k][n & 0xff]);
	return reg;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t raw_sse42(uint32_t reg, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t r = reg, v;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&v, p, sizeof(v));
		r = _mm_crc32_u64(r, v);
	}
	reg = (uint32_t)r;
	for (; len > 0; len--, p++)
		reg = _mm_crc32_u8(reg, *p);
	return reg;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t times_clmul(uint32_t a, uint32_t b)
{
	__m128i p = _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)a), _mm_cvtsi32_si128((int)b), 0);

	return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(p));
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t shift_clmul(uint32_t reg, uint64_t len)
{
	uint32_t n = fold_len(len);

	for (int k = 0; n != 0; k++, n >>= 8)
		if ((n & 0xff) != 0)
			reg = times_clmul(reg, t.power_clmul[k][n & 0xff]);
	return reg;
}
#endif

uint32_t crc32c_raw(uint32_t reg, const void *data, size_t len)
{
#ifdef __x86_64__
	/* A header is 40 bytes: not worth ISA-L's call. */
	if (t.sse42 && len < SHORT)
		return raw_sse42(reg, data, len);
#endif
#ifdef HAVE_ISAL
	while (len > 1 << 30) {
		reg = crc32_iscsi((unsigned char *)(uintptr_t)data, 1 << 30, reg);
		data = (const uint8_t *)data + (1 << 30);
		len -= 1 << 30;
	}
	return crc32_iscsi((unsigned char *)(uintptr_t)data, (int)len, reg);
#elif defined(__x86_64__)
	if (t.sse42)
		return raw_sse42(reg, data, len);
#endif
#ifndef HAVE_ISAL
	return crc32c_raw_portable(reg, data, len);
#endif
}

uint32_t crc32c_shift(uint32_t reg, uint64_t len)
{
#ifdef __x86_64__
	if (t.clmul)
		return shift_clmul(reg, len);
#endif
	return crc32c_shift_portable(reg, len);
}
