/* SPDX-License-Identifier: Apache-2.0 */
/* Many small calls as one sequential step: a few are under way at a time, over all nodes, and each is built when its turn
 * comes, so that a thousand calls need the memory of some. */
#pragma once

#include "client/wait.h"

struct calls {
	struct cluster *cluster;     /* whose nodes are asked; build may set another of the same loop for its call */
	int n;
	int most;                    /* under way at a time; 0: 16, which is the most */
	int beside;                  /* connections to each node; 0: the one that is shared. A broker works on the requests of
	                              * one connection one after the other */
	int64_t deadline_ns;         /* of every call; none is begun in the last quarter of the time that there was */
	/* Fills the i-th: call_init is done in it. Returns the node. */
	int32_t (*build)(struct calls *calls, int i, struct call *call);
	/* The i-th has ended: call->rc says how. Not called for those that were not begun. */
	void (*read)(struct calls *calls, int i, struct call *call);
	void *arg;
};

/* Returns when all that were begun have ended: how many were begun. */
int calls_run(struct calls *calls);
