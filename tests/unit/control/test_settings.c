/* SPDX-License-Identifier: Apache-2.0 */
#include "control/config_plan.h"
#include "base/mem.h"
#include "test_control.h"

#include <string.h>

static struct admin_config modern[] = {
	{ "cleanup.policy", "delete", 5, false, false }, { "retention.ms", "604800000", 5, false, false },
	{ "retention.bytes", "-1", 5, false, false }, { "compression.type", "producer", 5, false, false },
	{ "message.timestamp.type", "CreateTime", 5, false, false }, { "max.message.bytes", "1048588", 5, false, false },
	{ "message.timestamp.before.max.ms", "9223372036854775807", 5, false, false },
	{ "message.timestamp.after.max.ms", "3600000", 5, false, false },
	{ "segment.bytes", "1073741824", 5, false, false }, { "min.insync.replicas", "1", 5, false, false },
	{ "delete.retention.ms", "86400000", 5, false, false },
	{ "follower.replication.throttled.replicas", "", 5, false, false },
};

static const struct admin_configs known = { modern, ARRAY_LEN(modern) };

static const char *get(const json_t *object, const char *name)
{
	const json_t *v = json_object_get(object, name);

	return v == NULL ? "absent" : json_is_null(v) ? "null" : json_string_value(v);
}

START_TEST(a_mirror_keeps_everything_and_gets_its_own_back)
{
	struct admin_config own[] = {
		{ "retention.ms", "1000", 1, false, false }, { "cleanup.policy", "compact,delete", 1, false, false },
		{ "max.message.bytes", "5000000", 1, false, false }, { "segment.bytes", "2097152", 1, false, false },
		{ "min.insync.replicas", "2", 1, false, false }, { "delete.retention.ms", "7", 4, false, false },
		{ "message.timestamp.type", "LogAppendTime", 1, false, false },
		{ "follower.replication.throttled.replicas", "*", 1, false, false },
		{ "message.format.version", "2.8", 1, false, false },
	};
	struct admin_configs source = { own, ARRAY_LEN(own) };
	struct settings_in in = { &source, &known, NULL };
	struct settings_out out;
	struct err err = { 0 };

	ck_assert_int_eq(settings_plan(&in, &out, &err), RC_OK);
	ck_assert_str_eq(get(out.create, "cleanup.policy"), "compact,delete");
	ck_assert_str_eq(get(out.create, "retention.ms"), "-1");
	ck_assert_str_eq(get(out.create, "retention.bytes"), "-1");
	ck_assert_str_eq(get(out.create, "compression.type"), "producer");
	ck_assert_str_eq(get(out.create, "message.timestamp.type"), "CreateTime");
	ck_assert_str_eq(get(out.create, "message.timestamp.after.max.ms"), "9223372036854775807");
	ck_assert_str_eq(get(out.create, "message.timestamp.difference.max.ms"), "absent");
	ck_assert_str_eq(get(out.create, "max.message.bytes"), "5000000");
	ck_assert_str_eq(get(out.create, "segment.bytes"), "2097152");
	ck_assert_str_eq(get(out.create, "min.insync.replicas"), "absent");
	ck_assert_str_eq(get(out.create, "delete.retention.ms"), "absent");
	ck_assert_str_eq(get(out.create, "follower.replication.throttled.replicas"), "absent");
	ck_assert_str_eq(get(out.create, "message.format.version"), "absent");
	ck_assert_str_eq(get(out.promotion, "retention.ms"), "1000");
	ck_assert_str_eq(get(out.promotion, "retention.bytes"), "null");
	ck_assert_str_eq(get(out.promotion, "cleanup.policy"), "compact,delete");
	ck_assert_str_eq(get(out.promotion, "message.timestamp.type"), "LogAppendTime");
	ck_assert_str_eq(get(out.promotion, "segment.bytes"), "absent");
	json_decref(out.create);
	json_decref(out.promotion);
	json_decref(out.given);
}
END_TEST

struct policy {
	const char *source, *mirror;
};

