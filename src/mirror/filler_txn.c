/* SPDX-License-Identifier: Apache-2.0 */
/* Filling without the right for markers: a transaction that writes nothing, one per offset, leaves one marker in the
 * partition, and needs WRITE on the transactional id and the topic only.
 *
 *   FIND -> INIT -> (recorded, lane opened again) -> ADD -> END -> PROOF
 *                                                     ^              |
 *                                                     +--------------+
 *
 *  FIND   the coordinator of the lane's own transactional id.
 *  INIT   InitProducerId fences whoever filled before, and answers only when what he left is ended: his marker then
 *         stands in the log. So the lane is opened again behind it. The producer id must stand in the control log
 *         before it is used: the check of the log's tail has to know it.
 *  ADD, END  the transaction. From ADD on a marker can come, by the coordinator's own doing too.
 *  PROOF  the coordinator writes the marker after it has answered: log end and high watermark are asked until both are
 *         the expected one.
 *
 * Failure modes: CONCURRENT_TRANSACTIONS and coordinators that move are waited for. Before ADD nothing is in doubt. From
 * then on every error is: the lane is opened again, and begins with FIND. A missing right fails the lane. */
#include "base/clock.h"
#include "base/log.h"
#include "mirror/filler_txn.h"
#include "mirror/partition_calls.h"
#include "wire/kerr.h"
#include "wire/msg/add_partitions_to_txn.h"
#include "wire/msg/end_txn.h"
#include "wire/msg/find_coordinator.h"
#include "wire/msg/init_producer_id.h"
#include "wire/msg/kerr_codes.h"

enum {
	KEY_TRANSACTION = 1,
	TIMEOUT_MS = 10000,
	TRANSACTION_TIMEOUT_MS = 60000,
	AGAIN_MS = 3,              /* while the transaction before is being ended */
	FIND_AGAIN_MS = 200,
	PROOF_MS = 10000,          /* so long a marker is waited for */
	VERSION_CLIENTS = 3,       /* of AddPartitionsToTxn and EndTxn: newer ones are of brokers, or change the epoch */
};

enum txn_step { TXN_IDLE, TXN_FIND, TXN_INIT, TXN_ADD, TXN_END, TXN_PROOF };

struct txn_filler {
	struct mirror_lane *ml;
	char *id;                  /* the transactional id */
	enum txn_step step;
	bool initialised;          /* since the last doubt */
	int32_t node_id;           /* the coordinator */
	int64_t producer_id;
	int16_t producer_epoch;
	struct call call, high_watermark;
	int n_proofs;              /* answers of PROOF that have come */
	int64_t give_up_ns;
	struct timer again;
};

static void ask(struct txn_filler *t);
static void answered(struct call *call);
static void proof_came(struct call *call);

static void again_due(struct timer *timer)
{
	ask(container_of(timer, struct txn_filler, again));
}

static struct txn_filler *txn_filler_create(struct mirror_lane *ml)
{
	struct txn_filler *t = xcalloc(1, sizeof(*t));
	size_t size = strlen(ml->link->name) + strlen(ml->topic) + 32;

	t->ml = ml;
	t->again.done = again_due;
	t->id = xmalloc(size);
	snprintf(t->id, size, "krmirror/%s/%s/%d", ml->link->name, ml->topic, ml->partition);
	return t;
}

void filler_txn_free(struct mirror_lane *ml)
{
	struct txn_filler *t = ml->fill.txn;

	if (t == NULL)
		return;
	loop_timer_clear(&t->again);
	call_fini(&t->call);
	call_fini(&t->high_watermark);
	xfree(t->id);
	xfree(t);
	ml->fill.txn = NULL;
}

bool filler_txn_busy(const struct mirror_lane *ml)
{
	const struct txn_filler *t = ml->fill.txn;

	return t != NULL && (call_busy(&t->call) || call_busy(&t->high_watermark));
}

