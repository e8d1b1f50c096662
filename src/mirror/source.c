/* SPDX-License-Identifier: Apache-2.0 */
/* Fetching from the source: per link, source broker and connection one fetcher with one incremental fetch session
 * (KIP-227), at most one request in flight.
 *
 * Happy path: a lane that is open and has room is in the session with its position; a response is cut into batches,
 * each offered to its lane; positions that moved are told with the next request.
 *
 * Failure modes:
 *  - a lane without room, in doubt or failed is taken out of the session: that is the flow control;
 *  - an error of one partition touches one lane: leadership errors ask for metadata and pause the lane, an offset out
 *    of range has it opened again, which decides;
 *  - a diverging epoch is a truncation (KIP-320);
 *  - a session that the broker lost (70, 71, 106) begins anew; a failed request pauses the fetcher. */
#include "base/clock.h"
#include "base/log.h"
#include "mirror/mirror_priv.h"
#include "wire/kerr.h"
#include "wire/msg/fetch.h"
#include "wire/msg/kerr_codes.h"

enum {
	READ_COMMITTED = 1,
	ROOM_FACTOR = 4,           /* a lane takes what is asked until so many fetches wait in it, */
	ROOM_DIVISOR = 4,          /* all lanes together until this part of the budget does, */
	ROOM_MIN = 32 << 10,       /* but each so much */
	MERGED_AHEAD = 2,          /* merged batches that wait, before which nothing more is read */
	ROOM_POLL_MS = 5,          /* the long poll while a lane of the session waits for room */
	LATE_MS = 3000,            /* a response that is so late makes us look for a new leader */
	VERSION_TOPIC_IDS = 13,
};

struct fetcher {
	struct mirror_link *link;
	struct mirror *mirror;
	int32_t node_id;
	int index;
	struct broker *broker;
	struct call call;
	struct list lanes, dirty;
	int n_lanes, n_in_session;
	int32_t session_id, session_epoch;
	bool with_ids;              /* how the session names topics */
	struct op pump_op;
	struct timer retry_timer;
	int failures;
	int64_t quiet_until_ns, sent_ns;
	int64_t answered_ns;        /* the last good answer */
	bool running;               /* in its call's callback: freed at the end of that */
	bool closed;
	struct list node;           /* in link->fetchers */
};

static void fetched(struct call *call);

/* ---- which lanes are wanted ---- */

/* Reading ahead keeps the destination busy while a fetch is under way; more of it only costs memory, and what is sent
 * then has gone cold in the cache. */
static bool has_room(const struct mirror_lane *ml)
{
	size_t share = buf_pool_budget(ml->mirror->data_pool) / ROOM_DIVISOR;
	size_t room = (size_t)ml->link->spec.fetch_max_bytes * ROOM_FACTOR;

	if (ml->source.fetcher != NULL)
		room = MIN(room, MAX(share / (size_t)ml->source.fetcher->n_lanes, (size_t)ROOM_MIN));
	/* Where batches are merged, more of them come with one fetch the later it goes out. */
	if (ml->rewriting.coalesce.on && lane_waiting(&ml->lane) >= MERGED_AHEAD)
		return false;
	return ml->lane.unsent_bytes < room && ml->lane.unfilled <= LANE_FILL_AHEAD && !lane_drains(&ml->lane);
}

static bool is_wanted(const struct mirror_lane *ml, int64_t now)
{
	return lane_is_open(&ml->lane) && !ml->closing && !ml->source.parked && !rewriting_busy(&ml->rewriting) && has_room(ml) &&
	       ml->source.quiet_until_ns <= now;
}

static bool is_told(const struct mirror_lane *ml)
{
	const struct source_slot *s = &ml->source;

	return s->in_session && s->told_offset == ml->lane.accepted && s->told_leader_epoch == s->leader_epoch &&
	       s->told_last_epoch == ml->lane.accepted_epoch;
}

static void pump_soon(struct fetcher *f)
{
	if (!f->closed && !call_busy(&f->call) && !op_busy(&f->pump_op))
		loop_defer(f->mirror->loop, &f->pump_op, 0);
}

