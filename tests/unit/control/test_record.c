/* SPDX-License-Identifier: Apache-2.0 */
#include "control/record.h"
#include "base/mem.h"
#include "test_control.h"

#include <string.h>

static json_t *parse(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	ck_assert_ptr_nonnull(json);
	return json;
}

struct key {
	const char *text;
	enum record_kind kind;
	const char *name, *topic;
};

static const struct key keys[] = {
	{ "link/a", RECORD_LINK, "a", NULL }, { "mirror/a/t.x-1", RECORD_MIRROR, "a", "t.x-1" },
	{ "state/a", RECORD_LINK_STATE, "a", NULL }, { "state/a/t", RECORD_MIRROR_STATE, "a", "t" },
	{ "claim/w@h", RECORD_CLAIM, "w@h", NULL }, { "worker/w", RECORD_WORKER, "w", NULL },
	{ "link/", RECORD_FOREIGN, NULL, NULL }, { "link/a/b", RECORD_FOREIGN, NULL, NULL },
	{ "mirror/a", RECORD_FOREIGN, NULL, NULL }, { "mirror//t", RECORD_FOREIGN, NULL, NULL },
	{ "mirror/a/", RECORD_FOREIGN, NULL, NULL }, { "state/a/b/c", RECORD_FOREIGN, NULL, NULL },
	{ "links/a", RECORD_FOREIGN, NULL, NULL }, { "", RECORD_FOREIGN, NULL, NULL },
	{ "claim/a b", RECORD_FOREIGN, NULL, NULL }, { "link/\x01", RECORD_FOREIGN, NULL, NULL },
};

START_TEST(keys_split_in_one_way)
{
	const struct key *k = &keys[_i];
	char *name, *topic;

	ck_assert_int_eq(record_key_parse(k->text, strlen(k->text), &name, &topic), k->kind);
	ck_assert_pstr_eq(name, k->name);
	ck_assert_pstr_eq(topic, k->topic);
	xfree(name);
	xfree(topic);
}
END_TEST

static const char mirror_text[] =
	"{\"v\":1,\"append_id\":\"00\",\"source_topic\":\"s\",\"source_topic_id\":\"rj2lNEQvTa-cmeGGzq3gLQ\","
	"\"partitions\":6,\"created\":true,\"paused\":false,\"wish\":\"promote\",\"wish_ms\":5,\"resumes\":2,"
	"\"created_ms\":4,\"settings\":{\"retention.ms\":null,\"segment.bytes\":\"1\"},\"later\":{\"x\":[1,2]}}";

START_TEST(a_mirror_round_trips_with_what_is_not_known)
{
	json_t *value = parse(mirror_text), *again;
	struct mirror_wish w;
	struct err err = { 0 };

	ck_assert_msg(mirror_wish_decode(&w, "l", "t", value, &err) == RC_OK, "%s", err.text);
	ck_assert_str_eq(w.source_topic, "s");
	ck_assert_int_eq(w.n_partitions, 6);
	ck_assert_int_eq(w.wish, WISH_PROMOTE);
	ck_assert_int_eq(w.resumes, 2);
	ck_assert_int_eq(w.replication_factor, -1);
	ck_assert(!uuid_is_zero(&w.source_topic_id) && uuid_is_zero(&w.destination_topic_id));
	again = mirror_wish_encode(&w);
	ck_assert(json_equal(value, again));
	json_decref(again);
	w.wish = WISH_MIRROR;
	w.wish_ms = -1;
	again = mirror_wish_encode(&w);
	ck_assert_str_eq(json_string_value(json_object_get(again, "wish")), "mirror");
	ck_assert_ptr_null(json_object_get(again, "wish_ms"));
	ck_assert_ptr_nonnull(json_object_get(again, "later"));
	/* What was read is not changed by writing. */
	ck_assert_str_eq(json_string_value(json_object_get(value, "wish")), "promote");
	json_decref(again);
	mirror_wish_fini(&w);
	json_decref(value);
}
END_TEST