void filler_txn_stop(struct mirror_lane *ml)
{
	struct txn_filler *t = ml->fill.txn;

	if (t == NULL)
		return;
	loop_timer_clear(&t->again);
	/* Between two tries of a step that is under way nothing but the timer would end it. */
	if (!filler_txn_busy(ml) && t->step >= TXN_ADD) {
		lane_unfilled(&ml->lane);
		t->initialised = false;
	}
	if (!filler_txn_busy(ml))
		t->step = TXN_IDLE;
}

/* ---- asking ---- */

static bool lease_holds(const struct call *call)
{
	const struct txn_filler *t = call->owner;

	return mirror_has_lease(t->ml->mirror);
}

static void begin(struct txn_filler *t, struct call *call, const struct api_desc *api, call_done_fn *done)
{
	call_reset(call);
	call_init(call, api, done, t);
	call->may_send = lease_holds;
	call->deadline_ns = loop_now(t->ml->mirror->loop) + TIMEOUT_MS * NS_PER_MS;
}

static struct broker *coordinator(const struct txn_filler *t)
{
	return cluster_broker(t->ml->mirror->destination, t->node_id);
}

static void ask_find(struct txn_filler *t)
{
	struct find_coordinator_request *req;
	struct str *keys;

	begin(t, &t->call, &find_coordinator_api, answered);
	req = call_req(&t->call, find_coordinator);
	keys = arena_new(&t->call.arena, struct str, 1);
	keys[0] = req->key = str_of(t->id);
	req->key_type = KEY_TRANSACTION;
	req->coordinator_keys.items = keys;
	req->coordinator_keys.n = 1;
	broker_call(cluster_broker(t->ml->mirror->destination, NODE_ANY), &t->call);
}

static void ask_init(struct txn_filler *t)
{
	struct init_producer_id_request *req;

	begin(t, &t->call, &init_producer_id_api, answered);
	req = call_req(&t->call, init_producer_id);
	req->transactional_id = str_of(t->id);
	req->transaction_timeout_ms = TRANSACTION_TIMEOUT_MS;
	broker_call(coordinator(t), &t->call);
}

static void ask_add(struct txn_filler *t)
{
	struct add_partitions_to_txn_request *req;
	struct txn_topic *topic;

	begin(t, &t->call, &add_partitions_to_txn_api, answered);
	t->call.version_max = MIN(t->call.version_max, VERSION_CLIENTS);
	req = call_req(&t->call, add_partitions_to_txn);
	req->v3_and_below_transactional_id = str_of(t->id);
	req->v3_and_below_producer_id = t->producer_id;
	req->v3_and_below_producer_epoch = t->producer_epoch;
	topic = arena_new(&t->call.arena, struct txn_topic, 1);
	topic->name = str_of(t->ml->topic);
	topic->partitions.items = arena_new(&t->call.arena, int32_t, 1);
	topic->partitions.items[0] = t->ml->partition;
	topic->partitions.n = 1;
	req->v3_and_below_topics.items = topic;
	req->v3_and_below_topics.n = 1;
	broker_call(coordinator(t), &t->call);
}

static void ask_end(struct txn_filler *t)
{
	struct end_txn_request *req;

	begin(t, &t->call, &end_txn_api, answered);
	t->call.version_max = MIN(t->call.version_max, VERSION_CLIENTS);
	req = call_req(&t->call, end_txn);
	req->transactional_id = str_of(t->id);
	req->producer_id = t->producer_id;
	req->producer_epoch = t->producer_epoch;
	req->committed = true;
	broker_call(coordinator(t), &t->call);
}

static void ask_offset(struct txn_filler *t, struct call *call, int32_t replica_id)
{
	const struct mirror_lane *ml = t->ml;
	struct offsets_question q;

	begin(t, call, &list_offsets_api, proof_came);
	call->may_send = NULL;
	offsets_question_init(&q, call, 1, replica_id);
	offsets_question_add(&q, str_of(ml->topic), ml->partition, ml->sink.leader_epoch);
	broker_call(cluster_broker(ml->mirror->destination, ml->sink.leader), call);
}

