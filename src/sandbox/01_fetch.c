/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour:
 *  - reads begin with the batch that holds the offset; the last batch may be cut by a limit, the first batch of the
 *    first partition with data never is;
 *  - below the log start or above its end: 1. Leader epochs: 74, 75. last_fetched_epoch: the diverging epoch, or 1
 *    when it is not known;
 *  - waits for min_bytes up to max_wait_ms, unless a partition has an error or diverges;
 *  - sessions: 70 unknown, 71 wrong epoch, 106 names and ids mixed; an incremental answer leaves out what is unchanged.
 *  - read_committed ends at the last stable offset and tells the aborted transactions (otherwise null) of what is
 *    answered, and, because the end is estimated as brokers do with their index, some beyond it.
 * One node: the high watermark is the log's end.
 * Version notes: 7 sessions, 9 leader epoch, 11 rack, 12 last_fetched_epoch and diverging epoch, 13 topic ids,
 * 15 replica state. Replicas of other brokers get 6. */
#include "sandbox/fetch_wait.h"
#include "sandbox/handlers.h"
#include "wire/msg/fetch.h"

enum { SERVER_MAX_BYTES = 55 << 20, EPOCH_INITIAL = 0, EPOCH_FINAL = -1, READ_COMMITTED = 1, INDEX_INTERVAL = 4096 };

/* What a Fetch works on; lives in the request's arena. */
struct fetch_plan {
	struct fetch_item *items;
	int32_t n;
	bool full;                      /* answers every partition */
	bool make_session;
	int32_t session_id;             /* 0: none */
};

/* What a round over the items found. */
struct fetch_round {
	int64_t left;                   /* bytes that the response may still take */
	int64_t bytes;
	bool one_anyway;                /* a first batch may still exceed the limits */
	bool at_once;                   /* an error or a diverging epoch */
};

static struct partition *item_partition(struct request *req, const struct fetch_item *item, int16_t *code)
{
	bool ids = req->version >= 13;
	struct topic *topic = ids ? store_topic_by_id(&req->sb->store, &item->topic_id)
				  : store_topic(&req->sb->store, item->topic);
	struct partition *p = topic_partition(topic, item->partition);

	*code = p != NULL ? KERR_NONE : topic == NULL && ids ? KERR_UNKNOWN_TOPIC_ID : KERR_UNKNOWN_TOPIC_OR_PARTITION;
	return p;
}

/* Errors and the diverging epoch; true when there is something to read. */
static bool check_item(const struct fetch_item *item, const struct partition *p, struct fetched_partition *out)
{
	int32_t epoch;
	int64_t end;

	out->error_code = partition_check_epoch(p, item->current_leader_epoch);
	if (out->error_code != KERR_NONE)
		return false;
	if (item->last_fetched_epoch >= 0) {
		plog_epoch_end(&p->log, item->last_fetched_epoch, &epoch, &end);
		if (epoch < 0 || end < 0 || item->offset < p->log.start_offset) {
			out->error_code = KERR_OFFSET_OUT_OF_RANGE;
			return false;
		}
		if (epoch < item->last_fetched_epoch || end < item->offset) {
			out->diverging_epoch.epoch = epoch;
			out->diverging_epoch.end_offset = end;
			return false;
		}
	}
	if (item->offset < p->log.start_offset || item->offset > p->log.end_offset)
		out->error_code = KERR_OFFSET_OUT_OF_RANGE;
	return out->error_code == KERR_NONE;
}

/* Up to where a broker looks for aborted transactions: the next entry of its index behind what is answered. */
static int64_t aborted_bound(const struct partition *p, size_t at)
{
	const struct plog_batch *b;
	int64_t skipped = 0;

	for (; (b = plog_at(&p->log, at)) != NULL; at++) {
		if (skipped > INDEX_INTERVAL)
			return b->base_offset;
		skipped += b->len;
	}
	return p->log.end_offset;
}

static void tell_aborted(struct request *req, const struct partition *p, int64_t from, int64_t bound,
			 struct fetched_partition *out)
{
	size_t first = aborted_find(&p->aborted, from), end = first;

	while (end < p->aborted.n && (end == first || p->aborted.items[end - 1].stable < bound))
		end++;
	request_items(req, &out->aborted_transactions, aborted_transaction, (int32_t)(end - first));
	out->aborted_transactions.n = 0;
	for (size_t i = first; i < end; i++)
		if (p->aborted.items[i].first_offset < bound) {
			struct aborted_transaction *told =
				&out->aborted_transactions.items[out->aborted_transactions.n++];

			told->producer_id = p->aborted.items[i].producer_id;
			told->first_offset = p->aborted.items[i].first_offset;
		}
}

