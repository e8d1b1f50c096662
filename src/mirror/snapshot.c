/* SPDX-License-Identifier: Apache-2.0 */
/* What a data loop tells: a copy of every lane's numbers, made by the loop once a second and soon after changes, and
 * handed out as copies to any thread. */
#include "base/clock.h"
#include "mirror/mirror_priv.h"

#include <time.h>

enum { PERIOD_MS = 1000, SOON_MS = 20, FILLING_MS = 500, NOTHING_MS = 10000 };

static int count(const struct list *l)
{
	const struct list *pos;
	int n = 0;

	list_each(pos, l)
		n++;
	return n;
}

static int64_t left_ms(const struct broker *broker, int64_t now)
{
	int64_t until = broker != NULL ? broker_throttled_until_ns(broker) : 0;

	return until > now ? (until - now) / NS_PER_MS : 0;
}

enum lane_state snapshot_state(const struct mirror_lane *ml)
{
	int64_t age_ns = loop_now(ml->mirror->loop) - ml->lane.since_ns;

	return ml->lane.state == LANE_FILLING && age_ns < FILLING_MS * NS_PER_MS ? LANE_COPYING : ml->lane.state;
}

void snapshot_counts(const struct mirror_lane *ml, struct lane_counts *counts)
{
	const struct rewriting_slot *r = &ml->rewriting;
	const struct lane *lane = &ml->lane;

	*counts = ml->before;
	lane_counts_add(counts, &(struct lane_counts){
		.fetched_bytes = r->fetched_bytes, .fetched_records = r->fetched_records, .fetched_batches = r->fetched,
		.written_bytes = lane->bytes, .written_records = lane->records, .written_batches = lane->batches,
		.filled = lane->filled, .tombstones = lane->tombstones, .coalesced = r->coalesced });
}

/* Of the first batch in the queue, from its header; what is a hole has no time. */
static int64_t oldest_timestamp(const struct lane *lane)
{
	const struct lane_item *item = lane_first(lane);
	struct reader r;
	struct batch_header b;

	if (item == NULL || item->kind != ITEM_BATCH || item->data == NULL)
		return -1;
	r = (struct reader){ .p = item->data, .end = item->data + item->len };
	return batch_next(&r, &b) == BATCH_OK ? b.base_timestamp : -1;
}

