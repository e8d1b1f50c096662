/* SPDX-License-Identifier: Apache-2.0 */
/* The documents' keys are a contract with scripts: they are written out here in full. */
#include "base/mem.h"
#include "krmirror/link_view.h"
#include "krmirror/mirror_view.h"
#include "test_krmirror.h"

#include <string.h>

/* The keys of the object, in order, joined by blanks; takes over the reference. */
static void has_keys(json_t *object, const char *keys)
{
	char text[1024] = "";
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		size_t n = strlen(text);

		snprintf(text + n, sizeof(text) - n, "%s%s", n > 0 ? " " : "", key);
	}
	ck_assert_str_eq(text, keys);
	json_decref(object);
}

static const struct partition_info unknown_partition = {
	.partition = 4,
	.state = "FAILED",
	.reason = "DIVERGED",
	.lag = -1,
	.lag_ms = -1,
	.last_source_fetch_offset = -1,
	.source_log_start_offset = 0,
	.source_high_watermark = 10,
	.source_last_stable_offset = 10,
	.local_log_start_offset = 0,
	.local_log_end_offset = 11,
	.time_since_last_fetch_ms = -1,
	.filled_offsets = -1,
	.coalesced_batches = -1,
};

START_TEST(documents_have_the_contract_s_keys)
{
	struct mirror_info mirror = { .link_name = "l", .mirror_topic_name = "t", .max_lag = -1 };
	struct link_info link = { .link_name = "l", .last_contact_ms = -1 };

	has_keys(link_created_json(&link), "link_name link_id source_cluster destination_cluster");
	has_keys(link_json(&link, false),
		 "link_name link_id source_cluster destination_cluster state error error_message connection_mode");
	has_keys(link_described_json(&link),
		 "link_name link_id source_cluster destination_cluster state error "
		 "error_message connection_mode topics mirror_partition_states_count source_brokers destination_brokers "
		 "last_contact_ms throttled_partitions");
	has_keys(mirror_json(&mirror),
		 "link_name mirror_topic_name source_topic_name mirror_status status_time_ms "
		 "num_partition failed_partitions max_per_partition_mirror_lag stopped_how read_only error throttled_partitions "
		 "read_only_reason");
	has_keys(mirror_partition_json(&mirror, &unknown_partition),
		 "link_name mirror_topic_name source_topic_name "
		 "mirror_status mirror_topic_error status_time_ms partition state reason error "
		 "partition_mirror_lag lag_ms "
		 "open_transaction last_source_fetch_offset source_log_start_offset source_high_watermark "
		 "source_last_stable_offset local_log_start_offset local_log_end_offset "
		 "time_since_last_fetch_ms "
		 "filled_offsets coalesced_batches tombstone_offsets throttled");
}
END_TEST

START_TEST(what_is_not_known_is_null)
{
	struct mirror_info mirror = { .link_name = "l", .mirror_topic_name = "t", .max_lag = -1 };
	json_t *object = mirror_partition_json(&mirror, &unknown_partition);

	ck_assert(json_is_null(json_object_get(object, "partition_mirror_lag")));
	ck_assert(json_is_null(json_object_get(object, "open_transaction")));
	ck_assert(json_is_null(json_object_get(object, "source_topic_name")));
	ck_assert_int_eq(json_integer_value(json_object_get(object, "local_log_end_offset")), 11);
	json_decref(object);
}
END_TEST

START_TEST(a_refused_topic_is_one_object)
{
	struct mirror_info mirror = { .link_name = "l", .mirror_topic_name = "t", .num_partition = -1 };
	struct verb_result result = { .mirror = &mirror,
				      .error_code = "NOT_FOUND",
				      .error_message = "no such mirror",
				      .has_door = true };
	json_t *array = json_array(), *object;

	mirror_result_json(array, &result);
	ck_assert_uint_eq(json_array_size(array), 1);
	object = json_array_get(array, 0);
	ck_assert(json_is_null(json_object_get(object, "partition")));
	ck_assert(json_is_null(json_object_get(object, "door")));
	ck_assert_str_eq(json_string_value(json_object_get(object, "error_code")), "NOT_FOUND");
	ck_assert_str_eq(json_string_value(json_object_get(object, "error_message")), "no such mirror");
	json_decref(array);
}
END_TEST

