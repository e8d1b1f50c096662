/* SPDX-License-Identifier: Apache-2.0 */
#include "krmirrord/plan.h"

#include "test_krmirrord.h"

static const struct plan_link good_link = { .known = true };
static const struct plan_link paused_link = { .known = true, .paused = true };
static const struct plan_link failed_link = { .known = true, .failed = true };
static const struct plan_link other_link = { .known = true, .failed = true, .another_cluster = true };
static const struct plan_link away_link = { .known = true, .unavailable = true };
static const struct plan_link unknown_link;

#define LIVE .created = true, .wish = WISH_MIRROR, .wish_offset = 7, .refused_wish = -1, .n_lanes = 3
#define PROMOTED .created = true, .wish = WISH_PROMOTE, .wish_offset = 7, .n_lanes = 3

struct row {
	const struct plan_link *link;
	struct plan_mirror mirror;
	enum plan_want want;
	enum mirror_status status;
	bool promotes;
};

/* Every wish and state that changes the outcome, one row each. */
static const struct row rows[] = {
	{ &good_link, { LIVE }, WANT_COPY, MIRROR_ACTIVE, false },
	{ &good_link, { LIVE, .n_failed = 2 }, WANT_COPY, MIRROR_ACTIVE, false },
	{ &good_link, { LIVE, .n_failed = 3 }, WANT_COPY, MIRROR_FAILED, false },
	{ &good_link, { LIVE, .paused = true }, WANT_PAUSED, MIRROR_PAUSED, false },
	{ &paused_link, { LIVE }, WANT_PAUSED, MIRROR_LINK_PAUSED, false },
	{ &paused_link, { LIVE, .paused = true }, WANT_PAUSED, MIRROR_PAUSED, false },
	{ &away_link, { LIVE }, WANT_COPY, MIRROR_SOURCE_UNAVAILABLE, false },
	{ &away_link, { LIVE, .n_failed = 3 }, WANT_COPY, MIRROR_SOURCE_UNAVAILABLE, false },
	{ &failed_link, { LIVE }, WANT_NOTHING, MIRROR_LINK_FAILED, false },
	{ &other_link, { LIVE }, WANT_FAILED, MIRROR_LINK_FAILED, false },
	{ &unknown_link, { LIVE }, WANT_NOTHING, MIRROR_LINK_FAILED, false },
	{ &good_link, { .created = false, .refused_wish = -1 }, WANT_NOTHING, MIRROR_ACTIVE, false },
	{ &good_link, { LIVE, .upgrade_needed = true }, WANT_NOTHING, MIRROR_ACTIVE, false },
	/* promotion: the lanes run on until the door is being closed */
	{ &good_link, { PROMOTED, .refused_wish = -1 }, WANT_COPY, MIRROR_PENDING_STOPPED, true },
	{ &good_link, { PROMOTED, .refused_wish = 7 }, WANT_COPY, MIRROR_ACTIVE, false },
	{ &good_link, { PROMOTED, .refused_wish = 5 }, WANT_COPY, MIRROR_PENDING_STOPPED, true },
	{ &paused_link, { PROMOTED, .refused_wish = -1 }, WANT_PAUSED, MIRROR_PENDING_STOPPED, true },
	{ &good_link, { PROMOTED, .refused_wish = -1, .closing = true }, WANT_STOPPED, MIRROR_PENDING_STOPPED, true },
	{ &failed_link, { PROMOTED, .refused_wish = -1, .closing = true }, WANT_STOPPED, MIRROR_PENDING_STOPPED, true },
	{ &good_link, { PROMOTED, .refused_wish = -1, .closing = true, .stopped = true }, WANT_STOPPED, MIRROR_STOPPED,
	  false },
	{ &unknown_link, { PROMOTED, .refused_wish = -1, .stopped = true }, WANT_STOPPED, MIRROR_STOPPED, false },
	{ &good_link, { PROMOTED, .refused_wish = -1, .upgrade_needed = true }, WANT_NOTHING, MIRROR_ACTIVE, false },
	/* failover stops them at once */
	{ &good_link, { .created = true, .wish = WISH_FAILOVER, .refused_wish = -1 }, WANT_STOPPED,
	  MIRROR_PENDING_STOPPED, true },
};

START_TEST(wishes)
{
	const struct row *row = &rows[_i];

	ck_assert_int_eq(plan_want(row->link, &row->mirror), row->want);
	ck_assert_int_eq(plan_stops(&row->mirror), row->promotes);
	if (!row->mirror.upgrade_needed)
		ck_assert_int_eq(plan_status(row->link, &row->mirror), row->status);
}
END_TEST

START_TEST(link_states)
{
	struct plan_link both = { .known = true, .paused = true, .unavailable = true };

	ck_assert_int_eq(plan_link_state(&good_link), LINK_ACTIVE);
	ck_assert_int_eq(plan_link_state(&paused_link), LINK_PAUSED);
	ck_assert_int_eq(plan_link_state(&both), LINK_PAUSED);
	ck_assert_int_eq(plan_link_state(&away_link), LINK_UNAVAILABLE);
	ck_assert_int_eq(plan_link_state(&failed_link), LINK_FAILED);
	ck_assert_int_eq(plan_link_state(&unknown_link), LINK_FAILED);
}
END_TEST

/* ---- lanes ---- */

#define WANTED .want = WANT_COPY, .mine = true
enum { NOW = 1000, TAKEOVER = 100 };

struct lane_case {
	struct plan_lane lane;
	enum plan_action action;
	int64_t again;
};

