/* SPDX-License-Identifier: Apache-2.0 */
/* verify and topic diff: ranges, documents, exit codes. */
#include "base/mem.h"
#include "fake_both.h"
#include "fake_control.h"
#include "test_krmirror.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#define ON "--bootstrap-server localhost:1 "

static void setup(void)
{
	ck_assert_int_eq(unsetenv("KRMIRROR_CONFIG"), 0);
	fake = (struct fake_control){ .n_workers = 1 };
	fake_both = (struct fake_both){ .n_source = 2, .n_destination = 2 };
	for (int i = 0; i < FAKE_PARTITIONS; i++)
		fake_both.partitions[i] = (struct proof_partition){
			.partition = i, .start = { 20, 10 }, .end = { 100, 90 }, .compare = { .compared = 60 },
		};
}

/* The member at a path like "0.partitions.1.ok" of the document that was printed. */
static json_t *at(json_t *doc, const char *path)
{
	char text[128], *save = NULL;
	json_t *v = doc;

	snprintf(text, sizeof(text), "%s", path);
	for (char *word = strtok_r(text, ".", &save); word != NULL; word = strtok_r(NULL, ".", &save))
		v = json_is_array(v) ? json_array_get(v, (size_t)atol(word)) : json_object_get(v, word);
	ck_assert_msg(v != NULL, "nothing at %s in:\n%s", path, cli_out);
	return v;
}

static json_t *document(void)
{
	json_error_t where;
	json_t *doc = json_loads(cli_out, 0, &where);

	ck_assert_msg(doc != NULL, "%s in:\n%s", where.text, cli_out);
	return doc;
}

START_TEST(verify_compares_all_that_the_mirror_has)
{
	json_t *doc;

	ck_assert_int_eq(run_cli(ON "verify orders -o json"), OUTCOME_DONE);
	ck_assert_int_eq(fake_both.from[0], 20);
	ck_assert_int_eq(fake_both.to[0], 90);
	ck_assert_int_eq(fake_both.sample, 0);
	doc = document();
	ck_assert_str_eq(json_string_value(at(doc, "0.topic")), "orders");
	ck_assert(json_is_true(at(doc, "0.ok")));
	ck_assert_int_eq(json_integer_value(at(doc, "0.partitions.1.partition")), 1);
	ck_assert_int_eq(json_integer_value(at(doc, "0.partitions.1.from")), 20);
	ck_assert_int_eq(json_integer_value(at(doc, "0.partitions.1.to")), 90);
	ck_assert_int_eq(json_integer_value(at(doc, "0.partitions.1.compared")), 60);
	ck_assert_int_eq((int)json_array_size(at(doc, "0.partitions.1.mismatches")), 0);
	ck_assert(json_is_true(at(doc, "0.partitions.1.ok")));
	json_decref(doc);
	ck_assert_int_eq(run_cli(ON "verify orders"), OUTCOME_DONE);
	ck_assert_ptr_nonnull(strstr(cli_out, "orders: 120 records compared, all equal."));
}
END_TEST

START_TEST(verify_takes_a_range_and_a_sample)
{
	ck_assert_int_eq(run_cli(ON "verify orders --from 30 --to 40 --sample 5"), OUTCOME_DONE);
	ck_assert_int_eq(fake_both.from[1], 30);
	ck_assert_int_eq(fake_both.to[1], 40);
	ck_assert_int_eq(fake_both.sample, 5);
	/* Below the source's start there is nothing to compare with, beyond the mirror's end nothing to compare. */
	ck_assert_int_eq(run_cli(ON "verify orders --from 0 --to 99999"), OUTCOME_DONE);
	ck_assert_int_eq(fake_both.from[1], 20);
	ck_assert_int_eq(fake_both.to[1], 90);
	ck_assert_int_eq(run_cli(ON "verify orders --from -1"), OUTCOME_USAGE);
	ck_assert_int_eq(run_cli(ON "verify orders --sample 0"), OUTCOME_USAGE);
	ck_assert_int_eq(run_cli(ON "verify orders --to 9999999999999999999999"), OUTCOME_USAGE);
	ck_assert_int_eq(run_cli(ON "verify"), OUTCOME_USAGE);
}
END_TEST

