/* SPDX-License-Identifier: Apache-2.0 */
/* Each look-up is a job of its own. */
#include "net/resolve.h"

#include "base/mem.h"
#include "base/str.h"
#include "net/job.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

struct look_up {
	struct resolve *resolve;
	char *host;
	uint16_t port;
	int n_addrs;
	struct sockaddr_storage addrs[RESOLVE_MAX];
	struct err err;
};

static void look_up_free(void *data)
{
	struct look_up *l = data;

	xfree(l->host);
	xfree(l);
}

static void set_port(struct sockaddr_storage *addr, uint16_t port)
{
	if (addr->ss_family == AF_INET6)
		((struct sockaddr_in6 *)addr)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)addr)->sin_port = htons(port);
}

static void take_addrs(struct look_up *l, const struct addrinfo *list)
{
	for (const struct addrinfo *ai = list; ai != NULL && l->n_addrs < RESOLVE_MAX; ai = ai->ai_next) {
		struct sockaddr_storage *addr = &l->addrs[l->n_addrs];

		if ((ai->ai_family != AF_INET && ai->ai_family != AF_INET6) || ai->ai_addrlen > sizeof(*addr))
			continue;
		memset(addr, 0, sizeof(*addr));
		memcpy(addr, ai->ai_addr, ai->ai_addrlen);
		set_port(addr, l->port);
		l->n_addrs++;
	}
}

static void ask(struct look_up *l, int flags)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	struct addrinfo *list = NULL;
	int res = getaddrinfo(l->host, NULL, &hints, &list);
	int error = errno;

	if (res == 0) {
		take_addrs(l, list);
		freeaddrinfo(list);
	}
	if (l->n_addrs > 0)
		return;
	err_set(&l->err, RC_RESOLVE, "cannot resolve %s: %s", l->host,
	        res == EAI_SYSTEM ? strerror(error) : res != 0 ? gai_strerror(res) : "it has no address");
	err_hint(&l->err, "check the name, and /etc/resolv.conf and /etc/hosts of this machine");
}

static void work(void *data)
{
	ask(data, 0);
}

static void answer(void *data)
{
	struct look_up *l = data;
	struct resolve *resolve = l->resolve;
	struct err err = l->err;

	resolve->n_addrs = l->n_addrs;
	memcpy(resolve->addrs, l->addrs, sizeof(l->addrs));
	resolve->job_ = NULL;
	look_up_free(l);
	resolve->done(resolve, &err);
}

void resolve_start(struct loop *loop, struct resolve *resolve, const char *host, uint16_t port)
{
	static const struct job_ops ops = { work, answer, look_up_free };
	struct look_up *l = xcalloc(1, sizeof(*l));
	int error;

	CHECK(resolve->job_ == NULL && resolve->done != NULL);
	resolve->n_addrs = 0;
	l->resolve = resolve;
	l->host = xstrdup(host);
	l->port = port;
	ask(l, AI_NUMERICHOST);
	if (l->n_addrs == 0) {
		l->err = (struct err){ 0 };
		resolve->job_ = job_start(loop, &ops, l, &error);
		if (resolve->job_ != NULL)
			return;
		err_set(&l->err, RC_RESOLVE, "cannot resolve %s: no thread for it: %s", host, strerror(error));
	}
	resolve->job_ = job_post(loop, &ops, l);
}

void resolve_cancel(struct resolve *resolve)
{
	struct job *job = resolve->job_;

	if (job == NULL)
		return;
	resolve->job_ = NULL;
	job_cancel(job);
}

void sockaddr_text(const struct sockaddr_storage *addr, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (addr->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(text, size, "[%s]:%u", host, ntohs(in6->sin6_port));
	} else if (addr->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)addr;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%u", host, ntohs(in->sin_port));
	} else {
		snprintf(text, size, "(address family %d)", addr->ss_family);
	}
}
