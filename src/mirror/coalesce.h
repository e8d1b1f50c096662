/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a lane merges small neighbouring batches before it appends them (DESIGN 6). Pure: samples in, one decision out;
 * the same samples give the same decisions.
 *
 * A partition takes so many appends a second, whatever their size. Merging begins when the batches of the source are
 * small (under 8 KiB on average) and what waits, here and at the source, would take over 10 s one by one at the rate that
 * was measured while something waited all the time; or would never be done, because more comes in than is taken, and
 * half a second's work waits already. It ends when all but a second's work is done and what comes in would be taken one
 * by one again, with a fifth to spare. So a lane that keeps up never merges. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A moment of a lane; counters since any beginning. */
struct coalesce_sample {
	int64_t now_ns;
	uint64_t appended;              /* appends acknowledged */
	uint64_t fetched, fetched_bytes, fetched_offsets;  /* batches of the source with records; their bytes and offsets */
	int64_t source_end;             /* last stable offset */
	int64_t position;               /* of the lane: accepted */
	int64_t waiting;                /* batches that are accepted and not acknowledged */
	bool always;                    /* something waited all the time since the last sample */
};

struct coalesce {
	bool on;
	/* private */
	struct coalesce_sample last_;
	bool begun_;
	bool always_;                   /* in the window so far */
	int64_t rate_;                  /* appends a second, one by one, while something waited; 0: not known */
	int64_t inflow_;                /* batches a second that come in */
	int over_, under_;              /* windows in a row in which more came in than is taken; clearly less */
	int64_t bytes_, offsets_;       /* of a batch, on average, in 1/16 */
};

/* To be called every quarter of a second or so while the lane copies. The answer is c->on. */
bool coalesce_sample(struct coalesce *c, const struct coalesce_sample *s);
/* The lane was opened: what was measured of others is forgotten, what is known of the source's batches stays. */
void coalesce_reset(struct coalesce *c);
