/* SPDX-License-Identifier: Apache-2.0 */
/* One detached thread per look-up: they are few, and a resolver that hangs must not hold up the others.
 *
 * Happy path: start -> helper: getaddrinfo -> loop_post -> done -> job freed on the loop's thread.
 * Cancel, by where the job is:
 *   working   marked; the helper frees it and does not touch the loop, which may be gone by then
 *   posted    the post is taken back; freed at once
 * The job's lock orders the two; the helper posts while it holds it, so that a cancel finds either. */
#include "net/resolve.h"

#include "base/mem.h"
#include "base/str.h"
#include "net/loop_engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { STACK_BYTES = 512 << 10 };

enum job_state { JOB_WORKING, JOB_POSTED, JOB_CANCELLED };

struct resolve_job {
	pthread_mutex_t lock;
	enum job_state state;
	struct loop *loop;
	struct resolve *resolve;
	char *host;
	uint16_t port;
	int n_addrs;
	struct sockaddr_storage addrs[RESOLVE_MAX];
	struct err err;
	struct post post;
};

static void job_free(struct resolve_job *job)
{
	pthread_mutex_destroy(&job->lock);
	xfree(job->host);
	xfree(job);
}

static void set_port(struct sockaddr_storage *addr, uint16_t port)
{
	if (addr->ss_family == AF_INET6)
		((struct sockaddr_in6 *)addr)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)addr)->sin_port = htons(port);
}

static void take_addrs(struct resolve_job *job, const struct addrinfo *list)
{
	for (const struct addrinfo *ai = list; ai != NULL && job->n_addrs < RESOLVE_MAX; ai = ai->ai_next) {
		struct sockaddr_storage *addr = &job->addrs[job->n_addrs];

		if ((ai->ai_family != AF_INET && ai->ai_family != AF_INET6) || ai->ai_addrlen > sizeof(*addr))
			continue;
		memset(addr, 0, sizeof(*addr));
		memcpy(addr, ai->ai_addr, ai->ai_addrlen);
		set_port(addr, job->port);
		job->n_addrs++;
	}
}

static void look_up(struct resolve_job *job, int flags)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	struct addrinfo *list = NULL;
	int res = getaddrinfo(job->host, NULL, &hints, &list);
	int error = errno;

	if (res == 0) {
		take_addrs(job, list);
		freeaddrinfo(list);
	}
	if (job->n_addrs > 0)
		return;
	err_set(&job->err, RC_RESOLVE, "cannot resolve %s: %s", job->host,
	        res == EAI_SYSTEM ? strerror(error) : res != 0 ? gai_strerror(res) : "it has no address");
	err_hint(&job->err, "check the name, and /etc/resolv.conf and /etc/hosts of this machine");
}

static void answer(struct post *post)
{
	struct resolve_job *job = container_of(post, struct resolve_job, post);
	struct resolve *resolve = job->resolve;
	struct err err = job->err;

	/* Wait until the helper, which posted this with the lock held, has let go of it. */
	pthread_mutex_lock(&job->lock);
	pthread_mutex_unlock(&job->lock);
	resolve->n_addrs = job->n_addrs;
	memcpy(resolve->addrs, job->addrs, sizeof(job->addrs));
	resolve->job_ = NULL;
	job_free(job);
	resolve->done(resolve, &err);
}

static void *helper(void *arg)
{
	struct resolve_job *job = arg;
	bool cancelled;

	look_up(job, 0);
	pthread_mutex_lock(&job->lock);
	cancelled = job->state == JOB_CANCELLED;
	if (!cancelled) {
		job->state = JOB_POSTED;
		loop_post(job->loop, &job->post);
	}
	pthread_mutex_unlock(&job->lock);
	if (cancelled)
		job_free(job);
	return NULL;
}

static int start_helper(struct resolve_job *job)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int res;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	res = pthread_create(&thread, &attr, helper, job);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return res;
}

void resolve_start(struct loop *loop, struct resolve *resolve, const char *host, uint16_t port)
{
	struct resolve_job *job = xcalloc(1, sizeof(*job));
	int res;

	CHECK(resolve->job_ == NULL && resolve->done != NULL);
	resolve->job_ = job;
	resolve->n_addrs = 0;
	pthread_mutex_init(&job->lock, NULL);
	job->loop = loop;
	job->resolve = resolve;
	job->host = xstrdup(host);
	job->port = port;
	job->post.run = answer;
	look_up(job, AI_NUMERICHOST);
	if (job->n_addrs == 0) {
		job->err = (struct err){ 0 };
		res = start_helper(job);
		if (res == 0)
			return;
		err_set(&job->err, RC_RESOLVE, "cannot resolve %s: no thread for it: %s", host, strerror(res));
	}
	job->state = JOB_POSTED;
	loop_post(loop, &job->post);
}

void resolve_cancel(struct resolve *resolve)
{
	struct resolve_job *job = resolve->job_;
	bool posted;

	if (job == NULL)
		return;
	resolve->job_ = NULL;
	pthread_mutex_lock(&job->lock);
	posted = job->state == JOB_POSTED;
	job->state = JOB_CANCELLED;
	pthread_mutex_unlock(&job->lock);
	if (!posted)
		return;
	CHECK(loop_unpost(job->loop, &job->post));
	job_free(job);
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