START_TEST(a_stopped_mirror_is_compared_as_far_as_both_go)
{
	fake_both.stopped = true;
	fake_both.partitions[0].end[COMPARE_DESTINATION] = 500;
	ck_assert_int_eq(run_cli(ON "verify orders"), OUTCOME_DONE);
	ck_assert_int_eq(fake_both.to[0], 100);
	fake_both.stopped = false;
	ck_assert_int_eq(run_cli(ON "verify orders"), OUTCOME_DONE);
	ck_assert_int_eq(fake_both.to[0], 500);
}
END_TEST

START_TEST(a_mismatch_is_exit_8_and_named)
{
	struct mismatch found[] = { { 33, COMPARE_VALUE }, { 34, COMPARE_MISSING } };
	json_t *doc;

	fake_both.partitions[1].compare =
		(struct compare){ .compared = 60, .n_mismatches = 2, .mismatches = found, .n_listed = 2 };
	ck_assert_int_eq(run_cli(ON "verify orders -o json"), OUTCOME_DIVERGED);
	doc = document();
	ck_assert(json_is_false(at(doc, "0.ok")));
	ck_assert(json_is_true(at(doc, "0.partitions.0.ok")));
	ck_assert(json_is_false(at(doc, "0.partitions.1.ok")));
	ck_assert_int_eq(json_integer_value(at(doc, "0.partitions.1.mismatches.0.offset")), 33);
	ck_assert_str_eq(json_string_value(at(doc, "0.partitions.1.mismatches.0.kind")), "value");
	ck_assert_str_eq(json_string_value(at(doc, "0.partitions.1.mismatches.1.kind")), "missing");
	json_decref(doc);
	ck_assert_int_eq(run_cli(ON "verify orders"), OUTCOME_DIVERGED);
	ck_assert_ptr_nonnull(strstr(cli_out, "orders-1 offset 33: value"));
	ck_assert_ptr_null(strstr(cli_out, "all equal"));
}
END_TEST

START_TEST(what_was_not_compared_is_not_called_equal)
{
	json_t *doc;

	fake_both.timed_out = true;
	ck_assert_int_eq(run_cli(ON "verify orders -o json"), OUTCOME_TIMED_OUT);
	doc = document();
	ck_assert(json_is_false(at(doc, "0.ok")));
	ck_assert_int_eq(json_integer_value(at(doc, "0.partitions.0.to")), 20);
	json_decref(doc);
	setup();
	fake_both.errors = OUTCOME_SOURCE_UNREACHABLE;
	err_set(&fake_both.partitions[0].err, RC_TIMEOUT, "source: orders-0 has no leader");
	ck_assert_int_eq(run_cli(ON "verify orders -o json"), OUTCOME_SOURCE_UNREACHABLE);
	doc = document();
	ck_assert(json_is_false(at(doc, "0.partitions.0.ok")));
	ck_assert_ptr_nonnull(strstr(json_string_value(at(doc, "0.partitions.0.error")), "no leader"));
	json_decref(doc);
	setup();
	fake_both.open = OUTCOME_FAILED;
	ck_assert_int_eq(run_cli(ON "verify orders -o json"), OUTCOME_FAILED);
	doc = document();
	ck_assert(json_is_false(at(doc, "0.ok")));
	json_decref(doc);
}
END_TEST

START_TEST(partitions_that_the_source_lost_are_exit_8)
{
	fake_both.n_source = 1;
	ck_assert_int_eq(run_cli(ON "verify orders"), OUTCOME_DIVERGED);
	ck_assert_ptr_nonnull(strstr(cli_err, "its source orders only 1"));
	/* One that the source has grown by is not mirrored yet: that is lag. */
	fake_both.n_source = 2;
	fake_both.n_destination = 1;
	ck_assert_int_eq(run_cli(ON "verify orders"), OUTCOME_DONE);
}
END_TEST

