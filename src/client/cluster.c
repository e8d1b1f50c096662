/* SPDX-License-Identifier: Apache-2.0 */
/* One cluster as one loop sees it.
 *
 * Metadata is asked from whichever broker answers, at most once per retry.backoff.ms, and by itself every
 * metadata.max.age.ms while topics are tracked. A failed refresh tells the watchers and is tried again with a growing
 * pause. Connections to one node that are shared by small calls are kept here; those of sources and sinks are their
 * own. */
#include "client/cluster_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "wire/kerr.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/metadata.h"

enum {
	/* A stopped broker must not hold the news that it has lost its partitions. */
	METADATA_TIMEOUT_MS = 5000,
};

struct shared_broker {
	struct broker *broker;
	int32_t node_id;
	int number;
};

struct cluster {
	struct loop *loop;
	struct buf_pool *pool;
	struct cluster_opts opts;
	char id[64];
	int32_t controller;
	struct node *nodes;
	int n_nodes;
	struct shared_broker *shared;
	int n_shared;
	int n_brokers;            /* all that exist, shared or not */
	struct map topics;
	struct list watches;
	struct call metadata;
	struct timer refresh_timer;
	int64_t asked_ns;         /* when metadata was asked last */
	bool refresh_wanted;      /* asked for while one is under way */
	int failures;
	int64_t contact_ns;
	bool destroyed;
	void (*gone)(void *owner);
	void *gone_owner;
	struct op free_op;
};

/* ---- nodes ---- */

static void free_nodes(struct cluster *c)
{
	for (int i = 0; i < c->n_nodes; i++) {
		xfree(c->nodes[i].host);
		xfree(c->nodes[i].rack);
	}
	xfree(c->nodes);
	c->nodes = NULL;
	c->n_nodes = 0;
}

static void take_nodes(struct cluster *c, const struct metadata_response *res)
{
	if (res->brokers.n <= 0)
		return;
	free_nodes(c);
	c->nodes = xcalloc((size_t)res->brokers.n, sizeof(*c->nodes));
	for (int32_t i = 0; i < res->brokers.n; i++) {
		struct node *n = &c->nodes[c->n_nodes++];

		n->id = res->brokers.items[i].node_id;
		n->host = str_dup(res->brokers.items[i].host);
		n->port = (uint16_t)res->brokers.items[i].port;
		n->rack = str_dup(res->brokers.items[i].rack);
		if (n->host == NULL)
			n->host = xstrdup("");
	}
}

const struct node *cluster_node(const struct cluster *c, int32_t id)
{
	for (int i = 0; i < c->n_nodes; i++)
		if (c->nodes[i].id == id)
			return &c->nodes[i];
	return NULL;
}

const struct node *cluster_node_at(const struct cluster *c, int i)
{
	return &c->nodes[i];
}

int cluster_n_nodes(const struct cluster *c)
{
	return c->n_nodes;
}

/* ---- topics ---- */

static void forget_partitions(struct topic_meta *t)
{
	xfree(t->partitions);
	t->partitions = NULL;
	t->n_partitions = 0;
}

static void free_topic(struct topic_meta *t)
{
	forget_partitions(t);
	xfree(t->name);
	xfree(t);
}

const struct topic_meta *cluster_track(struct cluster *c, const char *topic)
{
	struct topic_meta *t = map_get(&c->topics, topic, strlen(topic));

	if (t == NULL) {
		t = xcalloc(1, sizeof(*t));
		t->name = xstrdup(topic);
		t->error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
		t->authorized = INT32_MIN;
		map_put(&c->topics, t->name, strlen(t->name), t);
	}
	t->refs_++;
	return t;
}

void cluster_untrack(struct cluster *c, const char *topic)
{
	struct topic_meta *t = map_get(&c->topics, topic, strlen(topic));

	CHECK(t != NULL && t->refs_ > 0);
	if (--t->refs_ > 0)
		return;
	map_del(&c->topics, t->name, strlen(t->name));
	free_topic(t);
}

const struct topic_meta *cluster_topic(const struct cluster *c, const char *topic)
{
	return map_get(&c->topics, topic, strlen(topic));
}

bool cluster_leader(const struct cluster *c, const char *topic, int32_t partition, int32_t *leader,
		    int32_t *leader_epoch)
{
	const struct topic_meta *t = cluster_topic(c, topic);

	if (t == NULL || !t->known || t->error != 0 || partition >= t->n_partitions)
		return false;
	*leader = t->partitions[partition].leader;
	*leader_epoch = t->partitions[partition].leader_epoch;
	return *leader >= 0;
}