void source_touch(struct mirror_lane *ml)
{
	struct fetcher *f = ml->source.fetcher;

	if (mirror_lane_seeds(ml))
		seeder_feed(ml);
	if (f == NULL)
		return;
	if (!list_linked(&ml->source.dirty_node))
		list_push_back(&f->dirty, &ml->source.dirty_node);
	pump_soon(f);
}

/* ---- building a request ---- */

struct build {
	struct fetcher *f;
	struct fetch_request *req;
	int64_t now;
	bool waits_for_room;        /* a lane is left out that will soon have room */
};

static struct fetch_topic *request_topic(struct build *b, struct mirror_lane *ml)
{
	struct lane_topic *t = ml->source_topic;
	struct fetch_topic *ft;

	if (t->build == ml->link->table.build)
		return &b->req->topics.items[t->build_index];
	t->build = ml->link->table.build;
	t->build_index = b->req->topics.n++;
	ft = &b->req->topics.items[t->build_index];
	ft->topic = str_of(t->name);
	ft->topic_id = t->id;
	ft->partitions.items = arena_alloc(&b->f->call.arena, (size_t)t->n_used * sizeof(*ft->partitions.items));
	return ft;
}

static void add_lane(struct build *b, struct mirror_lane *ml)
{
	struct fetch_topic *ft = request_topic(b, ml);
	struct source_slot *s = &ml->source;

	if (s->told_offset != ml->lane.accepted)
		s->asked_ns = b->now;
	s->told_offset = ml->lane.accepted;
	s->told_leader_epoch = s->leader_epoch;
	s->told_last_epoch = ml->lane.accepted_epoch;
	if (!s->in_session) {
		s->in_session = true;
		b->f->n_in_session++;
	}
	ft->partitions.items[ft->partitions.n++] = (struct fetch_partition){
		.partition = ml->partition,
		.current_leader_epoch = s->leader_epoch,
		.fetch_offset = s->told_offset,
		.last_fetched_epoch = s->told_last_epoch,
		.log_start_offset = -1,
		.partition_max_bytes = ml->link->spec.fetch_max_bytes,
	};
}

/* One entry per partition: simple, and lanes seldom leave. */
static void forget_lane(struct build *b, struct mirror_lane *ml)
{
	struct forgotten_topic *ft = &b->req->forgotten_topics_data.items[b->req->forgotten_topics_data.n++];

	ft->topic = str_of(ml->source_topic->name);
	ft->topic_id = ml->source_topic->id;
	ft->partitions.items = arena_alloc(&b->f->call.arena, sizeof(int32_t));
	ft->partitions.items[0] = ml->partition;
	ft->partitions.n = 1;
	ml->source.in_session = false;
	b->f->n_in_session--;
}

static void note_room(struct build *b, const struct mirror_lane *ml)
{
	if (lane_is_open(&ml->lane) && !ml->source.parked && (rewriting_busy(&ml->rewriting) || !has_room(ml)))
		b->waits_for_room = true;
}

static void build_full(struct build *b)
{
	struct list *pos;

	b->f->n_in_session = 0;
	list_each(pos, &b->f->lanes) {
		struct mirror_lane *ml = list_entry(pos, struct mirror_lane, source.node);

		list_del(&ml->source.dirty_node);
		ml->source.in_session = false;
		if (is_wanted(ml, b->now))
			add_lane(b, ml);
		else
			note_room(b, ml);
	}
}

static void build_changes(struct build *b)
{
	struct list *pos, *tmp;

	list_each_safe(pos, tmp, &b->f->dirty) {
		struct mirror_lane *ml = list_entry(pos, struct mirror_lane, source.dirty_node);
		bool wanted = is_wanted(ml, b->now);

		list_del(&ml->source.dirty_node);
		if (wanted && !is_told(ml))
			add_lane(b, ml);
		else if (!wanted && ml->source.in_session)
			forget_lane(b, ml);
		if (!wanted)
			note_room(b, ml);
	}
}

static void reset_session(struct fetcher *f)
{
	f->session_id = 0;
	f->session_epoch = 0;
}

static int count_dirty(const struct fetcher *f)
{
	const struct list *pos;
	int n = 0;

	list_each(pos, &f->dirty)
		n++;
	return n;
}

