/* SPDX-License-Identifier: Apache-2.0 */
/* Membership of classic groups. */
#include "box.h"

#include "wire/msg/describe_groups.h"
#include "wire/msg/heartbeat.h"
#include "wire/msg/join_group.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/leave_group.h"
#include "wire/msg/offset_commit.h"
#include "wire/msg/sync_group.h"

static struct box box;

static void setup(void)
{
	box_open(&box, 0);
}

static void teardown(void)
{
	box_close(&box);
}

static struct join_group_request *new_join(const char *member, const char *instance, const char *protocol)
{
	struct join_group_request *req = box_request(&box, join_group);

	req->group_id = str_of("g");
	req->session_timeout_ms = 10000;
	req->rebalance_timeout_ms = 30000;
	req->member_id = str_of(member);
	req->group_instance_id = str_of(instance);
	req->protocol_type = str_of("consumer");
	box_items(&box, &req->protocols, join_group_protocol, 1);
	req->protocols.items[0].name = str_of(protocol);
	req->protocols.items[0].metadata = (struct bytes){ (const uint8_t *)"meta", 4 };
	return req;
}

static char *text(struct str s)
{
	return arena_strndup(&box.arena, s.data, (size_t)s.len);
}

static struct join_group_response *join_reply(int client)
{
	return box_reply(&box, client, &join_group_api, 9);
}

/* Joins as a new dynamic member up to the wait for the generation. The member id. */
static char *join_dynamic(int client)
{
	struct join_group_response *res;
	char *id;

	box_send(&box, client, &join_group_api, 9, new_join("", NULL, "range"));
	res = join_reply(client);
	ck_assert_int_eq(res->error_code, KERR_MEMBER_ID_REQUIRED);
	id = text(res->member_id);
	ck_assert_int_gt(strlen(id), 5);
	box_send(&box, client, &join_group_api, 9, new_join(id, NULL, "range"));
	return id;
}

static struct sync_group_request *new_sync(const char *member, int32_t generation)
{
	struct sync_group_request *req = box_request(&box, sync_group);

	req->group_id = str_of("g");
	req->member_id = str_of(member);
	req->generation_id = generation;
	return req;
}

/* The leader's sync, with an assignment for each member: its own id. */
static void sync_leader(int client, const char *leader, int32_t generation, const char *other)
{
	struct sync_group_request *req = new_sync(leader, generation);
	const char *members[] = { leader, other };

	box_items(&box, &req->assignments, sync_group_assignment, other != NULL ? 2 : 1);
	for (int i = 0; i < req->assignments.n; i++) {
		req->assignments.items[i].member_id = str_of(members[i]);
		req->assignments.items[i].assignment =
			(struct bytes){ (const uint8_t *)members[i], (int32_t)strlen(members[i]) };
	}
	box_send(&box, client, &sync_group_api, 5, req);
}

static int16_t heartbeat(const char *member, const char *instance, int32_t generation)
{
	struct heartbeat_request *req = box_request(&box, heartbeat);

	req->group_id = str_of("g");
	req->member_id = str_of(member);
	req->group_instance_id = str_of(instance);
	req->generation_id = generation;
	return box_call(&box, heartbeat, 4, req)->error_code;
}

static int16_t leave(const char *member, const char *instance)
{
	struct leave_group_request *req = box_request(&box, leave_group);
	const struct leave_group_response *res;

	req->group_id = str_of("g");
	box_items(&box, &req->members, leaving_member, 1);
	req->members.items[0].member_id = str_of(member);
	req->members.items[0].group_instance_id = str_of(instance);
	res = box_call(&box, leave_group, 4, req);
	return res->members.items[0].error_code;
}

static const struct described_group *describe(void)
{
	struct describe_groups_request *req = box_request(&box, describe_groups);

	box_one(&box, &req->groups, str_of("g"));
	return &box_call(&box, describe_groups, 5, req)->groups.items[0];
}

