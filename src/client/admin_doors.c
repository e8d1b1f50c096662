/* SPDX-License-Identifier: Apache-2.0 */
/* What closes doors, for many partitions at once: what the brokers know of producer ids, and markers. All leaders work at the
 * same time. A leader gets requests of DOORS_MAX partitions at most, over some connections, because it works on those of one
 * connection one after the other, and a marker can take it a while: where the records of the segment are older than
 * segment.ms it begins another (15 ms on a busy machine). Each request is sent once; what was not answered is the caller's to
 * ask again, and what was answered is not lost with it. */
#include "client/admin_priv.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/calls.h"
#include "wire/msg/describe_producers.h"
#include "wire/msg/list_transactions.h"
#include "wire/msg/write_txn_markers.h"

#include <stdlib.h>
#include <string.h>

enum { ANSWERED_NONE = INT16_MAX, DOORS_MAX = 25, CONNECTIONS = 4, UNDER_WAY = 8 };

/* One item of the caller's, where it goes. */
struct slot {
	int32_t leader;
	const char *topic;
	int32_t partition;
	void *item;
};

/* Those of one request. */
struct span {
	int from, n;
};

struct slots {
	struct calls calls;
	struct cluster *cluster;
	struct slot *items;
	int n;
	struct span *spans;
	struct err *err;
	int rc;
	void (*build)(struct call *call, const struct slot *slots, int n);
	void (*take)(struct call *call, const struct slot *slots, int n);
	const struct api_desc *api;
};

static int by_leader(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;
	int by = (x->leader > y->leader) - (x->leader < y->leader);

	if (by == 0)
		by = strcmp(x->topic, y->topic);
	return by != 0 ? by : (x->partition > y->partition) - (x->partition < y->partition);
}

static bool find_leaders(struct slots *s)
{
	int32_t leader_epoch;
	bool all = true;

	for (int i = 0; i < s->n; i++) {
		struct slot *slot = &s->items[i];

		if (cluster_leader(s->cluster, slot->topic, slot->partition, &slot->leader, &leader_epoch))
			continue;
		slot->leader = -1;
		all = false;
	}
	return all;
}

static int32_t span_build(struct calls *calls, int i, struct call *call)
{
	const struct slots *s = container_of(calls, struct slots, calls);
	const struct slot *from = &s->items[s->spans[i].from];

	call_init(call, s->api, NULL, NULL);
	s->build(call, from, s->spans[i].n);
	return from->leader;
}

static void span_read(struct calls *calls, int i, struct call *call)
{
	struct slots *s = container_of(calls, struct slots, calls);

	if (call->rc == RC_OK) {
		s->take(call, &s->items[s->spans[i].from], s->spans[i].n);
		return;
	}
	*s->err = call->err;
	s->rc = call->rc;
}

/* Requests to the leaders by turns, so that all have something to do. */
static int spans_of(struct slots *s)
{
	int32_t *next = xcalloc((size_t)s->n + 1, sizeof(*next)), *end = xcalloc((size_t)s->n + 1, sizeof(*end));
	int leaders = 0, n = 0;
	bool any = true;

	s->spans = xcalloc((size_t)s->n + 1, sizeof(*s->spans));
	for (int i = 0, k; i < s->n; i = k) {
		for (k = i; k < s->n && s->items[k].leader == s->items[i].leader; k++)
			;
		if (s->items[i].leader < 0)
			continue;
		next[leaders] = i;
		end[leaders++] = k;
	}
	while (any) {
		any = false;
		for (int l = 0; l < leaders; l++) {
			if (next[l] == end[l])
				continue;
			s->spans[n] = (struct span){ next[l], MIN(end[l] - next[l], (int32_t)DOORS_MAX) };
			next[l] += s->spans[n++].n;
			any = true;
		}
	}
	xfree(next);
	xfree(end);
	return n;
}