static void describe_lane(const struct mirror_lane *ml, struct lane_status *s, int64_t now)
{
	const struct lane *lane = &ml->lane;
	bool opened = lane->state == LANE_ALIGNED || lane->state == LANE_COPYING || lane->state == LANE_FILLING ||
		      lane->acked > 0;

	*s = (struct lane_status){
		.link = xstrdup(ml->link->name), .topic = xstrdup(ml->topic), .partition = ml->partition,
		.state = snapshot_state(ml), .reason = lane->reason, .since_wall_ms = ml->since_wall_ms,
		.source_log_start_offset = ml->source_log_start,
		.source_high_watermark = ml->source_high_watermark,
		.source_last_stable_offset = ml->source_last_stable,
		.last_source_fetch_offset = opened ? lane->accepted : -1,
		.local_log_start_offset = ml->local_log_start,
		.local_log_end_offset = opened ? lane->acked : -1,
		.local_high_watermark = opened ? lane->acked : -1,  /* acks=-1: what is acknowledged is below it */
		.last_fetch_wall_ms = ml->last_fetch_wall_ms, .last_append_wall_ms = ml->last_append_wall_ms,
		.caught_up_wall_ms = ml->caught_up_wall_ms,
		.batch_epoch = lane->acked_epoch, .bytes = lane->bytes, .batches = lane->batches,
		.filled = lane->filled, .tombstones = lane->tombstones, .coalesced = ml->rewriting.coalesced,
		.claim_used = ml->fill.claim_wanted ? ml->fill.fence.claim : -1,
		.seed_from = mirror_lane_seeds(ml) ? ml->seed.from : -1,
		.seed_to = mirror_lane_seeds(ml) ? ml->seed.to : -1,
		.seed_lost = mirror_lane_seeds(ml) && ml->seed.lost, .seeded = mirror_lane_seeded(ml),
		.fills_by_transactions = ml->fill.by_transactions,
		.txn_filler_wanted = ml->fill.txn_id_wanted,
		.rotation_wanted = ml->fill.rotation_wanted > ml->spec.rotation ? ml->fill.rotation_wanted : 0,
		.rate_held = ml->lane.accepted < ml->source_last_stable && rate_holds(&ml->link->rate, now),
		.source_throttled_ms = left_ms(source_broker(ml), now),
		.destination_throttled_ms = left_ms(sink_broker(ml), now),
		.answered_wall_ms = source_answered_wall_ms(ml), .oldest_timestamp = oldest_timestamp(lane),
		.under_replicated = ml->under_replicated,
	};
	snapshot_counts(ml, &s->counts);
	memcpy(s->error, lane->error, sizeof(s->error));
	/* A log can end with nothing. That is no error, and nothing proves it: said to whoever asks why there is lag. */
	if (s->error[0] == '\0' && source_nothing_ns(ml) >= NOTHING_MS * NS_PER_MS)
		snprintf(s->error, sizeof(s->error), "source: no record comes from offset %lld on, though the log ends "
			 "at offset %lld: if all that stood there was compacted away, the copy goes on with the next "
			 "record written to the source", (long long)lane->accepted, (long long)ml->source_last_stable);
	if (ml->retried != REASON_NONE && lane->state == LANE_PROBING) {
		s->state = LANE_FAILED;
		s->reason = ml->retried;
		memcpy(s->error, ml->retried_error, sizeof(s->error));
	}
}

static void describe_link(const struct mirror_link *link, struct link_status *s)
{
	*s = (struct link_status){
		.name = xstrdup(link->name), .last_contact_wall_ms = link->contact_wall_ms, .failed = link->failed,
	};
	memcpy(s->error, link->error, sizeof(s->error));
}

int64_t snapshot_thread_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void describe_counts(const struct mirror *m, struct mirror_snapshot *s)
{
	const struct list *pos;

	s->destination = m->counts->destination;
	s->link_counts = xcalloc((size_t)count(&m->counts->totals.links), sizeof(*s->link_counts));
	list_each(pos, &m->counts->totals.links) {
		const struct link_totals *link = list_entry(pos, const struct link_totals, node_);

		s->link_counts[s->n_link_counts++] = (struct link_counts){ xstrdup(link->name), link->client };
	}
	s->gone = xcalloc((size_t)count(&m->counts->totals.topics), sizeof(*s->gone));
	list_each(pos, &m->counts->totals.topics) {
		const struct topic_totals *topic = list_entry(pos, const struct topic_totals, node_);
		struct gone_counts *gone = &s->gone[s->n_gone++];

		*gone = (struct gone_counts){ .link = xstrdup(topic->link), .topic = xstrdup(topic->topic) };
		for (int32_t p = 0; p < topic->n; p++)
			lane_counts_add(&gone->counts, &topic->gone[p]);
	}
}

static struct mirror_snapshot *build(const struct mirror *m)
{
	struct mirror_snapshot *s = xcalloc(1, sizeof(*s));
	int64_t now = loop_now(m->loop);
	const struct list *pos;

	s->lanes = xcalloc((size_t)count(&m->lanes), sizeof(*s->lanes));
	list_each(pos, &m->lanes)
		describe_lane(list_entry(pos, const struct mirror_lane, node), &s->lanes[s->n_lanes++], now);
	s->links = xcalloc((size_t)count(&m->links), sizeof(*s->links));
	list_each(pos, &m->links)
		describe_link(list_entry(pos, const struct mirror_link, node), &s->links[s->n_links++]);
	s->destination_contact_wall_ms = m->local_contact_wall_ms;
	describe_counts(m, s);
	s->published_ns = clock_mono_ns();
	s->buffer_budget = buf_pool_budget(m->data_pool);
	s->buffer_used = buf_pool_used(m->data_pool);
	s->cpu_ns = m->counts->cpu_ns + snapshot_thread_cpu_ns();
	return s;
}

