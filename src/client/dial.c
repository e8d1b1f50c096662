/* SPDX-License-Identifier: Apache-2.0 */
/* A bootstrap server is asked by a cluster of its own, which knows no other server, so that each answers for itself. The
 * first that did tells the brokers. Servers that belong to another cluster than the first are told as RC_REFUSED. */
#include "client/dial.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/wait.h"
#include "wire/msg/metadata.h"

#include <string.h>

enum { LOGIN_MS = 5000 };   /* beside the time to connect */

struct attempt {
	struct dialled *out;
	struct cluster *cluster;     /* of a bootstrap server */
	struct broker *broker;
	struct call call;
	int *left;
};

struct round {
	struct loop *loop;
	struct buf_pool *pool;
	int64_t deadline_ns;
	int left;
};

static void answered(struct call *call)
{
	struct attempt *a = call->owner;

	(*a->left)--;
	a->out->err.rc = call->rc;
	if (call->rc != RC_OK)
		a->out->err = call->err;
	else
		a->out->expiry = broker_peer_expiry(a->broker);
}

static void begin(struct round *round, struct attempt *a, struct cluster *cluster, struct dialled *out)
{
	struct metadata_request *req;

	a->out = out;
	a->left = &round->left;
	a->broker = broker_create(cluster, out->node_id, "check", round->pool);
	call_init(&a->call, &metadata_api, answered, a);
	req = call_req(&a->call, metadata);
	req->allow_auto_topic_creation = false;
	req->topics.n = 0;   /* none; null would be all */
	a->call.deadline_ns = round->deadline_ns;
	round->left++;
	broker_call(a->broker, &a->call);
}

static void wait_all(struct round *round)
{
	while (round->left > 0)
		loop_step(round->loop, INT64_MAX);
}

static void end(struct attempt *a)
{
	broker_destroy(a->broker);
	call_fini(&a->call);
}

/* All must lead to one cluster. */
static void compare_id(struct attempt *a, struct dial *dial, struct arena *arena)
{
	const struct metadata_response *res;

	if (a->out->err.rc != RC_OK)
		return;
	res = call_res(&a->call, metadata);
	if (res->cluster_id.len < 0)
		return;
	if (dial->cluster_id == NULL)
		dial->cluster_id = arena_strndup(arena, res->cluster_id.data, (size_t)res->cluster_id.len);
	else if (!str_is(res->cluster_id, dial->cluster_id))
		err_set(&a->out->err, RC_REFUSED, "%s broker %s:%u belongs to cluster %.*s, the servers before it to %s",
			cluster_options(a->cluster)->side, a->out->host, a->out->port, STR_ARG(res->cluster_id),
			dial->cluster_id);
}

static void dial_brokers(struct round *round, struct cluster *cluster, struct dial *dial, struct arena *arena)
{
	int n = cluster_n_nodes(cluster);
	struct attempt *attempts = xcalloc((size_t)n + 1, sizeof(*attempts));
	struct dialled *items = arena_new(arena, struct dialled, dial->n + n);

	memcpy(items, dial->items, (size_t)dial->n * sizeof(*items));
	dial->items = items;
	for (int i = 0; i < n; i++) {
		const struct node *node = cluster_node_at(cluster, i);

		items[dial->n + i] = (struct dialled){ .node_id = node->id, .host = arena_strdup(arena, node->host),
						       .port = node->port, .expiry = -1 };
	}
	for (int i = 0; i < n; i++)
		begin(round, &attempts[i], cluster, &items[dial->n + i]);
	wait_all(round);
	for (int i = 0; i < n; i++)
		end(&attempts[i]);
	dial->n += n;
	xfree(attempts);
}

static struct attempt *first_answered(struct attempt *attempts, int n)
{
	for (int i = 0; i < n; i++)
		if (attempts[i].out->err.rc == RC_OK)
			return &attempts[i];
	return NULL;
}

static int64_t until(const struct cluster_opts *opts, int64_t deadline_ns)
{
	return MIN(deadline_ns, clock_mono_ns() + (opts->connect_timeout_ms + LOGIN_MS) * NS_PER_MS);
}

void dial_all(struct loop *loop, struct buf_pool *pool, const struct cluster_opts *opts, int64_t deadline_ns,
	      struct arena *arena, struct dial *dial)
{
	struct round round = { .loop = loop, .pool = pool, .deadline_ns = until(opts, deadline_ns) };
	struct attempt *attempts = xcalloc((size_t)opts->n_bootstrap + 1, sizeof(*attempts));
	struct attempt *first;

	*dial = (struct dial){ .n = opts->n_bootstrap, .n_bootstrap = opts->n_bootstrap };
	dial->items = arena_new(arena, struct dialled, dial->n);
	for (int i = 0; i < dial->n; i++) {
		struct cluster_opts one = *opts;

		one.bootstrap = &opts->bootstrap[i];
		one.n_bootstrap = 1;
		dial->items[i] = (struct dialled){ .node_id = NODE_ANY, .port = opts->bootstrap[i].port, .expiry = -1,
						   .host = arena_strdup(arena, opts->bootstrap[i].host) };
		attempts[i].cluster = cluster_create(loop, pool, &one);
		begin(&round, &attempts[i], attempts[i].cluster, &dial->items[i]);
	}
	wait_all(&round);
	for (int i = 0; i < opts->n_bootstrap; i++)
		compare_id(&attempts[i], dial, arena);
	first = first_answered(attempts, opts->n_bootstrap);
	round.deadline_ns = until(opts, deadline_ns);
	if (first != NULL && cluster_wait_metadata(first->cluster, NULL, round.deadline_ns, &first->out->err) == RC_OK)
		dial_brokers(&round, first->cluster, dial, arena);
	for (int i = 0; i < opts->n_bootstrap; i++) {
		end(&attempts[i]);
		cluster_destroy_wait(attempts[i].cluster);
	}
	xfree(attempts);
}