/* Points the answer to the batches from the item's offset on, within the limits. */
static void read_item(struct request *req, const struct fetch_item *item, const struct partition *p,
		      struct fetch_round *round, struct fetched_partition *out)
{
	bool committed = request_body(req, fetch)->isolation_level == READ_COMMITTED;
	int64_t end = committed ? partition_stable(p) : p->log.end_offset;
	int64_t max = MIN(round->left, (int64_t)MAX(item->max_bytes, 0)), taken = 0;
	size_t first = plog_find(&p->log, item->offset), n = 0;
	struct plog_batch *b = plog_at(&p->log, first);
	struct iovec *iov;

	if (b == NULL || b->base_offset >= end)
		return;
	if (round->one_anyway)
		max = MAX(max, (int64_t)b->len);
	/* A first batch that would be cut is as good as none. */
	if (b->len > max)
		return;
	for (; b != NULL && b->base_offset < end && taken < max; b = plog_at(&p->log, first + n))
		taken += plog_at(&p->log, first + n++)->len;
	taken = MIN(taken, max);
	iov = request_alloc(req, n * sizeof(*iov));
	out->records = (struct records){ .iov = iov, .n_iov = (int32_t)n, .len = (int32_t)taken };
	for (size_t i = 0, left = (size_t)taken; i < n; i++) {
		b = plog_at(&p->log, first + i);
		iov[i] = (struct iovec){ b->data, MIN((size_t)b->len, left) };
		left -= iov[i].iov_len;
		request_hold(req, b);
	}
	if (committed)
		tell_aborted(req, p, item->offset, aborted_bound(p, first + n), out);
	round->one_anyway = false;
	round->left -= MIN(round->left, taken);
	round->bytes += taken;
}

static void fetch_item(struct request *req, const struct fetch_item *item, struct fetch_round *round,
		       struct fetched_partition *out)
{
	const struct fetch_request *body = request_body(req, fetch);
	int16_t code = req->fault;
	const struct partition *p = code == KERR_NONE ? item_partition(req, item, &code) : NULL;

	fetched_partition_init(out);
	out->partition_index = item->partition;
	out->error_code = code;
	out->high_watermark = -1;
	out->aborted_transactions.n = body->isolation_level == READ_COMMITTED ? 0 : -1;
	if (p == NULL) {
		/* Here a broker tells an empty list, where errors of a known partition come with null. */
		out->aborted_transactions.n = 0;
		round->at_once = true;
		return;
	}
	if (body->replica_id >= 0 || body->replica_state.replica_id >= 0)
		out->error_code = KERR_NOT_LEADER_OR_FOLLOWER;
	else if (check_item(item, p, out))
		read_item(req, item, p, round, out);
	if (out->error_code == KERR_FENCED_LEADER_EPOCH) {
		out->current_leader.leader_id = req->sb->opts.node_id;
		out->current_leader.leader_epoch = p->leader_epoch;
	}
	round->at_once |= out->error_code != KERR_NONE || out->diverging_epoch.epoch >= 0;
	if (out->error_code != KERR_NONE)
		return;
	out->high_watermark = p->log.end_offset;
	out->last_stable_offset = partition_stable(p);
	out->log_start_offset = p->log.start_offset;
}

/* Whether a partition belongs into an incremental answer; remembers what is told. */
static bool news(struct fetch_session *session, const struct fetch_item *item, const struct fetched_partition *out)
{
	struct fetch_entry *entry = fetch_session_entry(session, item);
	bool told = out->error_code != KERR_NONE || out->records.len > 0 || out->diverging_epoch.epoch >= 0;

	if (entry == NULL)
		return true;
	told |= entry->high_watermark != out->high_watermark || entry->log_start_offset != out->log_start_offset;
	entry->high_watermark = out->high_watermark;
	if (out->error_code != KERR_NONE || out->diverging_epoch.epoch >= 0)
		entry->high_watermark = -1;
	entry->log_start_offset = out->log_start_offset;
	if (out->records.len > 0)
		fetch_session_rotate(session, entry);
	return told;
}

static bool same_topic(const struct request *req, const struct fetch_item *a, const struct fetch_item *b)
{
	return req->version >= 13 ? uuid_eq(&a->topic_id, &b->topic_id) : str_eq(a->topic, b->topic);
}

/* How many of the items from i on go under one topic: neighbours share an entry. */
static int32_t run_of(const struct request *req, const struct fetch_plan *plan, const bool *take, int32_t i)
{
	int32_t n = 0;

	for (int32_t j = i; j < plan->n; j++)
		if (take[j]) {
			if (!same_topic(req, &plan->items[i], &plan->items[j]))
				break;
			n++;
		}
	return n;
}

