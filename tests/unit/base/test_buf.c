/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "test_base.h"

START_TEST(pool_refuses_beyond_its_budget)
{
	struct buf_pool *pool = buf_pool_create(64 << 10);
	struct buf *a = buf_get(pool, 40 << 10);

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_null(buf_get(pool, 4 << 10));
	buf_unref(a);
	a = buf_get(pool, 64 << 10);
	ck_assert_ptr_nonnull(a);
	buf_unref(a);
	ck_assert_uint_eq(buf_pool_used(pool), 0);
	buf_pool_destroy(pool);
}
END_TEST

START_TEST(pool_grants_one_larger_frame_at_a_time)
{
	struct buf_pool *pool = buf_pool_create(64 << 10);
	struct buf *big = buf_get(pool, 1 << 20);

	ck_assert_ptr_nonnull(big);
	ck_assert_ptr_null(buf_get(pool, 1 << 20));
	buf_unref(big);
	big = buf_get(pool, 1 << 20);
	ck_assert_ptr_nonnull(big);
	buf_unref(big);
	buf_pool_destroy(pool);
}
END_TEST

static int woken;

static void count_wake(struct buf_waiter *w)
{
	(void)w;
	woken++;
}

START_TEST(waiter_is_woken_once)
{
	struct buf_pool *pool = buf_pool_create(8 << 10);
	struct buf *a = buf_get(pool, 4 << 10), *b = buf_get(pool, 4 << 10);
	struct buf_waiter w = { .wake = count_wake };

	woken = 0;
	buf_pool_wait(pool, &w);
	buf_pool_wait(pool, &w);
	buf_unref(a);
	buf_unref(b);
	ck_assert_int_eq(woken, 1);
	buf_pool_destroy(pool);
}
END_TEST

START_TEST(arena_keeps_a_held_buffer_until_reset)
{
	struct buf_pool *pool = buf_pool_create(8 << 10);
	struct arena a;

	arena_init(&a, 100);
	arena_hold(&a, buf_get(pool, 10));
	ck_assert_uint_gt(buf_pool_used(pool), 0);
	ck_assert_ptr_nonnull(arena_alloc(&a, 90));
	ck_assert_ptr_null(arena_alloc(&a, 90));
	arena_reset(&a);
	ck_assert_uint_eq(buf_pool_used(pool), 0);
	ck_assert_ptr_nonnull(arena_alloc(&a, 90));
	arena_fini(&a);
	buf_pool_destroy(pool);
}
END_TEST

TCase *buf_tests(void)
{
	TCase *tc = tcase_create("buf");

	tcase_add_test(tc, pool_refuses_beyond_its_budget);
	tcase_add_test(tc, pool_grants_one_larger_frame_at_a_time);
	tcase_add_test(tc, waiter_is_woken_once);
	tcase_add_test(tc, arena_keeps_a_held_buffer_until_reset);
	return tc;
}
