/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of the loop on sockets. */
#include "test_net.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int64_t soon(int ms)
{
	return clock_mono_ns() + ms * NS_PER_MS;
}

START_TEST(accept_connect_send_and_receive)
{
	struct loop *loop = test_loop(_i);
	int before = count_fds();
	struct probe accept, connect, send, recv;
	struct iovec iov[2] = { { (char[]){ "hello " }, 6 }, { (char[]){ "world" }, 5 } };
	struct socket_opts opts = { 0 };
	struct sockaddr_in addr;
	char buf[64];
	int listening = tcp_listen(8, &addr);
	int fd = loop_socket(loop, AF_INET, &opts);

	probe_init(&accept);
	probe_init(&connect);
	probe_init(&send);
	probe_init(&recv);
	loop_accept(loop, &accept.op, listening);
	loop_connect(loop, &connect.op, fd, (struct sockaddr *)&addr, sizeof(addr));
	ck_assert_int_eq(accept.n + connect.n, 0);
	step_until(loop, accept.n == 1 && connect.n == 1);
	ck_assert_int_eq(connect.res, 0);
	ck_assert_int_ge(accept.res, 0);
	loop_recv(loop, &recv.op, accept.res, buf, sizeof(buf));
	loop_sendv(loop, &send.op, fd, iov, 2);
	ck_assert_int_eq(send.n, 0);
	step_until(loop, recv.n == 1 && send.n == 1);
	ck_assert_int_eq(send.res, 11);
	ck_assert_int_eq(recv.res, 11);
	ck_assert_mem_eq(buf, "hello world", 11);
	loop_recv(loop, &recv.op, accept.res, buf, sizeof(buf));
	loop_step(loop, soon(1));
	ck_assert_int_eq(recv.n, 1);
	loop_close(loop, fd);
	step_until(loop, recv.n == 2);
	ck_assert_int_eq(recv.res, 0);
	loop_close(loop, accept.res);
	loop_close(loop, listening);
	ck_assert_int_eq(count_fds(), before);
	loop_destroy(loop);
}
END_TEST

START_TEST(connect_is_refused)
{
	struct loop *loop = test_loop(_i);
	struct socket_opts opts = { 0 };
	struct sockaddr_in addr;
	struct probe connect;
	int fd = loop_socket(loop, AF_INET, &opts);

	refusing_addr(&addr);
	probe_init(&connect);
	loop_connect(loop, &connect.op, fd, (struct sockaddr *)&addr, sizeof(addr));
	step_until(loop, connect.n == 1);
	ck_assert_int_eq(connect.res, -ECONNREFUSED);
	loop_close(loop, fd);
	loop_destroy(loop);
}
END_TEST

START_TEST(connect_without_an_answer_is_cancelled)
{
	struct loop *loop = test_loop(_i);
	struct socket_opts opts = { 0 };
	struct sockaddr_in addr;
	struct probe probes[4];
	int fds[4], listening = tcp_listen(0, &addr);

	/* The backlog of one is full after a few; the kernel drops further attempts without a word. */
	for (int i = 0; i < 4; i++) {
		fds[i] = loop_socket(loop, AF_INET, &opts);
		probe_init(&probes[i]);
		loop_connect(loop, &probes[i].op, fds[i], (struct sockaddr *)&addr, sizeof(addr));
		for (int64_t end = soon(20); probes[i].n == 0 && clock_mono_ns() < end;)
			loop_step(loop, end);
	}
	ck_assert_int_eq(probes[3].n, 0);
	for (int i = 0; i < 4; i++)
		loop_cancel(loop, &probes[i].op);
	step_until(loop, probes[3].n == 1 && probes[2].n == 1 && probes[1].n == 1);
	ck_assert_int_eq(probes[3].res, -ECANCELED);
	for (int i = 0; i < 4; i++)
		loop_close(loop, fds[i]);
	loop_close(loop, listening);
	loop_destroy(loop);
}
END_TEST

