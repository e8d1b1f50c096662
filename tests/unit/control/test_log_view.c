/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_log.h"
#include "base/mem.h"
#include "test_control.h"

#include <string.h>

static void take(struct log_view *view, const struct fake_log *fake)
{
	if (view->position < 0)
		view->position = 0;
	for (int i = 0; i < fake->n; i++)
		log_view_take(view, fake->batches[i].data, fake->batches[i].len);
}

START_TEST(the_latest_record_of_a_key_stands)
{
	struct fake_log fake;

	fake_log_init(&fake);
	fake_log_put(&fake, "claim/b", "{\"v\":1,\"n\":1}");
	fake_log_put(&fake, "claim/a", "{\"v\":1,\"n\":2}");
	fake_log_put(&fake, "claim/b", "{\"v\":1,\"n\":3}");
	fake_log_put(&fake, "worker/a", "{\"v\":1}");
	fake_log_put(&fake, "worker/a", NULL);
	take(&fake.view, &fake);
	ck_assert_int_eq(fake.view.position, 5);
	ck_assert_int_eq(fake.view.n, 2);
	ck_assert_int_eq(log_view_get(&fake.view, "claim/b")->offset, 2);
	ck_assert_str_eq(log_view_next(&fake.view, RECORD_CLAIM, NULL)->name, "a");
	ck_assert_ptr_null(log_view_next(&fake.view, RECORD_CLAIM, log_view_get(&fake.view, "claim/b")));
	ck_assert_int_eq(fake.view.foreign, 0);
	fake_log_fini(&fake);
}
END_TEST

START_TEST(foreign_records_are_skipped_and_counted)
{
	struct fake_log fake;

	fake_log_init(&fake);
	fake_log_put(&fake, "claim/a", "{\"v\":1,\"n\":2}");
	fake_log_put(&fake, "hello", "{\"v\":1}");             /* no key of ours */
	fake_log_put(&fake, "claim/a", "{\"n\":9}");            /* no v */
	fake_log_put(&fake, "claim/a", "{\"v\":1,\"n\":\"x\"}");  /* not what it must be */
	fake_log_put(&fake, "link/a/b", NULL);
	fake_log_put(&fake, "link/new", "{\"v\":9}");           /* of a newer version: kept, to be told */
	take(&fake.view, &fake);
	ck_assert_int_eq(fake.view.foreign, 4);
	ck_assert_int_eq(log_view_get(&fake.view, "claim/a")->offset, 0);
	ck_assert_ptr_nonnull(log_view_get(&fake.view, "link/new"));
	fake_log_fini(&fake);
}
END_TEST

/* link/a, for a place; at -1: as an older version signed it; mac false: not signed. */
static void put_link(struct fake_log *fake, int64_t at, bool mac)
{
	char text[200];

	snprintf(text, sizeof(text), "{\"v\":1,\"link_id\":\"i\",\"config\":{},%s\"created_ms\":%lld,\"at\":%lld}",
		 mac ? "\"mac\":\"AA==\"," : "", (long long)at, (long long)at);
	if (at < 0)
		snprintf(text, sizeof(text), "{\"v\":1,\"link_id\":\"i\",%s\"config\":{}}", mac ? "\"mac\":\"AA==\"," : "");
	fake_log_put(fake, "link/a", text);
}

static const struct control_record *link_after(struct fake_log *fake)
{
	take(&fake->view, fake);
	return log_view_get(&fake->view, "link/a");
}

START_TEST(an_older_record_of_a_link_does_not_hold_again)
{
	const struct control_record *r;
	struct fake_log fake;

	fake_log_init(&fake);
	put_link(&fake, -1, true);    /* 0: by an older version */
	ck_assert_int_eq(link_after(&fake)->offset, 0);
	put_link(&fake, 1, true);
	put_link(&fake, 2, true);
	ck_assert_int_eq(link_after(&fake)->copy_offset, -1);
	put_link(&fake, 1, true);     /* 3: the one before */
	r = link_after(&fake);
	ck_assert_int_eq(r->offset, 2);
	ck_assert_int_eq(r->copy_offset, 3);
	put_link(&fake, -1, true);    /* 4: the oldest */
	r = link_after(&fake);
	ck_assert_int_eq(r->offset, 2);
	ck_assert_int_eq(r->copy_offset, 4);
	ck_assert_int_eq(fake.view.foreign, 2);
	put_link(&fake, 5, true);     /* a new one */
	r = link_after(&fake);
	ck_assert_int_eq(r->offset, 5);
	ck_assert_int_eq(r->copy_offset, -1);
	put_link(&fake, -1, false);   /* 6: who has the key says that it is not signed */
	ck_assert_int_eq(link_after(&fake)->offset, 6);
	fake_log_put(&fake, "link/a", NULL);
	put_link(&fake, 5, true);     /* 8: of a link that was deleted; it cannot be used, but is seen */
	ck_assert_int_eq(link_after(&fake)->offset, 8);
	put_link(&fake, 9, true);
	ck_assert_int_eq(link_after(&fake)->offset, 9);
	fake_log_fini(&fake);
}
END_TEST

