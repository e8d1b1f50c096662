/* SPDX-License-Identifier: Apache-2.0 */
#include "test_control.h"

#include "base/mem.h"
#include "control/rights.h"

#include <string.h>

#define BIT(operation) (1 << (operation))

static const struct rights_topic topics[] = { { "orders", "east.orders", true }, { "bills", "east.bills", false } };
static struct rights_spec spec;
static struct rights_known known;
static struct arena arena;

static void setup(void)
{
	arena_init(&arena, 0);
	known = (struct rights_known){ 0 };
	spec = (struct rights_spec){ .control_topic = "_krmirror", .group = "krmirror", .link = "east", .prefix = "",
				     .topics = topics, .n = ARRAY_LEN(topics) };
}

static void teardown(void)
{
	arena_fini(&arena);
}

static const struct right none;   /* it is not asked for */

static const struct right *find(const struct rights *rights, enum side side, const char *name,
				enum right_operation operation)
{
	for (int i = 0; i < rights->n; i++)
		if (rights->items[i].side == side && strcmp(rights->items[i].name, name) == 0 &&
		    rights->items[i].operation == operation)
			return &rights->items[i];
	return &none;
}

static enum right_state judged(enum side side, const char *name, enum right_operation operation)
{
	struct rights rights = rights_needed(&spec, &arena);

	rights_judge(&rights, &known);
	ck_assert_ptr_ne(find(&rights, side, name, operation), &none);
	return find(&rights, side, name, operation)->state;
}

static void answer(enum side side, enum right_resource resource, const char *name, int32_t operations)
{
	static struct rights_answer answers[8];

	if (known.items == NULL)
		known.items = answers;
	answers[known.n++] = (struct rights_answer){ .side = side, .resource = resource, .name = name,
						     .operations = operations, .denied = operations == INT32_MIN };
}

START_TEST(groups_that_are_kept_in_step_have_their_rights)
{
	static const struct rights_group groups[] = {
		{ SIDE_SOURCE, "*", false, false }, { SIDE_DESTINATION, "east.", true, true },
		{ SIDE_SOURCE, "progress", false, true },
	};
	struct rights_grantee grantee = { .principal = "User:k", .bootstrap = "b:9092" };
	struct rights rights;
	int at = 0;

	spec.groups = groups;
	spec.n_groups = ARRAY_LEN(groups);
	answer(SIDE_SOURCE, RIGHT_GROUP, "*", 0);
	answer(SIDE_DESTINATION, RIGHT_GROUP, "east.", BIT(RIGHT_READ) | BIT(RIGHT_DESCRIBE));
	answer(SIDE_SOURCE, RIGHT_GROUP, "progress", BIT(RIGHT_DESCRIBE));
	ck_assert_int_eq(judged(SIDE_SOURCE, "*", RIGHT_DESCRIBE), RIGHT_UNKNOWN);
	ck_assert_int_eq(judged(SIDE_DESTINATION, "east.", RIGHT_READ), RIGHT_HELD);
	ck_assert_int_eq(judged(SIDE_SOURCE, "progress", RIGHT_READ), RIGHT_MISSING);
	rights = rights_needed(&spec, &arena);
	while (rights.items[at].resource != RIGHT_GROUP || strcmp(rights.items[at].name, "east.") != 0)
		at++;
	ck_assert_str_eq(rights_command(&rights, &at, &grantee, &arena),
			 "kafka-acls --bootstrap-server 'b:9092' --add --allow-principal 'User:k' --operation Describe "
			 "--operation Read --group 'east.' --resource-pattern-type prefixed");
}
END_TEST

START_TEST(each_topic_of_each_side_has_its_rights)
{
	struct rights rights = rights_needed(&spec, &arena);

	ck_assert(find(&rights, SIDE_SOURCE, "orders", RIGHT_READ)->needed);
	ck_assert(find(&rights, SIDE_DESTINATION, "east.bills", RIGHT_WRITE)->needed);
	ck_assert_ptr_eq(find(&rights, SIDE_SOURCE, "orders", RIGHT_WRITE), &none);
	ck_assert_ptr_eq(find(&rights, SIDE_DESTINATION, "east.orders", RIGHT_CREATE), &none);   /* it is there */
	ck_assert_ptr_ne(find(&rights, SIDE_DESTINATION, "east.bills", RIGHT_CREATE), &none);
	ck_assert(!find(&rights, SIDE_DESTINATION, "kafka-cluster", RIGHT_CLUSTER_ACTION)->needed);
	ck_assert(find(&rights, SIDE_DESTINATION, "krmirror/east/", RIGHT_WRITE)->prefixed);
}
END_TEST

START_TEST(a_prefix_is_one_grant_for_all)
{
	struct rights rights;

	spec.prefix = "east.";
	spec.by_prefix = true;
	rights = rights_needed(&spec, &arena);
	ck_assert_ptr_eq(find(&rights, SIDE_DESTINATION, "east.orders", RIGHT_WRITE), &none);
	ck_assert(find(&rights, SIDE_DESTINATION, "east.", RIGHT_CREATE)->prefixed);
	ck_assert_ptr_ne(find(&rights, SIDE_SOURCE, "bills", RIGHT_READ), &none);
}
END_TEST

START_TEST(without_its_link_only_krmirrors_own_things_are_asked_for)
{
	struct rights rights;

	spec.link = NULL;
	rights = rights_needed(&spec, &arena);
	ck_assert_ptr_ne(find(&rights, SIDE_DESTINATION, "_krmirror", RIGHT_READ), &none);
	for (int i = 0; i < rights.n; i++)
		ck_assert_int_eq(rights.items[i].side, SIDE_DESTINATION);
}
END_TEST

