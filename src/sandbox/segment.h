/* SPDX-License-Identifier: Apache-2.0 */
/* Where the active segment of a log begins: the cleaner leaves it alone. Logs here have no other use of segments. */
#pragma once

#include "sandbox/topic_config.h"

#include <stddef.h>

struct segment {
	int64_t base;              /* its first offset */
	size_t bytes;
	int64_t first_timestamp;   /* the largest one of its first batch; -1: none */
};

/* A batch is about to be appended: it may begin a new segment, by segment.bytes or segment.ms, which counts between
 * timestamps of records. */
void segment_append(struct segment *s, const struct topic_config *conf, int64_t base_offset, size_t bytes,
		    int64_t max_timestamp);
/* The log ends there now, or begins there. */
void segment_cut(struct segment *s, int64_t end);