static void publish_due(struct timer *timer)
{
	snapshot_publish(container_of(timer, struct mirror, publish_timer));
}

void snapshot_publish(struct mirror *m)
{
	struct mirror_snapshot *fresh = build(m), *old;

	pthread_mutex_lock(&m->snapshot_lock);
	old = m->snapshot;
	m->snapshot = fresh;
	pthread_mutex_unlock(&m->snapshot_lock);
	mirror_snapshot_free(old);
	m->published_ns = loop_now(m->loop);
	m->publish_timer.done = publish_due;
	loop_timer_set(m->loop, &m->publish_timer, m->published_ns + PERIOD_MS * NS_PER_MS);
	if (m->changes_told != m->changes && m->opts.changed != NULL)
		m->opts.changed(m->opts.owner);
	m->changes_told = m->changes;
}

void snapshot_soon(struct mirror *m)
{
	int64_t at = MAX(loop_now(m->loop), m->published_ns + SOON_MS * NS_PER_MS);

	m->changes++;
	if (timer_is_set(&m->publish_timer) && m->publish_timer.at_ns_ > at)
		loop_timer_set(m->loop, &m->publish_timer, at);
}

static void copy_counts(const struct mirror_snapshot *s, struct mirror_snapshot *copy)
{
	copy->link_counts = xcalloc((size_t)s->n_link_counts, sizeof(*copy->link_counts));
	for (int i = 0; i < s->n_link_counts; i++) {
		copy->link_counts[i] = s->link_counts[i];
		copy->link_counts[i].name = xstrdup(s->link_counts[i].name);
	}
	copy->gone = xcalloc((size_t)s->n_gone, sizeof(*copy->gone));
	for (int i = 0; i < s->n_gone; i++) {
		copy->gone[i] = s->gone[i];
		copy->gone[i].link = xstrdup(s->gone[i].link);
		copy->gone[i].topic = xstrdup(s->gone[i].topic);
	}
}

struct mirror_snapshot *mirror_snapshot(struct mirror *m)
{
	struct mirror_snapshot *copy = xcalloc(1, sizeof(*copy));
	const struct mirror_snapshot *s;

	pthread_mutex_lock(&m->snapshot_lock);
	s = m->snapshot;
	if (s != NULL) {
		*copy = *s;
		copy->lanes = xcalloc((size_t)s->n_lanes, sizeof(*copy->lanes));
		for (int i = 0; i < s->n_lanes; i++) {
			copy->lanes[i] = s->lanes[i];
			copy->lanes[i].link = xstrdup(s->lanes[i].link);
			copy->lanes[i].topic = xstrdup(s->lanes[i].topic);
		}
		copy->links = xcalloc((size_t)s->n_links, sizeof(*copy->links));
		for (int i = 0; i < s->n_links; i++) {
			copy->links[i] = s->links[i];
			copy->links[i].name = xstrdup(s->links[i].name);
		}
		copy_counts(s, copy);
	}
	pthread_mutex_unlock(&m->snapshot_lock);
	return copy;
}

void mirror_snapshot_free(struct mirror_snapshot *s)
{
	if (s == NULL)
		return;
	for (int i = 0; i < s->n_lanes; i++) {
		xfree(s->lanes[i].link);
		xfree(s->lanes[i].topic);
	}
	for (int i = 0; i < s->n_links; i++)
		xfree(s->links[i].name);
	for (int i = 0; i < s->n_link_counts; i++)
		xfree(s->link_counts[i].name);
	for (int i = 0; i < s->n_gone; i++) {
		xfree(s->gone[i].link);
		xfree(s->gone[i].topic);
	}
	xfree(s->lanes);
	xfree(s->links);
	xfree(s->link_counts);
	xfree(s->gone);
	xfree(s);
}