START_TEST(the_worst_mirror_comes_first)
{
	struct mirror_info mirrors[] = {
		{ .link_name = "l",
		  .mirror_topic_name = "stopped",
		  .mirror_status = "STOPPED",
		  .max_lag = -1 },
		{ .link_name = "l", .mirror_topic_name = "fine", .mirror_status = "ACTIVE" },
		{ .link_name = "l", .mirror_topic_name = "late", .mirror_status = "ACTIVE", .max_lag = 7 },
		{ .link_name = "l",
		  .mirror_topic_name = "part",
		  .mirror_status = "ACTIVE",
		  .failed_partitions = 1 },
		{ .link_name = "l", .mirror_topic_name = "cut", .mirror_status = "SOURCE_UNAVAILABLE" },
		{ .link_name = "l", .mirror_topic_name = "gone", .mirror_status = "FAILED", .failed = true },
		{ .link_name = "l",
		  .mirror_topic_name = "worst",
		  .mirror_status = "ACTIVE",
		  .diverged = true },
		{ .link_name = "k", .mirror_topic_name = "fine", .mirror_status = "ACTIVE" },
	};
	static const char *const order[] = {
		"worst", "gone", "part", "cut", "late", "fine", "fine", "stopped"
	};

	mirror_sort(mirrors, ARRAY_LEN(mirrors));
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		ck_assert_str_eq(mirrors[i].mirror_topic_name, order[i]);
	ck_assert_str_eq(mirrors[5].link_name, "k");
	ck_assert_int_eq(mirror_outcome(mirrors, ARRAY_LEN(mirrors)), 8);
	ck_assert_int_eq(mirror_outcome(mirrors + 1, 7), 1);
	ck_assert_int_eq(mirror_outcome(mirrors + 2, 1), 1);
	ck_assert_int_eq(mirror_outcome(mirrors + 3, 5), 0);
	ck_assert_int_eq(mirror_outcome(NULL, 0), 0);
}
END_TEST

START_TEST(exit_codes_have_their_precedence)
{
	static const int order[] = { 8, 5, 4, 3, 6, 7, 1, 0 };

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		for (size_t j = 0; j < ARRAY_LEN(order); j++)
			ck_assert_int_eq(outcome_worse((enum outcome)order[i], (enum outcome)order[j]),
					 order[MIN(i, j)]);
}
END_TEST

/* What outcome_word can say is in the closed list of krmirror(1). */
START_TEST(every_error_word_is_documented)
{
	struct err err = { 0 };
	const char *const *words;
	size_t n;

	words = error_words(&n);
	for (int outcome = OUTCOME_FAILED; outcome <= OUTCOME_DIVERGED; outcome++)
		for (int rc = RC_FIRST; rc < RC_LAST; rc++) {
			const char *word;
			bool found = false;

			err.rc = rc;
			word = outcome_word((enum outcome)outcome, &err);
			for (size_t i = 0; i < n; i++)
				found = found || strcmp(words[i], word) == 0;
			ck_assert_msg(found, "%s", word);
		}
}
END_TEST

TCase *view_tests(void)
{
	TCase *tc = tcase_create("view");

	tcase_add_test(tc, documents_have_the_contract_s_keys);
	tcase_add_test(tc, what_is_not_known_is_null);
	tcase_add_test(tc, a_refused_topic_is_one_object);
	tcase_add_test(tc, the_worst_mirror_comes_first);
	tcase_add_test(tc, exit_codes_have_their_precedence);
	tcase_add_test(tc, every_error_word_is_documented);
	return tc;
}
