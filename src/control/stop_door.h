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
 * them is missing. May be run again. */
void doors_close(struct session *session, struct door *doors, int n, int32_t lease_ms);

/* The marker on a data id of which the broker says so much; NULL: the id is not known. Pure. */
void door_data_marker(const struct admin_producer *known, struct admin_marker *marker);
/* The marker on a filler id. Pure. */
void door_filler_marker(struct admin_marker *marker);
