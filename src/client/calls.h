/* SPDX-License-Identifier: Apache-2.0 */
/* Many small calls as one sequential step: a few are under way at a time, over all nodes, and each is built when its turn
 * comes, so that a thousand calls need the memory of some. */
#pragma once

#include "client/wait.h"

struct calls {
	struct cluster *cluster;
	int n;
	int64_t deadline_ns;         /* of every call; none is begun in the last quarter of the time that there was */
	/* Fills the i-th: call_init is done in it. Returns the node. */
	int32_t (*build)(struct calls *calls, int i, struct call *call);
	/* The i-th has ended: call->rc says how. Not called for those that were not begun. */
	void (*read)(struct calls *calls, int i, struct call *call);
	void *arg;
};

/* Returns when all that were begun have ended: how many were begun. */
int calls_run(struct calls *calls);