/* One dynamic member, alone and stable. */
static char *one_member(void)
{
	char *id = join_dynamic(1);
	struct join_group_response *res = join_reply(1);
	struct sync_group_response *sync;

	ck_assert_int_eq(res->error_code, 0);
	ck_assert_int_eq(res->generation_id, 1);
	ck_assert(str_is(res->leader, id));
	ck_assert_int_eq(res->members.n, 1);
	sync_leader(1, id, 1, NULL);
	sync = box_reply(&box, 1, &sync_group_api, 5);
	ck_assert_int_eq(sync->error_code, 0);
	ck_assert_int_eq(sync->assignment.len, (int)strlen(id));
	return id;
}

START_TEST(one_member_leads_and_is_stable)
{
	char *id = one_member();

	ck_assert(str_is(describe()->group_state, "Stable"));
	ck_assert(str_is(describe()->protocol_data, "range"));
	ck_assert_int_eq(describe()->members.n, 1);
	ck_assert_int_eq(describe()->members.items[0].member_metadata.len, 4);
	ck_assert(str_is(describe()->members.items[0].client_host, "/127.0.0.1"));
	ck_assert_int_eq(heartbeat(id, NULL, 1), 0);
	ck_assert_int_eq(heartbeat(id, NULL, 2), KERR_ILLEGAL_GENERATION);
	ck_assert_int_eq(heartbeat("nobody", NULL, 1), KERR_UNKNOWN_MEMBER_ID);
}
END_TEST

START_TEST(a_second_member_begins_a_new_generation)
{
	char *a = one_member(), *b = join_dynamic(2);
	struct join_group_response *res;
	struct sync_group_response *sync;

	ck_assert(!box_has_reply(&box, 2));
	ck_assert_int_eq(heartbeat(a, NULL, 1), KERR_REBALANCE_IN_PROGRESS);
	box_send(&box, 1, &join_group_api, 9, new_join(a, NULL, "range"));
	res = join_reply(1);
	ck_assert_int_eq(res->generation_id, 2);
	ck_assert_int_eq(res->members.n, 2);
	res = join_reply(2);
	ck_assert_int_eq(res->generation_id, 2);
	ck_assert_int_eq(res->members.n, 0);
	ck_assert(str_is(res->leader, a));
	box_send(&box, 2, &sync_group_api, 5, new_sync(b, 2));
	ck_assert(!box_has_reply(&box, 2));
	sync_leader(1, a, 2, b);
	sync = box_reply(&box, 1, &sync_group_api, 5);
	ck_assert_mem_eq(sync->assignment.data, a, strlen(a));
	sync = box_reply(&box, 2, &sync_group_api, 5);
	ck_assert_mem_eq(sync->assignment.data, b, strlen(b));
	ck_assert_int_eq(leave(b, NULL), 0);
	ck_assert_int_eq(heartbeat(a, NULL, 2), KERR_REBALANCE_IN_PROGRESS);
}
END_TEST

START_TEST(silence_ends_membership)
{
	char *id = one_member();

	box_wait(&box, 9999);
	ck_assert_int_eq(heartbeat(id, NULL, 1), 0);
	box_wait(&box, 9999);
	ck_assert(str_is(describe()->group_state, "Stable"));
	box_wait(&box, 1);
	ck_assert(str_is(describe()->group_state, "Empty"));
	ck_assert_int_eq(heartbeat(id, NULL, 1), KERR_UNKNOWN_MEMBER_ID);
}
END_TEST

START_TEST(a_silent_member_does_not_hold_up_the_others)
{
	char *b;

	one_member();
	b = join_dynamic(2);
	box_wait(&box, 9999);
	ck_assert(!box_has_reply(&box, 2));
	box_wait(&box, 1);
	ck_assert_int_eq(join_reply(2)->generation_id, 2);
	sync_leader(2, b, 2, NULL);
	ck_assert_int_eq(((struct sync_group_response *)box_reply(&box, 2, &sync_group_api, 5))->error_code, 0);
}
END_TEST

