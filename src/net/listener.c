/* SPDX-License-Identifier: Apache-2.0 */
/* One accept is in flight at a time. After an error it pauses: when the process is out of descriptors or memory, the
 * connection that waits in the backlog would make it spin. */
#include "net/listener.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 1024, PAUSE_MS = 100 };

static void accept_next(struct listener *listener)
{
	loop_accept(listener->loop_, &listener->accept_, listener->fd_);
}

static void join(struct listener *listener)
{
	if (!listener->closing_ || op_busy(&listener->accept_) || op_busy(&listener->close_))
		return;
	listener->closing_ = false;
	loop_close(listener->loop_, listener->fd_);
	listener->loop_ = NULL;
	listener->ops->closed(listener);
}

static void accept_done(struct op *op, int res)
{
	struct listener *listener = container_of(op, struct listener, accept_);
	char name[64];

	if (listener->closing_) {
		if (res >= 0)
			loop_close(listener->loop_, res);
		join(listener);
		return;
	}
	if (res < 0 && res != -ECONNABORTED) {
		listener_text(listener, name, sizeof(name));
		log_warn("listener", "cannot accept, trying again in 100 ms", "address=%s error=" LOG_Q, name,
		         strerror(-res));
		loop_timer_set(listener->loop_, &listener->pause_, loop_now(listener->loop_) + PAUSE_MS * NS_PER_MS);
		return;
	}
	accept_next(listener);
	if (res >= 0)
		listener->ops->accepted(listener, res);
}

static void pause_over(struct timer *timer)
{
	accept_next(container_of(timer, struct listener, pause_));
}

static void close_done(struct op *op, int res)
{
	(void)res;
	join(container_of(op, struct listener, close_));
}

static int bind_first(const char *host, uint16_t port, struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *list;
	const char *name = host != NULL && host[0] != '\0' ? host : NULL;
	char service[8];
	int res, fd, one = 1;

	snprintf(service, sizeof(service), "%u", port);
	res = getaddrinfo(name, service, &hints, &list);
	if (res != 0)
		return err_set(err, RC_RESOLVE, "cannot resolve %s: %s", name != NULL ? name : "*", gai_strerror(res));
	fd = socket(list->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	res = fd < 0 ? -errno : 0;
	if (res == 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		res = -errno;
	if (res == 0 && bind(fd, list->ai_addr, list->ai_addrlen) < 0)
		res = -errno;
	if (res == 0 && listen(fd, BACKLOG) < 0)
		res = -errno;
	freeaddrinfo(list);
	if (res == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return err_set(err, res, "cannot listen on %s:%u: %s", name != NULL ? name : "*", port, strerror(-res));
}

int listener_open(struct listener *listener, struct loop *loop, const char *host, uint16_t port, struct err *err)
{
	socklen_t len = sizeof(listener->addr_);
	int fd, error;

	CHECK(listener->loop_ == NULL);
	err->rc = RC_OK;
	fd = bind_first(host, port, err);
	if (err->rc != RC_OK)
		return err->rc;
	if (getsockname(fd, (struct sockaddr *)&listener->addr_, &len) < 0) {
		error = errno;
		close(fd);
		return err_set(err, -error, "getsockname: %s", strerror(error));
	}
	listener->loop_ = loop;
	listener->fd_ = fd;
	listener->accept_.done = accept_done;
	listener->close_.done = close_done;
	listener->pause_.done = pause_over;
	accept_next(listener);
	return RC_OK;
}

int listener_bind(const char *host, uint16_t port, char *text, size_t size, struct err *err)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t len = sizeof(addr);
	int fd;

	err->rc = RC_OK;
	fd = bind_first(host, port, err);
	if (err->rc != RC_OK)
		return -1;
	if (getsockname(fd, (struct sockaddr *)&addr, &len) == 0)
		sockaddr_text(&addr, text, size);
	return fd;
}

void listener_shut(int fd)
{
	close(fd);
}

void listener_cut(int fd)
{
	shutdown(fd, SHUT_RDWR);
}

uint16_t listener_port(const struct listener *listener)
{
	if (listener->addr_.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&listener->addr_)->sin6_port);
	return ntohs(((const struct sockaddr_in *)&listener->addr_)->sin_port);
}

void listener_text(const struct listener *listener, char *text, size_t size)
{
	sockaddr_text(&listener->addr_, text, size);
}

void listener_close(struct listener *listener)
{
	if (listener->loop_ == NULL || listener->closing_)
		return;
	listener->closing_ = true;
	loop_timer_clear(&listener->pause_);
	loop_cancel(listener->loop_, &listener->accept_);
	loop_defer(listener->loop_, &listener->close_, 0);
}
