/* SPDX-License-Identifier: Apache-2.0 */
#include "test_net.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const enum loop_engine engines[] = { LOOP_IO_URING, LOOP_EPOLL };

static bool have_ring(void)
{
	struct err err = { 0 };
	struct loop *loop;

	/* The valgrind of Debian 12 does not follow what the kernel writes into a ring. */
	if (getenv("NET_TESTS_NO_RING") != NULL)
		return false;
	loop = loop_create(LOOP_IO_URING, &err);
	if (loop == NULL)
		fprintf(stderr, "no io_uring here, its tests are left out: %s\n", err.text);
	loop_destroy(loop);
	return loop != NULL;
}

void add_for_engines(TCase *tcase, const TTest *test)
{
	tcase_add_loop_test(tcase, test, have_ring() ? 0 : 1, (int)ARRAY_LEN(engines));
}

struct loop *test_loop(int i)
{
	struct err err = { 0 };
	struct loop *loop = loop_create(engines[i], &err);

	ck_assert_msg(loop != NULL, "%s", err.text);
	return loop;
}

int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

int tcp_listen(int backlog, struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(*addr);

	memset(addr, 0, sizeof(*addr));
	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)addr, len), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)addr, &len), 0);
	return fd;
}

void refusing_addr(struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*addr);

	memset(addr, 0, sizeof(*addr));
	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)addr, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)addr, &len), 0);
	close(fd);
}

void tcp_pair(int fds[2])
{
	struct sockaddr_in addr;
	int listening = tcp_listen(1, &addr);

	ck_assert_int_eq(fcntl(listening, F_SETFL, 0), 0);
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fds[0], (struct sockaddr *)&addr, sizeof(addr)), 0);
	fds[1] = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(fds[1], 0);
	ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	close(listening);
}

static void probe_done(struct op *op, int res)
{
	struct probe *probe = container_of(op, struct probe, op);

	probe->n++;
	probe->res = res;
}

void probe_init(struct probe *probe)
{
	memset(probe, 0, sizeof(*probe));
	probe->op.done = probe_done;
}

int main(void)
{
	Suite *suite = suite_create("net");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, loop_tests());
	suite_add_tcase(suite, io_tests());
	suite_add_tcase(suite, conn_tests());
	suite_add_tcase(suite, tls_tests());
	suite_add_tcase(suite, stream_tests());
	suite_add_tcase(suite, resolve_tests());
	suite_add_tcase(suite, engine_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
