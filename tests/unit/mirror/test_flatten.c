/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crc32c.h"
#include "base/mem.h"
#include "mirror/flatten.h"
#include "test_mirror.h"

#include <string.h>

static struct arena arena;
static struct flatten flatten;

enum { PLAIN = 0, TXN = BATCH_TRANSACTIONAL, CONTROL = BATCH_TRANSACTIONAL | BATCH_CONTROL };
enum { ABORT = 0, COMMIT = 1, UNKNOWN = 9 };

static void setup(void)
{
	arena_init(&arena, 0);
}

static void teardown(void)
{
	flatten_fini(&flatten);
	arena_fini(&arena);
}

static void aborted(const struct aborted_transaction *list, int32_t n)
{
	flatten_init(&flatten, list, n);
}

static struct batch_header parse(struct bytes bytes, int64_t base)
{
	struct reader r = { .p = bytes.data, .end = bytes.data + bytes.len };
	struct batch_header b;

	ck_assert_int_eq(batch_next(&r, &b), BATCH_OK);
	b.base_offset = base;
	return b;
}

/* n records of a producer, or a control record of a type. */
static struct batch_header batch(int64_t base, int64_t producer, int16_t attributes, int n)
{
	static struct batch_record records[8];
	struct batch_draft draft = {
		.records = records, .n = n, .attributes = attributes, .stamp = { .producer_id = producer },
	};

	for (int i = 0; i < n; i++)
		records[i] = (struct batch_record){ { (const uint8_t *)"k", 1 }, { (const uint8_t *)"v", 1 } };
	return parse(batch_build(&draft, &arena), base);
}

static struct batch_header marker(int64_t base, int64_t producer, uint8_t type)
{
	const uint8_t key[4] = { 0, 0, 0, type }, value[6] = { 0 };
	struct batch_record record = { { key, 4 }, { value, 6 } };
	struct batch_draft draft = {
		.records = &record, .n = 1, .attributes = CONTROL, .stamp = { .producer_id = producer },
	};

	return parse(batch_build(&draft, &arena), base);
}

static enum flatten_kind kind(struct batch_header b)
{
	return flatten_batch(&flatten, &b);
}

START_TEST(without_aborted_transactions_only_markers_are_holes)
{
	aborted(NULL, 0);
	ck_assert_int_eq(kind(batch(0, -1, PLAIN, 3)), FLATTEN_RECORDS);
	ck_assert_int_eq(kind(batch(3, 7, TXN, 3)), FLATTEN_RECORDS);
	ck_assert_int_eq(kind(marker(6, 7, COMMIT)), FLATTEN_HOLE);
	ck_assert_int_eq(kind(marker(7, 7, UNKNOWN)), FLATTEN_HOLE);
	ck_assert_int_eq(kind(marker(8, 7, ABORT)), FLATTEN_HOLE);
}
END_TEST

START_TEST(interleaved_producers)
{
	const struct aborted_transaction list[] = { { 8, 20 }, { 7, 2 }, { 8, 90 }, { 9, 1000 } };

	aborted(list, 4);
	ck_assert_int_eq(kind(batch(0, 7, TXN, 2)), FLATTEN_RECORDS);  /* of an earlier one that was committed */
	ck_assert_int_eq(kind(batch(2, 7, TXN, 2)), FLATTEN_HOLE);
	ck_assert_int_eq(kind(batch(4, 8, TXN, 2)), FLATTEN_RECORDS);
	ck_assert_int_eq(kind(batch(6, 7, PLAIN, 2)), FLATTEN_RECORDS);  /* not in the transaction */
	ck_assert_int_eq(kind(marker(8, 8, COMMIT)), FLATTEN_HOLE);
	ck_assert_int_eq(kind(batch(9, -1, PLAIN, 1)), FLATTEN_RECORDS);
	ck_assert_int_eq(kind(marker(10, 7, ABORT)), FLATTEN_HOLE);
	ck_assert_int_eq(kind(batch(11, 7, TXN, 1)), FLATTEN_RECORDS);
	ck_assert_int_eq(kind(batch(20, 8, TXN, 1)), FLATTEN_HOLE);
	ck_assert_int_eq(kind(marker(21, 7, COMMIT)), FLATTEN_HOLE);
	ck_assert_int_eq(kind(batch(22, 8, TXN, 1)), FLATTEN_HOLE);
	ck_assert_int_eq(kind(marker(23, 8, ABORT)), FLATTEN_HOLE);
	ck_assert_int_eq(kind(batch(24, 8, TXN, 1)), FLATTEN_RECORDS);
	ck_assert_int_eq(kind(marker(25, 8, COMMIT)), FLATTEN_HOLE);
	ck_assert_int_eq(kind(batch(90, 8, TXN, 1)), FLATTEN_HOLE);
	ck_assert_int_eq(kind(batch(91, 9, TXN, 1)), FLATTEN_RECORDS);  /* its aborted one lies beyond the answer */
}
END_TEST

START_TEST(a_transaction_that_began_before_the_answer)
{
	const struct aborted_transaction list[] = { { 7, 2 } };

	aborted(list, 1);
	ck_assert_int_eq(kind(batch(50, 7, TXN, 2)), FLATTEN_HOLE);
	ck_assert_int_eq(kind(marker(52, 7, ABORT)), FLATTEN_HOLE);
	ck_assert_int_eq(kind(batch(53, 7, TXN, 2)), FLATTEN_RECORDS);
}
END_TEST

START_TEST(an_emptied_batch_is_a_hole_when_its_crc_holds)
{
	struct batch_header b = batch(5, 7, PLAIN, 2);
	uint8_t *data = arena_alloc(&arena, BATCH_HEADER_LEN);
	struct reader r = { .p = data, .end = data + BATCH_HEADER_LEN };
	uint32_t crc;

	aborted(NULL, 0);
	memcpy(data, b.data, BATCH_HEADER_LEN);
	data[11] = BATCH_HEADER_LEN - 12;
	memset(data + 57, 0, 4);
	crc = crc32c(0, data + 21, BATCH_HEADER_LEN - 21);
	for (int i = 0; i < 4; i++)
		data[17 + i] = (uint8_t)(crc >> (24 - 8 * i));
	ck_assert_int_eq(batch_next(&r, &b), BATCH_OK);
	ck_assert_int_eq(b.count, 0);
	ck_assert_int_eq(kind(b), FLATTEN_HOLE);
	data[26] ^= 1;  /* the last delta: how long the hole is */
	r.p = data;
	ck_assert_int_eq(batch_next(&r, &b), BATCH_OK);
	ck_assert_int_eq(kind(b), FLATTEN_CORRUPT);
}
END_TEST

TCase *flatten_tests(void)
{
	TCase *tc = tcase_create("flatten");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, without_aborted_transactions_only_markers_are_holes);
	tcase_add_test(tc, interleaved_producers);
	tcase_add_test(tc, a_transaction_that_began_before_the_answer);
	tcase_add_test(tc, an_emptied_batch_is_a_hole_when_its_crc_holds);
	return tc;
}