static void group_by_topic(struct request *req, const struct fetch_plan *plan, const struct fetched_partition *outs,
			   const bool *take)
{
	struct fetch_response *answer = request_answer(req, fetch);
	struct fetched_topic *topic = NULL;
	int32_t room = 0;

	request_items(req, &answer->responses, fetched_topic, plan->n);
	answer->responses.n = 0;
	for (int32_t i = 0; i < plan->n; i++) {
		if (!take[i])
			continue;
		if (room == 0) {
			room = run_of(req, plan, take, i);
			topic = &answer->responses.items[answer->responses.n++];
			topic->topic = plan->items[i].topic;
			topic->topic_id = plan->items[i].topic_id;
			topic->partitions.items = request_alloc(req, sizeof(*outs) * (size_t)room);
		}
		topic->partitions.items[topic->partitions.n++] = outs[i];
		room--;
	}
}

static void start_session(struct request *req, struct fetch_plan *plan, const struct fetched_partition *outs)
{
	struct sandbox *sb = req->sb;
	struct fetch_session *session;
	int32_t id;

	do
		id = (int32_t)(sandbox_random(sb) & INT32_MAX);
	while (id == 0 || fetch_session_find(&sb->sessions, id) != NULL);
	session = fetch_session_create(&sb->sessions, &sb->store, id, sb->now_ms);
	if (session == NULL)
		return;
	session->uses_ids = req->version >= 13;
	for (int32_t i = 0; i < plan->n; i++) {
		if (!fetch_session_put(session, &sb->store, &plan->items[i])) {
			fetch_session_remove(&sb->sessions, &sb->store, session);
			return;
		}
		news(session, &plan->items[i], &outs[i]);
	}
	plan->session_id = id;
}

/* Reads all items. True when the answer can go, or must. */
static bool fetch_round(struct request *req, struct fetch_plan *plan, struct fetched_partition *outs,
			int64_t *bytes)
{
	const struct fetch_request *body = request_body(req, fetch);
	struct fetch_round round = {
		.left = MIN(MAX(body->max_bytes, 0), SERVER_MAX_BYTES),
		.one_anyway = true,
	};

	for (int32_t i = 0; i < plan->n; i++)
		fetch_item(req, &plan->items[i], &round, &outs[i]);
	*bytes = round.bytes;
	return round.at_once || round.bytes >= body->min_bytes || body->max_wait_ms <= 0 || plan->n == 0;
}

static void complete(struct request *req, struct fetch_plan *plan, const struct fetched_partition *outs)
{
	struct fetch_response *answer = request_answer(req, fetch);
	struct fetch_session *session = fetch_session_find(&req->sb->sessions, plan->session_id);
	bool *take = request_alloc(req, (size_t)plan->n + 1);

	for (int32_t i = 0; i < plan->n; i++)
		take[i] = (session != NULL && news(session, &plan->items[i], &outs[i])) || plan->full;
	if (plan->make_session)
		start_session(req, plan, outs);
	answer->session_id = plan->session_id;
	group_by_topic(req, plan, outs, take);
}

struct fetch_state {
	struct fetch_plan plan;
	struct fetched_partition *outs;
};

/* The wait is over: what is there now is the answer. The plan was kept behind the answer struct. */
static void wait_over(struct request *req)
{
	struct fetch_state *state = req->state;
	int64_t bytes;

	fetch_round(req, &state->plan, state->outs, &bytes);
	complete(req, &state->plan, state->outs);
	request_finish(req);
}

static void copy_items(struct request *req, struct fetch_item *items, int32_t *n)
{
	const struct fetch_request *body = request_body(req, fetch);

	*n = 0;
	for (int32_t t = 0; t < body->topics.n; t++)
		for (int32_t i = 0; i < body->topics.items[t].partitions.n; i++) {
			const struct fetch_partition *in = &body->topics.items[t].partitions.items[i];

			items[(*n)++] = (struct fetch_item){
				.topic = body->topics.items[t].topic,
				.topic_id = body->topics.items[t].topic_id,
				.partition = in->partition,
				.current_leader_epoch = in->current_leader_epoch,
				.last_fetched_epoch = in->last_fetched_epoch,
				.max_bytes = in->partition_max_bytes,
				.offset = in->fetch_offset,
			};
		}
}

static int32_t count_items(const struct fetch_request *body)
{
	int32_t n = 0;

	for (int32_t t = 0; t < body->topics.n; t++)
		n += body->topics.items[t].partitions.n;
	return n;
}

