/* SPDX-License-Identifier: Apache-2.0 */
/* The helper thread of a data loop: runs rewriters whose work would hold the loop up. A job is handed over with its
 * rewriter, which belongs to the helper until the job is posted back; so nothing is shared but the cancel flag. The
 * thread is started with the first job. */
#pragma once

#include "base/list.h"
#include "net/loop.h"
#include "wire/rewrite.h"

#include <stdatomic.h>

struct helper_job {
	struct rewriter *rw;
	struct loop *loop;              /* that the job is posted back to */
	struct post post;               /* run is the owner's; it calls helper_came_back first */
	enum rewrite_result result;     /* what ended it; REWRITE_AGAIN only after helper_cancel */
	/* private */
	bool busy_;
	_Atomic bool cancelled_;
	struct list node_;
};

struct helper;

struct helper *helper_create(void);
/* No job may be busy. */
void helper_destroy(struct helper *helper);

/* Runs the rewriter to its next run, end or fault, then posts the job back. */
void helper_run(struct helper *helper, struct helper_job *job);
/* Makes a busy job come back soon. */
void helper_cancel(struct helper_job *job);
/* From the post's run: the job is the loop's again. */
void helper_came_back(struct helper_job *job);
static inline bool helper_busy(const struct helper_job *job)
{
	return job->busy_;
}
