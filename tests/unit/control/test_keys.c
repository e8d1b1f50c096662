/* SPDX-License-Identifier: Apache-2.0 */
#include "control/keys.h"
#include "base/mem.h"
#include "control/start_spec.h"
#include "test_control.h"

#include <string.h>

static const struct key_table *const link_tables[] = { &link_key_table, &client_key_table, NULL };

static int check_text(const char *text, bool lenient, struct notes *notes, struct err *err)
{
	struct props props = { 0 };
	int rc;

	ck_assert_int_eq(props_parse(&props, "link.config", text, strlen(text), err), RC_OK);
	rc = keys_check(link_tables, &props, lenient, notes, err);
	props_fini(&props);
	return rc;
}

struct refused {
	const char *text, *says, *hint;
};

static const struct refused refusals[] = {
	{ "bootstrap.server=a:1", "link.config:1: unknown key \"bootstrap.server\"", "bootstrap.servers" },
	{ "x=1\ny=2", "link.config:1: unknown key \"x\"", "" },
	{ "schema.registry.url=http://x", "unknown key", "" },
	{ "availability.check.ms=soon", "link.config:1: availability.check.ms: \"soon\" is not a duration", "" },
	{ "consumer.offset.sync.ms=10", "out of range: 1000 to", "" },
	{ "replica.fetch.max.bytes=lots", "is not a size", "" },
	{ "num.cluster.link.fetchers=1.5", "is not a number", "" },
	{ "num.cluster.link.fetchers=99999999999999999999", "is not a number", "" },
	{ "acl.sync.enable=yes", "neither true nor false", "" },
	{ "link.mode=SIDEWAYS", "none of DESTINATION|SOURCE|BIDIRECTIONAL", "" },
	{ "link.mode=", "none of", "" },
	{ "link.mode=DESTINATION|SOURCE", "none of", "" },
	{ "acl.filters={\"a\":", "not valid JSON", "" },
	{ "link.prefix=x", "cannot be set", "cluster.link.prefix" },
	{ "consumer.offset.sync.ms=1000 acl.sync.enable=true", "several keys on one line: acl.sync.enable",
	  "a line of its own" },
};

START_TEST(wrong_keys_and_values_are_refused_with_the_way_out)
{
	const struct refused *r = &refusals[_i];
	struct notes notes = { 0 };
	struct err err = { 0 };

	ck_assert_int_eq(check_text(r->text, false, &notes, &err), RC_USAGE);
	ck_assert_msg(strstr(err.text, r->says) != NULL, "%s", err.text);
	ck_assert_msg(strstr(err.hint, r->hint) != NULL, "%s", err.hint);
	notes_fini(&notes);
}
END_TEST

static const char *const goods[] = {
	"bootstrap.servers=a:1", "availability.check.ms=5m", "availability.check.ms=300000",
	"replica.fetch.max.bytes=2MiB", "acl.sync.enable=TRUE", "link.mode=destination",
	"acl.filters={\"aclFilters\":[]}", "acl.filters=\"{\\\\\"aclFilters\\\\\":[]}\"", "acl.filters=",
	"receive.buffer.bytes=-1", "connections.max.idle.ms=-1", "mirror.fill.limit=10000000000",
	"sasl.jaas.config=a.B required username=\"x\" password=\"y z=1\";",
};

START_TEST(right_values_pass_without_a_word)
{
	struct notes notes = { 0 };
	struct err err = { 0 };

	ck_assert_msg(check_text(goods[_i], false, &notes, &err) == RC_OK, "%s: %s", goods[_i], err.text);
	ck_assert_int_eq(notes.n, 0);
}
END_TEST

START_TEST(java_keys_are_noted_and_unknown_ones_are_one_warning_when_lenient)
{
	struct notes notes = { 0 };
	struct err err = { 0 };

	ck_assert_int_eq(check_text("key.serializer=a.B\nconfluent.x=1", false, &notes, &err), RC_OK);
	ck_assert_int_eq(notes.n, 2);
	ck_assert_ptr_nonnull(strstr(notes.lines[0], "link.config:1: key.serializer is not used"));
	notes_fini(&notes);
	ck_assert_int_eq(check_text("foo=1\nbar=2\nacks=all", true, &notes, &err), RC_OK);
	ck_assert_int_eq(notes.n, 1);
	ck_assert_ptr_nonnull(strstr(notes.lines[0], "foo, bar, acks"));
	notes_fini(&notes);
}
END_TEST

