/* SPDX-License-Identifier: Apache-2.0 */
/* Which engine is taken, and what is said when the ring cannot be had: in a child, for a filter is for ever. */
#include "test_net.h"

#include "base/mem.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(engine_words)
{
	enum loop_engine engine;

	ck_assert(loop_engine_parse("auto", &engine) && engine == LOOP_AUTO);
	ck_assert(loop_engine_parse("io_uring", &engine) && engine == LOOP_IO_URING);
	ck_assert(loop_engine_parse("epoll", &engine) && engine == LOOP_EPOLL);
	ck_assert(!loop_engine_parse("kqueue", &engine));
	ck_assert(!loop_engine_parse("", &engine));
}
END_TEST

static void forbid(unsigned call, int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_LEN(filter), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		_exit(77);
}

#define EXPECT(cond)                                                                                                  \
	do {                                                                                                          \
		if (!(cond)) {                                                                                        \
			fprintf(stderr, "line %d: %s; why: %s; err: %s\n", __LINE__, #cond,                           \
			        loop != NULL ? loop_engine_why(loop) : "-", err.text);                                \
			_exit(1);                                                                                     \
		}                                                                                                     \
	} while (0)

/* The loop falls back, works, and says why; a ring that was asked for is an error with a hint. */
static void check_fallback(const char *call, const char *error)
{
	struct err err = { 0 };
	struct loop *loop = loop_create(LOOP_AUTO, &err);
	struct probe probe;

	EXPECT(loop != NULL);
	EXPECT(strcmp(loop_engine_name(loop), "epoll") == 0);
	EXPECT(strstr(loop_engine_why(loop), call) != NULL);
	EXPECT(strstr(loop_engine_why(loop), error) != NULL);
	probe_init(&probe);
	loop_defer(loop, &probe.op, 7);
	loop_step(loop, INT64_MAX);
	EXPECT(probe.n == 1 && probe.res == 7);
	loop_destroy(loop);
	loop = loop_create(LOOP_IO_URING, &err);
	EXPECT(loop == NULL);
	EXPECT(strstr(err.text, error) != NULL && err.hint[0] != '\0' && err.rc != RC_OK);
	loop = loop_create(LOOP_EPOLL, &err);
	EXPECT(loop != NULL && strcmp(loop_engine_why(loop), "asked for") == 0);
	loop_destroy(loop);
	_exit(0);
}

static int wait_child(pid_t pid)
{
	int status = 0;

	ck_assert_int_ge(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(forbidden_calls_lead_to_epoll_with_the_reason)
{
	static const struct { unsigned call; const char *name; int error; const char *text; } cases[] = {
		{ SYS_io_uring_setup, "io_uring_setup", EPERM, "EPERM" },
		{ SYS_io_uring_setup, "io_uring_setup", ENOSYS, "ENOSYS" },
		{ SYS_io_uring_setup, "io_uring_setup", EINVAL, "EINVAL" },
		{ SYS_io_uring_setup, "io_uring_setup", ENOMEM, "RLIMIT_MEMLOCK allows" },
		{ SYS_io_uring_register, "io_uring_register", EPERM, "seccomp" },
		{ SYS_io_uring_enter, "io_uring_enter", EPERM, "seccomp" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			forbid(cases[i].call, cases[i].error);
			check_fallback(cases[i].name, cases[i].text);
		}
		status = wait_child(pid);
		if (status == 77) {
			fprintf(stderr, "no seccomp filters here, the test is left out\n");
			return;
		}
		ck_assert_msg(status == 0, "%s answered with %s", cases[i].name, cases[i].text);
	}
}
END_TEST

START_TEST(ring_asked_for_and_had_says_so)
{
	struct err err = { 0 };
	struct loop *loop = loop_create(LOOP_IO_URING, &err);

	/* What is had here is tested by all the others; what is not is tested above. */
	if (loop == NULL) {
		ck_assert_str_ne(err.text, "");
		return;
	}
	ck_assert_str_eq(loop_engine_name(loop), "io_uring");
	ck_assert_str_eq(loop_engine_why(loop), "asked for");
	loop_destroy(loop);
	loop = loop_create(LOOP_AUTO, &err);
	ck_assert_str_eq(loop_engine_name(loop), "io_uring");
	ck_assert_str_eq(loop_engine_why(loop), "the kernel has it");
	loop_destroy(loop);
}
END_TEST

/* Little locked memory, and not the rights to exceed it: a ring of the smaller size, or the reason. */
START_TEST(small_memlock_is_enough_or_is_named)
{
	static const size_t limits[] = { 64 << 10, 24 << 10, 4 << 10 };

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct rlimit limit = { limits[i], limits[i] };
			struct err err = { 0 };
			struct loop *loop = NULL;

			EXPECT(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
			if (geteuid() == 0)
				EXPECT(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
			loop = loop_create(LOOP_AUTO, &err);
			EXPECT(loop != NULL);
			if (strcmp(loop_engine_name(loop), "epoll") == 0)
				EXPECT(strstr(loop_engine_why(loop), "io_uring") != NULL);
			loop_step(loop, 0);
			loop_destroy(loop);
			_exit(0);
		}
		ck_assert_int_eq(wait_child(pid), 0);
	}
}
END_TEST

TCase *engine_tests(void)
{
	TCase *tcase = tcase_create("engine");

	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, engine_words);
	tcase_add_test(tcase, forbidden_calls_lead_to_epoll_with_the_reason);
	tcase_add_test(tcase, ring_asked_for_and_had_says_so);
	tcase_add_test(tcase, small_memlock_is_enough_or_is_named);
	return tcase;
}
