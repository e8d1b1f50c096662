/* SPDX-License-Identifier: Apache-2.0 */
/* Work that may block, on a thread of its own, for a loop: such work is rare, and one that hangs must not hold up the
 * rest. It comes back to the loop by a post. */
#pragma once

#include "net/loop.h"

struct job;

struct job_ops {
	void (*work)(void *data);   /* on the thread; touches nothing but data */
	void (*done)(void *data);   /* on the loop's thread, never before the call that started it returned; the job is over */
	void (*drop)(void *data);   /* in place of done, on either thread: it was cancelled */
};

/* Starts it. NULL when there is no thread for it: *error is an errno, and data is still the caller's. Else data is the
 * job's until done or drop. */
struct job *job_start(struct loop *loop, const struct job_ops *ops, void *data, int *error);
/* The same for work that is done already: only the way back. */
struct job *job_post(struct loop *loop, const struct job_ops *ops, void *data);
/* done will not come any more; drop comes, now or when the work ends. Only before done, on the loop's thread. */
void job_cancel(struct job *job);
