/* SPDX-License-Identifier: Apache-2.0 */
/* What an opening means: pure. The numbers of both sides go in, one verdict comes out (DESIGN 3 and 5). */
#pragma once

#include "mirror/mirror.h"

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
	int64_t last_offset;
};

struct align_input {
	int64_t source_start, source_end;
	int64_t local_start, local_end;
	int64_t adopted_end;     /* -1: none */
	int64_t data_id, filler_id;
	struct align_tail tail;
};

enum align_verdict {
	ALIGN_FRESH,             /* both begin at 0 */
	ALIGN_RESUME,            /* go on at the destination's end, once the last batch is equal on both sides */
	ALIGN_STOP               /* reason and text */
};

struct align_result {
	enum align_verdict verdict;
	enum lane_reason reason;
	char error[256];
};
void align_judge(const struct align_input *in, struct align_result *out);

/* Whether a batch of the destination is the mirror of a batch of the source: the header fields that are kept, and the
 * records byte by byte. Both point to whole batches of magic 2. */
bool align_same_batch(const uint8_t *source, size_t source_len, const uint8_t *local, size_t local_len);