static bool any_wanted(const struct fetcher *f, int64_t now)
{
	const struct list *pos;

	list_each(pos, &f->lanes)
		if (is_wanted(list_entry(pos, const struct mirror_lane, source.node), now))
			return true;
	return false;
}

/* Removed from the session, but not yet told so, are what dirty lanes stand for; with no lane left nothing is sent. */
static bool worth_sending(struct fetcher *f, int64_t now)
{
	const struct list *pos;
	int leave = 0, come = 0;

	if (f->session_epoch == 0)
		return any_wanted(f, now);
	list_each(pos, &f->dirty) {
		const struct mirror_lane *ml = list_entry(pos, const struct mirror_lane, source.dirty_node);
		bool wanted = is_wanted(ml, now);

		come += wanted && !ml->source.in_session;
		leave += !wanted && ml->source.in_session;
	}
	return f->n_in_session + come - leave > 0;
}

static int32_t response_max(const struct mirror_link *link)
{
	size_t budget = buf_pool_budget(link->mirror->data_pool);
	int connections = 0;
	struct list *pos;

	list_each(pos, &link->mirror->links) {
		struct list *f;
		const struct mirror_link *l = list_entry(pos, struct mirror_link, node);

		list_each(f, &l->fetchers)
			connections++;
	}
	budget /= 2 * (size_t)MAX(connections, 1);
	if (rate_limits(&link->rate))
		budget = MIN(budget, (size_t)rate_slice(&link->rate));
	return (int32_t)MIN((size_t)link->spec.fetch_response_max_bytes, budget);
}

static void send_fetch(struct fetcher *f)
{
	struct mirror_link *link = f->link;
	int n_topics = (int)map_count(&link->table.by_name);
	bool with_ids = link->table.n_without_id == 0;
	struct build b = { .f = f, .now = loop_now(f->mirror->loop) };

	if (with_ids != f->with_ids)
		reset_session(f);
	f->with_ids = with_ids;
	call_reset(&f->call);
	call_init(&f->call, &fetch_api, fetched, f);
	if (!with_ids)
		f->call.version_max = VERSION_TOPIC_IDS - 1;
	b.req = call_req(&f->call, fetch);
	b.req->topics.items = arena_alloc(&f->call.arena, (size_t)n_topics * sizeof(*b.req->topics.items));
	b.req->topics.n = 0;
	b.req->forgotten_topics_data.n = 0;
	b.req->forgotten_topics_data.items =
		arena_alloc(&f->call.arena, (size_t)count_dirty(f) * sizeof(*b.req->forgotten_topics_data.items));
	link->table.build++;
	if (f->session_epoch == 0)
		build_full(&b);
	else
		build_changes(&b);
	b.req->max_wait_ms = b.waits_for_room ? ROOM_POLL_MS : link->spec.fetch_wait_max_ms;
	b.req->min_bytes = link->spec.fetch_min_bytes;
	b.req->max_bytes = response_max(link);
	b.req->isolation_level = READ_COMMITTED;
	b.req->session_id = f->session_id;
	b.req->session_epoch = f->session_epoch;
	f->call.deadline_ns = b.now + (b.req->max_wait_ms + link->spec.source.request_timeout_ms) * NS_PER_MS;
	f->sent_ns = b.now;
	broker_call(f->broker, &f->call);
}

static void pump_at(struct fetcher *f, int64_t at_ns)
{
	if (!timer_is_set(&f->retry_timer) || f->retry_timer.at_ns_ > at_ns)
		loop_timer_set(f->mirror->loop, &f->retry_timer, at_ns);
}

static void pump(struct fetcher *f)
{
	int64_t now = loop_now(f->mirror->loop), wait_ns;

	if (f->closed || call_busy(&f->call))
		return;
	if (f->quiet_until_ns > now) {
		loop_timer_set(f->mirror->loop, &f->retry_timer, f->quiet_until_ns);
		return;
	}
	if (!worth_sending(f, now))
		return;
	wait_ns = rate_wait_ns(&f->link->rate, now);
	if (wait_ns == 0)
		send_fetch(f);
	else
		pump_at(f, wait_ns);
}

/* ---- taking a response ---- */

