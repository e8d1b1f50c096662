/* SPDX-License-Identifier: Apache-2.0 */
/* Where a new mirror's partitions begin, and what it costs to begin there: offsets below are seeded (DESIGN 4). */
#pragma once

#include "control/session.h"
#include "control/start_spec.h"

struct mirror_heads {
	struct start_spec spec;
	int64_t fill_limit;
	bool fill_tombstones;   /* mirror.fill.mode */
	int32_t n;
	int64_t *starts;        /* of each partition; in the arena */
};

/* Asks the source. OUTCOME_REFUSED when a head is longer than fill_limit. */
enum outcome mirror_heads_find(struct cluster *source, const char *topic, struct mirror_heads *heads,
			       int64_t deadline_ns, struct err *err) MUST_USE;
/* Of many topics of one link, in one question: each has its own outcome, OUTCOME_DONE when it is called. */
struct mirror_heads_of {
	const char *topic;
	struct mirror_heads *heads;
	enum outcome outcome;
	struct err err;
};
void mirror_heads_find_all(struct cluster *source, struct mirror_heads_of *ofs, int n, int64_t deadline_ns);
/* What is recorded: partition -> offset, of a spec other than earliest; NULL: nothing. */
json_t *mirror_heads_record(const struct mirror_heads *heads);
/* A sentence with the estimate, where there is something to seed. */
void mirror_heads_tell(const struct mirror_heads *heads, struct notes *notes);