static const struct policy policies[] = {
	{ "delete", "delete" }, { "compact", "compact" }, { "compact,delete", "compact,delete" },
	{ "delete,compact", "compact,delete" }, { "delete, compact", "compact,delete" }, { "", "delete" },
};

START_TEST(policies_are_kept_in_kind)
{
	struct admin_config own[] = { { "cleanup.policy", policies[_i].source, 4, false, false } };
	struct admin_configs source = { own, 1 };
	struct settings_in in = { &source, &known, NULL };
	struct settings_out out;
	struct err err = { 0 };

	ck_assert_int_eq(settings_plan(&in, &out, &err), RC_OK);
	ck_assert_str_eq(get(out.create, "cleanup.policy"), policies[_i].mirror);
	ck_assert_str_eq(get(out.promotion, "cleanup.policy"), "null");
	json_decref(out.create);
	json_decref(out.promotion);
	json_decref(out.given);
}
END_TEST

START_TEST(old_and_new_timestamp_limits_are_mapped)
{
	struct admin_config own[] = { { "message.timestamp.difference.max.ms", "60000", 1, false, false } };
	struct admin_config old_names[] = { { "message.timestamp.difference.max.ms", "1", 5, false, false } };
	struct admin_configs source = { own, 1 }, old = { old_names, 1 };
	struct settings_in in = { &source, &known, NULL };
	struct settings_out out;
	struct err err = { 0 };

	ck_assert_int_eq(settings_plan(&in, &out, &err), RC_OK);
	ck_assert_str_eq(get(out.promotion, "message.timestamp.before.max.ms"), "60000");
	ck_assert_str_eq(get(out.promotion, "message.timestamp.after.max.ms"), "60000");
	ck_assert_str_eq(get(out.promotion, "message.timestamp.difference.max.ms"), "absent");
	json_decref(out.create);
	json_decref(out.promotion);
	json_decref(out.given);
	in.known = &old;
	ck_assert_int_eq(settings_plan(&in, &out, &err), RC_OK);
	ck_assert_str_eq(get(out.create, "message.timestamp.difference.max.ms"), "9223372036854775807");
	ck_assert_str_eq(get(out.create, "message.timestamp.before.max.ms"), "absent");
	ck_assert_str_eq(get(out.promotion, "message.timestamp.difference.max.ms"), "60000");
	json_decref(out.create);
	json_decref(out.promotion);
	json_decref(out.given);
}
END_TEST

START_TEST(given_settings_are_set_or_kept_for_the_promotion)
{
	struct admin_configs source = { NULL, 0 };
	struct props given = { 0 };
	struct settings_in in = { &source, &known, &given };
	struct settings_out out;
	struct err err = { 0 };

	props_set(&given, "retention.ms", "5", "--config", 0);
	props_set(&given, "segment.bytes", "9", "--config", 0);
	ck_assert_int_eq(settings_plan(&in, &out, &err), RC_OK);
	ck_assert_str_eq(get(out.create, "retention.ms"), "-1");
	ck_assert_str_eq(get(out.promotion, "retention.ms"), "5");
	ck_assert_str_eq(get(out.given, "retention.ms"), "5");
	ck_assert_str_eq(get(out.given, "segment.bytes"), "9");
	ck_assert_str_eq(get(out.create, "segment.bytes"), "9");
	json_decref(out.create);
	json_decref(out.promotion);
	json_decref(out.given);
	props_set(&given, "retention", "5", "--config", 0);
	ck_assert_int_eq(settings_plan(&in, &out, &err), RC_USAGE);
	json_decref(out.create);
	json_decref(out.promotion);
	json_decref(out.given);
	props_fini(&given);
}
END_TEST

