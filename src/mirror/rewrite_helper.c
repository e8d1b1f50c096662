/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror/rewrite_helper.h"

#include <pthread.h>

enum { STEP = 1 << 20 };  /* unpacked bytes, between two looks at the cancel flag */

struct helper {
	pthread_t thread;
	bool started, stopping;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct list jobs;
};

struct helper *helper_create(void)
{
	struct helper *helper = xcalloc(1, sizeof(*helper));

	pthread_mutex_init(&helper->lock, NULL);
	pthread_cond_init(&helper->wake, NULL);
	list_init(&helper->jobs);
	return helper;
}

static void work(struct helper_job *job)
{
	do
		job->result = rewriter_step(job->rw, STEP);
	while (job->result == REWRITE_AGAIN && !atomic_load(&job->cancelled_));
	loop_post(job->loop, &job->post);
}

static void *thread_main(void *arg)
{
	struct helper *helper = arg;

	pthread_mutex_lock(&helper->lock);
	for (;;) {
		struct list *node = list_pop(&helper->jobs);

		if (node == NULL && helper->stopping)
			break;
		if (node == NULL) {
			pthread_cond_wait(&helper->wake, &helper->lock);
			continue;
		}
		pthread_mutex_unlock(&helper->lock);
		work(list_entry(node, struct helper_job, node_));
		pthread_mutex_lock(&helper->lock);
	}
	pthread_mutex_unlock(&helper->lock);
	return NULL;
}

void helper_destroy(struct helper *helper)
{
	pthread_mutex_lock(&helper->lock);
	helper->stopping = true;
	pthread_cond_signal(&helper->wake);
	pthread_mutex_unlock(&helper->lock);
	if (helper->started)
		pthread_join(helper->thread, NULL);
	pthread_mutex_destroy(&helper->lock);
	pthread_cond_destroy(&helper->wake);
	xfree(helper);
}

void helper_run(struct helper *helper, struct helper_job *job)
{
	CHECK(!job->busy_);
	job->busy_ = true;
	atomic_store(&job->cancelled_, false);
	pthread_mutex_lock(&helper->lock);
	if (!helper->started)
		CHECK(pthread_create(&helper->thread, NULL, thread_main, helper) == 0);
	helper->started = true;
	list_push_back(&helper->jobs, &job->node_);
	pthread_cond_signal(&helper->wake);
	pthread_mutex_unlock(&helper->lock);
}

void helper_cancel(struct helper_job *job)
{
	atomic_store(&job->cancelled_, true);
}

void helper_came_back(struct helper_job *job)
{
	job->busy_ = false;
}
