/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of a link's settings, the dialects of files, and filters. */
#include "test_control.h"

#include "base/mem.h"
#include "control/filters.h"
#include "control/keys.h"
#include "control/link_conf.h"
#include "control/link_config.h"

#include <string.h>

/* ---- changes ---- */

static int apply(const char *now_text, const char *set_text, const char *unset, struct props *next, struct err *err)
{
	struct props now = { 0 }, set = { 0 };
	struct link_config_change change = { .name = "l", .set = &set, .unset = unset };
	int rc;

	ck_assert_int_eq(props_parse(&now, "log", now_text, strlen(now_text), err), RC_OK);
	ck_assert_int_eq(props_parse(&set, "file", set_text, strlen(set_text), err), RC_OK);
	rc = link_config_apply(&now, &change, next, err);
	props_fini(&now);
	props_fini(&set);
	return rc;
}

START_TEST(a_change_leaves_the_rest)
{
	struct props next = { 0 };
	struct err err = { 0 };

	ck_assert_int_eq(apply("bootstrap.servers=a:1\nclient.id=x\nmetadata.max.age.ms=1000\n",
			       "client.id=y\nretry.backoff.ms=\ndest.cluster.id=shown\n", " metadata.max.age.ms ,",
			       &next, &err), RC_OK);
	ck_assert_int_eq(next.n, 3);
	ck_assert_str_eq(props_get(&next, "bootstrap.servers"), "a:1");
	ck_assert_str_eq(props_get(&next, "client.id"), "y");
	ck_assert_str_eq(props_get(&next, "retry.backoff.ms"), "");
	ck_assert_ptr_null(props_find(&next, "metadata.max.age.ms"));
	props_fini(&next);
}
END_TEST