static void ask(struct txn_filler *t)
{
	switch (t->step) {
	case TXN_IDLE:
		break;
	case TXN_FIND:
		ask_find(t);
		break;
	case TXN_INIT:
		ask_init(t);
		break;
	case TXN_ADD:
		ask_add(t);
		break;
	case TXN_END:
		ask_end(t);
		break;
	case TXN_PROOF:
		t->n_proofs = 0;
		ask_offset(t, &t->call, OFFSETS_LOG_END);
		ask_offset(t, &t->high_watermark, OFFSETS_CONSUMER);
		break;
	}
}

static void move(struct txn_filler *t, enum txn_step step)
{
	t->step = step;
	ask(t);
}

static void ask_again(struct txn_filler *t, enum txn_step step, int64_t ms)
{
	t->step = step;
	loop_timer_set(t->ml->mirror->loop, &t->again, loop_now(t->ml->mirror->loop) + ms * NS_PER_MS);
}

/* ---- taking answers ---- */

/* What a coordinator says of a request; NO_ANSWER when it said nothing. */
static int16_t code_of(struct txn_filler *t)
{
	const struct find_coordinator_response *found;
	const struct add_partitions_to_txn_response *added;

	if (t->call.rc != RC_OK)
		return NO_ANSWER;
	switch (t->step) {
	case TXN_FIND:
		found = call_res(&t->call, find_coordinator);
		if (t->call.version >= 4)
			return found->coordinators.n > 0 ? found->coordinators.items[0].error_code : NO_ANSWER;
		return found->error_code;
	case TXN_INIT:
		return call_res(&t->call, init_producer_id)->error_code;
	case TXN_ADD:
		added = call_res(&t->call, add_partitions_to_txn);
		if (added->results_by_topic_v3_and_below.n < 1 ||
		    added->results_by_topic_v3_and_below.items[0].results_by_partition.n < 1)
			return NO_ANSWER;
		return added->results_by_topic_v3_and_below.items[0].results_by_partition.items[0].partition_error_code;
	case TXN_END:
		return call_res(&t->call, end_txn)->error_code;
	case TXN_IDLE:
	case TXN_PROOF:
		break;
	}
	return NO_ANSWER;
}

static bool is_right(int16_t code)
{
	return code == KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED || code == KERR_CLUSTER_AUTHORIZATION_FAILED ||
	       code == KERR_TOPIC_AUTHORIZATION_FAILED;
}

static void refused(struct txn_filler *t, int16_t code)
{
	struct mirror_lane *ml = t->ml;

	mirror_lane_fail(ml, REASON_FILL_REFUSED,
			 "destination: offset %lld has no record; neither CLUSTER_ACTION on Cluster (or ALTER, from 3.8 "
			 "on) nor, for empty transactions, WRITE on TransactionalId %s and the topic is granted (%s)",
			 (long long)ml->lane.acked, t->id, kerr_name(code));
}

/* FIND and INIT: nothing of the lane is in flight. */
static void first_failed(struct txn_filler *t, int16_t code)
{
	if (is_right(code)) {
		t->step = TXN_IDLE;
		refused(t, code);
	} else if (code == KERR_CONCURRENT_TRANSACTIONS) {
		ask_again(t, TXN_INIT, AGAIN_MS);
	} else {
		ask_again(t, TXN_FIND, FIND_AGAIN_MS);
	}
}

static void in_doubt(struct txn_filler *t, int16_t code, const char *why)
{
	struct mirror_lane *ml = t->ml;

	log_debug(ml->subject, "fill in doubt", "offset=%lld step=%d error=%s", (long long)ml->lane.acked, t->step,
		  code == NO_ANSWER ? why : kerr_name(code));
	t->step = TXN_IDLE;
	t->initialised = false;
	lane_unfilled(&ml->lane);
	if (is_right(code))
		refused(t, code);
	cluster_refresh(ml->mirror->destination);
}

static void initialised(struct txn_filler *t)
{
	const struct init_producer_id_response *res = call_res(&t->call, init_producer_id);

	t->producer_id = res->producer_id;
	t->producer_epoch = res->producer_epoch;
	t->initialised = true;
	t->step = TXN_IDLE;
	log_info(t->ml->subject, "fills by empty transactions", "transactional_id=" LOG_Q " producer_id=%lld", t->id,
		 (long long)t->producer_id);
	t->ml->fill.txn_id_wanted = t->producer_id;
	snapshot_soon(t->ml->mirror);
	lane_cast_doubt(&t->ml->lane);  /* it may have ended what another left */
}

