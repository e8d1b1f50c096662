/* SPDX-License-Identifier: Apache-2.0 */
/* The door: after it no late batch or fill of any worker can land in the topic (DESIGN 10). Only for control/. */
#pragma once

#include "client/admin.h"
#include "control/session.h"

struct door {
	const struct mirror_wish *wish;
	const struct mirror_state *state;   /* for the rotations */
	int32_t n_partitions;
	/* out */
	const char *how;                    /* "marker", "lease" */
	enum outcome outcome;               /* other than OUTCOME_DONE: not closed yet, with err */
	struct err err;
};

/* Writes the markers on every partition, one request to each leader, or waits out the lease where the right to write
 * them is missing.
 *
 * May be run again, and two may do it at once (two command lines with --force, or one beside a worker): each then writes a
 * marker of its own for each id, and more where answers are lost. No offset of the mirror is one too many by that: a marker
 * is written only when `sealed` is recorded, with the ends; from then on nobody opens a lane, and what is still under way is
 * shut out by the first marker. The others stand behind the mirror's end, where a consumer sees nothing of them, or, of an
 * actor that was paused, between records of clients, where they end no transaction: the ids are nobody's. On a topic that
 * was taken up again as a mirror meanwhile such a late marker is an offset that the source does not have: the next append
 * shows it, and the partition stops as DIVERGED. */
void doors_close(struct session *session, struct door *doors, int n, int32_t lease_ms);

/* The marker on a data id of which the broker says so much; NULL: the id is not known. Pure. */
void door_data_marker(const struct admin_producer *known, struct admin_marker *marker);
/* The marker on a filler id. Pure. */
void door_filler_marker(struct admin_marker *marker);
