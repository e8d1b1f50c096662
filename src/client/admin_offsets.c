/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in partitions: offsets, records and producers. */
#include "client/admin_priv.h"

#include "base/clock.h"
#include "wire/msg/describe_producers.h"
#include "wire/msg/fetch.h"
#include "wire/msg/list_offsets.h"

#include <stdlib.h>
#include <string.h>

enum { FETCH_BY_NAME = 12, ANSWERED_NONE = INT16_MAX, SETTLE_MS = 5000 };

/* --- list offsets -------------------------------------------------------------------------------------------- */

/* What is asked in one request: the items of one leader, sorted by topic. */
struct question {
	struct admin_offset **items;
	int n;
};

static int by_leader(const void *a, const void *b)
{
	const struct admin_offset *x = *(struct admin_offset *const *)a, *y = *(struct admin_offset *const *)b;

	return x->leader != y->leader ? (x->leader > y->leader) - (x->leader < y->leader) :
	       strcmp(x->topic, y->topic) != 0 ? strcmp(x->topic, y->topic) :
	       (x->partition > y->partition) - (x->partition < y->partition);
}

static void question_build(struct call *call, const struct admin_offsets *offsets, const struct question *q)
{
	struct list_offsets_request *req = call_req(call, list_offsets);

	req->replica_id = offsets->replica_id;
	req->isolation_level = offsets->isolation;
	req->timeout_ms = 30000;
	req->topics.items = arena_new(&call->arena, struct list_offsets_topic, q->n);
	req->topics.n = 0;
	for (int i = 0; i < q->n; i++) {
		struct list_offsets_topic *t = &req->topics.items[req->topics.n > 0 ? req->topics.n - 1 : 0];
		struct list_offsets_partition *p;

		if (i == 0 || strcmp(q->items[i]->topic, q->items[i - 1]->topic) != 0) {
			t = &req->topics.items[req->topics.n++];
			t->name = str_of(q->items[i]->topic);
			t->partitions.items = arena_new(&call->arena, struct list_offsets_partition, q->n - i);
		}
		p = &t->partitions.items[t->partitions.n++];
		p->partition_index = q->items[i]->partition;
		p->current_leader_epoch = q->items[i]->leader_epoch;
		p->timestamp = offsets->timestamp;
	}
}

static struct admin_offset *asked(const struct question *q, struct str topic, int32_t partition)
{
	for (int i = 0; i < q->n; i++)
		if (q->items[i]->partition == partition && str_is(topic, q->items[i]->topic))
			return q->items[i];
	return NULL;
}

static void question_read(struct call *call, const struct question *q)
{
	const struct list_offsets_response *res = call_res(call, list_offsets);
	int at = 0;

	for (int32_t i = 0; i < res->topics.n; i++) {
		const struct listed_offsets_topic *t = &res->topics.items[i];

		for (int32_t j = 0; j < t->partitions.n; j++) {
			const struct listed_offsets_partition *p = &t->partitions.items[j];
			struct admin_offset *item = at < q->n && q->items[at]->partition == p->partition_index &&
						    str_is(t->name, q->items[at]->topic) ?
						    q->items[at] : asked(q, t->name, p->partition_index);

			at++;   /* answers come in the order of the question; if not, they are looked for */
			if (item == NULL)
				continue;
			item->error = p->error_code;
			item->offset = p->error_code == 0 ? p->offset : -1;
		}
	}
}

/* One request to one leader. A transport failure leaves the items unanswered. */
static int question_ask(struct admin_op *op, const struct admin_offsets *offsets, const struct question *q,
			struct err *err)
{
	struct call call = { 0 };
	int rc;

	call_init(&call, &list_offsets_api, NULL, NULL);
	question_build(&call, offsets, q);
	rc = admin_call(op, q->items[0]->leader, &call, err);
	if (rc == RC_OK)
		question_read(&call, q);
	call_fini(&call);
	return rc;
}

static void leaders_find(struct cluster *cluster, struct admin_offsets *offsets)
{
	for (int i = 0; i < offsets->n; i++) {
		struct admin_offset *item = &offsets->items[i];
		const struct topic_meta *t = cluster_topic(cluster, item->topic);

		if (item->error == 0)
			continue;
		item->leader = -1;
		if (!t->known || t->error != 0 || item->partition >= t->n_partitions) {
			if (t->known)
				item->error = t->error != 0 ? t->error : (int16_t)KERR_UNKNOWN_TOPIC_OR_PARTITION;
			continue;
		}
		item->leader = t->partitions[item->partition].leader;
		item->leader_epoch = t->partitions[item->partition].leader_epoch;
		if (item->leader < 0)
			item->error = KERR_LEADER_NOT_AVAILABLE;
	}
}