START_TEST(cancelled_recv_completes_once)
{
	struct loop *loop = test_loop(_i);
	struct probe recv;
	char buf[16];
	int fds[2];

	tcp_pair(fds);
	probe_init(&recv);
	for (int i = 1; i <= 100; i++) {
		loop_recv(loop, &recv.op, fds[0], buf, sizeof(buf));
		if (i % 2 == 0)
			loop_step(loop, 0);
		loop_cancel(loop, &recv.op);
		loop_cancel(loop, &recv.op);
		ck_assert_int_eq(recv.n, i - 1);
		step_until(loop, recv.n == i);
		ck_assert_int_eq(recv.res, -ECANCELED);
	}
	loop_cancel(loop, &recv.op);
	loop_step(loop, soon(1));
	ck_assert_int_eq(recv.n, 100);
	/* A late cancel must not hit the next use of the op. */
	loop_recv(loop, &recv.op, fds[0], buf, sizeof(buf));
	loop_step(loop, soon(1));
	ck_assert_int_eq(recv.n, 100);
	ck_assert_int_eq(write(fds[1], "abc", 3), 3);
	step_until(loop, recv.n == 101);
	ck_assert_int_eq(recv.res, 3);
	loop_close(loop, fds[0]);
	loop_close(loop, fds[1]);
	loop_destroy(loop);
}
END_TEST

START_TEST(cancel_that_races_with_data_loses_none)
{
	struct loop *loop = test_loop(_i);
	struct probe recv;
	int fds[2], cancelled = 0;
	uint8_t byte, next = 0;

	tcp_pair(fds);
	probe_init(&recv);
	for (int i = 0; i < 200; i++) {
		uint8_t out = (uint8_t)i;
		int n = recv.n;

		loop_recv(loop, &recv.op, fds[0], &byte, 1);
		if (i % 3 == 0)
			loop_step(loop, 0);
		ck_assert_int_eq(write(fds[1], &out, 1), 1);
		if (i % 3 == 1)
			loop_step(loop, 0);
		loop_cancel(loop, &recv.op);
		step_until(loop, recv.n == n + 1);
		if (recv.res == -ECANCELED) {
			cancelled++;
			loop_recv(loop, &recv.op, fds[0], &byte, 1);
			step_until(loop, recv.n == n + 2);
		}
		ck_assert_int_eq(recv.res, 1);
		ck_assert_uint_eq(byte, next++);
	}
	ck_assert_int_lt(cancelled, 200);
	loop_close(loop, fds[0]);
	loop_close(loop, fds[1]);
	loop_destroy(loop);
}
END_TEST

START_TEST(full_socket_sends_short_or_waits)
{
	struct loop *loop = test_loop(_i);
	size_t size = 4 << 20, sent = 0, got = 0;
	uint8_t *out = xmalloc(size), *in = xmalloc(size);
	struct probe send, recv;
	struct iovec iov;
	int fds[2];

	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(i * 31 + (i >> 12));
	tcp_pair(fds);
	probe_init(&send);
	probe_init(&recv);
	while (got < size) {
		if (!op_busy(&send.op) && sent < size) {
			iov = (struct iovec){ out + sent, size - sent };
			loop_sendv(loop, &send.op, fds[0], &iov, 1);
		}
		if (!op_busy(&recv.op))
			loop_recv(loop, &recv.op, fds[1], in + got, MIN(size - got, (size_t)100000));
		step_until(loop, send.n + recv.n > 0);
		ck_assert_int_ge(send.res, 0);
		ck_assert_int_ge(recv.res, 0);
		sent += send.n ? (size_t)send.res : 0;
		got += recv.n ? (size_t)recv.res : 0;
		send.n = recv.n = 0;
	}
	ck_assert_uint_eq(sent, size);
	ck_assert_mem_eq(in, out, size);
	xfree(in);
	xfree(out);
	loop_close(loop, fds[0]);
	loop_close(loop, fds[1]);
	loop_destroy(loop);
}
END_TEST

START_TEST(end_of_stream_with_data_is_not_lost)
{
	struct loop *loop = test_loop(_i);
	struct probe recv;
	char buf[64];
	int fds[2];

	/* Data and end come in one event; the recv is short, and the end must still be told. */
	for (int i = 0; i < 20; i++) {
		tcp_pair(fds);
		probe_init(&recv);
		loop_recv(loop, &recv.op, fds[0], buf, sizeof(buf));
		loop_step(loop, 0);
		ck_assert_int_eq(write(fds[1], "bye", 3), 3);
		loop_close(loop, fds[1]);
		step_until(loop, recv.n == 1);
		ck_assert_int_eq(recv.res, 3);
		loop_recv(loop, &recv.op, fds[0], buf, sizeof(buf));
		step_until(loop, recv.n == 2);
		ck_assert_int_eq(recv.res, 0);
		loop_close(loop, fds[0]);
	}
	loop_destroy(loop);
}
END_TEST

