/* SPDX-License-Identifier: Apache-2.0 */
/* Watches the lanes for coalesce.c, which decides; rewriting.c merges. */
#include "base/log.h"
#include "mirror/mirror_priv.h"

void merging_note(struct mirror_lane *ml, const struct batch_header *b)
{
	struct rewriting_slot *s = &ml->rewriting;

	s->fetched++;
	s->fetched_bytes += b->size;
	s->fetched_records += (uint64_t)MAX(b->count, 0);
	s->fetched_offsets += (uint64_t)b->last_delta + 1;
}

static void tick_lane(struct mirror_lane *ml, int64_t now)
{
	struct rewriting_slot *s = &ml->rewriting;
	const struct lane *lane = &ml->lane;
	bool on = s->coalesce.on;

	if (!lane_is_open(lane) || !ml->link->spec.coalesce) {
		coalesce_reset(&s->coalesce);
	} else {
		int64_t waiting = lane_in_flight(lane) + lane_waiting(lane);

		coalesce_sample(&s->coalesce, &(struct coalesce_sample){
			.now_ns = now, .appended = lane->batches, .fetched = s->fetched,
			.fetched_bytes = s->fetched_bytes, .fetched_offsets = s->fetched_offsets,
			.source_end = ml->source_last_stable, .position = lane->accepted, .waiting = waiting,
			.always = waiting > 0 && !s->was_idle });
		s->was_idle = false;
	}
	if (on == s->coalesce.on)
		return;
	log_info(ml->subject, on ? "merges batches no more" : "lags with small batches: merges them",
		 "offset=%lld merged=%llu", (long long)lane->acked, (unsigned long long)s->coalesced);
	if (on)
		source_touch(ml);
	else
		mirror_lane_give_back(ml);  /* what waits is single batches */
}

void merging_tick(struct mirror *m, int64_t now)
{
	struct list *pos;

	list_each(pos, &m->lanes)
		tick_lane(list_entry(pos, struct mirror_lane, node), now);
}
