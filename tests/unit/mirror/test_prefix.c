/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crc32c.h"
#include "base/mem.h"
#include "mirror/prefix.h"
#include "mirror/seed.h"
#include "test_mirror.h"
#include "wire/batch_impl.h"

static struct arena arena;
static struct record_reader *rr;
static struct prefix prefix;

static void setup(void)
{
	arena_init(&arena, 0);
	rr = record_reader_create(&RECORD_LIMITS_DEFAULT);
	prefix_init(&prefix, 100);
}

static void teardown(void)
{
	prefix_fini(&prefix);
	record_reader_destroy(rr);
	arena_fini(&arena);
}

/* A batch from `base` on with a record for each letter. */
static struct batch_header batch(int64_t base, const char *values, int16_t attributes)
{
	struct batch_record records[64];
	struct batch_draft draft = { .records = records, .timestamp = 1000, .attributes = attributes,
				     .stamp = { -1, -1, -1 } };
	struct batch_header h;
	struct reader r;
	struct bytes b;

	for (; values[draft.n] != '\0'; draft.n++)
		records[draft.n] = (struct batch_record){ { (const uint8_t *)"key", 3 },
							  { (const uint8_t *)values + draft.n, 1 } };
	b = batch_build(&draft, &arena);
	r = (struct reader){ .p = b.data, .end = b.data + b.len };
	ck_assert(batch_next(&r, &h) == BATCH_OK);
	h.base_offset = base;
	return h;
}

static enum prefix_result local(int64_t base, const char *values, int16_t attributes)
{
	struct batch_header h = batch(base, values, attributes);

	return prefix_local(&prefix, rr, &h, (attributes & BATCH_CONTROL) != 0);
}

static enum prefix_result source(int64_t base, const char *values, bool hole)
{
	struct batch_header h = batch(base, values, 0);

	return prefix_source(&prefix, rr, &h, hole);
}

START_TEST(other_boundaries_are_no_difference)
{
	ck_assert(local(98, "abcdef", 0) == PREFIX_ON && local(104, "g", 0) == PREFIX_ON);
	ck_assert_int_eq(prefix.upto, 105);
	ck_assert(source(99, "Xc", false) == PREFIX_ON);   /* what lies below the range is not compared */
	ck_assert(source(101, "def", false) == PREFIX_ON && source(104, "ghi", false) == PREFIX_ON);
}
END_TEST

START_TEST(a_record_that_differs_is_found)
{
	ck_assert(local(100, "abcdef", 0) == PREFIX_ON);
	ck_assert(source(100, "ab", false) == PREFIX_ON);
	ck_assert(source(102, "cXef", false) == PREFIX_DIFFERS && prefix.differs_at == 103);
}
END_TEST

START_TEST(what_compaction_took_on_either_side_is_forgiven)
{
	ck_assert(local(100, "ab", 0) == PREFIX_ON && local(105, "fg", 0) == PREFIX_ON);
	ck_assert(source(101, "bcdef", false) == PREFIX_ON);
	ck_assert(source(110, "z", false) == PREFIX_ON);   /* behind what is known */
}
END_TEST

START_TEST(a_fill_and_a_record_differ)
{
	ck_assert(local(100, "a", 0) == PREFIX_ON);
	ck_assert(local(101, "m", BATCH_CONTROL) == PREFIX_ON && local(102, "c", 0) == PREFIX_ON);
	ck_assert(source(100, "a", false) == PREFIX_ON && source(101, "m", true) == PREFIX_ON);
	ck_assert(source(102, "c", true) == PREFIX_DIFFERS && prefix.differs_at == 102);
	prefix_fini(&prefix);
	prefix_init(&prefix, 100);
	ck_assert(local(100, "m", BATCH_CONTROL) == PREFIX_ON);
	ck_assert(source(100, "m", false) == PREFIX_DIFFERS && prefix.differs_at == 100);
}
END_TEST

/* What was written before the log was adopted. */
START_TEST(an_aborted_transaction_of_an_adopted_log_is_a_hole)
{
	struct batch_header aborted = batch(101, "xy", BATCH_TRANSACTIONAL);

	ck_assert(local(100, "a", 0) == PREFIX_ON && prefix_local(&prefix, rr, &aborted, true) == PREFIX_ON);
	ck_assert(source(100, "a", false) == PREFIX_ON && source(101, "mm", true) == PREFIX_ON);
	prefix_fini(&prefix);
	prefix_init(&prefix, 100);
	ck_assert(local(100, "a", 0) == PREFIX_ON && prefix_local(&prefix, rr, &aborted, true) == PREFIX_ON);
	ck_assert(source(100, "axy", false) == PREFIX_DIFFERS && prefix.differs_at == 101);
}
END_TEST

