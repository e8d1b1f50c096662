/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include "wire/msg/delete_topics.h"
#include "wire/msg/fetch.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/metadata.h"

static struct box box;

static void setup(void)
{
	box_open(&box, 0);
}

static void teardown(void)
{
	box_close(&box);
}

static struct fetch_partition *add_partition(struct fetch_request *req, int32_t partition, int64_t offset)
{
	struct fetch_partition *p = &req->topics.items[0].partitions.items[req->topics.items[0].partitions.n++];

	p->partition = partition;
	p->fetch_offset = offset;
	p->partition_max_bytes = 1 << 20;
	return p;
}

/* A sessionless fetch of up to four partitions of t that does not wait. */
static struct fetch_request *new_fetch(void)
{
	struct fetch_request *req = box_request(&box, fetch);

	req->min_bytes = 1;
	box_items(&box, &req->topics, fetch_topic, 1);
	req->topics.items[0].topic = str_of("t");
	box_items(&box, &req->topics.items[0].partitions, fetch_partition, 4);
	req->topics.items[0].partitions.n = 0;
	return req;
}

static const struct fetched_partition *fetch_one(struct fetch_request *req)
{
	return &box_call(&box, fetch, 12, req)->responses.items[0].partitions.items[0];
}

static int64_t first_offset(const struct fetched_partition *p)
{
	struct reader r = { .p = p->records.data, .end = p->records.data + p->records.len };
	struct batch_header b;

	return batch_next(&r, &b) == BATCH_OK ? b.base_offset : -1;
}