START_TEST(send_to_a_gone_peer_fails_without_a_signal)
{
	struct loop *loop = test_loop(_i);
	struct iovec iov = { (char[]){ "xxxx" }, 4 };
	struct probe send;
	int fds[2];

	tcp_pair(fds);
	loop_close(loop, fds[1]);
	probe_init(&send);
	for (int i = 1; i <= 100 && send.res >= 0; i++) {
		loop_sendv(loop, &send.op, fds[0], &iov, 1);
		step_until(loop, send.n == i);
	}
	ck_assert(send.res == -EPIPE || send.res == -ECONNRESET);
	loop_close(loop, fds[0]);
	loop_destroy(loop);
}
END_TEST

enum { N_PAIRS = 300, N_PENDING = 2300 };

/* More ops in one round than the submission queue has room for. */
START_TEST(more_ops_than_the_ring_has_room_for)
{
	struct loop *loop = test_loop(_i);
	static struct probe recv[N_PAIRS], send[N_PAIRS];
	static char bytes[N_PAIRS];
	static int fds[N_PAIRS][2];
	struct iovec iov = { (char[]){ "y" }, 1 };
	int done;

	for (int i = 0; i < N_PAIRS; i++) {
		probe_init(&recv[i]);
		probe_init(&send[i]);
		tcp_pair(fds[i]);
	}
	loop_step(loop, 0);
	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < N_PAIRS; i++)
			loop_recv(loop, &recv[i].op, fds[i][0], &bytes[i], 1);
		for (int i = 0; i < N_PAIRS; i++)
			loop_sendv(loop, &send[i].op, fds[i][1], &iov, 1);
		do {
			loop_step(loop, soon(1000));
			done = 0;
			for (int i = 0; i < N_PAIRS; i++)
				done += recv[i].n == round && send[i].n == round;
		} while (done < N_PAIRS);
		for (int i = 0; i < N_PAIRS; i++) {
			ck_assert_int_eq(recv[i].res, 1);
			ck_assert_int_eq(bytes[i], 'y');
		}
	}
	for (int i = 0; i < N_PAIRS; i++) {
		loop_close(loop, fds[i][0]);
		loop_close(loop, fds[i][1]);
	}
	loop_destroy(loop);
}
END_TEST

/* More completions at once than the completion queue holds: all are ready before the loop looks again. */
START_TEST(more_completions_than_the_ring_has_room_for)
{
	struct probe *recv = xcalloc(N_PENDING, sizeof(*recv));
	int (*fds)[2] = xcalloc(N_PENDING, sizeof(*fds));
	char *bytes = xcalloc(N_PENDING, 1);
	struct rlimit limit;
	struct loop *loop;
	int done = 0, n = N_PENDING;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 2 * N_PENDING + 64)
		n = (int)(limit.rlim_max - 64) / 2;
	loop = test_loop(_i);
	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds[i]), 0);
		probe_init(&recv[i]);
		loop_recv(loop, &recv[i].op, fds[i][0], &bytes[i], 1);
	}
	loop_step(loop, 0);
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(write(fds[i][1], "z", 1), 1);
	for (int64_t end = clock_mono_ns() + PATIENCE_NS; done < n;) {
		ck_assert(clock_mono_ns() < end);
		loop_step(loop, end);
		done = 0;
		for (int i = 0; i < n; i++)
			done += recv[i].n;
	}
	for (int i = 0; i < n; i++) {
		ck_assert(recv[i].n == 1 && recv[i].res == 1 && bytes[i] == 'z');
		loop_close(loop, fds[i][0]);
		loop_close(loop, fds[i][1]);
	}
	loop_destroy(loop);
	xfree(bytes);
	xfree(fds);
	xfree(recv);
}
END_TEST

TCase *io_tests(void)
{
	TCase *tcase = tcase_create("io");

	tcase_set_timeout(tcase, 100);
	add_for_engines(tcase, accept_connect_send_and_receive);
	add_for_engines(tcase, connect_is_refused);
	add_for_engines(tcase, connect_without_an_answer_is_cancelled);
	add_for_engines(tcase, cancelled_recv_completes_once);
	add_for_engines(tcase, cancel_that_races_with_data_loses_none);
	add_for_engines(tcase, full_socket_sends_short_or_waits);
	add_for_engines(tcase, end_of_stream_with_data_is_not_lost);
	add_for_engines(tcase, send_to_a_gone_peer_fails_without_a_signal);
	add_for_engines(tcase, more_ops_than_the_ring_has_room_for);
	add_for_engines(tcase, more_completions_than_the_ring_has_room_for);
	return tcase;
}