static void pause_lane(struct mirror_lane *ml, int64_t ms)
{
	struct fetcher *f = ml->source.fetcher;

	ml->source.quiet_until_ns = loop_now(ml->mirror->loop) + ms * NS_PER_MS;
	source_touch(ml);
	if (f != NULL)
		pump_at(f, ml->source.quiet_until_ns);
}

static void partition_error(struct mirror_lane *ml, int16_t code)
{
	client_counts_error(ml->link->spec.source.counts, fetch_api.name, kerr_name(code));
	log_debug(ml->subject, "fetch error", "error=%s offset=%lld", kerr_name(code), (long long)ml->lane.accepted);
	switch (code) {
	case KERR_OFFSET_OUT_OF_RANGE:
		lane_cast_doubt(&ml->lane);
		break;
	case KERR_TOPIC_AUTHORIZATION_FAILED:
		mirror_lane_fail(ml, REASON_AUTHORIZATION,
				 "source: READ on topic %s is not granted", ml->source_topic_name);
		break;
	case KERR_CORRUPT_MESSAGE:
		mirror_lane_fail(ml, REASON_CORRUPT_SOURCE_BATCH, "source: %s at offset %lld", kerr_name(code),
				 (long long)ml->lane.accepted);
		break;
	default:  /* who leads is told by metadata; whether the topic is gone, too */
		cluster_refresh(ml->link->source);
		pause_lane(ml, ml->link->spec.fetch_backoff_ms < 200 ? ml->link->spec.fetch_backoff_ms : 200);
		break;
	}
}

static void note_progress(struct mirror_lane *ml, const struct fetched_partition *p, int64_t wall)
{
	int64_t stable = p->last_stable_offset >= 0 ? p->last_stable_offset : p->high_watermark;

	if (stable != ml->source_last_stable)
		ml->source.asked_ns = loop_now(ml->mirror->loop);
	ml->source_high_watermark = p->high_watermark;
	ml->source_last_stable = stable;
	if (p->log_start_offset >= 0)
		ml->source_log_start = p->log_start_offset;
	ml->last_fetch_wall_ms = wall;
	if (ml->lane.acked >= ml->source_last_stable)
		ml->caught_up_wall_ms = wall;
}

/* Brokers with a session serve the partitions by turns; where there is none, the order of the request counts. */
static void take_turns(struct fetcher *f, struct mirror_lane *ml)
{
	if (!rate_limits(&f->link->rate))
		return;
	list_del(&ml->source.node);
	list_push_back(&f->lanes, &ml->source.node);
}

static void take_partition(struct fetcher *f, struct mirror_lane *ml, const struct fetched_partition *p,
			   struct buf *frame)
{
	struct source_slot *s = &ml->source;
	bool good = p->error_code == 0 && p->diverging_epoch.end_offset < 0;

	if (s->fetcher != f || !s->in_session)
		return;
	if (good)   /* in any case: the session tells each number once */
		note_progress(ml, p, ml->link->contact_wall_ms);  /* of this very answer */
	if (!lane_is_open(&ml->lane) || s->told_offset != ml->lane.accepted || rewriting_busy(&ml->rewriting))
		return;  /* the answer to a question that does not stand any more */
	if (p->error_code != 0) {
		partition_error(ml, p->error_code);
	} else if (p->diverging_epoch.end_offset >= 0) {
		mirror_lane_fail(ml, REASON_UNEXPECTED_TRUNCATION,
				 "the source was truncated: leader epoch %d ends at offset %lld, the mirror is at %lld",
				 p->diverging_epoch.epoch, (long long)p->diverging_epoch.end_offset,
				 (long long)ml->lane.accepted);
	} else {
		if (p->records.len > 0) {
			take_turns(f, ml);
			source_take_records(ml, frame, p);
		}
		lane_copying(&ml->lane, loop_now(ml->mirror->loop));
	}
	if (!is_told(ml))
		source_touch(ml);
	mirror_lane_ready(ml);
	mirror_lane_settle(ml);
}

static void take_session(struct fetcher *f, const struct fetch_response *res)
{
	if (res->session_id == 0) {
		reset_session(f);  /* the broker has no place for it: every request is a full one */
		return;
	}
	f->session_id = res->session_id;
	f->session_epoch = f->session_epoch == INT32_MAX ? 1 : f->session_epoch + 1;
}

