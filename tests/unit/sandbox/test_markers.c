/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include "wire/msg/describe_producers.h"
#include "wire/msg/fetch.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/write_txn_markers.h"

static struct box box;

static void setup(void)
{
	box_open(&box, 0);
}

static void teardown(void)
{
	box_close(&box);
}

struct entry {
	int64_t id;
	int16_t epoch;
	int32_t coordinator_epoch, partition;
};

static const struct write_txn_markers_response *write_markers(const struct entry *entries, int n)
{
	struct write_txn_markers_request *req = box_request(&box, write_txn_markers);

	box_items(&box, &req->markers, writable_txn_marker, n);
	for (int i = 0; i < n; i++) {
		struct writable_txn_marker *m = &req->markers.items[i];

		m->producer_id = entries[i].id;
		m->producer_epoch = entries[i].epoch;
		m->coordinator_epoch = entries[i].coordinator_epoch;
		m->transaction_result = true;
		box_items(&box, &m->topics, writable_txn_marker_topic, 1);
		m->topics.items[0].name = str_of("t");
		box_one(&box, &m->topics.items[0].partition_indexes, entries[i].partition);
	}
	return box_call(&box, write_txn_markers, 1, req);
}

static int16_t write_one(int64_t id, int16_t epoch, int32_t coordinator_epoch)
{
	struct entry e = { id, epoch, coordinator_epoch, 0 };

	return write_markers(&e, 1)->markers.items[0].topics.items[0].partitions.items[0].error_code;
}

START_TEST(each_marker_is_one_offset)
{
	ck_assert_int_eq(write_one(8, 0, 0), KERR_NONE);
	ck_assert_int_eq(write_one(8, 0, 0), KERR_NONE);
	ck_assert_int_eq(box_end(&box, 0), 2);
	ck_assert_int_eq(box_produce_as(&box, 9, 0, 0, 1).base_offset, 2);
	ck_assert_int_eq(write_one(8, 0, 0), KERR_NONE);
	ck_assert_int_eq(box_produce_as(&box, 9, 0, 1, 1).base_offset, 4);
}
END_TEST