START_TEST(what_made_the_link_stays)
{
	static const struct {
		const char *now, *set, *unset, *says;
	} rows[] = {
		{ "client.id=x\n", "link.mode=SOURCE\n", NULL, "link.mode of a link cannot be changed" },
		{ "client.id=x\n", "connection.mode=INBOUND\n", NULL, "connection.mode of a link cannot be changed" },
		{ "client.id=x\n", "cluster.link.prefix=a.\n", NULL, "cluster.link.prefix of a link cannot be changed" },
		{ "cluster.link.prefix=a.\n", "", "cluster.link.prefix", "it is a." },
		{ "client.id=x\n", "", "nothing.of.ours", "unknown key" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct props next = { 0 };
		struct err err = { 0 };

		ck_assert_int_eq(apply(rows[i].now, rows[i].set, rows[i].unset, &next, &err), RC_USAGE);
		ck_assert_msg(strstr(err.text, rows[i].says) != NULL, "%s", err.text);
		props_fini(&next);
	}
}
END_TEST

START_TEST(the_same_again_is_no_change)
{
	struct props next = { 0 };
	struct err err = { 0 };

	ck_assert_int_eq(apply("cluster.link.prefix=a.\n", "cluster.link.prefix=a.\nlink.mode=destination\n", NULL, &next, &err),
			 RC_OK);
	props_fini(&next);
}
END_TEST

/* ---- dialects ---- */

/* As the demos of Cluster Linking have it: escaped braces, tabs behind values, no line that enables the offsets. */
static const char sample[] =
	"consumer.offset.group.filters=\\{\"groupFilters\": [\\{\"name\": \"*\",\"patternType\": \"LITERAL\","
	"\"filterType\": \"INCLUDE\"}]}\t\t\t\n"
	"consumer.offset.sync.ms=1000\nacl.sync.enable=true\nacl.sync.ms=1000\n"
	"acl.filters=\\{ \"aclFilters\": [ \\{ \"resourceFilter\": \\{ \"resourceType\": \"any\", \"patternType\": \"any\" }, "
	"\"accessFilter\": \\{ \"operation\": \"any\", \"permissionType\": \"any\" } } ] }\t\t\n"
	"topic.config.sync.ms=1000\nsecurity.protocol=SASL_SSL\nsasl.mechanism=PLAIN\t\t\t\t\n"
	"sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required "
	"username=\"secret\" password=\"key\";\n"
	"bootstrap.servers=SASL_SSL://a:9092,SASL_SSL://b:9092\n";

START_TEST(the_sample_of_the_demos_is_read)
{
	struct notes notes = { 0 };
	struct err err = { 0 };
	struct link_conf conf;
	bool told = false, quoted;
	json_t *json;

	ck_assert_msg(read_link(sample, &conf, &notes, &err) == RC_OK, "%s", err.text);
	for (int i = 0; i < notes.n; i++)
		told |= strstr(notes.lines[i], "consumer.offset.group.filters has no effect: add the line "
			       "consumer.offset.sync.enable=true") != NULL;
	ck_assert(told);
	ck_assert_str_eq(props_get(&conf.props, "sasl.mechanism"), "PLAIN");
	ck_assert_int_eq(conf.source.n_bootstrap, 2);
	json = keys_json(props_get(&conf.props, "acl.filters"), &quoted, &err);
	ck_assert(json != NULL && !quoted);
	json_decref(json);
	link_conf_fini(&conf);
	notes_fini(&notes);
}
END_TEST

/* The Confluent CLI keeps backslashes, and others quote the whole value: what is left of each is JSON in the end. */
START_TEST(quoted_and_escaped_json_is_plain_json_in_the_end)
{
	static const char *const values[] = {
		"{\"groupFilters\": []}", "\\{\"groupFilters\": []\\}", "\"{\\\"groupFilters\\\": []}\"",
		"\\\\{\"groupFilters\": []\\\\}", "\"{\\\\\"groupFilters\\\\\": []}\"", "\\{\"groupFilters\":\\\n  []}  ",
	};

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct notes notes = { 0 };
		struct err err = { 0 };
		struct link_conf conf;
		json_error_t why;
		json_t *json;
		char *text = xasprintf("bootstrap.servers=a:1\nconsumer.offset.sync.enable=true\n"
				       "consumer.offset.group.filters=%s\n", values[i]);

		ck_assert_msg(read_link(text, &conf, &notes, &err) == RC_OK, "%s: %s", values[i], err.text);
		json = json_loads(props_get(&conf.props, "consumer.offset.group.filters"), 0, &why);
		ck_assert_msg(json != NULL, "%s: %s", values[i], why.text);
		json_decref(json);
		xfree(text);
		link_conf_fini(&conf);
		notes_fini(&notes);
	}
}
END_TEST

/* ---- filters ---- */

#define GROUPS "consumer.offset.group.filters"

static const struct {
	const char *setting, *json, *says, *hint;
} bad_filters[] = {
	{ GROUPS, "{\"groupFilter\":[]}", "unknown field \"groupFilter\"", "groupFilters" },
	{ GROUPS, "{\"topicFilters\":[]}", "unknown field \"topicFilters\"", "groupFilters" },
	{ GROUPS, "{}", "a list named groupFilters is needed", "INCLUDE" },
	{ GROUPS, "[]", "a list named groupFilters is needed", "INCLUDE" },
	{ GROUPS, "{\"groupFilters\":{}}", "a list named groupFilters is needed", "" },
	{ GROUPS, "{\"groupFilters\":[7]}", "groupFilters[0]: an object is needed", "name, patternType, filterType" },
	{ GROUPS, "{\"groupFilters\":[{\"name\":\"a\",\"patternType\":\"LITERAL\",\"filterType\":\"INCLUDE\"},{\"nam\":\"a\"}]}",
	  "groupFilters[1]: unknown field \"nam\"", "name, patternType, filterType" },
	{ GROUPS, "{\"groupFilters\":[{\"name\":\"a\",\"filterType\":\"INCLUDE\"}]}", "the field patternType is missing", "" },
	{ GROUPS, "{\"groupFilters\":[{\"name\":7,\"patternType\":\"LITERAL\",\"filterType\":\"INCLUDE\"}]}",
	  "name is no text", "" },
	{ GROUPS, "{\"groupFilters\":[{\"name\":\"a\",\"patternType\":\"REGEX\",\"filterType\":\"INCLUDE\"}]}",
	  "patternType \"REGEX\" is not known", "LITERAL|PREFIXED" },
	{ GROUPS, "{\"groupFilters\":[{\"name\":\"*\",\"patternType\":\"PREFIXED\",\"filterType\":\"INCLUDE\"}]}",
	  "the name * with patternType PREFIXED", "LITERAL" },
	{ "acl.filters", "{\"aclFilters\":[{\"resourceFilter\":{\"resourceType\":\"any\",\"patternType\":\"any\"}}]}",
	  "the field accessFilter is missing", "resourceFilter, accessFilter" },
	{ "acl.filters", "{\"aclFilters\":[{\"resourceFilter\":{\"resourceType\":\"any\",\"patternTyp\":\"any\"},"
	  "\"accessFilter\":{\"operation\":\"any\",\"permissionType\":\"any\"}}]}",
	  "aclFilters[0]: resourceFilter: unknown field \"patternTyp\"", "resourceType, patternType, name" },
	{ "acl.filters", "{\"aclFilters\":[{\"resourceFilter\":\"any\",\"accessFilter\":{}}]}", "resourceFilter: an object", "" },
};