static void request_failed(struct fetcher *f, const char *why)
{
	int64_t pause = f->link->spec.source.retry_backoff_ms;

	for (int i = 0; i < f->failures && pause < f->link->spec.fetch_backoff_ms; i++)
		pause *= 2;
	f->failures++;
	log_debug(f->link->name, "fetch failed", "node=%d error=" LOG_Q, f->node_id, why);
	reset_session(f);
	f->quiet_until_ns = loop_now(f->mirror->loop) + pause * NS_PER_MS;
	cluster_refresh(f->link->source);
}

static int64_t records_len(const struct fetch_response *res)
{
	int64_t len = 0;

	for (int32_t i = 0; i < res->responses.n; i++)
		for (int32_t k = 0; k < res->responses.items[i].partitions.n; k++)
			len += MAX(res->responses.items[i].partitions.items[k].records.len, 0);
	return len;
}

static void take_response(struct fetcher *f, struct call *call)
{
	const struct fetch_response *res = call_res(call, fetch);
	struct buf *frame = call_frame(call);

	if (res->error_code == KERR_FETCH_SESSION_ID_NOT_FOUND || res->error_code == KERR_INVALID_FETCH_SESSION_EPOCH ||
	    res->error_code == KERR_FETCH_SESSION_TOPIC_ID_ERROR) {
		client_counts_error(f->link->spec.source.counts, fetch_api.name, kerr_name(res->error_code));
		reset_session(f);
		return;
	}
	if (res->error_code != 0) {
		client_counts_error(f->link->spec.source.counts, fetch_api.name, kerr_name(res->error_code));
		request_failed(f, kerr_name(res->error_code));
		return;
	}
	f->failures = 0;
	f->answered_ns = loop_now(f->mirror->loop);
	if (rate_limits(&f->link->rate))
		rate_take(&f->link->rate, records_len(res), f->answered_ns);
	take_session(f, res);
	for (int32_t i = 0; i < res->responses.n; i++) {
		const struct fetched_topic *ft = &res->responses.items[i];

		for (int32_t k = 0; k < ft->partitions.n; k++) {
			/* Looked up each time: settling a lane may remove its topic. */
			struct lane_topic *t = lane_table_find(&f->link->table, ft->topic, &ft->topic_id);
			struct mirror_lane *ml = lane_topic_at(t, ft->partitions.items[k].partition_index);

			if (ml != NULL)
				take_partition(f, ml, &ft->partitions.items[k], frame);
		}
	}
}

/* A fetch session is silent of a partition without news, so that is what an empty answer looks like. */
int64_t source_nothing_ns(const struct mirror_lane *ml)
{
	const struct source_slot *s = &ml->source;

	if (s->fetcher == NULL || !lane_is_open(&ml->lane) || !is_told(ml) || rewriting_busy(&ml->rewriting) ||
	    ml->lane.acked < ml->lane.accepted || ml->source_last_stable <= ml->lane.accepted)
		return 0;
	return MAX(s->fetcher->answered_ns - s->asked_ns, 0);
}

int64_t source_answered_wall_ms(const struct mirror_lane *ml)
{
	const struct source_slot *s = &ml->source;

	if (s->fetcher == NULL || !s->in_session || s->fetcher->answered_ns < s->asked_ns)
		return ml->last_fetch_wall_ms;
	return MAX(ml->last_fetch_wall_ms, clock_wall_ms() - (clock_mono_ns() - s->fetcher->answered_ns) / NS_PER_MS);
}

static void free_fetcher(struct fetcher *f)
{
	call_fini(&f->call);
	xfree(f);
}

static void fetched(struct call *call)
{
	struct fetcher *f = call->owner;

	f->running = true;
	if (f->closed) {
		/* nobody wants the answer */
	} else if (call->rc == RC_OK) {
		f->link->contact_wall_ms = clock_wall_ms();
		f->link->error[0] = '\0';
		take_response(f, call);
	} else {
		snprintf(f->link->error, sizeof(f->link->error), "%.255s", call->err.text);
		request_failed(f, call->err.text);
	}
	f->running = false;
	call_reset(call);
	if (!f->closed)
		pump(f);
	else if (!op_busy(&f->pump_op))
		free_fetcher(f);
}

