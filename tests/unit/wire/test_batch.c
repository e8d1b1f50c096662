/* SPDX-License-Identifier: Apache-2.0 */
#include "test_wire.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "wire/batch_impl.h"

static struct bytes blob(const char *s)
{
	return (struct bytes){ (const uint8_t *)s, s != NULL ? (int32_t)strlen(s) : -1 };
}

static struct bytes three_records(struct arena *arena, int16_t attributes)
{
	const struct batch_record recs[] = { { blob("k"), blob("v") }, { blob(NULL), blob("") }, { blob("key"), blob(NULL) } };
	const struct batch_draft draft = { .records = recs, .n = 3, .timestamp = 1700000000123, .attributes = attributes,
					   .stamp = { 77, 5, 1000 } };

	return batch_build(&draft, arena);
}

static struct batch_header one(struct bytes b)
{
	struct reader r = { .p = b.data, .end = b.data + b.len };
	struct batch_header h;

	ck_assert(batch_next(&r, &h) == BATCH_OK);
	ck_assert(r.p == r.end);
	return h;
}

START_TEST(a_built_batch_reads_back)
{
	struct arena arena;
	struct batch_header h;
	struct record rec;
	struct reader r;

	arena_init(&arena, 0);
	h = one(three_records(&arena, 0));
	ck_assert(batch_crc_ok(&h) && batch_deltas_ok(&h));
	ck_assert(h.magic == 2 && h.base_offset == 0 && h.leader_epoch == -1 && h.count == 3 && h.last_delta == 2);
	ck_assert(h.producer_id == 77 && h.producer_epoch == 5 && h.base_sequence == 1000);
	ck_assert(h.max_timestamp == 1700000000123 && h.base_timestamp == 1700000000123);
	batch_records(&h, &r);
	ck_assert(record_next(&r, &rec) == BATCH_OK && rec.key.len == 1 && rec.value.data[0] == 'v');
	ck_assert(record_next(&r, &rec) == BATCH_OK && rec.key.len == -1 && rec.value.len == 0 && rec.offset_delta == 1);
	ck_assert(record_next(&r, &rec) == BATCH_OK && rec.key.len == 3 && rec.value.len == -1 && rec.n_headers == 0);
	ck_assert(record_next(&r, &rec) == BATCH_END);
	arena_fini(&arena);
}
END_TEST

/* A marker as a broker stores it: 78 bytes. */
START_TEST(a_marker_has_the_size_of_kafkas)
{
	static const uint8_t key[4] = { 0, 0, 0, 1 }, value[6] = { 0, 0, 0, 0, 0, 7 };
	const struct batch_record rec = { { key, 4 }, { value, 6 } };
	const struct batch_draft draft = { .records = &rec, .n = 1, .attributes = BATCH_CONTROL | BATCH_TRANSACTIONAL,
					   .stamp = { 9, 0, -1 } };
	struct arena arena;

	arena_init(&arena, 0);
	ck_assert_int_eq(batch_build(&draft, &arena).len, 78);
	arena_fini(&arena);
}
END_TEST

START_TEST(records_with_headers_are_walked)
{
	/* length 18: attributes, ts delta 3, offset delta 0, key null, value "ab", two headers a=x and bc=null */
	static const uint8_t body[] = { 32, 0, 6, 0, 1, 4, 'a', 'b', 4, 2, 'a', 2, 'x', 4, 'b', 'c', 1 };
	struct reader r = { .p = body, .end = body + sizeof(body) }, h;
	struct bytes value;
	struct record rec;
	struct str key;

	ck_assert(record_next(&r, &rec) == BATCH_OK);
	ck_assert(rec.timestamp_delta == 3 && rec.key.len == -1 && rec.value.len == 2 && rec.n_headers == 2);
	h = (struct reader){ .p = rec.headers.data, .end = rec.headers.data + rec.headers.len };
	ck_assert(record_header_next(&h, &key, &value) == BATCH_OK && str_is(key, "a") && value.len == 1);
	ck_assert(record_header_next(&h, &key, &value) == BATCH_OK && str_is(key, "bc") && value.len == -1);
	ck_assert(record_header_next(&h, &key, &value) == BATCH_END);
}
END_TEST

