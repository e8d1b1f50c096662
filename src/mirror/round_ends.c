/* SPDX-License-Identifier: Apache-2.0 */
/* Log ends, producers and epochs: the answers of ENDS, SOURCE and EPOCH. */
#include "base/clock.h"
#include "base/log.h"
#include "mirror/fill.h"
#include "mirror/partition_calls.h"
#include "mirror/round_priv.h"
#include "wire/msg/describe_producers.h"
#include "wire/msg/offset_for_leader_epoch.h"

/* False: the lane was dealt with. */
static bool offset_of(struct round *r, int call, int i, int64_t *offset)
{
	const struct listed_offsets_partition *p =
		offsets_answer(&r->calls[call], round_topic(r, r->lanes[i]), r->lanes[i]->partition, i);

	if (p == NULL)
		opening_retry(r->lanes[i], "ListOffsets left the partition out");
	else if (p->error_code != 0)
		round_partition_error(r, r->lanes[i], p->error_code, "DESCRIBE");
	else
		*offset = p->offset;
	return p != NULL && p->error_code == 0;
}

static const struct producers_partition *described(struct round *r, int i)
{
	const struct describe_producers_response *res = call_res(&r->calls[PRODUCERS], describe_producers);
	struct str name = round_topic(r, r->lanes[i]);
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

/* What the broker knows of the data id and of the filler ids that matter. */
static bool producers_of(struct round *r, int i)
{
	struct mirror_lane *ml = r->lanes[i];
	const struct producers_partition *p = described(r, i);
	struct lane_opening *out = &ml->opening.result;

	if (p == NULL) {
		opening_retry(ml, "DescribeProducers left the partition out");
		return false;
	}
	if (p->error_code != 0) {
		round_partition_error(r, ml, p->error_code, "READ");
		return false;
	}
	*out = (struct lane_opening){ .last_sequence = -1, .source_epoch = -1, .timestamp = -1 };
	ml->opening.fillers = (struct fence_opening){ 0 };
	ml->opening.filler_before = (struct fence_seen){ 0 };
	for (int32_t k = 0; k < p->active_producers.n; k++) {
		const struct active_producer *a = &p->active_producers.items[k];
		struct fence_seen seen = { true, a->producer_epoch, a->coordinator_epoch };

		if (a->producer_id == ml->lane.producer_id) {
			out->producer_known = true;
			out->producer_epoch = (int16_t)a->producer_epoch;
			out->last_sequence = a->last_sequence;
		} else if (a->producer_id == ml->fill.ids[ml->spec.rotation]) {
			ml->opening.fillers.current = seen;
		} else if (ml->spec.rotation > 0 && a->producer_id == ml->fill.ids[ml->spec.rotation - 1]) {
			ml->opening.filler_before = seen;
		}
	}
	return true;
}

/* Another owner has filled or appended since this lane did: a newer one, or a dead one whose fill came late and before
 * our claim, which it thereby shut out. Only a claim that stands keeps all others off. */
static bool others_wrote(const struct mirror_lane *ml)
{
	const struct opening *o = &ml->opening;
	const struct fence *fence = &ml->fill.fence;

	if (o->fillers.current.known &&
	    o->fillers.current.producer_epoch != fence_epoch_of(fence, ml->fill.ids[ml->spec.rotation]))
		return true;
	return o->result.producer_known && !lane_sequence_is_ours(&ml->lane, o->result.last_sequence);
}

/* Whether the log is no longer than a fill in doubt can have made it; false: the lane was dealt with. */
static bool within_fill(struct mirror_lane *ml)
{
	int64_t end = ml->opening.ends.end_after, end_max = ml->lane.fill_end_max;

	switch (fill_judge_beyond(end, end_max, others_wrote(ml))) {
	case BEYOND_NOT:
		return true;
	case BEYOND_OTHER_OWNER:
		log_info(ml->subject, "another owner has written", "log_end=%lld mine=%lld", (long long)end,
			 (long long)end_max);
		return true;
	case BEYOND_DIVERGED:
	default:
		mirror_lane_fail(ml, REASON_DIVERGED,
				 "the mirror ends at offset %lld, our fill can have reached only %lld: something else "
				 "wrote to the mirror topic", (long long)end, (long long)end_max);
		return false;
	}
}

/* Opens the fence of fills with what was read. False: something must be recorded in the control log first. */
static bool open_fence(struct mirror_lane *ml)
{
	struct fence_opening *f = &ml->opening.fillers;

	if (ml->fill.txn_id_wanted >= 0 && ml->fill.txn_id_wanted != ml->spec.txn_filler_ids[0]) {
		opening_retry(ml, "the producer id of empty transactions is not recorded yet");
		return false;
	}
	ml->fill.txn_id_wanted = -1;
	if (ml->fill.by_transactions)
		return true;
	f->claim = atomic_load(&ml->mirror->claim);
	f->current_id = ml->fill.ids[ml->spec.rotation];
	if (ml->spec.rotation > 0) {
		f->previous_id = ml->fill.ids[ml->spec.rotation - 1];
		f->previous = &ml->opening.filler_before;
	}
	fence_open(&ml->fill.fence, f);
	ml->fill.claim_wanted = fence_wants_claim(&ml->fill.fence);
	if (ml->fill.claim_wanted) {
		snapshot_soon(ml->mirror);
		opening_retry(ml, "a claim with this number may still be under way");
		return false;
	}
	if (fence_room(&ml->fill.fence) > 0)
		return true;
	mirror_lane_want_rotation(ml);
	opening_retry(ml, "the next rotation of the filler id is not recorded yet");
	return false;
}

void round_take_ends(struct round *r, int i)
{
	struct mirror_lane *ml = r->lanes[i];
	struct opening *o = &ml->opening;

	if (!offset_of(r, END_BEFORE, i, &o->ends.end_before) || !offset_of(r, HW_BEFORE, i, &o->ends.hw_before) ||
	    !producers_of(r, i) || !offset_of(r, END_AFTER, i, &o->ends.end_after) ||
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
	if (!within_fill(ml) || !open_fence(ml))
		return;
	o->leader = r->node_id;
	o->leader_epoch = r->epochs[i];
	o->in.local_end = o->ends.end_after;
	o->in.data_id = ml->lane.producer_id;
	o->in.filler_ids = ml->fill.ids;
	o->in.n_filler_ids = ml->fill.n_ids;
	o->in.adopted_end = ml->spec.adopted_end;
	o->in.start_offset = ml->spec.start_offset;
	o->in.seed_from = ml->spec.seed_from;
	o->in.seed_to = ml->spec.seed_to;
	o->in.emptied_end = ml->spec.emptied_end;
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

static void start_seed(struct mirror_lane *ml, const struct seed_plan *plan)
{
	int64_t n = plan->to - ml->opening.in.local_end, seconds, mib;

	if (n > ml->lane.fill_limit) {
		seed_estimate(n, &seconds, &mib);
		mirror_lane_fail(ml, REASON_FILL_LIMIT,
				 "%lld offsets below %lld are to be seeded: mirror.fill.limit is %lld; it takes about "
				 "%lld s and %lld MiB at the destination", (long long)n, (long long)plan->to,
				 (long long)ml->lane.fill_limit, (long long)seconds, (long long)mib);
		return;
	}
	ml->seed = *plan;
	opening_done(ml);
}

void round_take_source(struct round *r, int i)
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
	else if (verdict.verdict == ALIGN_SEED)
		start_seed(ml, &verdict.seed);
	else if (ml->known_epoch >= 0)
		opening_next(ml, OPENING_EPOCH);
	else
		start_compare(ml, -1);
}

static const struct epoch_end_partition *epoch_end(struct round *r, int i)
{
	const struct offset_for_leader_epoch_response *res = call_res(&r->calls[0], offset_for_leader_epoch);
	struct str name = round_topic(r, r->lanes[i]);
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

void round_take_epoch(struct round *r, int i)
{
	struct mirror_lane *ml = r->lanes[i];
	const struct epoch_end_partition *e = epoch_end(r, i);
	int64_t known = ml->known_offset;

	if (e == NULL) {
		opening_retry(ml, "OffsetForLeaderEpoch left the partition out");
		return;
	}
	if (e->error_code != 0) {
		round_partition_error(r, ml, e->error_code, "DESCRIBE");
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