START_TEST(a_bad_filter_names_entry_and_field)
{
	struct notes notes = { 0 };
	struct err err = { 0 };
	json_error_t why;
	json_t *json = json_loads(bad_filters[_i].json, 0, &why);

	ck_assert_ptr_nonnull(json);
	ck_assert_int_eq(filters_check(bad_filters[_i].setting, json, &notes, &err), RC_USAGE);
	ck_assert_msg(strstr(err.text, bad_filters[_i].says) != NULL, "%s", err.text);
	ck_assert_msg(strstr(err.hint, bad_filters[_i].hint) != NULL, "%s", err.hint);
	json_decref(json);
	notes_fini(&notes);
}
END_TEST

START_TEST(examples_are_good_and_old_words_too)
{
	static const char *const good[] = {
		"{\"topicFilters\":[{\"name\":\"orders\",\"patternType\":\"prefixed\",\"filterType\":\"whitelist\","
		"\"topicTypes\":[\"LOCAL\"]},{\"name\":\"_\",\"patternType\":\"PREFIXED\",\"filterType\":\"EXCLUDE\"}]}",
		"{\"topicFilters\":[]}",
	};
	static const char *const settings[] = { GROUPS, "acl.filters", "auto.create.mirror.topics.filters" };
	struct notes notes = { 0 };
	struct err err = { 0 };
	json_error_t why;

	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		json_t *json = json_loads(strchr(filters_example(settings[i]), '=') + 1, 0, &why);

		ck_assert_msg(filters_check(settings[i], json, &notes, &err) == RC_OK, "%s", err.text);
		json_decref(json);
	}
	ck_assert_int_eq(notes.n, 0);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		json_t *json = json_loads(good[i], 0, &why);

		ck_assert_msg(filters_check("auto.create.mirror.topics.filters", json, &notes, &err) == RC_OK, "%s", err.text);
		json_decref(json);
	}
	ck_assert_int_eq(notes.n, 1);
	notes_fini(&notes);
}
END_TEST

TCase *link_config_tests(void)
{
	TCase *tc = tcase_create("link_config");

	tcase_add_test(tc, a_change_leaves_the_rest);
	tcase_add_test(tc, what_made_the_link_stays);
	tcase_add_test(tc, the_same_again_is_no_change);
	tcase_add_test(tc, the_sample_of_the_demos_is_read);
	tcase_add_test(tc, quoted_and_escaped_json_is_plain_json_in_the_end);
	tcase_add_loop_test(tc, a_bad_filter_names_entry_and_field, 0, ARRAY_LEN(bad_filters));
	tcase_add_test(tc, examples_are_good_and_old_words_too);
	return tc;
}
