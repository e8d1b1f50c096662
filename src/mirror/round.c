/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of opening lanes, and what their answers mean. See opening.c for the order of steps. */
#include "base/clock.h"
#include "base/log.h"
#include "mirror/opening.h"
#include "wire/kerr.h"
#include "wire/msg/describe_producers.h"
#include "wire/msg/fetch.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/list_offsets.h"
#include "wire/msg/offset_for_leader_epoch.h"

enum {
	/* Only as a replica that is no broker are we told the log end, and only by the leader (measured; DESIGN 3). */
	REPLICA_LOG_END = -3, REPLICA_CONSUMER = -1,
	LATEST = -1, EARLIEST = -2,
	TIMEOUT_MS = 10000,
	FETCH_BYTES_MAX = 4 << 20,
	LOCAL_MAX = 1024,          /* digests that a lane holds at a time */
	ERROR_OUT_OF_RANGE = 1, ERROR_TOPIC_AUTHORIZATION = 29,
};

/* The calls of ENDS and SOURCE, in the order in which they are sent and answered. */
enum { END_BEFORE, HW_BEFORE, PRODUCERS, END_AFTER, HW_AFTER, LOCAL_START, N_ENDS };
enum { SOURCE_END, SOURCE_START, N_SOURCE };

static void answered(struct call *call);

struct round *round_create(struct list *rounds, const struct mirror_lane *ml, struct cluster *cluster, int32_t node)
{
	struct round *r = xcalloc(1, sizeof(*r));

	r->mirror = ml->mirror;
	r->cluster = cluster;
	r->node_id = node;
	r->step = ml->opening.step;
	r->alone = ml->opening.alone;
	list_push_back(rounds, &r->node);
	ml->mirror->n_rounds++;
	return r;
}

void round_add(struct round *r, struct mirror_lane *ml, int32_t epoch)
{
	r->lanes = xrealloc(r->lanes, (size_t)r->n_lanes + 1, sizeof(struct mirror_lane *));
	r->epochs = xrealloc(r->epochs, (size_t)r->n_lanes + 1, sizeof(int32_t));
	r->lanes[r->n_lanes] = ml;
	r->epochs[r->n_lanes++] = epoch;
	ml->opening.round = r;
}

static bool at_source(const struct round *r)
{
	return r->step == OPENING_SOURCE || r->step == OPENING_EPOCH || r->step == OPENING_COMPARE;
}

static struct str topic_of(const struct round *r, const struct mirror_lane *ml)
{
	return str_of(at_source(r) ? ml->source_topic_name : ml->topic);
}

/* ---- asking ---- */

static struct call *next_call(struct round *r, const struct api_desc *api)
{
	struct call *call = &r->calls[r->n_calls++];

	call_init(call, api, answered, r);
	call->deadline_ns = clock_mono_ns() + TIMEOUT_MS * NS_PER_MS;
	return call;
}

static void ask_offsets(struct round *r, int32_t replica_id, int64_t timestamp)
{
	struct call *call = next_call(r, &list_offsets_api);
	struct list_offsets_request *req = call_req(call, list_offsets);

	req->replica_id = replica_id;
	req->timeout_ms = TIMEOUT_MS;
	req->topics.items = arena_alloc(&call->arena, (size_t)r->n_lanes * sizeof(*req->topics.items));
	req->topics.n = r->n_lanes;
	for (int i = 0; i < r->n_lanes; i++) {
		struct list_offsets_topic *t = &req->topics.items[i];

		t->name = topic_of(r, r->lanes[i]);
		t->partitions.items = arena_alloc(&call->arena, sizeof(*t->partitions.items));
		t->partitions.n = 1;
		t->partitions.items[0] = (struct list_offsets_partition){
			.partition_index = r->lanes[i]->partition, .current_leader_epoch = r->epochs[i],
			.timestamp = timestamp,
		};
	}
	broker_call(cluster_broker(r->cluster, r->node_id), call);
}

static void ask_producers(struct round *r)
{
	struct call *call = next_call(r, &describe_producers_api);
	struct describe_producers_request *req = call_req(call, describe_producers);

	req->topics.items = arena_alloc(&call->arena, (size_t)r->n_lanes * sizeof(*req->topics.items));
	req->topics.n = r->n_lanes;
	for (int i = 0; i < r->n_lanes; i++) {
		struct describe_producers_topic *t = &req->topics.items[i];

		t->name = topic_of(r, r->lanes[i]);
		t->partition_indexes.items = arena_alloc(&call->arena, sizeof(int32_t));
		t->partition_indexes.n = 1;
		t->partition_indexes.items[0] = r->lanes[i]->partition;
	}
	broker_call(cluster_broker(r->cluster, r->node_id), call);
}