START_TEST(rewriting_gives_the_header_of_the_design)
{
	uint8_t old[BATCH_HEADER_LEN], out[BATCH_HEADER_LEN], expected[BATCH_HEADER_LEN];
	const struct batch_stamp stamp = { (int64_t)1 << 62 | 12345, 0, INT32_MAX };
	uint64_t seed = 3;

	for (int round = 0; round < 1000; round++) {
		uint32_t len = rnd_below(&seed, 4000);
		uint8_t *whole = xmalloc(BATCH_HEADER_LEN + len);
		struct batch_header b;

		for (uint32_t i = 0; i < BATCH_HEADER_LEN + len; i++)
			whole[i] = (uint8_t)rnd(&seed);
		b = (struct batch_header){ .size = BATCH_HEADER_LEN + len, .magic = 2, .leader_epoch = 4, .base_offset = 9,
					   .attributes = (int16_t)rnd_below(&seed, 128), .base_timestamp = 5,
					   .max_timestamp = (int64_t)rnd(&seed), .producer_id = (int64_t)rnd(&seed),
					   .producer_epoch = 3, .base_sequence = 8, .count = 5, .last_delta = 4 };
		batch_put_header(whole, &b);
		b.crc = crc32c(0, whole + BATCH_ATTRIBUTES, b.size - BATCH_ATTRIBUTES);
		batch_put_header(whole, &b);
		memcpy(old, whole, sizeof(old));
		batch_rewrite(old, len, &stamp, out);
		b.base_offset = 0;
		b.leader_epoch = -1;
		b.attributes &= 0x2f;
		b.producer_id = stamp.producer_id;
		b.producer_epoch = 0;
		b.base_sequence = INT32_MAX;
		batch_put_header(whole, &b);
		b.crc = crc32c(0, whole + BATCH_ATTRIBUTES, b.size - BATCH_ATTRIBUTES);
		batch_put_header(expected, &b);
		ck_assert_mem_eq(out, expected, BATCH_HEADER_LEN);
		xfree(whole);
	}
}
END_TEST

/* Records that are all zero: their CRC needs no memory, so every length up to 2 GiB can be checked. */
START_TEST(rewriting_holds_for_records_up_to_two_gigabytes)
{
	static const uint32_t lens[] = { 0, 1, 39, 61, 65535, 65536, 1u << 24, (1u << 29) - 1, 1u << 29, (1u << 29) + 1,
					 1u << 30, INT32_MAX - 61, INT32_MAX };
	uint8_t old[BATCH_HEADER_LEN], out[BATCH_HEADER_LEN];
	const struct batch_stamp stamp = { (int64_t)1 << 62, 1, 0 };

	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		struct batch_header b = { .size = 100, .magic = 2, .producer_id = 4, .attributes = BATCH_TRANSACTIONAL };
		uint32_t reg;

		batch_put_header(old, &b);
		reg = crc32c_raw_portable(UINT32_MAX, old + BATCH_ATTRIBUTES, 40);
		b.crc = ~crc32c_shift_portable(reg, lens[i]);
		batch_put_header(old, &b);
		batch_rewrite(old, lens[i], &stamp, out);
		reg = crc32c_raw_portable(UINT32_MAX, out + BATCH_ATTRIBUTES, 40);
		ck_assert_uint_eq(get32(out + BATCH_CRC), ~crc32c_shift_portable(reg, lens[i]));
	}
}
END_TEST

START_TEST(the_iterator_names_what_it_finds)
{
	struct arena arena;
	struct batch_header h;
	struct bytes b;
	struct reader r;
	uint8_t *p;

	arena_init(&arena, 0);
	b = three_records(&arena, 0);
	p = arena_alloc(&arena, (size_t)b.len * 2);
	memcpy(p, b.data, (size_t)b.len);
	memcpy(p + b.len, b.data, (size_t)b.len);
	for (int32_t n = 0; n < 2 * b.len; n++) {
		r = (struct reader){ .p = p, .end = p + n };
		if (n >= b.len)
			ck_assert(batch_next(&r, &h) == BATCH_OK && h.size == (uint32_t)b.len);
		ck_assert(batch_next(&r, &h) == (n % b.len == 0 ? BATCH_END : BATCH_PARTIAL));
	}
	p[16] = 3;
	r = (struct reader){ .p = p, .end = p + 2 * b.len };
	ck_assert(batch_next(&r, &h) == BATCH_BAD && h.magic == 3 && r.p == p);
	arena_fini(&arena);
}
END_TEST

