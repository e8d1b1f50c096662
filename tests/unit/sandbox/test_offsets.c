/* SPDX-License-Identifier: Apache-2.0 */
/* ListOffsets, OffsetForLeaderEpoch, DeleteRecords. */
#include "box.h"

#include "wire/msg/delete_records.h"
#include "wire/msg/fetch.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/list_offsets.h"
#include "wire/msg/offset_for_leader_epoch.h"

static struct box box;

static void setup(void)
{
	box_open(&box, 0);
}

static void teardown(void)
{
	box_close(&box);
}

static const struct listed_offsets_partition *list_as(int16_t version, int64_t timestamp, int32_t leader_epoch)
{
	struct list_offsets_request *req = box_request(&box, list_offsets);

	req->replica_id = -1;
	box_items(&box, &req->topics, list_offsets_topic, 1);
	req->topics.items[0].name = str_of("t");
	box_items(&box, &req->topics.items[0].partitions, list_offsets_partition, 1);
	req->topics.items[0].partitions.items[0].timestamp = timestamp;
	req->topics.items[0].partitions.items[0].current_leader_epoch = leader_epoch;
	return &box_call(&box, list_offsets, version, req)->topics.items[0].partitions.items[0];
}

static struct box_produced produce_at(int64_t timestamp, int n)
{
	return box_produce(&box, 0, box_batch_as(&box, &(struct box_batch_opts){
		.n = n, .producer_id = -1, .epoch = -1, .sequence = -1, .timestamp = timestamp }));
}

static int16_t delete_to(int64_t offset, int64_t *low)
{
	struct delete_records_request *req = box_request(&box, delete_records);
	const struct deleted_records_partition *p;

	box_items(&box, &req->topics, delete_records_topic, 1);
	req->topics.items[0].name = str_of("t");
	box_items(&box, &req->topics.items[0].partitions, delete_records_partition, 1);
	req->topics.items[0].partitions.items[0].offset = offset;
	p = &box_call(&box, delete_records, 2, req)->topics.items[0].partitions.items[0];
	*low = p->low_watermark;
	return p->error_code;
}

static const struct epoch_end_partition *epoch_end(int32_t epoch, int32_t current)
{
	struct offset_for_leader_epoch_request *req = box_request(&box, offset_for_leader_epoch);

	box_items(&box, &req->topics, leader_epoch_topic, 1);
	req->topics.items[0].topic = str_of("t");
	box_items(&box, &req->topics.items[0].partitions, leader_epoch_partition, 1);
	req->topics.items[0].partitions.items[0].leader_epoch = epoch;
	req->topics.items[0].partitions.items[0].current_leader_epoch = current;
	return &box_call(&box, offset_for_leader_epoch, 4, req)->topics.items[0].partitions.items[0];
}

START_TEST(ends_and_starts)
{
	const struct listed_offsets_partition *p;

	produce_at(1000, 4);
	p = list_as(7, -1, -1);
	ck_assert_int_eq(p->offset, 4);
	ck_assert_int_eq(p->timestamp, -1);
	ck_assert_int_eq(p->leader_epoch, 0);
	ck_assert_int_eq(list_as(7, -2, -1)->offset, 0);
	ck_assert_int_eq(list_as(8, -4, -1)->offset, 0);
	ck_assert_int_eq(list_as(9, -5, -1)->offset, -1);
	ck_assert_int_eq(list_as(6, -3, -1)->error_code, KERR_UNSUPPORTED_VERSION);
	ck_assert_int_eq(list_as(9, -9, -1)->error_code, KERR_UNSUPPORTED_VERSION);
}
END_TEST

START_TEST(by_time)
{
	const struct listed_offsets_partition *p;

	produce_at(1000, 2);
	produce_at(3000, 2);
	produce_at(2000, 1);
	p = list_as(7, 1000, -1);
	ck_assert_int_eq(p->offset, 0);
	ck_assert_int_eq(p->timestamp, 1000);
	p = list_as(7, 1001, -1);
	ck_assert_int_eq(p->offset, 2);
	ck_assert_int_eq(p->timestamp, 3000);
	p = list_as(7, 3001, -1);
	ck_assert_int_eq(p->error_code, 0);
	ck_assert_int_eq(p->offset, -1);
	p = list_as(7, -3, -1);
	ck_assert_int_eq(p->offset, 2);
	ck_assert_int_eq(p->timestamp, 3000);
}
END_TEST