START_TEST(records_below_the_position_are_passed_over)
{
	struct fake_log fake;

	fake_log_init(&fake);
	fake_log_put(&fake, "claim/a", "{\"v\":1,\"n\":1}");
	fake_log_put(&fake, "claim/b", "{\"v\":1,\"n\":2}");
	fake.view.position = 1;
	take(&fake.view, &fake);
	take(&fake.view, &fake);
	ck_assert_ptr_null(log_view_get(&fake.view, "claim/a"));
	ck_assert_int_eq(log_view_get(&fake.view, "claim/b")->offset, 1);
	ck_assert_int_eq(fake.view.position, 2);
	fake_log_fini(&fake);
}
END_TEST

/* A compressed batch, a damaged one and a control batch: none is read, the position moves on. */
START_TEST(batches_that_cannot_be_read_are_stepped_over)
{
	enum { ATTRIBUTES = 22, CRC = 17 };
	struct fake_log fake;
	uint8_t *bytes;

	fake_log_init(&fake);
	fake_log_put(&fake, "claim/a", "{\"v\":1,\"n\":1}");
	fake_log_put(&fake, "claim/b", "{\"v\":1,\"n\":1}");
	fake_log_put(&fake, "claim/c", "{\"v\":1,\"n\":1}");
	fake_log_put(&fake, "claim/d", "{\"v\":1,\"n\":1}");
	bytes = (uint8_t *)(uintptr_t)fake.batches[0].data;
	bytes[ATTRIBUTES] |= 1;
	bytes = (uint8_t *)(uintptr_t)fake.batches[1].data;
	bytes[CRC] ^= 1;
	bytes = (uint8_t *)(uintptr_t)fake.batches[2].data;
	bytes[ATTRIBUTES] |= BATCH_CONTROL;
	take(&fake.view, &fake);
	ck_assert_int_eq(fake.view.position, 4);
	ck_assert_int_eq(fake.view.foreign, 2);
	ck_assert_int_eq(fake.view.n, 1);
	fake_log_fini(&fake);
}
END_TEST

/* One byte changed anywhere, or the end cut off anywhere: never a crash, never a loop. */
START_TEST(damage_is_survived)
{
	struct fake_log fake;

	fake_log_init(&fake);
	fake_log_put(&fake, "mirror/l/t", "{\"v\":1,\"source_topic\":\"s\",\"partitions\":1,\"wish\":\"mirror\"}");
	for (int32_t at = 0; at < fake.batches[0].len; at++) {
		struct log_view view = { .position = 0 };
		uint8_t *copy = xmalloc((size_t)fake.batches[0].len);

		memcpy(copy, fake.batches[0].data, (size_t)fake.batches[0].len);
		copy[at] ^= 0x55;
		log_view_take(&view, copy, fake.batches[0].len);
		log_view_fini(&view);
		view.position = 0;
		memcpy(copy, fake.batches[0].data, (size_t)fake.batches[0].len);
		log_view_take(&view, copy, at);
		log_view_fini(&view);
		xfree(copy);
	}
	fake_log_fini(&fake);
}
END_TEST

TCase *log_view_tests(void)
{
	TCase *tc = tcase_create("log_view");

	tcase_add_test(tc, the_latest_record_of_a_key_stands);
	tcase_add_test(tc, foreign_records_are_skipped_and_counted);
	tcase_add_test(tc, an_older_record_of_a_link_does_not_hold_again);
	tcase_add_test(tc, records_below_the_position_are_passed_over);
	tcase_add_test(tc, batches_that_cannot_be_read_are_stepped_over);
	tcase_add_test(tc, damage_is_survived);
	return tc;
}