START_TEST(json_values_are_read_in_both_dialects)
{
	struct err err = { 0 };
	bool quoted;
	json_t *json = keys_json("{\"a\":1}", &quoted, &err);

	ck_assert(json != NULL && !quoted);
	json_decref(json);
	json = keys_json("\"{\\\"a\\\": \\{\\}}\"", &quoted, &err);
	ck_assert(json != NULL && quoted);
	ck_assert(json_is_object(json_object_get(json, "a")));
	json_decref(json);
	ck_assert_ptr_null(keys_json("{\"a\":1,\"a\":2}", &quoted, &err));
	ck_assert_ptr_null(keys_json("\"", &quoted, &err));
}
END_TEST

/* Each default is a value that its own row takes, names are there once, and words are told. */
START_TEST(the_tables_hold_together)
{
	static const struct key_table *const all[] = { &conf_key_table, &link_key_table, &client_key_table };
	const struct key_table *table = all[_i];
	struct err err = { 0 };

	for (int i = 0; i < table->n; i++) {
		const struct key_row *row = &table->rows[i];

		ck_assert_ptr_eq(keys_find(table, row->name), row);
		ck_assert_int_gt(strlen(row->doc), 0);
		ck_assert((row->type == KEY_WORD) == (row->words != NULL));
		if (row->initial != NULL)
			ck_assert_msg(keys_check_value(row, row->initial, &err), "%s: %s", row->name, err.text);
	}
}
END_TEST

START_TEST(typed_reads_take_the_file_or_the_default)
{
	struct props props = { 0 };

	ck_assert_int_eq(keys_number(&conf_key_table, &props, "buffer.memory"), 48 << 20);
	ck_assert_int_eq(keys_number(&conf_key_table, &props, "session.timeout.ms"), 10000);
	ck_assert(!keys_bool(&link_key_table, &props, "acl.sync.enable"));
	props_set(&props, "session.timeout.ms", "12s", "f", 1);
	props_set(&props, "acl.sync.enable", "True", "f", 2);
	ck_assert_int_eq(keys_number(&conf_key_table, &props, "session.timeout.ms"), 12000);
	ck_assert(keys_bool(&link_key_table, &props, "acl.sync.enable"));
	props_fini(&props);
}
END_TEST

static const struct { const char *text; enum start_kind kind; int64_t time_ms; } starts[] = {
	{ "earliest", START_EARLIEST, 0 }, { "Latest", START_LATEST, 0 },
	{ "1970-01-01", START_TIME, 0 }, { "2024-01-01T00:00:00Z", START_TIME, 1704067200000 },
	{ "2024-01-01T00:00:00.4Z", START_TIME, 1704067200400 },
	{ "2024-01-01T00:00:00.123456", START_TIME, 1704067200123 },
	{ "2024-01-01T02:30+02:30", START_TIME, 1704067200000 },
	{ "2023-12-31 19:00:00-0500", START_TIME, 1704067200000 },
	{ "2024-02-29T12:00", START_TIME, 1709208000000 },
};

static const char *const no_starts[] = {
	"", "now", "2024", "2024-13-01", "2023-02-29", "2024-01-32", "2024-01-01T", "2024-01-01T24:00", "2024-01-01T1:00",
	"2024-01-01T00:00:60", "2024-01-01T00:00:00.", "2024-01-01T00:00Zulu", "2024-01-01T00:00+99", "2024-01-01 ", "1969-12-31",
	"2024-01-01T00:00:00.1234567890",
};

START_TEST(start_offsets_are_words_or_times)
{
	struct start_spec spec;

	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		ck_assert_msg(start_spec_parse(starts[i].text, &spec), "%s", starts[i].text);
		ck_assert_int_eq(spec.kind, starts[i].kind);
		ck_assert_int_eq(spec.time_ms, starts[i].time_ms);
	}
	for (size_t i = 0; i < ARRAY_LEN(no_starts); i++)
		ck_assert_msg(!start_spec_parse(no_starts[i], &spec), "%s", no_starts[i]);
}
END_TEST

TCase *keys_tests(void)
{
	TCase *tc = tcase_create("keys");

	tcase_add_loop_test(tc, wrong_keys_and_values_are_refused_with_the_way_out, 0, ARRAY_LEN(refusals));
	tcase_add_loop_test(tc, right_values_pass_without_a_word, 0, ARRAY_LEN(goods));
	tcase_add_test(tc, java_keys_are_noted_and_unknown_ones_are_one_warning_when_lenient);
	tcase_add_test(tc, json_values_are_read_in_both_dialects);
	tcase_add_loop_test(tc, the_tables_hold_together, 0, 3);
	tcase_add_test(tc, typed_reads_take_the_file_or_the_default);
	tcase_add_test(tc, start_offsets_are_words_or_times);
	return tc;
}