static const struct lane_case lane_cases[] = {
	{ { WANTED }, DO_OPEN, INT64_MAX },
	{ { WANTED, .held = HELD_OPEN }, DO_NOTHING, INT64_MAX },
	{ { WANTED, .held = HELD_CLOSING }, DO_NOTHING, INT64_MAX },
	{ { .want = WANT_COPY, .held = HELD_OPEN }, DO_CLOSE, INT64_MAX },
	{ { .want = WANT_COPY }, DO_NOTHING, INT64_MAX },
	{ { .want = WANT_PAUSED, .mine = true, .held = HELD_OPEN }, DO_CLOSE, INT64_MAX },
	{ { .want = WANT_STOPPED, .mine = true, .held = HELD_OPEN }, DO_CLOSE, INT64_MAX },
	{ { .want = WANT_NOTHING, .mine = true, .held = HELD_OPEN }, DO_CLOSE, INT64_MAX },
	{ { .want = WANT_PAUSED, .mine = true }, DO_NOTHING, INT64_MAX },
	{ { .want = WANT_PAUSED, .mine = true, .held = HELD_CLOSING }, DO_NOTHING, INT64_MAX },
	/* taking over */
	{ { WANTED, .other = OTHER_OLDER, .gained_ns = NOW }, DO_WAIT, NOW + TAKEOVER },
	{ { WANTED, .other = OTHER_OLDER, .gained_ns = NOW - TAKEOVER + 1 }, DO_WAIT, NOW + 1 },
	{ { WANTED, .other = OTHER_OLDER, .gained_ns = NOW - TAKEOVER }, DO_OPEN, INT64_MAX },
	{ { WANTED, .other = OTHER_NONE, .gained_ns = NOW }, DO_OPEN, INT64_MAX },
	{ { WANTED, .other = OTHER_NEWER, .gained_ns = 0 }, DO_NOTHING, INT64_MAX },
	/* failures that stand until resume */
	{ { WANTED, .reported_failed = true, .resumes = 2, .resumes_at = 2 }, DO_NOTHING, INT64_MAX },
	{ { WANTED, .reported_failed = true, .resumes = 3, .resumes_at = 2 }, DO_OPEN, INT64_MAX },
	{ { WANTED, .held = HELD_OPEN, .failed = true, .resumes = 2, .resumes_at = 2 }, DO_NOTHING, INT64_MAX },
	{ { WANTED, .held = HELD_OPEN, .failed = true, .resumes = 3, .resumes_at = 2 }, DO_REOPEN, INT64_MAX },
	{ { WANTED, .held = HELD_OPEN, .resumes = 3, .resumes_at = 2 }, DO_NOTHING, INT64_MAX },
};

START_TEST(lanes)
{
	const struct lane_case *c = &lane_cases[_i];
	struct plan_times times = { .now_ns = NOW, .takeover_ns = TAKEOVER };
	int64_t again = 0;

	ck_assert_int_eq(plan_lane(&c->lane, &times, &again), c->action);
	ck_assert_int_eq(again, c->again);
}
END_TEST

/* ---- who may still hold a lane ---- */

static struct share share_of(const char *a, const char *b)
{
	struct str ids[] = { str_of(a), str_of(b != NULL ? b : a) };
	struct share share;

	share_init(&share, ids, 2);
	return share;
}

START_TEST(claims)
{
	struct share both = share_of("a", "b");
	struct plan_claim claim[] = {
		{ .worker = (char *)(uintptr_t)"a", .n = 3, .n_shares = 1 },
		{ .worker = (char *)(uintptr_t)"b", .n = 5, .n_shares = 1 },
		{ .worker = (char *)(uintptr_t)"cli", .n = 9 },
	};
	struct lane_key of_b = { "l", "t", 0 }, of_a = { "l", "t", 0 };
	struct plan_me a = { "a", 6 }, b = { "b", 5 };

	claim[0].shares[0] = both;
	claim[1].shares[0] = both;
	while (share_owns(&both, "a", "l", "t", of_b.partition))
		of_b.partition++;
	while (share_owns(&both, "b", "l", "t", of_a.partition))
		of_a.partition++;
	ck_assert_int_eq(plan_other(claim, 3, &a, &of_b), OTHER_OLDER);
	ck_assert_int_eq(plan_other(claim, 3, &a, &of_a), OTHER_NONE);
	ck_assert_int_eq(plan_other(claim, 3, &b, &of_a), OTHER_OLDER);
	claim[0].n = 8;
	ck_assert_int_eq(plan_other(claim, 3, &b, &of_a), OTHER_NEWER);
	claim[0].released = true;
	ck_assert_int_eq(plan_other(claim, 3, &b, &of_a), OTHER_NONE);
	/* lanes of an older share that were not known to be closed when the claim was written */
	claim[1].shares[0] = share_of("a", NULL);
	ck_assert_int_eq(plan_other(claim, 3, &a, &of_b), OTHER_NONE);
	claim[1].shares[1] = both;
	claim[1].n_shares = 2;
	ck_assert_int_eq(plan_other(claim, 3, &a, &of_b), OTHER_OLDER);
	share_fini(&claim[1].shares[0]);
	share_fini(&both);
}
END_TEST

TCase *plan_tests(void)
{
	TCase *tcase = tcase_create("plan");

	tcase_add_loop_test(tcase, wishes, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tcase, link_states);
	tcase_add_loop_test(tcase, lanes, 0, (int)(sizeof(lane_cases) / sizeof(lane_cases[0])));
	tcase_add_test(tcase, claims);
	return tcase;
}