START_TEST(a_promotion_sets_what_follows_as_the_source_has_it_then)
{
	struct admin_config own[] = { { "max.message.bytes", "900000", 1, false, false },
				      { "retention.ms", "1000", 1, false, false },
				      { "compression.type", "gzip", 1, false, false } };
	struct admin_configs source = { own, ARRAY_LEN(own) };
	struct mirror_wish wish = { .settings = json_pack("{s:n, s:n, s:n}", "max.message.bytes", "retention.ms",
							  "compression.type") };
	json_t *latest = config_latest(&wish, &source, NULL);

	ck_assert_str_eq(get(latest, "max.message.bytes"), "900000");
	ck_assert_str_eq(get(latest, "retention.ms"), "1000");
	ck_assert_str_eq(get(latest, "compression.type"), "absent");
	json_decref(latest);
	own[0].source = 5;   /* a default of the broker */
	latest = config_latest(&wish, &source, "compression.type,max.message.bytes");
	ck_assert_str_eq(get(latest, "max.message.bytes"), "null");
	ck_assert_str_eq(get(latest, "retention.ms"), "absent");
	ck_assert_str_eq(get(latest, "compression.type"), "gzip");
	json_decref(latest);
	json_decref(wish.settings);
}
END_TEST

/* --- following the source ------------------------------------------------------------------------------------ */

struct follow_case {
	struct admin_config source, here;    /* one of each that differs from the mirror as it was made */
	const char *include;
	bool opened;
	const char *settings;                /* what is recorded of the name then; "absent": nothing new */
	const char *alter;                   /* what it is altered to; "absent": left alone */
	bool put_back;
};

#define SET(name, value) { name, value, 1, false, false }
#define DEFAULT(name, value) { name, value, 5, false, false }

static const struct follow_case follow_cases[] = {
	/* held open: recorded, not applied */
	{ SET("retention.ms", "1000"), SET("retention.ms", "-1"), NULL, false, "1000", "absent", false },
	{ DEFAULT("retention.ms", "604800000"), SET("retention.ms", "5"), NULL, false, "absent", "-1", true },
	{ SET("compression.type", "gzip"), SET("compression.type", "producer"), NULL, false, "absent", "absent", false },
	{ SET("compression.type", "gzip"), SET("compression.type", "lz4"), NULL, false, "absent", "producer", true },
	{ SET("compression.type", "gzip"), SET("compression.type", "producer"), "compression.type", false, "gzip", "absent",
	  false },
	{ SET("message.timestamp.type", "LogAppendTime"), SET("message.timestamp.type", "CreateTime"), NULL, false,
	  "LogAppendTime", "absent", false },
	/* limits go up with the source's, and stay */
	{ SET("max.message.bytes", "2000000"), SET("max.message.bytes", "1048588"), NULL, false, "2000000", "2000000", false },
	{ SET("max.message.bytes", "1000"), SET("max.message.bytes", "1048588"), NULL, false, "1000", "absent", false },
	{ DEFAULT("max.message.bytes", "1048588"), SET("max.message.bytes", "9000000"), NULL, false, "absent", "absent", false },
	{ DEFAULT("max.message.bytes", "1048588"), SET("max.message.bytes", "10"), NULL, false, "absent", "1048588", true },
	/* the policy, in kind; but not while records are deleted */
	{ SET("cleanup.policy", "compact"), SET("cleanup.policy", "delete"), NULL, false, "compact", "compact", false },
	{ SET("cleanup.policy", "compact"), SET("cleanup.policy", "delete"), NULL, true, "compact", "absent", false },
	{ DEFAULT("cleanup.policy", "delete"), SET("cleanup.policy", "compact"), NULL, false, "absent", "delete", true },
	/* what may be as the source has it */
	{ SET("delete.retention.ms", "7"), DEFAULT("delete.retention.ms", "86400000"), NULL, false, "absent", "7", false },
	{ DEFAULT("delete.retention.ms", "86400000"), SET("delete.retention.ms", "7"), NULL, false, "absent", "null", false },
	{ SET("segment.ms", "7"), DEFAULT("segment.ms", "86400000"), NULL, false, "absent", "absent", false },
	{ SET("segment.ms", "7"), DEFAULT("segment.ms", "86400000"), "segment.ms", false, "absent", "7", false },
	{ SET("min.insync.replicas", "2"), DEFAULT("min.insync.replicas", "1"), NULL, false, "absent", "absent", false },
	{ SET("min.insync.replicas", "2"), DEFAULT("min.insync.replicas", "1"), "min.insync.replicas", false, "absent", "2",
	  false },
	{ SET("flush.ms", "7"), SET("flush.ms", "7"), "flush.ms", false, "absent", "absent", false },
};

