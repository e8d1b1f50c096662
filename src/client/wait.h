/* SPDX-License-Identifier: Apache-2.0 */
/* Sequential code over a loop, for the command line and the control thread: these functions run the loop until the
 * call is answered or its deadline has passed. Callbacks of other owners on the loop run meanwhile. Never used on a
 * data loop, and never from inside a callback of the same loop. */
#pragma once

#include "client/cluster.h"

/* Sends the call to the node (or NODE_ANY) over the cluster's shared connection and waits. deadline_ns as in
 * struct call. On failure err names side, broker and cause. The response's own error codes are the caller's. */
int call_wait(struct cluster *cluster, int32_t node_id, struct call *call, struct err *err) MUST_USE;

/* Has metadata asked for once more, and waits until it has come. A topic that is named is tracked from here on, with
 * one reference more that the caller gives back with cluster_untrack when the call succeeded; NULL: what is tracked
 * already, nodes and ids. */
int cluster_wait_metadata(struct cluster *cluster, const char *topic, int64_t deadline_ns, struct err *err) MUST_USE;

/* Waits until a partition has a leader: RC_NOT_FOUND when the topic or partition does not exist (error 3 stands for
 * settle_ns at least: metadata lags behind creation), RC_TIMEOUT when the deadline passes. *node and *epoch are set. */
int cluster_wait_leader(struct cluster *cluster, const char *topic, int32_t partition, int64_t deadline_ns,
			int32_t *node, int32_t *epoch, struct err *err) MUST_USE;

/* Runs the loop until the given monotonic time: the pause between two tries. */
void loop_wait_until(struct loop *loop, int64_t at_ns);

/* Destroys a cluster and waits until it is gone. */
void cluster_destroy_wait(struct cluster *cluster);