static void grow_partitions(struct topic_meta *t, int32_t n)
{
	t->partitions = xrealloc(t->partitions, (size_t)n, sizeof(*t->partitions));
	for (int32_t p = t->n_partitions; p < n; p++)
		t->partitions[p] = (struct partition_meta){ .error = 5, .leader = -1, .leader_epoch = -1 };
	t->n_partitions = n;
}

/* Old metadata must not undo new: an answer with a lower leader epoch than already seen is passed over. */
static void take_partition(struct topic_meta *t, const struct partition_metadata *in)
{
	struct partition_meta *p;

	if (in->partition_index < 0 || in->partition_index >= t->n_partitions)
		return;
	p = &t->partitions[in->partition_index];
	if (in->leader_epoch >= 0 && in->leader_epoch < p->leader_epoch)
		return;
	p->error = in->error_code;
	p->leader = in->leader_id;
	p->leader_epoch = in->leader_epoch;
	p->n_replicas = (int16_t)in->replica_nodes.n;
	p->n_isr = (int16_t)in->isr_nodes.n;
}

static int32_t partition_count(const struct topic_metadata *in)
{
	int32_t n = 0;

	for (int32_t i = 0; i < in->partitions.n; i++)
		n = MAX(n, in->partitions.items[i].partition_index + 1);
	return n;
}

static void take_topic(struct cluster *c, const struct topic_metadata *in)
{
	struct topic_meta *t = in->name.len >= 0 ? map_get(&c->topics, in->name.data, (size_t)in->name.len) : NULL;
	int32_t n;

	if (t == NULL)
		return;
	t->known = true;
	t->error = in->error_code;
	t->authorized = in->topic_authorized_operations;
	if (in->error_code != 0)
		return;
	if (!uuid_eq(&t->id, &in->topic_id))
		forget_partitions(t);  /* another topic of the same name: its epochs begin anew */
	t->id = in->topic_id;
	t->internal = in->is_internal;
	n = partition_count(in);
	if (n > (1 << 20))
		return;
	if (n < t->n_partitions)
		forget_partitions(t);
	if (n > t->n_partitions)
		grow_partitions(t, n);
	for (int32_t i = 0; i < in->partitions.n; i++)
		take_partition(t, &in->partitions.items[i]);
}

/* ---- refreshing ---- */

static void tell(struct cluster *c, const struct err *err)
{
	struct list *pos, *tmp;

	list_each_safe(pos, tmp, &c->watches) {
		struct cluster_watch *w = list_entry(pos, struct cluster_watch, node_);

		w->changed(w, err);
	}
}

static void free_if_quiet(struct cluster *c)
{
	if (c->destroyed && c->n_brokers == 0 && !call_busy(&c->metadata) && !op_busy(&c->free_op))
		loop_defer(c->loop, &c->free_op, 0);
}

static void free_now(struct op *op, int res)
{
	struct cluster *c = container_of(op, struct cluster, free_op);
	void (*gone)(void *owner) = c->gone;
	void *owner = c->gone_owner;
	struct topic_meta *t;
	size_t at = 0;

	(void)res;
	while ((t = map_next(&c->topics, &at)) != NULL)
		free_topic(t);
	map_fini(&c->topics);
	free_nodes(c);
	call_fini(&c->metadata);
	xfree(c->shared);
	xfree(c);
	if (gone != NULL)
		gone(owner);
}

static void arm_refresh(struct cluster *c)
{
	int64_t now = loop_now(c->loop), at = now + c->opts.metadata_max_age_ms * NS_PER_MS;
	int64_t pause = c->opts.retry_backoff_ms;

	if (c->destroyed)
		return;  /* who still has calls under way may ask for a refresh when they end */
	for (int i = 1; i < c->failures && pause < 1000; i++)
		pause *= 2;
	if (c->refresh_wanted || c->failures > 0)
		at = MAX(now, c->asked_ns + pause * NS_PER_MS);
	loop_timer_set(c->loop, &c->refresh_timer, at);
}

static void refreshed(struct call *call)
{
	struct cluster *c = call->owner;
	const struct metadata_response *res;

	if (c->destroyed) {
		free_if_quiet(c);
		return;
	}
	if (call->rc != RC_OK) {
		struct err err = call->err;

		c->failures++;
		arm_refresh(c);
		tell(c, &err);
		return;
	}
	c->failures = 0;
	res = call_res(call, metadata);
	if (res->cluster_id.len >= 0)
		snprintf(c->id, sizeof(c->id), "%.*s", STR_ARG(res->cluster_id));
	c->controller = res->controller_id;
	take_nodes(c, res);
	for (int32_t i = 0; i < res->topics.n; i++)
		take_topic(c, &res->topics.items[i]);
	call_reset(call);
	arm_refresh(c);
	tell(c, NULL);
}

