/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_log.h"
#include "base/mem.h"
#include "test_control.h"

#include <string.h>

/* Decides to write claim/me, one above the highest claim that it sees; or to remove what is there. */
struct wish {
	struct fake_log *fake;
	int64_t n;
	int decided;
	bool remove, nothing;
	enum outcome verdict;
};

static enum outcome decide(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	const struct control_record *r = NULL;
	struct wish *wish = arg;

	(void)log;
	wish->decided++;
	wish->n = 1;
	while ((r = log_view_next(&wish->fake->view, RECORD_CLAIM, r)) != NULL)
		wish->n = MAX(wish->n, json_integer_value(json_object_get(r->value, "n")) + 1);
	if (wish->verdict != OUTCOME_DONE)
		return (enum outcome)(err_set(err, RC_REFUSED, "no"), wish->verdict);
	if (wish->remove && log_view_get(&wish->fake->view, "claim/me") != NULL)
		control_batch_remove(batch, "claim/me");
	if (!wish->remove && !wish->nothing)
		control_batch_put(batch, "claim/me", json_pack("{s:i,s:I}", "v", 1, "n", (json_int_t)wish->n));
	return OUTCOME_DONE;
}

static enum outcome run(struct fake_log *fake, struct wish *wish, const enum fake_does *script, int n, bool *appended)
{
	struct err err;

	wish->fake = fake;
	fake->script = script;
	fake->n_script = n;
	return log_update(&fake->io, NULL, decide, wish, appended, &err);
}

static int64_t claim_in_view(const struct fake_log *fake)
{
	const struct control_record *r = log_view_get(&fake->view, "claim/me");

	return r == NULL ? -1 : json_integer_value(json_object_get(r->value, "n"));
}

struct course {
	enum fake_does script[4];
	int n;
	int decided, stands;   /* how often decided; records of claim/me in the log at the end */
	int64_t claim;
};

/* Whatever happens to the first tries, in the end one record of ours stands there once, decided on all before it. */
static const struct course courses[] = {
	{ { FAKE_STORES }, 1, 1, 1, 1 },
	{ { FAKE_RIVAL }, 1, 2, 1, 8 },
	{ { FAKE_RIVAL, FAKE_RIVAL }, 2, 3, 1, 8 },
	{ { FAKE_REFUSES, FAKE_REFUSES }, 2, 3, 1, 1 },
	{ { FAKE_STORES_SILENTLY }, 1, 1, 1, 1 },
	{ { FAKE_LOSES }, 1, 2, 1, 1 },
	{ { FAKE_LOSES, FAKE_RIVAL }, 2, 3, 1, 8 },
	{ { FAKE_DELAYS }, 1, 2, 1, 1 },
	{ { FAKE_DELAYS, FAKE_RIVAL }, 2, 2, 1, 1 },
};

START_TEST(one_record_stands_whatever_happens)
{
	const struct course *c = &courses[_i];
	struct wish wish = { 0 };
	struct fake_log fake;
	bool appended = false;

	fake_log_init(&fake);
	fake_log_put(&fake, "worker/x", "{\"v\":1}");
	ck_assert_int_eq(run(&fake, &wish, c->script, c->n, &appended), OUTCOME_DONE);
	ck_assert(appended);
	ck_assert_int_eq(wish.decided, c->decided);
	ck_assert_int_eq(fake_log_count(&fake, "claim/me"), c->stands);
	ck_assert_int_eq(claim_in_view(&fake), c->claim);
	fake_log_fini(&fake);
}
END_TEST

static enum outcome decide_link(struct control_log *log, struct control_batch *batch, void *arg, struct err *err)
{
	static const struct secret_key key;
	struct link_wish link;

	(void)log;
	(void)err;
	((struct wish *)arg)->decided++;
	link_wish_init(&link, "a");
	link.link_id = xstrdup("id");
	link.config = json_object();
	control_batch_put(batch, "worker/x", json_pack("{s:i}", "v", 1));
	control_batch_remove(batch, "worker/y");
	control_batch_link(batch, &link, &key);
	link_wish_fini(&link);
	return OUTCOME_DONE;
}

/* Whoever writes past krmirror moves it to another place, and no link stands at another than it was signed for. */
START_TEST(a_signed_link_stands_at_its_place)
{
	static const enum fake_does script[] = { FAKE_FOREIGN, FAKE_FOREIGN, FAKE_STORES };
	const struct control_record *r;
	struct wish wish = { 0 };
	struct fake_log fake;
	bool appended = false;
	struct err err;

	fake_log_init(&fake);
	fake.script = script;
	fake.n_script = ARRAY_LEN(script);
	ck_assert_int_eq(log_update(&fake.io, NULL, decide_link, &wish, &appended, &err), OUTCOME_DONE);
	ck_assert(appended);
	ck_assert_int_eq(wish.decided, 3);
	r = log_view_get(&fake.view, "link/a");
	ck_assert_int_eq(json_integer_value(json_object_get(r->value, "at")), r->offset);
	ck_assert_int_eq(r->offset, 9);   /* 3 and 3 records, each behind one of somebody else, and the place in its batch */
	fake_log_fini(&fake);
}
END_TEST

