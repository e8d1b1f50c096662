/* SPDX-License-Identifier: Apache-2.0 */
/* What the answers to a fill mean. Pure. Too few markers are always safe, too many can never be undone: whatever is
 * not proof is doubt. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct fill_answer {
	int32_t n;                 /* markers that were sent for the partition */
	bool answered;             /* WriteTxnMarkers names the partition */
	int16_t code;              /* of the partition; with n > 1 the last marker's: it can hide another's */
	int64_t expected;          /* the log end that they must lead to */
	int64_t log_end, high_watermark;   /* asked behind them on the same connection; -1: not told */
};

enum fill_verdict {
	FILL_PROVEN,               /* all of them stand in the log, once */
	FILL_DOUBT,                /* open the lane again */
	FILL_NO_RIGHT,             /* CLUSTER_AUTHORIZATION_FAILED: nothing was written */
	FILL_REFUSED               /* something must be changed first: nothing more can be written this way */
};

/* Of several markers the log's ends are the proof; of one, which was alone for its id and partition in its request, its
 * own code is. */
enum fill_verdict fill_judge(const struct fill_answer *answer);

/* What a log end beyond the highest that a fill in doubt can have reached means. others_wrote: the filler id's producer
 * epoch is not that of our claim, or the data id's last sequence is not ours. Above ours, a newer owner is at work; below,
 * a dead owner's fill came late and shut our claim out. Only a claim that stands keeps all others off: then it is nobody
 * of this mirror. (DESIGN 4 says DIVERGED for the second case as well; the simulator has shown that it happens without
 * any foreign writer.) */
enum fill_beyond { BEYOND_NOT, BEYOND_OTHER_OWNER, BEYOND_DIVERGED };
enum fill_beyond fill_judge_beyond(int64_t log_end, int64_t fill_end_max, bool others_wrote);