/* The topics are tracked meanwhile, so that leaders are known once for all. */
static int ask_all(struct slots *s, struct admin_op *op, struct err *err)
{
	s->err = err;
	s->rc = RC_OK;
	for (int i = 0; i < s->n; i++)
		cluster_track(s->cluster, s->items[i].topic);
	if (!find_leaders(s)) {
		s->rc = admin_refresh(op, err);
		find_leaders(s);
	}
	for (int i = 0; i < s->n; i++)
		cluster_untrack(s->cluster, s->items[i].topic);
	qsort(s->items, (size_t)s->n, sizeof(*s->items), by_leader);
	s->calls = (struct calls){
		.cluster = s->cluster, .n = spans_of(s), .most = UNDER_WAY, .beside = CONNECTIONS,
		.build = span_build, .read = span_read,
		.deadline_ns = admin_request_deadline(s->cluster, op->deadline_ns),
	};
	if (calls_run(&s->calls) < s->calls.n)
		s->rc = err_set(err, RC_TIMEOUT, "%s: no time is left", cluster_options(s->cluster)->side);
	xfree(s->spans);
	return s->rc;
}

/* --- producers ----------------------------------------------------------------------------------------------- */

static void producers_build(struct call *call, const struct slot *slots, int n)
{
	struct describe_producers_request *req = call_req(call, describe_producers);

	req->topics.items = arena_new(&call->arena, struct describe_producers_topic, n);
	req->topics.n = 0;
	for (int i = 0; i < n; i++) {
		struct describe_producers_topic *t = &req->topics.items[req->topics.n > 0 ? req->topics.n - 1 : 0];

		if (i == 0 || strcmp(slots[i].topic, slots[i - 1].topic) != 0) {
			t = &req->topics.items[req->topics.n++];
			t->name = str_of(slots[i].topic);
			t->partition_indexes.items = arena_new(&call->arena, int32_t, n - i);
		}
		t->partition_indexes.items[t->partition_indexes.n++] = slots[i].partition;
	}
}

static void producer_take(const struct producers_partition *p, struct admin_known_producer *item)
{
	item->error = p->error_code;
	for (int32_t i = 0; p->error_code == 0 && i < p->active_producers.n; i++) {
		const struct active_producer *a = &p->active_producers.items[i];

		if (a->producer_id != item->producer_id)
			continue;
		item->known = true;
		item->producer = admin_producer_of(a);
	}
}

static void producers_take(struct call *call, const struct slot *slots, int n)
{
	const struct describe_producers_response *res = call_res(call, describe_producers);

	for (int32_t t = 0; t < res->topics.n; t++)
		for (int32_t k = 0; k < res->topics.items[t].partitions.n; k++)
			for (int i = 0; i < n; i++)
				if (slots[i].partition == res->topics.items[t].partitions.items[k].partition_index &&
				    str_is(res->topics.items[t].name, slots[i].topic))
					producer_take(&res->topics.items[t].partitions.items[k], slots[i].item);
}

int admin_find_producers(struct cluster *cluster, struct admin_known_producer *items, int n, int64_t deadline_ns,
			 struct err *err)
{
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "read the producers of" };
	struct slots s = { .cluster = cluster, .items = xcalloc((size_t)n + 1, sizeof(struct slot)), .n = n,
			   .build = producers_build, .take = producers_take, .api = &describe_producers_api };
	int rc;

	for (int i = 0; i < n; i++) {
		items[i].error = ANSWERED_NONE;
		items[i].known = false;
		s.items[i] = (struct slot){ -1, items[i].topic, items[i].partition, &items[i] };
	}
	rc = ask_all(&s, &op, err);
	xfree(s.items);
	return rc;
}

/* --- markers ------------------------------------------------------------------------------------------------- */

static void markers_build(struct call *call, const struct slot *slots, int n)
{
	struct write_txn_markers_request *req = call_req(call, write_txn_markers);

	req->markers.items = arena_new(&call->arena, struct writable_txn_marker, n);
	req->markers.n = n;
	for (int i = 0; i < n; i++) {
		const struct admin_marker *marker = &((const struct admin_mark *)slots[i].item)->marker;
		struct writable_txn_marker *m = &req->markers.items[i];

		m->producer_id = marker->producer_id;
		m->producer_epoch = marker->producer_epoch;
		m->coordinator_epoch = marker->coordinator_epoch;
		m->transaction_result = true;
		m->topics.items = arena_new(&call->arena, struct writable_txn_marker_topic, 1);
		m->topics.n = 1;
		m->topics.items[0].name = str_of(marker->topic);
		m->topics.items[0].partition_indexes.items = arena_new(&call->arena, int32_t, 1);
		m->topics.items[0].partition_indexes.items[0] = marker->partition;
		m->topics.items[0].partition_indexes.n = 1;
	}
}