START_TEST(so_much_is_held_at_a_time)
{
	char many[61] = { 0 };
	int64_t at = 100;

	memset(many, 'x', 60);
	while (local(at, many, 0) == PREFIX_ON)
		at += 60;
	ck_assert_int_eq(prefix.upto, 100 + PREFIX_RECORDS_MAX);
	ck_assert(source(prefix.upto - 1, "xY", false) == PREFIX_ON);
	ck_assert(source(prefix.upto - 1, "Yx", false) == PREFIX_DIFFERS);
}
END_TEST

START_TEST(a_batch_that_cannot_be_read_is_told)
{
	struct batch_header h = batch(100, "abc", 0);

	h.crc ^= 1;
	ck_assert(prefix_local(&prefix, rr, &h, false) == PREFIX_BROKEN);
	ck_assert(prefix_source(&prefix, rr, &h, false) == PREFIX_BROKEN);
}
END_TEST

static enum prefix_result tombstones(int64_t base, int32_t n)
{
	struct buf_pool *pool = buf_pool_create(1 << 20);
	struct buf *buf = seed_batch(pool, n, SEED_TOMBSTONES);
	struct reader r = { .p = buf->data, .end = buf->data + buf->len };
	enum prefix_result result;
	struct batch_header h;

	ck_assert(batch_next(&r, &h) == BATCH_OK);
	h.base_offset = base;
	result = prefix_local(&prefix, rr, &h, false);
	buf_unref(buf);
	buf_pool_destroy(pool);
	return result;
}

START_TEST(tombstones_may_stand_where_the_source_has_no_record_and_nowhere_else)
{
	ck_assert(local(100, "a", 0) == PREFIX_ON);
	ck_assert(tombstones(101, 20000) == PREFIX_ON && tombstones(20101, 20000) == PREFIX_ON);
	ck_assert(local(40101, "zy", 0) == PREFIX_ON);
	ck_assert_int_eq(prefix.upto, 40103);
	ck_assert(source(100, "a", false) == PREFIX_ON);
	ck_assert(source(150, "mmm", true) == PREFIX_ON);   /* a control batch, or an aborted one */
	ck_assert(source(40101, "z", false) == PREFIX_ON);
	ck_assert(source(40102, "m", true) == PREFIX_DIFFERS && prefix.differs_at == 40102);
}
END_TEST

START_TEST(a_record_where_the_mirror_has_a_tombstone_differs)
{
	ck_assert(tombstones(100, 20000) == PREFIX_ON && local(20100, "z", 0) == PREFIX_ON);
	ck_assert(source(150, "mmm", true) == PREFIX_ON);
	ck_assert(source(160, "a", false) == PREFIX_DIFFERS && prefix.differs_at == 160);
}
END_TEST

/* A source that is itself a mirror has tombstones for records. */
START_TEST(a_copied_tombstone_is_a_record_like_others)
{
	struct buf_pool *pool = buf_pool_create(1 << 20);
	struct buf *buf = seed_batch(pool, 5, SEED_TOMBSTONES);
	struct reader r = { .p = buf->data, .end = buf->data + buf->len };
	struct batch_header h;

	ck_assert(batch_next(&r, &h) == BATCH_OK);
	h.base_offset = 103;
	ck_assert(tombstones(100, 20) == PREFIX_ON);
	ck_assert(prefix_source(&prefix, rr, &h, false) == PREFIX_ON);
	ck_assert(source(108, "a", false) == PREFIX_DIFFERS && prefix.differs_at == 108);
	buf_unref(buf);
	buf_pool_destroy(pool);
}
END_TEST

START_TEST(so_many_tombstones_are_read_at_a_time)
{
	int64_t at = 100;

	while (tombstones(at, 20000) == PREFIX_ON)
		at += 20000;
	ck_assert_int_eq(prefix.upto, 100 + PREFIX_READ_MAX);
}
END_TEST

TCase *prefix_tests(void)
{
	TCase *tc = tcase_create("prefix");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, other_boundaries_are_no_difference);
	tcase_add_test(tc, a_record_that_differs_is_found);
	tcase_add_test(tc, what_compaction_took_on_either_side_is_forgiven);
	tcase_add_test(tc, a_fill_and_a_record_differ);
	tcase_add_test(tc, tombstones_may_stand_where_the_source_has_no_record_and_nowhere_else);
	tcase_add_test(tc, a_record_where_the_mirror_has_a_tombstone_differs);
	tcase_add_test(tc, a_copied_tombstone_is_a_record_like_others);
	tcase_add_test(tc, so_many_tombstones_are_read_at_a_time);
	tcase_add_test(tc, an_aborted_transaction_of_an_adopted_log_is_a_hole);
	tcase_add_test(tc, so_much_is_held_at_a_time);
	tcase_add_test(tc, a_batch_that_cannot_be_read_is_told);
	return tc;
}