START_TEST(diff_shows_what_only_one_side_has)
{
	struct admin_config source[] = { { "retention.ms", "1000", 1, false, false }, { "flush.ms", "5", 5, false, false } };
	struct admin_config destination[] = { { "retention.ms", "-1", 1, false, false },
					      { "compression.type", "producer", 1, false, false } };
	struct admin_acl acl = { "orders", "LITERAL", "User:app", "*", "WRITE", "DENY", NULL };
	json_t *doc;

	fake_both.settings[0] = (struct admin_configs){ source, 2 };
	fake_both.settings[1] = (struct admin_configs){ destination, 2 };
	fake_both.acls[1] = (struct admin_acls){ &acl, 1, true };
	fake_both.partitions[1].only[0] = 3;
	ck_assert_int_eq(run_cli(ON "topic diff orders -o json"), OUTCOME_DONE);
	ck_assert_int_eq(fake_both.from[0], 20);
	ck_assert_int_eq(fake_both.to[0], 100);
	doc = document();
	ck_assert_int_eq((int)json_array_size(at(doc, "settings")), 2);
	ck_assert_str_eq(json_string_value(at(doc, "settings.0.name")), "retention.ms");
	ck_assert_str_eq(json_string_value(at(doc, "settings.0.source")), "1000");
	ck_assert_str_eq(json_string_value(at(doc, "settings.0.destination")), "-1");
	ck_assert(json_is_null(at(doc, "settings.1.source")));
	ck_assert_int_eq((int)json_array_size(at(doc, "partitions")), 1);
	ck_assert_int_eq(json_integer_value(at(doc, "partitions.0.partition")), 1);
	ck_assert_int_eq(json_integer_value(at(doc, "partitions.0.only_source")), 3);
	ck_assert_int_eq(json_integer_value(at(doc, "partitions.0.only_destination")), 0);
	ck_assert_str_eq(json_string_value(at(doc, "acls.0.only")), "destination");
	ck_assert_str_eq(json_string_value(at(doc, "acls.0.permission")), "DENY");
	json_decref(doc);
	ck_assert_int_eq(run_cli(ON "topic diff orders"), OUTCOME_DONE);
	ck_assert_ptr_nonnull(strstr(cli_out, "Setting retention.ms: 1000 at the source, -1 at the destination"));
}
END_TEST

START_TEST(diff_exports_records_as_lines_of_json)
{
	static const uint8_t headers[] = { 2, 'h', 1 };   /* "h": null, as varints */
	char path[] = "/tmp/krmirror-export-XXXXXX", line[256], text[512];
	FILE *file;
	int fd = mkstemp(path);

	close(fd);
	snprintf(line, sizeof(line), ON "topic diff orders --export %s", path);
	ck_assert_int_eq(run_cli(line), OUTCOME_FAILED);   /* it is there already */
	ck_assert_ptr_nonnull(strstr(cli_err, path));
	unlink(path);
	fake_both.partitions[1].only[0] = 1;
	fake_both.record = (struct record_view){
		.offset = 33, .timestamp = 7, .key = { (const uint8_t *)"key", 3 }, .value = { NULL, -1 },
		.n_headers = 1, .headers = { headers, sizeof(headers) },
	};
	ck_assert_int_eq(run_cli(line), OUTCOME_DONE);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), file));
	ck_assert_str_eq(text, "{\"side\": \"source\", \"partition\": 1, \"offset\": 33, \"timestamp\": 7, \"key\": "
			       "\"a2V5\", \"value\": null, \"headers\": [{\"key\": \"h\", \"value\": null}]}\n");
	ck_assert_ptr_null(fgets(text, sizeof(text), file));
	fclose(file);
	unlink(path);
}
END_TEST

TCase *proof_tests(void)
{
	TCase *tc = tcase_create("verify and topic diff");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, verify_compares_all_that_the_mirror_has);
	tcase_add_test(tc, verify_takes_a_range_and_a_sample);
	tcase_add_test(tc, a_stopped_mirror_is_compared_as_far_as_both_go);
	tcase_add_test(tc, a_mismatch_is_exit_8_and_named);
	tcase_add_test(tc, what_was_not_compared_is_not_called_equal);
	tcase_add_test(tc, partitions_that_the_source_lost_are_exit_8);
	tcase_add_test(tc, diff_shows_what_only_one_side_has);
	tcase_add_test(tc, diff_exports_records_as_lines_of_json);
	return tc;
}
