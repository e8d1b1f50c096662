/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the net layer share. Each test is a loop test over the engines: _i is the place in `engines`. */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "net/loop.h"

#include <check.h>

/* Longer than anything takes, also under valgrind on a busy machine. */
#define PATIENCE_NS (60 * NS_PER_S)

TCase *loop_tests(void);
TCase *io_tests(void);
TCase *conn_tests(void);
TCase *stream_tests(void);
TCase *resolve_tests(void);
TCase *engine_tests(void);
TCase *tls_tests(void);

/* Adds a test for every engine that can be had (under valgrind only epoll, which knows little of rings). */
void add_for_engines(TCase *tcase, const TTest *test);
struct loop *test_loop(int i);

/* Steps until the condition holds; fails the test when that takes too long. */
#define step_until(loop, cond)                                                                                        \
	do {                                                                                                          \
		int64_t end_ = clock_mono_ns() + PATIENCE_NS;                                                         \
		while (!(cond)) {                                                                                     \
			ck_assert_msg(clock_mono_ns() < end_, "waited too long for: %s", #cond);                      \
			loop_step((loop), end_);                                                                      \
		}                                                                                                     \
	} while (0)

/* Open descriptors of this process. */
int count_fds(void);

/* A connected pair over TCP on 127.0.0.1, both non-blocking. */
void tcp_pair(int fds[2]);
/* A listening socket on 127.0.0.1; *port is set. backlog as for listen. */
int tcp_listen(int backlog, struct sockaddr_in *addr);
/* An address on 127.0.0.1 where nothing listens. */
void refusing_addr(struct sockaddr_in *addr);

/* An op with a record of its completions. */
struct probe {
	struct op op;
	int n, res;
};
void probe_init(struct probe *probe);