START_TEST(impossible_headers_are_bad)
{
	static const struct { int at; uint8_t bytes[8]; int n; } cases[] = {
		{ 0, { 0x80 }, 1 },                                             /* base offset below 0 */
		{ 0, { 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 8 },   /* and beyond the last */
		{ 8, { 0, 0, 0, 13 }, 4 }, { 8, { 0, 0, 0, 48 }, 4 }, { 8, { 0xff, 0xff, 0xff, 0xff }, 4 },
		{ 23, { 0xff, 0xff, 0xff, 0xff }, 4 }, { 57, { 0xff, 0xff, 0xff, 0xff }, 4 }, { 57, { 0, 0, 0, 4 }, 4 },
	};
	struct arena arena;
	struct bytes b;

	arena_init(&arena, 0);
	b = three_records(&arena, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t *p = arena_alloc(&arena, (size_t)b.len);
		struct reader r = { .p = p, .end = p + b.len };
		struct batch_header h;

		memcpy(p, b.data, (size_t)b.len);
		memcpy(p + cases[i].at, cases[i].bytes, (size_t)cases[i].n);
		ck_assert_msg(batch_next(&r, &h) == BATCH_BAD, "case %zu", i);
	}
	arena_fini(&arena);
}
END_TEST

START_TEST(old_messages_are_recognised)
{
	uint8_t v1[34] = { 0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 22, 1, 2, 3, 4, 1, 2, 0, 0, 0, 0, 0, 0, 1, 0,
			   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct reader r = { .p = v1, .end = v1 + 34 };
	struct batch_header h;

	ck_assert(batch_next(&r, &h) == BATCH_OK && h.magic == 1 && h.base_offset == 42 && h.size == 34);
	ck_assert(h.max_timestamp == 256 && h.attributes == 2 && !batch_crc_ok(&h) && !batch_deltas_ok(&h));
	v1[16] = 0;
	v1[11] = 14;
	r = (struct reader){ .p = v1, .end = v1 + 26 };
	ck_assert(batch_next(&r, &h) == BATCH_OK && h.magic == 0 && h.size == 26 && r.p == r.end);
	v1[16] = 1;
	r = (struct reader){ .p = v1, .end = v1 + 26 };
	ck_assert(batch_next(&r, &h) == BATCH_BAD);
}
END_TEST

START_TEST(wrong_deltas_are_found)
{
	struct arena arena;
	struct batch_header h;
	struct bytes b;
	uint8_t *p;

	arena_init(&arena, 0);
	b = three_records(&arena, 0);
	p = (uint8_t *)(uintptr_t)b.data;
	h = one(b);
	ck_assert(batch_deltas_ok(&h));
	ck_assert(p[BATCH_HEADER_LEN + 3] == 0);
	p[BATCH_HEADER_LEN + 3] = 2;             /* the first record's delta becomes 1 */
	ck_assert(!batch_deltas_ok(&h));
	p[BATCH_HEADER_LEN + 3] = 0;
	h.count = 2;
	ck_assert(!batch_deltas_ok(&h));
	h.count = 3;
	h.last_delta = 3;
	ck_assert(!batch_deltas_ok(&h));
	h.last_delta = 2;
	h.size -= 1;
	ck_assert(!batch_deltas_ok(&h));
	arena_fini(&arena);
}
END_TEST

/* Whatever stands in the records: no walk leaves them (seen by the sanitizers), and none runs for ever. */
START_TEST(hostile_records_are_harmless)
{
	struct arena arena;
	uint64_t seed = 4;

	arena_init(&arena, 0);
	for (int round = 0; round < 20000; round++) {
		struct bytes b = three_records(&arena, 0);
		uint8_t *p = xmalloc((size_t)b.len);
		struct batch_header h;
		struct record rec;
		struct reader r;

		memcpy(p, b.data, (size_t)b.len);
		for (uint32_t n = 1 + rnd_below(&seed, 4); n > 0; n--)
			p[BATCH_HEADER_LEN + rnd_below(&seed, (uint32_t)b.len - BATCH_HEADER_LEN)] = (uint8_t)rnd(&seed);
		h = one((struct bytes){ p, b.len });
		if (batch_deltas_ok(&h))
			ck_assert_int_eq(h.count, 3);
		for (batch_records(&h, &r); record_next(&r, &rec) == BATCH_OK;)
			ck_assert(r.p <= r.end);
		xfree(p);
		arena_reset(&arena);
	}
	arena_fini(&arena);
}
END_TEST

TCase *batch_tests(void)
{
	TCase *tc = tcase_create("batch");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_built_batch_reads_back);
	tcase_add_test(tc, a_marker_has_the_size_of_kafkas);
	tcase_add_test(tc, records_with_headers_are_walked);
	tcase_add_test(tc, rewriting_gives_the_header_of_the_design);
	tcase_add_test(tc, rewriting_holds_for_records_up_to_two_gigabytes);
	tcase_add_test(tc, the_iterator_names_what_it_finds);
	tcase_add_test(tc, impossible_headers_are_bad);
	tcase_add_test(tc, old_messages_are_recognised);
	tcase_add_test(tc, wrong_deltas_are_found);
	tcase_add_test(tc, hostile_records_are_harmless);
	return tc;
}
