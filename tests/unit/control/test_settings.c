/* SPDX-License-Identifier: Apache-2.0 */
#include "control/settings.h"
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
	ck_assert_str_eq(get(out.given, "segment.bytes"), "absent");
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

START_TEST(a_promotion_sets_the_limit_that_the_source_has_then)
{
	struct admin_config own[] = { { "max.message.bytes", "900000", 1, false, false },
				      { "retention.ms", "1000", 1, false, false } };
	struct admin_configs source = { own, ARRAY_LEN(own) };
	json_t *latest = settings_latest(&source);

	ck_assert_str_eq(get(latest, "max.message.bytes"), "900000");
	ck_assert_str_eq(get(latest, "retention.ms"), "absent");
	json_decref(latest);
	own[0].source = 5;   /* a default of the broker */
	latest = settings_latest(&source);
	ck_assert_str_eq(get(latest, "max.message.bytes"), "null");
	json_decref(latest);
}
END_TEST

TCase *settings_tests(void)
{
	TCase *tc = tcase_create("settings");

	tcase_add_test(tc, a_mirror_keeps_everything_and_gets_its_own_back);
	tcase_add_loop_test(tc, policies_are_kept_in_kind, 0, ARRAY_LEN(policies));
	tcase_add_test(tc, old_and_new_timestamp_limits_are_mapped);
	tcase_add_test(tc, given_settings_are_set_or_kept_for_the_promotion);
	tcase_add_test(tc, a_promotion_sets_the_limit_that_the_source_has_then);
	return tc;
}
