/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the source still holds what was mirrored: record by record, because batches are rewritten, merged and, on
 * both sides, compacted. Pure. First the destination's batches of a range go in, then the source's of the same range.
 *
 *   at an offset                    destination: record     marker, tombstone,   nothing (compacted away)
 *                                                           aborted
 *   source: record                  must be equal           differs              fine
 *   source: control, aborted        differs                 fine                 fine
 *   source: nothing (compacted)     fine                    fine                 fine
 *
 * What only compaction leaves is forgiven because it cannot come from anything else: a log that was cut and written
 * anew has no holes where there were none. */
#pragma once

#include "wire/record_reader.h"

enum {
	PREFIX_DIGEST = 16, PREFIX_RECORDS_MAX = 8192,
	PREFIX_READ_MAX = 500000          /* records of the destination at a time, tombstones of a hole among them */
};

struct prefix_entry {
	int64_t offset, last;             /* several: tombstones of one time */
	bool marker, tombstone;
	int64_t timestamp;                /* of tombstones */
	uint8_t digest[PREFIX_DIGEST];    /* of timestamp, key, value and headers */
};

struct prefix {
	int64_t upto;                     /* the destination's records below it are known */
	int64_t differs_at;               /* after PREFIX_DIFFERS */
	/* private */
	struct prefix_entry *entries_;
	int n_, at_, n_read_;
	int64_t from_;
};

enum prefix_result {
	PREFIX_ON,                        /* go on with the next batch */
	PREFIX_FULL,                      /* so much can be held: compare up to `upto`, then begin anew there */
	PREFIX_DIFFERS,
	PREFIX_BROKEN                     /* the batch cannot be read: record_reader_fault says why */
};

/* The range begins at `from`; records below it are left out. */
void prefix_init(struct prefix *prefix, int64_t from);
/* Of a zeroed one too. */
void prefix_fini(struct prefix *prefix);
/* The destination's next batch, of magic 2; hole: a control batch, or one of an aborted transaction. Only an adopted log
 * has the latter. */
enum prefix_result prefix_local(struct prefix *prefix, struct record_reader *rr, const struct batch_header *b,
				bool hole)
	__attribute__((warn_unused_result));
/* The source's next batch; hole: none of its records is to be copied. */
enum prefix_result prefix_source(struct prefix *prefix, struct record_reader *rr, const struct batch_header *b,
				 bool hole)
	__attribute__((warn_unused_result));