START_TEST(leader_epochs_of_list_offsets)
{
	sandbox_elect(box.sb, "t", 0, -1);
	ck_assert_int_eq(list_as(7, -1, 0)->error_code, KERR_FENCED_LEADER_EPOCH);
	ck_assert_int_eq(list_as(7, -1, 2)->error_code, KERR_UNKNOWN_LEADER_EPOCH);
	ck_assert_int_eq(list_as(7, -1, 1)->error_code, 0);
}
END_TEST

START_TEST(epochs_and_where_they_ended)
{
	const struct epoch_end_partition *p;

	produce_at(1, 3);
	sandbox_elect(box.sb, "t", 0, -1);
	sandbox_elect(box.sb, "t", 0, -1);
	produce_at(1, 2);
	p = epoch_end(0, -1);
	ck_assert_int_eq(p->leader_epoch, 0);
	ck_assert_int_eq(p->end_offset, 3);
	/* Epoch 1 wrote nothing: the one before it answers. */
	p = epoch_end(1, -1);
	ck_assert_int_eq(p->leader_epoch, 0);
	ck_assert_int_eq(p->end_offset, 3);
	p = epoch_end(2, 2);
	ck_assert_int_eq(p->leader_epoch, 2);
	ck_assert_int_eq(p->end_offset, 5);
	p = epoch_end(3, -1);
	ck_assert_int_eq(p->leader_epoch, -1);
	ck_assert_int_eq(p->end_offset, -1);
	ck_assert_int_eq(epoch_end(0, 1)->error_code, KERR_FENCED_LEADER_EPOCH);
	ck_assert_int_eq(epoch_end(0, 3)->error_code, KERR_UNKNOWN_LEADER_EPOCH);
}
END_TEST

START_TEST(delete_records_moves_the_start)
{
	int64_t low;

	for (int i = 0; i < 4; i++)
		produce_at(1, 5);
	ck_assert_int_eq(delete_to(7, &low), 0);
	ck_assert_int_eq(low, 7);
	ck_assert_int_eq(list_as(7, -2, -1)->offset, 7);
	ck_assert_int_eq(box_end(&box, 0), 20);
	ck_assert_int_eq(delete_to(3, &low), 0);
	ck_assert_int_eq(low, 7);
	ck_assert_int_eq(delete_to(21, &low), KERR_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(low, -1);
	ck_assert_int_eq(delete_to(-1, &low), 0);
	ck_assert_int_eq(low, 20);
	ck_assert_int_eq(produce_at(1, 1).base_offset, 20);
	ck_assert_int_eq(box_set(&box, "cleanup.policy", "compact"), 0);
	ck_assert_int_eq(delete_to(-1, &low), KERR_POLICY_VIOLATION);
	ck_assert_int_eq(box_set(&box, "cleanup.policy", "compact,delete"), 0);
	ck_assert_int_eq(delete_to(-1, &low), 0);
}
END_TEST

START_TEST(delete_records_gives_memory_back)
{
	size_t before = sandbox_memory(box.sb);
	int64_t low;

	for (int i = 0; i < 100; i++)
		produce_at(1, 5);
	ck_assert_uint_gt(sandbox_memory(box.sb), before);
	delete_to(-1, &low);
	ck_assert_uint_eq(sandbox_memory(box.sb), before);
}
END_TEST

START_TEST(an_unclean_election_takes_producers_back)
{
	ck_assert_int_eq(box_produce_as(&box, 5, 0, 0, 2).base_offset, 0);
	ck_assert_int_eq(box_produce_as(&box, 5, 0, 2, 2).base_offset, 2);
	sandbox_elect(box.sb, "t", 0, 2);
	ck_assert_int_eq(box_produce_as(&box, 5, 0, 4, 1).code, KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(box_produce_as(&box, 5, 0, 2, 2).base_offset, 2);
}
END_TEST

TCase *offset_tests(void)
{
	TCase *tc = tcase_create("offsets");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, ends_and_starts);
	tcase_add_test(tc, by_time);
	tcase_add_test(tc, leader_epochs_of_list_offsets);
	tcase_add_test(tc, epochs_and_where_they_ended);
	tcase_add_test(tc, delete_records_moves_the_start);
	tcase_add_test(tc, delete_records_gives_memory_back);
	tcase_add_test(tc, an_unclean_election_takes_producers_back);
	return tc;
}
