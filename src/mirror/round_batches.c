/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of both sides: the answers of TAIL, LOCAL and COMPARE. */
#include "base/log.h"
#include "mirror/flatten.h"
#include "mirror/round_priv.h"
#include "wire/msg/fetch.h"
#include "wire/msg/kerr_codes.h"

static const struct fetched_partition *fetched(struct round *r, int i)
{
	const struct fetch_response *res = call_res(&r->calls[0], fetch);
	struct str name = round_topic(r, r->lanes[i]);
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
	if (p->error_code == KERR_OFFSET_OUT_OF_RANGE)
		return BATCH_ABSENT;
	if (p->error_code != 0) {
		round_partition_error(r, ml, p->error_code, "READ");
		return BATCH_LATER;
	}
	*in = (struct reader){ .p = p->records.data, .end = p->records.data + MAX(p->records.len, 0) };
	next = p->records.len > 0 ? batch_next(in, b) : BATCH_END;
	if (next == BATCH_OK)
		return BATCH_HERE;
	if (next != BATCH_BAD && next != BATCH_OK && r->n_lanes > 1) {
		opening_alone(ml);
		return BATCH_LATER;
	}
	return BATCH_ABSENT;
}

/* Records were deleted up to the end since the start was asked (a trim that was under way): nothing was looked at yet. */
static bool emptied_meanwhile(struct round *r, int i)
{
	const struct fetched_partition *p = fetched(r, i);
	const struct align_input *in = &r->lanes[i]->opening.in;

	return p != NULL && p->error_code == KERR_OFFSET_OUT_OF_RANGE && in->local_start < in->local_end;
}

void round_take_tail(struct round *r, int i)
{
	struct mirror_lane *ml = r->lanes[i];
	struct align_tail *tail = &ml->opening.in.tail;
	struct batch_header b;
	struct reader in;
	enum batch_answer answer = first_batch(r, i, &in, &b);

	if (answer == BATCH_LATER)
		return;
	if (emptied_meanwhile(r, i)) {
		opening_retry(ml, "the start of the mirror's log has moved since it was asked");
		return;
	}
	/* An empty answer is a failed check, not a passed one: align judges it. */
	tail->found = answer == BATCH_HERE && b.magic == 2;
	if (tail->found) {
		tail->producer_id = b.producer_id;
		tail->first_offset = b.base_offset;
		tail->last_offset = b.base_offset + b.last_delta;
		ml->opening.result.timestamp = b.max_timestamp;
	}
	opening_next(ml, OPENING_SOURCE);
}

void round_take_local(struct round *r, int i)
{
	struct mirror_lane *ml = r->lanes[i];
	struct opening *o = &ml->opening;
	enum prefix_result result = PREFIX_ON;
	const struct fetched_partition *p;
	struct record_reader *rr;
	struct flatten flatten;
	struct batch_header b;
	struct reader in;
	enum batch_answer answer = first_batch(r, i, &in, &b);

	if (answer == BATCH_LATER)
		return;
	if (answer == BATCH_ABSENT || b.magic != 2) {
		opening_retry(ml, "the destination does not serve what it holds");
		return;
	}
	opening_forget_local(ml);
	prefix_init(&o->prefix, o->compared);
	p = fetched(r, i);
	flatten_init(&flatten, p->aborted_transactions.items, p->aborted_transactions.n);
	rr = record_reader_create(&RECORD_LIMITS_DEFAULT);
	do
		result = prefix_local(&o->prefix, rr, &b, flatten_batch(&flatten, &b) != FLATTEN_RECORDS);
	while (result == PREFIX_ON && batch_next(&in, &b) == BATCH_OK && b.magic == 2);
	record_reader_destroy(rr);
	flatten_fini(&flatten);
	if (result == PREFIX_BROKEN)
		mirror_lane_fail(ml, REASON_DIVERGED, "the mirror's batch at offset %lld cannot be read",
				 (long long)b.base_offset);
	else
		opening_next(ml, OPENING_COMPARE);
}

static void differs(struct mirror_lane *ml, enum prefix_result result, const struct batch_header *b)
{
	if (result == PREFIX_DIFFERS)
		mirror_lane_fail(ml, REASON_UNEXPECTED_TRUNCATION,
				 "what the source holds at offset %lld is not what was mirrored",
				 (long long)ml->opening.prefix.differs_at);
	else
		mirror_lane_fail(ml, REASON_CORRUPT_SOURCE_BATCH, "source: the batch at offset %lld cannot be read",
				 (long long)b->base_offset);
}

/* All source batches of the answer that reach into what is known of the destination. False: the lane was failed. *upto:
 * behind the last of them. A wrapper v0 or v1 tells only its last offset. */
static bool compare_all(struct round *r, int i, struct reader *in, struct batch_header *b, int64_t *upto)
{
	struct mirror_lane *ml = r->lanes[i];
	struct opening *o = &ml->opening;
	struct record_reader *rr = record_reader_create(&RECORD_LIMITS_DEFAULT);
	enum prefix_result result = PREFIX_ON;
	const struct fetched_partition *p = fetched(r, i);
	enum batch_next next = BATCH_OK;
	struct flatten flatten;

	flatten_init(&flatten, p->aborted_transactions.items, p->aborted_transactions.n);
	while (next == BATCH_OK && *upto < o->prefix.upto && (b->magic != 2 || b->base_offset < o->prefix.upto)) {
		bool hole = flatten_batch(&flatten, b) != FLATTEN_RECORDS;

		result = prefix_source(&o->prefix, rr, b, hole);
		if (result != PREFIX_ON)
			break;
		*upto = b->base_offset + b->last_delta + 1;
		o->result.source_epoch = b->leader_epoch;
		next = batch_next(in, b);
	}
	if (next == BATCH_OK && b->magic == 2 && b->base_offset >= o->prefix.upto && *upto < o->prefix.upto) {
		/* Nothing stands between: the offset belongs to the epoch of what comes behind it. The epoch of what stands
		 * before it may have ended in the hole, and a fetch that named it would be told of a truncation. */
		*upto = o->prefix.upto;
		o->result.source_epoch = b->leader_epoch;
	}
	flatten_fini(&flatten);
	record_reader_destroy(rr);
	if (result != PREFIX_ON)
		differs(ml, result, b);
	return result == PREFIX_ON;
}

void round_take_compare(struct round *r, int i)
{
	struct mirror_lane *ml = r->lanes[i];
	struct opening *o = &ml->opening;
	struct batch_header b;
	struct reader in;
	enum batch_answer answer = first_batch(r, i, &in, &b);
	int64_t upto = o->compared;

	if (answer == BATCH_LATER)
		return;
	if (answer == BATCH_ABSENT) {
		opening_retry(ml, "the source does not serve what was mirrored");
		return;
	}
	if (!compare_all(r, i, &in, &b, &upto))
		return;
	o->compared = MIN(upto, o->prefix.upto);
	opening_forget_local(ml);
	if (o->compared >= o->in.local_end)
		opening_done(ml);
	else
		opening_next(ml, OPENING_LOCAL);
}
