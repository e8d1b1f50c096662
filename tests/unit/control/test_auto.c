/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "control/auto_plan.h"
#include "test_control.h"

#include <string.h>

#define FILTER(name, pattern, filter) \
	"{\"name\":\"" name "\",\"patternType\":\"" pattern "\",\"filterType\":\"" filter "\"}"
#define FILTERS(list) "{\"topicFilters\":[" list "]}"
#define ALL FILTERS(FILTER("*", "LITERAL", "INCLUDE"))

struct given {
	const char *filters, *regex, *prefix, *format;
};

static int rules_of(const struct given *given, struct topic_rules *rules, struct err *err)
{
	struct props props = { 0 };
	int rc;

	if (given->filters != NULL)
		props_set(&props, "auto.create.mirror.topics.filters", given->filters, "test", 1);
	if (given->regex != NULL)
		props_set(&props, "mirror.topics.regex", given->regex, "test", 1);
	if (given->prefix != NULL)
		props_set(&props, "cluster.link.prefix", given->prefix, "test", 1);
	if (given->format != NULL)
		props_set(&props, "mirror.topic.rename.format", given->format, "test", 1);
	rc = topic_rules_read(rules, &props, "_control", err);
	props_fini(&props);
	return rc;
}

struct match_case {
	struct given given;
	const char *topic;
	enum topic_match match;
};

static const struct match_case matches[] = {
	{ { .filters = ALL }, "orders", TOPIC_WIDE },
	{ { .filters = ALL }, "__consumer_offsets", TOPIC_OUT },
	{ { .filters = ALL }, "_krmirror", TOPIC_OUT },
	{ { .filters = ALL }, "_control", TOPIC_OUT },
	{ { .filters = ALL }, "krmirror-drill-1", TOPIC_OUT },
	{ { .filters = ALL }, "mm2-offsets.east.internal", TOPIC_OUT },
	{ { .filters = ALL }, "heartbeats", TOPIC_OUT },
	{ { .filters = ALL }, "_schemas", TOPIC_WIDE },
	{ { .filters = FILTERS(FILTER("orders", "LITERAL", "INCLUDE")) }, "orders", TOPIC_LITERAL },
	{ { .filters = FILTERS(FILTER("orders", "LITERAL", "INCLUDE")) }, "orders2", TOPIC_OUT },
	{ { .filters = FILTERS(FILTER("heartbeats", "LITERAL", "INCLUDE")) }, "heartbeats", TOPIC_LITERAL },
	{ { .filters = FILTERS(FILTER("_krmirror", "LITERAL", "INCLUDE")) }, "_krmirror", TOPIC_OUT },
	{ { .filters = FILTERS(FILTER("krmirror-drill-1", "LITERAL", "INCLUDE")) },
	  "krmirror-drill-1", TOPIC_OUT },
	{ { .filters = FILTERS(FILTER("ord", "PREFIXED", "INCLUDE")) }, "orders", TOPIC_WIDE },
	{ { .filters = FILTERS(FILTER("ord", "prefixed", "whitelist") "," FILTER("orders", "literal", "include")) },
	  "orders", TOPIC_LITERAL },
	{ { .filters = FILTERS(FILTER("*", "LITERAL", "INCLUDE") "," FILTER("_", "PREFIXED", "EXCLUDE")) },
	  "_schemas", TOPIC_OUT },
	{ { .filters = FILTERS(FILTER("*", "LITERAL", "INCLUDE") "," FILTER("orders", "LITERAL", "BLACKLIST")) },
	  "orders", TOPIC_OUT },
	{ { .filters = FILTERS(FILTER("orders", "LITERAL", "EXCLUDE")), .regex = "or.*" },
	  "orders", TOPIC_OUT },
	{ { .regex = "or.*" }, "orders", TOPIC_WIDE },
	{ { .regex = "or" }, "orders", TOPIC_OUT },
	{ { .regex = "pay.*,or[a-z,]{2,4}s" }, "orders", TOPIC_WIDE },
	{ { .regex = ".*" }, "krmirror-drill-9", TOPIC_OUT },
	{ { .regex = NULL }, "orders", TOPIC_OUT },
};

START_TEST(topics_match_by_filters_and_expression)
{
	const struct match_case *c = &matches[_i];
	struct topic_rules rules;
	struct err err = { 0 };

	ck_assert_int_eq(rules_of(&c->given, &rules, &err), RC_OK);
	ck_assert_int_eq(topic_rules_match(&rules, c->topic), c->match);
	topic_rules_fini(&rules);
}
END_TEST

static const struct given bad[] = {
	{ .regex = "(" }, { .regex = "(a)\\1" }, { .regex = "(a{2}){2}" }, { .regex = "a{999}" }, { .regex = "a{1,999}" },
	{ .format = "east" }, { .format = "${topic}${topic}" }, { .format = "a/${topic}" },
};

START_TEST(what_cannot_be_used_is_refused)
{
	struct topic_rules rules;
	struct err err = { 0 };

	ck_assert_int_eq(rules_of(&bad[_i], &rules, &err), RC_USAGE);
	topic_rules_fini(&rules);
}
END_TEST

struct name_case {
	struct given given;
	const char *source, *mirror;
};

static const struct name_case names[] = {
	{ { .prefix = NULL }, "orders", "orders" },
	{ { .prefix = "east." }, "orders", "east.orders" },
	{ { .format = "${topic}.copy" }, "orders", "orders.copy" },
	{ { .prefix = "e.", .format = "a-${topic}-z" }, "orders", "e.a-orders-z" },
};