START_TEST(the_topic_is_made_when_there_is_something_to_write)
{
	struct wish wish = { .nothing = true };
	struct fake_log fake;
	bool appended = true;

	fake_log_init(&fake);
	fake.missing = true;
	ck_assert_int_eq(run(&fake, &wish, NULL, 0, &appended), OUTCOME_DONE);
	ck_assert(!appended);
	ck_assert_int_eq(fake.n_made, 0);
	wish = (struct wish){ 0 };
	ck_assert_int_eq(run(&fake, &wish, NULL, 0, &appended), OUTCOME_DONE);
	ck_assert(appended);
	ck_assert_int_eq(fake.n_made, 1);
	ck_assert_int_eq(claim_in_view(&fake), 1);
	fake_log_fini(&fake);
}
END_TEST

START_TEST(a_refusing_decision_ends_it)
{
	struct wish wish = { .verdict = OUTCOME_REFUSED };
	struct fake_log fake;
	bool appended = true;

	fake_log_init(&fake);
	ck_assert_int_eq(run(&fake, &wish, NULL, 0, &appended), OUTCOME_REFUSED);
	ck_assert(!appended);
	ck_assert_int_eq(fake.n_appends, 0);
	fake_log_fini(&fake);
}
END_TEST

START_TEST(a_missing_right_ends_it)
{
	static const enum fake_does script[] = { FAKE_FATAL };
	struct wish wish = { 0 };
	struct fake_log fake;

	fake_log_init(&fake);
	ck_assert_int_eq(run(&fake, &wish, script, 1, NULL), OUTCOME_AUTH);
	ck_assert_int_eq(fake.n_appends, 1);
	fake_log_fini(&fake);
}
END_TEST

START_TEST(a_deadline_is_a_timeout)
{
	static const enum fake_does script[] = { FAKE_LOSES, FAKE_LOSES, FAKE_LOSES };
	struct wish wish = { 0 };
	struct fake_log fake;

	fake_log_init(&fake);
	fake.pauses_left = 2;
	ck_assert_int_eq(run(&fake, &wish, script, 3, NULL), OUTCOME_TIMED_OUT);
	fake_log_fini(&fake);
}
END_TEST

START_TEST(a_removal_is_known_by_its_place)
{
	static const enum fake_does rival[] = { FAKE_RIVAL };
	struct wish wish = { .remove = true };
	struct fake_log fake;
	bool appended = false;

	fake_log_init(&fake);
	fake_log_put(&fake, "claim/me", "{\"v\":1,\"n\":3}");
	ck_assert_int_eq(run(&fake, &wish, rival, 1, &appended), OUTCOME_DONE);
	ck_assert(appended);
	ck_assert_int_eq(wish.decided, 2);
	ck_assert_int_eq(claim_in_view(&fake), -1);
	ck_assert_int_eq(fake_log_count(&fake, "claim/me"), 2);
	fake_log_fini(&fake);
}
END_TEST

START_TEST(sequences_follow_each_other)
{
	ck_assert_int_eq(log_next_sequence(0, 99), 1);
	ck_assert_int_eq(log_next_sequence(INT32_MAX, 99), 0);
	ck_assert_int_eq(log_next_sequence(-1, 99), 99);
	ck_assert_int_eq(log_next_sequence(-1, (INT64_C(1) << 31) + 5), 5);
}
END_TEST

START_TEST(a_batch_keeps_one_record_a_key_and_removals_behind)
{
	struct control_batch batch = { 0 };

	control_batch_remove(&batch, "a");
	control_batch_put(&batch, "b", json_object());
	control_batch_put(&batch, "a", json_object());
	control_batch_remove(&batch, "c");
	control_batch_remove(&batch, "b");
	ck_assert_int_eq(batch.n, 3);
	ck_assert_str_eq(batch.items[0].key, "a");
	ck_assert_ptr_nonnull(batch.items[0].value);
	ck_assert_ptr_null(batch.items[1].value);
	ck_assert_ptr_null(batch.items[2].value);
	control_batch_fini(&batch);
}
END_TEST

START_TEST(the_producer_id_is_the_pinned_one)
{
	ck_assert_int_eq(control_log_producer_id, INT64_C(5264806046914507260));
}
END_TEST

TCase *log_update_tests(void)
{
	TCase *tc = tcase_create("log_update");

	tcase_add_loop_test(tc, one_record_stands_whatever_happens, 0, ARRAY_LEN(courses));
	tcase_add_test(tc, a_signed_link_stands_at_its_place);
	tcase_add_test(tc, the_topic_is_made_when_there_is_something_to_write);
	tcase_add_test(tc, a_refusing_decision_ends_it);
	tcase_add_test(tc, a_missing_right_ends_it);
	tcase_add_test(tc, a_deadline_is_a_timeout);
	tcase_add_test(tc, a_removal_is_known_by_its_place);
	tcase_add_test(tc, sequences_follow_each_other);
	tcase_add_test(tc, a_batch_keeps_one_record_a_key_and_removals_behind);
	tcase_add_test(tc, the_producer_id_is_the_pinned_one);
	return tc;
}
