/* SPDX-License-Identifier: Apache-2.0 */
/* What an opening means: pure. The numbers of both sides go in, one verdict comes out (DESIGN 3 and 5). */
#pragma once

#include "mirror/mirror.h"
#include "mirror/seed.h"
#include "wire/batch.h"

/* The four numbers that bracket DescribeProducers at the destination; and the leader epoch they were asked with. */
struct align_ends {
	int64_t end_before, hw_before, end_after, hw_after;
};

enum align_ends_verdict {
	ENDS_EQUAL,        /* the log stands still and is durable */
	ENDS_WAIT          /* the high watermark is behind, or something is still being appended: ask again */
};
enum align_ends_verdict align_judge_ends(const struct align_ends *ends);

/* The batch just below the destination's log end. */
struct align_tail {
	bool found;              /* false: the fetch brought nothing */
	int64_t producer_id;
	int64_t first_offset, last_offset;
};

struct align_input {
	int64_t source_start, source_end;
	int64_t local_start, local_end;
	int64_t start_offset;    /* where the mirror is to begin, if not where the source does */
	int64_t adopted_end;     /* -1: none */
	int64_t seed_from, seed_to;  /* a seeding that is recorded as under way; -1: none */
	int64_t emptied_end;     /* the log end before a DeleteRecords that may have left no batch; -1: none */
	int64_t data_id;
	const int64_t *filler_ids;   /* of every rotation up to the recorded one */
	int32_t n_filler_ids;
	struct align_tail tail;
};

enum align_verdict {
	ALIGN_FRESH,             /* both begin at 0 */
	ALIGN_SEED,              /* the mirror ends below its start, or its seeds are not deleted yet */
	ALIGN_RESUME,            /* go on at the destination's end, once the last batch is equal on both sides */
	ALIGN_STOP               /* reason and text */
};

struct align_result {
	enum align_verdict verdict;
	enum lane_reason reason;
	char error[256];
	struct seed_plan seed;   /* of ALIGN_SEED */
};
void align_judge(const struct align_input *in, struct align_result *out);

/* What OffsetForLeaderEpoch of the source says of the known pair (offset, epoch): end_offset is the end of the largest
 * epoch that is not above the one asked for. HOLDS: everything below offset is still what was mirrored. CUT: it was
 * cut off. UNKNOWN (epoch -1, end -1: the broker knows no such old epoch any more): nothing is settled. */
enum align_pair_verdict { PAIR_HOLDS, PAIR_CUT, PAIR_UNKNOWN };
enum align_pair_verdict align_judge_pair(int64_t offset, int32_t epoch, int32_t found_epoch, int64_t found_end);

/* From where on contents must be compared. settled: the known pair's offset where it holds, else -1. Behind a fill some
 * offsets below it are taken in, so that records are among what is compared. */
int64_t align_compare_from(const struct align_input *in, int64_t settled);