START_TEST(lower_epochs_are_refused_equal_ones_taken)
{
	ck_assert_int_eq(write_one(8, 3, 64), KERR_NONE);
	ck_assert_int_eq(write_one(8, 2, 100), KERR_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(write_one(8, 3, 63), KERR_TRANSACTION_COORDINATOR_FENCED);
	ck_assert_int_eq(write_one(8, 2, 63), KERR_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(write_one(8, 4, 63), KERR_TRANSACTION_COORDINATOR_FENCED);
	ck_assert_int_eq(write_one(8, 3, 64), KERR_NONE);
	ck_assert_int_eq(write_one(8, 32767, INT32_MAX), KERR_NONE);
	ck_assert_int_eq(write_one(8, 32766, INT32_MAX), KERR_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(box_end(&box, 0), 3);
}
END_TEST

START_TEST(a_marker_fences_its_data_producer)
{
	ck_assert_int_eq(box_produce_as(&box, 8, 0, 40, 2).base_offset, 0);
	ck_assert_int_eq(write_one(8, 0, 0), KERR_NONE);
	/* Same epoch: the sequence goes on. */
	ck_assert_int_eq(box_produce_as(&box, 8, 0, 42, 1).base_offset, 3);
	ck_assert_int_eq(write_one(8, 1, 0), KERR_NONE);
	ck_assert_int_eq(box_produce_as(&box, 8, 0, 43, 1).code, KERR_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(box_produce_as(&box, 8, 1, 43, 1).code, KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(box_produce_as(&box, 8, 1, 0, 1).base_offset, 5);
}
END_TEST

START_TEST(a_producer_known_by_a_marker_begins_at_zero)
{
	ck_assert_int_eq(write_one(8, 0, 0), KERR_NONE);
	ck_assert_int_eq(box_produce_as(&box, 8, 0, 1, 1).code, KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(box_produce_as(&box, 8, 0, 0, 1).base_offset, 1);
}
END_TEST

START_TEST(answers_of_one_id_are_merged_and_the_last_stands)
{
	const struct entry entries[] = {
		{ 8, 1, 5, 0 }, { 8, 0, 5, 0 }, { 8, 1, 5, 0 }, { 9, 0, 0, 1 }, { 8, 1, 5, 7 },
	};
	const struct write_txn_markers_response *res = write_markers(entries, 5);

	ck_assert_int_eq(res->markers.n, 2);
	ck_assert_int_eq(res->markers.items[0].producer_id, 8);
	ck_assert_int_eq(res->markers.items[0].topics.n, 1);
	ck_assert_int_eq(res->markers.items[0].topics.items[0].partitions.n, 2);
	/* The refused one in the middle is not seen. */
	ck_assert_int_eq(res->markers.items[0].topics.items[0].partitions.items[0].error_code, KERR_NONE);
	ck_assert_int_eq(res->markers.items[0].topics.items[0].partitions.items[1].error_code,
			 KERR_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(box_end(&box, 0), 2);
	ck_assert_int_eq(box_end(&box, 1), 1);
}
END_TEST

START_TEST(many_entries_are_written_in_order)
{
	static struct entry entries[2000];

	for (int i = 0; i < 2000; i++)
		entries[i] = (struct entry){ 8, 0, i, 0 };
	write_markers(entries, 2000);
	ck_assert_int_eq(box_end(&box, 0), 2000);
	ck_assert_int_eq(write_one(8, 0, 1998), KERR_TRANSACTION_COORDINATOR_FENCED);
}
END_TEST

START_TEST(min_insync_replicas_refuses_markers)
{
	ck_assert_int_eq(box_set(&box, "min.insync.replicas", "2"), 0);
	ck_assert_int_eq(write_one(8, 0, 0), KERR_NOT_ENOUGH_REPLICAS);
	ck_assert_int_eq(box_end(&box, 0), 0);
}
END_TEST

START_TEST(a_marker_is_a_control_batch_of_78_bytes)
{
	struct fetch_request *req = box_request(&box, fetch);
	const struct fetched_partition *p;
	struct batch_header b;
	struct record rec;
	struct reader r;

	write_one(INT64_C(3) << 61, 7, 96);
	box_items(&box, &req->topics, fetch_topic, 1);
	req->topics.items[0].topic = str_of("t");
	box_items(&box, &req->topics.items[0].partitions, fetch_partition, 1);
	req->topics.items[0].partitions.items[0].partition_max_bytes = 1 << 20;
	p = &box_call(&box, fetch, 4, req)->responses.items[0].partitions.items[0];
	ck_assert_int_eq(p->records.len, 78);
	r = (struct reader){ .p = p->records.data, .end = p->records.data + p->records.len };
	ck_assert_int_eq(batch_next(&r, &b), BATCH_OK);
	ck_assert(batch_crc_ok(&b));
	ck_assert_int_eq(b.attributes, BATCH_CONTROL | BATCH_TRANSACTIONAL);
	ck_assert_int_eq(b.producer_id, INT64_C(3) << 61);
	ck_assert_int_eq(b.producer_epoch, 7);
	ck_assert_int_eq(b.base_sequence, -1);
	ck_assert_int_eq(b.max_timestamp, box.wall_ms);
	ck_assert_int_eq(b.count, 1);
	batch_records(&b, &r);
	ck_assert_int_eq(record_next(&r, &rec), BATCH_OK);
	ck_assert_int_eq(rec.key.len, 4);
	ck_assert_mem_eq(rec.key.data, "\0\0\0\1", 4);
	ck_assert_int_eq(rec.value.len, 6);
	ck_assert_mem_eq(rec.value.data, "\0\0\0\0\0\x60", 6);
	ck_assert_int_eq(record_next(&r, &rec), BATCH_END);
}
END_TEST

START_TEST(describe_producers_tells_what_is_known)
{
	struct describe_producers_request *req = box_request(&box, describe_producers);
	const struct producers_partition *p;

	box_produce_as(&box, 5, 3, 10, 4);
	write_one(8, 2, 33);
	box_items(&box, &req->topics, describe_producers_topic, 1);
	req->topics.items[0].name = str_of("t");
	box_one(&box, &req->topics.items[0].partition_indexes, 0);
	p = &box_call(&box, describe_producers, 0, req)->topics.items[0].partitions.items[0];
	ck_assert_int_eq(p->error_code, 0);
	ck_assert_int_eq(p->active_producers.n, 2);
	ck_assert_int_eq(p->active_producers.items[0].producer_id, 5);
	ck_assert_int_eq(p->active_producers.items[0].producer_epoch, 3);
	ck_assert_int_eq(p->active_producers.items[0].last_sequence, 13);
	ck_assert_int_eq(p->active_producers.items[0].coordinator_epoch, -1);
	ck_assert_int_eq(p->active_producers.items[0].last_timestamp, box.wall_ms);
	ck_assert_int_eq(p->active_producers.items[0].current_txn_start_offset, -1);
	ck_assert_int_eq(p->active_producers.items[1].last_sequence, -1);
	ck_assert_int_eq(p->active_producers.items[1].producer_epoch, 2);
	ck_assert_int_eq(p->active_producers.items[1].coordinator_epoch, 33);
	req->topics.items[0].partition_indexes.items[0] = 9;
	p = &box_call(&box, describe_producers, 0, req)->topics.items[0].partitions.items[0];
	ck_assert_int_eq(p->error_code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

TCase *marker_tests(void)
{
	TCase *tc = tcase_create("markers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_marker_is_one_offset);
	tcase_add_test(tc, lower_epochs_are_refused_equal_ones_taken);
	tcase_add_test(tc, a_marker_fences_its_data_producer);
	tcase_add_test(tc, a_producer_known_by_a_marker_begins_at_zero);
	tcase_add_test(tc, answers_of_one_id_are_merged_and_the_last_stands);
	tcase_add_test(tc, many_entries_are_written_in_order);
	tcase_add_test(tc, min_insync_replicas_refuses_markers);
	tcase_add_test(tc, a_marker_is_a_control_batch_of_78_bytes);
	tcase_add_test(tc, describe_producers_tells_what_is_known);
	return tc;
}
