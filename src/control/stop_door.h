/* SPDX-License-Identifier: Apache-2.0 */
/* The door: after it no late batch or fill of any worker can land in the topic (DESIGN 10). Only for control/. */
#pragma once

#include "client/admin.h"
#include "control/session.h"

struct door {
	const struct mirror_wish *wish;
	const struct mirror_state *state;   /* for the rotations */
	int32_t n_partitions;
	int32_t lease_ms;                   /* how long to wait where the right to write markers is missing */
};

/* Writes the markers on every partition, or waits out the lease. *how: "marker", "lease". May be run again. */
enum outcome door_close(struct session *session, const struct door *door, const char **how, struct err *err) MUST_USE;

/* The marker on a data id of which the broker says so much; NULL: the id is not known. Pure. */
void door_data_marker(const struct admin_producer *known, struct admin_marker *marker);
/* The marker on a filler id. Pure. */
void door_filler_marker(struct admin_marker *marker);
