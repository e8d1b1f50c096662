/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets and the clock of the kernel, the same for both of its engines. */
#include "base/clock.h"
#include "net/loop_engine.h"

#include <errno.h>
#include <netinet/tcp.h>

/* A peer that vanished without a word is noticed after 30 + 3 * 10 s of silence. */
enum { KEEP_IDLE_S = 30, KEEP_INTERVAL_S = 10, KEEP_PROBES = 3 };

int kernel_socket(struct loop *loop, int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	(void)loop;
	return fd < 0 ? -errno : fd;
}

static void set(int fd, int level, int name, int value)
{
	/* All of these are wishes: without them a connection is slower to fail or to fly, but right. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

void kernel_tune(struct loop *loop, int fd, const struct socket_opts *opts)
{
	(void)loop;
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_PROBES);
	if (opts->user_timeout_ms > 0)
		set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, opts->user_timeout_ms);
	if (opts->rcvbuf > 0)
		set(fd, SOL_SOCKET, SO_RCVBUF, opts->rcvbuf);
	if (opts->sndbuf > 0)
		set(fd, SOL_SOCKET, SO_SNDBUF, opts->sndbuf);
}

bool kernel_peer(struct loop *loop, int fd, struct sockaddr_storage *addr)
{
	socklen_t len = sizeof(*addr);

	(void)loop;
	return getpeername(fd, (struct sockaddr *)addr, &len) == 0;
}

int64_t kernel_clock(struct loop *loop)
{
	(void)loop;
	return clock_mono_ns();
}

int64_t kernel_time_left(int64_t deadline_ns)
{
	int64_t left_ns;

	if (deadline_ns == INT64_MAX)
		return -1;
	if (deadline_ns <= 0)
		return 0;
	left_ns = deadline_ns - clock_mono_ns();
	return left_ns > 0 ? left_ns : 0;
}