static const struct admin_config as_made[] = {
	SET("cleanup.policy", "delete"), SET("retention.ms", "-1"), SET("retention.bytes", "-1"),
	SET("compression.type", "producer"), SET("message.timestamp.type", "CreateTime"), SET("max.message.bytes", "1048588"),
	SET("message.timestamp.before.max.ms", "9223372036854775807"),
	SET("message.timestamp.after.max.ms", "9223372036854775807"),
};
static const struct admin_config as_born[] = {
	DEFAULT("cleanup.policy", "delete"), DEFAULT("retention.ms", "604800000"), DEFAULT("retention.bytes", "-1"),
	DEFAULT("compression.type", "producer"), DEFAULT("message.timestamp.type", "CreateTime"),
	DEFAULT("max.message.bytes", "1048588"), DEFAULT("message.timestamp.before.max.ms", "9223372036854775807"),
	DEFAULT("message.timestamp.after.max.ms", "3600000"),
};

/* The list with one of it as given, or one more. */
static struct admin_configs with(const struct admin_config *list, int n, const struct admin_config *one,
				 struct admin_config *items)
{
	struct admin_configs configs = { items, n };

	memcpy(items, list, (size_t)n * sizeof(*items));
	for (int i = 0; i < n; i++)
		if (strcmp(items[i].name, one->name) == 0) {
			items[i] = *one;
			return configs;
		}
	items[configs.n++] = *one;
	return configs;
}

static struct mirror_wish made_wish(void)
{
	struct mirror_wish wish = { .settings = json_object(), .create_settings = json_object() };

	for (size_t i = 0; i < ARRAY_LEN(as_made); i++) {
		json_object_set_new(wish.settings, as_made[i].name, json_null());
		json_object_set_new(wish.create_settings, as_made[i].name, json_string(as_made[i].value));
	}
	return wish;
}

START_TEST(settings_follow_the_source_in_their_class)
{
	const struct follow_case *c = &follow_cases[_i];
	struct admin_config there[10], here[10];
	struct admin_configs source = with(as_born, ARRAY_LEN(as_born), &c->source, there);
	struct admin_configs destination = with(as_made, ARRAY_LEN(as_made), &c->here, here);
	struct mirror_wish wish = made_wish();
	struct config_seen seen = { &wish, &source, &destination, c->include, c->opened };
	struct config_plan plan;
	bool any = config_plan(&seen, &plan);

	ck_assert_str_eq(plan.settings == NULL ? "absent" : get(plan.settings, c->source.name), c->settings);
	ck_assert_str_eq(get(plan.alter, c->source.name), c->alter);
	ck_assert_int_eq(json_object_get(plan.put_back, c->source.name) != NULL, c->put_back);
	ck_assert_int_eq((int)json_object_size(plan.alter), strcmp(c->alter, "absent") != 0);
	ck_assert_int_eq(any, plan.settings != NULL || plan.create_settings != NULL || json_object_size(plan.alter) > 0);
	config_plan_fini(&plan);

	/* what was given stays as it is, but what must be held open */
	wish.given_settings = json_pack("{s:s}", c->source.name, "x");
	config_plan(&seen, &plan);
	ck_assert(plan.settings == NULL);
	ck_assert(setting_is_forced(c->source.name) || json_object_size(plan.alter) == 0);
	config_plan_fini(&plan);
	json_decref(wish.given_settings);
	json_decref(wish.settings);
	json_decref(wish.create_settings);
}
END_TEST

/* Only those that are asked for, as a broker would answer. */
static struct admin_configs asked(const struct admin_configs *all, const char *include, struct admin_config *items)
{
	const char *keys[CONFIG_KEYS_MAX];
	struct admin_configs answer = { items, 0 };
	int n = config_keys(include, keys);

