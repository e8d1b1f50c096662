/* SPDX-License-Identifier: Apache-2.0 */
/* Committed offsets, and groups as others see them. */
#include "box.h"

#include "wire/msg/delete_groups.h"
#include "wire/msg/describe_groups.h"
#include "wire/msg/find_coordinator.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/list_groups.h"
#include "wire/msg/offset_commit.h"
#include "wire/msg/offset_fetch.h"

static struct box box;

static void setup(void)
{
	box_open(&box, 0);
}

static void teardown(void)
{
	box_close(&box);
}

static int16_t commit(const char *group, int32_t generation, int32_t partition, int64_t offset)
{
	struct offset_commit_request *req = box_request(&box, offset_commit);

	req->group_id = str_of(group);
	req->generation_id_or_member_epoch = generation;
	box_items(&box, &req->topics, offset_commit_topic, 1);
	req->topics.items[0].name = str_of("t");
	box_items(&box, &req->topics.items[0].partitions, offset_commit_partition, 1);
	req->topics.items[0].partitions.items[0].partition_index = partition;
	req->topics.items[0].partitions.items[0].committed_offset = offset;
	req->topics.items[0].partitions.items[0].committed_leader_epoch = 4;
	req->topics.items[0].partitions.items[0].committed_metadata = str_of("note");
	return box_call(&box, offset_commit, 8, req)->topics.items[0].partitions.items[0].error_code;
}

static const struct fetched_offsets_group *fetch_all(const char *group)
{
	struct offset_fetch_request *req = box_request(&box, offset_fetch);

	box_items(&box, &req->groups, offset_fetch_group, 1);
	req->groups.items[0].group_id = str_of(group);
	req->groups.items[0].topics.n = -1;
	return &box_call(&box, offset_fetch, 8, req)->groups.items[0];
}

START_TEST(offsets_are_kept_for_each_group_and_partition)
{
	const struct fetched_offsets_group *g;

	ck_assert_int_eq(commit("g", -1, 1, 42), 0);
	ck_assert_int_eq(commit("g", -1, 0, 7), 0);
	ck_assert_int_eq(commit("h", -1, 0, 9), 0);
	ck_assert_int_eq(commit("g", -1, 0, 8), 0);
	g = fetch_all("g");
	ck_assert_int_eq(g->error_code, 0);
	ck_assert_int_eq(g->topics.n, 1);
	ck_assert_int_eq(g->topics.items[0].partitions.n, 2);
	ck_assert_int_eq(g->topics.items[0].partitions.items[0].committed_offset, 8);
	ck_assert_int_eq(g->topics.items[0].partitions.items[1].committed_offset, 42);
	ck_assert_int_eq(g->topics.items[0].partitions.items[1].committed_leader_epoch, 4);
	ck_assert(str_is(g->topics.items[0].partitions.items[1].metadata, "note"));
	ck_assert_int_eq(fetch_all("none")->topics.n, 0);
}
END_TEST

START_TEST(what_was_not_committed_is_minus_one)
{
	struct offset_fetch_request *req = box_request(&box, offset_fetch);
	const struct offset_fetch_response *res;

	commit("g", -1, 1, 42);
	req->group_id = str_of("g");
	box_items(&box, &req->topics, offset_fetch_topic, 1);
	req->topics.items[0].name = str_of("t");
	req->topics.items[0].partition_indexes.n = 2;
	req->topics.items[0].partition_indexes.items = (int32_t[]){ 1, 2 };
	res = box_call(&box, offset_fetch, 6, req);
	ck_assert_int_eq(res->error_code, 0);
	ck_assert_int_eq(res->topics.items[0].partitions.items[0].committed_offset, 42);
	ck_assert_int_eq(res->topics.items[0].partitions.items[1].committed_offset, -1);
	ck_assert_int_eq(res->topics.items[0].partitions.items[1].error_code, 0);
}
END_TEST

START_TEST(commits_that_are_refused)
{
	ck_assert_int_eq(commit("g", 3, 0, 1), KERR_ILLEGAL_GENERATION);
	ck_assert_int_eq(commit("", -1, 0, 1), KERR_INVALID_GROUP_ID);
	ck_assert_int_eq(commit("g", -1, 9, 1), KERR_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

START_TEST(groups_are_listed_described_and_deleted)
{
	struct list_groups_request *list = box_request(&box, list_groups);
	struct describe_groups_request *describe = box_request(&box, describe_groups);
	struct delete_groups_request *del = box_request(&box, delete_groups);
	const struct list_groups_response *res;

	commit("g", -1, 0, 1);
	res = box_call(&box, list_groups, 5, list);
	ck_assert_int_eq(res->groups.n, 1);
	ck_assert(str_is(res->groups.items[0].group_state, "Empty"));
	ck_assert(str_is(res->groups.items[0].group_type, "classic"));
	box_one(&box, &list->states_filter, str_of("stable"));
	ck_assert_int_eq(box_call(&box, list_groups, 5, list)->groups.n, 0);
	list->states_filter.items[0] = str_of("empty");
	ck_assert_int_eq(box_call(&box, list_groups, 5, list)->groups.n, 1);
	box_one(&box, &describe->groups, str_of("none"));
	ck_assert(str_is(box_call(&box, describe_groups, 5, describe)->groups.items[0].group_state, "Dead"));
	ck_assert_int_eq(box_call(&box, describe_groups, 5, describe)->groups.items[0].error_code, 0);
	ck_assert_int_eq(box_call(&box, describe_groups, 6, describe)->groups.items[0].error_code,
			 KERR_GROUP_ID_NOT_FOUND);
	box_one(&box, &del->groups_names, str_of("g"));
	ck_assert_int_eq(box_call(&box, delete_groups, 2, del)->results.items[0].error_code, 0);
	ck_assert_int_eq(box_call(&box, delete_groups, 2, del)->results.items[0].error_code, KERR_GROUP_ID_NOT_FOUND);
	ck_assert_int_eq(fetch_all("g")->topics.n, 0);
}
END_TEST

START_TEST(the_node_coordinates_groups_and_transactions)
{
	struct find_coordinator_request *req = box_request(&box, find_coordinator);
	const struct find_coordinator_response *res;

	req->key = str_of("g");
	res = box_call(&box, find_coordinator, 3, req);
	ck_assert_int_eq(res->error_code, 0);
	ck_assert_int_eq(res->node_id, 1);
	ck_assert_int_eq(res->port, 9092);
	ck_assert(str_is(res->host, "localhost"));
	box_one(&box, &req->coordinator_keys, str_of("x"));
	ck_assert_int_eq(box_call(&box, find_coordinator, 4, req)->coordinators.items[0].node_id, 1);
	req->key_type = 1;
	ck_assert_int_eq(box_call(&box, find_coordinator, 4, req)->coordinators.items[0].node_id, 1);
	req->key_type = 2;
	res = box_call(&box, find_coordinator, 4, req);
	ck_assert_int_eq(res->coordinators.items[0].error_code, KERR_INVALID_REQUEST);
	ck_assert_int_gt(res->coordinators.items[0].error_message.len, 0);
}
END_TEST

TCase *group_tests(void)
{
	TCase *tc = tcase_create("groups");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, offsets_are_kept_for_each_group_and_partition);
	tcase_add_test(tc, what_was_not_committed_is_minus_one);
	tcase_add_test(tc, commits_that_are_refused);
	tcase_add_test(tc, groups_are_listed_described_and_deleted);
	tcase_add_test(tc, the_node_coordinates_groups_and_transactions);
	return tc;
}
