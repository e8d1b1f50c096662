/* SPDX-License-Identifier: Apache-2.0 */
/* Names, and the listener. */
#include "test_net.h"

#include "base/mem.h"
#include "net/listener.h"
#include "net/resolve.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

struct query {
	struct resolve resolve;
	int n;
	struct err err;
};

static void resolved(struct resolve *resolve, const struct err *err)
{
	struct query *query = container_of(resolve, struct query, resolve);

	ck_assert(!resolve_pending(resolve));
	query->n++;
	query->err = *err;
}

static int count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	int n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

START_TEST(literal_addresses_answer_later_without_a_thread)
{
	static const struct { const char *host, *text; } cases[] = {
		{ "127.0.0.1", "127.0.0.1:9092" }, { "::1", "[::1]:9092" }, { "2001:db8::7", "[2001:db8::7]:9092" },
	};
	struct loop *loop = test_loop(_i);
	int threads = count_threads();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct query query = { .resolve.done = resolved };
		char text[64];

		resolve_start(loop, &query.resolve, cases[i].host, 9092);
		ck_assert_int_eq(query.n, 0);
		ck_assert(resolve_pending(&query.resolve));
		ck_assert_int_eq(count_threads(), threads);
		step_until(loop, query.n == 1);
		ck_assert_int_eq(query.err.rc, RC_OK);
		ck_assert_int_eq(query.resolve.n_addrs, 1);
		sockaddr_text(&query.resolve.addrs[0], text, sizeof(text));
		ck_assert_str_eq(text, cases[i].text);
	}
	loop_destroy(loop);
}
END_TEST

START_TEST(names_are_looked_up_by_a_helper)
{
	struct query query = { .resolve.done = resolved };
	struct loop *loop = test_loop(_i);
	bool found = false;

	resolve_start(loop, &query.resolve, "localhost", 1234);
	ck_assert_int_eq(query.n, 0);
	step_until(loop, query.n == 1);
	ck_assert_msg(query.resolve.n_addrs >= 1, "%s", query.err.text);
	for (int i = 0; i < query.resolve.n_addrs; i++) {
		char text[64];

		sockaddr_text(&query.resolve.addrs[i], text, sizeof(text));
		found = found || strcmp(text, "127.0.0.1:1234") == 0 || strcmp(text, "[::1]:1234") == 0;
	}
	ck_assert(found);
	/* A name that is no name: answered without asking anybody. */
	resolve_start(loop, &query.resolve, "no..such..name", 1);
	step_until(loop, query.n == 2);
	ck_assert_int_eq(query.resolve.n_addrs, 0);
	ck_assert_int_eq(query.err.rc, RC_RESOLVE);
	ck_assert_msg(strstr(query.err.text, "cannot resolve no..such..name: ") != NULL, "%s", query.err.text);
	loop_destroy(loop);
}
END_TEST

START_TEST(cancelled_look_ups_never_answer)
{
	int threads = count_threads();

	/* The loop is gone at once: the helper must not touch it. Every second time it may have posted already. */
	for (int i = 0; i < 50; i++) {
		struct query query = { .resolve.done = resolved };
		struct loop *loop = test_loop(_i);

		resolve_start(loop, &query.resolve, i % 5 == 0 ? "127.0.0.1" : "localhost", 1);
		if (i % 2 == 0)
			sched_yield();
		resolve_cancel(&query.resolve);
		resolve_cancel(&query.resolve);
		ck_assert(!resolve_pending(&query.resolve));
		if (i % 3 == 0)
			loop_step(loop, 0);
		ck_assert_int_eq(query.n, 0);
		loop_destroy(loop);
	}
	for (int64_t end = clock_mono_ns() + PATIENCE_NS; count_threads() > threads; sched_yield())
		ck_assert(clock_mono_ns() < end);
}
END_TEST

/* ---- listener ---- */

struct door {
	struct listener listener;
	struct loop *loop;
	int n_accepted, n_closed;
};

static void on_accepted(struct listener *listener, int fd)
{
	struct door *door = listener->owner;

	door->n_accepted++;
	loop_close(door->loop, fd);
}

static void on_closed(struct listener *listener)
{
	((struct door *)listener->owner)->n_closed++;
}

static const struct listener_ops door_ops = { on_accepted, on_closed };

START_TEST(listener_accepts_until_it_is_closed)
{
	struct loop *loop = test_loop(_i);
	struct door door = { .listener = { .ops = &door_ops, .owner = &door }, .loop = loop };
	struct door second = { .listener = { .ops = &door_ops, .owner = &second }, .loop = loop };
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int before = count_fds();
	struct err err = { 0 };
	char text[64], expected[64];

	ck_assert_msg(listener_open(&door.listener, loop, "127.0.0.1", 0, &err) == RC_OK, "%s", err.text);
	ck_assert_uint_ne(listener_port(&door.listener), 0);
	listener_text(&door.listener, text, sizeof(text));
	snprintf(expected, sizeof(expected), "127.0.0.1:%u", listener_port(&door.listener));
	ck_assert_str_eq(text, expected);
	ck_assert_int_eq(listener_open(&second.listener, loop, "127.0.0.1", listener_port(&door.listener), &err),
	                 -EADDRINUSE);
	ck_assert_msg(strstr(err.text, expected) != NULL, "%s", err.text);
	addr.sin_port = htons(listener_port(&door.listener));
	for (int i = 1; i <= 20; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
		close(fd);
		if (i % 4 == 0)
			step_until(loop, door.n_accepted == i);
	}
	listener_close(&door.listener);
	listener_close(&door.listener);
	ck_assert_int_eq(door.n_closed, 0);
	step_until(loop, door.n_closed == 1);
	ck_assert_int_eq(count_fds(), before);
	loop_destroy(loop);
}
END_TEST

TCase *resolve_tests(void)
{
	TCase *tcase = tcase_create("resolve");

	tcase_set_timeout(tcase, 100);
	add_for_engines(tcase, literal_addresses_answer_later_without_a_thread);
	add_for_engines(tcase, names_are_looked_up_by_a_helper);
	add_for_engines(tcase, cancelled_look_ups_never_answer);
	add_for_engines(tcase, listener_accepts_until_it_is_closed);
	return tcase;
}