	for (int i = 0; i < all->n; i++)
		for (int k = 0; k < n; k++)
			if (strcmp(all->items[i].name, keys[k]) == 0)
				items[answer.n++] = all->items[i];
	return answer;
}

START_TEST(what_is_asked_for_is_enough_to_decide)
{
	const struct follow_case *c = &follow_cases[_i];
	struct admin_config there[10], here[10], few_there[10], few_here[10];
	struct admin_configs source = with(as_born, ARRAY_LEN(as_born), &c->source, there);
	struct admin_configs destination = with(as_made, ARRAY_LEN(as_made), &c->here, here);
	struct admin_configs few_source = asked(&source, c->include, few_there);
	struct admin_configs few_destination = asked(&destination, c->include, few_here);
	struct mirror_wish wish = made_wish();
	struct config_seen all = { &wish, &source, &destination, c->include, c->opened };
	struct config_seen few = { &wish, &few_source, &few_destination, c->include, c->opened };
	struct config_plan by_all, by_few;

	ck_assert(config_plan(&all, &by_all) == config_plan(&few, &by_few));
	ck_assert(json_equal(by_all.settings, by_few.settings) || by_all.settings == by_few.settings);
	ck_assert(json_equal(by_all.create_settings, by_few.create_settings) ||
		  by_all.create_settings == by_few.create_settings);
	ck_assert(json_equal(by_all.alter, by_few.alter));
	ck_assert(json_equal(by_all.put_back, by_few.put_back));
	config_plan_fini(&by_all);
	config_plan_fini(&by_few);
	json_decref(wish.settings);
	json_decref(wish.create_settings);
}
END_TEST

START_TEST(a_source_that_says_nothing_changes_nothing)
{
	struct mirror_wish wish = made_wish();
	struct admin_configs none = { 0 };
	struct config_seen seen = { &wish, &none, &none, NULL, false };
	struct config_plan plan;

	ck_assert(!config_plan(&seen, &plan));
	config_plan_fini(&plan);
	json_decref(wish.settings);
	json_decref(wish.create_settings);
}
END_TEST

#define LEAST "cleanup.policy, max.message.bytes,message.timestamp.type,message.timestamp.difference.max.ms"

START_TEST(lists_of_what_follows_are_checked)
{
	struct err err = { 0 };

	ck_assert_int_eq(config_include_check(NULL, &err), RC_OK);
	ck_assert_int_eq(config_include_check(LEAST, &err), RC_OK);
	ck_assert_int_eq(config_include_check(LEAST ",segment.ms,confluent.segment.speculative.prefetch.enable", &err), RC_OK);
	ck_assert_int_eq(config_include_check("cleanup.policy", &err), RC_USAGE);
	ck_assert_int_eq(config_include_check(LEAST ",follower.replication.throttled.replicas", &err), RC_USAGE);
	ck_assert(config_follows(NULL, "retention.ms") && !config_follows(NULL, "segment.ms"));
	ck_assert(config_follows(LEAST, "cleanup.policy") && !config_follows(LEAST, "retention.ms"));
}
END_TEST

TCase *settings_tests(void)
{
	TCase *tc = tcase_create("settings");

	tcase_add_test(tc, a_mirror_keeps_everything_and_gets_its_own_back);
	tcase_add_loop_test(tc, policies_are_kept_in_kind, 0, ARRAY_LEN(policies));
	tcase_add_test(tc, old_and_new_timestamp_limits_are_mapped);
	tcase_add_test(tc, given_settings_are_set_or_kept_for_the_promotion);
	tcase_add_test(tc, a_promotion_sets_what_follows_as_the_source_has_it_then);
	tcase_add_loop_test(tc, settings_follow_the_source_in_their_class, 0, ARRAY_LEN(follow_cases));
	tcase_add_loop_test(tc, what_is_asked_for_is_enough_to_decide, 0, ARRAY_LEN(follow_cases));
	tcase_add_test(tc, a_source_that_says_nothing_changes_nothing);
	tcase_add_test(tc, lists_of_what_follows_are_checked);
	return tc;
}