START_TEST(a_state_keeps_what_is_not_known_in_each_partition)
{
	json_t *value = parse("{\"v\":1,\"status\":\"ACTIVE\",\"seen\":7,"
			      "\"partitions\":{\"10\":{\"state\":\"COPYING\",\"new\":1},"
			      "\"2\":{\"state\":\"FAILED\",\"reason\":\"DIVERGED\",\"offset\":5,\"epoch\":0}}}");
	struct mirror_state s;
	struct err err = { 0 };
	json_t *again, *entry;

	ck_assert_msg(mirror_state_decode(&s, "l", "t", value, &err) == RC_OK, "%s", err.text);
	ck_assert_int_eq(s.n_partitions, 2);
	ck_assert_int_eq(s.partitions[0].partition, 2);
	ck_assert_int_eq(s.partitions[0].epoch, 0);
	ck_assert_int_eq(s.partitions[1].offset, -1);
	record_set(&mirror_state_partition(&s, 10)->state, "STOPPED");
	mirror_state_partition(&s, 5)->offset = 9;
	ck_assert_int_eq(s.partitions[1].partition, 5);
	again = mirror_state_encode(&s);
	entry = json_object_get(json_object_get(again, "partitions"), "10");
	ck_assert_int_eq(json_integer_value(json_object_get(entry, "new")), 1);
	ck_assert_str_eq(json_string_value(json_object_get(entry, "state")), "STOPPED");
	ck_assert_ptr_nonnull(json_object_get(json_object_get(again, "partitions"), "5"));
	ck_assert_ptr_null(mirror_state_find(&s, 3));
	json_decref(again);
	mirror_state_fini(&s);
	json_decref(value);
}
END_TEST

static const char *const bad_mirrors[] = {
	"[]", "\"x\"", "{}", "{\"v\":\"1\"}", "{\"v\":0}", "{\"v\":1}",
	"{\"v\":1,\"source_topic\":\"s\",\"partitions\":0,\"wish\":\"mirror\"}",
	"{\"v\":1,\"source_topic\":\"s\",\"partitions\":99999999999,\"wish\":\"mirror\"}",
	"{\"v\":1,\"source_topic\":\"s\",\"partitions\":1.5,\"wish\":\"mirror\"}",
	"{\"v\":1,\"source_topic\":7,\"partitions\":1,\"wish\":\"mirror\"}",
	"{\"v\":1,\"source_topic\":\"s\",\"partitions\":1,\"wish\":\"destroy\"}",
	"{\"v\":1,\"source_topic\":\"s\",\"partitions\":1,\"wish\":\"mirror\",\"paused\":\"no\"}",
	"{\"v\":1,\"source_topic\":\"s\",\"partitions\":1,\"wish\":\"mirror\",\"source_topic_id\":\"short\"}",
	"{\"v\":1,\"source_topic\":\"s\",\"partitions\":1,\"wish\":\"mirror\",\"settings\":{\"a\":1}}",
	"{\"v\":1,\"source_topic\":\"s\",\"partitions\":1,\"wish\":\"mirror\",\"adopted_end\":{\"0\":-5}}",
	"{\"v\":1,\"source_topic\":\"s\",\"partitions\":1,\"wish\":\"mirror\",\"resumes\":-2}",
};

START_TEST(what_is_no_mirror_is_not_taken_for_one)
{
	json_t *value = json_loads(bad_mirrors[_i], JSON_DECODE_ANY, NULL);
	struct mirror_wish w;
	struct err err = { 0 };

	ck_assert_ptr_nonnull(value);
	ck_assert_int_eq(mirror_wish_decode(&w, "l", "t", value, &err), RC_PROTO);
	mirror_wish_fini(&w);
	json_decref(value);
}
END_TEST