static void marker_take(int64_t producer_id, const struct written_txn_marker_topic *t, const struct slot *slots, int n)
{
	for (int32_t k = 0; k < t->partitions.n; k++)
		for (int i = 0; i < n; i++) {
			struct admin_mark *mark = slots[i].item;

			if (mark->marker.producer_id == producer_id &&
			    slots[i].partition == t->partitions.items[k].partition_index && str_is(t->name, slots[i].topic))
				mark->error = t->partitions.items[k].error_code;
		}
}

static void markers_take(struct call *call, const struct slot *slots, int n)
{
	const struct write_txn_markers_response *res = call_res(call, write_txn_markers);

	for (int32_t m = 0; m < res->markers.n; m++)
		for (int32_t t = 0; t < res->markers.items[m].topics.n; t++)
			marker_take(res->markers.items[m].producer_id, &res->markers.items[m].topics.items[t], slots, n);
}

int admin_write_markers(struct cluster *cluster, struct admin_mark *marks, int n, int64_t deadline_ns, struct err *err)
{
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "write markers to" };
	struct slots s = { .cluster = cluster, .items = xcalloc((size_t)n + 1, sizeof(struct slot)), .n = n,
			   .build = markers_build, .take = markers_take, .api = &write_txn_markers_api };
	int rc;

	for (int i = 0; i < n; i++) {
		marks[i].error = ANSWERED_NONE;
		s.items[i] = (struct slot){ -1, marks[i].marker.topic, marks[i].marker.partition, &marks[i] };
	}
	rc = ask_all(&s, &op, err);
	xfree(s.items);
	return rc;
}

int admin_mark_code(struct cluster *cluster, const struct admin_mark *mark, struct err *err)
{
	char object[300];
	struct admin_op op = { .cluster = cluster, .verb = "write a marker to", .object = object,
			       .right = "CLUSTER_ACTION (or, from Kafka 3.8, ALTER) on Cluster" };

	snprintf(object, sizeof(object), "%s-%d", mark->marker.topic, mark->marker.partition);
	if (mark->error == ANSWERED_NONE)
		return err_set(err, RC_TIMEOUT, "%s: no leader of %s answers", cluster_options(cluster)->side, object);
	return admin_code(&op, mark->error, STR_NULL, err);
}

/* --- transactional ids --------------------------------------------------------------------------------------- */

static void transaction_take(struct call *call, int64_t producer_id, char *id, size_t size)
{
	const struct list_transactions_response *res = call_res(call, list_transactions);

	for (int32_t i = 0; res->error_code == 0 && i < res->transaction_states.n; i++)
		if (res->transaction_states.items[i].producer_id == producer_id)
			snprintf(id, size, "%.*s", STR_ARG(res->transaction_states.items[i].transactional_id));
}

/* Each broker knows those that it coordinates. */
void admin_transactional_id(struct cluster *cluster, int64_t producer_id, int64_t deadline_ns, char *id, size_t size)
{
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns };
	int n = cluster_n_nodes(cluster);
	int32_t *nodes = xcalloc((size_t)n + 1, sizeof(*nodes));

	id[0] = '\0';
	for (int i = 0; i < n; i++)
		nodes[i] = cluster_node_at(cluster, i)->id;   /* the list may change while they are asked */
	for (int i = 0; i < n && id[0] == '\0'; i++) {
		struct list_transactions_request *req;
		struct call call = { 0 };
		struct err unused;

		call_init(&call, &list_transactions_api, NULL, NULL);
		req = call_req(&call, list_transactions);
		req->producer_id_filters.items = arena_new(&call.arena, int64_t, 1);
		req->producer_id_filters.items[0] = producer_id;
		req->producer_id_filters.n = 1;
		req->duration_filter = -1;
		if (admin_call(&op, nodes[i], &call, &unused) == RC_OK)
			transaction_take(&call, producer_id, id, size);
		call_fini(&call);
	}
	xfree(nodes);
}
