/* SPDX-License-Identifier: Apache-2.0 */
/* ListOffsets for many partitions in one request, and finding a partition in the answer. */
#pragma once

#include "client/call.h"
#include "wire/msg/list_offsets.h"

enum {
	/* Only as a replica that is no broker are we told the log end, and only by the leader (measured; DESIGN 3). */
	OFFSETS_LOG_END = -3,
	OFFSETS_CONSUMER = -1,     /* the high watermark */
	OFFSETS_LATEST = -1, OFFSETS_EARLIEST = -2,
	OFFSETS_TIMEOUT_MS = 10000,
};

struct offsets_question {
	struct call *call;
	int64_t timestamp;         /* OFFSETS_LATEST, unless the asker changes it before the first _add */
};

/* call: initialised for ListOffsets. n_max: how many partitions will be added at most. */
void offsets_question_init(struct offsets_question *q, struct call *call, int n_max, int32_t replica_id);
/* topic must live until the call is sent. */
void offsets_question_add(struct offsets_question *q, struct str topic, int32_t partition, int32_t leader_epoch);

/* NULL: the answer leaves the partition out. hint: at which place among the topics it is looked for first. */
const struct listed_offsets_partition *offsets_answer(struct call *call, struct str topic, int32_t partition, int hint);
