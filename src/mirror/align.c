/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror/align.h"

#include "wire/batch.h"

#include <stdarg.h>

enum align_ends_verdict align_judge_ends(const struct align_ends *e)
{
	if (e->end_before == e->hw_before && e->end_before == e->end_after && e->end_before == e->hw_after)
		return ENDS_EQUAL;
	return ENDS_WAIT;
}

static void stop(struct align_result *out, enum lane_reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void stop(struct align_result *out, enum lane_reason reason, const char *fmt, ...)
{
	va_list ap;

	out->verdict = ALIGN_STOP;
	out->reason = reason;
	va_start(ap, fmt);
	vsnprintf(out->error, sizeof(out->error), fmt, ap);
	va_end(ap);
}

static bool tail_is_fill(const struct align_input *in)
{
	for (int32_t i = 0; i < in->n_filler_ids; i++)
		if (in->tail.producer_id == in->filler_ids[i])
			return true;
	return false;
}

/* True when the log below the end was written by this mirror. */
static bool tail_is_ours(const struct align_input *in)
{
	if (in->local_end <= in->adopted_end)
		return true;
	return in->tail.found && in->tail.last_offset == in->local_end - 1 &&
	       (in->tail.producer_id == in->data_id || tail_is_fill(in));
}

/* A log without a batch tells nothing of who wrote it; it is ours when its end was recorded before it was emptied, or lies
 * in what is being seeded: a seeding that was over may have been recorded anew with a later end, and all below that end
 * is deleted anyway. */
static bool emptied_by_us(const struct align_input *in)
{
	return in->local_start == in->local_end &&
	       (in->local_end == in->emptied_end || (in->local_end >= in->seed_from && in->local_end <= in->seed_to));
}

static void judge_tail(const struct align_input *in, struct align_result *out)
{
	if (!in->tail.found)
		stop(out, REASON_DIVERGED, "no batch stands below the mirror's log end %lld",
		     (long long)in->local_end);
	else
		stop(out, REASON_DIVERGED,
		     "the last batch of the mirror (offset %lld, producer id %lld) was not written by krmirror",
		     (long long)in->tail.last_offset, (long long)in->tail.producer_id);
}

/* Seeds that are all there are deleted before anything is copied behind them. */
static bool wants_seeds(const struct align_input *in, int64_t start)
{
	return in->local_end < start ||
	       (in->local_end == start && in->local_start < start && in->seed_to == start);
}

void align_judge(const struct align_input *in, struct align_result *out)
{
	int64_t start = MAX(in->source_start, in->start_offset);
	const struct seed_input seed = { in->local_end, start, in->seed_from, in->seed_to };

	*out = (struct align_result){ .verdict = ALIGN_RESUME };
	if (in->local_end > 0 && !emptied_by_us(in) && !tail_is_ours(in)) {
		judge_tail(in, out);
	} else if (wants_seeds(in, start)) {
		out->verdict = ALIGN_SEED;
		seed_judge(&seed, &out->seed);
	} else if (in->local_end == 0) {
		out->verdict = ALIGN_FRESH;
	} else if (in->local_end > in->source_end) {
		stop(out, REASON_UNEXPECTED_TRUNCATION, "the mirror ends at offset %lld, the source already at %lld",
		     (long long)in->local_end, (long long)in->source_end);
	}
}

enum align_pair_verdict align_judge_pair(int64_t offset, int32_t epoch, int32_t found_epoch, int64_t found_end)
{
	if (found_epoch < 0 || found_end < 0)
		return PAIR_UNKNOWN;
	return found_epoch == epoch && found_end >= offset ? PAIR_HOLDS : PAIR_CUT;
}

enum { BEHIND_FILL = 256 };

/* The last batch is always compared: neither the pair nor the last batch alone is enough (DESIGN 5). */
int64_t align_compare_from(const struct align_input *in, int64_t settled)
{
	int64_t from = MAX(in->source_start, in->local_start);

	if (settled < 0)
		return from;
	return MAX(from, MIN(settled, in->tail.first_offset - (tail_is_fill(in) ? BEHIND_FILL : 0)));
}