/* Asks every leader that has unanswered items once. The failure of one is kept in err, and the others are asked. */
static int round_ask(struct admin_op *op, struct admin_offsets *offsets, struct err *err)
{
	struct admin_offset **open = xcalloc((size_t)offsets->n, sizeof(struct admin_offset *));
	int n = 0, rc = RC_OK;

	for (int i = 0; i < offsets->n; i++)
		if (offsets->items[i].error != 0 && offsets->items[i].leader >= 0)
			open[n++] = &offsets->items[i];
	qsort(open, (size_t)n, sizeof(struct admin_offset *), by_leader);
	for (int i = 0; i < n;) {
		struct question q = { &open[i], 0 };

		while (i + q.n < n && open[i + q.n]->leader == open[i]->leader)
			q.n++;
		if (question_ask(op, offsets, &q, err) != RC_OK)
			rc = err->rc;
		i += q.n;
	}
	xfree(open);
	return rc;
}

/* RC_OK: all are answered. *again: what is missing may come. settled: a topic that is not known now will not be. */
static int round_judge(struct admin_op *op, const struct admin_offsets *offsets, bool settled, bool *again,
		       struct err *err)
{
	char object[300], right[300];

	*again = true;
	for (int i = 0; i < offsets->n; i++) {
		const struct admin_offset *item = &offsets->items[i];

		if (item->error == 0)
			continue;
		snprintf(object, sizeof(object), "%s-%d", item->topic, item->partition);
		snprintf(right, sizeof(right), "DESCRIBE on Topic %s", item->topic);
		op->object = object;
		op->right = right;
		if (item->error == ANSWERED_NONE)
			return admin_failed(op, err);
		*again = admin_code_retries(item->error) &&
			 (item->error != KERR_UNKNOWN_TOPIC_OR_PARTITION || !settled);
		return admin_code(op, item->error, STR_NULL, err);
	}
	return RC_OK;
}

int admin_list_offsets(struct cluster *cluster, struct admin_offsets *offsets, int64_t deadline_ns, struct err *err)
{
	struct admin_op op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "read the offsets of" };
	int64_t settled_ns = clock_mono_ns() + (offsets->settle_ms > 0 ? offsets->settle_ms : SETTLE_MS) * NS_PER_MS;
	bool again = true;
	int rc;

	for (int i = 0; i < offsets->n; i++) {
		offsets->items[i].offset = offsets->items[i].leader = -1;
		offsets->items[i].error = ANSWERED_NONE;
		cluster_track(cluster, offsets->items[i].topic);
	}
	err_set(err, RC_TIMEOUT, "%s: no answer in time", cluster_options(cluster)->side);
	leaders_find(cluster, offsets);
	do {
		/* Known leaders are asked first; metadata only where one is missing or was wrong. */
		rc = round_ask(&op, offsets, err);
		if (rc != RC_OK && !admin_rc_retries(rc))
			break;
		rc = round_judge(&op, offsets, clock_mono_ns() > settled_ns, &again, err);
		if (rc == RC_OK || !again)
			break;
		if (op.tries > 0 && !admin_pause(&op))
			break;
		op.tries++;
		rc = admin_refresh(&op, err);
		leaders_find(cluster, offsets);
	} while (rc == RC_OK);
	for (int i = 0; i < offsets->n; i++)
		cluster_untrack(cluster, offsets->items[i].topic);
	return rc;
}

/* --- producers ----------------------------------------------------------------------------------------------- */

static void producers_build(struct call *call, const struct admin_leader_op *leader)
{
	struct describe_producers_request *req = call_req(call, describe_producers);
	struct describe_producers_topic *t = arena_new(&call->arena, struct describe_producers_topic, 1);

	t->name = str_of(leader->topic);
	t->partition_indexes.items = arena_new(&call->arena, int32_t, 1);
	t->partition_indexes.items[0] = leader->partition;
	t->partition_indexes.n = 1;
	req->topics.items = t;
	req->topics.n = 1;
}

static const struct producers_partition *producers_of(struct call *call)
{
	const struct describe_producers_response *res = call_res(call, describe_producers);

	return res->topics.n == 1 && res->topics.items[0].partitions.n == 1 ?
	       &res->topics.items[0].partitions.items[0] : NULL;
}

static int16_t producers_code(struct call *call, struct str *message)
{
	const struct producers_partition *p = producers_of(call);

	if (p == NULL)
		return KERR_UNKNOWN_SERVER_ERROR;
	*message = p->error_message;
	return p->error_code;
}

struct admin_producer admin_producer_of(const struct active_producer *a)
{
	return (struct admin_producer){
		.producer_id = a->producer_id, .epoch = a->producer_epoch, .last_sequence = a->last_sequence,
		.last_timestamp = a->last_timestamp, .coordinator_epoch = a->coordinator_epoch,
		.transaction_start = a->current_txn_start_offset,
	};
}