START_TEST(who_does_not_sync_is_out)
{
	char *a = one_member(), *b = join_dynamic(2);

	box_send(&box, 1, &join_group_api, 9, new_join(a, NULL, "range"));
	join_reply(1);
	join_reply(2);
	sync_leader(1, a, 2, b);
	box_reply(&box, 1, &sync_group_api, 5);
	for (int i = 0; i < 30; i++) {
		box_wait(&box, 1000);
		heartbeat(a, NULL, 2);
		heartbeat(b, NULL, 2);
	}
	ck_assert_int_eq(heartbeat(a, NULL, 2), KERR_REBALANCE_IN_PROGRESS);
	ck_assert_int_eq(heartbeat(b, NULL, 2), KERR_UNKNOWN_MEMBER_ID);
}
END_TEST

START_TEST(members_must_share_a_protocol)
{
	struct join_group_request *req = new_join("", NULL, "sticky");

	one_member();
	box_send(&box, 2, &join_group_api, 9, req);
	ck_assert_int_eq(join_reply(2)->error_code, KERR_INCONSISTENT_GROUP_PROTOCOL);
	req = new_join("", NULL, "range");
	req->protocol_type = str_of("connect");
	box_send(&box, 2, &join_group_api, 9, req);
	ck_assert_int_eq(join_reply(2)->error_code, KERR_INCONSISTENT_GROUP_PROTOCOL);
	req->session_timeout_ms = 5999;
	box_send(&box, 2, &join_group_api, 9, req);
	ck_assert_int_eq(join_reply(2)->error_code, KERR_INVALID_SESSION_TIMEOUT);
	box_send(&box, 2, &join_group_api, 9, new_join("nobody", NULL, "range"));
	ck_assert_int_eq(join_reply(2)->error_code, KERR_UNKNOWN_MEMBER_ID);
}
END_TEST

/* The instance "i" of a group of its own, stable at generation 1. */
static char *one_instance(void)
{
	struct join_group_response *res;
	char *id;

	box_send(&box, 1, &join_group_api, 9, new_join("", "i", "range"));
	res = join_reply(1);
	ck_assert_int_eq(res->error_code, 0);
	ck_assert_int_eq(res->generation_id, 1);
	id = text(res->member_id);
	sync_leader(1, id, 1, NULL);
	box_reply(&box, 1, &sync_group_api, 5);
	return id;
}

START_TEST(an_instance_takes_over_its_member)
{
	char *old = one_instance();
	struct join_group_response *res;
	char *id;

	box_send(&box, 2, &join_group_api, 9, new_join("", "i", "range"));
	res = join_reply(2);
	ck_assert_int_eq(res->error_code, 0);
	ck_assert_int_eq(res->generation_id, 1);
	ck_assert(res->skip_assignment);
	ck_assert_int_eq(res->members.n, 1);
	id = text(res->member_id);
	ck_assert_str_ne(id, old);
	ck_assert(str_is(res->leader, id));
	ck_assert_int_eq(heartbeat(old, "i", 1), KERR_FENCED_INSTANCE_ID);
	ck_assert_int_eq(heartbeat(id, "i", 1), 0);
	ck_assert_int_eq(heartbeat(id, "j", 1), KERR_UNKNOWN_MEMBER_ID);
	/* The assignment is still there. */
	box_send(&box, 2, &sync_group_api, 5, new_sync(id, 1));
	ck_assert_int_gt(((struct sync_group_response *)box_reply(&box, 2, &sync_group_api, 5))->assignment.len, 0);
	ck_assert_int_eq(leave(old, "i"), KERR_FENCED_INSTANCE_ID);
	ck_assert_int_eq(leave("", "i"), 0);
	ck_assert(str_is(describe()->group_state, "Empty"));
}
END_TEST

START_TEST(an_old_instance_that_waits_is_fenced)
{
	one_instance();
	/* A second member makes the group wait for the instance, which joins and waits. */
	join_dynamic(2);
	box_send(&box, 1, &join_group_api, 9, new_join("", "i", "range"));
	ck_assert_int_eq(join_reply(1)->error_code, 0);
	box_send(&box, 3, &join_group_api, 9, new_join("", "i", "range"));
	/* Completed meanwhile by both; the takeover begins one more generation. */
	ck_assert_int_eq(join_reply(2)->generation_id, 2);
	ck_assert(!box_has_reply(&box, 3));
	box_send(&box, 1, &join_group_api, 9, new_join("", "i", "range"));
	ck_assert_int_eq(join_reply(3)->error_code, KERR_FENCED_INSTANCE_ID);
}
END_TEST

