/* SPDX-License-Identifier: Apache-2.0 */
#include "test_wire.h"

#include "base/crc32c.h"
#include "base/mem.h"

START_TEST(crc_has_the_known_check_value)
{
	static const uint8_t zeros[32];

	ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283);
	ck_assert_uint_eq(crc32c(0, zeros, 32), 0x8a9136aa);
	ck_assert_uint_eq(~crc32c_raw_portable(0xffffffff, "123456789", 9), 0xe3069283);
}
END_TEST

START_TEST(crc_is_the_same_in_pieces_and_by_every_way)
{
	enum { LEN = 5000 };
	static uint8_t data[LEN];
	uint64_t seed = 1;

	for (int i = 0; i < LEN; i++)
		data[i] = (uint8_t)rnd(&seed);
	for (int round = 0; round < 400; round++) {
		size_t from = rnd_below(&seed, 64), len = rnd_below(&seed, LEN - 64), cut = rnd_below(&seed, (uint32_t)len + 1);
		uint32_t whole = crc32c(0, data + from, len);

		ck_assert_uint_eq(whole, ~crc32c_raw_portable(0xffffffff, data + from, len));
		ck_assert_uint_eq(whole, crc32c(crc32c(0, data + from, cut), data + from + cut, len - cut));
		ck_assert_uint_eq(whole, crc32c_shift(crc32c(0, data + from, cut), len - cut) ^
					 crc32c(0, data + from + cut, len - cut));
	}
}
END_TEST

/* One step of the register over a zero byte, and 2^k steps by squaring the 32 x 32 bit matrix: slow, and independent
 * of the product tables. */
static uint32_t apply(const uint32_t m[32], uint32_t v)
{
	uint32_t r = 0;

	for (int i = 0; i < 32; i++)
		if (v >> i & 1)
			r ^= m[i];
	return r;
}

static uint32_t naive_shift(uint32_t reg, uint64_t len)
{
	uint32_t m[32], square[32];

	for (int i = 0; i < 32; i++) {
		static const uint8_t zero;

		m[i] = crc32c_raw_portable(1u << i, &zero, 1);
	}
	for (; len > 0; len >>= 1) {
		if (len & 1)
			reg = apply(m, reg);
		for (int i = 0; i < 32; i++)
			square[i] = apply(m, m[i]);
		memcpy(m, square, sizeof(m));
	}
	return reg;
}

START_TEST(shift_equals_the_naive_one_from_nothing_to_many_gigabytes)
{
	static const uint64_t lens[] = { 0, 1, 2, 7, 8, 255, 256, 257, 65535, 65536, 65537, 16777215, 16777216,
		(1u << 28) - 1, 1u << 28, (1u << 29) - 1, 1u << 29, (1u << 29) + 1, 1u << 30, INT32_MAX - 1, INT32_MAX,
		1u << 31, UINT32_MAX, (uint64_t)UINT32_MAX + 1, (uint64_t)5 << 30, (uint64_t)1 << 40,
		(uint64_t)1 << 60, UINT64_MAX };
	uint64_t seed = 2;

	for (size_t i = 0; i < ARRAY_LEN(lens) + 200; i++) {
		uint32_t reg = (uint32_t)rnd(&seed);
		uint64_t len = i < ARRAY_LEN(lens) ? lens[i] : rnd(&seed) >> rnd_below(&seed, 64);
		uint32_t naive = naive_shift(reg, len);

		ck_assert_uint_eq(crc32c_shift(reg, len), naive);
		ck_assert_uint_eq(crc32c_shift_portable(reg, len), naive);
	}
}
END_TEST

START_TEST(shift_equals_reading_zeros)
{
	enum { LEN = 1 << 20 };
	uint8_t *zeros = xcalloc(LEN, 1);

	for (size_t len = 0; len <= LEN; len = len * 3 + 1)
		ck_assert_uint_eq(crc32c_shift(0xdeadbeef, len), crc32c_raw(0xdeadbeef, zeros, len));
	xfree(zeros);
}
END_TEST

TCase *crc_tests(void)
{
	TCase *tc = tcase_create("crc32c");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, crc_has_the_known_check_value);
	tcase_add_test(tc, crc_is_the_same_in_pieces_and_by_every_way);
	tcase_add_test(tc, shift_equals_the_naive_one_from_nothing_to_many_gigabytes);
	tcase_add_test(tc, shift_equals_reading_zeros);
	return tc;
}