static void pump_now(struct op *op, int res)
{
	struct fetcher *f = container_of(op, struct fetcher, pump_op);

	(void)res;
	if (!f->closed)
		pump(f);
	else if (!call_busy(&f->call) && !f->running)
		free_fetcher(f);
}

static void touch_quiet(struct fetcher *f)
{
	struct list *pos;

	list_each(pos, &f->lanes) {
		struct mirror_lane *ml = list_entry(pos, struct mirror_lane, source.node);

		if (ml->source.quiet_until_ns != 0) {
			ml->source.quiet_until_ns = 0;
			source_touch(ml);
		}
	}
}

static void retry_due(struct timer *timer)
{
	struct fetcher *f = container_of(timer, struct fetcher, retry_timer);

	touch_quiet(f);
	pump(f);
}

/* ---- binding ---- */

static struct fetcher *fetcher_for(struct mirror_lane *ml, int32_t node_id)
{
	struct mirror_link *link = ml->link;
	int index = (int)((uint32_t)ml->partition % (uint32_t)MAX(link->spec.n_fetchers, 1));
	struct fetcher *f;
	struct list *pos;

	list_each(pos, &link->fetchers) {
		f = list_entry(pos, struct fetcher, node);
		if (f->node_id == node_id && f->index == index)
			return f;
	}
	f = xcalloc(1, sizeof(*f));
	f->link = link;
	f->mirror = link->mirror;
	f->node_id = node_id;
	f->index = index;
	f->broker = broker_create(link->source, node_id, "fetch", link->mirror->data_pool);
	f->pump_op.done = pump_now;
	f->retry_timer.done = retry_due;
	list_init(&f->lanes);
	list_init(&f->dirty);
	list_push_back(&link->fetchers, &f->node);
	return f;
}

static void close_fetcher(struct fetcher *f)
{
	bool idle = !f->running && !call_busy(&f->call) && !op_busy(&f->pump_op);

	list_del(&f->node);
	f->closed = true;
	loop_timer_clear(&f->retry_timer);
	broker_destroy(f->broker);
	if (idle)
		free_fetcher(f);
}

void source_bind(struct mirror_lane *ml)
{
	struct source_slot *s = &ml->source;
	struct fetcher *f;

	source_unbind(ml);
	if (!cluster_leader(ml->link->source, ml->source_topic_name, ml->partition, &s->leader, &s->leader_epoch))
		return;  /* metadata will come and bind it */
	f = fetcher_for(ml, s->leader);
	s->fetcher = f;
	s->in_session = false;
	s->parked = false;
	s->quiet_until_ns = 0;
	list_push_back(&f->lanes, &s->node);
	f->n_lanes++;
	source_touch(ml);
}

void source_unbind(struct mirror_lane *ml)
{
	struct source_slot *s = &ml->source;
	struct fetcher *f = s->fetcher;

	rewriting_stop(ml);
	if (f == NULL)
		return;
	list_del(&s->node);
	list_del(&s->dirty_node);
	f->n_lanes--;
	s->fetcher = NULL;
	if (s->in_session) {
		/* The broker still has it: begin the session anew rather than remember lanes that are gone. */
		s->in_session = false;
		reset_session(f);
	}
	if (f->n_lanes == 0)
		close_fetcher(f);
	else
		pump_soon(f);
}

const struct broker *source_broker(const struct mirror_lane *ml)
{
	return ml->source.fetcher != NULL ? ml->source.fetcher->broker : NULL;
}

void source_close(struct mirror_link *link)
{
	while (!list_empty(&link->fetchers))
		close_fetcher(list_entry(link->fetchers.next, struct fetcher, node));
}

/* ---- time ---- */

void source_tick(struct mirror_link *link, int64_t now)
{
	struct list *pos;

	list_each(pos, &link->fetchers) {
		struct fetcher *f = list_entry(pos, struct fetcher, node);
		int64_t late = (LATE_MS + link->spec.fetch_wait_max_ms) * NS_PER_MS;

		if (call_busy(&f->call) && now - f->sent_ns > late)
			cluster_refresh(link->source);
	}
}
