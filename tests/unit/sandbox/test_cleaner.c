/* SPDX-License-Identifier: Apache-2.0 */
/* What a real broker's cleaner leaves is compared in tests/scenarios; here are its rules, one by one. */
#include "box.h"

#include "wire/msg/fetch.h"
#include "wire/msg/kerr_codes.h"

static struct box box;

enum { BACKOFF_MS = 15000 };

static void setup(void)
{
	box_open(&box, 0);
	ck_assert_int_eq(box_set(&box, "cleanup.policy", "compact"), 0);
	ck_assert_int_eq(box_set(&box, "min.cleanable.dirty.ratio", "0.001"), 0);
	ck_assert_int_eq(box_set(&box, "segment.ms", "1"), 0);
}

static void teardown(void)
{
	box_close(&box);
}

/* A segment of its own. */
static int64_t write_records(int n, int64_t producer_id, int32_t sequence)
{
	static int64_t ahead;

	ahead += 10;
	return box_produce(&box, 0, box_batch_as(&box, &(struct box_batch_opts){
		.n = n, .producer_id = producer_id, .epoch = producer_id < 0 ? -1 : 0,
		.sequence = producer_id < 0 ? -1 : sequence, .timestamp = box.wall_ms + ahead, .keys = true })).base_offset;
}

/* The headers of all batches of t/0 from an offset on. */
static int batches(struct batch_header *out, int max)
{
	struct fetch_request *req = box_request(&box, fetch);
	const struct fetched_partition *p;
	struct reader r;
	int n = 0;

	box_items(&box, &req->topics, fetch_topic, 1);
	req->topics.items[0].topic = str_of("t");
	box_items(&box, &req->topics.items[0].partitions, fetch_partition, 1);
	req->topics.items[0].partitions.items[0].partition_max_bytes = 1 << 20;
	p = &box_call(&box, fetch, 4, req)->responses.items[0].partitions.items[0];
	r = (struct reader){ .p = p->records.data, .end = p->records.data + p->records.len };
	while (n < max && batch_next(&r, &out[n]) == BATCH_OK) {
		ck_assert(batch_crc_ok(&out[n]));
		n++;
	}
	return n;
}

START_TEST(older_records_of_a_key_go)
{
	struct batch_header b[8];
	size_t before;

	/* They all have one key. */
	write_records(2, -1, 0);
	write_records(3, -1, 0);
	write_records(2, -1, 0);        /* the active segment stays as it is */
	before = sandbox_memory(box.sb);
	box_wait(&box, BACKOFF_MS);
	ck_assert_int_eq(batches(b, 8), 2);
	ck_assert_int_eq(b[0].base_offset, 2);
	ck_assert_int_eq(b[0].count, 1);
	ck_assert_int_eq(b[0].last_delta, 2);
	ck_assert_int_eq(b[1].base_offset, 5);
	ck_assert_int_eq(b[1].count, 2);
	ck_assert_int_eq(box_end(&box, 0), 7);
	ck_assert_int_lt(sandbox_memory(box.sb), before);
	ck_assert_int_eq(write_records(1, -1, 0), 7);
}
END_TEST

START_TEST(the_last_batch_of_a_producer_stays_without_records)
{
	struct batch_header b[8];

	write_records(1, 77, 0);
	write_records(1, 77, 1);
	write_records(1, -1, 0);
	write_records(1, -1, 0);
	box_wait(&box, BACKOFF_MS);
	ck_assert_int_eq(batches(b, 8), 3);
	ck_assert_int_eq(b[0].base_offset, 1);
	ck_assert_int_eq(b[0].count, 0);
	ck_assert_int_eq(b[0].size, BATCH_HEADER_LEN);
	ck_assert_int_eq(b[0].producer_id, 77);
	ck_assert_int_eq(b[0].base_sequence, 1);
	/* It is what a log that is cut remembers the producer by. */
	ck_assert_int_eq(sandbox_elect(box.sb, "t", 0, 3), 0);
	ck_assert_int_eq(write_records(1, 77, 5), -1);
	ck_assert_int_eq(write_records(1, 77, 2), 3);
}
END_TEST

START_TEST(a_log_that_is_not_dirty_enough_is_left_alone)
{
	struct batch_header b[8];

	ck_assert_int_eq(box_set(&box, "min.cleanable.dirty.ratio", "1.0"), 0);
	write_records(1, -1, 0);
	write_records(1, -1, 0);
	write_records(1, -1, 0);
	box_wait(&box, BACKOFF_MS);     /* all of it is dirty */
	ck_assert_int_eq(batches(b, 8), 2);
	write_records(1, -1, 0);
	box_wait(&box, BACKOFF_MS);     /* half of it is */
	ck_assert_int_eq(batches(b, 8), 3);
}
END_TEST

START_TEST(ordinary_topics_are_not_cleaned)
{
	struct batch_header b[8];

	ck_assert_int_eq(box_set(&box, "cleanup.policy", "delete"), 0);
	for (int i = 0; i < 3; i++)
		write_records(1, -1, 0);
	box_wait(&box, BACKOFF_MS);
	ck_assert_int_eq(batches(b, 8), 3);
}
END_TEST

TCase *cleaner_tests(void)
{
	TCase *tc = tcase_create("cleaner");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, older_records_of_a_key_go);
	tcase_add_test(tc, the_last_batch_of_a_producer_stays_without_records);
	tcase_add_test(tc, a_log_that_is_not_dirty_enough_is_left_alone);
	tcase_add_test(tc, ordinary_topics_are_not_cleaned);
	return tc;
}