static void producers_copy(const struct producers_partition *in, struct arena *arena, struct admin_producers *out)
{
	CHECK(in != NULL);   /* else its code had been an error */
	out->n = MAX(in->active_producers.n, 0);
	out->items = arena_new(arena, struct admin_producer, out->n);
	for (int i = 0; i < out->n; i++)
		out->items[i] = admin_producer_of(&in->active_producers.items[i]);
}

int admin_describe_producers(struct cluster *cluster, const char *topic, int32_t partition, int64_t deadline_ns,
			     struct arena *arena, struct admin_producers *producers, struct err *err)
{
	char object[300], right[300];
	struct admin_leader_op leader = {
		.op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "read the producers of",
			.object = object, .right = right },
		.topic = topic, .partition = partition,
		.api = &describe_producers_api, .build = producers_build, .code = producers_code,
	};
	struct call call;
	int rc;

	snprintf(object, sizeof(object), "%s-%d", topic, partition);
	snprintf(right, sizeof(right), "READ on Topic %s", topic);
	*producers = (struct admin_producers){ 0 };
	rc = admin_leader_call(&leader, &call, err);
	if (rc == RC_OK)
		producers_copy(producers_of(&call), arena, producers);
	call_fini(&call);
	return rc;
}

const struct admin_producer *admin_producer_find(const struct admin_producers *producers, int64_t producer_id)
{
	for (int i = 0; i < producers->n; i++)
		if (producers->items[i].producer_id == producer_id)
			return &producers->items[i];
	return NULL;
}

const struct admin_producer *admin_oldest_transaction(const struct admin_producers *producers)
{
	const struct admin_producer *oldest = NULL;

	for (int i = 0; i < producers->n; i++) {
		const struct admin_producer *p = &producers->items[i];

		if (p->transaction_start >= 0 && (oldest == NULL || p->transaction_start < oldest->transaction_start))
			oldest = p;
	}
	return oldest;
}

/* --- fetch --------------------------------------------------------------------------------------------------- */

static void fetch_build(struct call *call, const struct admin_leader_op *leader)
{
	const struct admin_fetch *what = leader->arg;
	struct fetch_request *req = call_req(call, fetch);
	struct fetch_topic *t = arena_new(&call->arena, struct fetch_topic, 1);
	struct fetch_partition *p = arena_new(&call->arena, struct fetch_partition, 1);

	call->version_max = FETCH_BY_NAME;
	req->max_wait_ms = what->wait_ms;
	req->min_bytes = 1;
	req->max_bytes = what->bytes_max;
	p->partition = what->partition;
	p->current_leader_epoch = leader->epoch;
	p->fetch_offset = what->offset;
	p->last_fetched_epoch = -1;
	p->partition_max_bytes = what->bytes_max;
	t->topic = str_of(what->topic);
	t->partitions.items = p;
	t->partitions.n = 1;
	req->topics.items = t;
	req->topics.n = 1;
}

static const struct fetched_partition *fetched_of(struct call *call)
{
	const struct fetch_response *res = call_res(call, fetch);

	return res->responses.n == 1 && res->responses.items[0].partitions.n == 1 ?
	       &res->responses.items[0].partitions.items[0] : NULL;
}

static int16_t fetch_code(struct call *call, struct str *message)
{
	const struct fetch_response *res = call_res(call, fetch);
	const struct fetched_partition *p = fetched_of(call);

	(void)message;
	return res->error_code != 0 ? res->error_code : p == NULL ? (int16_t)KERR_UNKNOWN_SERVER_ERROR : p->error_code;
}

int admin_fetch(struct cluster *cluster, struct call *call, const struct admin_fetch *what, int64_t deadline_ns,
		struct admin_fetched *fetched, struct err *err)
{
	char object[300], right[300];
	struct admin_leader_op leader = {
		.op = { .cluster = cluster, .deadline_ns = deadline_ns, .verb = "read", .object = object,
			.right = right },
		.topic = what->topic, .partition = what->partition,
		.api = &fetch_api, .build = fetch_build, .code = fetch_code, .arg = what,
	};
	const struct fetched_partition *p;
	int rc;

	snprintf(object, sizeof(object), "%s-%d", what->topic, what->partition);
	snprintf(right, sizeof(right), "READ on Topic %s", what->topic);
	*fetched = (struct admin_fetched){ 0 };
	rc = admin_leader_call(&leader, call, err);
	if (rc != RC_OK)
		return rc;
	p = fetched_of(call);
	CHECK(p != NULL);   /* else its code had been an error */
	*fetched = (struct admin_fetched){
		.records = p->records.data, .len = MAX(p->records.len, 0), .high_watermark = p->high_watermark,
		.last_stable_offset = p->last_stable_offset, .log_start_offset = p->log_start_offset,
	};
	return RC_OK;
}