START_TEST(a_static_member_stays_through_a_rebalance_of_others)
{
	char *id = one_instance(), *b = join_dynamic(2);

	/* The instance is silent for less than its session, and is a member of the next generation only if it comes. */
	ck_assert(!box_has_reply(&box, 2));
	box_send(&box, 1, &join_group_api, 9, new_join(id, "i", "range"));
	ck_assert_int_eq(join_reply(1)->members.n, 2);
	ck_assert_int_eq(join_reply(2)->generation_id, 2);
	ck_assert_int_eq(leave(b, NULL), 0);
	ck_assert_int_eq(heartbeat(id, "i", 2), KERR_REBALANCE_IN_PROGRESS);
}
END_TEST

START_TEST(commits_of_members_are_fenced_by_generation)
{
	char *id = one_member();
	struct offset_commit_request *req = box_request(&box, offset_commit);
	const struct { const char *member; int32_t generation; int16_t code; } cases[] = {
		{ id, 1, KERR_NONE }, { id, 2, KERR_ILLEGAL_GENERATION }, { "nobody", 1, KERR_UNKNOWN_MEMBER_ID },
		{ "", -1, KERR_UNKNOWN_MEMBER_ID },
	};

	req->group_id = str_of("g");
	box_items(&box, &req->topics, offset_commit_topic, 1);
	req->topics.items[0].name = str_of("t");
	box_items(&box, &req->topics.items[0].partitions, offset_commit_partition, 1);
	req->topics.items[0].partitions.items[0].committed_metadata = str_of("");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		req->member_id = str_of(cases[i].member);
		req->generation_id_or_member_epoch = cases[i].generation;
		ck_assert_int_eq(box_call(&box, offset_commit, 8, req)->topics.items[0].partitions.items[0].error_code,
				 cases[i].code);
	}
}
END_TEST

START_TEST(an_id_that_does_not_come_back_is_forgotten)
{
	char *a = one_member();

	box_send(&box, 2, &join_group_api, 9, new_join("", NULL, "range"));
	ck_assert_int_eq(join_reply(2)->error_code, KERR_MEMBER_ID_REQUIRED);
	box_send(&box, 1, &join_group_api, 9, new_join(a, NULL, "range"));
	ck_assert(!box_has_reply(&box, 1));
	box_wait(&box, 10000);
	ck_assert_int_eq(join_reply(1)->generation_id, 2);
}
END_TEST

START_TEST(old_clients_join_at_once)
{
	struct join_group_request *req = new_join("", NULL, "range");
	struct join_group_response *res;

	req->rebalance_timeout_ms = -1;
	box_send(&box, 1, &join_group_api, 0, req);
	res = box_reply(&box, 1, &join_group_api, 0);
	ck_assert_int_eq(res->error_code, 0);
	ck_assert_int_eq(res->generation_id, 1);
}
END_TEST

TCase *member_tests(void)
{
	TCase *tc = tcase_create("members");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_member_leads_and_is_stable);
	tcase_add_test(tc, a_second_member_begins_a_new_generation);
	tcase_add_test(tc, silence_ends_membership);
	tcase_add_test(tc, a_silent_member_does_not_hold_up_the_others);
	tcase_add_test(tc, who_does_not_sync_is_out);
	tcase_add_test(tc, members_must_share_a_protocol);
	tcase_add_test(tc, an_instance_takes_over_its_member);
	tcase_add_test(tc, an_old_instance_that_waits_is_fenced);
	tcase_add_test(tc, a_static_member_stays_through_a_rebalance_of_others);
	tcase_add_test(tc, commits_of_members_are_fenced_by_generation);
	tcase_add_test(tc, an_id_that_does_not_come_back_is_forgotten);
	tcase_add_test(tc, old_clients_join_at_once);
	return tc;
}
