/* SPDX-License-Identifier: Apache-2.0 */
/* Every door of a cluster, tried: first the bootstrap servers, then each broker at the address that it advertises, the
 * brokers all at once. Each is dialled, logged in to, and asked for metadata. Sequential code, as wait.h. */
#pragma once

#include "client/cluster.h"

struct dialled {
	int32_t node_id;         /* NODE_ANY: a bootstrap server */
	const char *host;
	uint16_t port;
	struct err err;          /* rc RC_OK: it answered */
	int64_t expiry;          /* broker_peer_expiry; -1 */
};

struct dial {
	struct dialled *items;   /* bootstrap servers, then brokers, as metadata has them */
	int n, n_bootstrap;
	const char *cluster_id;  /* of the first server that answered; NULL: none did */
};

/* Returns when each has answered or failed, at deadline_ns (monotonic) at the latest; none is waited for longer than it
 * takes to connect and a few seconds more. What it fills in is in the arena. */
void dial_all(struct loop *loop, struct buf_pool *pool, const struct cluster_opts *opts, int64_t deadline_ns,
	      struct arena *arena, struct dial *dial);