static const char *const bad_states[] = {
	"{\"v\":1}", "{\"v\":1,\"status\":\"FINE\"}", "{\"v\":1,\"status\":\"ACTIVE\",\"partitions\":[]}",
	"{\"v\":1,\"status\":\"ACTIVE\",\"partitions\":{\"x\":{}}}", "{\"v\":1,\"status\":\"ACTIVE\",\"partitions\":{\"01\":{}}}",
	"{\"v\":1,\"status\":\"ACTIVE\",\"partitions\":{\"-1\":{}}}",
	"{\"v\":1,\"status\":\"ACTIVE\",\"partitions\":{\"9999999999\":{}}}",
	"{\"v\":1,\"status\":\"ACTIVE\",\"partitions\":{\"1\":{}}}", "{\"v\":1,\"status\":\"ACTIVE\",\"partitions\":{\"1\":3}}",
	"{\"v\":1,\"status\":\"ACTIVE\",\"ends\":{\"1\":\"2\"}}",
};

START_TEST(what_is_no_state_is_not_taken_for_one)
{
	json_t *value = parse(bad_states[_i]);
	struct mirror_state s;
	struct err err = { 0 };

	ck_assert_int_eq(mirror_state_decode(&s, "l", "t", value, &err), RC_PROTO);
	mirror_state_fini(&s);
	json_decref(value);
}
END_TEST

START_TEST(a_higher_version_asks_for_an_upgrade)
{
	json_t *value = parse("{\"v\":2,\"anything\":true}");
	struct mirror_wish w;
	struct link_wish l;
	struct err err = { 0 };

	ck_assert_int_eq(mirror_wish_decode(&w, "l", "t", value, &err), RC_UNSUPPORTED);
	mirror_wish_fini(&w);
	ck_assert_int_eq(link_wish_decode(&l, "l", value, &err), RC_UNSUPPORTED);
	link_wish_fini(&l);
	json_decref(value);
}
END_TEST

START_TEST(links_claims_and_workers_round_trip)
{
	json_t *link = parse("{\"v\":1,\"link_id\":\"x\",\"paused\":true,\"config\":{\"bootstrap.servers\":\"a:1\"},\"q\":1}");
	json_t *claim = parse("{\"v\":1,\"n\":12,\"host\":\"h\",\"time_ms\":3,\"q\":1}");
	json_t *worker = parse("{\"v\":1,\"version\":\"0.1\",\"started_ms\":3,\"q\":1}");
	struct link_wish l;
	struct claim c;
	struct worker_record w;
	struct err err = { 0 };
	json_t *again;

	ck_assert_int_eq(link_wish_decode(&l, "l", link, &err), RC_OK);
	again = link_wish_encode(&l);
	ck_assert(json_equal(link, again));
	json_decref(again);
	link_wish_fini(&l);
	ck_assert_int_eq(claim_decode(&c, "w", claim, &err), RC_OK);
	ck_assert_int_eq(c.n, 12);
	again = claim_encode(&c);
	ck_assert(json_equal(claim, again));
	json_decref(again);
	claim_fini(&c);
	ck_assert_int_eq(worker_record_decode(&w, "w", worker, &err), RC_OK);
	ck_assert_ptr_null(w.address);
	again = worker_record_encode(&w);
	ck_assert(json_equal(worker, again));
	json_decref(again);
	worker_record_fini(&w);
	json_decref(link);
	json_decref(claim);
	json_decref(worker);
}
END_TEST

TCase *record_tests(void)
{
	TCase *tc = tcase_create("record");

	tcase_add_loop_test(tc, keys_split_in_one_way, 0, ARRAY_LEN(keys));
	tcase_add_test(tc, a_mirror_round_trips_with_what_is_not_known);
	tcase_add_test(tc, a_state_keeps_what_is_not_known_in_each_partition);
	tcase_add_loop_test(tc, what_is_no_mirror_is_not_taken_for_one, 0, ARRAY_LEN(bad_mirrors));
	tcase_add_loop_test(tc, what_is_no_state_is_not_taken_for_one, 0, ARRAY_LEN(bad_states));
	tcase_add_test(tc, a_higher_version_asks_for_an_upgrade);
	tcase_add_test(tc, links_claims_and_workers_round_trip);
	return tc;
}
