/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds a partition's last stable offset back: the open transaction at the source, for /status. Where that offset has
 * not moved for a while although there are records above it, the partition's leader is asked for its producers. One that
 * does not answer costs half a second of a round, and rests for a minute. */
#include "krmirrord/worker.h"

#include "base/clock.h"
#include "client/admin.h"

enum { LOOK_MS = 5000, DEADLINE_MS = 500, REST_MS = 60000, AT_ONCE = 20 };

static void forget(struct lane_transaction *t)
{
	*t = (struct lane_transaction){ .stable = -1, .producer_id = -1, .again_ns = t->again_ns };
}

static void take(struct lane_transaction *t, const struct admin_producers *producers)
{
	const struct admin_producer *oldest = admin_oldest_transaction(producers);

	t->producer_id = -1;
	if (oldest == NULL)
		return;
	t->producer_id = oldest->producer_id;
	t->first_offset = oldest->transaction_start;
	t->last_ms = oldest->last_timestamp;
}

/* False: it did not answer in time. */
static bool ask(struct mirror_row *row, int32_t partition, struct lane_transaction *t)
{
	struct admin_producers producers;
	struct arena arena;
	struct err err;
	int rc;

	arena_init(&arena, 0);
	rc = admin_describe_producers(row->link_row->source, row->wish.source_topic, partition, worker_deadline(DEADLINE_MS),
				      &arena, &producers, &err);
	if (rc == RC_OK)
		take(t, &producers);
	else
		t->producer_id = -1;
	arena_fini(&arena);
	return rc == RC_OK || rc == RC_KAFKA || rc == RC_AUTH;
}

static bool may_ask(const struct mirror_row *row)
{
	return row->present && row->readable && row->link_row != NULL && row->link_row->source != NULL &&
	       row->link_row->source_error.rc == RC_OK && row->wish.source_topic != NULL;
}

/* How many were asked for. */
static int look_at(struct mirror_row *row, const struct lane_status *s, int64_t now, int left)
{
	struct lane_transaction *t = &row->lanes[s->partition].transaction;

	if (s->source_last_stable_offset < 0 || s->source_last_stable_offset >= s->source_high_watermark) {
		forget(t);
		return 0;
	}
	if (t->stable != s->source_last_stable_offset) {   /* seen again at the next look, it stands */
		forget(t);
		t->stable = s->source_last_stable_offset;
		return 0;
	}
	if (left <= 0 || now < t->again_ns)
		return 0;
	if (!ask(row, s->partition, t))
		t->again_ns = now + REST_MS * NS_PER_MS;
	return 1;
}

void transactions_look(struct worker *worker)
{
	int64_t now = clock_mono_ns();
	int left = AT_ONCE;

	if (worker->http == NULL || now < worker->transactions_ns || worker->member.lapsed)
		return;
	worker->transactions_ns = worker_deadline(LOOK_MS);
	for (int i = 0; i < worker->n_mirrors; i++) {
		struct mirror_snapshot *s = mirror_snapshot(worker->mirrors[i]);

		for (int l = 0; l < s->n_lanes; l++) {
			struct mirror_row *row = model_mirror(&worker->model, s->lanes[l].link, s->lanes[l].topic);

			/* a slow source must not hold up the rounds */
			if (clock_mono_ns() > now + 2 * DEADLINE_MS * NS_PER_MS)
				left = 0;
			if (row != NULL && may_ask(row) && s->lanes[l].partition < row->n_lanes)
				left -= look_at(row, &s->lanes[l], now, left);
		}
		mirror_snapshot_free(s);
	}
}