static void take_success(struct txn_filler *t)
{
	const struct find_coordinator_response *found;

	switch (t->step) {
	case TXN_FIND:
		found = call_res(&t->call, find_coordinator);
		t->node_id = t->call.version >= 4 ? found->coordinators.items[0].node_id : found->node_id;
		move(t, TXN_INIT);
		break;
	case TXN_INIT:
		initialised(t);
		break;
	case TXN_ADD:
		move(t, TXN_END);
		break;
	case TXN_END:
		t->give_up_ns = loop_now(t->ml->mirror->loop) + PROOF_MS * NS_PER_MS;
		move(t, TXN_PROOF);
		break;
	case TXN_IDLE:
	case TXN_PROOF:
		break;
	}
}

/* Whatever the answer is, the lane may have failed or be closing. */
static bool lane_goes_on(const struct mirror_lane *ml)
{
	return lane_is_open(&ml->lane) && !ml->closing;
}

static void answered(struct call *call)
{
	struct txn_filler *t = call->owner;
	struct mirror_lane *ml = t->ml;
	int16_t code = code_of(t);

	if (t->step >= TXN_ADD && !lane_goes_on(ml))
		in_doubt(t, NO_ANSWER, "the lane does not go on");
	else if (!lane_goes_on(ml))
		t->step = TXN_IDLE;
	else if (code == KERR_NONE)
		take_success(t);
	else if (t->step < TXN_ADD)
		first_failed(t, code);
	else if (code == KERR_CONCURRENT_TRANSACTIONS && t->step == TXN_ADD)
		ask_again(t, TXN_ADD, AGAIN_MS);
	else
		in_doubt(t, code, "no answer");
	mirror_lane_go_on(ml);
}

static int64_t told(struct call *call, const struct mirror_lane *ml)
{
	const struct listed_offsets_partition *p =
		call->rc == RC_OK ? offsets_answer(call, str_of(ml->topic), ml->partition, 0) : NULL;

	return p != NULL && p->error_code == KERR_NONE ? p->offset : -1;
}

static void proof_came(struct call *call)
{
	struct txn_filler *t = call->owner;
	struct mirror_lane *ml = t->ml;
	int64_t end, high_watermark, now = loop_now(ml->mirror->loop), expected = ml->lane.acked + 1;

	if (++t->n_proofs < 2)
		return;
	end = told(&t->call, ml);
	high_watermark = told(&t->high_watermark, ml);
	if (!lane_goes_on(ml)) {
		in_doubt(t, NO_ANSWER, "the lane does not go on");
	} else if (end == expected && high_watermark == expected) {
		t->step = TXN_IDLE;
		ml->mirror->local_contact_wall_ms = clock_wall_ms();
		lane_filled(&ml->lane, now);
		mirror_lane_progress(ml);
	} else if (end < 0 || high_watermark < 0 || end > expected || now >= t->give_up_ns) {
		in_doubt(t, NO_ANSWER, "log end");
	} else {
		ask_again(t, TXN_PROOF, AGAIN_MS);
	}
	mirror_lane_go_on(ml);
}

void filler_txn_ready(struct mirror_lane *ml)
{
	struct txn_filler *t = ml->fill.txn;

	if (t == NULL)
		t = ml->fill.txn = txn_filler_create(ml);
	if (t->step != TXN_IDLE || filler_txn_busy(ml) || !lane_goes_on(ml) || lane_fill_head(&ml->lane) == 0)
		return;
	if (!t->initialised) {
		move(t, TXN_FIND);
		return;
	}
	lane_fill_send(&ml->lane, 1, loop_now(ml->mirror->loop));
	move(t, TXN_ADD);
}

bool filler_txn_initialised(const struct mirror_lane *ml)
{
	return ml->fill.txn != NULL && ml->fill.txn->initialised;
}
