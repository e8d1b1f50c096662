/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of both sides: the answers of TAIL, LOCAL and COMPARE. */
#include "base/clock.h"
#include "base/log.h"
#include "mirror/flatten.h"
#include "mirror/round_priv.h"
#include "wire/msg/fetch.h"
#include "wire/msg/kerr_codes.h"

enum { LOCAL_MAX = 1024 };  /* digests that a lane holds at a time */

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
	if (next == BATCH_OK && b->magic == 2)
		return BATCH_HERE;
	if (next != BATCH_BAD && next != BATCH_OK && r->n_lanes > 1) {
		opening_alone(ml);
		return BATCH_LATER;
	}
	return BATCH_ABSENT;
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
	/* An empty answer is a failed check, not a passed one: align judges it. */
	tail->found = answer == BATCH_HERE;
	if (tail->found) {
		tail->producer_id = b.producer_id;
		tail->first_offset = b.base_offset;
		tail->last_offset = b.base_offset + b.last_delta;
	}
	opening_next(ml, OPENING_SOURCE);
}

void round_take_local(struct round *r, int i)
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
		o->local_upto = b.base_offset + b.last_delta + 1;
		if ((b.attributes & BATCH_CONTROL) == 0 && b.count > 0)
			align_piece(&b, &o->local[o->n_local++]);
	}
	opening_next(ml, OPENING_COMPARE);
}

static void differs(struct mirror_lane *ml, int64_t offset, const struct batch_header *b)
{
	if (b != NULL && b->count != b->last_delta + 1)
		mirror_lane_fail(ml, REASON_UNSUPPORTED_MESSAGE_FORMAT,
				 "the source has compacted the batch at offset %lld since it was mirrored: "
				 "this version cannot compare it", (long long)offset);
	else
		mirror_lane_fail(ml, REASON_UNEXPECTED_TRUNCATION,
				 "what the source holds at offset %lld is not what was mirrored", (long long)offset);
}

static void flatten_partition(struct flatten *flatten, const struct fetched_partition *p)
{
	int32_t n = MAX(p->aborted_transactions.n, 0);
	struct flatten_aborted *list = xcalloc((size_t)n + 1, sizeof(*list));

	for (int32_t k = 0; k < n; k++)
		list[k] = (struct flatten_aborted){ p->aborted_transactions.items[k].producer_id,
						    p->aborted_transactions.items[k].first_offset };
	flatten_init(flatten, list, n);
	xfree(list);
}

/* One source batch against the local ones, *k of which are behind us. False: they differ, and the lane was failed. */
static bool compare_batch(struct mirror_lane *ml, const struct batch_header *b, bool hole, int *k)
{
	const struct opening *o = &ml->opening;
	const struct align_piece *local = *k < o->n_local ? &o->local[*k] : NULL;
	struct align_piece piece;

	if (hole)
		return true;  /* records that stand there locally are found with the next batch */
	if (local != NULL && local->last < b->base_offset) {
		differs(ml, local->first, NULL);
		return false;
	}
	align_piece(b, &piece);
	if (local == NULL || memcmp(local->digest, piece.digest, sizeof(piece.digest)) != 0) {
		differs(ml, b->base_offset, b);
		return false;
	}
	++*k;
	return true;
}

void round_take_compare(struct round *r, int i)
{
	struct mirror_lane *ml = r->lanes[i];
	struct opening *o = &ml->opening;
	struct flatten flatten;
	struct batch_header b;
	struct reader in;
	enum batch_answer answer = first_batch(r, i, &in, &b);
	enum batch_next next = BATCH_OK;
	int64_t upto = o->compared;
	bool equal = true;
	int k = 0;

	if (answer == BATCH_LATER)
		return;
	if (answer == BATCH_ABSENT) {
		opening_retry(ml, "the source does not serve what was mirrored");
		return;
	}
	flatten_partition(&flatten, fetched(r, i));
	for (; equal && next == BATCH_OK && b.base_offset < o->local_upto; next = batch_next(&in, &b)) {
		bool hole = flatten_batch(&flatten, &b) != FLATTEN_RECORDS;

		equal = compare_batch(ml, &b, hole, &k);
		upto = b.base_offset + b.last_delta + 1;
		o->result.source_epoch = b.leader_epoch;
	}
	flatten_fini(&flatten);
	if (next == BATCH_OK)
		upto = o->local_upto;  /* the next batch begins behind it */
	if (equal && k < o->n_local && o->local[k].last < upto) {
		differs(ml, o->local[k].first, NULL);
		equal = false;
	}
	if (!equal)
		return;
	o->compared = MIN(upto, o->local_upto);
	opening_forget_local(ml);
	if (o->compared >= o->in.local_end)
		opening_done(ml);
	else
		opening_next(ml, OPENING_LOCAL);
}