static void ask_epochs(struct round *r)
{
	struct call *call = next_call(r, &offset_for_leader_epoch_api);
	struct offset_for_leader_epoch_request *req = call_req(call, offset_for_leader_epoch);

	req->replica_id = REPLICA_CONSUMER;
	req->topics.items = arena_alloc(&call->arena, (size_t)r->n_lanes * sizeof(*req->topics.items));
	req->topics.n = r->n_lanes;
	for (int i = 0; i < r->n_lanes; i++) {
		struct leader_epoch_topic *t = &req->topics.items[i];

		t->topic = topic_of(r, r->lanes[i]);
		t->partitions.items = arena_alloc(&call->arena, sizeof(*t->partitions.items));
		t->partitions.n = 1;
		t->partitions.items[0] = (struct leader_epoch_partition){
			.partition = r->lanes[i]->partition, .current_leader_epoch = r->epochs[i],
			.leader_epoch = r->lanes[i]->known_epoch,
		};
	}
	broker_call(cluster_broker(r->cluster, r->node_id), call);
}

static int64_t fetch_offset(const struct round *r, const struct mirror_lane *ml)
{
	return r->step == OPENING_TAIL ? ml->opening.in.local_end - 1 : ml->opening.compared;
}

/* Topics go by name: ids are checked with metadata. */
static void ask_batches(struct round *r)
{
	struct call *call = next_call(r, &fetch_api);
	struct fetch_request *req = call_req(call, fetch);

	call->version_max = MIN(call->version_max, 12);
	req->max_wait_ms = 0;
	req->min_bytes = 0;
	req->max_bytes = FETCH_BYTES_MAX;
	req->isolation_level = 0;
	req->forgotten_topics_data.n = 0;
	req->topics.items = arena_alloc(&call->arena, (size_t)r->n_lanes * sizeof(*req->topics.items));
	req->topics.n = r->n_lanes;
	for (int i = 0; i < r->n_lanes; i++) {
		struct fetch_topic *t = &req->topics.items[i];

		t->topic = topic_of(r, r->lanes[i]);
		t->partitions.items = arena_alloc(&call->arena, sizeof(*t->partitions.items));
		t->partitions.n = 1;
		t->partitions.items[0] = (struct fetch_partition){
			.partition = r->lanes[i]->partition, .current_leader_epoch = r->epochs[i],
			.fetch_offset = fetch_offset(r, r->lanes[i]),
			.last_fetched_epoch = -1, .log_start_offset = -1,
			.partition_max_bytes = FETCH_BYTES_MAX / (r->alone ? 1 : r->n_lanes),
		};
	}
	broker_call(cluster_broker(r->cluster, r->node_id), call);
}

void round_start(struct round *r)
{
	switch (r->step) {
	case OPENING_ENDS:
		ask_offsets(r, REPLICA_LOG_END, LATEST);
		ask_offsets(r, REPLICA_CONSUMER, LATEST);
		ask_producers(r);
		ask_offsets(r, REPLICA_LOG_END, LATEST);
		ask_offsets(r, REPLICA_CONSUMER, LATEST);
		ask_offsets(r, REPLICA_CONSUMER, EARLIEST);
		break;
	case OPENING_SOURCE:
		ask_offsets(r, REPLICA_LOG_END, LATEST);
		ask_offsets(r, REPLICA_CONSUMER, EARLIEST);
		break;
	case OPENING_EPOCH:
		ask_epochs(r);
		break;
	case OPENING_TAIL:
	case OPENING_LOCAL:
	case OPENING_COMPARE:
		ask_batches(r);
		break;
	case OPENING_IDLE:
	case OPENING_WAIT:
	default:
		CHECK(!"a round asks something");
	}
}

/* ---- reading answers ---- */

/* A partition's error: it passes (asked again, with fresh metadata), or it is a missing right. */
static void partition_error(struct round *r, struct mirror_lane *ml, int16_t code, const char *right)
{
	if (code == ERROR_TOPIC_AUTHORIZATION) {
		mirror_lane_fail(ml, REASON_AUTHORIZATION, "%s: %s on topic %.*s is not granted",
				 cluster_options(r->cluster)->side, right, STR_ARG(topic_of(r, ml)));
		return;
	}
	cluster_refresh(r->cluster);
	opening_retry(ml, kerr_name(code));
}

