/* SPDX-License-Identifier: Apache-2.0 */
/* Flattening transactions: which batches of a read_committed fetch hold records, and which only use up offsets. Pure.
 *
 * A response names, per partition, the aborted transactions that may reach into it: (producer id, first offset), some
 * begun before the first batch, some beyond the last. Walking the batches in order, a producer is aborted from the
 * first batch that reaches the first offset of one of its entries until its ABORT marker; its transactional batches
 * between are holes. So is every control batch, of whatever kind, and every batch that compaction has emptied. The
 * list holds for one response only. */
#pragma once

#include "base/map.h"
#include "wire/batch.h"
#include "wire/msg/fetch.h"

struct flatten {
	/* private */
	struct aborted_transaction *list_;   /* by first offset */
	int32_t n_, next_;
	struct map active_;                  /* by producer id: aborted now */
};

/* Takes a copy of the list, as it stands in a response; n 0 or less (null): nothing was aborted. */
void flatten_init(struct flatten *flatten, const struct aborted_transaction *list, int32_t n);
void flatten_fini(struct flatten *flatten);

enum flatten_kind {
	FLATTEN_RECORDS,
	FLATTEN_HOLE,
	FLATTEN_CORRUPT       /* would be a hole, but its CRC does not hold: a fill of a wrong length cannot be undone */
};
/* The next batch, in the order of the response; also those that the caller will skip. */
enum flatten_kind flatten_batch(struct flatten *flatten, const struct batch_header *b);