START_TEST(reads_begin_with_the_batch_that_holds_the_offset)
{
	struct fetch_request *req = new_fetch();
	struct fetch_partition *in = add_partition(req, 0, 4);
	const struct fetched_partition *p;

	for (int i = 0; i < 3; i++)
		box_produce(&box, 0, box_batch(&box, 3));
	p = fetch_one(req);
	ck_assert_int_eq(p->error_code, 0);
	ck_assert_int_eq(p->high_watermark, 9);
	ck_assert_int_eq(p->last_stable_offset, 9);
	ck_assert_int_eq(p->log_start_offset, 0);
	ck_assert_int_eq(p->records.len, 2 * box_batch(&box, 3).len);
	ck_assert_int_eq(first_offset(p), 3);
	in->fetch_offset = 9;
	ck_assert_int_eq(fetch_one(req)->records.len, 0);
	in->fetch_offset = 10;
	p = fetch_one(req);
	ck_assert_int_eq(p->error_code, KERR_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(p->high_watermark, -1);
	in->fetch_offset = -1;
	ck_assert_int_eq(fetch_one(req)->error_code, KERR_OFFSET_OUT_OF_RANGE);
}
END_TEST

START_TEST(stored_headers_carry_offset_and_epoch)
{
	struct fetch_request *req = new_fetch();
	const struct fetched_partition *p;
	struct batch_header b;
	struct reader r;

	box_produce(&box, 0, box_batch(&box, 1));
	ck_assert_int_eq(sandbox_elect(box.sb, "t", 0, -1), 0);
	box_produce(&box, 0, box_batch(&box, 2));
	add_partition(req, 0, 1);
	p = fetch_one(req);
	r = (struct reader){ .p = p->records.data, .end = p->records.data + p->records.len };
	ck_assert_int_eq(batch_next(&r, &b), BATCH_OK);
	ck_assert_int_eq(b.base_offset, 1);
	ck_assert_int_eq(b.leader_epoch, 1);
	ck_assert(batch_crc_ok(&b));
}
END_TEST

START_TEST(limits_cut_the_last_batch_but_never_the_first)
{
	struct fetch_request *req = new_fetch();
	struct fetch_partition *a = add_partition(req, 0, 0), *b = add_partition(req, 1, 0);
	const struct fetched_topic *t;
	int32_t one = box_batch(&box, 10).len;

	for (int i = 0; i < 4; i++) {
		box_produce(&box, 0, box_batch(&box, 10));
		box_produce(&box, 1, box_batch(&box, 10));
	}
	a->partition_max_bytes = one * 2 + 7;
	b->partition_max_bytes = one;
	t = &box_call(&box, fetch, 12, req)->responses.items[0];
	ck_assert_int_eq(t->partitions.items[0].records.len, one * 2 + 7);
	ck_assert_int_eq(t->partitions.items[1].records.len, one);
	/* The first batch of all is whole whatever the limits; another one that does not fit is left out. */
	a->partition_max_bytes = 1;
	b->partition_max_bytes = one - 1;
	t = &box_call(&box, fetch, 12, req)->responses.items[0];
	ck_assert_int_eq(t->partitions.items[0].records.len, one);
	ck_assert_int_eq(t->partitions.items[1].records.len, 0);
	a->partition_max_bytes = b->partition_max_bytes = 1 << 20;
	req->max_bytes = one + 1;
	t = &box_call(&box, fetch, 12, req)->responses.items[0];
	ck_assert_int_eq(t->partitions.items[0].records.len, one + 1);
	ck_assert_int_eq(t->partitions.items[1].records.len, 0);
	req->max_bytes = 0;
	t = &box_call(&box, fetch, 12, req)->responses.items[0];
	ck_assert_int_eq(t->partitions.items[0].records.len, one);
}
END_TEST

START_TEST(leader_epochs_are_checked)
{
	struct fetch_request *req = new_fetch();
	struct fetch_partition *in = add_partition(req, 0, 0);
	const struct fetched_partition *p;

	sandbox_elect(box.sb, "t", 0, -1);
	in->current_leader_epoch = 0;
	p = fetch_one(req);
	ck_assert_int_eq(p->error_code, KERR_FENCED_LEADER_EPOCH);
	ck_assert_int_eq(p->current_leader.leader_epoch, 1);
	in->current_leader_epoch = 2;
	ck_assert_int_eq(fetch_one(req)->error_code, KERR_UNKNOWN_LEADER_EPOCH);
	in->current_leader_epoch = 1;
	ck_assert_int_eq(fetch_one(req)->error_code, 0);
}
END_TEST

START_TEST(a_truncated_log_answers_with_the_diverging_epoch)
{
	struct fetch_request *req = new_fetch();
	struct fetch_partition *in = add_partition(req, 0, 6);
	const struct fetched_partition *p;

	for (int i = 0; i < 3; i++)
		box_produce(&box, 0, box_batch(&box, 2));
	in->last_fetched_epoch = 0;
	ck_assert_int_eq(fetch_one(req)->diverging_epoch.epoch, -1);
	/* Cut at 4, and other data in the same places. */
	sandbox_elect(box.sb, "t", 0, 4);
	box_produce(&box, 0, box_batch(&box, 5));
	p = fetch_one(req);
	ck_assert_int_eq(p->error_code, 0);
	ck_assert_int_eq(p->records.len, 0);
	ck_assert_int_eq(p->diverging_epoch.epoch, 0);
	ck_assert_int_eq(p->diverging_epoch.end_offset, 4);
	in->last_fetched_epoch = -1;
	ck_assert_int_gt(fetch_one(req)->records.len, 0);
	in->last_fetched_epoch = 5;
	ck_assert_int_eq(fetch_one(req)->error_code, KERR_OFFSET_OUT_OF_RANGE);
}
END_TEST

START_TEST(a_fetch_waits_until_data_comes)
{
	struct fetch_request *req = new_fetch();

	add_partition(req, 0, 0);
	add_partition(req, 1, 0);
	req->max_wait_ms = 500;
	box_send(&box, 1, &fetch_api, 12, req);
	ck_assert(!box_has_reply(&box, 1));
	box_wait(&box, 499);
	box_produce(&box, 2, box_batch(&box, 1));
	ck_assert(!box_has_reply(&box, 1));
	box_produce(&box, 1, box_batch(&box, 1));
	ck_assert(box_has_reply(&box, 1));
	ck_assert_int_gt(((struct fetch_response *)box_reply(&box, 1, &fetch_api, 12))
				 ->responses.items[0].partitions.items[1].records.len, 0);
}
END_TEST

START_TEST(a_fetch_ends_when_its_time_is_over)
{
	struct fetch_request *req = new_fetch();
	struct fetch_response *res;

	add_partition(req, 0, 0);
	req->max_wait_ms = 500;
	req->min_bytes = 1000;
	box_send(&box, 1, &fetch_api, 12, req);
	box_produce(&box, 0, box_batch(&box, 1));
	box_wait(&box, 499);
	ck_assert(!box_has_reply(&box, 1));
	box_wait(&box, 1);
	res = box_reply(&box, 1, &fetch_api, 12);
	ck_assert_int_eq(res->responses.items[0].partitions.items[0].records.len, box_batch(&box, 1).len);
}
END_TEST

START_TEST(enough_bytes_end_the_wait)
{
	struct fetch_request *req = new_fetch();
	int32_t one = box_batch(&box, 1).len;

	add_partition(req, 0, 0);
	add_partition(req, 1, 0);
	req->max_wait_ms = 500;
	req->min_bytes = one * 3;
	box_produce(&box, 0, box_batch(&box, 1));
	box_send(&box, 1, &fetch_api, 12, req);
	box_produce(&box, 1, box_batch(&box, 1));
	ck_assert(!box_has_reply(&box, 1));
	box_produce(&box, 0, box_batch(&box, 1));
	ck_assert(box_has_reply(&box, 1));
}
END_TEST

START_TEST(a_waiting_client_is_answered_in_order)
{
	struct fetch_request *req = new_fetch();
	struct metadata_request *meta = box_request(&box, metadata);

	add_partition(req, 0, 0);
	req->max_wait_ms = 500;
	meta->topics.n = -1;
	box_send(&box, 1, &fetch_api, 12, req);
	box_send(&box, 1, &metadata_api, 9, meta);
	ck_assert(!box_has_reply(&box, 1));
	ck_assert_int_eq(sandbox_client_backlog(box.clients[1].client), 1);
	box_wait(&box, 500);
	ck_assert_int_eq(box.clients[1].n_replies, 2);
	box_reply(&box, 1, &fetch_api, 12);
	box_reply(&box, 1, &metadata_api, 9);
}
END_TEST

START_TEST(deleting_a_topic_ends_its_waits)
{
	struct fetch_request *req = new_fetch();
	struct delete_topics_request *del = box_request(&box, delete_topics);
	struct fetch_response *res;

	add_partition(req, 0, 0);
	req->max_wait_ms = 500;
	box_send(&box, 1, &fetch_api, 12, req);
	box_one(&box, &del->topic_names, str_of("t"));
	ck_assert_int_eq(box_call(&box, delete_topics, 5, del)->responses.items[0].error_code, 0);
	res = box_reply(&box, 1, &fetch_api, 12);
	ck_assert_int_eq(res->responses.items[0].partitions.items[0].error_code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

START_TEST(an_election_ends_the_waits_with_its_epoch)
{
	struct fetch_request *req = new_fetch();
	struct fetch_response *res;

	add_partition(req, 0, 0)->current_leader_epoch = 0;
	req->max_wait_ms = 500;
	box_send(&box, 1, &fetch_api, 12, req);
	sandbox_elect(box.sb, "t", 0, -1);
	res = box_reply(&box, 1, &fetch_api, 12);
	ck_assert_int_eq(res->responses.items[0].partitions.items[0].error_code, KERR_FENCED_LEADER_EPOCH);
}
END_TEST

START_TEST(a_client_that_goes_while_it_waits_is_forgotten)
{
	struct fetch_request *req = new_fetch();

	add_partition(req, 0, 0);
	req->max_wait_ms = 500;
	box_send(&box, 1, &fetch_api, 12, req);
	box_send(&box, 1, &fetch_api, 12, req);
	box_reconnect(&box, 1);
	box_produce(&box, 0, box_batch(&box, 1));
	box_wait(&box, 1000);
	ck_assert(!box_has_reply(&box, 1));
}
END_TEST

START_TEST(topic_ids)
{
	struct fetch_request *req = new_fetch();
	struct metadata_request *meta = box_request(&box, metadata);
	const struct fetch_response *res;

	meta->topics.n = -1;
	req->topics.items[0].topic_id = box_call(&box, metadata, 12, meta)->topics.items[0].topic_id;
	ck_assert(!uuid_is_zero(&req->topics.items[0].topic_id));
	box_produce(&box, 0, box_batch(&box, 1));
	add_partition(req, 0, 0);
	add_partition(req, 7, 0);
	res = box_call(&box, fetch, 16, req);
	ck_assert(uuid_eq(&res->responses.items[0].topic_id, &req->topics.items[0].topic_id));
	ck_assert_int_gt(res->responses.items[0].partitions.items[0].records.len, 0);
	ck_assert_int_eq(res->responses.items[0].partitions.items[1].error_code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
	req->topics.items[0].topic_id.b[0] ^= 1;
	res = box_call(&box, fetch, 16, req);
	ck_assert_int_eq(res->responses.items[0].partitions.items[0].error_code, KERR_UNKNOWN_TOPIC_ID);
}
END_TEST

START_TEST(aborted_transactions_are_null_or_empty)
{
	struct fetch_request *req = new_fetch();

	add_partition(req, 0, 0);
	ck_assert_int_eq(fetch_one(req)->aborted_transactions.n, -1);
	req->isolation_level = 1;
	ck_assert_int_eq(fetch_one(req)->aborted_transactions.n, 0);
}
END_TEST

TCase *fetch_tests(void)
{
	TCase *tc = tcase_create("fetch");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, reads_begin_with_the_batch_that_holds_the_offset);
	tcase_add_test(tc, stored_headers_carry_offset_and_epoch);
	tcase_add_test(tc, limits_cut_the_last_batch_but_never_the_first);
	tcase_add_test(tc, leader_epochs_are_checked);
	tcase_add_test(tc, a_truncated_log_answers_with_the_diverging_epoch);
	tcase_add_test(tc, a_fetch_waits_until_data_comes);
	tcase_add_test(tc, a_fetch_ends_when_its_time_is_over);
	tcase_add_test(tc, enough_bytes_end_the_wait);
	tcase_add_test(tc, a_waiting_client_is_answered_in_order);
	tcase_add_test(tc, deleting_a_topic_ends_its_waits);
	tcase_add_test(tc, an_election_ends_the_waits_with_its_epoch);
	tcase_add_test(tc, a_client_that_goes_while_it_waits_is_forgotten);
	tcase_add_test(tc, topic_ids);
	tcase_add_test(tc, aborted_transactions_are_null_or_empty);
	return tc;
}
