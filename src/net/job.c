/* SPDX-License-Identifier: Apache-2.0 */
/* Happy path: start -> thread: work -> loop_post -> done.
 * Cancel, by where the job is:
 *   working   marked; the thread frees it and does not touch the loop, which may be gone by then
 *   posted    the post is taken back; freed at once
 * The job's lock orders the two; the thread posts while it holds it, so that a cancel finds either. */
#include "net/job.h"

#include "base/mem.h"

#include <pthread.h>
#include <signal.h>

enum { STACK_BYTES = 1 << 20 };

enum job_state { JOB_WORKING, JOB_POSTED, JOB_CANCELLED };

struct job {
	const struct job_ops *ops;
	void *data;
	struct loop *loop;
	pthread_mutex_t lock;
	enum job_state state;
	struct post post;
};

static void job_free(struct job *job)
{
	pthread_mutex_destroy(&job->lock);
	xfree(job);
}

static void drop(struct job *job)
{
	job->ops->drop(job->data);
	job_free(job);
}

static void came_back(struct post *post)
{
	struct job *job = container_of(post, struct job, post);
	const struct job_ops *ops = job->ops;
	void *data = job->data;

	/* Wait until the thread, which posted this with the lock held, has let go of it. */
	pthread_mutex_lock(&job->lock);
	pthread_mutex_unlock(&job->lock);
	job_free(job);
	ops->done(data);
}

static void *run(void *arg)
{
	struct job *job = arg;
	bool cancelled;

	job->ops->work(job->data);
	pthread_mutex_lock(&job->lock);
	cancelled = job->state == JOB_CANCELLED;
	if (!cancelled) {
		job->state = JOB_POSTED;
		loop_post(job->loop, &job->post);
	}
	pthread_mutex_unlock(&job->lock);
	if (cancelled)
		drop(job);
	return NULL;
}

static int start_thread(struct job *job)
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
	res = pthread_create(&thread, &attr, run, job);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return res;
}

static struct job *make(struct loop *loop, const struct job_ops *ops, void *data, enum job_state state)
{
	struct job *job = xcalloc(1, sizeof(*job));

	*job = (struct job){ .ops = ops, .data = data, .loop = loop, .state = state, .post.run = came_back };
	pthread_mutex_init(&job->lock, NULL);
	return job;
}

struct job *job_start(struct loop *loop, const struct job_ops *ops, void *data, int *error)
{
	struct job *job = make(loop, ops, data, JOB_WORKING);

	*error = start_thread(job);
	if (*error == 0)
		return job;
	job_free(job);
	return NULL;
}

struct job *job_post(struct loop *loop, const struct job_ops *ops, void *data)
{
	struct job *job = make(loop, ops, data, JOB_POSTED);

	loop_post(loop, &job->post);
	return job;
}

void job_cancel(struct job *job)
{
	bool posted;

	pthread_mutex_lock(&job->lock);
	posted = job->state == JOB_POSTED;
	job->state = JOB_CANCELLED;
	pthread_mutex_unlock(&job->lock);
	if (!posted)
		return;
	CHECK(loop_unpost(job->loop, &job->post));
	drop(job);
}
