/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/model.h"

#include "test_krmirrord.h"

static struct partition_state *entry(struct mirror_row *row, const char *state, const char *reason, int64_t resumes)
{
	struct partition_state *p = mirror_state_partition(&row->mirror_state, 0);

	record_set(&p->state, state);
	record_set(&p->reason, reason);
	entry_set_resumes(p, resumes);
	return p;
}

/* What a worker that starts must not forget: a failure that only resume ends, and a loss that nobody acknowledged. */
START_TEST(failures_that_stand)
{
	struct mirror_row row = { .wish = { .resumes = 2 } };

	mirror_state_init(&row.mirror_state, "l", "t");
	ck_assert(entry_stands(&row, entry(&row, "FAILED", "DIVERGED", 2)));
	ck_assert(!entry_stands(&row, entry(&row, "FAILED", "DIVERGED", 1)));
	ck_assert(!entry_stands(&row, entry(&row, "FAILED", "AUTHORIZATION", 2)));
	ck_assert(!entry_stands(&row, entry(&row, "FAILED", "SOURCE_TOPIC_MAY_BE_DELETED", 2)));
	ck_assert(entry_stands(&row, entry(&row, "COPYING", "DATA_LOSS", 2)));
	ck_assert(!entry_stands(&row, entry(&row, "COPYING", "DATA_LOSS", 1)));
	ck_assert(!entry_stands(&row, entry(&row, "COPYING", NULL, 2)));
	ck_assert(!entry_stands(&row, entry(&row, "STOPPED", NULL, 2)));
	mirror_state_fini(&row.mirror_state);
}
END_TEST

/* The count of resumes travels in a field that the record's own reader does not know. */
START_TEST(resumes_survive_the_record)
{
	struct mirror_row row = { .wish = { .resumes = 5 } };
	struct mirror_state read;
	struct err err;
	json_t *value;

	mirror_state_init(&row.mirror_state, "l", "t");
	entry(&row, "FAILED", "DIVERGED", 5)->offset = 17;
	value = mirror_state_encode(&row.mirror_state);
	ck_assert_int_eq(mirror_state_decode(&read, "l", "t", value, &err), RC_OK);
	ck_assert_int_eq(entry_resumes(mirror_state_find(&read, 0)), 5);
	ck_assert_int_eq(mirror_state_find(&read, 0)->offset, 17);
	json_decref(value);
	mirror_state_fini(&read);
	mirror_state_fini(&row.mirror_state);
}
END_TEST

START_TEST(plan_of_a_row)
{
	struct link_row link = { .present = true, .plan = { .known = true } };
	struct mirror_row row = {
		.present = true, .readable = true, .link_row = &link, .wish_offset = 4, .n_lanes = 1,
		.wish = { .created = true },
	};

	mirror_state_init(&row.mirror_state, "l", "t");
	mirror_row_plan(&row);
	ck_assert_int_eq(row.want, WANT_COPY);
	entry(&row, "FAILED", "DIVERGED", 0);
	mirror_row_plan(&row);
	ck_assert_int_eq(row.plan.n_failed, 1);
	ck_assert_int_eq(plan_status(&link.plan, &row.plan), MIRROR_FAILED);
	link.present = false;
	mirror_row_plan(&row);
	ck_assert_int_eq(row.want, WANT_NOTHING);
	link.present = true;
	row.mirror_state.closing = true;
	mirror_row_plan(&row);
	ck_assert_int_eq(row.want, WANT_STOPPED);
	row.present = false;
	mirror_row_plan(&row);
	ck_assert_int_eq(row.want, WANT_NOTHING);
	mirror_state_fini(&row.mirror_state);
}
END_TEST

TCase *model_tests(void)
{
	TCase *tcase = tcase_create("model");

	tcase_add_test(tcase, failures_that_stand);
	tcase_add_test(tcase, resumes_survive_the_record);
	tcase_add_test(tcase, plan_of_a_row);
	return tcase;
}