/* Changes the session as the request asks; false when memory is out. */
static bool update_session(struct request *req, struct fetch_session *session)
{
	const struct fetch_request *body = request_body(req, fetch);
	struct fetch_item *items = request_alloc(req, sizeof(*items) * ((size_t)count_items(body) + 1));
	int32_t n;

	copy_items(req, items, &n);
	for (int32_t i = 0; i < n; i++)
		if (!fetch_session_put(session, &req->sb->store, &items[i]))
			return false;
	for (int32_t t = 0; t < body->forgotten_topics_data.n; t++) {
		const struct forgotten_topic *topic = &body->forgotten_topics_data.items[t];

		for (int32_t i = 0; i < topic->partitions.n; i++) {
			struct fetch_item item = { .topic = topic->topic, .topic_id = topic->topic_id,
						   .partition = topic->partitions.items[i] };

			fetch_session_forget(session, &req->sb->store, &item);
		}
	}
	return true;
}

/* The plan of an incremental request: all that is in the session. The error code of the whole answer. */
static int16_t plan_incremental(struct request *req, struct fetch_plan *plan)
{
	const struct fetch_request *body = request_body(req, fetch);
	struct fetch_sessions *all = &req->sb->sessions;
	struct fetch_session *session = fetch_session_find(all, body->session_id);
	struct list *pos;

	if (session == NULL)
		return KERR_FETCH_SESSION_ID_NOT_FOUND;
	if (session->epoch != body->session_epoch)
		return KERR_INVALID_FETCH_SESSION_EPOCH;
	if (session->uses_ids != (req->version >= 13))
		return KERR_FETCH_SESSION_TOPIC_ID_ERROR;
	if (!update_session(req, session))
		return KERR_KAFKA_STORAGE_ERROR;
	session->epoch = fetch_epoch_next(session->epoch);
	fetch_session_touch(all, session, req->sb->now_ms);
	plan->items = request_alloc(req, sizeof(*plan->items) * (map_count(&session->by_key) + 1));
	list_each(pos, &session->entries) {
		struct fetch_item *item = &plan->items[plan->n++];

		*item = list_entry(pos, struct fetch_entry, node)->item;
		if (!session->uses_ids)
			item->topic = request_text(req, "%.*s", STR_ARG(item->topic));
	}
	plan->session_id = session->id;
	if (plan->n == 0) {
		fetch_session_remove(all, &req->sb->store, session);
		plan->session_id = 0;
		plan->full = true;
	}
	return KERR_NONE;
}

static int16_t make_plan(struct request *req, struct fetch_plan *plan)
{
	const struct fetch_request *body = request_body(req, fetch);
	struct fetch_session *old;

	if (req->version >= 7 && body->session_epoch != EPOCH_INITIAL && body->session_epoch != EPOCH_FINAL)
		return plan_incremental(req, plan);
	old = fetch_session_find(&req->sb->sessions, body->session_id);
	if (req->version >= 7 && old != NULL)
		fetch_session_remove(&req->sb->sessions, &req->sb->store, old);
	plan->full = true;
	plan->make_session = req->version >= 7 && body->session_epoch == EPOCH_INITIAL;
	plan->items = request_alloc(req, sizeof(*plan->items) * ((size_t)count_items(body) + 1));
	copy_items(req, plan->items, &plan->n);
	return KERR_NONE;
}

static void park(struct request *req, struct fetch_state *state, int64_t missing)
{
	const struct fetch_request *body = request_body(req, fetch);
	struct fetch_wait_opts opts = {
		.partitions = request_alloc(req, sizeof(struct partition *) * (size_t)state->plan.n),
		.n = state->plan.n,
		.missing = missing,
		.committed = body->isolation_level == READ_COMMITTED,
		.wait_ms = body->max_wait_ms,
		.finish = wait_over,
	};
	int16_t code;

	for (int32_t i = 0; i < state->plan.n; i++)
		opts.partitions[i] = item_partition(req, &state->plan.items[i], &code);
	req->state = state;
	fetch_wait(req, &opts);
}

/* Errors of a session stand beside the partitions. */
static bool session_error(int16_t code)
{
	return code == KERR_FETCH_SESSION_ID_NOT_FOUND || code == KERR_INVALID_FETCH_SESSION_EPOCH ||
	       code == KERR_FETCH_SESSION_TOPIC_ID_ERROR;
}

enum handled fetch_handle(struct request *req)
{
	struct fetch_response *answer = request_answer(req, fetch);
	struct fetch_state *state = request_alloc(req, sizeof(*state));
	int64_t bytes;

	answer->error_code = session_error(req->fault) ? req->fault : make_plan(req, &state->plan);
	if (answer->error_code != KERR_NONE)
		return HANDLED;
	state->outs = request_alloc(req, sizeof(*state->outs) * ((size_t)state->plan.n + 1));
	if (!fetch_round(req, &state->plan, state->outs, &bytes)) {
		park(req, state, request_body(req, fetch)->min_bytes - bytes);
		return HANDLED_LATER;
	}
	complete(req, &state->plan, state->outs);
	return HANDLED;
}
