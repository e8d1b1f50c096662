/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the source still holds what was mirrored: record by record, because batches are rewritten, merged and, on
 * both sides, compacted. Pure. First the destination's batches of a range go in, then the source's of the same range.
 *
 *   at an offset                    destination: record     marker of a fill     nothing (compacted away)
 *   source: record                  must be equal           differs              fine
 *   source: control, aborted        differs                 fine                 fine
 *   source: nothing (compacted)     fine                    fine                 fine
 *
 * What only compaction leaves is forgiven because it cannot come from anything else: a log that was cut and written
 * anew has no holes where there were none. */
#pragma once

#include "wire/record_reader.h"

enum { COMPARE_DIGEST = 16, COMPARE_RECORDS_MAX = 8192 };

struct compare_entry {
	int64_t offset;
	bool marker;
	uint8_t digest[COMPARE_DIGEST];   /* of timestamp, key, value and headers */
};

struct compare {
	int64_t upto;                     /* the destination's records below it are known */
	int64_t differs_at;               /* after COMPARE_DIFFERS */
	/* private */
	struct compare_entry *entries_;
	int n_, at_;
	int64_t from_;
};

enum compare_result {
	COMPARE_ON,                       /* go on with the next batch */
	COMPARE_FULL,                     /* so much can be held: compare up to `upto`, then begin anew there */
	COMPARE_DIFFERS,
	COMPARE_BROKEN                    /* the batch cannot be read: record_reader_fault says why */
};

/* The range begins at `from`; records below it are left out. */
void compare_init(struct compare *c, int64_t from);
/* Of a zeroed one too. */
void compare_fini(struct compare *c);
/* The destination's next batch, of magic 2. */
enum compare_result compare_local(struct compare *c, struct record_reader *rr, const struct batch_header *b)
	__attribute__((warn_unused_result));
/* The source's next batch; hole: none of its records is to be copied. */
enum compare_result compare_source(struct compare *c, struct record_reader *rr, const struct batch_header *b, bool hole)
	__attribute__((warn_unused_result));
