/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of opening lanes. See opening.c for the order of steps, round_ends.c and round_batches.c for what the
 * answers mean. */
#include "base/clock.h"
#include "base/log.h"
#include "mirror/partition_calls.h"
#include "mirror/round_priv.h"
#include "wire/kerr.h"
#include "wire/msg/describe_producers.h"
#include "wire/msg/fetch.h"
#include "wire/msg/kerr_codes.h"
#include "wire/msg/offset_for_leader_epoch.h"

enum {
	TIMEOUT_MS = 10000,
	FETCH_BYTES_MAX = 4 << 20,
	READ_UNCOMMITTED = 0, READ_COMMITTED = 1,
	VERSION_TOPIC_NAMES = 12,  /* of Fetch: the last that has names; ids are checked with metadata */
};

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

struct str round_topic(const struct round *r, const struct mirror_lane *ml)
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
	struct offsets_question q;

	offsets_question_init(&q, call, r->n_lanes, replica_id);
	q.timestamp = timestamp;
	for (int i = 0; i < r->n_lanes; i++)
		offsets_question_add(&q, round_topic(r, r->lanes[i]), r->lanes[i]->partition, r->epochs[i]);
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

		t->name = round_topic(r, r->lanes[i]);
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

	req->replica_id = OFFSETS_CONSUMER;
	req->topics.items = arena_alloc(&call->arena, (size_t)r->n_lanes * sizeof(*req->topics.items));
	req->topics.n = r->n_lanes;
	for (int i = 0; i < r->n_lanes; i++) {
		struct leader_epoch_topic *t = &req->topics.items[i];

		t->topic = round_topic(r, r->lanes[i]);
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

	call->version_max = MIN(call->version_max, VERSION_TOPIC_NAMES);
	req->max_wait_ms = 0;
	req->min_bytes = 0;
	req->max_bytes = FETCH_BYTES_MAX;
	/* Whose the last batch is says the log itself; what stands below is compared as consumers see it. */
	req->isolation_level = r->step == OPENING_TAIL ? READ_UNCOMMITTED : READ_COMMITTED;
	req->forgotten_topics_data.n = 0;
	req->topics.items = arena_alloc(&call->arena, (size_t)r->n_lanes * sizeof(*req->topics.items));
	req->topics.n = r->n_lanes;
	for (int i = 0; i < r->n_lanes; i++) {
		struct fetch_topic *t = &req->topics.items[i];

		t->topic = round_topic(r, r->lanes[i]);
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
		ask_offsets(r, OFFSETS_LOG_END, OFFSETS_LATEST);
		ask_offsets(r, OFFSETS_CONSUMER, OFFSETS_LATEST);
		ask_producers(r);
		ask_offsets(r, OFFSETS_LOG_END, OFFSETS_LATEST);
		ask_offsets(r, OFFSETS_CONSUMER, OFFSETS_LATEST);
		ask_offsets(r, OFFSETS_CONSUMER, OFFSETS_EARLIEST);
		break;
	case OPENING_SOURCE:
		ask_offsets(r, OFFSETS_LOG_END, OFFSETS_LATEST);
		ask_offsets(r, OFFSETS_CONSUMER, OFFSETS_EARLIEST);
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

/* ---- answers ---- */

void round_partition_error(struct round *r, struct mirror_lane *ml, int16_t code, const char *right)
{
	if (code == KERR_TOPIC_AUTHORIZATION_FAILED) {
		mirror_lane_fail(ml, REASON_AUTHORIZATION, "%s: %s on topic %.*s is not granted",
				 cluster_options(r->cluster)->side, right, STR_ARG(round_topic(r, ml)));
		return;
	}
	cluster_refresh(r->cluster);
	opening_retry(ml, kerr_name(code));
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
		round_take_ends(r, i);
		break;
	case OPENING_TAIL:
		round_take_tail(r, i);
		break;
	case OPENING_SOURCE:
		round_take_source(r, i);
		break;
	case OPENING_EPOCH:
		round_take_epoch(r, i);
		break;
	case OPENING_LOCAL:
		round_take_local(r, i);
		break;
	case OPENING_COMPARE:
		round_take_compare(r, i);
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