static const struct listed_offsets_partition *listed(struct round *r, int call, int i)
{
	const struct list_offsets_response *res = call_res(&r->calls[call], list_offsets);
	struct str name = topic_of(r, r->lanes[i]);
	int32_t n = res->topics.n;

	/* One topic entry per lane, in the order of the request; brokers may gather them, so look at all. */
	for (int32_t k = 0; k < n; k++) {
		const struct listed_offsets_topic *t = &res->topics.items[(i + k) % n];

		if (!str_eq(t->name, name))
			continue;
		for (int32_t p = 0; p < t->partitions.n; p++)
			if (t->partitions.items[p].partition_index == r->lanes[i]->partition)
				return &t->partitions.items[p];
	}
	return NULL;
}

/* False: the lane was dealt with. */
static bool offset_of(struct round *r, int call, int i, int64_t *offset)
{
	const struct listed_offsets_partition *p = listed(r, call, i);

	if (p == NULL)
		opening_retry(r->lanes[i], "ListOffsets left the partition out");
	else if (p->error_code != 0)
		partition_error(r, r->lanes[i], p->error_code, "DESCRIBE");
	else
		*offset = p->offset;
	return p != NULL && p->error_code == 0;
}

static const struct producers_partition *described(struct round *r, int i)
{
	const struct describe_producers_response *res = call_res(&r->calls[PRODUCERS], describe_producers);
	struct str name = topic_of(r, r->lanes[i]);
	int32_t n = res->topics.n;

	for (int32_t k = 0; k < n; k++) {
		const struct producers_topic *t = &res->topics.items[(i + k) % n];

		if (!str_eq(t->name, name))
			continue;
		for (int32_t p = 0; p < t->partitions.n; p++)
			if (t->partitions.items[p].partition_index == r->lanes[i]->partition)
				return &t->partitions.items[p];
	}
	return NULL;
}

static bool producer_of(struct round *r, int i)
{
	struct mirror_lane *ml = r->lanes[i];
	const struct producers_partition *p = described(r, i);
	struct lane_opening *out = &ml->opening.result;

	if (p == NULL) {
		opening_retry(ml, "DescribeProducers left the partition out");
		return false;
	}
	if (p->error_code != 0) {
		partition_error(r, ml, p->error_code, "READ");
		return false;
	}
	*out = (struct lane_opening){ .last_sequence = -1, .source_epoch = -1 };
	for (int32_t k = 0; k < p->active_producers.n; k++) {
		const struct active_producer *a = &p->active_producers.items[k];

		if (a->producer_id != ml->lane.producer_id)
			continue;
		out->producer_known = true;
		out->producer_epoch = (int16_t)a->producer_epoch;
		out->last_sequence = a->last_sequence;
	}
	return true;
}

static void take_ends(struct round *r, int i)
{
	struct mirror_lane *ml = r->lanes[i];
	struct opening *o = &ml->opening;

	if (!offset_of(r, END_BEFORE, i, &o->ends.end_before) || !offset_of(r, HW_BEFORE, i, &o->ends.hw_before) ||
	    !producer_of(r, i) || !offset_of(r, END_AFTER, i, &o->ends.end_after) ||
	    !offset_of(r, HW_AFTER, i, &o->ends.hw_after) || !offset_of(r, LOCAL_START, i, &o->in.local_start))
		return;
	if (o->result.producer_known && o->result.producer_epoch > ml->spec.producer_epoch) {
		log_warn(ml->subject, "the door was closed: nothing is written", "producer_epoch=%d mine=%d",
			 o->result.producer_epoch, ml->spec.producer_epoch);
		opening_retry(ml, "the door was closed");
		return;
	}
	if (align_judge_ends(&o->ends) != ENDS_EQUAL) {
		opening_retry(ml, "log end and high watermark differ");
		return;
	}
	o->leader = r->node_id;
	o->leader_epoch = r->epochs[i];
	o->in.local_end = o->ends.end_after;
	o->in.data_id = ml->lane.producer_id;
	o->in.filler_id = ml->filler_id;
	o->in.adopted_end = ml->spec.adopted_end;
	o->in.tail.found = false;
	opening_next(ml, o->in.local_end > 0 ? OPENING_TAIL : OPENING_SOURCE);
}

/* Compares from where the known pair leaves off. */
static void start_compare(struct mirror_lane *ml, int64_t settled)
{
	struct opening *o = &ml->opening;

	o->compared = align_compare_from(&o->in, settled);
	if (o->compared >= o->in.local_end)
		opening_done(ml);  /* the source has no batch left to compare with */
	else
		opening_next(ml, OPENING_LOCAL);
}