static void ask(struct cluster *c)
{
	struct metadata_request *req;
	struct topic_meta *t;
	size_t at = 0;

	c->refresh_wanted = false;
	c->asked_ns = loop_now(c->loop);
	call_reset(&c->metadata);
	call_init(&c->metadata, &metadata_api, refreshed, c);
	req = call_req(&c->metadata, metadata);
	req->allow_auto_topic_creation = false;
	req->include_topic_authorized_operations = true;
	req->topics.n = 0;
	req->topics.items = arena_alloc(&c->metadata.arena, map_count(&c->topics) * sizeof(*req->topics.items));
	/* Names are copied: a topic may be untracked while the request waits for its connection. */
	while ((t = map_next(&c->topics, &at)) != NULL)
		req->topics.items[req->topics.n++].name =
			str_of(arena_strdup(&c->metadata.arena, t->name));
	c->metadata.deadline_ns = c->asked_ns + MIN(c->opts.request_timeout_ms, METADATA_TIMEOUT_MS) * NS_PER_MS;
	broker_call(cluster_broker(c, NODE_ANY), &c->metadata);
}

static void refresh_due(struct timer *timer)
{
	struct cluster *c = container_of(timer, struct cluster, refresh_timer);

	if (!call_busy(&c->metadata))
		ask(c);
}

void cluster_refresh(struct cluster *c)
{
	c->refresh_wanted = true;
	if (!call_busy(&c->metadata))
		arm_refresh(c);
}

void cluster_watch(struct cluster *c, struct cluster_watch *watch)
{
	list_push_back(&c->watches, &watch->node_);
}

void cluster_unwatch(struct cluster_watch *watch)
{
	list_del(&watch->node_);
}

/* ---- brokers ---- */

struct broker *cluster_broker_beside(struct cluster *c, int32_t node_id, int number)
{
	for (int i = 0; i < c->n_shared; i++)
		if (c->shared[i].node_id == node_id && c->shared[i].number == number)
			return c->shared[i].broker;
	c->shared = xrealloc(c->shared, (size_t)c->n_shared + 1, sizeof(*c->shared));
	c->shared[c->n_shared].node_id = node_id;
	c->shared[c->n_shared].number = number;
	c->shared[c->n_shared].broker = broker_create(c, node_id, "admin", c->pool);
	return c->shared[c->n_shared++].broker;
}

struct broker *cluster_broker(struct cluster *c, int32_t node_id)
{
	return cluster_broker_beside(c, node_id, 0);
}

void cluster_broker_made(struct cluster *c)
{
	c->n_brokers++;
}

void cluster_broker_gone(struct cluster *c)
{
	CHECK(c->n_brokers > 0);
	c->n_brokers--;
	free_if_quiet(c);
}

void cluster_contact(struct cluster *c)
{
	c->contact_ns = loop_now(c->loop);
}

void cluster_connection_failed(struct cluster *c, const struct err *why)
{
	(void)why;
	if (!c->destroyed && map_count(&c->topics) > 0)
		cluster_refresh(c);  /* the node may have moved, its partitions may have another leader */
}

/* ---- life ---- */

struct cluster *cluster_create(struct loop *loop, struct buf_pool *pool, const struct cluster_opts *opts)
{
	struct cluster *c = xcalloc(1, sizeof(*c));

	c->loop = loop;
	c->pool = pool;
	c->opts = *opts;
	c->controller = -1;
	c->asked_ns = INT64_MIN / 2;
	c->refresh_timer.done = refresh_due;
	c->free_op.done = free_now;
	list_init(&c->watches);
	return c;
}

void cluster_destroy(struct cluster *c, void (*gone)(void *owner), void *owner)
{
	c->destroyed = true;
	c->gone = gone;
	c->gone_owner = owner;
	loop_timer_clear(&c->refresh_timer);
	for (int i = 0; i < c->n_shared; i++)
		broker_destroy(c->shared[i].broker);
	c->n_shared = 0;
	free_if_quiet(c);
}

struct loop *cluster_loop(struct cluster *c)
{
	return c->loop;
}

const struct cluster_opts *cluster_options(const struct cluster *c)
{
	return &c->opts;
}

const char *cluster_id(const struct cluster *c)
{
	return c->id;
}

int32_t cluster_controller(const struct cluster *c)
{
	return c->controller;
}

int64_t cluster_last_contact_ns(const struct cluster *c)
{
	return c->contact_ns;
}
