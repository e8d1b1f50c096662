/* SPDX-License-Identifier: Apache-2.0 */
/* One batch without some of its records, as a broker's cleaner writes it. */
#pragma once

#include "sandbox/plog.h"
#include "wire/record_reader.h"

struct batch_cleaner;

struct batch_cleaner *batch_cleaner_create(void);
void batch_cleaner_destroy(struct batch_cleaner *bc);

/* Calls see for each record of the batch; what cannot be read is left out. */
void batch_cleaner_walk(struct batch_cleaner *bc, const struct plog_batch *b,
			void (*see)(void *owner, const struct record_view *v), void *owner);

struct clean_rules {
	bool discard;              /* no record stays */
	bool (*stays)(void *owner, const struct record_view *v);
	void *owner;
	int64_t horizon_ms;        /* the delete horizon of a batch that gets one now: with tombstones, or */
	bool spent_marker;         /* a marker of whose transaction nothing is left */
	bool keep_empty;           /* the batch stays even without a record */
};

/* The batch itself when nothing changes; a new one with one reference; or NULL: it goes. A batch that cannot be read
 * stays as it is. */
struct plog_batch *batch_clean(struct batch_cleaner *bc, struct plog_batch *b, const struct clean_rules *rules);