static void take_source(struct round *r, int i)
{
	struct mirror_lane *ml = r->lanes[i];
	struct opening *o = &ml->opening;
	struct align_result verdict;

	if (!offset_of(r, SOURCE_END, i, &o->in.source_end) || !offset_of(r, SOURCE_START, i, &o->in.source_start))
		return;
	align_judge(&o->in, &verdict);
	if (verdict.verdict == ALIGN_STOP)
		mirror_lane_fail(ml, verdict.reason, "%s", verdict.error);
	else if (verdict.verdict == ALIGN_FRESH)
		opening_done(ml);
	else if (ml->known_epoch >= 0)
		opening_next(ml, OPENING_EPOCH);
	else
		start_compare(ml, -1);
}

static const struct epoch_end_partition *epoch_end(struct round *r, int i)
{
	const struct offset_for_leader_epoch_response *res = call_res(&r->calls[0], offset_for_leader_epoch);
	struct str name = topic_of(r, r->lanes[i]);
	int32_t n = res->topics.n;

	for (int32_t k = 0; k < n; k++) {
		const struct epoch_end_topic *t = &res->topics.items[(i + k) % n];

		if (!str_eq(t->topic, name))
			continue;
		for (int32_t p = 0; p < t->partitions.n; p++)
			if (t->partitions.items[p].partition == r->lanes[i]->partition)
				return &t->partitions.items[p];
	}
	return NULL;
}

static void take_epoch(struct round *r, int i)
{
	struct mirror_lane *ml = r->lanes[i];
	const struct epoch_end_partition *e = epoch_end(r, i);
	int64_t known = ml->known_offset;

	if (e == NULL) {
		opening_retry(ml, "OffsetForLeaderEpoch left the partition out");
		return;
	}
	if (e->error_code != 0) {
		partition_error(r, ml, e->error_code, "DESCRIBE");
		return;
	}
	switch (align_judge_pair(known, ml->known_epoch, e->leader_epoch, e->end_offset)) {
	case PAIR_HOLDS:
		start_compare(ml, known);
		break;
	case PAIR_UNKNOWN:
		start_compare(ml, -1);
		break;
	case PAIR_CUT:
	default:
		mirror_lane_fail(ml, REASON_UNEXPECTED_TRUNCATION,
				 "the source was truncated: leader epoch %d reached offset %lld, now epoch %d ends at %lld",
				 ml->known_epoch, (long long)known, e->leader_epoch, (long long)e->end_offset);
		break;
	}
}

static const struct fetched_partition *fetched(struct round *r, int i)
{
	const struct fetch_response *res = call_res(&r->calls[0], fetch);
	struct str name = topic_of(r, r->lanes[i]);
	int32_t n = res->responses.n;

	for (int32_t k = 0; k < n; k++) {
		const struct fetched_topic *t = &res->responses.items[(i + k) % n];

		if (!str_eq(t->topic, name))
			continue;
		for (int32_t p = 0; p < t->partitions.n; p++)
			if (t->partitions.items[p].partition_index == r->lanes[i]->partition)
				return &t->partitions.items[p];
	}
	return NULL;
}

enum batch_answer { BATCH_HERE, BATCH_ABSENT, BATCH_LATER };

/* The first batch of a fetched partition; r->in stands behind it. LATER: the lane was dealt with. */
static enum batch_answer first_batch(struct round *r, int i, struct reader *in, struct batch_header *b)
{
	struct mirror_lane *ml = r->lanes[i];
	const struct fetched_partition *p = fetched(r, i);
	enum batch_next next;

	if (p == NULL) {
		opening_retry(ml, "Fetch left the partition out");
		return BATCH_LATER;
	}
	if (p->error_code == ERROR_OUT_OF_RANGE)
		return BATCH_ABSENT;
	if (p->error_code != 0) {
		partition_error(r, ml, p->error_code, "READ");
		return BATCH_LATER;
	}
	*in = (struct reader){ .p = p->records.data, .end = p->records.data + MAX(p->records.len, 0) };
	next = p->records.len > 0 ? batch_next(in, b) : BATCH_END;
	if (next == BATCH_OK && b->magic == 2)
		return BATCH_HERE;
	if (next != BATCH_BAD && next != BATCH_OK && r->n_lanes > 1) {
		opening_alone(ml);
		return BATCH_LATER;
	}
	return BATCH_ABSENT;
}

static void take_tail(struct round *r, int i)
{
	struct mirror_lane *ml = r->lanes[i];
	struct align_tail *tail = &ml->opening.in.tail;
	struct batch_header b;
	struct reader in;
	enum batch_answer answer = first_batch(r, i, &in, &b);

	if (answer == BATCH_LATER)
		return;
	/* An empty answer is a failed check, not a passed one: align judges it. */
	tail->found = answer == BATCH_HERE;
	if (tail->found) {
		tail->producer_id = b.producer_id;
		tail->first_offset = b.base_offset;
		tail->last_offset = b.base_offset + b.last_delta;
	}
	opening_next(ml, OPENING_SOURCE);
}

