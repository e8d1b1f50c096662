/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "test_base.h"

START_TEST(pool_refuses_beyond_its_budget)
{
	struct buf_pool *pool = buf_pool_create(64 << 10);
	struct buf *a = buf_get(pool, 60 << 10);

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

START_TEST(pool_uses_freed_memory_again)
{
	struct buf_pool *pool = buf_pool_create(48 << 20);
	struct buf *a = buf_get(pool, (10 << 20) + 100), *b;
	uint8_t *data = a->data;

	/* Rounding takes no more than a quarter. */
	ck_assert_uint_le(buf_pool_used(pool), 12 << 20);
	buf_unref(a);
	b = buf_get(pool, 9 << 20);
	ck_assert_ptr_eq(b->data, data);
	ck_assert_uint_eq(b->cap, 9 << 20);
	buf_unref(b);
	b = buf_get(pool, 5 << 10);
	ck_assert_ptr_ne(b->data, data);
	ck_assert_uint_eq(buf_pool_used(pool), 5 << 10);
	/* What is kept is no reason to refuse. */
	a = buf_get(pool, 40 << 20);
	ck_assert_ptr_nonnull(a);
	buf_unref(a);
	buf_unref(b);
	ck_assert_uint_eq(buf_pool_used(pool), 0);
	buf_pool_destroy(pool);
}
END_TEST

START_TEST(pool_takes_every_size)
{
	struct buf_pool *pool = buf_pool_create(64 << 20);

	for (size_t size = 1; size < 20 << 20; size += size / 3 + 1) {
		struct buf *a = buf_get(pool, size);

		ck_assert_ptr_nonnull(a);
		ck_assert_uint_ge(buf_pool_used(pool), size);
		a->data[size - 1] = 1;
		buf_unref(a);
		ck_assert_uint_eq(buf_pool_used(pool), 0);
	}
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
	tcase_add_test(tc, pool_uses_freed_memory_again);
	tcase_add_test(tc, pool_takes_every_size);
	tcase_add_test(tc, waiter_is_woken_once);
	tcase_add_test(tc, arena_keeps_a_held_buffer_until_reset);
	return tc;
}