START_TEST(what_a_broker_says_is_believed_and_nothing_is_guessed)
{
	ck_assert_int_eq(judged(SIDE_SOURCE, "orders", RIGHT_READ), RIGHT_UNKNOWN);
	answer(SIDE_SOURCE, RIGHT_TOPIC, "orders", BIT(RIGHT_DESCRIBE) | BIT(RIGHT_READ));
	ck_assert_int_eq(judged(SIDE_SOURCE, "orders", RIGHT_READ), RIGHT_HELD);
	ck_assert_int_eq(judged(SIDE_SOURCE, "orders", RIGHT_DESCRIBE_CONFIGS), RIGHT_MISSING);
	answer(SIDE_SOURCE, RIGHT_TOPIC, "bills", INT32_MIN);   /* not even described */
	ck_assert_int_eq(judged(SIDE_SOURCE, "bills", RIGHT_DESCRIBE), RIGHT_MISSING);
	ck_assert_int_eq(judged(SIDE_SOURCE, "bills", RIGHT_READ), RIGHT_UNKNOWN);
	answer(SIDE_SOURCE, RIGHT_CLUSTER, "kafka-cluster", 0);
	ck_assert_int_eq(judged(SIDE_SOURCE, "kafka-cluster", RIGHT_DESCRIBE), RIGHT_MISSING);
	known.everything[SIDE_SOURCE] = true;
	ck_assert_int_eq(judged(SIDE_SOURCE, "bills", RIGHT_READ), RIGHT_HELD);
}
END_TEST

START_TEST(a_right_on_the_cluster_can_stand_for_another)
{
	answer(SIDE_DESTINATION, RIGHT_TOPIC, "east.bills", BIT(RIGHT_DESCRIBE));
	ck_assert_int_eq(judged(SIDE_DESTINATION, "east.bills", RIGHT_CREATE), RIGHT_MISSING);
	answer(SIDE_DESTINATION, RIGHT_CLUSTER, "kafka-cluster", BIT(RIGHT_CREATE) | BIT(RIGHT_ALTER) | BIT(RIGHT_DESCRIBE));
	ck_assert_int_eq(judged(SIDE_DESTINATION, "east.bills", RIGHT_CREATE), RIGHT_HELD);
	ck_assert_int_eq(judged(SIDE_DESTINATION, "kafka-cluster", RIGHT_CLUSTER_ACTION), RIGHT_MISSING);
	known.alter_marks = true;   /* Kafka 3.8 and later */
	ck_assert_int_eq(judged(SIDE_DESTINATION, "kafka-cluster", RIGHT_CLUSTER_ACTION), RIGHT_HELD);
}
END_TEST

START_TEST(topics_that_are_not_named_yet_are_known_only_where_all_are_granted)
{
	spec.n = 0;
	answer(SIDE_SOURCE, RIGHT_TOPIC, "", BIT(RIGHT_DESCRIBE) | BIT(RIGHT_READ));
	ck_assert_int_eq(judged(SIDE_SOURCE, "", RIGHT_READ), RIGHT_HELD);
	ck_assert_int_eq(judged(SIDE_SOURCE, "", RIGHT_DESCRIBE_CONFIGS), RIGHT_UNKNOWN);
	answer(SIDE_DESTINATION, RIGHT_TOPIC, "", INT32_MIN);
	ck_assert_int_eq(judged(SIDE_DESTINATION, "", RIGHT_DESCRIBE), RIGHT_UNKNOWN);
}
END_TEST

static struct admin_acl acl(const char *principal, const char *operation, const char *permission)
{
	return (struct admin_acl){ "_krmirror", "LITERAL", principal, "*", operation, permission, NULL };
}

START_TEST(writers_are_who_is_allowed_and_not_denied)
{
	struct admin_acl items[] = {
		acl("User:krmirror", "WRITE", "ALLOW"), acl("User:alice", "READ", "ALLOW"), acl("User:bob", "ALL", "ALLOW"),
		acl("User:eve", "WRITE", "ALLOW"), acl("User:eve", "WRITE", "DENY"), acl("User:bob", "WRITE", "ALLOW"),
		{ "_", "PREFIXED", "User:*", "10.0.0.1", "WRITE", "ALLOW", NULL },
	};
	struct admin_acls acls = { items, ARRAY_LEN(items), true };

	ck_assert_str_eq(rights_writers(&acls, "User:krmirror", &arena), "User:bob, User:* (prefixed _)");
	acls.n = 2;
	ck_assert_ptr_null(rights_writers(&acls, "User:krmirror", &arena));
}
END_TEST

TCase *rights_tests(void)
{
	TCase *tc = tcase_create("rights");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, groups_that_are_kept_in_step_have_their_rights);
	tcase_add_test(tc, each_topic_of_each_side_has_its_rights);
	tcase_add_test(tc, a_prefix_is_one_grant_for_all);
	tcase_add_test(tc, without_its_link_only_krmirrors_own_things_are_asked_for);
	tcase_add_test(tc, what_a_broker_says_is_believed_and_nothing_is_guessed);
	tcase_add_test(tc, a_right_on_the_cluster_can_stand_for_another);
	tcase_add_test(tc, topics_that_are_not_named_yet_are_known_only_where_all_are_granted);
	tcase_add_test(tc, writers_are_who_is_allowed_and_not_denied);
	return tc;
}