START_TEST(names_go_there_and_back)
{
	struct topic_rules rules;
	struct err err = { 0 };
	char *mirror, *source;

	ck_assert_int_eq(rules_of(&names[_i].given, &rules, &err), RC_OK);
	mirror = topic_rules_mirror(&rules, names[_i].source);
	source = topic_rules_source(&rules, names[_i].mirror);
	ck_assert_str_eq(mirror, names[_i].mirror);
	ck_assert_str_eq(source, names[_i].source);
	xfree(mirror);
	xfree(source);
	if (names[_i].mirror[0] != 'o')
		ck_assert_ptr_null(topic_rules_source(&rules, "orders"));
	ck_assert_ptr_null(topic_rules_source(&rules, ""));
	topic_rules_fini(&rules);
}
END_TEST

/* --- the plan ------------------------------------------------------------------------------------------------ */

static struct admin_topic topics[] = {
	{ .name = "__transaction_state", .internal = true, .n_partitions = 50 }, { .name = "a", .n_partitions = 1 },
	{ .name = "b", .n_partitions = 1 }, { .name = "c", .n_partitions = 1 }, { .name = "d", .n_partitions = 1 },
	{ .name = "e", .n_partitions = 1, .error = 29 }, { .name = "f", .n_partitions = 1 },
};

static json_t *set(const char *names_of)
{
	json_t *all = json_object();
	char one[2] = "";

	for (const char *p = names_of; *p != '\0'; p++) {
		one[0] = *p;
		json_object_set_new(all, one, json_string("other"));
	}
	return all;
}

static const char *joined(const struct auto_item *items, int n, char *text)
{
	for (int i = 0; i < n; i++)
		text[i] = items[i].mirror[0];
	text[n] = '\0';
	return text;
}

struct plan_case {
	struct given given;
	const char *there;           /* NULL: may not be read */
	const char *here, *mirrors, *sources, *forgotten, *unfinished;
	const char *create, *exists;
	bool narrowed;
};

#define SOME FILTERS(FILTER("a", "LITERAL", "INCLUDE") "," FILTER("b", "LITERAL", "INCLUDE"))

static const struct plan_case plans[] = {
	{ { .filters = ALL }, "", "", "", "", "", "", "abcdf", "", false },
	/* what the source mirrors itself is left alone, silently */
	{ { .filters = ALL }, "bd", "b", "", "", "", "", "acf", "", false },
	/* nobody knows what is a mirror there */
	{ { .filters = ALL }, NULL, "", "", "", "", "", "", "", true },
	{ { .filters = SOME }, NULL, "", "", "", "", "", "ab", "", false },
	{ { .filters = FILTERS(FILTER("*", "LITERAL", "INCLUDE") "," FILTER("c", "LITERAL", "INCLUDE")) },
	  NULL, "", "", "", "", "", "c", "", true },
	/* a topic here that is no mirror is told; our own mirrors are not */
	{ { .filters = ALL }, "", "ab", "a", "a", "", "", "cdf", "b", false },
	{ { .filters = ALL }, "", "a", "a", "", "", "", "bcdf", "a", false },
	/* mirrored under another name */
	{ { .filters = ALL }, "", "", "", "c", "", "", "abdf", "", false },
	{ { .filters = ALL }, "", "a", "", "", "ab", "", "cdf", "", false },
	{ { .filters = ALL }, "", "a", "a", "", "", "a", "abcdf", "", false },
	{ { .regex = "[a-b]" }, "", "", "", "", "", "", "ab", "", false },
};

START_TEST(the_plan_takes_only_what_is_nobody_s)
{
	const struct plan_case *c = &plans[_i];
	struct auto_seen seen = {
		.topics = topics, .n = ARRAY_LEN(topics), .mirrors_there = c->there != NULL ? set(c->there) : NULL,
		.topics_here = set(c->here), .mirrors_here = set(c->mirrors), .sources = set(c->sources),
		.forgotten = set(c->forgotten), .unfinished = set(c->unfinished), .link = "link",
	};
	struct topic_rules rules;
	struct auto_plan plan;
	struct arena arena;
	struct err err = { 0 };
	char text[20];

	arena_init(&arena, 0);
	ck_assert_int_eq(rules_of(&c->given, &rules, &err), RC_OK);
	plan = auto_plan(&rules, &seen, &arena);
	ck_assert_str_eq(joined(plan.create, plan.n_create, text), c->create);
	ck_assert_str_eq(joined(plan.exists, plan.n_exists, text), c->exists);
	ck_assert_int_eq(plan.narrowed, c->narrowed);
	ck_assert(auto_plan_any(&rules, &seen));
	ck_assert_int_eq(topic_rules_are_wide(&rules), c->given.filters == NULL || strstr(c->given.filters, "*") != NULL);
	topic_rules_fini(&rules);
	arena_fini(&arena);
	json_decref((json_t *)(uintptr_t)seen.mirrors_there);
	json_decref((json_t *)(uintptr_t)seen.topics_here);
	json_decref((json_t *)(uintptr_t)seen.mirrors_here);
	json_decref((json_t *)(uintptr_t)seen.sources);
	json_decref((json_t *)(uintptr_t)seen.forgotten);
	json_decref((json_t *)(uintptr_t)seen.unfinished);
}
END_TEST

TCase *auto_tests(void)
{
	TCase *tc = tcase_create("auto");

	tcase_add_loop_test(tc, topics_match_by_filters_and_expression, 0, ARRAY_LEN(matches));
	tcase_add_loop_test(tc, what_cannot_be_used_is_refused, 0, ARRAY_LEN(bad));
	tcase_add_loop_test(tc, names_go_there_and_back, 0, ARRAY_LEN(names));
	tcase_add_loop_test(tc, the_plan_takes_only_what_is_nobody_s, 0, ARRAY_LEN(plans));
	return tc;
}