static void take_local(struct round *r, int i)
{
	struct mirror_lane *ml = r->lanes[i];
	struct opening *o = &ml->opening;
	struct batch_header b;
	struct reader in;
	enum batch_answer answer = first_batch(r, i, &in, &b);
	enum batch_next next = BATCH_OK;

	if (answer == BATCH_LATER)
		return;
	if (answer == BATCH_ABSENT) {
		opening_retry(ml, "the destination does not serve what it holds");
		return;
	}
	opening_forget_local(ml);
	o->local = xcalloc(LOCAL_MAX, sizeof(*o->local));
	for (; next == BATCH_OK && b.magic == 2 && o->n_local < LOCAL_MAX; next = batch_next(&in, &b)) {
		struct batch_digest *d = &o->local[o->n_local++];

		d->first = b.base_offset;
		d->last = b.base_offset + b.last_delta;
		align_digest(b.data, b.size, d->digest);
	}
	opening_next(ml, OPENING_COMPARE);
}

static void differs(struct mirror_lane *ml, const struct batch_header *b, const struct batch_digest *d)
{
	if (b->count != b->last_delta + 1)
		mirror_lane_fail(ml, REASON_UNSUPPORTED_MESSAGE_FORMAT,
				 "the source has compacted the batch at offset %lld since it was mirrored: "
				 "this version cannot compare it", (long long)d->first);
	else
		mirror_lane_fail(ml, REASON_UNEXPECTED_TRUNCATION,
				 "the source's batch at offset %lld is not the one that was mirrored",
				 (long long)d->first);
}

static void take_compare(struct round *r, int i)
{
	struct mirror_lane *ml = r->lanes[i];
	struct opening *o = &ml->opening;
	uint8_t digest[SHA256_LEN];
	struct batch_header b;
	struct reader in;
	enum batch_answer answer = first_batch(r, i, &in, &b);
	enum batch_next next = BATCH_OK;

	if (answer == BATCH_LATER)
		return;
	if (answer == BATCH_ABSENT) {
		opening_retry(ml, "the source does not serve what was mirrored");
		return;
	}
	for (int k = 0; k < o->n_local && next == BATCH_OK; k++, next = batch_next(&in, &b)) {
		align_digest(b.data, b.size, digest);
		if (memcmp(digest, o->local[k].digest, sizeof(digest)) != 0) {
			differs(ml, &b, &o->local[k]);
			return;
		}
		o->compared = o->local[k].last + 1;
		o->result.source_epoch = b.leader_epoch;
	}
	opening_forget_local(ml);
	if (o->compared >= o->in.local_end)
		opening_done(ml);
	else
		opening_next(ml, OPENING_LOCAL);
}

/* ---- the end of a round ---- */

static const struct call *failed_call(const struct round *r)
{
	for (int i = 0; i < r->n_calls; i++)
		if (r->calls[i].rc != RC_OK)
			return &r->calls[i];
	return NULL;
}

static void take_lane(struct round *r, int i)
{
	switch (r->step) {
	case OPENING_ENDS:
		take_ends(r, i);
		break;
	case OPENING_TAIL:
		take_tail(r, i);
		break;
	case OPENING_SOURCE:
		take_source(r, i);
		break;
	case OPENING_EPOCH:
		take_epoch(r, i);
		break;
	case OPENING_LOCAL:
		take_local(r, i);
		break;
	case OPENING_COMPARE:
		take_compare(r, i);
		break;
	case OPENING_IDLE:
	case OPENING_WAIT:
	default:
		break;
	}
}

static void finish(struct round *r)
{
	const struct call *bad = failed_call(r);

	for (int i = 0; i < r->n_lanes; i++) {
		struct mirror_lane *ml = r->lanes[i];

		ml->opening.round = NULL;
		if (ml->closing || ml->opening.step != r->step || ml->lane.state != LANE_PROBING)
			;  /* taken out meanwhile */
		else if (bad != NULL)
			opening_retry(ml, bad->err.text);
		else
			take_lane(r, i);
		mirror_lane_settle(ml);
	}
	if (bad != NULL)
		cluster_refresh(r->cluster);
	for (int i = 0; i < r->n_calls; i++)
		call_fini(&r->calls[i]);
	r->mirror->n_rounds--;
	xfree(r->lanes);
	xfree(r->epochs);
	xfree(r);
}

static void answered(struct call *call)
{
	struct round *r = call->owner;

	if (++r->n_done == r->n_calls)
		finish(r);
}
