/* SPDX-License-Identifier: Apache-2.0 */
/* The batches of a fetched partition, offered to its lane in their order. */
#include "mirror/flatten.h"
#include "mirror/mirror_priv.h"
#include "wire/msg/fetch.h"

static enum lane_verdict take_batch(struct mirror_lane *ml, struct flatten *flatten, struct buf *frame,
				    const struct batch_header *b)
{
	int64_t now = loop_now(ml->mirror->loop);
	enum flatten_kind kind = flatten_batch(flatten, b);
	enum lane_verdict verdict = LANE_REWRITE;

	switch (kind) {
	case FLATTEN_RECORDS:
	case FLATTEN_HOLE:
		if (kind == FLATTEN_RECORDS)
			merging_note(ml, b);
		if (!rewriting_busy(&ml->rewriting) && (kind == FLATTEN_HOLE || !ml->rewriting.coalesce.on))
			verdict = kind == FLATTEN_HOLE ? lane_offer_hole(&ml->lane, b, now)
						       : lane_offer(&ml->lane, frame, b, now);
		if (verdict == LANE_REWRITE)
			rewriting_add(ml, frame, b, kind == FLATTEN_HOLE);
		return verdict;
	case FLATTEN_CORRUPT:
	default:
		/* What is being rewritten comes before it. */
		if (rewriting_busy(&ml->rewriting) || !lane_bad(&ml->lane, b->base_offset))
			return LANE_LATER;
		mirror_lane_fail(ml, REASON_CORRUPT_SOURCE_BATCH,
				 "source: the CRC of the batch at offset %lld does not hold", (long long)b->base_offset);
		return LANE_STOP;
	}
}

/* True: a batch that says that it reaches beyond the log. What the answer says of the high watermark may be older than
 * its records, but not when the same batch comes a second time. */
static bool reaches_too_far(struct mirror_lane *ml, const struct fetched_partition *p, const struct batch_header *b)
{
	int64_t last = b->base_offset + b->last_delta;
	bool again = ml->source.too_far_at == b->base_offset;

	if (last < p->high_watermark || last < ml->lane.accepted)
		return false;
	ml->source.too_far_at = b->base_offset;
	if (again && !rewriting_busy(&ml->rewriting) && lane_bad(&ml->lane, b->base_offset))
		mirror_lane_fail(ml, REASON_CORRUPT_SOURCE_BATCH,
				 "source: the batch at offset %lld says that it ends at offset %lld, beyond the high "
				 "watermark %lld", (long long)b->base_offset, (long long)last,
				 (long long)p->high_watermark);
	return true;
}

void source_take_records(struct mirror_lane *ml, struct buf *frame, const struct fetched_partition *p)
{
	struct reader r = { .p = p->records.data, .end = p->records.data + p->records.len };
	enum lane_verdict verdict = LANE_TAKE;
	struct flatten flatten;
	struct batch_header b;
	enum batch_next next;

	flatten_init(&flatten, p->aborted_transactions.items, p->aborted_transactions.n);
	for (next = batch_next(&r, &b); next == BATCH_OK; next = batch_next(&r, &b)) {
		if (reaches_too_far(ml, p, &b))
			break;
		verdict = take_batch(ml, &flatten, frame, &b);
		if (verdict == LANE_STOP || verdict == LANE_LATER)
			break;
	}
	flatten_fini(&flatten);
	/* Else it is met again behind what is being rewritten or appended. */
	if (next == BATCH_BAD && !rewriting_busy(&ml->rewriting) && lane_bad(&ml->lane, ml->lane.accepted))
		mirror_lane_fail(ml, REASON_CORRUPT_SOURCE_BATCH,
				 "source: what stands at offset %lld is no record batch", (long long)ml->lane.accepted);
}
